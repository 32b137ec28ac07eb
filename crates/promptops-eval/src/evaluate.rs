//! One evaluation from its parts: candidate and parent are run over the same cases and compared.

use std::collections::BTreeMap;
use std::path::Path;

use promptops_prompt::finding::Finding;
use promptops_prompt::{Content, Severity};
use serde_json::{Map, Value};

use crate::compare::{Comparison, compare};
use crate::dataset::{self, Dataset, DatasetError, inputs};
use crate::error::EvalError;
use crate::run::{Question, Run, Served, Settings, calibrate, run};
use crate::scorer::calibration::Calibrated;
use crate::scorer::label::Labels;
use crate::scorer::{Building, Judges, Scorer};
use crate::spec::{CHECK, Spec};
use crate::subject::Subject;

/// An eval that fits its dataset and its prompt: ready to run.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The eval file.
    pub spec: &'a Spec,
    /// Its dataset.
    pub dataset: &'a Dataset,
    /// One scorer for each metric. Both versions are judged by the same ones.
    pub scorers: Vec<Box<dyn Scorer>>,
}

/// What an eval file refers to besides its dataset.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The folder of the eval file: programs run in it, and paths start from it.
    pub folder: &'a Path,
    /// The prompts that [`Spec::judges`] names.
    pub judges: &'a Judges,
}

/// Two runs and what they show.
#[derive(Debug)]
pub struct Evaluation {
    /// The run of the candidate.
    pub candidate: Run,
    /// The run of the parent, where there is one that can be compared.
    pub parent: Option<Run>,
    /// What they show.
    pub comparison: Comparison,
    /// How well the judge of each metric agrees with people, where it is held against them.
    pub calibrations: Vec<Option<Calibrated>>,
    /// Why the parent was not compared although there is one.
    pub parent_is_incomparable: Option<String>,
    /// How the answers of both were come by.
    pub served: Served,
}

/// Returns what the cases of a dataset give to a version, one set of inputs for each case. A variable without a column stays
/// out.
///
/// # Errors
/// As [`Dataset::rows`].
pub fn known_inputs(spec: &Spec, dataset: &Dataset, content: &Content) -> Result<Vec<Map<String, Value>>, DatasetError> {
    let columns = columns(spec, dataset, content);
    dataset.rows().map(|case| Ok(inputs(&case?, dataset.format, &columns, &content.inputs))).collect()
}

