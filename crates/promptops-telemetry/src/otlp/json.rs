//! Spans in JSON, as OTLP writes them: ids in hexadecimal, large numbers as text, and no member that must be there.
//!
//! Lists are kept as text until each item is read, so that a short text never becomes a large structure.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use super::draft::Draft;
use super::request::{Group, Head, Request, Resource, Spans};
use super::value::{Structured, Value};
use super::{MAX_SPANS, Malformed};

/// The JSON of a span.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonSpan<'a>(&'a RawValue);

/// Items that are read one by one.
#[derive(Debug, Default)]
struct Items<'a>(Vec<&'a RawValue>);

/// Text, without a copy where it has no escapes.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ExportV1<'a> {
    #[serde(borrow)]
    resource_spans: Items<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceSpansV1<'a> {
    #[serde(borrow)]
    resource: Option<ResourceV1<'a>>,
    #[serde(borrow)]
    scope_spans: Items<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResourceV1<'a> {
    #[serde(borrow)]
    attributes: Items<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeSpansV1<'a> {
    #[serde(borrow)]
    scope: Option<ScopeV1<'a>>,
    #[serde(borrow)]
    spans: Items<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeV1<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HeadV1<'a> {
    #[serde(borrow)]
    trace_id: Option<Text<'a>>,
    #[serde(borrow)]
    span_id: Option<Text<'a>>,
    #[serde(borrow)]
    parent_span_id: Option<Text<'a>>,
    start_time_unix_nano: Option<Number<u64>>,
    end_time_unix_nano: Option<Number<u64>>,
    #[serde(borrow)]
    status: Option<StatusV1<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusV1<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpanV1<'a> {
    #[serde(borrow)]
    attributes: Items<'a>,
    #[serde(borrow)]
    events: Items<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EventV1<'a> {
    time_unix_nano: Option<Number<u64>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    attributes: Items<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeyValueV1<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// An `AnyValue`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JsonValue<'a> {
    #[serde(borrow)]
    string_value: Option<Text<'a>>,
    bool_value: Option<bool>,
    int_value: Option<Number<i64>>,
    double_value: Option<Number<f64>>,
    #[serde(borrow)]
    array_value: Option<ListV1<'a>>,
    #[serde(borrow)]
    kvlist_value: Option<ListV1<'a>>,
    #[serde(borrow)]
    bytes_value: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListV1<'a> {
    #[serde(borrow)]
    values: Items<'a>,
}

/// A number, also as text, which is how large ones are written.
#[derive(Debug, Clone, Copy)]
struct Number<T>(T);

impl<'de, T: std::str::FromStr + Deserialize<'de>> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let number = match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(text) => text.parse().ok(),
            None => serde_json::from_str(raw).ok(),
        };
        number.map(Self).ok_or_else(|| D::Error::custom("a number is none, or too large"))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Collect<'a> {
            type Value = Items<'a>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Items::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == MAX_SPANS {
                        return Err(A::Error::custom(format_args!("a list has more than {MAX_SPANS} items")));
                    }
                    items.push(item);
                }
                Ok(Items(items))
            }
        }

        // Null is an empty list, as every member of protocol buffers may be absent.
        deserializer.deserialize_any(Collect(PhantomData))
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Result<T, Malformed> {
    parse_text(json.get())
}

fn parse_text<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Malformed> {
    // A list would be taken for the members of an object in their order.
    if json.trim_start().starts_with('[') {
        return Err(Malformed::new("there is a list where an object should be"));
    }
    serde_json::from_str(json).map_err(|error| Malformed::new(error.to_string()))
}

/// Finds the spans of an `ExportTraceServiceRequest`.
pub(super) fn request(body: &[u8]) -> Result<Request<'_, JsonSpan<'_>>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::new("the JSON is not UTF-8"))?;
    let export: ExportV1<'_> = parse_text(text)?;
    let mut request = Request::default();
    for resource_spans in export.resource_spans.0 {
        let resource_spans: ResourceSpansV1<'_> = parse(resource_spans)?;
        let mut draft = Draft::default();
        attributes(resource_spans.resource.unwrap_or_default().attributes, &mut draft)?;
        let resource = request.add_resource(Resource::of(&draft))?;
        for scope_spans in resource_spans.scope_spans.0 {
            let scope_spans: ScopeSpansV1<'_> = parse(scope_spans)?;
            let scope = scope_spans.scope.and_then(|scope| scope.name).map(|name| name.0);
            let group = request.add_group(Group { resource, scope })?;
            for span in scope_spans.spans.0 {
                request.add_span(group, JsonSpan(span))?;
            }
        }
    }
    Ok(request)
}

