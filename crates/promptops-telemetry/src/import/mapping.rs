//! Which columns of a CSV file become which fields of the record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use regex::Regex;
use serde::Deserialize;

use super::field::{self, Field};
use super::quoted;
use super::time_format::TimeFormat;
use crate::record::Invocation;

/// Says which columns of a CSV file become which fields of an [`Invocation`], and how.
///
/// ```toml
/// keep_content = true                 # keep `input` and `output` as they are; else only hash and length
/// absent = ["NA"]                     # texts that mean "unknown"; the empty text always does
///
/// [constants]                         # the same value in each record
/// prompt_id = "opinion.survey"
///
/// [columns]                           # field = where it comes from
/// time = { column = "timestamp", format = "%m/%d/%Y, %H:%M:%S", utc_offset = "+00:00" }
/// requested_model = { column = "model", strip_prefix = "openaichat/" }
/// latency_ms = { column = "latency", scale = 1000 }
/// label = { column = "answer", pattern = '^\((\w)\)' }
/// valid = { column = "answer", matches = '^\(\w\)' }
/// "scores.judge" = { column = "grade" }
/// ```
///
/// * `format` (time): a strftime pattern, `unix` or `unix_ms`; without it RFC 3339, `YYYY-MM-DD HH:MM:SS` and plain dates
///   are read. `utc_offset` holds where the text names none; without it times are UTC.
/// * `scale` (numbers): the column's number is multiplied by it, so 1000 turns seconds into milliseconds.
/// * `pattern` (any): the first capture group of the regular expression, or the whole match, is the value; no match
///   means unknown.
/// * `matches` (`valid`, `refusal`, `status`): the value is whether the regular expression matches.
/// * `strip_prefix` (any): is cut from the beginning where it is there.
#[derive(Debug, Clone)]
pub struct ColumnMapping {
    pub(super) rules: Rules,
    keep_content: bool,
    absent: Vec<String>,
    constants: Vec<(Field, String)>,
    constant_time: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub(super) enum Rules {
    /// Each column that is called like a field is that field.
    SameNames,
    /// As the mapping says.
    Given(Vec<Rule>),
}

/// One column that becomes one field.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) column: String,
    field: Field,
    time: TimeFormat,
    scale: f64,
    pattern: Option<Regex>,
    matches: Option<Regex>,
    strip_prefix: String,
}

/// The mapping cannot be used: correct it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The text is not a mapping in TOML.
    #[error("not a column mapping: {0}")]
    Syntax(String),
    /// No field of the record has this name.
    #[error("no field of the invocation record is called `{field}`; known are {known} and `scores.NAME`")]
    UnknownField {
        /// Name in the mapping.
        field: String,
        /// Names that would do, listed for the reader.
        known: String,
    },
    /// A field is given twice, as column and as constant.
    #[error("`{0}` is both a column and a constant")]
    Twice(String),
    /// No column and no constant gives the time.
    #[error("the mapping gives no `time`")]
    NoTime,
    /// A rule does not fit its field.
    #[error("`{field}`: {reason}")]
    Rule {
        /// Field that the rule is for.
        field: String,
        /// What is wrong, as a lower-case fragment.
        reason: String,
    },
}

/// The mapping as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    #[serde(default)]
    keep_content: bool,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    constants: BTreeMap<String, toml::Value>,
    #[serde(default)]
    columns: BTreeMap<String, RuleFile>,
}

/// One rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    column: String,
    format: Option<String>,
    utc_offset: Option<String>,
    scale: Option<f64>,
    pattern: Option<String>,
    matches: Option<String>,
    #[serde(default)]
    strip_prefix: String,
}

impl ColumnMapping {
    /// Maps each column that is called like a field of the record, such as `latency_ms` or `scores.judge`, to that field
    /// and ignores the others. Content is kept.
    #[must_use]
    pub fn same_names() -> Self {
        Self { rules: Rules::SameNames, keep_content: true, absent: Vec::new(), constants: Vec::new(), constant_time: None }
    }

    /// Reads a mapping from TOML.
    ///
    /// # Errors
    ///
    /// When the text is not TOML, names an unknown field, or a rule does not fit its field.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let file: MappingFile =
            toml::from_str(text).map_err(|error| MappingError::Syntax(error.to_string().trim_end().to_owned()))?;
        if let Some(twice) = file.columns.keys().find(|name| file.constants.contains_key(*name)) {
            return Err(MappingError::Twice(twice.clone()));
        }
        if !file.columns.contains_key("time") && !file.constants.contains_key("time") {
            return Err(MappingError::NoTime);
        }
        let (constants, constant_time) = constants(file.constants)?;
        let rules = file.columns.into_iter().map(|(name, rule)| Rule::new(name, rule)).collect::<Result<_, _>>()?;
        Ok(Self { rules: Rules::Given(rules), keep_content: file.keep_content, absent: file.absent, constants, constant_time })
    }

    /// Makes a record of the values of `rules`, or says why that is impossible. The id is nil unless a column gives it.
    pub(super) fn record<'a>(
        &self,
        values: impl Iterator<Item = (&'a Rule, Result<&'a str, String>)> + Clone,
    ) -> Result<Invocation, String> {
        let mut record = Invocation::new(self.time(values.clone())?, uuid::Uuid::nil());
        for (field, text) in &self.constants {
            field.set(&mut record, text, 1.0)?;
        }
        for (rule, value) in values {
            let value = value?;
            if let Some(value) = self.present(value) {
                rule.apply(&mut record, value).map_err(|reason| rule.explain(&reason))?;
            }
        }
        super::describe_content(&mut record);
        if !self.keep_content {
            record.input = None;
            record.output = None;
        }
        Ok(record)
    }

    fn time<'a>(&self, mut values: impl Iterator<Item = (&'a Rule, Result<&'a str, String>)>) -> Result<DateTime<Utc>, String> {
        if let Some(time) = self.constant_time {
            return Ok(time);
        }
        let (rule, value) = values.find(|(rule, _)| rule.is_time()).ok_or("no column gives the time")?;
        let value = self.present(value?).ok_or_else(|| rule.explain("the time is absent"))?;
        rule.time
            .parse(rule.part_of(value).unwrap_or_default())
            .ok_or_else(|| rule.explain(&format!("not a time in the expected format: {}", quoted(value))))
    }

    fn present<'a>(&self, value: &'a str) -> Option<&'a str> {
        (!value.is_empty() && !self.absent.iter().any(|absent| absent == value)).then_some(value)
    }
}

