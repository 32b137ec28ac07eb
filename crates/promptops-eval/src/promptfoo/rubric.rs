//! `llm-rubric`: the models that judge, as prompts of their own.

use std::collections::{BTreeMap, BTreeSet};

use promptops_prompt::{Body as PromptBody, Content, Message, Role};
use serde_json::{Map, Value, json};

use super::prompts::{self, Body};
use super::providers::{self, Provider};
use super::reader::{At, Place, Reader};
use super::suite::{slug_of, unique};
use super::template;

/// What promptfoo asks a judge with unless a configuration has a `rubricPrompt`.
const SYSTEM: &str = r#"You are grading output according to a user-specified rubric. If the statement in the rubric is true, then the output passes the test. You respond with a JSON object with this structure: {reason: string, pass: boolean, score: number}

Examples:

<Output>Hello world</Output>
<Rubric>Content contains a greeting</Rubric>
{"reason": "the content contains the word 'Hello'", "pass": true, "score": 1.0}

<Output>Avast ye swabs, repel the invaders!</Output>
<Rubric>Does not speak like a pirate</Rubric>
{"reason": "'avast ye' is a common pirate term", "pass": false, "score": 0.0}"#;
const USER: &str = "<Output>\n{{ output }}\n</Output>\n<Rubric>\n{{ rubric }}\n</Rubric>";

/// The names under which our judges are given what they judge, and by what.
const ANSWER: &str = "answer";
const REFERENCE: &str = "reference";

/// Which model judges, and how it is asked, as far as one place of a configuration says.
#[derive(Debug, Clone, Default)]
pub(super) struct Grader {
    provider: Option<Provider>,
    prompt: Option<Body>,
}

impl Grader {
    /// Adds what a more general place says.
    pub(super) fn or(self, general: &Self) -> Self {
        Self {
            provider: self.provider.or_else(|| general.provider.clone()),
            prompt: self.prompt.or_else(|| general.prompt.clone()),
        }
    }

    pub(super) fn read_prompt(&mut self, at: At<'_>, reader: &mut Reader<'_>) {
        let is_chat = at.items().is_some_and(|items| !items.is_empty());
        if at.text().is_some_and(|text| !text.is_empty()) || is_chat {
            self.prompt = prompts::of_judge(at, reader);
        } else if at.pairs().is_some() {
            reader.note(&at.place(), "a mapping as `rubricPrompt` has no effect on `llm-rubric`");
        }
    }

    pub(super) fn read_provider(&mut self, at: At<'_>, reader: &mut Reader<'_>) {
        let kinds: Vec<&str> = at.pairs().into_iter().flatten().map(|(key, ..)| key).collect();
        if !kinds.is_empty() && kinds.iter().all(|kind| ["embedding", "classification", "moderation"].contains(kind)) {
            reader.note(&at.place(), "a provider of this kind judges by no rubric, and has no effect");
            return;
        }
        self.provider = providers::judging(at, reader);
    }
}

/// A model that judges.
#[derive(Debug)]
pub(super) struct SuiteJudge {
    /// The last part of its id.
    pub(super) slug: String,
    /// The provider, as the configuration names it.
    pub(super) provider: String,
    pub(super) content: Content,
}

/// The models that judge in a suite, each way of asking once.
#[derive(Debug, Default)]
pub(super) struct SuiteJudges {
    list: Vec<SuiteJudge>,
    known: BTreeMap<String, Result<Known, String>>,
}

/// A judge that was built, and what it needs of each case.
#[derive(Debug, Clone)]
struct Known {
    /// An index into the list.
    judge: usize,
    /// Its variables that tests fill: by their name here, their name there.
    inputs: BTreeMap<String, String>,
    templates: Vec<template::Translated>,
}

/// Stands for the namespace until it is known.
const PLACEHOLDER: &str = "judge";

impl SuiteJudges {
    pub(super) fn list(&self) -> &[SuiteJudge] {
        &self.list
    }

    pub(super) fn into_list(self) -> Vec<SuiteJudge> {
        self.list
    }

