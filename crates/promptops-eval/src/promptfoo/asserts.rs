//! Assertions of promptfoo, as scorers.

use serde_json::{Map, Value, json};

use super::csv_tests::number;
use super::reader::{At, Place, Reader, ending, is_code};
use super::regex_dialect;
use super::render::Engine;
use super::rubric::{Grader, SuiteJudges};
use super::template::is_template;
use crate::scorer::per_case;

/// One assertion, or a set of them.
#[derive(Debug, Clone)]
pub(super) struct Assert {
    /// Where its type is written.
    pub(super) place: Place,
    /// The type without `not-`.
    kind: Kind,
    is_negated: bool,
    value: Option<Expected>,
    pub(super) threshold: Option<f64>,
    weight: Option<f64>,
    pub(super) metric: Option<String>,
    grader: Grader,
}

#[derive(Debug, Clone)]
enum Kind {
    One(String),
    Set(Vec<Assert>),
}

/// What is expected.
#[derive(Debug, Clone)]
struct Expected {
    value: Value,
    place: Place,
    /// Read from a file, which promptfoo takes as it stands.
    is_literal: bool,
}

/// Types that are judged here.
const KNOWN: [&str; 37] = [
    "equals",
    "contains",
    "icontains",
    "contains-all",
    "icontains-all",
    "contains-any",
    "icontains-any",
    "starts-with",
    "regex",
    "is-json",
    "contains-json",
    "contains-html",
    "is-html",
    "is-xml",
    "contains-xml",
    "is-sql",
    "contains-sql",
    "perplexity",
    "perplexity-score",
    "is-refusal",
    "word-count",
    "levenshtein",
    "rouge-n",
    "bleu",
    "gleu",
    "latency",
    "cost",
    "finish-reason",
    "is-valid-function-call",
    "is-valid-openai-tools-call",
    "tool-call-f1",
    "llm-rubric",
    "javascript",
    "python",
    "ruby",
    "webhook",
    "assert-set",
];

/// Types that run what somebody wrote.
const CODE: [&str; 4] = ["javascript", "python", "ruby", "webhook"];

/// Types whose score, or more, promptfoo leaves as it is behind `not-`.
const IGNORES_NOT: [&str; 3] = ["is-valid-function-call", "is-valid-openai-tools-call", "tool-call-f1"];

/// Types of promptfoo that have no counterpart.
const WITHOUT_COUNTERPART: [&str; 30] = [
    "agent-rubric",
    "answer-relevance",
    "classifier",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "conversation-relevance",
    "factuality",
    "g-eval",
    "guardrails",
    "human",
    "is-valid-openai-function-call",
    "max-score",
    "meteor",
    "model-graded-closedqa",
    "model-graded-factuality",
    "moderation",
    "pi",
    "search-rubric",
    "select-best",
    "similar",
    "similar:cosine",
    "similar:dot",
    "similar:euclidean",
    "skill-used",
    "trace-error-spans",
    "trace-span-count",
    "trace-span-duration",
    "trajectory:goal-success",
    "trajectory:step-count",
];

/// Reads a list of assertions.
pub(super) fn read_list(list: At<'_>, reader: &mut Reader<'_>) -> Vec<Assert> {
    match list.items() {
        Some(items) => items.into_iter().filter_map(|item| read(item, reader)).collect(),
        None => {
            reader.error(&list.place(), format!("`assert` is a list, not {}", list.node.type_name()));
            Vec::new()
        }
    }
}

