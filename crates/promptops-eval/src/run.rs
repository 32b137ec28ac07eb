//! One run: every case of a dataset is put to versions of a prompt, and every scorer judges the answers.
//!
//! **Invariant.** A run holds no answer and, in memory, no result: of each case it knows where its result lies in a file. So
//! neither what was said nor the number of cases is a matter of memory. Answers are read again from the recording.

mod asker;
mod budget;
mod cases;
mod pipeline;

use std::collections::BTreeMap;

use promptops_prompt::PromptRef;
use promptops_telemetry::price::Price;

use crate::client::retry::RetryPolicy;
use crate::client::{Answer, ClientError, ErrorClass, ModelClient, Usage};
use crate::dataset::Dataset;
use crate::error::EvalError;
use crate::recording::Recording;
use crate::scorer::calibration::Calibrated;
use crate::scorer::{Score, Scorer, Unjudged};
use crate::subject::Subject;

pub use self::asker::{Asker, ForScorers};
pub use self::budget::{Budget, Purse};
pub use self::cases::Cases;

/// How a run is carried out. Nothing here changes what an answer is, only how it is come by.
pub struct Settings<'a> {
    /// Who is asked for what is not recorded; none where only recordings may be used.
    pub client: Option<&'a dyn ModelClient>,
    /// The recorded answers.
    pub recording: &'a Recording,
    /// How often a failed call is sent again.
    pub retry: RetryPolicy,
    /// Calls under way at the same time; at least 1.
    pub concurrency: usize,
    /// What tokens cost, by the model that is asked for, where it is known.
    pub prices: &'a BTreeMap<String, Price>,
    /// What may be spent, and has been.
    pub purse: &'a Purse,
    /// Told after every case.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Answers that are there.
    pub done: usize,
    /// Answers that are needed.
    pub total: usize,
    /// Calls that failed for good.
    pub failed: usize,
    /// Calls that were sent, retries included.
    pub sent: u64,
    /// What these cost, where prices are known.
    pub spent_usd: f64,
}

/// How the answers were come by. Kept apart from the run itself, which is the same either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Calls that were sent, retries included.
    pub sent: u64,
    /// Answers that were replayed from the recording.
    pub replayed: u64,
}

impl std::ops::AddAssign for Served {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.replayed += other.replayed;
    }
}

/// The results of one run, in the order of the dataset.
#[derive(Debug)]
pub struct Run {
    /// The version that was asked.
    pub reference: PromptRef,
    /// One result for each case.
    pub cases: Cases,
    /// What the answers tell besides their texts.
    pub told: Told,
    /// How the answers were come by; of two versions that were asked together the parent has those of both.
    pub served: Served,
}

/// What all answers of a run tell besides their texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Answers by model and fingerprint.
    pub answered_by: BTreeMap<(String, Option<String>), u64>,
    /// Tokens of all answers.
    pub usage: Usage,
    /// Answers whose tokens the provider counted.
    pub counted: u64,
    /// Milliseconds from sending to the last byte, sorted.
    pub latencies_ms: Vec<u32>,
    /// Milliseconds from sending to the first piece of the answer, of those that were streamed, sorted.
    pub first_token_ms: Vec<u32>,
}

impl Told {
    fn add(&mut self, answer: &Answer) {
        let milliseconds = |time: u64| u32::try_from(time).unwrap_or(u32::MAX);
        *self.answered_by.entry((answer.model.clone(), answer.fingerprint.clone())).or_default() += 1;
        if let Some(usage) = answer.usage {
            self.usage += usage;
            self.counted += 1;
        }
        self.latencies_ms.push(milliseconds(answer.latency_ms));
        self.first_token_ms.extend(answer.first_token_ms.map(milliseconds));
    }

    fn append(&mut self, other: Self) {
        for (model, count) in other.answered_by {
            *self.answered_by.entry(model).or_default() += count;
        }
        self.usage += other.usage;
        self.counted += other.counted;
        self.latencies_ms.extend(other.latencies_ms);
        self.latencies_ms.sort_unstable();
        self.first_token_ms.extend(other.first_token_ms);
        self.first_token_ms.sort_unstable();
    }
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// One for each repeat.
    pub attempts: Vec<Attempt>,
}

/// One answer, or why there is none, with the verdict of each metric's scorer.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Whether there is an answer, or why there is none.
    pub answer: Result<(), Failure>,
    /// One for each metric, in the order of the eval file. A case without an answer fails them all.
    pub scores: Vec<Result<Score, Unjudged>>,
    /// What the call cost in US dollars, where price and tokens are known.
    pub cost_usd: Option<f64>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: ErrorClass,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// Returns why there is no answer where none was asked for. Nobody sees it: the run ends without a result.
    fn not_asked(reason: &str) -> Self {
        Self { class: ErrorClass::Unreachable, message: reason.to_owned() }
    }
}

impl From<&ClientError> for Failure {
    fn from(error: &ClientError) -> Self {
        Self { class: error.class(), message: error.to_string() }
    }
}

impl Attempt {
    /// Tells whether the answer is good enough for the metric with this number. What could not be judged is not.
    pub fn passes(&self, metric: usize) -> bool {
        self.scores[metric].as_ref().is_ok_and(|score| score.passed)
    }

