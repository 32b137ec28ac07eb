//! Values on their way from JavaScript to templates and JSON.

use napi::bindgen_prelude::{Array, BigInt, FromNapiValue as _, JsObjectValue as _, Object, Unknown, Utf16String};
use napi::{Error, JsValue as _, KeyCollectionMode, KeyConversion, KeyFilter, Result, ValueType};
use promptops::{Mappings, Rendering, TemplateValue};
use serde_json::{Map, Value};

use crate::error::Failure;

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// The largest number up to which every integer is one of JavaScript's numbers: `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Why a value is not taken.
pub(crate) enum Refusal {
    /// It is of no kind that a template has.
    Value {
        /// The steps to it, the innermost first.
        path: Vec<String>,
        reason: String,
    },
    /// Reading it ran JavaScript, a getter or a proxy, that threw.
    Thrown(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Thrown(error)
    }
}

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self::Value { path: Vec::new(), reason: reason.into() }
    }

    /// Adds the step that led to the value.
    fn at(mut self, step: impl FnOnce() -> String) -> Self {
        if let Self::Value { path, .. } = &mut self {
            path.push(step());
        }
        self
    }

    /// Turns it into what JavaScript gets.
    ///
    /// # Errors
    /// What was thrown, to be thrown again.
    pub(crate) fn into_failure(self) -> Result<Failure> {
        match self {
            Self::Value { path, reason } => {
                let path: String = path.into_iter().rev().collect();
                let path = path.strip_prefix('.').unwrap_or(&path);
                let message = if path.is_empty() { reason } else { format!("{reason}: `{path}`") };
                Ok(Failure { code: "value".to_owned(), message, hint: None })
            }
            Self::Thrown(error) => Err(error),
        }
    }
}

/// Converts the values of variables, each into its place in `rendering`. What is undefined is not given.
pub(crate) fn set_values(rendering: &mut Rendering<'_>, values: Unknown<'_>) -> std::result::Result<(), Refusal> {
    let mut mappings = Mappings::default();
    let values = match values.get_type()? {
        ValueType::Object if !values.is_array()? => Object::from_unknown(values)?,
        _ => return Err(Refusal::new("values must be an object with a member for each variable")),
    };
    expect_plain(values)?;
    let members = Members::of(values)?;
    for index in 0..members.count {
        let Some((name, value)) = members.get(index)? else { continue };
        let name = text(name)?;
        if let Some(value) =
            template_value(value, &mut mappings, MAX_DEPTH).map_err(|refusal| refusal.at(|| format!(".{name}")))?
        {
            rendering.set(&name, value);
        }
    }
    Ok(())
}

/// The members that `Object.entries` has.
struct Members<'env> {
    object: Object<'env>,
    names: Object<'env>,
    count: u32,
}

impl<'env> Members<'env> {
    fn of(object: Object<'env>) -> Result<Self> {
        let (own, converted) = (KeyCollectionMode::OwnOnly, KeyConversion::NumbersToStrings);
        let names = object.get_all_property_names(own, KeyFilter::Enumerable, converted)?;
        Ok(Self { object, names, count: names.get_array_length_unchecked()? })
    }

    /// Returns the key and the value of a member; nothing where the key is a symbol.
    fn get(&self, index: u32) -> Result<Option<(Unknown<'env>, Unknown<'env>)>> {
        let key: Unknown<'_> = self.names.get_element(index)?;
        if key.get_type()? == ValueType::Symbol {
            return Ok(None);
        }
        Ok(Some((key, self.object.get_property_unchecked(key)?)))
    }
}

/// Reads a text; half of a surrogate pair is no text in UTF-8 and is refused, not replaced.
fn text(value: Unknown<'_>) -> std::result::Result<String, Refusal> {
    let text = String::from_unknown(value)?;
    if text.contains(char::REPLACEMENT_CHARACTER) {
        let units = Utf16String::from_unknown(value)?;
        return String::from_utf16(&units).map_err(|_| Refusal::new("a text has half of a surrogate pair"));
    }
    Ok(text)
}

/// Converts a value; nothing for undefined.
fn template_value(
    value: Unknown<'_>,
    mappings: &mut Mappings,
    room: usize,
) -> std::result::Result<Option<TemplateValue>, Refusal> {
    Ok(Some(match value.get_type()? {
        ValueType::Undefined => return Ok(None),
        ValueType::Null => TemplateValue::from(()),
        ValueType::Boolean => TemplateValue::from(bool::from_unknown(value)?),
        ValueType::Number => number(f64::from_unknown(value)?)?,
        ValueType::String => TemplateValue::from(text(value)?),
        ValueType::BigInt => big_integer(&BigInt::from_unknown(value)?)?,
        ValueType::Object => {
            let Some(room) = room.checked_sub(1) else {
                return Err(Refusal::new(format!("values may be nested at most {MAX_DEPTH} deep")));
            };
            if value.is_array()? { list(value, mappings, room)? } else { mapping(value, mappings, room)? }
        }
        ValueType::Function => return Err(refused("a function")),
        ValueType::Symbol => return Err(refused("a symbol")),
        _ => return Err(refused("an object of a native module")),
    }))
}

fn refused(kind: &str) -> Refusal {
    Refusal::new(format!(
        "values must be strings, numbers, bigints, booleans, null, or arrays and plain objects of them, not {kind}"
    ))
}