impl<'a> Prepared<'a> {
    /// Fits an eval to its dataset and to the candidate, whose `output` gives the scorers their defaults.
    ///
    /// # Errors
    /// [`EvalError::Findings`] with every problem: variables without a column, scorers without what they need, expected
    /// labels that are none.
    pub fn new(
        spec: &'a Spec,
        dataset: &'a Dataset,
        candidate: &Subject,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, EvalError> {
        let mut findings = Vec::new();
        if spec.prompt.value != candidate.reference.id {
            let message = format!("the eval file is about `{}`, not `{}`", spec.prompt.value, candidate.reference.id);
            findings.push(Finding::new(CHECK, Severity::Error, &spec.path, spec.prompt.span.clone(), message));
        }
        for name in spec.inputs.keys().filter(|name| !candidate.content.inputs.contains_key(*name)) {
            let span = spec.inputs[name].span.clone();
            let message = format!("`{}` has no variable `{name}`", candidate.reference);
            findings.push(Finding::new(CHECK, Severity::Error, &spec.path, span, message));
        }
        for name in missing_columns(spec, dataset, &candidate.content) {
            let columns = dataset.columns.join("`, `");
            let message = format!("variable `{name}` of `{}` has no column in `{}`", candidate.reference, dataset.path);
            let hint = format!("add `inputs: {{{name}: <column>}}`; the columns are `{columns}`");
            findings.push(Finding::new(CHECK, Severity::Error, &spec.path, spec.dataset.span.clone(), message).hint(hint));
        }
        let output = candidate.content.output.as_ref();
        let Surroundings { folder, judges } = *surroundings;
        let building = Building { output, folder, columns: &dataset.columns, format: dataset.format, judges };
        let mut scorers = Vec::new();
        for metric in &spec.metrics {
            match metric.scorer.build(&building) {
                Ok(scorer) => scorers.push(scorer),
                Err(message) => {
                    findings.push(Finding::new(CHECK, Severity::Error, &spec.path, metric.scorer_span.clone(), message));
                }
            }
        }
        if findings.is_empty() {
            findings = unknown_labels(spec, dataset, &scorers)?;
        }
        if findings.is_empty() { Ok(Self { spec, dataset, scorers }) } else { Err(EvalError::Findings(findings)) }
    }

    /// Runs candidate and parent over the cases and compares them.
    ///
    /// A parent that takes variables for which the dataset has no column cannot be asked; then the candidate is held to the
    /// floors alone, and the evaluation says so.
    ///
    /// # Errors
    /// [`EvalError::Render`] when the candidate cannot be rendered with any case; else as [`run()`] and [`compare()`].
    pub async fn evaluate(
        &self,
        candidate: &Subject,
        parent: Option<&Subject>,
        settings: &Settings<'_>,
    ) -> Result<Evaluation, EvalError> {
        self.refuse_unrenderable(candidate)?;
        let parent_is_incomparable = parent.and_then(|parent| {
            let missing = missing_columns(self.spec, self.dataset, &parent.content);
            let list = missing.join("`, `");
            (!missing.is_empty()).then(|| format!("`{}` takes `{list}`, for which the dataset has no column", parent.reference))
        });
        let parent = parent.filter(|_| parent_is_incomparable.is_none());
        let parent = match parent {
            Some(parent) => Some(self.run(parent, None, settings).await?),
            None => None,
        };
        let candidate = self.run(candidate, parent.as_ref(), settings).await?;
        let (calibrations, asked) = calibrate(&self.scorers, settings).await?;
        let comparison = compare(self.dataset, &self.spec.metrics, &candidate, parent.as_ref())?;
        let mut served = candidate.served;
        served.sent += asked.sent;
        served.replayed += asked.replayed;
        if let Some(parent) = &parent {
            served.sent += parent.served.sent;
            served.replayed += parent.served.replayed;
        }
        Ok(Evaluation { candidate, parent, comparison, calibrations, parent_is_incomparable, served })
    }

    /// Refuses a candidate that no case can be put to: that is for its author to correct, and no figure would say so. One that
    /// renders costs one rendering here.
    fn refuse_unrenderable(&self, subject: &Subject) -> Result<(), EvalError> {
        let columns = columns(self.spec, self.dataset, &subject.content);
        let mut first = None;
        for case in self.dataset.rows() {
            match subject.call(&inputs(&case?, self.dataset.format, &columns, &subject.content.inputs)) {
                Ok(_) => return Ok(()),
                Err(error) => first = first.or(Some(error)),
            }
        }
        match first {
            Some(source) => Err(EvalError::Render { reference: subject.reference.clone(), source }),
            None => Ok(()),
        }
    }

    async fn run(&self, subject: &Subject, rival: Option<&Run>, settings: &Settings<'_>) -> Result<Run, EvalError> {
        let columns = columns(self.spec, self.dataset, &subject.content);
        let (dataset, repeats, scorers) = (self.dataset, self.spec.repeats, self.scorers.as_slice());
        let question = Question { subject, dataset, columns: &columns, repeats, scorers, rival };
        run(&question, settings).await
    }
}

/// Returns the column of every variable that has one: the stated one, else the one with the variable's name.
pub(crate) fn columns(spec: &Spec, dataset: &Dataset, content: &Content) -> BTreeMap<String, String> {
    let column = |name: &String| match spec.inputs.get(name) {
        Some(column) => Some((name.clone(), column.value.clone())),
        None => dataset.columns.contains(name).then(|| (name.clone(), name.clone())),
    };
    content.inputs.keys().filter_map(column).collect()
}

/// Names the variables that need a value and have no column.
fn missing_columns(spec: &Spec, dataset: &Dataset, content: &Content) -> Vec<String> {
    let columns = columns(spec, dataset, content);
    let is_required = |schema: &Value| schema.get("default").is_none();
    let required = content.inputs.iter().filter(|(_, schema)| is_required(schema)).map(|(name, _)| name);
    required.filter(|name| !columns.contains_key(*name)).cloned().collect()
}

/// Finds the cases whose expected label is none: such a case can never be answered right.
fn unknown_labels(spec: &Spec, dataset: &Dataset, scorers: &[Box<dyn Scorer>]) -> Result<Vec<Finding>, DatasetError> {
    let metrics = spec.metrics.iter().zip(scorers);
    let labels: Vec<(&str, &Labels)> =
        metrics.filter_map(|(metric, scorer)| Some((*metric.scorer.columns().first()?, scorer.labels()?))).collect();
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    // The first case of each metric is told, the others are counted.
    let mut wrong: Vec<Option<(u64, String, u64)>> = vec![None; labels.len()];
    for case in dataset.rows() {
        let case = case?;
        for ((column, labels), wrong) in labels.iter().zip(&mut wrong) {
            let expected = case.text(column).unwrap_or_default();
            match wrong {
                _ if labels.find(&expected).is_some() => {}
                Some((_, _, more)) => *more += 1,
                None => *wrong = Some((case.head.line, expected, 0)),
            }
        }
    }
    let found = labels.iter().zip(wrong).filter_map(|((column, _), wrong)| {
        let (line, expected, more) = wrong?;
        let mut message = format!("line {line}: column `{column}` expects `{expected}`, which is not a label");
        if more > 0 {
            message.push_str(&format!(" (and {more} more cases like it)"));
        }
        Some(Finding::new(dataset::CHECK, Severity::Error, &dataset.path, 0..0, message))
    });
    Ok(found.collect())
}
