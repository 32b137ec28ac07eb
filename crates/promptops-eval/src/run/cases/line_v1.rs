//! One case as bytes.

use serde::{Deserialize, Serialize};

use crate::client::ErrorClass;
use crate::error::EvalError;
use crate::run::{Attempt, CaseResult, Failure};
use crate::scorer::{Classified, Score, Unjudged, UnjudgedClass};

#[derive(Serialize, Deserialize)]
struct AttemptV1 {
    failure: Option<(ErrorClass, String)>,
    scores: Vec<ScoreV1>,
    cost_usd: Option<f64>,
}

#[derive(Serialize, Deserialize)]
enum ScoreV1 {
    Judged { value: f64, passed: bool, note: Option<String>, classified: Option<(usize, Option<usize>)> },
    Unjudged { class: UnjudgedClass, message: String },
}

/// Writes a case.
pub(super) fn write(case: &CaseResult) -> Result<Vec<u8>, EvalError> {
    let attempts: Vec<AttemptV1> = case.attempts.iter().map(AttemptV1::of).collect();
    postcard::to_stdvec(&attempts).map_err(unreadable)
}

/// Reads a case.
pub(super) fn read(bytes: &[u8]) -> Result<CaseResult, EvalError> {
    let attempts: Vec<AttemptV1> = postcard::from_bytes(bytes).map_err(unreadable)?;
    Ok(CaseResult { attempts: attempts.into_iter().map(AttemptV1::into_attempt).collect() })
}

fn unreadable(error: postcard::Error) -> EvalError {
    EvalError::Spool { source: std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()) }
}

impl AttemptV1 {
    fn of(attempt: &Attempt) -> Self {
        let failure = attempt.answer.as_ref().err().map(|failure| (failure.class, failure.message.clone()));
        let score = |score: &Result<Score, Unjudged>| match score {
            Ok(score) => ScoreV1::Judged {
                value: score.value,
                passed: score.passed,
                note: score.note.clone(),
                classified: score.classified.map(|classified| (classified.right, classified.answered)),
            },
            Err(unjudged) => ScoreV1::Unjudged { class: unjudged.class, message: unjudged.message.clone() },
        };
        Self { failure, scores: attempt.scores.iter().map(score).collect(), cost_usd: attempt.cost_usd }
    }

    fn into_attempt(self) -> Attempt {
        let score = |score: ScoreV1| match score {
            ScoreV1::Judged { value, passed, note, classified } => {
                let classified = classified.map(|(right, answered)| Classified { right, answered });
                Ok(Score { value, passed, note, classified })
            }
            ScoreV1::Unjudged { class, message } => Err(Unjudged { class, message }),
        };
        let answer = self.failure.map_or(Ok(()), |(class, message)| Err(Failure { class, message }));
        Attempt { answer, scores: self.scores.into_iter().map(score).collect(), cost_usd: self.cost_usd }
    }
}
