//! Prompts of promptfoo: texts, chats as JSON, and files of both.

use promptops_prompt::Role;
use serde_json::Value;

use super::reader::{At, Place, Reader, ending, is_code};

/// One prompt.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    /// The id that the configuration gives it.
    pub(super) id: Option<String>,
    /// The name by which tests choose it: what the configuration says, else as promptfoo makes one.
    pub(super) label: String,
    /// What files are named by: the label or the file's name, where there is one.
    pub(super) title: Option<String>,
    pub(super) body: Body,
    /// Variables that were written as JSON texts, so that nothing but a text means the same here.
    pub(super) dumped: Vec<String>,
    pub(super) place: Place,
}

/// What is sent, as Nunjucks templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// One message of the user.
    Text(String),
    /// Several messages.
    Chat(Vec<(Role, String)>),
}

/// The line that parts the prompts of one text file.
const SEPARATOR: &str = "---";

/// Reads the list of prompts.
pub(super) fn read(list: At<'_>, reader: &mut Reader<'_>) -> Vec<Prompt> {
    if let Some(items) = list.items() {
        return items.into_iter().flat_map(|item| prompt(item, reader)).collect();
    }
    if let Some(pairs) = list.pairs() {
        // `path: label`
        let read = |(reference, place, label): (&str, Place, At<'_>)| {
            let label = reader.text("the label of a prompt", label).map(str::to_owned);
            from_text(reference, None, label, &place, reader)
        };
        return pairs.into_iter().flat_map(read).collect();
    }
    prompt(list, reader)
}

fn prompt(at: At<'_>, reader: &mut Reader<'_>) -> Vec<Prompt> {
    if let Some(text) = at.text() {
        return from_text(text, None, None, &at.place(), reader);
    }
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("a prompt is a text or a mapping, not {}", at.node.type_name()));
        return Vec::new();
    };
    let (mut id, mut label, mut raw) = (None, None, None);
    for (key, place, value) in pairs {
        match key {
            "id" => id = reader.text("the `id` of a prompt", value).map(|text| (text.to_owned(), value.place())),
            "label" | "display" => label = reader.text("the `label` of a prompt", value).map(str::to_owned),
            "raw" => raw = reader.text("`raw`", value).map(|text| (text.to_owned(), value.place())),
            "template" => reader.note(&place, "`template` of a prompt has no effect"),
            "function" => reader.code(&place, "`function` of a prompt"),
            "config" => reader.error_with_hint(
                &place,
                "`config` of a prompt is not taken over",
                "write the parameters into the `config` of the provider",
            ),
            other => reader.error(&place, format!("`{other}` of a prompt is not taken over")),
        }
    }
    // Without `raw` the id is where the prompt stands.
    match (raw, id) {
        (Some((raw, place)), id) => from_text(&raw, id.map(|(id, _)| id), label, &place, reader),
        (None, Some((id, place))) => from_text(&id, Some(id.clone()), label, &place, reader),
        (None, None) => {
            reader.error(&at.place(), "the prompt has neither `raw` nor `id`");
            Vec::new()
        }
    }
}

/// Tells whether promptfoo looks for a file under a text.
fn may_be_file(text: &str) -> bool {
    const ENDINGS: [&str; 14] =
        [".cjs", ".cts", ".j2", ".js", ".json", ".jsonl", ".md", ".mjs", ".mts", ".py", ".ts", ".txt", ".yml", ".yaml"];
    let from_end = |back: usize| text.chars().rev().nth(back - 1) == Some('.');
    !text.contains('\n')
        && (text.starts_with("file://")
            || text
                .split(':')
                .rev()
                .take(2)
                .any(|part| ENDINGS.iter().any(|ending| part.ends_with(ending)) || part.ends_with(".csv"))
            || from_end(3)
            || from_end(4)
            || text.contains(['*', '/', '\\']))
}

fn from_text(text: &str, id: Option<String>, label: Option<String>, place: &Place, reader: &mut Reader<'_>) -> Vec<Prompt> {
    if let Some(service) = ["portkey://", "langfuse://", "helicone://"].iter().find(|service| text.starts_with(**service)) {
        reader.error(place, format!("a prompt from `{service}` is not in the configuration"));
        return Vec::new();
    }
    if text.starts_with("exec:") {
        reader.code(place, &format!("the prompt `{text}`"));
        return Vec::new();
    }
    if text.trim().is_empty() {
        reader.error(place, "the prompt is empty");
        return Vec::new();
    }
    if !may_be_file(text) {
        return one(text, id, label, None, place, reader).into_iter().collect();
    }
    let reference = text.strip_prefix("file://").unwrap_or(text);
    if is_code(reference) {
        reader.code(place, &format!("the prompt `{reference}`"));
        return Vec::new();
    }
    if !text.starts_with("file://") && text.contains(' ') && !reader.has(reference) && !super::reader::is_pattern(text) {
        // A sentence with a slash in it. promptfoo finds no file and sends the text.
        return one(text, id, label, None, place, reader).into_iter().collect();
    }
    let paths = reader.matching(reference, place);
    paths.iter().flat_map(|path| from_file(path, id.clone(), label.clone(), place, reader)).collect()
}

