//! The active span of OpenTelemetry, where the application uses it.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Says on the active span which prompt is called. Returns its trace and span, if there is one.
///
/// An application that has not imported OpenTelemetry has no active span, so nothing is imported for it.
pub(crate) fn tag_active_span(py: Python<'_>, prompt: &promptops::Prompt) -> Option<(String, String)> {
    let modules = py.import("sys").ok()?.getattr("modules").ok()?.cast_into::<PyDict>().ok()?;
    modules.get_item("opentelemetry.trace").ok()??;
    let tag = py.import("promptops._trace").and_then(|module| module.getattr("tag")).ok()?;
    let tagged = tag.call1((prompt.id(), prompt.version(), prompt.digest().to_string())).ok()?;
    tagged.extract().ok()?
}
