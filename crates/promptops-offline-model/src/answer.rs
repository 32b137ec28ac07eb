//! Answering: from a reading and scores to the text a client receives.

use serde_json::{Map, Number, Value};

use crate::extraction;
use crate::model::Abilities;
use crate::prompt_reading::{AnswerFormat, Field, FieldKind, Insistence, LabelSet, Reading, Task};
use crate::sampling;
use crate::scoring::{self, Verdict};
use crate::writing;

/// What a draw among labels depends on besides the scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    /// The request's temperature.
    pub(crate) temperature: f64,
    /// The request's seed, or the hash of the request.
    pub(crate) seed: u64,
}

/// Writes the answer to what was read.
pub(crate) fn write(reading: &Reading, abilities: &Abilities, draw: Draw) -> String {
    match &reading.task {
        Task::Choose(set) => {
            let choice = choose(set, reading, abilities, draw);
            label_text(&choice, &reading.format, abilities)
        }
        Task::Fill(fields) => record_text(fields, reading, abilities, draw),
        Task::Summarise(brief) => writing::summarise(brief, &reading.input),
        Task::Reply(brief) => writing::reply(brief, &reading.input),
    }
}

/// A label with what spoke for it.
struct Choice {
    label: String,
    matched: Vec<String>,
    confidence: f64,
}

fn choose(set: &LabelSet, reading: &Reading, abilities: &Abilities, draw: Draw) -> Choice {
    let Verdict { scores, matched } = scoring::score(set, &reading.input, reading.focus, abilities);
    let index = sampling::pick(&scores, draw.temperature, draw.seed).unwrap_or_default();
    let positive: f64 = scores.iter().map(|score| score.max(0.0)).sum();
    let confidence = if positive > 0.0 { scores.get(index).map_or(0.0, |score| score.max(0.0)) / positive } else { 0.0 };
    let label = set.labels.get(index).map(|label| label.name.clone()).unwrap_or_default();
    Choice { label, matched: matched.into_iter().nth(index).unwrap_or_default(), confidence }
}

fn label_text(choice: &Choice, format: &AnswerFormat, abilities: &Abilities) -> String {
    let obeyed = |insistence: Insistence| insistence == Insistence::Firm || abilities.strict_format;
    match format {
        AnswerFormat::JsonString => Value::String(choice.label.clone()).to_string(),
        AnswerFormat::BareLabel(insistence) if obeyed(*insistence) => choice.label.clone(),
        AnswerFormat::BareLabel(_) => format!("The label is {}.", choice.label),
        AnswerFormat::Sentence | AnswerFormat::Json { .. } => format!("I would label this message as {}.", choice.label),
    }
}

fn record_text(fields: &[Field], reading: &Reading, abilities: &Abilities, draw: Draw) -> String {
    let choices: Vec<Option<Choice>> = fields
        .iter()
        .map(|field| match &field.kind {
            FieldKind::Choice(set) => Some(choose(set, reading, abilities, draw)),
            _ => None,
        })
        .collect();
    let main = choices.iter().flatten().next();
    let mut object = Map::new();
    for (field, choice) in fields.iter().zip(&choices) {
        let value = match choice {
            Some(choice) => Value::String(choice.label.clone()),
            None => field_value(field, main, &reading.input),
        };
        object.insert(field.name.clone(), value);
    }
    let text = Value::Object(object).to_string();
    match &reading.format {
        AnswerFormat::Json { insistence: Insistence::Mild, .. } if !abilities.strict_format => {
            format!("```json\n{text}\n```")
        }
        _ => text,
    }
}

fn field_value(field: &Field, main: Option<&Choice>, input: &str) -> Value {
    let name = field.name.to_lowercase();
    let missing = |empty: Value| if field.nullable { Value::Null } else { empty };
    match &field.kind {
        FieldKind::Number | FieldKind::Integer => {
            let sureness = main.filter(|_| ["confidence", "score", "probability"].contains(&name.as_str()));
            let number = match sureness {
                Some(choice) => Some((choice.confidence * 100.0).round() / 100.0),
                None => extraction::find_number(&name, input),
            };
            number.map_or(missing(Value::from(0)), |number| numeric(&field.kind, number))
        }
        FieldKind::Boolean => Value::Bool(!extraction::find(&name, input).is_empty()),
        FieldKind::List => Value::from(extraction::find(&name, input)),
        FieldKind::Text | FieldKind::Choice(_) => {
            if let Some(choice) = main.filter(|_| is_reason(&name)) {
                return Value::String(reason(choice));
            }
            let found = extraction::find(&name, input).into_iter().next();
            found.map_or(missing(Value::String(String::new())), Value::String)
        }
    }
}

fn numeric(kind: &FieldKind, number: f64) -> Value {
    if *kind == FieldKind::Integer {
        return Value::from(number.round() as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn is_reason(name: &str) -> bool {
    ["reason", "explanation", "rationale", "evidence", "reasoning"].contains(&name)
}

fn reason(choice: &Choice) -> String {
    if choice.matched.is_empty() {
        return "nothing in the message speaks for another label".to_owned();
    }
    format!("mentions {}", choice.matched.join(", "))
}

#[cfg(test)]
mod tests;
