//! `Prompt`.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use promptops::{Message, Rendered};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString};

use crate::current::{current_invocation, record_input};
use crate::error;
use crate::invocation::Invocation;
use crate::trace::tag_active_span;
use crate::value::{from_json, from_members, set_values};
use crate::view::Prepared;

#[pyclass(frozen, module = "promptops")]
pub(crate) struct Prompt {
    pub(crate) prompt: Arc<promptops::Prompt>,
    prepared: PyOnceLock<Prepared>,
}

impl Prompt {
    pub(crate) fn new(prompt: Arc<promptops::Prompt>) -> Self {
        Self { prompt, prepared: PyOnceLock::new() }
    }

    fn rendered(&self, py: Python<'_>, values: Option<&Bound<'_, PyDict>>) -> PyResult<Rendered> {
        let prepared = self.prepared.get_or_try_init(py, || Prepared::new(py, &self.prompt))?;
        let rendered = match values.and_then(|values| prepared.render(&self.prompt, values)) {
            Some(rendered) => rendered,
            None => self.converted(py, values)?,
        };
        record_input(py, &self.prompt, &rendered);
        Ok(rendered)
    }

    /// Renders with the values converted to those of templates.
    fn converted(&self, py: Python<'_>, values: Option<&Bound<'_, PyDict>>) -> PyResult<Rendered> {
        let mut rendering = self.prompt.rendering();
        if let Some(values) = values {
            set_values(&mut rendering, values)?;
        }
        self.prompt.finish(rendering).map_err(|error| error::to_python(py, &error))
    }

    fn identity(&self) -> (&str, u32, promptops::Digest) {
        (self.prompt.id(), self.prompt.version(), self.prompt.digest())
    }
}

#[pymethods]
impl Prompt {
    #[getter]
    fn id(&self) -> &str {
        self.prompt.id()
    }

    #[getter]
    fn version(&self) -> u32 {
        self.prompt.version()
    }

    #[getter]
    fn parent(&self) -> Option<String> {
        self.prompt.parent().map(ToString::to_string)
    }

    #[getter]
    fn owner(&self) -> &str {
        self.prompt.owner()
    }

    #[getter]
    fn purpose(&self) -> Option<&str> {
        self.prompt.purpose()
    }

    #[getter]
    fn model(&self) -> &str {
        self.prompt.model()
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        from_members(py, self.prompt.parameters())
    }

    #[getter]
    fn tags(&self) -> Vec<&str> {
        self.prompt.tags().iter().map(String::as_str).collect()
    }

    #[getter]
    fn template(&self) -> Option<&str> {
        self.prompt.template()
    }

    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        from_members(py, self.prompt.inputs())
    }

    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.prompt.output().map(|schema| from_json(py, schema)).transpose()
    }

    #[getter]
    fn tools<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.prompt.tools().map(|tools| from_json(py, tools)).transpose()
    }

    #[getter]
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        from_members(py, &self.prompt.metadata().metrics)
    }

    #[getter]
    fn arm(&self) -> Option<&'static str> {
        self.prompt.arm().map(promptops::Arm::name)
    }

    #[getter]
    fn digest(&self) -> String {
        self.prompt.digest().to_string()
    }

    #[pyo3(signature = (**values))]
    fn render(&self, py: Python<'_>, values: Option<&Bound<'_, PyDict>>) -> PyResult<String> {
        let rendered = self.rendered(py, values)?;
        self.prompt.single(rendered).map_err(|error| error::to_python(py, &error))
    }

    #[pyo3(signature = (**values))]
    fn messages<'py>(&self, py: Python<'py>, values: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyList>> {
        let messages: PyResult<Vec<_>> = self.rendered(py, values)?.messages.iter().map(|message| to_dict(py, message)).collect();
        PyList::new(py, messages?)
    }

    #[pyo3(signature = (*, session=None, agent=None, stratum=None, parent=None, trace_id=None, span_id=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments")]
    fn invocation(
        &self,
        py: Python<'_>,
        session: Option<String>,
        agent: Option<String>,
        stratum: Option<String>,
        parent: Option<&str>,
        trace_id: Option<String>,
        span_id: Option<String>,
    ) -> Invocation {
        let outer = current_invocation(py);
        let within = |outer: Bound<'_, Invocation>| outer.get().call().read(|outer| self.prompt.invocation_within(outer));
        let mut call = outer.and_then(within).unwrap_or_else(|| self.prompt.invocation());
        let span = tag_active_span(py, &self.prompt);
        let known = call.invocation_mut();
        known.session = session.or(known.session.take());
        known.agent = agent.or(known.agent.take());
        known.stratum = stratum;
        // Recording never raises; what is no id is no parent.
        known.parent_invocation = parent.and_then(|parent| parent.parse().ok()).or(known.parent_invocation);
        if let Some((trace, span)) = span {
            (known.trace_id, known.span_id) = (Some(trace), Some(span));
        }
        known.trace_id = trace_id.or(known.trace_id.take());
        known.span_id = span_id.or(known.span_id.take());
        Invocation::new(call)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.identity() == other.get().identity())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.identity().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<Prompt {}@{} {}>", self.prompt.id(), self.prompt.version(), self.prompt.digest())
    }
}

fn to_dict<'py>(py: Python<'py>, message: &Message) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(pyo3::intern!(py, "role"), PyString::intern(py, message.role.name()))?;
    dict.set_item(pyo3::intern!(py, "content"), &message.content)?;
    Ok(dict)
}