impl Rule {
    /// Maps the column to the field of the same name, if there is one.
    pub(super) fn same_name(name: &str) -> Option<Self> {
        Field::named(name)?;
        let plain = RuleFile {
            column: name.to_owned(),
            format: None,
            utc_offset: None,
            scale: None,
            pattern: None,
            matches: None,
            strip_prefix: String::new(),
        };
        Self::new(name.to_owned(), plain).ok()
    }

    pub(super) const fn is_time(&self) -> bool {
        matches!(self.field, Field::Time)
    }

    fn new(name: String, file: RuleFile) -> Result<Self, MappingError> {
        let field = named(&name)?;
        let wrong = |reason: String| MappingError::Rule { field: name.clone(), reason };
        let is_time = matches!(field, Field::Time);
        if !is_time && (file.format.is_some() || file.utc_offset.is_some()) {
            return Err(wrong("`format` and `utc_offset` are for `time`".to_owned()));
        }
        if file.scale.is_some() && !field.is_numeric() {
            return Err(wrong("`scale` is for numbers".to_owned()));
        }
        if file.scale.is_some_and(|scale| !scale.is_finite() || scale == 0.0) {
            return Err(wrong("`scale` is a number other than 0".to_owned()));
        }
        if file.matches.is_some() && !field.is_binary() {
            return Err(wrong("`matches` is for `valid`, `refusal` and `status`".to_owned()));
        }
        if file.matches.is_some() && file.pattern.is_some() {
            return Err(wrong("`matches` and `pattern` exclude each other".to_owned()));
        }
        let time = TimeFormat::new(file.format.as_deref(), file.utc_offset.as_deref()).map_err(wrong)?;
        Ok(Self {
            pattern: expression(&name, file.pattern)?,
            matches: expression(&name, file.matches)?,
            name,
            column: file.column,
            field,
            time,
            scale: file.scale.unwrap_or(1.0),
            strip_prefix: file.strip_prefix,
        })
    }

    fn apply(&self, record: &mut Invocation, value: &str) -> Result<(), String> {
        if let Some(matches) = &self.matches {
            self.field.decide(record, matches.is_match(value));
            return Ok(());
        }
        self.part_of(value).map_or(Ok(()), |part| self.field.set(record, part, self.scale))
    }

    /// Returns the part of the column's text that the rule wants.
    fn part_of<'a>(&self, value: &'a str) -> Option<&'a str> {
        let part = match &self.pattern {
            None => value,
            Some(pattern) => {
                let captures = pattern.captures(value)?;
                captures.get(1).or_else(|| captures.get(0))?.as_str()
            }
        };
        Some(part.strip_prefix(self.strip_prefix.as_str()).unwrap_or(part))
    }

    fn explain(&self, reason: &str) -> String {
        format!("column {}: {reason}", quoted(&self.column))
    }
}

fn named(name: &str) -> Result<Field, MappingError> {
    Field::named(name).ok_or_else(|| MappingError::UnknownField { field: name.to_owned(), known: super::listed(field::names()) })
}

fn expression(field: &str, pattern: Option<String>) -> Result<Option<Regex>, MappingError> {
    pattern
        .map(|pattern| Regex::new(&pattern))
        .transpose()
        .map_err(|error| MappingError::Rule { field: field.to_owned(), reason: error.to_string() })
}

type Constants = (Vec<(Field, String)>, Option<DateTime<Utc>>);

/// Reads the constants once, so that a wrong one is an error of the mapping and not of each row.
fn constants(given: BTreeMap<String, toml::Value>) -> Result<Constants, MappingError> {
    let mut constants = Vec::new();
    let mut time = None;
    let mut trial = Invocation::new(DateTime::UNIX_EPOCH, uuid::Uuid::nil());
    for (name, value) in given {
        let field = named(&name)?;
        let wrong = |reason: String| MappingError::Rule { field: name.clone(), reason };
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            toml::Value::Datetime(time) => time.to_string(),
            toml::Value::Array(_) | toml::Value::Table(_) => {
                return Err(wrong("a constant is a text, a number, a truth value or a time".to_owned()));
            }
        };
        match field {
            Field::Id => return Err(wrong("one id for all records would make them one".to_owned())),
            Field::Time => {
                let format = TimeFormat::new(None, None).map_err(wrong)?;
                time = Some(format.parse(&text).ok_or_else(|| wrong(format!("not a time: {}", quoted(&text))))?);
            }
            _ => {
                field.set(&mut trial, &text, 1.0).map_err(wrong)?;
                constants.push((field, text));
            }
        }
    }
    Ok((constants, time))
}
