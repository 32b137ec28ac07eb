//! One run: every case of a dataset is put to one version of a prompt, and every scorer judges the answers.

mod answers;
mod asking;

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use promptops_prompt::PromptRef;

use crate::client::retry::RetryPolicy;
use crate::client::{Answer, Call, ClientError, ErrorClass, ModelClient, Usage};
use crate::dataset::{Case, Dataset, inputs};
use crate::error::EvalError;
use crate::price::Price;
use crate::recording::{Key, Recording};
use crate::scorer::calibration::Calibrated;
use crate::scorer::{Judged, Score, Scorer, Unjudged};
use crate::subject::Subject;

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
    /// What may be spent.
    pub budget: Budget,
    /// Told after every answer.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// What a run may spend on calls that are not recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Calls, retries included.
    pub calls: Option<u64>,
    /// US dollars; needs a price.
    pub usd: Option<f64>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Answers that are there.
    pub done: usize,
    /// Answers that are needed.
    pub total: usize,
    /// Calls that failed for good.
    pub failed: usize,
}

/// How the answers were come by. Kept apart from the run itself, which is the same either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Calls that were sent, retries included.
    pub sent: u64,
    /// Answers that were replayed from the recording.
    pub replayed: u64,
}

/// The results of one run, in the order of the dataset.
#[derive(Debug)]
pub struct Run {
    /// The version that was asked.
    pub reference: PromptRef,
    /// One result for each case.
    pub cases: Vec<CaseResult>,
    /// How the answers were come by.
    pub served: Served,
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
    /// The answer.
    pub answer: Result<Answer, Failure>,
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
    /// Returns the mean over the repeats of the metric with this number; a repeat about which nothing is known counts as 0.
    pub fn share(&self, metric: usize) -> f64 {
        let values = self.attempts.iter().filter_map(|attempt| attempt.scores[metric].as_ref().ok());
        values.map(|score| score.value).sum::<f64>() / self.attempts.len() as f64
    }

    /// Tells whether nothing is known about a repeat for a reason outside the prompt.
    pub fn has_unknown(&self, metric: usize) -> bool {
        self.attempts.iter().any(|attempt| attempt.is_unknown(metric))
    }
}

impl Run {
    /// Puts the cases of another run of the same version behind its own.
    pub fn append(&mut self, other: Self) {
        self.cases.extend(other.cases);
        self.served.sent += other.served.sent;
        self.served.replayed += other.served.replayed;
    }

    /// Puts the cases into another order: the case at `order[n]` becomes the n-th.
    pub fn reorder(&mut self, order: &[usize]) {
        let mut cases: Vec<Option<CaseResult>> = std::mem::take(&mut self.cases).into_iter().map(Some).collect();
        self.cases = order.iter().filter_map(|index| cases[*index].take()).collect();
    }

    /// Returns the tokens of all answers.
    pub fn usage(&self) -> Usage {
        let mut total = Usage::default();
        for usage in self.answers().filter_map(|answer| answer.usage) {
            total += usage;
        }
        total
    }

    /// Returns every answer, in order.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.attempts().filter_map(|attempt| attempt.answer.as_ref().ok())
    }

    /// Returns every attempt, in order.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.cases.iter().flat_map(|case| &case.attempts)
    }

    /// Counts the calls without an answer by class.
    pub fn failures(&self) -> BTreeMap<ErrorClass, u64> {
        let mut failures = BTreeMap::new();
        for failure in self.attempts().filter_map(|attempt| attempt.answer.as_ref().err()) {
            *failures.entry(failure.class).or_default() += 1;
        }
        failures
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
    /// The run whose answers the scorers may hold these against.
    pub rival: Option<&'a Run>,
}