impl<'a> Spans<'a> for JsonSpan<'a> {
    fn head(self) -> Result<Head, Malformed> {
        let head: HeadV1<'_> = parse(self.0)?;
        let code = head.status.and_then(|status| status.code).map_or("", RawValue::get);
        Ok(Head {
            trace_id: id(head.trace_id),
            span_id: id(head.span_id),
            parent_span_id: id(head.parent_span_id),
            start_ns: head.start_time_unix_nano.map_or(0, |time| time.0),
            end_ns: head.end_time_unix_nano.map_or(0, |time| time.0),
            is_error: matches!(code, "2" | "\"STATUS_CODE_ERROR\""),
        })
    }

    fn read(self, draft: &mut Draft<'a>) -> Result<(), Malformed> {
        let span: SpanV1<'a> = parse(self.0)?;
        attributes(span.attributes, draft)?;
        for event in span.events.0 {
            let event: EventV1<'a> = parse(event)?;
            let name = event.name.unwrap_or_default();
            if !draft.begin_event(&name.0, event.time_unix_nano.map_or(0, |time| time.0)) {
                continue;
            }
            for attribute in event.attributes.0 {
                let KeyValueV1 { key, value } = parse(attribute)?;
                if let (Some(key), Some(value)) = (key, value.map(value_of).transpose()?.flatten()) {
                    draft.event_attribute(&key.0, value);
                }
            }
            draft.end_event();
        }
        Ok(())
    }
}

fn attributes<'a>(attributes: Items<'a>, draft: &mut Draft<'a>) -> Result<(), Malformed> {
    for attribute in attributes.0 {
        let KeyValueV1 { key, value } = parse(attribute)?;
        let (Some(key), Some(value)) = (key, value) else { continue };
        // Most attributes say nothing here, and their values are not looked at.
        let Some(says) = draft.wants(&key.0) else { continue };
        if let Some(value) = value_of(value)? {
            draft.attribute(says, value);
        }
    }
    Ok(())
}

/// Reads an id in hexadecimal; zeros for one that is none.
fn id<const BYTES: usize>(text: Option<Text<'_>>) -> [u8; BYTES] {
    let digits = text.unwrap_or_default().0;
    let mut id = [0; BYTES];
    if digits.len() != 2 * BYTES || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return id;
    }
    for (place, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).unwrap_or_default();
    }
    id
}

/// Reads an `AnyValue`; nothing for one without a value.
fn value_of(json: &RawValue) -> Result<Option<Value<'_>>, Malformed> {
    if json.get() == "null" {
        return Ok(None);
    }
    let value: JsonValue<'_> = parse(json)?;
    Ok(if let Some(text) = value.string_value {
        Some(Value::Text(text.0))
    } else if let Some(truth) = value.bool_value {
        Some(Value::Truth(truth))
    } else if let Some(whole) = value.int_value {
        Some(Value::Whole(whole.0))
    } else if let Some(number) = value.double_value {
        Some(Value::Number(number.0))
    } else {
        let is_structured = value.array_value.is_some() || value.kvlist_value.is_some() || value.bytes_value.is_some();
        is_structured.then(|| Value::Structured(Structured::Json(json.get())))
    })
}

impl JsonValue<'_> {
    /// Returns it as JSON; nothing for bytes, and for what has something in it that is no value or nested too deep.
    pub(super) fn to_json(&self, depth: usize) -> Option<Json> {
        let deeper = depth.checked_sub(1)?;
        if let Some(text) = &self.string_value {
            return Some(text.0.as_ref().into());
        }
        if let Some(truth) = self.bool_value {
            return Some(truth.into());
        }
        if let Some(whole) = self.int_value {
            return Some(whole.0.into());
        }
        if let Some(number) = self.double_value {
            return Some(number.0.into());
        }
        let item = |json: &RawValue| {
            let value: Option<JsonValue<'_>> = parse(json).ok()?;
            value.map_or(Some(Json::Null), |value| value.to_json(deeper))
        };
        if let Some(list) = &self.array_value {
            return list.values.0.iter().map(|json| item(json)).collect::<Option<Vec<Json>>>().map(Json::from);
        }
        let Some(list) = &self.kvlist_value else {
            return self.bytes_value.is_none().then_some(Json::Null);
        };
        let mut map = Map::new();
        for member in &list.values.0 {
            let KeyValueV1 { key, value } = parse(member).ok()?;
            map.insert(key?.0.into_owned(), value.map_or(Some(Json::Null), item)?);
        }
        Some(map.into())
    }
}
