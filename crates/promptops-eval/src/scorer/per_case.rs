//! `per-case`: what each case's own row asks for.

use std::path::PathBuf;

use promptops_prompt::{PromptRef, yaml};
use serde_json::{Value, json};

use super::{Building, Grading, Judged, Judgement, Judges, Score, Scorer, ScorerSpec, Settings, Unjudged, UnjudgedClass};
use crate::dataset::Format;
use crate::recording::Redaction;
use crate::spec::fields::{Fields, Findings};

/// Judges every answer by the scorers in a column of its row.
///
/// A cell holds a list of scorers, as the members of a `set` are written, or the mapping of a whole `set` with its `threshold`. An
/// empty list asks for nothing, and every answer passes. Members may have a `metric`, a name for what they measure: with the
/// same `metric` the scorer grades by these members alone, in whatever set they stand, and never fails an answer. Without it, the
/// value is 1 for an answer that passes and 0 for another; with `graded`, it is the grade. Judges that rows name stand in `judges`
/// of the eval file too, for whoever runs it must know them beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerCaseSettings {
    column: String,
    metric: Option<String>,
    graded: bool,
    judges: Vec<PromptRef>,
}

impl PerCaseSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let (metric, graded) = (fields.text("metric").map(|metric| metric.value), fields.flag("graded"));
        if metric.is_some() && graded {
            fields.findings.error(fields.span(), "with a `metric` the value is a grade in any case, so `graded` says nothing");
        }
        let span = fields.node("judges").map(|node| node.span.clone());
        let mut judges = Vec::new();
        for name in fields.texts("judges").unwrap_or_default() {
            match name.parse() {
                Ok(judge) => judges.push(judge),
                Err(error) => {
                    let span = span.clone().unwrap_or_default();
                    fields.findings.error(span, format!("`judges` lists versions of prompts; `{name}` is none: {error}"));
                }
            }
        }
        let column = fields.required_text("column")?.value;
        Some(Self { column, metric, graded, judges })
    }
}

impl Settings for PerCaseSettings {
    fn columns(&self) -> Vec<&str> {
        vec![&self.column]
    }

    fn judges(&self) -> Vec<&PromptRef> {
        self.judges.iter().collect()
    }

    fn grading(&self) -> Grading {
        if self.metric.is_some() || self.graded { Grading::Share } else { Grading::PassOrFail }
    }

    fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(PerCase {
            settings: self.clone(),
            output: building.output.cloned(),
            folder: building.folder.to_owned(),
            columns: building.columns.to_vec(),
            format: building.format,
            judges: building.judges.clone(),
        }))
    }
}

#[derive(Debug)]
struct PerCase {
    settings: PerCaseSettings,
    output: Option<Value>,
    folder: PathBuf,
    columns: Vec<String>,
    format: Format,
    judges: Judges,
}

/// What a case asks for.
enum Asked {
    /// Nothing: every answer passes.
    Nothing,
    /// Only what has no weight, so that there is no grade above 0.
    Weightless,
    /// What this scorer judges.
    Of(Box<dyn Scorer>),
}

impl PerCase {
    /// Returns what one cell asks for.
    fn asked(&self, cell: Option<&Value>) -> Result<Asked, Unjudged> {
        let unreadable = |message: String| {
            let message = format!("column `{}`: {message}", self.settings.column);
            Unjudged { class: UnjudgedClass::Reference, message }
        };
        let parsed;
        let cell = match cell {
            Some(Value::String(text)) => {
                parsed = serde_json::from_str(text).map_err(|error| unreadable(format!("it is no JSON: {error}")))?;
                &parsed
            }
            Some(cell) => cell,
            None => return Err(unreadable("the row has none".to_owned())),
        };
        let Some(set) = set(cell, self.settings.metric.as_deref()).map_err(unreadable)? else { return Ok(Asked::Nothing) };
        let weighs = |member: &Value| member.get("weight").and_then(Value::as_f64) != Some(0.0);
        if self.settings.metric.is_some() && !set["of"].as_array().into_iter().flatten().any(weighs) {
            return Ok(Asked::Weightless);
        }
        if names_program(&set) {
            return Err(unreadable("data may not start programs; a `command` belongs into the eval file".to_owned()));
        }
        let spec = read(&set).map_err(unreadable)?;
        let (output, folder, columns, judges) = (self.output.as_ref(), &self.folder, &self.columns, &self.judges);
        // No program runs for a row, so there is nothing to blot out.
        let redaction = Redaction::none();
        let building = Building { output, folder, columns, format: self.format, judges, redaction };
        spec.build(&building).map(Asked::Of).map_err(unreadable)
    }