    /// Returns what is said about the answer by the scorer of the metric with this number.
    pub fn note(&self, metric: usize) -> Option<String> {
        match &self.scores[metric] {
            Ok(score) => score.note.clone(),
            Err(unjudged) => Some(format!("{}: {}", unjudged.class, unjudged.message)),
        }
    }

    /// Tells whether nothing is known about the metric with this number for a reason outside the prompt.
    pub fn is_unknown(&self, metric: usize) -> bool {
        self.scores[metric].is_err() || self.answer.as_ref().is_err_and(|failure| failure.class.is_outside())
    }
}

impl CaseResult {
    /// Returns the repeats about which something is known on the metric with this number, each with its number.
    pub fn known(&self, metric: usize) -> impl Iterator<Item = (u32, &Attempt)> {
        (0..).zip(&self.attempts).filter(move |(_, attempt)| !attempt.is_unknown(metric))
    }

    /// Returns the mean over the repeats of the metric with this number; 0 where nothing is known.
    pub fn share(&self, metric: usize) -> f64 {
        let values = self.known(metric).filter_map(|(_, attempt)| attempt.scores[metric].as_ref().ok());
        let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), score| (count + 1, sum + score.value));
        sum / f64::from(count.max(1))
    }

    /// Tells whether most repeats pass the metric with this number; none where nothing is known.
    pub fn passes(&self, metric: usize) -> Option<bool> {
        let (known, passed) = self
            .known(metric)
            .fold((0_u32, 0_u32), |(known, passed), (_, attempt)| (known + 1, passed + u32::from(attempt.passes(metric))));
        (known > 0).then_some(2 * passed > known)
    }
}

impl Run {
    /// Puts the cases of another run of the same version behind its own.
    ///
    /// # Errors
    /// [`EvalError::Spool`].
    pub fn append(&mut self, other: Self) -> Result<(), EvalError> {
        self.cases.append(&other.cases)?;
        self.told.append(other.told);
        self.served.sent += other.served.sent;
        self.served.replayed += other.served.replayed;
        Ok(())
    }

    /// Puts the cases into another order: the case at `order[n]` becomes the n-th.
    pub fn reorder(&mut self, order: &[usize]) {
        self.cases.reorder(order);
    }

    /// Hands every attempt on, in order.
    ///
    /// # Errors
    /// [`EvalError::Spool`].
    pub fn each_attempt(&self, mut take: impl FnMut(&Attempt)) -> Result<(), EvalError> {
        for case in self.cases.iter() {
            case?.attempts.iter().for_each(&mut take);
        }
        Ok(())
    }
}

/// What a run is about.
pub struct Question<'a> {
    /// The version.
    pub subject: &'a Subject,
    /// The cases.
    pub dataset: &'a Dataset,
    /// The column of each input variable.
    pub columns: &'a BTreeMap<String, String>,
    /// How often each case is asked.
    pub repeats: u32,
    /// One scorer for each metric.
    pub scorers: &'a [Box<dyn Scorer>],
}

/// Puts every case to one version.
///
/// Cases that render to the same request share its answers: it is asked once per repeat. A call that fails for good is a
/// failed case with its class, unless every other call would fail likewise. Whatever was answered is in the recording's
/// journal when this returns, with or without an error, so that a later run goes on from there.
///
/// # Errors
/// [`EvalError::MissingRecordings`], after which nothing was sent; [`EvalError::Client`] when the model cannot be asked at
/// all; [`EvalError::Budget`], [`EvalError::RecordingFile`], [`EvalError::Dataset`].
pub async fn run(question: &Question<'_>, settings: &Settings<'_>) -> Result<Run, EvalError> {
    let mut runs = pipeline::ask_all(&[question], settings).await?;
    Ok(runs.remove(0))
}

/// Puts every case to the parent and the candidate, both over the same dataset; those of one case at the same time, so that
/// the candidate's scorers see what the parent answered. Returns the runs of the candidate and of the parent.
///
/// # Errors
/// As [`run`].
pub async fn run_pairs(
    candidate: &Question<'_>,
    parent: &Question<'_>,
    settings: &Settings<'_>,
) -> Result<(Run, Run), EvalError> {
    let mut runs = pipeline::ask_all(&[parent, candidate], settings).await?;
    let parent = runs.remove(0);
    Ok((runs.remove(0), parent))
}

/// Lets the judges among the scorers judge what people have judged: one result for each scorer, none for those without labels.
///
/// # Errors
/// As [`run`]; `reference` is the version on whose behalf they are asked.
pub async fn calibrate(
    reference: &PromptRef,
    scorers: &[Box<dyn Scorer>],
    settings: &Settings<'_>,
) -> Result<(Vec<Option<Calibrated>>, Served), EvalError> {
    let asker = Asker::new(settings);
    let asks = ForScorers::new(&asker, reference, "calibration");
    let mut found = Vec::with_capacity(scorers.len());
    for scorer in scorers {
        found.push(match scorer.calibrate(Some(&asks)) {
            Some(agreements) => Calibrated::of(&agreements.await?),
            None => None,
        });
    }
    Ok((found, asker.end()?))
}
