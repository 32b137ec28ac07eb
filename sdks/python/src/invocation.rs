//! `Invocation`, and how a rendering inside of its `with` finds it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use promptops::{Call, Rendered};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::prompt::Prompt;
use crate::value::reply_json;

/// The innermost `with` of each thread and task: a `contextvars.ContextVar`.
static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
/// How many `with` are open in the process; while none is, rendering does not look for one.
static OPEN: AtomicUsize = AtomicUsize::new(0);

#[pyclass(frozen, module = "promptops")]
pub(crate) struct Invocation {
    prompt: Arc<promptops::Prompt>,
    id: String,
    state: Mutex<State>,
}

struct State {
    /// Gone when it was recorded.
    call: Option<Call>,
    token: Option<Py<PyAny>>,
    request_id: Option<String>,
    label: Option<String>,
    valid: Option<bool>,
}

impl Invocation {
    pub(crate) fn new(call: Call) -> Self {
        let (prompt, id) = (Arc::clone(call.prompt()), call.invocation().invocation_id.to_string());
        let state = State { call: Some(call), token: None, request_id: None, label: None, valid: None };
        Self { prompt, id, state: Mutex::new(state) }
    }

    fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_call(&self, act: impl FnOnce(&mut Call)) {
        self.with_state(|state| {
            if let Some(call) = &mut state.call {
                act(call);
                let known = call.invocation();
                (state.label, state.valid) = (known.label.clone(), known.valid);
                state.request_id = call.request_id().map(str::to_owned);
            }
        });
    }
}

#[pymethods]
impl Invocation {
    fn __enter__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let token = current(py)?.call_method1("set", (&slf,))?;
        OPEN.fetch_add(1, Ordering::Relaxed);
        slf.get().with_state(|state| state.token = Some(token.unbind()));
        Ok(slf)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> bool {
        if let Some(class) = exc_type {
            let kind = error_type(class, exc_value);
            self.with_call(|call| call.record_error(&kind));
        }
        let (call, token) = self.with_state(|state| (state.call.take(), state.token.take()));
        if let Some(token) = token {
            OPEN.fetch_sub(1, Ordering::Relaxed);
            // A `with` that is left in another context than it was entered in cannot be reset; that context ends with it.
            let _ = current(py).and_then(|current| current.call_method1("reset", (token,)));
        }
        if let Some(call) = call {
            py.detach(|| call.finish());
        }
        false
    }

    #[pyo3(signature = (reply, *, label=None, valid=None, cost_usd=None))]
    fn record(&self, reply: &Bound<'_, PyAny>, label: Option<String>, valid: Option<bool>, cost_usd: Option<f64>) -> bool {
        let text = reply.cast::<PyString>().ok().map(|text| text.to_string_lossy().into_owned());
        let json = if text.is_none() { reply_json(reply) } else { serde_json::Value::Null };
        let mut is_known = true;
        self.with_call(|call| {
            let known = call.invocation_mut();
            known.label = label.or(known.label.take());
            known.valid = valid.or(known.valid);
            known.cost_usd = cost_usd.or(known.cost_usd);
            match &text {
                Some(text) => call.record_text(text),
                None => is_known = call.record_reply(&json),
            }
        });
        is_known
    }

    fn error(&self, error_type: &str) {
        self.with_call(|call| call.record_error(error_type));
    }

    fn first_token(&self) {
        self.with_call(Call::record_first_token);
    }

    fn score(&self, name: String, value: f64) {
        self.with_call(|call| _ = call.invocation_mut().scores.insert(name, value));
    }

    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    #[getter]
    fn prompt(&self) -> Prompt {
        Prompt::new(Arc::clone(&self.prompt))
    }

    #[getter]
    fn request_id(&self) -> Option<String> {
        self.with_state(|state| state.request_id.clone())
    }

    #[getter]
    fn label(&self) -> Option<String> {
        self.with_state(|state| state.label.clone())
    }

    #[getter]
    fn valid(&self) -> Option<bool> {
        self.with_state(|state| state.valid)
    }
}

fn current(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let variable = CURRENT.get_or_try_init(py, || {
        PyResult::Ok(py.import("contextvars")?.call_method1("ContextVar", ("promptops_invocation",))?.unbind())
    })?;
    Ok(variable.bind(py))
}

/// Records what was rendered in the innermost open invocation, if that is one of the same prompt.
pub(crate) fn record_input(py: Python<'_>, prompt: &Arc<promptops::Prompt>, rendered: &Rendered) {
    if OPEN.load(Ordering::Relaxed) == 0 {
        return;
    }
    let Ok(found) = current(py).and_then(|current| current.call_method1("get", (py.None(),))) else { return };
    if let Ok(invocation) = found.cast::<Invocation>()
        && Arc::ptr_eq(&invocation.get().prompt, prompt)
    {
        invocation.get().with_call(|call| call.record_input(rendered));
    }
}

/// Names an exception: by the provider's code where boto3 raised it, else by its class.
fn error_type(class: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> String {
    let code = value.and_then(|value| {
        let error = value.getattr("response").ok()?.get_item("Error").ok()?;
        error.get_item("Code").ok()?.extract::<String>().ok()
    });
    let name = code.or_else(|| class.getattr("__name__").ok()?.extract().ok()).unwrap_or_default();
    promptops::error_type(&name)
}
