//! What stops an evaluation, by what the reader can do.

use std::path::PathBuf;

use promptops_prompt::{Finding, PromptRef, RenderError};
use promptops_stats::StatsError;

use crate::client::ClientError;
use crate::dataset::DatasetError;

/// Says why an evaluation has no report.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The eval file or its dataset has problems: correct them.
    #[error("the eval has {} to correct", problems(.0.len()))]
    Findings(Vec<Finding>),
    /// The prompt cannot be compiled: correct it.
    #[error("cannot render `{reference}`")]
    Render {
        /// The version.
        reference: PromptRef,
        /// Why.
        #[source]
        source: RenderError,
    },
    /// Calls would be needed, but only recordings may be used: record them.
    #[error("{missing} of {needed} answers are not recorded in `{}`, the first for case `{case}` of `{reference}`", .path.display())]
    MissingRecordings {
        /// Answers that are missing.
        missing: usize,
        /// Answers that the run needs.
        needed: usize,
        /// The version for which the first one is missing.
        reference: PromptRef,
        /// The first case without one.
        case: String,
        /// The recording.
        path: PathBuf,
    },
    /// The model cannot be asked at all.
    #[error("cannot evaluate `{reference}`")]
    Client {
        /// The version.
        reference: PromptRef,
        /// Why.
        #[source]
        source: ClientError,
    },
    /// The run would exceed its budget: raise it, or use fewer cases. Answers so far are recorded.
    #[error("the budget of {budget} is used up after {calls} calls")]
    Budget {
        /// What was allowed.
        budget: String,
        /// Calls that were sent.
        calls: u64,
    },
    /// A budget in US dollars cannot be kept, for the provider does not count tokens: limit the calls instead.
    #[error("the provider of `{model}` counts no tokens, so a budget in US dollars cannot hold")]
    Uncounted {
        /// The model.
        model: String,
    },
    /// A recording cannot be read or written: look at the file.
    #[error("cannot {action} the recording `{}`", .path.display())]
    RecordingFile {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Another run records into the same file: wait for its end.
    #[error("another run is recording into `{}`", .path.display())]
    RecordingInUse {
        /// The file.
        path: PathBuf,
    },
    /// A recording's line is not one: restore the file, or delete it and record again.
    #[error("line {line} of the recording `{}` is not a recorded answer: {message}", .path.display())]
    CorruptRecording {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The dataset cannot be read again, or is another one than when it was checked: run again.
    #[error("cannot read the cases again")]
    Dataset(#[from] DatasetError),
    /// What became of cases cannot be kept outside of memory: make room in the folder of temporary files.
    #[error("cannot keep the results of the cases in a temporary file")]
    Spool {
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A run cannot be split into two equal ones: ask every case more than once, or use more cases.
    #[error("the run cannot be split into two that differ by nothing{}", if *.has_clusters { " and keep its clusters" } else { "" })]
    CannotSplit {
        /// Whether cases depend on each other, so that only their repeats can be split.
        has_clusters: bool,
    },
    /// The scores of two runs cannot be compared: a mistake in this crate or in its arguments, worth a report.
    #[error("cannot compare the scores of metric `{metric}`")]
    Statistics {
        /// The metric.
        metric: String,
        /// Why.
        #[source]
        source: StatsError,
    },
}

/// Writes an error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn problems(count: usize) -> String {
    if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") }
}

impl EvalError {
    /// Says what to do next, where there is something to say beyond the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingRecordings { reference, .. } => {
                Some(format!("record them with `promptops eval {} --replay auto` and commit the file", reference.id))
            }
            Self::Client { source, .. } => Some(source.hint().to_owned()),
            Self::Budget { .. } => Some("run again with a higher budget; recorded answers are not asked for again".to_owned()),
            Self::Uncounted { .. } => Some("limit the calls with `--max-calls` instead of `--max-usd`".to_owned()),
            Self::RecordingInUse { .. } => Some("wait until it has ended, then run again".to_owned()),
            Self::CorruptRecording { .. } => {
                Some("restore the file from Git, or delete it and record again with `--replay auto`".to_owned())
            }
            Self::CannotSplit { .. } => {
                Some("set `repeats` in the eval file to 2 or more: the repeats are split at random".to_owned())
            }
            Self::Render { .. } => Some("correct the template, or the columns of the dataset that it is filled from".to_owned()),
            _ => None,
        }
    }
}
