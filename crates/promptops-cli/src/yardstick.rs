//! The yardstick: by what a proposal is measured, beside by what its base is.
//!
//! All eval files are looked at, not those of changed prompts alone: who lowers the bar today and changes the prompt tomorrow
//! would else never be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use promptops_eval::Spec;
use promptops_eval::dataset::{Columns, Dataset, DatasetError, Format, Source};
use promptops_eval::recording;
use promptops_prompt::yaml::{self, Kind};
use serde_json::Value;

use crate::base_revision::BaseRevision;
use crate::failure::Outcome;
use crate::output::gate::counted;
use crate::project::Project;
use crate::proposal::Proposal;

/// How the yardstick of a proposal differs from that of its base.
#[derive(Debug, Default)]
pub struct Differences {
    /// Where less is asked, or something of which nobody can tell that it is not less.
    pub weaker: Vec<String>,
    /// What else came with the proposal.
    pub notes: Vec<String>,
}

/// Holds the evals of all prompts against those at the base.
pub fn compare(project: &Project, base: &BaseRevision, proposal: &Proposal, uses_recordings: bool) -> Outcome<Differences> {
    let mut found = Differences::default();
    let mut paths: BTreeSet<&str> = BTreeSet::new();
    for (id, prompt) in &proposal.prompts {
        let now = &prompt.metadata.evals;
        paths.extend(now.iter().map(String::as_str));
        for path in proposal.base_prompt(id).iter().flat_map(|prompt| &prompt.metadata.evals) {
            paths.insert(path);
            if !now.contains(path) {
                found.weaker.push(format!("`{id}` is not measured by `{path}` any more"));
            }
        }
    }
    let mut datasets = BTreeSet::new();
    for path in paths {
        let now = read(project, path).and_then(|text| EvalFile::parse(path, &text));
        let before = base.text(path)?.and_then(|text| EvalFile::parse(path, &text));
        match (&before, &now) {
            (Some(before), Some(now)) => {
                let less = weaker(before, now).into_iter().chain(used_files(project, base, path, before)?);
                found.weaker.extend(less.map(|what| format!("{path}: {what}")));
            }
            (Some(_), None) => found.weaker.push(format!("{path}: the eval file cannot be read any more")),
            (None, _) => {}
        }
        datasets.extend(now.iter().map(|now| now.spec.dataset_path()));
        let recording = recording::path_for(Path::new(path)).to_string_lossy().into_owned();
        if uses_recordings && is_other(project, base, &recording)? {
            found.notes.push(format!("recorded answers in `{recording}` come with the proposal"));
        }
    }
    for path in datasets {
        dataset(project, base, &path, &mut found)?;
    }
    let prices = &project.config.prices.path;
    if is_other(project, base, prices)? {
        found.notes.push(format!("the prices in `{prices}` are not those at the base"));
    }
    Ok(found)
}

/// An eval file with the scorers as they are written.
struct EvalFile {
    spec: Spec,
    /// By the name of their metric.
    scorers: BTreeMap<String, Value>,
}

impl EvalFile {
    /// Reads an eval file; nothing where it has problems, which are told where it is evaluated.
    fn parse(path: &str, text: &str) -> Option<Self> {
        let spec = Spec::parse(path, text).0?;
        let root = yaml::parse(text).0?;
        let Kind::Sequence(metrics) = &root.get("metrics")?.kind else { return None };
        let mut problems = Vec::new();
        let mut scorers = BTreeMap::new();
        for metric in metrics {
            let name = metric.get("name").and_then(|name| name.as_text()).unwrap_or_default().to_owned();
            scorers.insert(name, metric.get("scorer")?.to_json(&mut problems));
        }
        Some(Self { spec, scorers })
    }
}

