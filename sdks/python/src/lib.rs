//! Python binding of the PromptOps loader: the module `promptops._promptops`.
//!
//! Everything that decides anything is in the crate `promptops`; here values change hands. The types are documented for
//! users in `python/promptops/_promptops.pyi`.

mod current;
mod error;
mod invocation;
mod loader;
mod prompt;
mod reply;
mod trace;
mod value;
mod view;

use pyo3::prelude::*;

#[pymodule]
fn _promptops(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<loader::Loader>()?;
    module.add_class::<prompt::Prompt>()?;
    module.add_class::<invocation::Invocation>()?;
    module.add_function(wrap_pyfunction!(loader::load_prompt, module)?)?;
    module.add_function(wrap_pyfunction!(loader::load_prompt_async, module)?)?;
    module.add_function(wrap_pyfunction!(loader::configure, module)?)?;
    module.add_function(wrap_pyfunction!(loader::refresh, module)?)?;
    module.add_function(wrap_pyfunction!(loader::end, module)?)?;
    module.add_function(wrap_pyfunction!(loader::dropped, module)?)?;
    module.add_function(wrap_pyfunction!(current::current_invocation, module)?)?;
    module.add_function(wrap_pyfunction!(loader::flush, module)?)
}
