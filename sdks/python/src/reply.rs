//! Replies and events of the providers' clients on their way to JSON. What has no JSON is null: they are read for what they
//! are known to hold.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};
use serde_json::{Map, Value};

use crate::value::{MAX_DEPTH, key_text};

/// Converts a reply, or an event of one.
pub(crate) fn reply_json(reply: &Bound<'_, PyAny>) -> Value {
    let mut json = json_value(reply, MAX_DEPTH);
    // The clients of OpenAI and Anthropic keep the header's id beside the model, where a dump does not reach.
    if let (Value::Object(members), Ok(id)) = (&mut json, reply.getattr(pyo3::intern!(reply.py(), "_request_id")))
        && let Ok(id) = id.extract::<String>()
    {
        members.insert("_request_id".to_owned(), id.into());
    }
    json
}

/// Says whether an object is an answer that is still to come: an iterator, also an asynchronous one, or what is entered to
/// get one, as the clients' helpers give it.
pub(crate) fn is_stream(value: &Bound<'_, PyAny>) -> bool {
    let has = |name: &str| value.hasattr(name).unwrap_or(false);
    // A pydantic object can be iterated, over its fields.
    if value.is_instance_of::<PyType>() || has("model_dump") {
        return false;
    }
    ["__next__", "__anext__", "__aiter__", "__enter__", "__aenter__"].iter().any(|name| has(name))
        || (has("__iter__") && has("close"))
}

fn json_value(value: &Bound<'_, PyAny>, room: usize) -> Value {
    let Some(room) = room.checked_sub(1) else { return Value::Null };
    if let Ok(text) = value.cast::<PyString>() {
        return text.to_str().map_or(Value::Null, Value::from);
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return Value::Object(members(dict, room).collect());
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter().into_iter().flatten().flatten();
        return Value::Array(items.map(|item| json_value(&item, room)).collect());
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Value::Bool(truth.is_true());
    }
    if value.is_instance_of::<PyInt>() {
        return value.extract::<u64>().map(Value::from).or_else(|_| value.extract::<i64>().map(Value::from)).unwrap_or_default();
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Value::from(number.value());
    }
    if value.is_none() {
        return Value::Null;
    }
    fields(value, room).or_else(|| dumped(value).map(|dict| json_value(&dict, room))).unwrap_or_default()
}

fn members<'a, 'py>(dict: &'a Bound<'py, PyDict>, room: usize) -> impl Iterator<Item = (String, Value)> + use<'a, 'py> {
    dict.iter().filter_map(move |(key, value)| Some((key_text(&key).ok()?.to_owned(), json_value(&value, room))))
}

/// Reads the fields of a pydantic object where it keeps them. A dump takes many times as long, which counts where every
/// event of a stream is an object.
fn fields(value: &Bound<'_, PyAny>, room: usize) -> Option<Value> {
    let py = value.py();
    if !value.get_type().hasattr(pyo3::intern!(py, "__pydantic_fields_set__")).unwrap_or(false) {
        return None;
    }
    let dict = value.getattr(pyo3::intern!(py, "__dict__")).ok()?;
    let mut fields: Map<String, Value> = members(dict.cast::<PyDict>().ok()?, room).collect();
    if let Ok(extra) = value.getattr(pyo3::intern!(py, "__pydantic_extra__"))
        && let Ok(extra) = extra.cast::<PyDict>()
    {
        fields.extend(members(extra, room));
    }
    Some(Value::Object(fields))
}

/// Dumps an object that can be turned into a dict in pydantic's way, or by `to_dict`.
fn dumped<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // A class has these methods too, but nothing to dump.
    if value.is_instance_of::<PyType>() {
        return None;
    }
    let quietly = PyDict::new(value.py());
    quietly.set_item("warnings", false).ok()?;
    let dump = value.getattr("model_dump");
    let dict = match dump {
        Ok(dump) => dump.call((), Some(&quietly)).or_else(|_| dump.call0()),
        Err(_) => value.call_method0("to_dict"),
    };
    dict.ok().filter(|dict| dict.is_instance_of::<PyDict>())
}
