//! One evaluation from its parts: candidate and parent are run over the same cases and compared.

mod copies;
mod until_it_stands;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use promptops_prompt::finding::Finding;
use promptops_prompt::{Content, Digest, Severity};
use serde_json::{Map, Value, json};

use crate::compare::a_a::{self, FalseAlarms};
use crate::compare::early_stop::Looks;
use crate::compare::plan::{self, MetricPlan};
use crate::compare::slices::{self, Slice};
use crate::compare::{Basis, Comparison, Outcomes, compare};
use crate::dataset::{self, Dataset, DatasetError, inputs};
use crate::error::EvalError;
use crate::recording::{Key, Redaction, Replay};
use crate::results::{Results, is_comparable};
use crate::run::{Question, Run, Served, Settings, calibrate, run, run_pairs};
use crate::scorer::calibration::Calibrated;
use crate::scorer::label::Labels;
use crate::scorer::{Building, Judges, Scorer, Unit};
use crate::spec::{CHECK, MarginScale, Metric, Spec};
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
    /// Where results of runs are kept, if they are.
    results: Option<Results>,
    /// Whether each case stood at the base already; none where all did, or nothing is known of a base.
    standing: Option<Vec<bool>>,
}

/// What an eval file refers to besides its dataset.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The folder of the eval file: programs run in it, and paths start from it.
    pub folder: &'a Path,
    /// The prompts that [`Spec::judges`] names.
    pub judges: &'a Judges,
    /// What is blotted out of what programs say.
    pub redaction: &'a Redaction,
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
    /// The parts of the dataset that were looked at besides the whole.
    pub slices: Vec<Slice>,
    /// The cases that were asked, where the run stopped early, and where copies of each other were put together.
    pub asked: Option<Dataset>,
    /// What was looked at while the run went on, where it could stop early.
    pub looks: Option<Looks>,
    /// Which of the cases were drawn at random, where others were asked besides because they must pass.
    pub drawn: Option<Vec<bool>>,
    /// What a reader must know besides: columns that make no slices.
    pub notes: Vec<String>,
    /// Whether the parent's result was kept from an earlier run, so that it was not asked again.
    pub parent_is_kept: bool,
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
        let Surroundings { folder, judges, redaction } = *surroundings;
        let building = Building { output, folder, columns: &dataset.columns, format: dataset.format, judges, redaction };
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
            findings.extend(spec.metrics.iter().zip(&scorers).filter_map(|(metric, scorer)| limits(spec, metric, scorer.unit())));
        }
        if findings.is_empty() {
            Ok(Self { spec, dataset, scorers, results: None, standing: None })
        } else {
            Err(EvalError::Findings(findings))
        }
    }

    /// Keeps results of runs in a folder and takes that of the parent from there, where it is comparable.
    #[must_use]
    pub fn keeping_results(self, folder: &Path) -> Self {
        Self { results: Some(Results::in_folder(folder)), ..self }
    }

    /// Holds metrics to the cases that stood at the base alone, too; `standing` tells it of each case, in the order of the dataset.
    ///
    /// Where others came besides, all cases are asked: a run that stops early would have to stop for both.
    #[must_use]
    pub fn holding_to(self, standing: Vec<bool>) -> Self {
        let has_new = standing.contains(&false) && standing.contains(&true);
        Self { standing: has_new.then_some(standing), ..self }
    }

    /// Returns the digest of everything that turns answers into scores.
    pub fn scorers_digest(&self) -> Digest {
        let metrics = self.spec.metrics.iter().zip(&self.scorers);
        let list: Vec<Value> = metrics.map(|(metric, scorer)| json!([metric.name.value, scorer.describe()])).collect();
        Digest::of_json(&Value::Array(list))
    }

    /// Returns the key of a version's result: whatever decides it.
    fn result_key(&self, subject: &Subject, settings: &Settings<'_>) -> Digest {
        let columns = columns(self.spec, self.dataset, &subject.content);
        let price = format!("{:?}", settings.prices.get(&subject.content.model));
        let (dataset, scorers) = (self.dataset.digest, self.scorers_digest());
        Digest::of_json(&json!([subject.digest, dataset, columns, scorers, self.spec.repeats, price]))
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
        let versions: Vec<&Subject> = [candidate].into_iter().chain(parent).collect();
        let (dataset, copies) = self.with_copies_together(&versions)?;
        let asked = match parent {
            Some(parent) if self.spec.early_stop && self.standing.is_none() => {
                self.ask_until_it_stands(&dataset, (candidate, parent), settings).await?
            }
            _ => self.ask_all(candidate, parent, settings).await?,
        };
        let asked_dataset = asked.dataset.or(match dataset {
            Cow::Owned(dataset) => Some(dataset),
            Cow::Borrowed(_) => None,
        });
        let (calibrations, judged) = calibrate(&candidate.reference, &self.scorers, settings).await?;
        let dataset = asked_dataset.as_ref().unwrap_or(self.dataset);
        let (slices, too_many) = slices::read(dataset, &self.spec.slice_columns())?;
        let units = self.units();
        let (looks, drawn) = (asked.looks.as_ref(), asked.drawn.as_deref());
        let standing = self.standing.as_deref();
        let basis = Basis { slices: &slices, looks, drawn, standing, ..self.basis(&dataset.heads, &units) };
        let parent_outcomes = asked.parent.as_ref().map(|run| Outcomes::of(run, units.clone())).transpose()?;
        let comparison = compare(&basis, &Outcomes::of(&asked.candidate, units.clone())?, parent_outcomes.as_ref())?;
        let mut served = asked.candidate.served;
        served.sent += judged.sent + asked.ahead.sent;
        served.replayed += judged.replayed + asked.ahead.replayed;
        if let Some(parent) = &asked.parent {
            served.sent += parent.served.sent;
            served.replayed += parent.served.replayed;
        }
        let most = slices::MOST_VALUES;
        let note = |column| format!("column `{column}` has more than {most} values: it makes no slices");
        let mut notes: Vec<String> = too_many.into_iter().map(note).collect();
        if copies > 0 {
            notes.push(format!(
                "{copies} of {} cases ask and expect what another does: they count as one with it",
                self.dataset.len()
            ));
        }
        if let Some(standing) = standing {
            let new = standing.iter().filter(|stood| !**stood).count();
            let early = if self.spec.early_stop { ", and all are asked" } else { "" };
            notes.push(format!(
                "{new} of {} cases came with the proposal: metrics are held to the others alone, too{early}",
                standing.len()
            ));
        }
        Ok(Evaluation {
            candidate: asked.candidate,
            parent: asked.parent,
            comparison,
            calibrations,
            slices,
            asked: asked_dataset,
            looks: asked.looks,
            drawn: asked.drawn,
            notes,
            parent_is_kept: asked.parent_is_kept,
            parent_is_incomparable,
            served,
        })
    }

    /// Runs one version over the cases and compares it with itself, split at random, so often.
    ///
    /// # Errors
    /// As [`Prepared::evaluate`]; [`EvalError::CannotSplit`].
    pub async fn compare_with_itself(
        &self,
        subject: &Subject,
        comparisons: u32,
        settings: &Settings<'_>,
    ) -> Result<(FalseAlarms, Served), EvalError> {
        self.refuse_unrenderable(subject)?;
        let run = self.run(subject, self.dataset, settings).await?;
        let units = self.units();
        let repeats = Outcomes::by_repeat(&run, &units)?;
        let seed = seed(&[self.dataset.digest, subject.digest]);
        let (dataset, _) = self.with_copies_together(&[subject])?;
        Ok((a_a::measure(&self.basis(&dataset.heads, &units), &repeats, comparisons, seed)?, run.served))
    }

    /// Works out what the dataset can show and how many cases it takes, without asking anybody.
    ///
    /// Where the answers of both versions are recorded, how much they vary is taken from them; else two versions are taken to
    /// differ on a share of `discordance` of the cases.
    ///
    /// # Errors
    /// As [`Prepared::evaluate`]; that answers are missing is none.
    pub async fn plan(
        &self,
        candidate: &Subject,
        parent: Option<&Subject>,
        discordance: f64,
        settings: &Settings<'_>,
    ) -> Result<Vec<MetricPlan>, EvalError> {
        let units = self.units();
        let observed = match parent.filter(|parent| missing_columns(self.spec, self.dataset, &parent.content).is_empty()) {
            Some(parent) => match self.ask_all(candidate, Some(parent), settings).await {
                Ok(asked) => Some(asked),
                Err(EvalError::MissingRecordings { .. }) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        let repeats = |run: &Run| Outcomes::by_repeat(run, &units);
        let observed = observed.and_then(|asked| Some((asked.parent?, asked.candidate)));
        let observed = observed.map(|(parent, candidate)| Ok::<_, EvalError>((repeats(&parent)?, repeats(&candidate)?)));
        let observed = observed.transpose()?;
        let observed = observed.as_ref().map(|(parent, candidate)| (parent.as_slice(), candidate.as_slice()));
        let versions: Vec<&Subject> = [candidate].into_iter().chain(parent).collect();
        let (dataset, _) = self.with_copies_together(&versions)?;
        plan::metrics(&self.basis(&dataset.heads, &units), self.spec.repeats, observed, discordance)
    }

    /// Returns what each metric is measured in.
    pub fn units(&self) -> Vec<Unit> {
        self.scorers.iter().map(|scorer| scorer.unit()).collect()
    }

    fn basis<'b>(&'b self, heads: &'b dataset::Heads, units: &'b [Unit]) -> Basis<'b> {
        Basis::of(heads, &self.spec.metrics, units, self.spec.max_error_share)
    }

    async fn ask_all(&self, candidate: &Subject, parent: Option<&Subject>, settings: &Settings<'_>) -> Result<Asked, EvalError> {
        let asked = |candidate, parent| Asked {
            candidate,
            parent,
            dataset: None,
            looks: None,
            drawn: None,
            parent_is_kept: false,
            ahead: Served::default(),
        };
        let Some(parent) = parent else { return Ok(asked(self.run(candidate, self.dataset, settings).await?, None)) };
        // Whoever turns recordings off wants answers of now, and where nothing may be asked what is recorded decides alone.
        let results =
            self.results.as_ref().filter(|_| settings.recording.mode() == Replay::Auto && self.is_judged_by_what_is_stated());
        let Some(results) = results else {
            let (candidate, parent) = self.run_pairs((candidate, parent), self.dataset, settings).await?;
            return Ok(asked(candidate, Some(parent)));
        };
        let keys = (self.result_key(candidate, settings), self.result_key(parent, settings));
        let mut parent_is_kept = false;
        let kept = results.find(&keys.1).filter(|kept| kept.cases.len() == self.dataset.len());
        // A recorded answer costs nothing, and is what everybody else has: the kept result of another answer may not take its place.
        let kept = if kept.is_some() && self.is_recorded(parent, settings)? { None } else { kept };
        let (after, before) = match kept {
            None => self.run_pairs((candidate, parent), self.dataset, settings).await?,
            Some(kept) => {
                let after = self.run(candidate, self.dataset, settings).await?;
                if is_comparable(&kept, &parent.content.model, &after, &candidate.content.model) {
                    parent_is_kept = true;
                    (after, kept)
                } else {
                    (after, self.run(parent, self.dataset, settings).await?)
                }
            }
        };
        for (key, run) in [(&keys.0, &after), (&keys.1, &before)] {
            // The verdict stands without it; the next run takes longer.
            if let Err(error) = results.keep(key, run) {
                tracing::warn!("the result of `{}` is not kept: {error}", run.reference);
            }
        }
        Ok(Asked { parent_is_kept, ..asked(after, Some(before)) })
    }

    /// Tells whether the scores follow from the answer and from what the key of a result holds: not where a scorer looks at the parent's
    /// answer itself, which is not kept with its result, nor where a program judges, of which nobody knows what it goes by.
    fn is_judged_by_what_is_stated(&self) -> bool {
        !self.scorers.iter().any(|scorer| scorer.needs_rival() || scorer.runs_program())
    }

    /// Tells whether any answer of a version is recorded.
    fn is_recorded(&self, subject: &Subject, settings: &Settings<'_>) -> Result<bool, EvalError> {
        let columns = columns(self.spec, self.dataset, &subject.content);
        for case in self.dataset.rows() {
            let inputs = inputs(&case?, self.dataset.format, &columns, &subject.content.inputs);
            let Ok(call) = subject.call(&inputs) else { continue };
            if settings.recording.has(&Key { request: call.digest(), repeat: 0 })? {
                return Ok(true);
            }
        }
        Ok(false)
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

    async fn run(&self, subject: &Subject, dataset: &Dataset, settings: &Settings<'_>) -> Result<Run, EvalError> {
        let columns = columns(self.spec, dataset, &subject.content);
        run(&self.question(subject, dataset, &columns), settings).await
    }

    /// Asks both versions; returns the runs of the candidate and of the parent.
    async fn run_pairs(
        &self,
        (candidate, parent): (&Subject, &Subject),
        dataset: &Dataset,
        settings: &Settings<'_>,
    ) -> Result<(Run, Run), EvalError> {
        let columns = |subject: &Subject| columns(self.spec, dataset, &subject.content);
        let (of_candidate, of_parent) = (columns(candidate), columns(parent));
        let questions = (self.question(candidate, dataset, &of_candidate), self.question(parent, dataset, &of_parent));
        run_pairs(&questions.0, &questions.1, settings).await
    }

    fn question<'b>(&'b self, subject: &'b Subject, dataset: &'b Dataset, columns: &'b BTreeMap<String, String>) -> Question<'b> {
        Question { subject, dataset, columns, repeats: self.spec.repeats, scorers: &self.scorers }
    }
}

