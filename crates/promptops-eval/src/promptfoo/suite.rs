//! From a configuration to prompts and cases: every test with every choice of its variables, for every prompt and provider.

use std::collections::{BTreeMap, BTreeSet};

use promptops_prompt::{Body as PromptBody, Content, Message, Role};
use serde_json::{Map, Value, json};

use super::asserts::{Scoring, number_of};
use super::cases::{Test, Vars};
use super::config::Config;
use super::prompts::{self, Body, Prompt};
use super::providers::{self, Provider};
use super::reader::{Place, Reader, ending, is_code};
use super::render::{self, Engine};
use super::rubric::{self, SuiteJudge, SuiteJudges};
use super::template::{self, Translated};
use crate::scorer::per_case;

/// What a configuration asks for: prompts, each with the cases that it is put to.
#[derive(Debug)]
pub struct Suite {
    /// What the configuration says of itself.
    pub description: Option<String>,
    pub(super) prompts: Vec<SuitePrompt>,
    pub(super) judges: Vec<SuiteJudge>,
}

/// One prompt with one provider.
#[derive(Debug)]
pub(super) struct SuitePrompt {
    /// The last part of its id.
    pub(super) slug: String,
    /// The provider, as the configuration names it.
    pub(super) provider: String,
    pub(super) content: Content,
    pub(super) evals: Vec<SuiteEval>,
}

impl Suite {
    /// Returns every model that is asked, each once.
    pub fn models(&self) -> Vec<String> {
        let contents = self.prompts.iter().map(|prompt| &prompt.content).chain(self.judges.iter().map(|judge| &judge.content));
        let models: BTreeSet<&str> = contents.map(|content| content.model.as_str()).collect();
        models.into_iter().map(str::to_owned).collect()
    }
}

/// Cases that are asked equally often.
#[derive(Debug)]
pub(super) struct SuiteEval {
    pub(super) repeats: u32,
    pub(super) rows: Vec<Map<String, Value>>,
    /// The names that assertions give to what they measure.
    pub(super) metrics: BTreeSet<String>,
    /// The models that judge, by the last part of their ids.
    pub(super) judges: BTreeSet<String>,
    pub(super) columns: Columns,
}

/// The names of the columns that no variable has.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) case: String,
    pub(super) asserts: String,
    pub(super) must_pass: String,
    prefix: String,
    suffix: String,
}

/// One test with one choice of its variables.
struct Choice<'c> {
    number: usize,
    name: String,
    test: &'c Test,
    vars: Vars,
    asserts: Value,
    metrics: BTreeSet<String>,
}

/// Builds the suite; nothing after it was said what stands against it.
pub(super) fn build(config: &Config, reader: &mut Reader<'_>) -> Option<Suite> {
    let default = config.default.as_ref();
    let tests: Vec<Test> = config
        .tests
        .iter()
        .cloned()
        .map(|test| match default {
            Some(default) => {
                let with_asserts = test.options.without_default_asserts != Some(true);
                test.onto(default, with_asserts)
            }
            None => test,
        })
        .collect();
    tests.iter().for_each(|test| refuse_unknown(test, config, reader));
    let mut engine = Engine::default();
    let mut judges = SuiteJudges::default();
    let mut choices = Vec::new();
    for test in &tests {
        for mut vars in combinations(test, reader) {
            if let Err(problem) = render::resolve(&mut vars) {
                reader.error(&test.place, problem);
            }
            let (asserts, metrics) = asserts_of(test, &vars, &mut engine, &mut judges, reader)?;
            let number = choices.len() + 1;
            choices.push(Choice { number, name: String::new(), test, vars, asserts, metrics });
        }
    }
    name(&mut choices);
    let columns = Columns::beside(&choices);
    let several = config.providers.len() > 1;
    let mut slugs: BTreeSet<String> = judges.list().iter().map(|judge| judge.slug.clone()).collect();
    let mut suite_prompts = Vec::new();
    for (index, prompt) in config.prompts.iter().enumerate() {
        for provider in &config.providers {
            let is_given = provider.prompts.as_ref().is_none_or(|only| only.iter().any(|one| prompts::is_meant(one, prompt)));
            let chosen: Vec<&Choice<'_>> =
                choices.iter().filter(|choice| is_given && is_put(choice.test, prompt, provider)).collect();
            if chosen.is_empty() {
                reader.note(&prompt.place, format!("no test puts a case to this prompt with `{}`", provider.id));
                continue;
            }
            let mut slug = slug_of(prompt.title.as_deref().unwrap_or(""), &format!("prompt-{}", index + 1));
            if several {
                let name = provider.label.as_deref().unwrap_or(&provider.model);
                slug = format!("{slug}-{}", slug_of(name, "model"));
            }
            let slug = unique(slug, &mut slugs);
            if let Some(prompt) = suite_prompt(slug, prompt, provider, &chosen, config.repeat, &columns, &mut engine, reader) {
                suite_prompts.push(prompt);
            }
        }
    }
    Some(Suite { description: config.description.clone(), prompts: suite_prompts, judges: judges.into_list() })
}

