//! Reading the example's prompts and data sets, independently of the crates that normally do: the engine's accuracy
//! must not depend on them.

#![expect(clippy::panic, reason = "only tests and an example read through this; a broken file must stop them")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use promptops_offline_model::{OfflineModel, Request};
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

/// One row of a data set, by column.
pub type Row = BTreeMap<String, String>;

/// A prompt file with the texts of everything it may include.
pub struct PromptFile {
    prompt: Value,
    templates: Environment<'static>,
}

/// The folder `examples/support-desk`.
pub fn support_desk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-desk")
}

impl PromptFile {
    /// Reads the prompt at `path`; includes come from `prompts/` of the support desk.
    pub fn read(path: &Path) -> Self {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for file in yaml_files(&support_desk().join("prompts")) {
            let prompt = read_yaml(&file);
            if let (Some(id), Some(template)) = (prompt["id"].as_str(), prompt["template"].as_str()) {
                let name = format!("{id}@{}", prompt["version"]);
                templates.add_template_owned(name, template.to_owned()).expect("the included template is valid");
            }
        }
        Self { prompt: read_yaml(path), templates }
    }

    /// Answers with the engine, at the prompt's own parameters.
    pub fn answer(&self, model: &str, inputs: &BTreeMap<String, String>) -> String {
        self.answer_json(model, &json!(inputs))
    }

    /// As [`PromptFile::answer`], for inputs that are more than text.
    pub fn answer_json(&self, model: &str, inputs: &Value) -> String {
        let template = self.prompt["template"].as_str().map(|template| json!([{"role": "user", "content": template}]));
        let messages = template.unwrap_or_else(|| self.prompt["messages"].clone());
        let rendered = messages.as_array().expect("messages are a list").iter().map(|message| {
            let content = message["content"].as_str().expect("content is text");
            let content = self.templates.render_str(content, Serde(inputs)).expect("the template renders");
            json!({"role": message["role"], "content": content})
        });
        let mut body = json!({"model": model, "messages": rendered.collect::<Vec<_>>()});
        if let (Some(body), Some(parameters)) = (body.as_object_mut(), self.prompt["parameters"].as_object()) {
            body.extend(parameters.clone());
        }
        let request = Request::from_json(&body).expect("the request is valid");
        let response = OfflineModel::new().complete(&request).expect("the model is offered");
        response.choices[0].message.content.clone()
    }
}

/// Reads a CSV or JSONL file.
pub fn read_rows(path: &Path) -> Vec<Row> {
    if path.extension().is_some_and(|extension| extension == "csv") {
        let mut reader = csv::Reader::from_path(path).expect("the data set can be read");
        return reader.deserialize().map(|row| row.expect("the row is sound")).collect();
    }
    let text = std::fs::read_to_string(path).expect("the data set can be read");
    let rows = text.lines().map(|line| {
        let object: Map<String, Value> = serde_json::from_str(line).expect("the line is a JSON object");
        let texts = object.into_iter().map(|(key, value)| match value {
            Value::String(text) => (key, text),
            other => (key, other.to_string()),
        });
        texts.collect()
    });
    rows.collect()
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Reads a YAML file without anchors, which is all the example uses.
pub fn read_yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let events: Vec<Event<'_>> = Parser::new_from_str(&text).map(|event| event.expect("the file is YAML").0).collect();
    let mut events = events.into_iter().filter(|event| {
        !matches!(event, Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd)
    });
    let first = events.next().expect("the file is not empty");
    read_node(first, &mut events)
}

fn read_node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => plain(&text),
        Event::Scalar(text, ..) => Value::String(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next().expect("the sequence ends") {
                    Event::SequenceEnd => return Value::Array(items),
                    event => items.push(read_node(event, events)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut object = Map::new();
            loop {
                match events.next().expect("the mapping ends") {
                    Event::MappingEnd => return Value::Object(object),
                    Event::Scalar(key, ..) => {
                        let value = events.next().expect("the key has a value");
                        object.insert(key.into_owned(), read_node(value, events));
                    }
                    other => panic!("a key must be text, not {other:?}"),
                }
            }
        }
        other => panic!("unexpected {other:?}"),
    }
}

/// A plain scalar is what JSON says it is, and text otherwise.
fn plain(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