fn read(at: At<'_>, reader: &mut Reader<'_>) -> Option<Assert> {
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("an assertion is a mapping, not {}", at.node.type_name()));
        return None;
    };
    let Some(kind) = at.get("type") else {
        reader.error(&at.place(), "the assertion lacks `type`");
        return None;
    };
    let name = reader.text("`type` of an assertion", kind)?;
    let mut assert = Assert::new(name, kind.place(), reader)?;
    for (key, place, value) in pairs {
        match key {
            "type" => {}
            "value" => assert.value = expected(value, reader),
            "threshold" => assert.threshold = reader.number("`threshold`", value),
            "weight" => assert.weight = reader.number("`weight`", value),
            "metric" => assert.metric = reader.text("`metric`", value).map(str::to_owned),
            "provider" if assert.is_of("llm-rubric") => assert.grader.read_provider(value, reader),
            "rubricPrompt" if assert.is_of("llm-rubric") => assert.grader.read_prompt(value, reader),
            "provider" | "rubricPrompt" => {
                reader.note(&place, format!("`{key}` has an effect on assertions alone that a model judges"));
            }
            "assert" => match &mut assert.kind {
                Kind::Set(of) => *of = read_list(value, reader),
                Kind::One(_) => reader.error(&place, "only an `assert-set` has assertions of its own"),
            },
            "config" => reader.note(&place, "`config` of an assertion has no effect on what is no code"),
            "transform" | "contextTransform" => reader.code(&place, &format!("`{key}`")),
            other => reader.error(&place, format!("an assertion has no field `{other}`")),
        }
    }
    if let Kind::Set(of) = &assert.kind
        && of.iter().any(|inner| matches!(inner.kind, Kind::Set(_)))
    {
        reader.error(&assert.place, "an `assert-set` holds assertions, not further sets");
        return None;
    }
    Some(assert)
}

impl Assert {
    fn new(name: &str, place: Place, reader: &mut Reader<'_>) -> Option<Self> {
        let base = name.strip_prefix("not-");
        let (kind, is_negated) = (base.unwrap_or(name), base.is_some());
        if CODE.contains(&kind) {
            reader.code(&place, &format!("the assertion `{name}`"));
            return None;
        }
        if kind.starts_with("promptfoo:redteam:") || WITHOUT_COUNTERPART.contains(&kind) || kind.starts_with("trajectory:") {
            let hint = "take it out, or judge by a scorer of type `command` or by a judge";
            reader.error_with_hint(&place, format!("the assertion `{name}` has no counterpart"), hint);
            return None;
        }
        if !KNOWN.contains(&kind) || (kind == "assert-set" && is_negated) {
            reader.error(&place, format!("promptfoo knows no assertion `{name}`"));
            return None;
        }
        let kind = if kind == "assert-set" { Kind::Set(Vec::new()) } else { Kind::One(kind.to_owned()) };
        Some(Self {
            place,
            kind,
            is_negated,
            value: None,
            threshold: None,
            weight: None,
            metric: None,
            grader: Grader::default(),
        })
    }

    fn is_of(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::One(kind) if kind == name)
    }
}

/// Reads a value; what a file holds takes the place of its name.
fn expected(at: At<'_>, reader: &mut Reader<'_>) -> Option<Expected> {
    let place = at.place();
    if let Some(text) = at.text() {
        let (value, is_literal) = loaded(text, &place, reader)?;
        return Some(Expected { value, place, is_literal });
    }
    if let Some(items) = at.items() {
        let mut values = Vec::new();
        for item in items {
            values.push(match item.text() {
                Some(text) => loaded(text, &item.place(), reader)?.0,
                None => reader.value(item),
            });
        }
        return Some(Expected { value: Value::Array(values), place, is_literal: false });
    }
    Some(Expected { value: reader.value(at), place, is_literal: false })
}

fn loaded(text: &str, place: &Place, reader: &mut Reader<'_>) -> Option<(Value, bool)> {
    if text.starts_with("package:") {
        reader.code(place, &format!("`{text}`"));
        return None;
    }
    if !text.starts_with("file://") {
        return Some((Value::from(text), false));
    }
    if is_code(text) {
        reader.code(place, &format!("`{text}`"));
        return None;
    }
    match ending(text).as_str() {
        "json" | "yaml" | "yml" => {
            let document = reader.document(text, place)?;
            Some((reader.value(document.root()), true))
        }
        "txt" => reader.open(text, place).map(|(_, text)| (Value::from(text.trim()), true)),
        other => {
            reader.error(place, format!("a value is read from JSON, YAML and text files, not from `.{other}` files"));
            None
        }
    }
}

