//! Values on their way between Python, templates and JSON.

use promptops::{Mappings, Rendering, TemplateValue};
use pyo3::exceptions::{PyRecursionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple};
use serde_json::Value;

/// How deep values may be nested.
pub(crate) const MAX_DEPTH: usize = 64;

/// Converts the values of variables, each into its place in `rendering`.
pub(crate) fn set_values(rendering: &mut Rendering<'_>, values: &Bound<'_, PyDict>) -> PyResult<()> {
    let mut mappings = Mappings::default();
    for (name, value) in values {
        rendering.set(key_text(&name)?, template_value(&value, &mut mappings, MAX_DEPTH)?);
    }
    Ok(())
}

fn template_map<'py>(
    pairs: impl ExactSizeIterator<Item = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>,
    mappings: &mut Mappings,
    room: usize,
) -> PyResult<TemplateValue> {
    let mut converted = mappings.pairs(pairs.len());
    for pair in pairs {
        let (key, value) = pair?;
        converted.push(key_text(&key)?, template_value(&value, mappings, room)?);
    }
    Ok(mappings.mapping(converted))
}

fn template_list<'py>(
    items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    mappings: &mut Mappings,
    room: usize,
) -> PyResult<TemplateValue> {
    let mut converted = Vec::with_capacity(items.size_hint().0);
    for item in items {
        converted.push(template_value(&item?, mappings, room)?);
    }
    Ok(TemplateValue::from(converted))
}

pub(crate) fn key_text<'a>(key: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match key.cast::<PyString>() {
        Ok(key) => key.to_str(),
        Err(_) => Err(PyTypeError::new_err(format!("keys of a mapping must be str, not `{}`", type_name(key)))),
    }
}

fn template_value(value: &Bound<'_, PyAny>, mappings: &mut Mappings, room: usize) -> PyResult<TemplateValue> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(TemplateValue::from(text.to_str()?));
    }
    let Some(room) = room.checked_sub(1) else {
        return Err(PyRecursionError::new_err(format!("values may be nested at most {MAX_DEPTH} deep")));
    };
    if let Ok(dict) = value.cast::<PyDict>() {
        return template_map(dict.iter().map(Ok), mappings, room);
    }
    if let Ok(list) = value.cast::<PyList>() {
        return template_list(list.iter().map(Ok), mappings, room);
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return template_list(tuple.iter().map(Ok), mappings, room);
    }
    if value.is_none() {
        return Ok(TemplateValue::from(()));
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(TemplateValue::from(truth.is_true()));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(TemplateValue::from(number.value()));
    }
    // Also the integers of NumPy, which are no `int`.
    if value.is_instance_of::<PyInt>() || value.hasattr("__index__")? {
        return match value.extract::<i64>() {
            Ok(number) => Ok(TemplateValue::from(number)),
            Err(_) => Ok(TemplateValue::from(value.extract::<i128>()?)),
        };
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        return template_map(mapping.items()?.iter().map(|item| item.extract()), mappings, room);
    }
    if let Ok(sequence) = value.cast::<PySequence>() {
        return template_list(sequence.try_iter()?, mappings, room);
    }
    Err(PyTypeError::new_err(format!(
        "values must be str, int, float, bool, None, or lists and dicts of them, not `{}`",
        type_name(value)
    )))
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

/// Converts JSON to Python's own types.
pub(crate) fn from_json<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => number.into_pyobject(py)?.into_any(),
            (None, Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, None, number) => PyFloat::new(py, number.unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(from_json(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(members) => from_members(py, members)?.into_any(),
    })
}

/// Converts members to a new dict.
pub(crate) fn from_members<'py, 'a>(
    py: Python<'py>,
    members: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in members {
        dict.set_item(name, from_json(py, value)?)?;
    }
    Ok(dict)
}
