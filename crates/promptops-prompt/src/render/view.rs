//! Values where they are: what a template may ask of one, whoever keeps it.

use minijinja::Value as TemplateValue;
use minijinja::value::ValueKind;
use serde_json::Value;

/// What a value is, as templates tell values apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen<'a> {
    /// A text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, or one that has none by chance.
    Float(f64),
    /// True or false.
    Truth(bool),
    /// JSON's null, Python's `None`.
    Nothing,
    /// A list of so many items.
    List(usize),
    /// A mapping of so many names.
    Mapping(usize),
    /// Anything else, which only the template engine knows how to treat.
    Other,
}

/// A value that stays in the memory of whoever gives it while a template is rendered.
///
/// Bindings implement it for the values of their language, so that nothing is copied but what is written. What cannot be said
/// through it is [`Seen::Other`]; such a value is converted and left to the template engine.
pub trait View: Sized {
    /// A name in the form in which a mapping looks it up; see [`crate::Renderer::field_names`].
    type Name;

    /// Says what the value is.
    fn look(&self) -> Seen<'_>;

    /// Returns the value that a mapping has for `name`; none when it has none, or when this is no mapping.
    fn field(&self, name: &Self::Name) -> Option<Self>;

    /// Returns an item of a list, from 0; none beyond its end, or when this is no list.
    fn item(&self, index: usize) -> Option<Self>;
}

impl View for &Value {
    type Name = Box<str>;

    fn look(&self) -> Seen<'_> {
        match self {
            Value::String(text) => Seen::Text(text),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => Seen::Integer(number),
                (None, Some(number)) if !self.is_u64() => Seen::Float(number),
                _ => Seen::Other,
            },
            Value::Bool(truth) => Seen::Truth(*truth),
            Value::Null => Seen::Nothing,
            Value::Array(items) => Seen::List(items.len()),
            Value::Object(members) => Seen::Mapping(members.len()),
        }
    }

    fn field(&self, name: &Box<str>) -> Option<Self> {
        self.as_object()?.get(&**name)
    }

    fn item(&self, index: usize) -> Option<Self> {
        self.as_array()?.get(index)
    }
}

impl View for TemplateValue {
    type Name = Box<str>;

    fn look(&self) -> Seen<'_> {
        if let Some(text) = self.as_str() {
            return Seen::Text(text);
        }
        match self.kind() {
            ValueKind::Seq => self.len().map_or(Seen::Other, Seen::List),
            ValueKind::Map => self.len().map_or(Seen::Other, Seen::Mapping),
            ValueKind::None => Seen::Nothing,
            ValueKind::Bool => Seen::Truth(self.is_true()),
            ValueKind::Number if self.is_integer() => self.as_i64().map_or(Seen::Other, Seen::Integer),
            ValueKind::Number => f64::try_from(self.clone()).map_or(Seen::Other, Seen::Float),
            _ => Seen::Other,
        }
    }

    fn field(&self, name: &Box<str>) -> Option<Self> {
        // Of another kind of value it may be a method.
        let found = (self.kind() == ValueKind::Map).then(|| self.get_attr(name).ok())??;
        (!found.is_undefined()).then_some(found)
    }

    fn item(&self, index: usize) -> Option<Self> {
        let found = self.get_item_by_index(index).ok()?;
        (!found.is_undefined()).then_some(found)
    }
}
