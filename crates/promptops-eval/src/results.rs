//! Results of runs that are kept, so that a parent need not be asked again while nothing but the candidate changed.
//!
//! A result is found by everything that decides it: the content of the version with its model and parameters, the dataset, the
//! scorers (judges among them), the number of repeats and the price. Which dated model answers behind a name is only seen in
//! answers, so whoever uses a result compares that with the candidate's: [`is_comparable`]. Only a run in which every answer was
//! given and judged is kept. The folder is a cache: it may be deleted at any time, and what cannot be read counts as absent.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use promptops_prompt::{Digest, PromptRef};
use serde::{Deserialize, Serialize};

use crate::client::Usage;
use crate::error::EvalError;
use crate::run::{Cases, Run, Served, Told};

/// The number of the form of a kept result; another one is not read.
const FORMAT: u32 = 2;

/// A folder of kept results.
#[derive(Debug, Clone)]
pub struct Results {
    folder: PathBuf,
}

/// What stands in front of the cases of a kept run, on one line.
#[derive(Debug, Serialize, Deserialize)]
struct HeadV2 {
    format: u32,
    reference: PromptRef,
    answered_by: Vec<(String, Option<String>, u64)>,
    usage: Usage,
    counted: u64,
    latencies_ms: Vec<u32>,
    first_token_ms: Vec<u32>,
}

impl Results {
    /// Returns the results in a folder, which is made when the first one is kept.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Returns the result under a key. One that is not there or cannot be read is none.
    pub fn find(&self, key: &Digest) -> Option<Run> {
        let mut reader = BufReader::new(File::open(self.file(key)).ok()?);
        let mut line = String::new();
        let start = reader.read_line(&mut line).ok()?;
        let head: HeadV2 = serde_json::from_str(&line).ok().filter(|head: &HeadV2| head.format == FORMAT)?;
        let cases = Cases::in_file(reader.into_inner(), start as u64).ok()?;
        Some(head.into_run(cases))
    }

    /// Keeps a run under a key if every answer was given and judged; tells whether it was. Readers see all of it or nothing.
    ///
    /// # Errors
    /// [`EvalError::Spool`]: the result is not kept, which costs time later and nothing else.
    pub fn keep(&self, key: &Digest, run: &Run) -> Result<bool, EvalError> {
        let mut is_whole = true;
        run.each_attempt(|attempt| is_whole &= attempt.answer.is_ok() && attempt.scores.iter().all(Result::is_ok))?;
        if is_whole {
            let failure = |source| EvalError::Spool { source };
            let file = self.write(run)?;
            file.persist(self.file(key)).map_err(|error| failure(error.error))?;
        }
        Ok(is_whole)
    }

    fn write(&self, run: &Run) -> Result<tempfile::NamedTempFile, EvalError> {
        let failure = |source| EvalError::Spool { source };
        std::fs::create_dir_all(&self.folder).map_err(failure)?;
        let mut file = tempfile::Builder::new().prefix(".result-").tempfile_in(&self.folder).map_err(failure)?;
        let mut writer = BufWriter::new(file.as_file_mut());
        serde_json::to_writer(&mut writer, &HeadV2::of(run)).map_err(|error| failure(error.into()))?;
        writer.write_all(b"\n").map_err(failure)?;
        for case in run.cases.bytes() {
            writer.write_all(&case?).map_err(failure)?;
        }
        writer.flush().map_err(failure)?;
        drop(writer);
        Ok(file)
    }

    fn file(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.run", key.to_string().replace(':', "-")))
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

impl HeadV2 {
    fn of(run: &Run) -> Self {
        let told = &run.told;
        let by = told.answered_by.iter().map(|((model, fingerprint), count)| (model.clone(), fingerprint.clone(), *count));
        Self {
            format: FORMAT,
            reference: run.reference.clone(),
            answered_by: by.collect(),
            usage: told.usage,
            counted: told.counted,
            latencies_ms: told.latencies_ms.clone(),
            first_token_ms: told.first_token_ms.clone(),
        }
    }

    fn into_run(self, cases: Cases) -> Run {
        let told = Told {
            answered_by: self.answered_by.into_iter().map(|(model, print, count)| ((model, print), count)).collect(),
            usage: self.usage,
            counted: self.counted,
            latencies_ms: self.latencies_ms,
            first_token_ms: self.first_token_ms,
        };
        Run { reference: self.reference, cases, told, served: Served::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ErrorClass;
    use crate::run::{Attempt, CaseResult, Failure};
    use crate::scorer::{Classified, Score};

    fn run(model: &str) -> Run {
        run_with(model, |_| ())
    }

    /// Returns a run of one case, whose second attempt is changed.
    fn run_with(model: &str, change: impl Fn(&mut Attempt)) -> Run {
        let score =
            Score { note: Some("no".into()), classified: Some(Classified { right: 1, answered: None }), ..Score::fail("") };
        let attempt = Attempt { answer: Ok(()), scores: vec![Ok(score), Ok(Score::pass())], cost_usd: Some(0.25) };
        let told = Told {
            answered_by: [((model.to_owned(), Some("fp".to_owned())), 2)].into(),
            counted: 2,
            latencies_ms: vec![3, 5],
            ..Told::default()
        };
        let mut attempts = vec![attempt; 2];
        change(&mut attempts[1]);
        let mut cases = Cases::absent(1);
        cases.set(0, &CaseResult { attempts }).unwrap();
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
        assert_eq!(
            (&found.reference, found.cases.get(0).unwrap(), &found.told),
            (&kept.reference, kept.cases.get(0).unwrap(), &kept.told)
        );
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
        let failure = Failure { class: ErrorClass::Timeout, message: "late".into() };
        let late = run_with("m", |attempt| attempt.answer = Err(failure.clone()));
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