/// Reads what a cell of `__expected` says, as `contains-any: a, b`.
pub(super) fn from_cell(cell: &str, place: &Place, reader: &mut Reader<'_>) -> Option<Assert> {
    let code = ["javascript:", "fn:", "eval:", "python:"].iter().any(|start| cell.starts_with(start));
    if code || (cell.starts_with("file://") && is_code(cell)) {
        reader.code(place, &format!("`{cell}`"));
        return None;
    }
    let with = |name: &str, value: Option<Value>, reader: &mut Reader<'_>| {
        let mut assert = Assert::new(name, place.clone(), reader)?;
        assert.value = value.map(|value| Expected { value, place: place.clone(), is_literal: false });
        Some(assert)
    };
    for start in ["grade:", "llm-rubric:"] {
        if let Some(rubric) = cell.strip_prefix(start) {
            return with("llm-rubric", Some(Value::from(rubric)), reader);
        }
    }
    let Some((name, threshold, value)) = parted(cell) else { return with("equals", Some(Value::from(cell)), reader) };
    let base = name.strip_prefix("not-").unwrap_or(name);
    let trimmed = value.map(|value| Value::from(value.trim()));
    match base {
        "contains-all" | "contains-any" | "icontains-all" | "icontains-any" => {
            let values = match value.map(comma_separated) {
                Some(Ok(values)) => Some(Value::from(values)),
                Some(Err(problem)) => {
                    reader.error(place, format!("`{cell}`: {problem}"));
                    return None;
                }
                None => None,
            };
            with(name, values, reader)
        }
        "contains-json" | "is-json" => with(name, value.map(Value::from), reader),
        // promptfoo gives these a threshold even where the cell states none.
        "cost" | "latency" | "levenshtein" | "rouge-n" | "starts-with" => {
            let mut assert = with(name, trimmed, reader)?;
            assert.threshold = Some(threshold.unwrap_or(0.75));
            Some(assert)
        }
        _ => with(name, trimmed, reader),
    }
}

/// Parts `not-type(0.8): value` where the type is one of promptfoo's; without one the cell is what the answer equals.
fn parted(cell: &str) -> Option<(&str, Option<f64>, Option<&str>)> {
    let pattern = regex::Regex::new(r"^((?:not-)?[a-z0-9:-]+?)(?:\((\d+(?:\.\d+)?)\))?(?::([\s\S]*))?$").ok()?;
    let found = pattern.captures(cell)?;
    // The longest name counts: a type may hold a colon itself.
    let name = found.get(1)?.as_str();
    let base = name.strip_prefix("not-").unwrap_or(name);
    let is_type = (KNOWN.contains(&base) && base != "assert-set") || WITHOUT_COUNTERPART.contains(&base);
    is_type.then(|| (name, found.get(2).and_then(|text| number(text.as_str())), found.get(3).map(|value| value.as_str())))
}

/// Parts a text at its commas, as promptfoo does for `contains-any`: quoted parts may hold commas, empty ones count for nothing.
fn comma_separated(text: &str) -> Result<Vec<String>, String> {
    let characters: Vec<char> = text.chars().collect();
    let (mut parts, mut at) = (Vec::new(), 0);
    loop {
        while characters.get(at).is_some_and(|character| character.is_whitespace() || *character == ',') {
            at += 1;
        }
        match characters.get(at) {
            None => return Ok(parts),
            Some('"') => {
                let mut part = String::new();
                at += 1;
                loop {
                    match (characters.get(at), characters.get(at + 1)) {
                        (None, _) => return Err("a quoted part is not closed".to_owned()),
                        (Some('\\'), Some(next @ ('"' | '\\'))) | (Some('"'), Some(next @ '"')) => {
                            part.push(*next);
                            at += 2;
                        }
                        (Some('"'), _) => break,
                        (Some(other), _) => {
                            part.push(*other);
                            at += 1;
                        }
                    }
                }
                at += 1;
                while characters.get(at).is_some_and(|character| character.is_whitespace()) {
                    at += 1;
                }
                if characters.get(at).is_some_and(|character| *character != ',') {
                    return Err("a comma is expected behind a quoted part".to_owned());
                }
                parts.push(part);
            }
            Some(_) => {
                let part: String = characters[at..].iter().take_while(|character| **character != ',').collect();
                at += part.chars().count();
                parts.push(part.trim().to_owned());
            }
        }
    }
}

/// How the assertions of one case become scorers.
pub(super) struct Scoring<'a, 'f> {
    pub(super) vars: &'a Map<String, Value>,
    pub(super) engine: &'a mut Engine,
    pub(super) reader: &'a mut Reader<'f>,
    /// Which model judges by rubrics in this case.
    pub(super) grader: &'a Grader,
    pub(super) judges: &'a mut SuiteJudges,
}