/// Refuses names of prompts and providers that the configuration does not have: promptfoo does, too.
fn refuse_unknown(test: &Test, config: &Config, reader: &mut Reader<'_>) {
    for name in test.prompts.iter().flatten() {
        if !config.prompts.iter().any(|prompt| prompts::is_meant(name, prompt)) {
            reader.error(&test.place, format!("the configuration has no prompt `{name}`"));
        }
    }
    for name in test.providers.iter().flatten() {
        if !config.providers.iter().any(|provider| providers::is_meant(name, provider)) {
            reader.error(&test.place, format!("the configuration has no provider `{name}`"));
        }
    }
}

fn is_put(test: &Test, prompt: &Prompt, provider: &Provider) -> bool {
    let prompt_is_meant = test.prompts.as_ref().is_none_or(|only| only.iter().any(|one| prompts::is_meant(one, prompt)));
    let provider_is_meant = test.providers.as_ref().is_none_or(|only| only.iter().any(|one| providers::is_meant(one, provider)));
    prompt_is_meant && provider_is_meant
}

/// Returns every choice of one value for each variable: a list of texts stands for its items, a file for what is in it.
fn combinations(test: &Test, reader: &mut Reader<'_>) -> Vec<Vars> {
    let mut combinations = vec![Vars::new()];
    for (name, value) in &test.vars {
        let values = match value {
            _ if test.options.keeps_lists == Some(true) => vec![value.clone()],
            Value::String(reference) if reference.starts_with("file://") => {
                let pattern = &reference["file://".len()..];
                reader.matching(pattern, &test.place).into_iter().map(|path| Value::from(format!("file://{path}"))).collect()
            }
            Value::Array(items) if items.first().is_some_and(Value::is_string) => items.clone(),
            _ => vec![value.clone()],
        };
        let values: Vec<Value> = values.into_iter().map(|value| plain(value, &test.place, reader)).collect();
        combinations = combinations
            .into_iter()
            .flat_map(|combination| {
                values.iter().map(move |value| {
                    let mut next = combination.clone();
                    next.insert(name.clone(), value.clone());
                    next
                })
            })
            .collect();
    }
    combinations
}

/// Returns a value as a prompt sees it: what a file holds, without the line end at its end; nothing as an empty text.
fn plain(value: Value, place: &Place, reader: &mut Reader<'_>) -> Value {
    let text = match value {
        Value::Null => return Value::from(""),
        Value::String(text) => text,
        other => return other,
    };
    let Some(path) = text.strip_prefix("file://") else {
        return Value::from(text.strip_suffix('\n').unwrap_or(&text));
    };
    // Code was refused where it stands.
    if is_code(path) {
        return Value::Null;
    }
    match ending(path).as_str() {
        "yaml" | "yml" => match reader.document(path, place) {
            Some(document) => Value::from(reader.value(document.root()).to_string()),
            None => Value::Null,
        },
        media @ ("pdf" | "png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp" | "svg" | "mp3" | "wav" | "m4a" | "mp4" | "webm") => {
            reader.error(place, format!("`{path}`: a variable out of a `.{media}` file is not taken over"));
            Value::Null
        }
        _ => reader.open(path, place).map_or(Value::Null, |(_, text)| Value::from(text.trim())),
    }
}