    fn finish(&self, score: Score) -> Score {
        match (&self.settings.metric, self.settings.graded) {
            (Some(_), _) => Score { passed: true, ..score },
            (None, true) => score,
            (None, false) => Score { value: f64::from(u8::from(score.passed)), ..score },
        }
    }
}

/// Tells whether a set has a scorer that is a program, however deep: whoever may write data may not therefore run code.
fn names_program(set: &Value) -> bool {
    let is_program = set.get("type").and_then(Value::as_str) == Some("command");
    is_program || set.get("of").and_then(Value::as_array).into_iter().flatten().any(names_program)
}

/// Reads a scorer out of JSON.
///
/// # Errors
/// The first thing that is wrong with it, for people.
pub(crate) fn read(scorer: &Value) -> Result<ScorerSpec, String> {
    let (node, problems) = yaml::parse(&scorer.to_string());
    if let Some(problem) = problems.first() {
        return Err(problem.message.clone());
    }
    let mut findings = Findings::new("");
    let spec = node.and_then(|node| ScorerSpec::read(&node, &mut findings));
    match (spec, findings.list.into_iter().next()) {
        (_, Some(finding)) => Err(finding.message),
        (Some(spec), None) => Ok(spec),
        (None, None) => Err("it holds no scorer".to_owned()),
    }
}

/// Returns the set that a cell stands for: all of its members, or those of one metric.
fn set(cell: &Value, metric: Option<&str>) -> Result<Option<Value>, String> {
    let (members, threshold) = match cell {
        Value::Array(members) => (members, None),
        Value::Object(set) => {
            if let Some(key) = set.keys().find(|key| !["type", "of", "threshold"].contains(&key.as_str())) {
                return Err(format!("the set of a case has no field `{key}`"));
            }
            let members = set.get("of").and_then(Value::as_array).ok_or("the set of a case lacks `of`, a list of scorers")?;
            (members, set.get("threshold"))
        }
        _ => return Err("it is neither a list of scorers nor a set".to_owned()),
    };
    let mut members: Vec<Value> = match metric {
        Some(metric) => named(members, metric, 1.0),
        None => members.clone(),
    };
    if members.is_empty() {
        return Ok(None);
    }
    members.iter_mut().for_each(without_metric);
    let mut set = json!({"type": "set", "of": members});
    if let Some(threshold) = threshold.filter(|_| metric.is_none()) {
        set["threshold"] = threshold.clone();
        set["graded"] = json!(true);
    }
    Ok(Some(set))
}

/// Returns the members with this metric, those of inner sets with the weight of the set.
fn named(members: &[Value], metric: &str, outer: f64) -> Vec<Value> {
    let mut found = Vec::new();
    for member in members {
        let weight = outer * member.get("weight").and_then(Value::as_f64).unwrap_or(1.0);
        if member.get("metric").and_then(Value::as_str) == Some(metric) {
            let mut member = member.clone();
            member["weight"] = json!(weight);
            found.push(member);
        } else if let Some(inner) = member.get("of").and_then(Value::as_array) {
            found.extend(named(inner, metric, weight));
        }
    }
    found
}

fn without_metric(member: &mut Value) {
    if let Some(fields) = member.as_object_mut() {
        fields.shift_remove("metric");
        fields.get_mut("of").and_then(Value::as_array_mut).into_iter().flatten().for_each(without_metric);
    }
}

/// Returns every metric that the members of a cell name, sorted.
pub(crate) fn metrics(cell: &Value) -> std::collections::BTreeSet<String> {
    let members = cell.get("of").unwrap_or(cell).as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = std::collections::BTreeSet::new();
    for member in members {
        found.extend(member.get("metric").and_then(Value::as_str).map(str::to_owned));
        found.extend(member.get("of").map(metrics).unwrap_or_default());
    }
    found
}