fn from_file(path: &str, id: Option<String>, label: Option<String>, place: &Place, reader: &mut Reader<'_>) -> Vec<Prompt> {
    let Some((file, text)) = reader.open(path, place) else { return Vec::new() };
    let whole = Place { path: file, span: 0..0 };
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let title = label.clone().unwrap_or(stem);
    let named = |text: &str, shown: String, reader: &mut Reader<'_>| {
        one(text, id.clone(), Some(shown), Some(title.clone()), &whole, reader)
    };
    match ending(path).as_str() {
        "txt" => {
            let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
            let mut parts = vec![String::new()];
            for line in lines {
                match parts.last_mut() {
                    Some(part) if line.trim() != SEPARATOR => {
                        part.push_str(line);
                        part.push('\n');
                    }
                    _ => parts.push(String::new()),
                }
            }
            let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
            if parts.is_empty() {
                reader.error(place, format!("there is no prompt in `{path}`"));
            }
            let shown =
                |part: &str| label.as_ref().map_or_else(|| format!("{path}: {part}"), |label| format!("{label}: {path}: {part}"));
            parts.iter().filter_map(|part| named(part, shown(part), reader)).collect()
        }
        "md" | "j2" => {
            let shown = label.clone().unwrap_or_else(|| format!("{path}: {}...", text.chars().take(50).collect::<String>()));
            named(&text, shown, reader).into_iter().collect()
        }
        "json" => {
            let shown = label.clone().unwrap_or_else(|| format!("{path}: {text}"));
            named(&text, shown, reader).into_iter().collect()
        }
        "yaml" | "yml" => {
            let Some(document) = reader.parse(whole.path.clone(), &text) else { return Vec::new() };
            let json = reader.value(document.root()).to_string();
            let shown = label.clone().unwrap_or_else(|| format!("{path}: {}", json.chars().take(80).collect::<String>()));
            named(&json, shown, reader).into_iter().collect()
        }
        "jsonl" => {
            let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
            let shown = |line: &str| match (&label, lines.len()) {
                (Some(label), 1) => label.clone(),
                (None, 1) => path.to_owned(),
                (label, _) => format!("{}: {line}", label.as_deref().unwrap_or(path)),
            };
            lines.iter().filter_map(|line| named(line, shown(line), reader)).collect()
        }
        "csv" => {
            let hint = "write the prompts into the configuration, or into a text file, parted by lines of `---`";
            reader.error_with_hint(place, format!("prompts from the CSV file `{path}` are not taken over"), hint);
            Vec::new()
        }
        other => {
            reader.error(place, format!("promptfoo would run `{path}` or skip it: files that end in `.{other}` hold no prompt"));
            Vec::new()
        }
    }
}

fn one(
    raw: &str,
    id: Option<String>,
    label: Option<String>,
    title: Option<String>,
    place: &Place,
    reader: &mut Reader<'_>,
) -> Option<Prompt> {
    let body = body(raw, place, reader)?;
    let title = title.or_else(|| label.clone());
    let dumped = if matches!(body, Body::Chat(_)) { dumped_variables(raw) } else { Vec::new() };
    Some(Prompt { id, label: label.unwrap_or_else(|| raw.to_owned()), title, body, dumped, place: place.clone() })
}

/// Reads the prompt of a judge: a text, a chat, or a file of either.
pub(super) fn of_judge(at: At<'_>, reader: &mut Reader<'_>) -> Option<Body> {
    let place = at.place();
    let Some(text) = at.text() else {
        let raw = reader.value(at).to_string();
        return body(&raw, &place, reader);
    };
    if !text.starts_with("file://") {
        return body(text, &place, reader);
    }
    let (_, raw) = reader.open(text, &place)?;
    body(&raw, &place, reader)
}

