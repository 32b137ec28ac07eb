//! The way of the cases through a run: read one by one, asked some at a time, folded into numbers.
//!
//! What one case needs is asked for together: both versions, all repeats. So at any time only the cases under way are in
//! memory as texts.

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use promptops_prompt::Digest;

use super::asker::{Asker, ForScorers, OnBehalfOf};
use super::{Attempt, CaseResult, Cases, Failure, Progress, Question, Run, Served, Settings, Told};
use crate::client::{Answer, Call, ErrorClass};
use crate::dataset::{Case, inputs};
use crate::error::EvalError;
use crate::recording::Key;
use crate::scorer::{Judged, Score};

/// What one version is asked about a case, or why it cannot be.
type Planned = Result<(Call, Digest), Failure>;
/// What came of one call, and what it cost.
type Answered = (Result<Answer, Failure>, Option<f64>);

/// What one version came to in one case: the attempts, and what their answers said, which is forgotten at once.
struct Asked {
    attempts: Vec<Attempt>,
    answers: Vec<Answer>,
}

/// Puts every case to all of `questions`, which are over the same cases: the parent's first, if there is one.
pub(super) async fn ask_all(questions: &[&Question<'_>], settings: &Settings<'_>) -> Result<Vec<Run>, EvalError> {
    let Some(first) = questions.first() else { return Ok(Vec::new()) };
    let asker = Asker::new(settings);
    let mut runs: Vec<Folding> = questions.iter().map(|question| Folding::new(question)).collect();
    let mut progress = Progress { total: first.dataset.len() * questions.len() * first.repeats as usize, ..Progress::default() };
    let mut rows = first.dataset.rows().enumerate();
    let mut under_way = FuturesUnordered::new();
    let mut is_read = false;
    loop {
        while !is_read && under_way.len() < settings.concurrency.max(1) && !asker.has_ended() {
            match rows.next() {
                Some((index, case)) => {
                    let case = case?;
                    let asker = &asker;
                    under_way.push(async move { (index, ask(questions, &case, asker).await) });
                }
                None => is_read = true,
            }
        }
        let Some((index, sides)) = under_way.next().await else { break };
        for (run, asked) in runs.iter_mut().zip(sides) {
            progress.done += asked.attempts.len();
            progress.failed += asked.attempts.iter().filter(|attempt| attempt.answer.is_err()).count();
            run.fold(index, asked)?;
        }
        progress.sent = asker.served().sent;
        progress.spent_usd = settings.purse.spent_usd();
        (settings.progress)(progress);
    }
    drop(under_way);
    let served = asker.end()?;
    let mut runs: Vec<Run> = runs.into_iter().map(Folding::finish).collect();
    // The answers of both sides were come by together.
    runs[0].served = served;
    Ok(runs)
}

/// Asks for all answers to one case and lets the scorers judge them. Returns what each side came to.
async fn ask(questions: &[&Question<'_>], case: &Case, asker: &Asker<'_>) -> Vec<Asked> {
    let calls: Vec<Planned> = questions.iter().map(|question| call(question, case)).collect();
    let repeats = questions.first().map_or(0, |question| question.repeats);
    // Of just the size that is needed: the attempts of all cases stay.
    let empty = || Asked { attempts: Vec::with_capacity(repeats as usize), answers: Vec::new() };
    let mut sides: Vec<Asked> = questions.iter().map(|_| empty()).collect();
    let all = (0..repeats).map(|repeat| {
        let of_sides = questions.iter().zip(&calls).map(move |(question, call)| answer(question, call, repeat, case, asker));
        join_all(of_sides)
    });
    for (repeat, answers) in (0..repeats).zip(join_all(all).await) {
        // The parent's answer is there when the candidate's is judged.
        let rival = match answers.as_slice() {
            [(Ok(rival), _), _] => Some(rival),
            _ => None,
        };
        let judged = answers.iter().enumerate().map(|(side, (result, cost_usd))| {
            let rival = rival.filter(|_| side > 0);
            judge(questions[side], &calls[side], result, (repeat, *cost_usd, rival), case, asker)
        });
        let judged = join_all(judged).await;
        for (side, (attempt, (result, _))) in sides.iter_mut().zip(judged.into_iter().zip(answers)) {
            side.attempts.push(attempt);
            side.answers.extend(result.ok());
        }
    }
    sides
}

fn call(question: &Question<'_>, case: &Case) -> Planned {
    let schemas = &question.subject.content.inputs;
    let inputs = inputs(case, question.dataset.format, question.columns, schemas);
    match question.subject.call(&inputs) {
        Ok(call) => {
            let digest = call.digest();
            Ok((call, digest))
        }
        Err(error) => Err(Failure { class: ErrorClass::Render, message: error.to_string() }),
    }
}

async fn answer(question: &Question<'_>, call: &Planned, repeat: u32, case: &Case, asker: &Asker<'_>) -> Answered {
    match call {
        Ok((call, digest)) => {
            let behalf = OnBehalfOf { reference: &question.subject.reference, case: &case.head.name };
            asker.answer(call, Key { request: *digest, repeat }, behalf).await
        }
        Err(failure) => (Err(failure.clone()), None),
    }
}

/// Lets every scorer judge one answer. A call without an answer fails every metric.
async fn judge(
    question: &Question<'_>,
    call: &Planned,
    result: &Result<Answer, Failure>,
    (repeat, cost_usd, rival): (u32, Option<f64>, Option<&Answer>),
    case: &Case,
    asker: &Asker<'_>,
) -> Attempt {
    let (answer, call) = match (result, call) {
        (Ok(answer), Ok((call, _))) => (answer, call),
        (Err(failure), _) | (_, Err(failure)) => {
            let score = Score::fail(format!("{}: {}", failure.class, failure.message));
            let scores = question.scorers.iter().map(|_| Ok(score.clone())).collect();
            return Attempt { answer: Err(failure.clone()), scores, cost_usd: None };
        }
    };
    let asks = ForScorers::new(asker, &question.subject.reference, &case.head.name);
    let judged = Judged { answer, case, call, repeat, cost_usd, rival, asks: Some(&asks) };
    // Judges of several metrics are asked at the same time.
    let mut scores = join_all(question.scorers.iter().map(|scorer| scorer.score(&judged).settle())).await;
    scores.shrink_to_fit();
    Attempt { answer: Ok(()), scores, cost_usd }
}

/// A run as its cases come in, in whatever order.
struct Folding {
    run: Run,
}

impl Folding {
    fn new(question: &Question<'_>) -> Self {
        let run = Run {
            reference: question.subject.reference.clone(),
            cases: Cases::absent(question.dataset.len()),
            told: Told::default(),
            served: Served::default(),
        };
        Self { run }
    }

    fn fold(&mut self, index: usize, asked: Asked) -> Result<(), EvalError> {
        asked.answers.iter().for_each(|answer| self.run.told.add(answer));
        self.run.cases.set(index, &CaseResult { attempts: asked.attempts })
    }

    fn finish(mut self) -> Run {
        self.run.told.latencies_ms.sort_unstable();
        self.run.told.first_token_ms.sort_unstable();
        self.run
    }
}
