//! Reading the prompt: what is asked, of which text, with which labels, and in which form.
//!
//! Nothing here knows a domain. Whatever the engine later finds out about a label, the messages have said.

mod answer_format;
mod conversation;
mod examples;
mod labels;
mod record;
mod rules;
mod writing_brief;

pub(crate) use answer_format::{AnswerFormat, Insistence};
pub(crate) use examples::Example;
pub(crate) use labels::{Label, LabelSet};
pub(crate) use record::{Field, FieldKind};
pub(crate) use rules::Rules;
pub(crate) use writing_brief::{Limits, WritingBrief};

use crate::request::{Request, ResponseFormat};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The work.
    pub(crate) task: Task,
    /// The text to work on, as the user sent it.
    pub(crate) input: String,
    /// How to attend to that text.
    pub(crate) focus: Focus,
    /// The form of the answer.
    pub(crate) format: AnswerFormat,
}

/// The work a prompt asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Task {
    /// Choose one label.
    Choose(LabelSet),
    /// Fill the fields of a JSON object.
    Fill(Vec<Field>),
    /// Write the most central sentences.
    Summarise(WritingBrief),
    /// Write a reply.
    Reply(WritingBrief),
}

/// How the prompt wants the text attended to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Focus {
    /// Quoted and forwarded text does not count.
    pub(crate) skip_quotes: bool,
    /// Sentences that ask for something count more than those that tell a story.
    pub(crate) requests_first: bool,
}

/// Reads the messages of `request`.
pub(crate) fn read(request: &Request) -> Reading {
    let conversation = conversation::split(&request.messages);
    let (mut shown, instructions) = examples::take(&conversation.instructions);
    shown.extend(conversation.examples);

    let mut format = answer_format::read(&instructions, &request.response_format);
    let task = match &request.response_format {
        ResponseFormat::JsonSchema(schema) => task_of_schema(schema, &instructions, &shown),
        _ => None,
    };
    let task = task.unwrap_or_else(|| task_of_prose(&instructions, &shown, &format));
    if let Task::Choose(set) = &task {
        // Examples that show a bare label are a mild wish for one.
        if format == AnswerFormat::Sentence && !set.examples.is_empty() {
            format = AnswerFormat::BareLabel(Insistence::Mild);
        }
    }
    let focus = Focus {
        skip_quotes: answer_format::SKIP_QUOTES.is_match(&instructions),
        requests_first: answer_format::REQUESTS_FIRST.is_match(&instructions),
    };
    Reading { task, input: conversation.input, focus, format }
}

fn task_of_schema(schema: &serde_json::Value, instructions: &str, shown: &[Example]) -> Option<Task> {
    if let Some(names) = record::enumeration(schema) {
        return Some(Task::Choose(LabelSet::read(names, instructions, shown)));
    }
    let fields = record::fields_of_schema(schema, instructions, shown);
    (!fields.is_empty()).then_some(Task::Fill(fields))
}

fn task_of_prose(instructions: &str, shown: &[Example], format: &AnswerFormat) -> Task {
    let names = labels::find_names(instructions);
    if let AnswerFormat::Json { keys, .. } = format {
        return Task::Fill(record::fields_of_keys(keys, names, instructions, shown));
    }
    let names = if names.is_empty() { examples::answers(shown) } else { names };
    if !names.is_empty() {
        return Task::Choose(LabelSet::read(names, instructions, shown));
    }
    let brief = WritingBrief::read(instructions);
    if writing_brief::asks_for_reply(instructions) { Task::Reply(brief) } else { Task::Summarise(brief) }
}

#[cfg(test)]
mod tests;
