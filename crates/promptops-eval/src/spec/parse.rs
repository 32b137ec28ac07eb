//! Reading an eval file: every problem is collected, each with its place.

use std::collections::BTreeMap;

use promptops_prompt::PromptId;
use promptops_prompt::draft::Spanned;
use promptops_prompt::finding::{self, Finding};
use promptops_prompt::yaml::{self, Kind, Node};

use super::fields::{Fields, Findings};
use super::{LakeSlice, MAX_ERROR_SHARE, MAX_REPEATS, MarginScale, Metric, Spec};
use crate::dataset::Format;
use crate::scorer::ScorerSpec;

pub(super) fn parse(path: &str, text: &str) -> (Option<Spec>, Vec<Finding>) {
    let mut findings = Findings::new(path);
    let (node, problems) = yaml::parse(text);
    let is_whole = problems.is_empty();
    for problem in problems {
        findings.error(problem.span, problem.message);
    }
    let spec = match &node {
        Some(node) => read(path, node, &mut findings),
        None if is_whole => {
            findings.error(0..0, "the eval file is empty");
            None
        }
        None => None,
    };
    finding::sort(&mut findings.list);
    (spec.filter(|_| findings.list.is_empty()), findings.list)
}

fn read(path: &str, node: &Node, findings: &mut Findings) -> Option<Spec> {
    let mut fields = Fields::of(node, "the eval file", findings)?;
    let prompt = fields.required_text("prompt").and_then(|text| match text.value.parse() {
        Ok(id) => Some(Spanned { value: id, span: text.span }),
        Err(error) => {
            fields.findings.error(text.span, format!("`prompt` is no id of a prompt: {error}"));
            None
        }
    });
    let own = prompt.as_ref().map(|prompt| &prompt.value);
    let (dataset, slice) = dataset(path, &mut fields, own);
    let case = fields.text("case");
    let inputs = inputs(&mut fields);
    let repeats = repeats(&mut fields);
    let must_pass = fields.text("must_pass");
    let cluster = fields.text("cluster");
    let stratum = fields.text("stratum");
    let weight = fields.text("weight");
    let slices = slices(&mut fields);
    let max_error_share = max_error_share(&mut fields);
    let early_stop = fields.flag("early_stop");
    let list = fields.required("metrics");
    fields.finish();
    let metrics = list.map(|node| metrics(node, findings));
    Some(Spec {
        path: path.to_owned(),
        prompt: prompt?,
        dataset: dataset?,
        slice,
        case,
        inputs,
        repeats,
        must_pass,
        cluster,
        stratum,
        weight,
        slices,
        max_error_share,
        early_stop,
        metrics: metrics?,
    })
}

/// Reads the path of the dataset, or which invocations make it and where they are frozen.
fn dataset(path: &str, fields: &mut Fields<'_, '_>, prompt: Option<&PromptId>) -> (Option<Spanned<String>>, Option<LakeSlice>) {
    let Some(node) = fields.required("dataset") else { return (None, None) };
    if let Kind::Mapping(_) = node.kind {
        let Some(mut inner) = Fields::of(node, "the dataset", fields.findings) else { return (None, None) };
        let span = inner.span();
        let slice = LakeSlice::read(&mut inner, prompt);
        inner.finish();
        let name = path.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("eval", |(name, _)| name);
        let frozen = slice.as_ref().map(|slice| Spanned { value: slice.path(name), span });
        return (frozen, slice);
    }
    let dataset = fields.text("dataset");
    if let Some(dataset) = dataset.as_ref().filter(|dataset| Format::of_path(&dataset.value).is_none()) {
        let message = format!("the dataset `{}` ends in none of `.csv`, `.jsonl`, `.yaml` and `.parquet`", dataset.value);
        fields.findings.error(dataset.span.clone(), message);
    }
    (dataset, None)
}

