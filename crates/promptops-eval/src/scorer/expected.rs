//! What a scorer compares with: a column of the dataset, or one value for all cases.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Unjudged, UnjudgedClass};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// Where the expected value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A column of the dataset.
    Column(String),
    /// The same value for every case.
    Value(Value),
}

impl Expected {
    /// Reads `expected` or `value`, of which one must be there; `read` reads the value.
    pub(crate) fn read<'a>(
        fields: &mut Fields<'a, '_>,
        what: &str,
        read: impl FnOnce(&mut Fields<'a, '_>) -> Option<Value>,
    ) -> Option<Self> {
        match (fields.node("expected").is_some(), fields.node("value").is_some()) {
            (true, false) => fields.text("expected").map(|column| Self::Column(column.value)),
            (false, true) => read(fields).map(Self::Value),
            (false, false) => {
                let message = format!("the scorer lacks `expected` (a column) or `value` ({what})");
                fields.findings.error(fields.span(), message);
                None
            }
            (true, true) => {
                let message = format!("the scorer takes either `expected` (a column) or `value` ({what}), not both");
                fields.findings.error(fields.span(), message);
                None
            }
        }
    }

    /// Reads `expected` or a `value` that is a text.
    pub(crate) fn read_text(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Self::read(fields, "a text", |fields| fields.text("value").map(|text| Value::String(text.value)))
    }

    /// Reads `expected` or a `value` that is a list of texts, or one text.
    pub(crate) fn read_texts(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Self::read(fields, "a list of texts", |fields| fields.texts("value").map(Value::from))
    }

    /// Returns the column, if it is one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Column(column) => Some(column),
            Self::Value(_) => None,
        }
    }

    /// Returns the columns that are read: one or none.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.column().into_iter().collect()
    }

    /// Returns what is expected of a case; nothing where the row has no such column.
    pub(crate) fn value<'a>(&'a self, case: &'a Case) -> Option<&'a Value> {
        match self {
            Self::Column(column) => case.values.get(column),
            Self::Value(value) => Some(value),
        }
    }

    /// Returns what is expected as a text, which may be empty.
    fn text<'a>(&'a self, case: &'a Case) -> Result<Cow<'a, str>, Unjudged> {
        match self.value(case) {
            None | Some(Value::Null) => Err(self.nothing()),
            Some(Value::String(text)) => Ok(Cow::Borrowed(text)),
            Some(other) => Ok(Cow::Owned(other.to_string())),
        }
    }

    /// Returns what is expected as a text that is not empty: nothing can be compared with an empty one.
    pub(crate) fn some_text<'a>(&'a self, case: &'a Case) -> Result<Cow<'a, str>, Unjudged> {
        self.text(case).and_then(|text| if text.trim().is_empty() { Err(self.nothing()) } else { Ok(text) })
    }

    /// Returns what is expected as a text: of a cell one that is not empty, for an empty cell was not filled in; a `value` as it
    /// is stated, be it empty.
    pub(crate) fn stated_text<'a>(&'a self, case: &'a Case) -> Result<Cow<'a, str>, Unjudged> {
        match self {
            Self::Column(_) => self.some_text(case),
            Self::Value(_) => self.text(case),
        }
    }

    /// Returns the texts that are expected, at least one and none of them empty.
    ///
    /// A cell that is a JSON list, be it as a text, holds several; any other cell holds one.
    pub(crate) fn some_texts(&self, case: &Case) -> Result<Vec<String>, Unjudged> {
        let listed = match self.value(case) {
            Some(Value::Array(items)) => Some(items.clone()),
            Some(Value::String(text)) if text.trim_start().starts_with('[') => serde_json::from_str(text).ok(),
            _ => None,
        };
        let texts = match listed {
            Some(items) => items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect(),
            None => vec![self.some_text(case)?.into_owned()],
        };
        if texts.is_empty() || texts.iter().any(String::is_empty) { Err(self.nothing()) } else { Ok(texts) }
    }

    /// Says that there is nothing to compare with.
    pub(crate) fn nothing(&self) -> Unjudged {
        let message = match self {
            Self::Column(column) => format!("column `{column}` is empty, so there is nothing to compare with"),
            Self::Value(_) => "`value` is empty, so there is nothing to compare with".to_owned(),
        };
        Unjudged { class: UnjudgedClass::Reference, message }
    }

    pub(crate) fn describe(&self) -> Value {
        match self {
            Self::Column(column) => json!({"column": column}),
            Self::Value(value) => json!({"value": value}),
        }
    }
}