/// Returns what is expected of a choice, as the cell of its column.
fn asserts_of(
    test: &Test,
    vars: &Vars,
    engine: &mut Engine,
    judges: &mut SuiteJudges,
    reader: &mut Reader<'_>,
) -> Option<(Value, BTreeSet<String>)> {
    let mut scoring = Scoring { vars, engine, reader, grader: &test.options.grader, judges };
    let members: Vec<Value> = test.asserts.iter().filter_map(|assert| assert.member(&mut scoring)).collect();
    let counts = |member: &Value| member.get("weight").is_none_or(|weight| weight.as_f64() != Some(0.0));
    if !members.is_empty() && !members.iter().any(counts) {
        reader.error(&test.place, "no assertion of the test has a `weight` above 0, so there is nothing to judge by");
    }
    let cell = match test.threshold.filter(|_| !members.is_empty()) {
        Some(threshold) if !(0.0..=1.0).contains(&threshold) => {
            reader.error(&test.place, format!("`threshold` lies from 0 to 1, not at {threshold}"));
            return None;
        }
        Some(threshold) => json!({"of": members, "threshold": number_of(threshold)}),
        None => Value::Array(members),
    };
    let metrics = per_case::metrics(&cell);
    Some((cell, metrics))
}

/// Names every choice by its description, with its number where several share one.
fn name(choices: &mut [Choice<'_>]) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for choice in choices.iter() {
        *counts.entry(choice.test.description.clone().unwrap_or_default()).or_default() += 1;
    }
    for choice in choices {
        let description = choice.test.description.clone().unwrap_or_default();
        let number = choice.number;
        choice.name = match counts[&description] {
            _ if description.trim().is_empty() => number.to_string(),
            1 => description,
            _ => format!("{description} ({number})"),
        };
    }
}