fn inputs(fields: &mut Fields<'_, '_>) -> BTreeMap<String, Spanned<String>> {
    let Some(node) = fields.node("inputs") else { return BTreeMap::new() };
    let Kind::Mapping(pairs) = &node.kind else {
        let message = format!("`inputs` is a mapping of variables to columns, not {}", node.type_name());
        fields.findings.error(node.span.clone(), message);
        return BTreeMap::new();
    };
    let mut inputs = BTreeMap::new();
    for (key, value) in pairs {
        match value.as_text() {
            Some(column) => {
                let column = Spanned { value: column.to_owned(), span: value.span.clone() };
                inputs.insert(key.key_text().to_owned(), column);
            }
            None => {
                let message = format!("the variable `{}` takes the name of a column, not {}", key.key_text(), value.type_name());
                fields.findings.error(value.span.clone(), message);
            }
        }
    }
    inputs
}

fn repeats(fields: &mut Fields<'_, '_>) -> u32 {
    let Some(number) = fields.number("repeats") else { return 1 };
    let is_whole = number.value.fract() == 0.0 && (1.0..=f64::from(MAX_REPEATS)).contains(&number.value);
    if !is_whole {
        let message = format!("`repeats` is a whole number from 1 to {MAX_REPEATS}, not {}", number.value);
        fields.findings.error(number.span, message);
        return 1;
    }
    number.value as u32
}