/// The runs of both versions, and over what.
struct Asked {
    candidate: Run,
    parent: Option<Run>,
    /// The cases, where they are not all.
    dataset: Option<Dataset>,
    looks: Option<Looks>,
    /// Which of the cases were drawn at random, where others were asked besides.
    drawn: Option<Vec<bool>>,
    parent_is_kept: bool,
    /// How answers were come by that are in neither run: those to cases that were asked ahead.
    ahead: Served,
}

/// Makes a seed of digests.
fn seed(digests: &[Digest]) -> u64 {
    let all = Digest::of(digests.iter().map(Digest::to_string).collect::<String>().as_bytes()).to_string();
    // The digest is written in hexadecimal digits, of which sixteen are sixty-four bits.
    let digits: String = all.chars().rev().take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or_default()
}

/// Finds a margin or a limit that does not fit what a metric is measured in.
fn limits(spec: &Spec, metric: &Metric, unit: Unit) -> Option<Finding> {
    let (name, margin) = (&metric.name.value, metric.margin);
    let problem = match unit {
        Unit::Share if metric.scale == MarginScale::Ratio => {
            format!("`{name}` is a share: its margin is a number of points, such as 0.03, not a ratio")
        }
        Unit::Share if margin >= 1.0 => {
            format!("`{name}` is a share: its margin lies between 0 and 1, both excluded, not at {margin}")
        }
        Unit::Share if metric.minimum.is_some_and(|minimum| !(0.0..=1.0).contains(&minimum)) => {
            format!("`{name}` is a share: its `minimum` lies from 0 to 1")
        }
        Unit::Share if metric.maximum.is_some() => format!("`{name}` is a share, of which more is better: it has no `maximum`"),
        Unit::Milliseconds | Unit::UsDollars | Unit::Tokens if metric.minimum.is_some() => {
            format!("less of `{name}` is better: it has a `maximum` and no `minimum`")
        }
        _ => return None,
    };
    Some(Finding::new(CHECK, Severity::Error, &spec.path, metric.margin_span.clone(), problem))
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