impl Columns {
    /// Chooses names that no variable has.
    fn beside(choices: &[Choice<'_>]) -> Self {
        let taken: BTreeSet<&String> = choices.iter().flat_map(|choice| choice.vars.keys()).collect();
        let free = |name: &str| {
            let mut name = name.to_owned();
            while taken.contains(&name) {
                name.push('_');
            }
            name
        };
        let (case, asserts, must_pass) = (free("case"), free("asserts"), free("must_pass"));
        Self { case, asserts, must_pass, prefix: free("prefix"), suffix: free("suffix") }
    }
}

#[expect(clippy::too_many_arguments, reason = "every part of the configuration meets here, and nowhere else")]
fn suite_prompt(
    slug: String,
    prompt: &Prompt,
    provider: &Provider,
    chosen: &[&Choice<'_>],
    repeat: u32,
    columns: &Columns,
    engine: &mut Engine,
    reader: &mut Reader<'_>,
) -> Option<SuitePrompt> {
    let affixes = Affixes::of(chosen);
    let bodies = affixes.applied(prompt, columns, reader)?;
    let mut templates = Vec::new();
    for (role, text) in bodies {
        match template::translate(&text) {
            Ok(translated) => templates.push((role, translated)),
            Err(refused) => {
                let shown = text.get(refused.range.clone()).unwrap_or_default();
                reader.error(&prompt.place, format!("the prompt's template, at `{shown}`: {}", refused.message));
                return None;
            }
        }
    }
    let mut evals: BTreeMap<u32, SuiteEval> = BTreeMap::new();
    for choice in chosen {
        let mut values = choice.vars.clone();
        if affixes == Affixes::PerCase {
            for (column, text) in [(&columns.prefix, &choice.test.options.prefix), (&columns.suffix, &choice.test.options.suffix)]
            {
                match engine.render(text.as_deref().unwrap_or(""), &choice.vars) {
                    Ok(text) => drop(values.insert(column.clone(), Value::from(text))),
                    Err(problem) => reader.error(&choice.test.place, problem),
                }
            }
        }
        fits(prompt, &templates, &values, choice, engine, reader);
        let eval = evals.entry(choice.test.options.repeat.unwrap_or(repeat)).or_insert_with_key(|repeats| SuiteEval {
            repeats: *repeats,
            rows: Vec::new(),
            metrics: BTreeSet::new(),
            judges: BTreeSet::new(),
            columns: columns.clone(),
        });
        eval.metrics.extend(choice.metrics.iter().cloned());
        eval.judges.extend(rubric::named(&choice.asserts));
        eval.rows.push(row(choice, values, columns));
    }
    let content = content(provider, templates, evals.values().flat_map(|eval| &eval.rows).collect());
    Some(SuitePrompt { slug, provider: provider.id.clone(), content, evals: evals.into_values().collect() })
}

/// Holds the values of a case against what the templates do to them.
fn fits(
    prompt: &Prompt,
    templates: &[(Role, Translated)],
    values: &Vars,
    choice: &Choice<'_>,
    engine: &mut Engine,
    reader: &mut Reader<'_>,
) {
    let is_text = matches!(prompt.body, Body::Text(_));
    let of_texts = prompt.dumped.iter().find(|name| values.get(*name).is_some_and(|value| !value.is_string()));
    let problem = match of_texts {
        Some(name) => Err(format!("`{name}` is written with `dump` and is no text")),
        None => templates.iter().try_for_each(|(_, translated)| translated.check(values)),
    };
    let problem = problem.and_then(|()| match templates {
        // The chat providers of promptfoo read a text that is JSON as a chat.
        [(Role::User, translated)] if is_text && engine.render(&translated.text, values).is_ok_and(|text| is_json(&text)) => {
            Err("the prompt comes to JSON, which promptfoo sends as a chat; write it as a chat with one message".to_owned())
        }
        _ => Ok(()),
    });
    if let Err(problem) = problem {
        reader.error(&choice.test.place, format!("case {}: {problem}", choice.number));
    }
}

/// Tells whether a text is JSON as a whole. Most texts show at their first letter that they are none.
fn is_json(text: &str) -> bool {
    let first = text.trim_start().chars().next();
    first.is_some_and(|first| first.is_ascii_digit() || "{[\"-tfn".contains(first)) && serde_json::from_str::<Value>(text).is_ok()
}

fn row(choice: &Choice<'_>, values: Vars, columns: &Columns) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert(columns.case.clone(), Value::from(choice.name.as_str()));
    row.extend(values);
    row.insert(columns.asserts.clone(), choice.asserts.clone());
    row.insert(columns.must_pass.clone(), Value::from(true));
    if !choice.test.metadata.is_empty() && !row.contains_key("metadata") {
        row.insert("metadata".to_owned(), Value::Object(choice.test.metadata.clone()));
    }
    row
}

/// What stands before and behind a prompt.
#[derive(Debug, PartialEq, Eq)]
enum Affixes {
    /// The same for every case.
    Same(String, String),
    /// A text of the case.
    PerCase,
}

impl Affixes {
    fn of(chosen: &[&Choice<'_>]) -> Self {
        let of = |choice: &&Choice<'_>| {
            let options = &choice.test.options;
            (options.prefix.clone().unwrap_or_default(), options.suffix.clone().unwrap_or_default())
        };
        let pairs: BTreeSet<(String, String)> = chosen.iter().map(of).collect();
        match pairs.into_iter().collect::<Vec<_>>().as_slice() {
            [(prefix, suffix)] => Self::Same(prefix.clone(), suffix.clone()),
            _ => Self::PerCase,
        }
    }

    /// Returns the templates of a prompt with what stands around them.
    fn applied(&self, prompt: &Prompt, columns: &Columns, reader: &mut Reader<'_>) -> Option<Vec<(Role, String)>> {
        match (&prompt.body, self) {
            (Body::Text(text), Self::Same(prefix, suffix)) => Some(vec![(Role::User, format!("{prefix}{text}{suffix}"))]),
            (Body::Text(text), Self::PerCase) => {
                let Columns { prefix, suffix, .. } = columns;
                Some(vec![(Role::User, format!("{{{{ {prefix} }}}}{text}{{{{ {suffix} }}}}"))])
            }
            (Body::Chat(messages), Self::Same(prefix, suffix)) if prefix.is_empty() && suffix.is_empty() => {
                Some(messages.clone())
            }
            (Body::Chat(_), _) => {
                reader.error(&prompt.place, "`prefix` and `suffix` around a chat make it no JSON, so they are not taken over");
                None
            }
        }
    }
}

fn content(provider: &Provider, templates: Vec<(Role, Translated)>, rows: Vec<&Map<String, Value>>) -> Content {
    let mut names: Vec<String> = Vec::new();
    for name in templates.iter().flat_map(|(_, translated)| translated.variables()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let inputs = names.into_iter().map(|name| {
        let schema = input_schema(&name, &rows);
        (name, schema)
    });
    let is_text = matches!(templates.as_slice(), [(Role::User, _)]);
    let messages = templates.into_iter().map(|(role, translated)| Message { role, content: translated.text });
    let body = if is_text {
        PromptBody::Template(messages.map(|message| message.content).collect())
    } else {
        PromptBody::Messages(messages.collect())
    };
    Content {
        model: provider.model.clone(),
        parameters: provider.parameters.clone(),
        inputs: inputs.collect(),
        output: None,
        tools: provider.tools.clone(),
        body,
        includes: BTreeMap::new(),
    }
}

/// Returns what the cases give to a variable. One that a case lacks has an empty text there, as it would print.
fn input_schema(name: &str, rows: &[&Map<String, Value>]) -> Value {
    let values: Vec<Option<&Value>> = rows.iter().map(|row| row.get(name)).collect();
    let type_of = |value: &Value| match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    };
    let types: BTreeSet<&str> = values.iter().flatten().map(|value| type_of(value)).collect();
    let mut schema = match types.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => json!({"type": one}),
        _ => json!({}),
    };
    if values.iter().any(Option::is_none) {
        let is_text = schema.get("type").is_none_or(|name| name == "string");
        schema = if is_text { schema } else { json!({}) };
        schema["default"] = Value::from("");
    }
    schema
}

/// Makes a part of an id out of a title.
pub(super) fn slug_of(title: &str, otherwise: &str) -> String {
    let mut slug = String::new();
    for character in title.to_lowercase().chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() { otherwise.to_owned() } else { slug.to_owned() }
}

/// Returns a name that is not taken yet.
pub(super) fn unique(slug: String, taken: &mut BTreeSet<String>) -> String {
    let mut name = slug.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{slug}-{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_parts_of_ids() {
        for (title, slug) in [("Friendly tone!", "friendly-tone"), ("--", "x"), ("Grüße 2", "gr-e-2"), ("gpt-4o", "gpt-4o")] {
            assert_eq!(slug_of(title, "x"), slug);
        }
        let mut taken = BTreeSet::new();
        assert_eq!([unique("a".into(), &mut taken), unique("a".into(), &mut taken)], ["a", "a-2"]);
    }

    #[test]
    fn an_input_has_the_type_of_its_values() {
        let rows = [json!({"a": "x", "b": 1, "c": [1]}), json!({"a": "y", "b": "2"})];
        let rows: Vec<&Map<String, Value>> = rows.iter().map(|row| row.as_object().unwrap()).collect();
        assert_eq!(input_schema("a", &rows), json!({"type": "string"}));
        assert_eq!(input_schema("b", &rows), json!({}));
        assert_eq!(input_schema("c", &rows), json!({"default": ""}));
        assert_eq!(input_schema("d", &rows), json!({"default": ""}));
    }
}