fn read(project: &Project, path: &str) -> Option<String> {
    std::fs::read(project.root.join(path)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Tells whether a file is there and is not the one at the base.
fn is_other(project: &Project, base: &BaseRevision, path: &str) -> Outcome<bool> {
    match std::fs::read(project.root.join(path)) {
        Ok(now) => Ok(base.file(path)?.is_none_or(|before| before != now)),
        Err(_) => Ok(false),
    }
}

/// Names whatever an eval asks less of, or asks otherwise, so that nobody can tell that it is not less.
fn weaker(before: &EvalFile, now: &EvalFile) -> Vec<String> {
    let mut found = metrics(before, now);
    let (before, now) = (&before.spec, &now.spec);
    if before.prompt.value != now.prompt.value {
        found.push(format!("it is about `{}` instead of `{}`", now.prompt.value, before.prompt.value));
    }
    let name = |column: &Option<promptops_prompt::draft::Spanned<String>>| {
        column.as_ref().map_or_else(|| "none".to_owned(), |column| format!("`{}`", column.value))
    };
    let is_other = |before: &Option<_>, now: &Option<_>| name(before) != name(now);
    match &now.must_pass {
        None if before.must_pass.is_some() => found.push("no case must pass any more".to_owned()),
        _ if before.must_pass.is_some() && is_other(&before.must_pass, &now.must_pass) => {
            found.push(format!(
                "the cases that must pass are those of {} instead of {}",
                name(&now.must_pass),
                name(&before.must_pass)
            ));
        }
        _ => {}
    }
    // To begin with clusters makes intervals wider; other ones, or none, may make them narrower.
    if before.cluster.is_some() && is_other(&before.cluster, &now.cluster) {
        found.push(format!("the column of clusters is {} instead of {}", name(&now.cluster), name(&before.cluster)));
    }
    if is_other(&before.weight, &now.weight) {
        found.push(format!("the column of weights is {} instead of {}", name(&now.weight), name(&before.weight)));
    }
    for column in before.slice_columns().iter().filter(|column| !now.slice_columns().contains(column)) {
        found.push(format!("the values of `{column}` are no slices any more"));
    }
    for (variable, column) in &before.inputs {
        match now.inputs.get(variable) {
            Some(other) if other.value != column.value => {
                found.push(format!("`{variable}` is taken from `{}` instead of `{}`", other.value, column.value));
            }
            None if !now.inputs.values().any(|other| other.value == column.value) => {
                found.push(format!("the column `{}` is not asked about any more", column.value));
            }
            _ => {}
        }
    }
    if now.repeats < before.repeats {
        found.push(format!("the number of repeats falls from {} to {}", before.repeats, now.repeats));
    }
    if now.early_stop && !before.early_stop {
        found.push("it may stop before all cases are asked".to_owned());
    }
    if now.max_error_share > before.max_error_share {
        found.push(format!("the share of errors that is borne grows from {} to {}", before.max_error_share, now.max_error_share));
    }
    if before.dataset.value != now.dataset.value {
        found.push(format!("the dataset is `{}` instead of `{}`", now.dataset.value, before.dataset.value));
    }
    found
}

fn metrics(before: &EvalFile, now: &EvalFile) -> Vec<String> {
    let mut found = Vec::new();
    let metrics: BTreeMap<&str, _> = now.spec.metrics.iter().map(|metric| (metric.name.value.as_str(), metric)).collect();
    for metric in &before.spec.metrics {
        let name = &metric.name.value;
        let Some(now_metric) = metrics.get(name.as_str()) else {
            found.push(format!("metric `{name}` is gone"));
            continue;
        };
        if before.scorers.get(name) != now.scorers.get(name) {
            found.push(format!("metric `{name}` is judged by another scorer"));
        }
        if now_metric.scale != metric.scale {
            found.push(format!("the margin of `{name}` is measured by something else"));
        } else if now_metric.margin > metric.margin {
            found.push(format!("the margin of `{name}` grows from {} to {}", metric.margin, now_metric.margin));
        }
        if metric.guarded && !now_metric.guarded {
            found.push(format!("metric `{name}` does not decide any more"));
        }
        let number = |number: Option<f64>| number.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
        if let Some(maximum) = metric.maximum.filter(|maximum| now_metric.maximum.is_none_or(|now| now > *maximum)) {
            found.push(format!("the maximum of `{name}` rises from {maximum} to {}", number(now_metric.maximum)));
        }
        if let Some(minimum) = metric.minimum.filter(|minimum| now_metric.minimum.is_none_or(|now| now < *minimum)) {
            found.push(format!("the minimum of `{name}` falls from {minimum} to {}", number(now_metric.minimum)));
        }
    }
    found
}

/// Names the files that scorers are made of (programs, schemas, what people judged) and that differ from the base.
fn used_files(project: &Project, base: &BaseRevision, path: &str, before: &EvalFile) -> Outcome<Vec<String>> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    for (metric, scorer) in &before.scorers {
        let mut texts = Vec::new();
        collect_texts(scorer, &mut texts);
        for text in texts.into_iter().filter(|text| is_file_name(text)) {
            let file = if folder.is_empty() { text.to_owned() } else { format!("{folder}/{text}") };
            let Some(before) = base.file(&file)? else { continue };
            if std::fs::read(project.root.join(&file)).ok().is_none_or(|now| now != before) {
                found.push(format!("`{text}`, by which `{metric}` is judged, is not the one at the base"));
            }
        }
    }
    Ok(found)
}

fn collect_texts<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, texts)),
        Value::Object(members) => members.values().for_each(|value| collect_texts(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Tells whether a text can name a file beside the eval file: most texts of scorers are words that an answer holds.
fn is_file_name(text: &str) -> bool {
    !text.is_empty() && text.len() < 256 && !text.starts_with('/') && !text.contains(['\n', '\\', '\0'])
}

/// Holds the cases of a dataset against those at the base: one that is there may not change or go unseen.
fn dataset(project: &Project, base: &BaseRevision, path: &str, found: &mut Differences) -> Outcome<()> {
    let (before, now) = (base.file(path)?, std::fs::read(project.root.join(path)).ok());
    // A dataset outside the project may be outside the repository, too, so that nobody proposed it.
    let is_elsewhere = path.starts_with("..") || path.starts_with('/');
    if before == now || (before.is_none() && is_elsewhere) {
        return Ok(());
    }
    let (Some(before), Some(format)) = (before, Format::of_path(path)) else {
        found.notes.push(format!("the dataset `{path}` comes with the proposal"));
        return Ok(());
    };
    if now.is_none() {
        found.weaker.push(format!("the dataset `{path}` is gone"));
        return Ok(());
    }
    let open = |source| Dataset::read(path, format, source, &Columns::default());
    let rows = open(Source::of_bytes(&before)).and_then(|before| {
        let now = open(Source::File(project.root.join(path)))?;
        Rows::compare(&before, &now)
    });
    match rows {
        Ok(rows) if rows.lost == 0 && rows.new == 0 => {
            found.notes.push(format!("the dataset `{path}` is written otherwise than at the base, with the same cases"));
        }
        Ok(rows) => {
            if rows.lost > 0 {
                let cases = counted(rows.lost, "case");
                found.weaker.push(format!("{cases} of the dataset `{path}` changed or went away"));
            }
            // One that changed is lost as it was and new as it is.
            let new = rows.new.saturating_sub(rows.lost);
            if new > 0 {
                found.notes.push(format!("{} of the dataset `{path}` came with the proposal", counted(new, "case")));
            }
        }
        Err(_) => found.weaker.push(format!("the dataset `{path}` cannot be held against the one at the base")),
    }
    Ok(())
}

/// How many rows differ.
struct Rows {
    /// Those of the base that are not there any more as they were.
    lost: usize,
    /// Those that the base does not have.
    new: usize,
}

impl Rows {
    fn compare(before: &Dataset, now: &Dataset) -> Result<Self, DatasetError> {
        let stand = now.standing(before)?.into_iter().filter(|stood| *stood).count();
        Ok(Self { lost: before.len() - stand, new: now.len() - stand })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(text: &str) -> EvalFile {
        EvalFile::parse("e.yaml", text).unwrap()
    }

    #[test]
    fn an_eval_that_asks_less_is_noticed() {
        let before = eval(
            "prompt: a\ndataset: d.csv\nmust_pass: c\nmetrics:\n  - {name: m, scorer: {type: equals, value: x}, margin: 0.03, minimum: 0.8}\n  - {name: n, scorer: {type: equals, value: x}, margin: 0.03}\n",
        );
        let now = eval(
            "prompt: a\ndataset: other.csv\nmetrics:\n  - {name: m, scorer: {type: equals, value: x}, margin: 0.3, minimum: 0.7}\n",
        );
        assert_eq!(
            weaker(&before, &now),
            [
                "the margin of `m` grows from 0.03 to 0.3",
                "the minimum of `m` falls from 0.8 to 0.7",
                "metric `n` is gone",
                "no case must pass any more",
                "the dataset is `other.csv` instead of `d.csv`",
            ]
        );
        assert_eq!(weaker(&now, &now), Vec::<String>::new());
    }

    const METRIC: &str = "metrics:\n  - {name: m, scorer: {type: equals, value: x}, margin: 0.03}\n";

    #[test]
    fn an_eval_that_asks_otherwise_is_noticed() {
        let whole = format!(
            "prompt: a\ndataset: d.csv\ninputs: {{q: text}}\nrepeats: 3\nmust_pass: crit\ncluster: talk\nslices: [lang]\n{METRIC}"
        );
        let changed = |old: &str, new: &str| {
            assert!(whole.contains(old), "{old}");
            weaker(&eval(&whole), &eval(&whole.replace(old, new)))
        };
        assert_eq!(changed("type: equals, value: x", "type: regex, pattern: '.*'"), ["metric `m` is judged by another scorer"]);
        assert_eq!(changed("value: x", "value: x, not: true"), ["metric `m` is judged by another scorer"]);
        assert_eq!(
            changed("must_pass: crit", "must_pass: talk"),
            ["the cases that must pass are those of `talk` instead of `crit`"]
        );
        assert_eq!(changed("cluster: talk\n", ""), ["the column of clusters is none instead of `talk`"]);
        assert_eq!(changed("repeats: 3", "repeats: 1"), ["the number of repeats falls from 3 to 1"]);
        assert_eq!(
            changed("slices: [lang]\n", "weight: w\n"),
            ["the column of weights is `w` instead of none", "the values of `lang` are no slices any more",]
        );
        assert_eq!(changed("q: text", "q: other"), ["`q` is taken from `other` instead of `text`"]);
        assert_eq!(changed("inputs: {q: text}\n", ""), ["the column `text` is not asked about any more"]);
        assert_eq!(changed("repeats: 3", "repeats: 3\nearly_stop: true"), ["it may stop before all cases are asked"]);
        // A variable of another name, and more than before, are no less.
        assert_eq!(changed("{q: text}", "{question: text}"), Vec::<String>::new());
        assert_eq!(changed("repeats: 3", "repeats: 5"), Vec::<String>::new());
        assert_eq!(changed("margin: 0.03", "margin: 0.01"), Vec::<String>::new());
        assert_eq!(changed("scorer: {type: equals, value: x}", "scorer: {value: 'x', type: equals}"), Vec::<String>::new());
    }

    #[test]
    fn cases_are_compared_by_what_they_say() {
        let dataset = |text: &str| Dataset::read("d.csv", Format::Csv, Source::of_bytes(text), &Columns::default()).unwrap();
        let counts = |now: &str| {
            let rows = Rows::compare(&dataset("id,message\na,one\nb,two\nb,two\n"), &dataset(now)).unwrap();
            (rows.lost, rows.new)
        };
        assert_eq!(counts("id,message\nb,two\na,one\nb,two\n"), (0, 0));
        assert_eq!(counts("message,id,more\none,a,x\ntwo,b,y\ntwo,b,z\n"), (0, 0));
        assert_eq!(counts("id,message\na,one\nb,two\nc,three\n"), (1, 1));
        assert_eq!(counts("id,message\na,1\nb,two\nb,two\n"), (1, 1));
    }
}