/// Reads a prompt as promptfoo's chat providers do: JSON is a list of messages, anything else what the user says.
fn body(raw: &str, place: &Place, reader: &mut Reader<'_>) -> Option<Body> {
    // A text that is written into JSON by `dump` reads back as the text itself.
    let quoted = quote_dumped(raw);
    let parsed = serde_json::from_str::<Value>(raw).ok().or_else(|| serde_json::from_str(quoted.as_deref()?).ok());
    let Some(parsed) = parsed else {
        let start = raw.trim_start();
        if start.starts_with("- role:") {
            let hint = "put it into a file that ends in `.yaml`, where values cannot change what is YAML";
            reader.error_with_hint(place, "a chat that is written as YAML inside a text is not taken over", hint);
            return None;
        }
        if start.starts_with(['{', '[']) && start.contains("\"role\"") {
            reader.error_with_hint(
                place,
                "the chat is no JSON before its values are filled in, so what it is depends on them",
                "write values inside the quotes of JSON texts, as `\"content\": \"{{ question }}\"`",
            );
            return None;
        }
        return Some(Body::Text(raw.to_owned()));
    };
    let problem = match messages(&parsed) {
        Ok(messages) => return Some(Body::Chat(messages)),
        Err(problem) => problem,
    };
    reader.error(place, format!("the prompt is JSON, but no list of messages with `role` and `content`: {problem}"));
    None
}

fn messages(parsed: &Value) -> Result<Vec<(Role, String)>, String> {
    let items = parsed.as_array().ok_or("it is no list")?;
    let message = |item: &Value| {
        let object = item.as_object().ok_or("an item is no mapping")?;
        if let Some(key) = object.keys().find(|key| !["role", "content"].contains(&key.as_str())) {
            return Err(format!("`{key}` of a message is not taken over"));
        }
        let role = object.get("role").and_then(Value::as_str).ok_or("a message lacks `role`")?;
        let role = Role::ALL.into_iter().find(|known| known.name() == role).ok_or(format!("there is no role `{role}`"))?;
        let content = object.get("content").and_then(Value::as_str).ok_or("`content` of a message is no text")?;
        Ok((role, content.to_owned()))
    };
    let messages: Vec<_> = items.iter().map(message).collect::<Result<_, String>>()?;
    if messages.is_empty() { Err("it is empty".to_owned()) } else { Ok(messages) }
}

/// Matches a variable that is written as JSON.
const DUMPED: &str = r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*\|\s*dump\s*-?\}\}";

/// Writes `{{ x | dump }}` outside of quotes as `"{{ x }}"`.
fn quote_dumped(raw: &str) -> Option<String> {
    let pattern = regex::Regex::new(DUMPED).ok()?;
    pattern.is_match(raw).then(|| pattern.replace_all(raw, "\"{{ $1 }}\"").into_owned())
}

fn dumped_variables(raw: &str) -> Vec<String> {
    let Ok(pattern) = regex::Regex::new(DUMPED) else { return Vec::new() };
    pattern.captures_iter(raw).map(|found| found[1].to_owned()).collect()
}

/// Tells whether a reference in `prompts` of a test or provider means a prompt.
pub(super) fn is_meant(reference: &str, prompt: &Prompt) -> bool {
    let names = [Some(prompt.label.as_str()), prompt.id.as_deref()];
    names.into_iter().flatten().any(|name| {
        name == reference
            || reference.strip_suffix('*').is_some_and(|start| name.starts_with(start))
            || name.strip_prefix(reference).is_some_and(|rest| rest.starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_path_in_it_may_be_a_file() {
        for text in ["file://a.txt", "prompts/a.txt", "a.json", "p*.md", "script.py:main", "what is 1/2"] {
            assert!(may_be_file(text), "{text}");
        }
        for text in ["Hello {{name}}", "two\nlines.txt", "Answer."] {
            assert!(!may_be_file(text), "{text}");
        }
    }

    #[test]
    fn messages_are_read_from_json() {
        let chat = serde_json::json!([{"role": "system", "content": "a"}, {"role": "user", "content": "{{ q }}"}]);
        assert_eq!(messages(&chat).unwrap(), [(Role::System, "a".to_owned()), (Role::User, "{{ q }}".to_owned())]);
        for (value, message) in [
            (serde_json::json!({}), "it is no list"),
            (serde_json::json!([]), "it is empty"),
            (serde_json::json!([{"role": "tool", "content": "a"}]), "there is no role `tool`"),
            (serde_json::json!([{"role": "user", "content": []}]), "`content` of a message is no text"),
            (serde_json::json!([{"role": "user", "content": "a", "name": "b"}]), "`name` of a message is not taken over"),
        ] {
            assert_eq!(messages(&value).unwrap_err(), message);
        }
        let raw = r#"[{"role": "user", "content": {{ q | dump }}}]"#;
        assert_eq!(quote_dumped(raw).unwrap(), r#"[{"role": "user", "content": "{{ q }}"}]"#);
    }
}
