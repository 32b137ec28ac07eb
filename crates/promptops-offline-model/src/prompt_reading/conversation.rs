//! Telling the instructions of a conversation from the text to work on.

use std::sync::LazyLock;

use regex::{Match, Regex};

use super::Example;
use crate::request::{Message, Role};
use crate::words::literal_regex;

/// A conversation taken apart.
pub(super) struct Conversation {
    pub(super) instructions: String,
    /// User and assistant turns before the last user message.
    pub(super) examples: Vec<Example>,
    pub(super) input: String,
}

static MARKER: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?im)^[ \t]*(?:the |customer |support |user )?(?:message|input|text|customer|user|e-?mail|ticket|query|question|conversation|thread|review)(?: to \w+)?[ \t]*:[ \t]*",
    )
});
/// A prompt often ends with the name of what it waits for.
static AWAITED: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(r"(?i)\n[ \t]*(?:label|answer|output|category|class|intent|summary|reply|assistant|result)[ \t]*:?[ \t]*$")
});
static TAG: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"<([a-z][a-z_-]*)>"));
static FENCE: LazyLock<Regex> = LazyLock::new(|| literal_regex("(?s)(?:\"\"\"|```)(.*?)(?:\"\"\"|```)"));

/// Takes `messages` apart; the last user message holds the text to work on.
pub(super) fn split(messages: &[Message]) -> Conversation {
    let last = messages.iter().rposition(|message| message.role == Role::User).unwrap_or(messages.len() - 1);
    let mut instructions: Vec<&str> = Vec::new();
    let mut examples = Vec::new();
    let mut asked: Option<&str> = None;
    for (index, message) in messages.iter().enumerate() {
        match message.role {
            Role::System => instructions.push(&message.content),
            Role::User if index != last => asked = Some(&message.content),
            Role::Assistant if index < last => {
                if let Some(input) = asked.take() {
                    examples.push(Example { input: input.to_owned(), answer: message.content.trim().to_owned() });
                }
            }
            Role::User | Role::Assistant => {}
        }
    }
    let content = &messages[last].content;
    let (before, input) = split_last(content, !instructions.is_empty());
    instructions.push(&before);
    Conversation { instructions: instructions.join("\n\n"), examples, input }
}

/// Splits a user message into what instructs and what is worked on.
fn split_last(content: &str, instructed: bool) -> (String, String) {
    let content = AWAITED.replace(content.trim_end(), "");
    let content = content.trim();
    if let Some(parts) = tagged(content).or_else(|| fenced(content)) {
        return parts;
    }
    // What follows a system message is the user's own: only a marker at its very start can be the prompt's.
    let markers: Vec<Match<'_>> = MARKER.find_iter(content).filter(|marker| !instructed || marker.start() == 0).collect();
    // A marker on a line of its own opens the text; those behind it are speakers of a conversation.
    let alone = markers.iter().rfind(|marker| content[marker.end()..].starts_with('\n'));
    if let Some(marker) = alone.or(markers.last()) {
        return (content[..marker.start()].to_owned(), content[marker.end()..].trim().to_owned());
    }
    if instructed {
        return (String::new(), content.to_owned());
    }
    match content.rsplit_once("\n\n") {
        Some((before, input)) => (before.to_owned(), input.trim().to_owned()),
        None => match content.split_once(":\n").or_else(|| content.rsplit_once(": ")) {
            Some((before, input)) => (before.to_owned(), input.trim().to_owned()),
            None => (content.to_owned(), content.to_owned()),
        },
    }
}

/// The last `<tag>…</tag>` of the message is the text.
fn tagged(content: &str) -> Option<(String, String)> {
    TAG.captures_iter(content)
        .filter_map(|tag| {
            let opening = tag.get(0)?;
            let length = content[opening.end()..].rfind(&format!("</{}>", &tag[1]))?;
            let input = content[opening.end()..opening.end() + length].trim().to_owned();
            let rest = &content[opening.end() + length..];
            let after = rest.split_once('>').map_or("", |(_, after)| after);
            Some((format!("{}\n{after}", &content[..opening.start()]), input))
        })
        .last()
}

fn fenced(content: &str) -> Option<(String, String)> {
    let fence = FENCE.captures_iter(content).last()?;
    let (whole, inner) = (fence.get(0)?, fence.get(1)?);
    let around = format!("{}\n{}", &content[..whole.start()], &content[whole.end()..]);
    Some((around, inner.as_str().trim().to_owned()))
}