impl Scorer for PerCase {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let scorer = match self.asked(judged.case.values.get(&self.settings.column)) {
            Ok(Asked::Of(scorer)) => scorer,
            Ok(Asked::Nothing) => return Score::pass().into(),
            Ok(Asked::Weightless) => return self.finish(Score::fail("nothing of this metric has a weight")).into(),
            Err(unjudged) => return Err(unjudged).into(),
        };
        if let Judgement::Ready(score) = scorer.score(judged) {
            return score.map(|score| self.finish(score)).into();
        }
        // The scorer of this one cell lives as long as it takes.
        Judgement::Pending(Box::pin(async move { scorer.score(judged).settle().await.map(|score| self.finish(score)) }))
    }

    fn describe(&self) -> Value {
        let PerCaseSettings { column, metric, graded, judges } = &self.settings;
        let digest = |judge: &PromptRef| self.judges.get(judge).map(|subject| subject.digest);
        let judges: Vec<Value> = judges.iter().map(|judge| json!([judge, digest(judge)])).collect();
        let output = &self.output;
        json!({"type": "per-case", "column": column, "metric": metric, "graded": graded, "output": output, "judges": judges})
    }

    /// Whether a row compares answers is known only when it is read.
    fn needs_rival(&self) -> bool {
        !self.settings.judges.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::scorer::Unit;
    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    fn score(scorer_text: &str, cell: Value, answer: &str) -> (f64, bool) {
        let scorer = scorer(scorer_text, None).unwrap();
        let score = judge(scorer.as_ref(), answer, &case(json!({"asks": cell})));
        (score.value, score.passed)
    }

    #[test]
    fn data_starts_no_programs() {
        let per_case = scorer("{type: per-case, column: asks}", None).unwrap();
        let cell = json!([{"type": "set", "of": [{"type": "command", "command": ["touch", "/tmp/x"]}]}]);
        let unjudged = judge_answer(per_case.as_ref(), &answer("x"), &case(json!({"asks": cell}))).unwrap_err();
        let message = "column `asks`: data may not start programs; a `command` belongs into the eval file";
        assert_eq!(unjudged.message, message);
    }

    #[test]
    fn every_case_asks_for_its_own() {
        let all = "{type: per-case, column: asks}";
        let cell = json!([{"type": "contains", "value": "a"}, {"type": "contains", "value": "b", "not": true}]);
        assert_eq!(score(all, cell.clone(), "a"), (1.0, true));
        assert_eq!(score(all, cell.clone(), "ab"), (0.0, false));
        assert_eq!(score("{type: per-case, column: asks, graded: true}", cell.clone(), "ab"), (0.5, false));
        // In a CSV the cell is a text.
        assert_eq!(score(all, json!(cell.to_string()), "ab"), (0.0, false));
        assert_eq!(score(all, json!([]), "anything"), (1.0, true));
    }

    #[test]
    fn a_set_with_a_threshold_keeps_its_grade() {
        let cell = json!({"of": [{"type": "contains", "value": "a", "weight": 3}, {"type": "json-valid"}], "threshold": 0.7});
        assert_eq!(score("{type: per-case, column: asks}", cell.clone(), "a"), (1.0, true));
        assert_eq!(score("{type: per-case, column: asks, graded: true}", cell.clone(), "a"), (0.75, true));
        assert_eq!(score("{type: per-case, column: asks}", cell, "b"), (0.0, false));
    }

    #[test]
    fn what_has_a_metric_is_graded_by_itself() {
        let tone = "{type: per-case, column: asks, metric: tone}";
        let cell = json!([
            {"type": "contains", "value": "please", "metric": "tone"},
            {"type": "set", "weight": 2, "of": [{"type": "contains", "value": "thank", "metric": "tone"}, {"type": "json-valid"}]},
        ]);
        assert_eq!(score(tone, cell.clone(), "please"), (1.0 / 3.0, true));
        assert_eq!(score(tone, cell.clone(), "thank you"), (2.0 / 3.0, true));
        assert_eq!(score(tone, json!([{"type": "json-valid"}]), "x"), (1.0, true));
        assert_eq!(score(tone, json!([{"type": "json-valid", "metric": "tone", "weight": 0}]), "1"), (0.0, true));
        assert_eq!(super::metrics(&cell).into_iter().collect::<Vec<_>>(), ["tone"]);
        assert_eq!(scorer(tone, None).unwrap().unit(), Unit::Share);
    }

    #[test]
    fn a_cell_that_cannot_be_read_is_not_judged() {
        for (cell, message) in [
            (json!(null), "column `asks`: it is neither a list of scorers nor a set"),
            (json!("{"), "column `asks`: it is no JSON: EOF while parsing an object at line 1 column 1"),
            (json!({"all": []}), "column `asks`: the set of a case has no field `all`"),
            (json!([{"type": "contain", "value": "a"}]), "column `asks`: there is no scorer `contain`"),
            (json!([{"type": "regex", "pattern": "("}]), "column `asks`: `pattern` is no regular expression"),
        ] {
            let scorer = scorer("{type: per-case, column: asks}", None).unwrap();
            let unjudged = judge_answer(scorer.as_ref(), &answer("x"), &case(json!({"asks": cell}))).unwrap_err();
            assert!(unjudged.message.starts_with(message), "{}", unjudged.message);
        }
        assert_eq!(scorer("{type: per-case}", None).unwrap_err(), "the scorer lacks `column`");
    }
}
