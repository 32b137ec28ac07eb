//! Attributes, each from what it is made of.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

pub(super) fn text(name: &str, value: &str) -> KeyValue {
    attribute(name, Value::StringValue(value.to_owned()))
}

/// A list with one text.
pub(super) fn list(name: &str, value: &str) -> KeyValue {
    let only = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    attribute(name, Value::ArrayValue(ArrayValue { values: vec![only] }))
}

pub(super) fn number(name: &str, value: f64) -> KeyValue {
    attribute(name, Value::DoubleValue(value))
}

pub(super) fn truth(name: &str, value: bool) -> KeyValue {
    attribute(name, Value::BoolValue(value))
}

/// A count; one that is beyond what OpenTelemetry holds is unknown.
pub(super) fn count(name: &str, value: u64) -> Option<KeyValue> {
    i64::try_from(value).ok().map(|value| attribute(name, Value::IntValue(value)))
}

fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
