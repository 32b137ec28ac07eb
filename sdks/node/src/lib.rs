//! Node binding of the PromptOps loader: the file `promptops.node` of the npm package.
//!
//! Everything that decides anything is in the crate `promptops`; here values change hands. The JavaScript in `lib` makes
//! of these classes what users see, which `index.d.ts` documents.
//!
//! **Invariant.** Nothing here calls JavaScript from another thread than that of the event loop: warnings wait until
//! they are asked for.

mod error;
mod invocation;
mod loader;
mod prompt;
mod value;

/// Node keeps its standard output from the programs it starts, so nothing tells later whether that is still what it was.
#[napi_derive::module_init]
fn remember() {
    promptops::remember_standard_output();
}