/// Converts a number: a whole one is an integer, as JavaScript prints it.
fn number(number: f64) -> std::result::Result<TemplateValue, Refusal> {
    if !number.is_finite() {
        return Err(refused(&number.to_string().replace("inf", "Infinity")));
    }
    if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER {
        return Ok(TemplateValue::from(number as i64));
    }
    Ok(TemplateValue::from(number))
}

fn big_integer(number: &BigInt) -> std::result::Result<TemplateValue, Refusal> {
    match (number.get_i64(), number.get_i128()) {
        ((number, true), _) => Ok(TemplateValue::from(number)),
        (_, (number, true)) => Ok(TemplateValue::from(number)),
        _ => Err(Refusal::new("an integer has more than 128 bits")),
    }
}

fn list(value: Unknown<'_>, mappings: &mut Mappings, room: usize) -> std::result::Result<TemplateValue, Refusal> {
    let items = Array::from_unknown(value)?;
    let mut converted = Vec::with_capacity(items.len() as usize);
    for index in 0..items.len() {
        let item = items.get::<Unknown<'_>>(index)?.map(|item| template_value(item, mappings, room));
        match item.transpose().map_err(|refusal| refusal.at(|| format!("[{index}]")))?.flatten() {
            Some(item) => converted.push(item),
            None => return Err(refused("undefined").at(|| format!("[{index}]"))),
        }
    }
    Ok(TemplateValue::from(converted))
}

fn mapping(value: Unknown<'_>, mappings: &mut Mappings, room: usize) -> std::result::Result<TemplateValue, Refusal> {
    let object = Object::from_unknown(value)?;
    expect_plain(object)?;
    let members = Members::of(object)?;
    let mut converted = mappings.pairs(members.count as usize);
    for index in 0..members.count {
        let Some((name, value)) = members.get(index)? else { continue };
        let name = text(name)?;
        if let Some(value) = template_value(value, mappings, room).map_err(|refusal| refusal.at(|| format!(".{name}")))? {
            converted.push(&name, value);
        }
    }
    Ok(mappings.mapping(converted))
}

/// Refuses what is not made by braces or `Object.create(null)`: members of a `Map`, a `Date` or a promise that was not
/// awaited are not what they hold.
fn expect_plain(object: Object<'_>) -> std::result::Result<(), Refusal> {
    let prototype: Unknown<'_> = object.get_prototype()?;
    if prototype.get_type()? == ValueType::Null {
        return Ok(());
    }
    // Of `Object.prototype`, also that of another realm, the prototype is null.
    let above: Unknown<'_> = Object::from_unknown(prototype)?.get_prototype()?;
    if above.get_type()? == ValueType::Null {
        return Ok(());
    }
    Err(refused(&format!("an object of class {}", class_name(object).unwrap_or_else(|| "Object".to_owned()))))
}

fn class_name(object: Object<'_>) -> Option<String> {
    let class: Unknown<'_> = object.get_named_property_unchecked("constructor").ok()?;
    if class.get_type().ok()? != ValueType::Function {
        return None;
    }
    let name: Unknown<'_> = Object::from_unknown(class).ok()?.get_named_property_unchecked("name").ok()?;
    if name.get_type().ok()? != ValueType::String {
        return None;
    }
    String::from_unknown(name).ok().filter(|name| !name.is_empty())
}

/// Converts a reply of a provider's client. What has no JSON is null: replies are read for what they are known to hold.
///
/// # Errors
/// What a getter of the reply threw.
pub(crate) fn reply_json(reply: Unknown<'_>) -> Result<Value> {
    let mut json = json_value(reply, MAX_DEPTH)?;
    // The clients of OpenAI and Anthropic keep the header's id in a member that is not enumerable.
    if let Value::Object(members) = &mut json {
        let id: Unknown<'_> = Object::from_unknown(reply)?.get_named_property_unchecked("_request_id")?;
        if id.get_type()? == ValueType::String {
            members.insert("_request_id".to_owned(), String::from_unknown(id)?.into());
        }
    }
    Ok(json)
}

fn json_value(value: Unknown<'_>, room: usize) -> Result<Value> {
    let Some(room) = room.checked_sub(1) else { return Ok(Value::Null) };
    Ok(match value.get_type()? {
        ValueType::Boolean => Value::Bool(bool::from_unknown(value)?),
        ValueType::Number => json_number(f64::from_unknown(value)?),
        ValueType::String => Value::String(String::from_unknown(value)?),
        ValueType::Object if value.is_array()? => json_array(value, room)?,
        // The bytes of a typed array are not its members.
        ValueType::Object if !value.is_typedarray()? && !value.is_arraybuffer()? => json_object(value, room)?,
        _ => Value::Null,
    })
}

fn json_number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER {
        return if number < 0.0 { Value::from(number as i64) } else { Value::from(number as u64) };
    }
    Value::from(number)
}

fn json_array(value: Unknown<'_>, room: usize) -> Result<Value> {
    let items = Array::from_unknown(value)?;
    let mut converted = Vec::with_capacity(items.len() as usize);
    for index in 0..items.len() {
        let item: Option<Unknown<'_>> = items.get(index)?;
        converted.push(item.map_or(Ok(Value::Null), |item| json_value(item, room))?);
    }
    Ok(Value::Array(converted))
}

fn json_object(value: Unknown<'_>, room: usize) -> Result<Value> {
    let members = Members::of(Object::from_unknown(value)?)?;
    let mut converted = Map::with_capacity(members.count as usize);
    for index in 0..members.count {
        let Some((name, member)) = members.get(index)? else { continue };
        converted.insert(String::from_unknown(name)?, json_value(member, room)?);
    }
    Ok(Value::Object(converted))
}
