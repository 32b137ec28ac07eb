//! `Invocation`. Its methods that begin with `_` are for `python/promptops/_wrap.py` and `_streams.py`.

use std::sync::{Arc, Mutex, PoisonError};

use promptops::{Call, Rendered, SharedCall};
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::current;
use crate::prompt::Prompt;
use crate::reply::{is_stream, reply_json};

#[pyclass(frozen, module = "promptops")]
pub(crate) struct Invocation {
    call: SharedCall,
    /// What the open `with` was entered by.
    token: Mutex<Option<Py<PyAny>>>,
}

impl Invocation {
    pub(crate) fn new(call: Call) -> Self {
        Self::of(SharedCall::new(call))
    }

    fn of(call: SharedCall) -> Self {
        Self { call, token: Mutex::new(None) }
    }

    pub(crate) fn call(&self) -> &SharedCall {
        &self.call
    }

    /// Records what was rendered, if it is of the prompt that is called.
    pub(crate) fn record_input(&self, prompt: &Arc<promptops::Prompt>, rendered: &Rendered) {
        if Arc::ptr_eq(self.call.prompt(), prompt) {
            self.call.with_call(|call| call.record_input(rendered));
        }
    }

    fn take_token(&self) -> Option<Py<PyAny>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn leave(&self, py: Python<'_>, error: Option<&Bound<'_, PyAny>>) {
        if let Some(token) = self.take_token() {
            current::leave(py, token);
        }
        let error_type = error.map(error_type);
        py.detach(|| self.call.leave(error_type.as_deref()));
    }
}

#[pymethods]
impl Invocation {
    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let token = current::enter(&slf)?;
        *slf.get().token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(slf)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> bool {
        self.leave(py, exc_value.or(exc_type));
        false
    }

    fn __aenter__(slf: Bound<'_, Self>) -> PyResult<Ready> {
        Ok(Ready(Self::__enter__(slf)?.into_any().unbind()))
    }

    fn __aexit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> Ready {
        self.leave(py, exc_value.or(exc_type));
        Ready(PyBool::new(py, false).to_owned().into_any().unbind())
    }

    #[pyo3(signature = (reply, *, label=None, valid=None, cost_usd=None))]
    fn record<'py>(
        slf: Bound<'py, Self>,
        reply: Bound<'py, PyAny>,
        label: Option<String>,
        valid: Option<bool>,
        cost_usd: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let call = &slf.get().call;
        call.with_call(|call| {
            let known = call.invocation_mut();
            known.label = label.or(known.label.take());
            known.valid = valid.or(known.valid);
            known.cost_usd = cost_usd.or(known.cost_usd);
        });
        let is_known = |known: bool| Ok(PyBool::new(py, known).to_owned().into_any());
        if let Ok(text) = reply.cast::<PyString>() {
            if !call.is_watched() {
                let text = text.to_string_lossy();
                call.with_call(|call| call.record_text(&text));
            }
            return is_known(true);
        }
        let streams = match reply.cast::<PyDict>() {
            // That of Bedrock, which holds the stream beside facts about it.
            Ok(dict) => dict.get_item("stream")?.is_some_and(|stream| is_stream(&stream)),
            Err(_) => is_stream(&reply),
        };
        if streams {
            return py.import("promptops._streams")?.call_method1("recorded", (&slf, reply));
        }
        // The wrapped client has recorded it.
        is_known(call.is_watched() || slf.get()._answer(&reply))
    }

    fn error(&self, error_type: &str) {
        self.call.with_call(|call| call.record_error(error_type));
    }

    fn first_token(&self) {
        self.call.with_call(Call::record_first_token);
    }

    fn score(&self, name: String, value: f64) {
        self.call.with_call(|call| _ = call.invocation_mut().scores.insert(name, value));
    }

    #[getter]
    fn id(&self) -> &str {
        self.call.id()
    }

    #[getter]
    fn prompt(&self) -> Prompt {
        Prompt::new(Arc::clone(self.call.prompt()))
    }

    #[getter]
    fn request_id(&self) -> Option<String> {
        self.call.request_id()
    }

    #[getter]
    fn label(&self) -> Option<String> {
        self.call.read(|known| known.label.clone())?
    }

    #[getter]
    fn valid(&self) -> Option<bool> {
        self.call.read(|known| known.valid)?
    }

    /// Says whether a request is under way or over.
    fn _is_asked(&self) -> bool {
        self.call.is_asked()
    }

    /// Says that the model is asked. Returns the invocation that the request is: this one, or a further one within it.
    fn _begin_request<'py>(slf: Bound<'py, Self>, model: Option<&str>) -> PyResult<Bound<'py, Self>> {
        match slf.get().call.begin_request(model) {
            None => Ok(slf),
            Some(further) => Bound::new(slf.py(), Self::of(further)),
        }
    }

    /// Records a whole reply, and says whether it was known.
    fn _answer(&self, reply: &Bound<'_, PyAny>) -> bool {
        let json = reply_json(reply);
        reply.py().detach(|| self.call.record_reply(&json))
    }

    /// Records that a reply came which the caller reads by other means.
    fn _answer_unseen(&self, py: Python<'_>) {
        py.detach(|| self.call.record_unseen());
    }

    fn _fail(&self, error: &Bound<'_, PyAny>) {
        let error_type = error_type(error);
        error.py().detach(|| self.call.record_error(&error_type));
    }

    /// Says that the answer comes in events. False when another answer is recorded already.
    fn _begin_stream(&self, head: &Bound<'_, PyAny>) {
        self.call.begin_stream(&reply_json(head));
    }

    fn _event(&self, event: &Bound<'_, PyAny>) {
        self.call.record_event(&reply_json(event));
    }

    #[pyo3(signature = (error=None))]
    fn _end_stream(&self, py: Python<'_>, error: Option<&Bound<'_, PyAny>>) {
        let error_type = error.map(error_type);
        py.detach(|| self.call.end_stream(error_type.as_deref()));
    }

    /// Counts that something went wrong while recording.
    fn _swallow(&self) {
        self.call.count_failure();
    }
}

/// An awaitable that is done.
#[pyclass(frozen)]
struct Ready(Py<PyAny>);

#[pymethods]
impl Ready {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyStopIteration::new_err(self.0.clone_ref(py)))
    }
}

/// Names an exception, or its class: by the provider's code where boto3 raised it, else by its class.
fn error_type(error: &Bound<'_, PyAny>) -> String {
    let code = || {
        let error = error.getattr("response").ok()?.get_item("Error").ok()?;
        error.get_item("Code").ok()?.extract::<String>().ok()
    };
    let class = error.cast::<pyo3::types::PyType>().cloned().unwrap_or_else(|_| error.get_type());
    let name = code().or_else(|| class.getattr("__name__").ok()?.extract().ok()).unwrap_or_default();
    promptops::error_type(&name)
}
