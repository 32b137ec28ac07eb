//! Spans in protocol buffers. The numbers are those of `opentelemetry/proto/trace/v1/trace.proto` and `common.proto`.

use serde_json::{Map, Value as Json};

use super::Malformed;
use super::draft::Draft;
use super::request::{Group, Head, Request, Resource, Spans};
use super::value::{Structured, Value};
use super::wire::{Field, Fields};

/// The bytes of a `Span`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProtobufSpan<'a>(&'a [u8]);

/// Finds the spans of an `ExportTraceServiceRequest`.
pub(super) fn request(body: &[u8]) -> Result<Request<'_, ProtobufSpan<'_>>, Malformed> {
    let mut request = Request::default();
    for resource_spans in messages(body, 1) {
        resource_spans_of(resource_spans?, &mut request)?;
    }
    Ok(request)
}

fn resource_spans_of<'a>(message: &'a [u8], request: &mut Request<'a, ProtobufSpan<'a>>) -> Result<(), Malformed> {
    // The resource may stand after its spans.
    let mut resource = Draft::default();
    for part in messages(message, 1) {
        for attribute in messages(part?, 1) {
            attribute_of(attribute?, &mut resource)?;
        }
    }
    let resource = request.add_resource(Resource::of(&resource))?;
    for scope_spans in messages(message, 2) {
        let scope_spans = scope_spans?;
        let mut scope = None;
        for part in messages(scope_spans, 1) {
            for field in Fields::of(part?) {
                if let (1, name) = field? {
                    scope = Some(name.text()?.into());
                }
            }
        }
        let group = request.add_group(Group { resource, scope })?;
        for span in messages(scope_spans, 2) {
            request.add_span(group, ProtobufSpan(span?))?;
        }
    }
    Ok(())
}

/// The messages of one field.
fn messages(message: &[u8], number: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::of(message).filter_map(move |field| match field {
        Ok((found, field)) if found == number => Some(field.bytes()),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

impl<'a> Spans<'a> for ProtobufSpan<'a> {
    fn head(self) -> Result<Head, Malformed> {
        let mut head = Head::default();
        for field in Fields::of(self.0) {
            match field? {
                (1, id) => head.trace_id = id.bytes()?.try_into().unwrap_or_default(),
                (2, id) => head.span_id = id.bytes()?.try_into().unwrap_or_default(),
                (4, id) => head.parent_span_id = id.bytes()?.try_into().unwrap_or_default(),
                (7, time) => head.start_ns = time.fixed64()?,
                (8, time) => head.end_ns = time.fixed64()?,
                (15, status) => {
                    for field in Fields::of(status.bytes()?) {
                        if let (3, code) = field? {
                            head.is_error = code.varint()? == 2;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(head)
    }

    fn read(self, draft: &mut Draft<'a>) -> Result<(), Malformed> {
        for field in Fields::of(self.0) {
            match field? {
                (9, attribute) => attribute_of(attribute.bytes()?, draft)?,
                (11, event) => event_of(event.bytes()?, draft)?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn event_of<'a>(message: &'a [u8], draft: &mut Draft<'a>) -> Result<(), Malformed> {
    let (mut time_ns, mut name) = (0, "");
    for field in Fields::of(message) {
        match field? {
            (1, time) => time_ns = time.fixed64()?,
            (2, text) => name = text.text()?,
            _ => {}
        }
    }
    if !draft.begin_event(name, time_ns) {
        return Ok(());
    }
    for attribute in messages(message, 3) {
        let (key, value) = key_value(attribute?)?;
        if let Some(value) = value.map(value_of).transpose()?.flatten() {
            draft.event_attribute(key, value);
        }
    }
    draft.end_event();
    Ok(())
}

fn attribute_of<'a>(message: &'a [u8], draft: &mut Draft<'a>) -> Result<(), Malformed> {
    let (key, value) = key_value(message)?;
    // Most attributes say nothing here, and their values are not looked at.
    let (Some(says), Some(value)) = (draft.wants(key), value) else { return Ok(()) };
    if let Some(value) = value_of(value)? {
        draft.attribute(says, value);
    }
    Ok(())
}

fn key_value(message: &[u8]) -> Result<(&str, Option<&[u8]>), Malformed> {
    let (mut key, mut value) = ("", None);
    for field in Fields::of(message) {
        match field? {
            (1, text) => key = text.text()?,
            (2, any) => value = Some(any.bytes()?),
            _ => {}
        }
    }
    Ok((key, value))
}

/// Reads an `AnyValue`; nothing for one without a value.
fn value_of(message: &[u8]) -> Result<Option<Value<'_>>, Malformed> {
    // Of a union, the last field that stands there counts.
    let Some(field) = Fields::of(message).last() else { return Ok(None) };
    Ok(Some(match field? {
        (1, text) => Value::Text(text.text()?.into()),
        (2, truth) => Value::Truth(truth.varint()? != 0),
        (3, whole) => Value::Whole(signed(whole)?),
        (4, number) => Value::Number(f64::from_bits(number.fixed64()?)),
        (5..=7, structured) => {
            structured.bytes()?;
            Value::Structured(Structured::Protobuf(message))
        }
        _ => return Ok(None),
    }))
}

fn signed(field: Field<'_>) -> Result<i64, Malformed> {
    Ok(i64::from_le_bytes(field.varint()?.to_le_bytes()))
}

/// Reads an `AnyValue` as JSON: nothing for bytes, and an error for what is nested deeper than `depth`.
pub(super) fn to_json(message: &[u8], depth: usize) -> Result<Option<Json>, Malformed> {
    let Some(field) = Fields::of(message).last() else { return Ok(None) };
    if depth == 0 {
        return Err(Malformed::new("a value is nested too deep"));
    }
    Ok(Some(match field? {
        (1, text) => text.text()?.into(),
        (2, truth) => (truth.varint()? != 0).into(),
        (3, whole) => signed(whole)?.into(),
        (4, number) => f64::from_bits(number.fixed64()?).into(),
        (5, list) => {
            let mut items = Vec::new();
            for item in messages(list.bytes()?, 1) {
                items.push(to_json(item?, depth - 1)?.unwrap_or(Json::Null));
            }
            items.into()
        }
        (6, object) => {
            let mut map = Map::new();
            for member in messages(object.bytes()?, 1) {
                let (key, value) = key_value(member?)?;
                let value = value.map(|value| to_json(value, depth - 1)).transpose()?.flatten();
                map.insert(key.to_owned(), value.unwrap_or(Json::Null));
            }
            map.into()
        }
        _ => return Ok(None),
    }))
}