    /// Returns the scorer that judges a case by a rubric.
    ///
    /// # Errors
    /// Why the judge cannot be taken over, or the case's values not given to it, for people.
    pub(super) fn scorer(
        &mut self,
        grader: &Grader,
        rubric: &str,
        min_score: Option<Value>,
        vars: &Map<String, Value>,
        (place, reader): (&Place, &mut Reader<'_>),
    ) -> Result<Value, String> {
        let provider = grader.provider.clone().unwrap_or_else(providers::judging_by_default);
        if grader.provider.is_none() {
            let model = &provider.model;
            reader.note(place, format!("no `provider` judges by rubrics; `{model}` does, as with promptfoo and a key of OpenAI"));
        }
        let key = json!([provider.id, provider.parameters, grader.prompt.as_ref().map(|body| format!("{body:?}"))]).to_string();
        if !self.known.contains_key(&key) {
            let built = self.build(&provider, grader.prompt.as_ref());
            self.known.insert(key.clone(), built);
        }
        let known = self.known[&key].clone()?;
        let mut values: Map<String, Value> =
            Map::from_iter([(ANSWER.to_owned(), json!("")), (REFERENCE.to_owned(), json!(rubric))]);
        for (name, column) in &known.inputs {
            if let Some(value) = vars.get(column) {
                values.insert(name.clone(), value.clone());
            }
        }
        known.templates.iter().try_for_each(|template| template.check(&values))?;
        let judge = &self.list[known.judge];
        let mut scorer = json!({"type": "judge", "prompt": format!("{PLACEHOLDER}.{}@1", judge.slug), "like": "promptfoo"});
        if !rubric.trim().is_empty() {
            scorer["value"] = Value::from(rubric);
        }
        if let Some(min_score) = min_score {
            scorer["min_score"] = min_score;
        }
        if !known.inputs.is_empty() {
            scorer["inputs"] = json!(known.inputs);
        }
        Ok(scorer)
    }

    fn build(&mut self, provider: &Provider, prompt: Option<&Body>) -> Result<Known, String> {
        let messages = match prompt {
            None => vec![(Role::System, SYSTEM.to_owned()), (Role::User, USER.to_owned())],
            Some(Body::Text(text)) => vec![(Role::User, text.clone())],
            Some(Body::Chat(messages)) => messages.clone(),
        };
        let mut inputs = BTreeMap::new();
        let mut templates = Vec::new();
        for (_, text) in &messages {
            let translated = template::translate(text).map_err(|refused| {
                let shown = text.get(refused.range.clone()).unwrap_or_default();
                format!("the template of the judge, at `{shown}`: {}", refused.message)
            })?;
            for name in translated.variables().into_iter().filter(|name| !["output", "rubric"].contains(name)) {
                inputs.insert(our_name(name), name.to_owned());
            }
            templates.push(translated.renamed(our_name));
        }
        let taken: BTreeSet<String> = self.list.iter().map(|judge| judge.slug.clone()).collect();
        let slug = if taken.is_empty() { PLACEHOLDER.to_owned() } else { format!("judge-{}", slug_of(&provider.model, "model")) };
        let slug = unique(slug, &mut taken.clone());
        let judged =
            [(ANSWER.to_owned(), json!({"type": "string"})), (REFERENCE.to_owned(), json!({"type": "string", "default": ""}))];
        let further = inputs.keys().map(|name| (name.clone(), json!({"default": ""})));
        let named = templates.iter().zip(&messages);
        let messages = named.map(|(template, (role, _))| Message { role: *role, content: template.text.clone() }).collect();
        let content = Content {
            model: provider.model.clone(),
            parameters: provider.parameters.clone(),
            inputs: judged.into_iter().chain(further).collect(),
            output: None,
            tools: provider.tools.clone(),
            body: PromptBody::Messages(messages),
            includes: BTreeMap::new(),
        };
        self.list.push(SuiteJudge { slug, provider: provider.id.clone(), content });
        Ok(Known { judge: self.list.len() - 1, inputs, templates })
    }
}

/// Returns the name of a variable in our judges: theirs are fixed for what is judged, and by what.
fn our_name(name: &str) -> String {
    match name {
        "output" => ANSWER.to_owned(),
        "rubric" => REFERENCE.to_owned(),
        ANSWER | REFERENCE => format!("{name}_of_test"),
        other => other.to_owned(),
    }
}

/// Returns the slugs of the judges that a cell of scorers names.
pub(super) fn named(cell: &Value) -> BTreeSet<String> {
    let mut slugs = BTreeSet::new();
    each_judge(&mut cell.clone(), &mut |prompt| {
        slugs.extend(slug_in(prompt).map(str::to_owned));
    });
    slugs
}

/// Puts a namespace into the judges that a cell of scorers names.
pub(super) fn in_namespace(cell: &mut Value, namespace: &str) {
    each_judge(cell, &mut |prompt| {
        if let Some(slug) = slug_in(prompt) {
            *prompt = format!("{namespace}.{slug}@1");
        }
    });
}

fn slug_in(prompt: &str) -> Option<&str> {
    prompt.strip_prefix(PLACEHOLDER)?.strip_prefix('.')?.strip_suffix("@1")
}

fn each_judge(value: &mut Value, act: &mut impl FnMut(&mut String)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_judge(item, act)),
        Value::Object(fields) => {
            if fields.get("type").and_then(Value::as_str) == Some("judge")
                && let Some(Value::String(prompt)) = fields.get_mut("prompt")
            {
                act(prompt);
            }
            if let Some(of) = fields.get_mut("of") {
                each_judge(of, act);
            }
        }
        _ => {}
    }
}
