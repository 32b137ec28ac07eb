//! The innermost open invocation of each thread and task.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use promptops::Rendered;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::invocation::Invocation;

/// A `contextvars.ContextVar`: tasks that are begun inside of a `with` are inside of it too.
static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
/// How many `with` are open in the process; while none is, nothing looks for one.
static OPEN: AtomicUsize = AtomicUsize::new(0);

fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let variable = CURRENT.get_or_try_init(py, || {
        PyResult::Ok(py.import("contextvars")?.call_method1("ContextVar", ("promptops_invocation",))?.unbind())
    })?;
    Ok(variable.bind(py))
}

/// Makes `invocation` the innermost. Returns what [`leave`] takes.
pub(crate) fn enter(invocation: &Bound<'_, Invocation>) -> PyResult<Py<PyAny>> {
    let token = variable(invocation.py())?.call_method1("set", (invocation,))?;
    OPEN.fetch_add(1, Ordering::Relaxed);
    Ok(token.unbind())
}

pub(crate) fn leave(py: Python<'_>, token: Py<PyAny>) {
    OPEN.fetch_sub(1, Ordering::Relaxed);
    // A `with` that is left in another context than it was entered in cannot be reset; that context ends with it.
    let _ = variable(py).and_then(|variable| variable.call_method1("reset", (token,)));
}

/// Returns the innermost invocation whose `with` is open, or `None`.
#[pyfunction]
pub(crate) fn current_invocation(py: Python<'_>) -> Option<Bound<'_, Invocation>> {
    if OPEN.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let found = variable(py).and_then(|variable| variable.call_method1("get", (py.None(),))).ok()?;
    found.cast_into::<Invocation>().ok()
}

/// Records what was rendered in the innermost open invocation, if that is one of the same prompt.
pub(crate) fn record_input(py: Python<'_>, prompt: &Arc<promptops::Prompt>, rendered: &Rendered) {
    if let Some(invocation) = current_invocation(py) {
        invocation.get().record_input(prompt, rendered);
    }
}
