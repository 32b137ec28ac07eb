//! Python's values as templates see them, where they are.

use promptops::{Rendered, Seen, View};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::value::{MAX_DEPTH, from_json};

/// What rendering in place needs of a prompt, as Python's objects.
pub(crate) struct Prepared {
    /// The variables in order, each with its default.
    inputs: Vec<(Py<PyString>, Option<Py<PyAny>>)>,
    fields: Vec<Py<PyString>>,
}

impl Prepared {
    pub(crate) fn new(py: Python<'_>, prompt: &promptops::Prompt) -> PyResult<Self> {
        // Interned as the names of keyword arguments are, so that they are found without comparing texts.
        let name = |name: &str| PyString::intern(py, name).unbind();
        let default = |input: &str| prompt.inputs().get(input).and_then(|schema| schema.get("default"));
        let input = |input: &str| {
            let default = default(input).map(|value| from_json(py, value)).transpose()?;
            Ok((name(input), default.map(Bound::unbind)))
        };
        Ok(Self {
            inputs: prompt.input_names().map(input).collect::<PyResult<_>>()?,
            fields: prompt.field_names().iter().map(|field| name(field)).collect(),
        })
    }

    /// Renders without converting anything; none when the values have to be converted, or may be wrong.
    pub(crate) fn render<'py>(&self, prompt: &promptops::Prompt, given: &Bound<'py, PyDict>) -> Option<Rendered> {
        let py = given.py();
        let mut count = 0;
        let mut values = Vec::with_capacity(self.inputs.len());
        for (name, default) in &self.inputs {
            let value = given.get_item(name.bind(py)).ok()?;
            if let Some(value) = &value {
                count += 1;
                if !is_plain(value, MAX_DEPTH) {
                    return None;
                }
            }
            values.push(InPlace(value.or_else(|| default.as_ref().map(|default| default.bind(py).clone()))?));
        }
        if count < given.len() { None } else { prompt.render_in_place(&values, &self.fields) }
    }
}

/// Says that converting a value would surely succeed, which a template that does not look at all of it should not hide.
fn is_plain(value: &Bound<'_, PyAny>, room: usize) -> bool {
    if let Ok(text) = value.cast::<PyString>() {
        return text.to_str().is_ok();
    }
    let Some(room) = room.checked_sub(1) else { return false };
    if let Ok(dict) = value.cast::<PyDict>() {
        let is_text = |key: &Bound<'_, PyAny>| key.cast::<PyString>().is_ok_and(|key| key.to_str().is_ok());
        return dict.iter().all(|(key, value)| is_text(&key) && is_plain(&value, room));
    }
    if let Ok(list) = value.cast::<PyList>() {
        return list.iter().all(|item| is_plain(&item, room));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return tuple.iter().all(|item| is_plain(&item, room));
    }
    value.is_none()
        || value.is_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.extract::<i64>().is_ok()
}

struct InPlace<'py>(Bound<'py, PyAny>);

impl View for InPlace<'_> {
    type Name = Py<PyString>;

    fn look(&self) -> Seen<'_> {
        let value = &self.0;
        if let Ok(text) = value.cast::<PyString>() {
            return text.to_str().map_or(Seen::Other, Seen::Text);
        }
        if let Ok(list) = value.cast::<PyList>() {
            return Seen::List(list.len());
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            return Seen::Mapping(dict.len());
        }
        if value.is_none() {
            return Seen::Nothing;
        }
        if let Ok(truth) = value.cast::<PyBool>() {
            return Seen::Truth(truth.is_true());
        }
        if value.is_instance_of::<PyInt>() {
            return value.extract().map_or(Seen::Other, Seen::Integer);
        }
        if let Ok(number) = value.cast::<PyFloat>() {
            return Seen::Float(number.value());
        }
        if let Ok(tuple) = value.cast::<PyTuple>() {
            return Seen::List(tuple.len());
        }
        Seen::Other
    }

    fn field(&self, name: &Py<PyString>) -> Option<Self> {
        let dict = self.0.cast::<PyDict>().ok()?;
        dict.get_item(name.bind(dict.py())).ok()?.map(InPlace)
    }

    fn item(&self, index: usize) -> Option<Self> {
        if let Ok(list) = self.0.cast::<PyList>() {
            return list.get_item(index).ok().map(InPlace);
        }
        self.0.cast::<PyTuple>().ok()?.get_item(index).ok().map(InPlace)
    }
}
