//! Errors and warnings as Python knows them; the classes are in `python/promptops/_errors.py`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

static BY_CODE: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
static WARNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Turns an error into the exception for its code.
pub(crate) fn to_python(py: Python<'_>, error: &promptops::Error) -> PyErr {
    exception(py, error).unwrap_or_else(|failure| failure)
}

fn exception(py: Python<'_>, error: &promptops::Error) -> PyResult<PyErr> {
    let by_code = BY_CODE.get_or_try_init(py, || {
        let classes = py.import("promptops._errors")?.getattr("BY_CODE")?;
        PyResult::Ok(classes.cast_into::<PyDict>()?.unbind())
    })?;
    let class = match by_code.bind(py).get_item(error.code())? {
        Some(class) => class,
        None => py.import("promptops._errors")?.getattr("PromptOpsError")?,
    };
    Ok(PyErr::from_value(class.call1((error.full_message(), error.code(), error.hint()))?))
}

/// Says a warning by Python's `warnings`, as of the line that called.
pub(crate) fn warn(warning: &promptops::Warning) {
    // A refresh may end while the interpreter does; then nobody hears it any more.
    Python::try_attach(|py| {
        if let Err(error) = warn_in(py, warning) {
            // A filter may turn warnings into exceptions. Loading cannot be broken off from here, so it is only shown.
            error.write_unraisable(py, None);
        }
    });
}

fn warn_in(py: Python<'_>, warning: &promptops::Warning) -> PyResult<()> {
    let class =
        WARNING.get_or_try_init(py, || PyResult::Ok(py.import("promptops._errors")?.getattr("PromptOpsWarning")?.unbind()))?;
    py.import("warnings")?.call_method1("warn", (warning.to_string(), class))?;
    Ok(())
}