/// Puts every case to the subject.
///
/// Cases that render to the same request share its answers: it is asked once per repeat. A call that fails for good is a
/// failed case with its class, unless every other call would fail likewise. Whatever was answered is in the recording when
/// this returns, with or without an error, so that a later run goes on from there.
///
/// # Errors
/// [`EvalError::MissingRecordings`] before anything is sent, [`EvalError::Client`] when the model cannot be asked at all,
/// [`EvalError::Budget`], [`EvalError::RecordingFile`].
pub async fn run(question: &Question<'_>, settings: &Settings<'_>) -> Result<Run, EvalError> {
    let subject = question.subject;
    let mut planned = Vec::with_capacity(question.dataset.len());
    for case in question.dataset.rows() {
        let inputs = inputs(&case?, question.dataset.format, question.columns, &subject.content.inputs);
        planned.push(match subject.call(&inputs) {
            Ok(call) => Ok(answers::Planned { digest: call.digest(), call }),
            Err(error) => Err(Failure { class: ErrorClass::Render, message: error.to_string() }),
        });
    }
    let price = settings.prices.get(&subject.content.model).copied();
    let purse = answers::Purse::new(settings);
    let collected = answers::collect(question, &planned, price, settings, &purse).await;
    settings.recording.save()?;
    let (results, mut served) = collected?;
    let asking = asking::Asking::new(settings, &purse);
    let judging = planned.iter().zip(question.dataset.rows()).enumerate().map(|(index, (planned, case))| {
        let (results, asking) = (&results, &asking);
        async move {
            let case = case?;
            let mut attempts = Vec::new();
            for repeat in 0..question.repeats {
                attempts.push(match planned {
                    Ok(planned) => {
                        let answer = results[&Key { request: planned.digest, repeat }].clone();
                        judge(question, (index, &case), (&planned.call, repeat), answer, price, asking).await
                    }
                    Err(failure) => failed(question, failure.clone()),
                });
            }
            Ok::<_, EvalError>(CaseResult { attempts })
        }
    });
    let cases = stream::iter(judging).buffered(settings.concurrency.max(1)).try_collect().await;
    settings.recording.save()?;
    let asked = asking.end()?;
    served.sent += asked.sent;
    served.replayed += asked.replayed;
    Ok(Run { reference: subject.reference.clone(), cases: cases?, served })
}

/// Lets the judges among the scorers judge what people have judged: one result for each scorer, none for those without labels.
///
/// # Errors
/// As [`run`], but for the errors of the subject.
pub async fn calibrate(
    scorers: &[Box<dyn Scorer>],
    settings: &Settings<'_>,
) -> Result<(Vec<Option<Calibrated>>, Served), EvalError> {
    let purse = answers::Purse::new(settings);
    let asking = asking::Asking::new(settings, &purse);
    let mut found = Vec::with_capacity(scorers.len());
    for scorer in scorers {
        found.push(match scorer.calibrate(Some(&asking)) {
            Some(agreements) => Calibrated::of(&agreements.await?),
            None => None,
        });
    }
    settings.recording.save()?;
    Ok((found, asking.end()?))
}

/// Lets every scorer judge one answer.
async fn judge(
    question: &Question<'_>,
    (index, case): (usize, &Case),
    (call, repeat): (&Call, u32),
    answer: Result<Answer, Failure>,
    price: Option<Price>,
    asking: &asking::Asking<'_>,
) -> Attempt {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return failed(question, failure),
    };
    let cost_usd = price.zip(answer.usage).map(|(price, usage)| price.cost(&usage));
    let rival = question.rival.and_then(|run| run.cases[index].attempts[repeat as usize].answer.as_ref().ok());
    let judged = Judged { answer: &answer, case, call, repeat, cost_usd, rival, asks: Some(asking) };
    let mut scores = Vec::with_capacity(question.scorers.len());
    for scorer in question.scorers {
        scores.push(scorer.score(&judged).settle().await);
    }
    Attempt { answer: Ok(answer), scores, cost_usd }
}

/// A call without an answer fails every metric.
fn failed(question: &Question<'_>, failure: Failure) -> Attempt {
    let score = Score::fail(format!("{}: {}", failure.class, failure.message));
    Attempt { answer: Err(failure), scores: vec![Ok(score); question.scorers.len()], cost_usd: None }
}