impl Assert {
    /// Returns the assertion as a member of a set of scorers, or nothing after it was said why there is none.
    pub(super) fn member(&self, scoring: &mut Scoring<'_, '_>) -> Option<Value> {
        let mut member = match &self.kind {
            Kind::Set(of) => {
                let members: Vec<Option<Value>> = of.iter().map(|inner| inner.member(scoring)).collect();
                let mut set = json!({"type": "set", "of": members.into_iter().collect::<Option<Vec<_>>>()?});
                if let Some(threshold) = self.threshold {
                    set["threshold"] = number_of(threshold);
                    set["graded"] = Value::from(true);
                }
                set
            }
            Kind::One(kind) => match self.scorer(kind, scoring) {
                Ok(scorer) => scorer,
                Err(problem) => {
                    let place = self.value.as_ref().map_or(&self.place, |expected| &expected.place);
                    scoring.reader.error(place, format!("`{}`: {problem}", self.name(kind)));
                    return None;
                }
            },
        };
        if self.is_negated {
            if let Some(kind) = IGNORES_NOT.into_iter().find(|kind| self.is_of(kind)) {
                let message = format!("promptfoo does not turn `not-{kind}` around as it says, so it is not taken over");
                scoring.reader.error(&self.place, message);
                return None;
            }
            // What is put together for one assertion may be turned around itself.
            let is_turned = member.get("not").is_some();
            member = if is_turned { json!({"type": "set", "of": [member]}) } else { member };
            member["not"] = Value::from(true);
        }
        if let Err(problem) = per_case::read(&without_metrics(&member)) {
            scoring.reader.error(&self.place, problem);
            return None;
        }
        if let Some(weight) = self.weight {
            if weight < 0.0 {
                scoring.reader.error(&self.place, "a `weight` below 0 is not taken over");
            }
            member["weight"] = number_of(weight);
        }
        if let Some(metric) = &self.metric {
            match scoring.engine.render(metric, scoring.vars) {
                Ok(name) => member["metric"] = Value::from(name),
                Err(problem) => {
                    scoring.reader.error(&self.place, format!("`metric`: {problem}"));
                    return None;
                }
            }
        }
        Some(member)
    }

    fn name(&self, kind: &str) -> String {
        if self.is_negated { format!("not-{kind}") } else { kind.to_owned() }
    }

    /// Returns what is expected with the variables filled in.
    fn expected(&self, scoring: &mut Scoring<'_, '_>) -> Result<Option<Value>, String> {
        let Some(expected) = &self.value else { return Ok(None) };
        let vars = scoring.vars;
        let mut fill = |value: &Value| match value {
            Value::String(text) if is_template(text) => scoring.engine.render(text, vars).map(Value::from),
            other => Ok(other.clone()),
        };
        Ok(Some(match &expected.value {
            value if expected.is_literal => value.clone(),
            Value::Array(items) => Value::Array(items.iter().map(fill).collect::<Result<_, _>>()?),
            value => fill(value)?,
        }))
    }

    /// Lets a grade pass from the threshold on, or from this one.
    fn graded(&self, mut scorer: Value, otherwise: f64) -> Result<Value, String> {
        let threshold = self.threshold.unwrap_or(otherwise);
        if !(0.0..=1.0).contains(&threshold) {
            return Err(format!("`threshold` lies from 0 to 1, not at {threshold}"));
        }
        scorer["threshold"] = number_of(threshold);
        scorer["graded"] = Value::from(true);
        Ok(scorer)
    }

