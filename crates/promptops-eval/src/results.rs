//! Results of runs that are kept, so that a parent need not be asked again while nothing but the candidate changed.
//!
//! A result is found by everything that decides it: the content of the version with its model and parameters, the dataset, the
//! scorers (judges among them), the number of repeats and the price. Which dated model answers behind a name is only seen in
//! answers, so whoever uses a result compares that with the candidate's: [`is_comparable`]. Only a run in which every answer was
//! given and judged is kept. The folder is a cache: it may be deleted at any time, and what cannot be read counts as absent.

use std::path::{Path, PathBuf};

use promptops_prompt::{Digest, PromptRef};
use serde::{Deserialize, Serialize};

use crate::client::Usage;
use crate::run::{Attempt, CaseResult, Run, Served, Told};
use crate::scorer::{Classified, Score};

/// The number of the form of a kept result; another one is not read.
const FORMAT: u32 = 1;

/// A folder of kept results.
#[derive(Debug, Clone)]
pub struct Results {
    folder: PathBuf,
}

/// A run as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptV1 {
    format: u32,
    reference: PromptRef,
    answered_by: Vec<(String, Option<String>, u64)>,
    usage: Usage,
    counted: u64,
    latencies_ms: Vec<u32>,
    first_token_ms: Vec<u32>,
    /// The attempts of each case.
    cases: Vec<Vec<AttemptV1>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AttemptV1 {
    scores: Vec<ScoreV1>,
    cost_usd: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ScoreV1 {
    value: f64,
    passed: bool,
    note: Option<String>,
    classified: Option<(usize, Option<usize>)>,
}

impl Results {
    /// Returns the results in a folder, which is made when the first one is kept.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Returns the result under a key. One that is not there or cannot be read is none.
    pub fn find(&self, key: &Digest) -> Option<Run> {
        let text = std::fs::read_to_string(self.file(key)).ok()?;
        let kept: KeptV1 = serde_json::from_str(&text).ok()?;
        (kept.format == FORMAT).then(|| kept.into_run())
    }

    /// Keeps a run under a key if every answer was given and judged; tells whether it was. Readers see all of it or nothing.
    ///
    /// # Errors
    /// What the system says: the result is not kept, which costs time later and nothing else.
    pub fn keep(&self, key: &Digest, run: &Run) -> std::io::Result<bool> {
        let Some(kept) = KeptV1::of(run) else { return Ok(false) };
        std::fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(".result-").tempfile_in(&self.folder)?;
        serde_json::to_writer(std::io::BufWriter::new(file.as_file_mut()), &kept)?;
        file.persist(self.file(key)).map_err(|error| error.error)?;
        Ok(true)
    }

    fn file(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.json", key.to_string().replace(':', "-")))
    }
}

/// Tells whether a kept run of a parent may stand beside a candidate's: where both ask for the same model, the same dated models
/// must have answered. Where the candidate asks for another model, that is the change which is measured.
pub fn is_comparable(parent: &Run, parent_model: &str, candidate: &Run, candidate_model: &str) -> bool {
    let models = |run: &Run| -> std::collections::BTreeSet<String> {
        run.told.answered_by.keys().map(|(model, _)| model.clone()).collect()
    };
    parent_model != candidate_model || models(parent) == models(candidate)
}

impl KeptV1 {
    fn of(run: &Run) -> Option<Self> {
        let score = |score: &Score| ScoreV1 {
            value: score.value,
            passed: score.passed,
            note: score.note.clone(),
            classified: score.classified.map(|classified| (classified.right, classified.answered)),
        };
        let mut cases = Vec::with_capacity(run.cases.len());
        for case in &run.cases {
            let mut attempts = Vec::with_capacity(case.attempts.len());
            for attempt in &case.attempts {
                attempt.answer.as_ref().ok()?;
                let scores: Option<Vec<ScoreV1>> = attempt.scores.iter().map(|found| found.as_ref().ok().map(score)).collect();
                attempts.push(AttemptV1 { scores: scores?, cost_usd: attempt.cost_usd });
            }
            cases.push(attempts);
        }
        let told = &run.told;
        let by = told.answered_by.iter().map(|((model, fingerprint), count)| (model.clone(), fingerprint.clone(), *count));
        Some(Self {
            format: FORMAT,
            reference: run.reference.clone(),
            answered_by: by.collect(),
            usage: told.usage,
            counted: told.counted,
            latencies_ms: told.latencies_ms.clone(),
            first_token_ms: told.first_token_ms.clone(),
            cases,
        })
    }

    fn into_run(self) -> Run {
        let score = |kept: ScoreV1| Score {
            value: kept.value,
            passed: kept.passed,
            note: kept.note,
            classified: kept.classified.map(|(right, answered)| Classified { right, answered }),
        };
        let attempt = |kept: AttemptV1| Attempt {
            answer: Ok(()),
            scores: kept.scores.into_iter().map(|kept| Ok(score(kept))).collect(),
            cost_usd: kept.cost_usd,
        };
        let case = |attempts: Vec<AttemptV1>| CaseResult { attempts: attempts.into_iter().map(attempt).collect() };
        let told = Told {
            answered_by: self.answered_by.into_iter().map(|(model, print, count)| ((model, print), count)).collect(),
            usage: self.usage,
            counted: self.counted,
            latencies_ms: self.latencies_ms,
            first_token_ms: self.first_token_ms,
        };
        Run { reference: self.reference, cases: self.cases.into_iter().map(case).collect(), told, served: Served::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ErrorClass;
    use crate::run::Failure;

    fn run(model: &str) -> Run {
        let score =
            Score { note: Some("no".into()), classified: Some(Classified { right: 1, answered: None }), ..Score::fail("") };
        let attempt = Attempt { answer: Ok(()), scores: vec![Ok(score), Ok(Score::pass())], cost_usd: Some(0.25) };
        let told = Told {
            answered_by: [((model.to_owned(), Some("fp".to_owned())), 2)].into(),
            counted: 2,
            latencies_ms: vec![3, 5],
            ..Told::default()
        };
        let cases = vec![CaseResult { attempts: vec![attempt; 2] }];
        Run { reference: "a.b@2".parse().unwrap(), cases, told, served: Served { sent: 7, replayed: 1 } }
    }

    #[test]
    fn what_is_found_is_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results::in_folder(&folder.path().join("results"));
        let (key, other) = (Digest::of(b"key"), Digest::of(b"other"));
        assert!(results.find(&key).is_none());
        assert!(results.keep(&key, &run("m")).unwrap());
        let found = results.find(&key).unwrap();
        let kept = run("m");
        assert_eq!((&found.reference, &found.cases, &found.told), (&kept.reference, &kept.cases, &kept.told));
        // Nothing was sent for it.
        assert_eq!(found.served, Served::default());
        assert!(results.find(&other).is_none());
        // A file that is none is absent.
        std::fs::write(results.file(&key), "{").unwrap();
        assert!(results.find(&key).is_none());
    }

    #[test]
    fn a_run_with_errors_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results::in_folder(folder.path());
        let mut late = run("m");
        late.cases[0].attempts[1].answer = Err(Failure { class: ErrorClass::Timeout, message: "late".into() });
        assert!(!results.keep(&Digest::of(b"key"), &late).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_dated_model_behind_the_same_name_is_not_comparable() {
        assert!(is_comparable(&run("m-01"), "m", &run("m-01"), "m"));
        assert!(!is_comparable(&run("m-01"), "m", &run("m-02"), "m"));
        assert!(is_comparable(&run("m-01"), "m", &run("n-02"), "n"));
    }
}