fn slices(fields: &mut Fields<'_, '_>) -> Vec<Spanned<String>> {
    let Some(node) = fields.node("slices") else { return Vec::new() };
    let items = match &node.kind {
        Kind::Sequence(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut columns = Vec::new();
    for item in items {
        match item.as_text() {
            Some(column) => columns.push(Spanned { value: column.to_owned(), span: item.span.clone() }),
            None => {
                let message = format!("`slices` lists columns of the dataset, not {}", item.type_name());
                fields.findings.error(item.span.clone(), message);
            }
        }
    }
    columns
}

fn max_error_share(fields: &mut Fields<'_, '_>) -> f64 {
    let Some(share) = fields.number("max_error_share") else { return MAX_ERROR_SHARE };
    if !(0.0..1.0).contains(&share.value) {
        let message = format!("`max_error_share` is a share from 0 to below 1, not {}", share.value);
        fields.findings.error(share.span, message);
        return MAX_ERROR_SHARE;
    }
    share.value
}

fn metrics(node: &Node, findings: &mut Findings) -> Vec<Metric> {
    let Kind::Sequence(items) = &node.kind else {
        findings.error(node.span.clone(), format!("`metrics` is a list, not {}", node.type_name()));
        return Vec::new();
    };
    if items.is_empty() {
        findings.error(node.span.clone(), "`metrics` is empty: there is nothing to measure");
    }
    let mut metrics: Vec<Metric> = Vec::new();
    for item in items {
        let Some(metric) = metric(item, findings) else { continue };
        if metrics.iter().any(|other| other.name.value == metric.name.value) {
            findings.error(metric.name.span.clone(), format!("metric `{}` is there twice", metric.name.value));
        }
        metrics.push(metric);
    }
    metrics
}

fn metric(node: &Node, findings: &mut Findings) -> Option<Metric> {
    let mut fields = Fields::of(node, "the metric", findings)?;
    let name = fields.required_text("name");
    let scorer_node = fields.required("scorer");
    let margin = margin(&mut fields);
    let minimum = fields.number("minimum").map(|minimum| minimum.value);
    let maximum = fields.number("maximum").map(|maximum| maximum.value);
    let guarded = fields.node("guarded").is_none() || fields.flag("guarded");
    fields.finish();
    let scorer_node = scorer_node?;
    let scorer = ScorerSpec::read(scorer_node, findings);
    Some(Metric {
        name: name?,
        scorer: scorer?,
        scorer_span: scorer_node.span.clone(),
        margin: margin.as_ref()?.value.0,
        scale: margin.as_ref()?.value.1,
        margin_span: margin?.span,
        minimum,
        maximum,
        guarded,
    })
}

/// The margin has no default: how much worse a version may be is a decision, to be taken before the data are seen.
fn margin(fields: &mut Fields<'_, '_>) -> Option<Spanned<(f64, MarginScale)>> {
    let Some(node) = fields.node("margin") else {
        let hint = "state how much worse a new version may be, as `margin: 0.03` for three points of a hundred";
        fields.findings.error_with_hint(fields.span(), "the metric lacks `margin`", hint);
        return None;
    };
    let (number, scale) = if let Kind::Mapping(_) = node.kind {
        let mut inner = Fields::of(node, "`margin`", fields.findings)?;
        inner.required("ratio");
        let ratio = inner.number("ratio");
        inner.finish();
        (ratio?, MarginScale::Ratio)
    } else {
        (fields.number("margin")?, MarginScale::Absolute)
    };
    if !(number.value > 0.0 && number.value.is_finite()) {
        let message = format!("`margin` is above 0, not {}", number.value);
        let hint = "no finite number of cases can show that a version is not worse by anything at all";
        fields.findings.error_with_hint(number.span, message, hint);
        return None;
    }
    Some(Spanned { value: (number.value, scale), span: node.span.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::joined;

    const GOOD: &str = "\
prompt: customer-support.intent-classifier
dataset: ../datasets/intents.csv
case: id
inputs: {message: text}
repeats: 3
must_pass: critical
cluster: conversation
metrics:
  - name: accuracy
    scorer: {type: label, expected: intent}
    margin: 0.03
    minimum: 0.80
  - name: valid-output
    scorer: {type: json-schema}
    margin: 0.01
";

    /// Reads a file and returns its findings as `line: message`.
    fn findings(text: &str) -> Vec<String> {
        let (spec, findings) = Spec::parse("evals/e.yaml", text);
        assert_eq!(spec.is_none(), !findings.is_empty());
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        findings.iter().map(|finding| format!("{}: {}", line(finding.primary.location.span.start), finding.message)).collect()
    }

    #[test]
    fn reads_every_field() {
        let (spec, findings) = Spec::parse("evals/support/e.yaml", GOOD);
        assert_eq!(findings, []);
        let spec = spec.unwrap();
        assert_eq!(spec.prompt.value.as_str(), "customer-support.intent-classifier");
        assert_eq!(spec.dataset_path(), "evals/datasets/intents.csv");
        assert_eq!((spec.repeats, spec.inputs["message"].value.as_str()), (3, "text"));
        let [accuracy, valid] = spec.metrics.as_slice() else { panic!("two metrics") };
        assert_eq!((accuracy.name.value.as_str(), accuracy.margin, accuracy.minimum), ("accuracy", 0.03, Some(0.8)));
        assert_eq!((valid.margin, valid.minimum), (0.01, None));
        let columns = spec.columns();
        assert_eq!(columns.case.as_deref(), Some("id"));
        assert_eq!(columns.must_pass.as_deref(), Some("critical"));
        assert_eq!(columns.cluster.as_deref(), Some("conversation"));
        assert_eq!(columns.needed, ["text", "intent"]);
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_lines() {
        let text = "\
prompt: Customer Support
dataset: intents.xlsx
repeats: 0
inputs: [message]
metric: x
metrics:
  - name: a
    scorer: {type: equals, expected: intent, value: x}
    margin: 0
  - name: a
    scorer: {type: regexp}
    margin: 0.1
  - scorer: {type: regex, pattern: '('}
    margin: 0.1
  - name: a
    scorer: {type: contains-all, value: []}
  - name: c
    scorer: {type: label, expected: intent, label: [x]}
    margin: two
";
        let found = findings(text);
        let expected = [
            "1: `prompt` is no id of a prompt",
            "2: the dataset `intents.xlsx` ends in none of `.csv`, `.jsonl`, `.yaml` and `.parquet`",
            "3: `repeats` is a whole number from 1 to 100, not 0",
            "4: `inputs` is a mapping of variables to columns, not a list",
            "5: the eval file has no field `metric`",
            "8: the scorer takes either `expected` (a column) or `value` (a text, a list or a mapping), not both",
            "9: `margin` is above 0, not 0",
            "11: there is no scorer `regexp`",
            "13: the metric lacks `name`",
            "13: `pattern` is no regular expression",
            "15: the metric lacks `margin`",
            "16: `value` is empty",
            "18: the scorer has no field `label`",
            "19: `margin` must be a number, not a text",
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }

    #[test]
    fn margins_slices_and_errors_are_read() {
        let text = GOOD.replace("margin: 0.01", "margin: {ratio: 0.2}\n    maximum: 800\n    guarded: false");
        let text = text
            .replace("metrics:", "slices: [channel, region]\nstratum: channel\nmax_error_share: 0.1\nearly_stop: true\nmetrics:");
        let spec = Spec::parse("e.yaml", &text).0.unwrap();
        assert_eq!((spec.max_error_share, spec.early_stop), (0.1, true));
        assert_eq!(spec.slice_columns(), ["channel", "region"]);
        assert_eq!(spec.columns().needed, ["text", "intent", "channel", "region"]);
        let [accuracy, valid] = spec.metrics.as_slice() else { panic!("two metrics") };
        assert_eq!((accuracy.scale, accuracy.guarded), (MarginScale::Absolute, true));
        assert_eq!((valid.margin, valid.scale, valid.maximum, valid.guarded), (0.2, MarginScale::Ratio, Some(800.0), false));
        let wrong = GOOD.replace("margin: 0.01", "margin: {share: 0.2}").replace("metrics:", "max_error_share: 7\nmetrics:");
        assert_eq!(
            findings(&wrong),
            [
                "8: `max_error_share` is a share from 0 to below 1, not 7",
                "16: `margin` has no field `share`",
                "16: `margin` lacks `ratio`"
            ]
        );
    }

    #[test]
    fn a_name_is_taken_once() {
        let twice = GOOD.replace("valid-output", "accuracy");
        assert_eq!(findings(&twice), ["13: metric `accuracy` is there twice"]);
    }

    #[test]
    fn what_is_no_mapping_is_a_finding() {
        assert_eq!(findings(""), ["1: the eval file is empty"]);
        assert_eq!(findings("- a"), ["1: the eval file is a mapping of fields, not a list"]);
        assert_eq!(findings("a: [")[0].split(':').next(), Some("1"));
        assert!(
            findings("prompt: a\nprompt: b\ndataset: x.csv\nmetrics: 3\n")[0].starts_with("2: the key `prompt` stands twice")
        );
    }

    #[test]
    fn numbers_are_not_texts_and_the_hint_says_what_to_do() {
        let text = GOOD.replace("{type: label, expected: intent}", "{type: equals, value: 1}");
        let (_, findings) = Spec::parse("e.yaml", &text);
        assert_eq!(findings[0].message, "`value` must be a text, not a number");
        assert_eq!(findings[0].hint.as_deref(), Some("put it in quotes to make it a text"));
        let text = text.replace("value: 1", "value: '1'");
        let spec = Spec::parse("e.yaml", &text).0.unwrap();
        assert_eq!((spec.metrics[0].scorer.kind(), spec.metrics[0].scorer.columns().len()), ("equals", 0));
    }

    #[test]
    fn paths_are_joined_as_they_are_written() {
        assert_eq!(joined("", "prompts/a.yaml"), "prompts/a.yaml");
        assert_eq!(joined("desk", "./prompts//a.yaml"), "desk/prompts/a.yaml");
        assert_eq!(joined("desk/evals", "../datasets/d.csv"), "desk/datasets/d.csv");
        assert_eq!(joined("", "../d.csv"), "../d.csv");
    }

    #[test]
    fn dataset_paths_are_resolved_as_text() {
        let path = |dataset: &str| {
            let text = GOOD.replace("../datasets/intents.csv", dataset);
            Spec::parse("evals/e.yaml", &text).0.unwrap().dataset_path()
        };
        assert_eq!(path("x.csv"), "evals/x.csv");
        assert_eq!(path("./../x.csv"), "x.csv");
        assert_eq!(path("../../x.csv"), "../x.csv");
        assert_eq!(path("/data/x.csv"), "/evals/data/x.csv");
    }
}