    fn scorer(&self, kind: &str, scoring: &mut Scoring<'_, '_>) -> Result<Value, String> {
        let expected = self.expected(scoring)?;
        let needed = || expected.clone().ok_or_else(|| "it lacks `value`".to_owned());
        let text = || match needed()? {
            Value::String(text) if !text.is_empty() => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(format!("`value` is a text that is not empty, not `{other}`")),
        };
        Ok(match kind {
            "equals" => match needed()? {
                value @ (Value::Object(_) | Value::Array(_)) => json!({"type": "equals", "value": value}),
                Value::Null => schema_of(&json!({"const": null})),
                value => json!({"type": "equals", "value": text_of(&value)}),
            },
            "contains" | "icontains" => json!({"type": kind, "value": text()?}),
            "contains-all" | "icontains-all" | "contains-any" | "icontains-any" => {
                json!({"type": kind, "value": list(needed()?)?})
            }
            "starts-with" => json!({"type": "starts-with", "value": text()?}),
            "regex" => json!({"type": "regex", "pattern": regex_dialect::translate(&text()?)?}),
            "is-json" => schema(expected.as_ref())?.map_or_else(|| json!({"type": "json-valid"}), |schema| schema_of(&schema)),
            "contains-json" => match schema(expected.as_ref())? {
                Some(schema) => json!({"type": "contains-json", "schema": schema}),
                None => json!({"type": "contains-json"}),
            },
            "is-refusal" => json!({"type": "refusal", "like": "promptfoo"}),
            "word-count" => word_count(&needed()?)?,
            "levenshtein" => {
                let most = self.threshold.unwrap_or(5.0).floor();
                if most < 0.0 {
                    return Err("no distance is below 0".to_owned());
                }
                json!({"type": "levenshtein", "value": text_of(&needed()?), "max_distance": number_of(most)})
            }
            "rouge-n" => {
                let value = json!({"type": "rouge-n", "value": text()?, "like": "promptfoo"});
                self.graded(value, 0.75)?
            }
            "bleu" => self.graded(json!({"type": "bleu", "value": texts(needed()?)?, "like": "promptfoo"}), 0.5)?,
            "gleu" => self.graded(json!({"type": "gleu", "value": texts(needed()?)?}), 0.5)?,
            "contains-html" => contains_html()?,
            "perplexity" => match self.threshold {
                Some(most) if most >= 1.0 => json!({"type": "perplexity", "max": number_of(most)}),
                Some(most) => return Err(format!("no perplexity is below 1, so none is at most {most}")),
                None => return Err("without a `threshold` it passes whatever comes".to_owned()),
            },
            "perplexity-score" => match self.threshold {
                None => return Err("without a `threshold` it passes whatever comes".to_owned()),
                Some(threshold) => self.graded(json!({"type": "perplexity"}), threshold)?,
            },
            "is-html" => json!({"type": "html-valid"}),
            "is-xml" => with_elements("xml-valid", expected)?,
            "contains-xml" => with_elements("contains-xml", expected)?,
            "is-sql" => in_dialect("sql-valid", expected)?,
            "contains-sql" => in_dialect("contains-sql", expected)?,
            "is-valid-function-call" | "is-valid-openai-tools-call" => json!({"type": "tool-call"}),
            "tool-call-f1" => {
                let names: Vec<String> = match needed()? {
                    Value::Array(items) => items.iter().map(|item| text_of(item).trim().to_owned()).collect(),
                    Value::String(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
                    other => return Err(format!("`value` is a list of tools, not `{other}`")),
                };
                let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
                if names.is_empty() {
                    return Err("`value` names no tool".to_owned());
                }
                let scorer = json!({"type": "tool-call", "value": names, "arguments": "ignore", "distinct": true});
                self.graded(scorer, 1.0)?
            }
            "latency" | "cost" => {
                let threshold = self.threshold.ok_or("it lacks `threshold`")?;
                json!({"type": kind, "threshold": number_of(threshold)})
            }
            "finish-reason" => json!({"type": "finish-reason", "value": text()?.to_lowercase()}),
            "llm-rubric" => {
                let rubric = expected.as_ref().map(text_of).unwrap_or_default();
                let grader = self.grader.clone().or(scoring.grader);
                let min_score = self.threshold.map(number_of);
                scoring.judges.scorer(&grader, &rubric, min_score, scoring.vars, (&self.place, &mut *scoring.reader))?
            }
            other => return Err(format!("`{other}` has no counterpart")),
        })
    }
}

/// Returns texts that are expected: one or several.
fn texts(value: Value) -> Result<Vec<String>, String> {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    match value {
        Value::String(_) if is_text(&value) => Ok(vec![text_of(&value)]),
        Value::Array(items) if !items.is_empty() && items.iter().all(is_text) => Ok(items.iter().map(text_of).collect()),
        other => Err(format!("`value` is one or several texts that are not empty, not `{other}`")),
    }
}

/// Signs of HTML, as promptfoo counts them: two of ten points are enough.
fn contains_html() -> Result<Value, String> {
    const TAGS: &str =
        r"<(html|head|body|div|span|p|a|img|h[1-6]|ul|ol|li|table|tr|td|th|form|input|button|script|style|link|meta|br|hr)\b";
    let signs = [
        (1, "", r"<[a-zA-Z][a-zA-Z0-9-]*(?:\s[^>]*)?>"),
        (1, "", r"<\/[a-zA-Z][a-zA-Z0-9-]*\s*>"),
        (1, "", r"<[a-zA-Z][a-zA-Z0-9-]*(?:\s[^>]*)?\/>"),
        (1, "", r"&(?:[a-zA-Z]+|#[0-9]+|#x[0-9a-fA-F]+);"),
        (2, "(?i)", r"<!DOCTYPE\s+html"),
        (1, "", r"<!--[^-]*(?:-[^-]+)*-->"),
        (1, "", r#"\s[a-zA-Z-]+=\s*["'][^"']*["']"#),
        (2, "(?i)", TAGS),
    ];
    let member = |(points, flags, pattern): (i32, &str, &str)| {
        let pattern = format!("{flags}{}", regex_dialect::translate(pattern)?);
        Ok(json!({"type": "regex", "pattern": pattern, "weight": points}))
    };
    let signs = signs.into_iter().map(member).collect::<Result<Vec<Value>, String>>()?;
    Ok(json!({"type": "set", "of": signs, "threshold": 0.2}))
}

/// Writes a scorer of XML with the elements that must be there.
fn with_elements(kind: &str, expected: Option<Value>) -> Result<Value, String> {
    let names = |items: &[Value]| items.iter().map(text_of).collect::<Vec<String>>();
    let elements = match expected {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        Some(Value::Array(items)) => names(&items),
        Some(Value::Object(fields)) if fields.is_empty() => Vec::new(),
        Some(Value::Object(fields)) => match fields.get("requiredElements") {
            Some(Value::Array(items)) => names(items),
            _ => return Err("`value` names elements: a text, a list, or `requiredElements`".to_owned()),
        },
        Some(other) => return Err(format!("`value` names elements, and is not `{other}`")),
    };
    Ok(if elements.is_empty() { json!({"type": kind}) } else { json!({"type": kind, "elements": elements}) })
}

/// Writes a scorer of SQL, in the dialect of promptfoo's database and for its tables.
fn in_dialect(kind: &str, expected: Option<Value>) -> Result<Value, String> {
    let fields = match expected {
        None | Some(Value::Null | Value::Bool(false)) => Map::new(),
        Some(Value::Object(fields)) => fields,
        Some(other) => return Err(format!("`value` is a mapping, not `{other}`")),
    };
    if fields.get("allowedColumns").is_some_and(|columns| !columns.is_null()) {
        return Err(
            "`allowedColumns` has no counterpart: whose a column is, promptfoo's parser decides by rules of its own".to_owned()
        );
    }
    let database = fields.get("databaseType").and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or("MySQL");
    let dialect = match database.to_ascii_lowercase().as_str() {
        "mysql" | "mariadb" => "mysql",
        "postgresql" => "postgresql",
        "bigquery" => "bigquery",
        "hive" => "hive",
        "redshift" => "redshift",
        "snowflake" => "snowflake",
        "sqlite" => "sqlite",
        "transactsql" => "mssql",
        _ => return Err(format!("the database `{database}` has no counterpart")),
    };
    let mut scorer = json!({"type": kind, "dialect": dialect, "like": "promptfoo"});
    match fields.get("allowedTables") {
        None | Some(Value::Null) => {}
        Some(Value::Array(tables)) if !tables.is_empty() => scorer["tables"] = tables.iter().map(text_of).collect(),
        Some(other) => return Err(format!("`allowedTables` is a list of tables, not `{other}`")),
    }
    Ok(scorer)
}

/// Returns a member without the names of metrics, which only a whole cell has.
fn without_metrics(member: &Value) -> Value {
    let mut member = member.clone();
    for inner in member.get_mut("of").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = inner.as_object_mut() {
            fields.shift_remove("metric");
        }
    }
    member
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes a number without a fraction where it has none.
pub(super) fn number_of(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 { Value::from(number as i64) } else { Value::from(number) }
}

fn list(value: Value) -> Result<Vec<String>, String> {
    let values = match value {
        Value::Array(items) => items.iter().map(text_of).collect(),
        Value::String(text) => comma_separated(&text)?,
        other => return Err(format!("`value` is a list of texts, not `{other}`")),
    };
    if values.is_empty() { Err("`value` names nothing".to_owned()) } else { Ok(values) }
}

/// Returns the JSON Schema of a value, which may be one written as YAML.
fn schema(value: Option<&Value>) -> Result<Option<Value>, String> {
    let schema = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => {
            let (node, problems) = promptops_prompt::yaml::parse(text);
            match (node, problems.first()) {
                (Some(node), None) => node.to_json(&mut Vec::new()),
                (_, Some(problem)) => return Err(format!("the schema is no YAML: {}", problem.message)),
                (None, None) => return Ok(None),
            }
        }
        Some(other) => other.clone(),
    };
    let Value::Object(mut object) = schema else { return Err("the schema is no mapping".to_owned()) };
    // promptfoo validates by draft 7, formats included.
    object.entry("$schema").or_insert_with(|| Value::from("http://json-schema.org/draft-07/schema#"));
    Ok(Some(Value::Object(object)))
}

/// An answer that is JSON of a schema. A plain text is none, whatever the schema says of texts.
fn schema_of(schema: &Value) -> Value {
    json!({"type": "set", "of": [{"type": "json-valid"}, {"type": "json-schema", "schema": schema}], "threshold": 1})
}

fn word_count(value: &Value) -> Result<Value, String> {
    let whole = |value: &Value| {
        let number = match value {
            Value::String(text) => text.trim().parse::<f64>().ok(),
            other => other.as_f64(),
        };
        number.map(number_of).ok_or_else(|| format!("`{value}` is no number of words"))
    };
    let mut scorer = json!({"type": "word-count"});
    match value {
        Value::Object(range) => {
            let (least, most) = (range.get("min"), range.get("max"));
            if least.is_none() && most.is_none() {
                return Err("`value` has neither `min` nor `max`".to_owned());
            }
            for (key, bound) in [("min", least), ("max", most)] {
                if let Some(bound) = bound {
                    scorer[key] = whole(bound)?;
                }
            }
        }
        number => {
            scorer["min"] = whole(number)?;
            scorer["max"] = whole(number)?;
        }
    }
    Ok(scorer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_parted_as_promptfoo_parts_it() {
        for (cell, parts) in [
            ("contains: a", Some(("contains", None, Some(" a")))),
            ("not-contains-any:a,b", Some(("not-contains-any", None, Some("a,b")))),
            ("rouge-n(0.6): text: more", Some(("rouge-n", Some(0.6), Some(" text: more")))),
            ("is-json", Some(("is-json", None, None))),
            ("similar:cosine(0.9):x", Some(("similar", None, Some("cosine(0.9):x")))),
            ("Paris", None),
            ("note: that", None),
            ("http://example.test", None),
        ] {
            assert_eq!(parted(cell), parts, "{cell}");
        }
    }

    #[test]
    fn parts_between_commas_may_be_quoted() {
        let parts = comma_separated(r#" a , "b, c",, "d ""e"" \\" ,f"#).unwrap();
        assert_eq!(parts, ["a", "b, c", r#"d "e" \"#, "f"]);
        assert_eq!(comma_separated("\"a").unwrap_err(), "a quoted part is not closed");
        assert_eq!(comma_separated("\"a\" b").unwrap_err(), "a comma is expected behind a quoted part");
    }

    #[test]
    fn a_count_of_words_is_a_range() {
        assert_eq!(word_count(&json!(3)).unwrap(), json!({"type": "word-count", "min": 3, "max": 3}));
        assert_eq!(word_count(&json!("3")).unwrap(), json!({"type": "word-count", "min": 3, "max": 3}));
        assert_eq!(word_count(&json!({"max": 5})).unwrap(), json!({"type": "word-count", "max": 5}));
        assert!(word_count(&json!({})).is_err());
    }
}
