//! What can go wrong with a lake, by what the reader can do about it.

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use parquet::errors::ParquetError;

/// The failure below, of a library that callers need not know.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure of the lake.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The URL or folder cannot be a lake: give another.
    #[error("{reason}: `{url}`")]
    InvalidUrl {
        /// The URL as it was given.
        url: String,
        /// Why not, as a lower-case fragment.
        reason: String,
    },
    /// The statement cannot be answered: correct it.
    #[error("{0}")]
    Query(String),
    /// A record cannot be kept as it is: correct it. Nothing was written.
    #[error("{reason} in invocation `{invocation_id}`")]
    Record {
        /// Id of the record.
        invocation_id: String,
        /// What is wrong, as a lower-case fragment.
        reason: String,
    },
    /// A file of the lake is not what was written: restore or remove it.
    #[error("not a readable Parquet file of invocations: `{file}`")]
    Corrupt {
        /// The file, relative to the lake.
        file: String,
        /// What the reader of the file said.
        source: Cause,
    },
    /// The store did not answer: look after disk, network or credentials, and try again.
    #[error("the store of the lake failed to {action} `{place}`")]
    Store {
        /// What was tried, such as `list` or `write`.
        action: &'static str,
        /// File or folder, relative to the lake.
        place: String,
        /// What the store said.
        source: Cause,
    },
    /// Too many writers at once wrote to one hour: try again.
    #[error("other writers were faster {attempts} times in `{place}`")]
    Contended {
        /// Folder of the hour, relative to the lake.
        place: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The query ran into a limit or a defect while it ran.
    #[error("the query failed while it ran: {0}")]
    Execution(String),
}

impl LakeError {
    /// Says what to do next, where that is not plain.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InvalidUrl { .. } => {
                Some("a lake is a folder, or a URL that begins with `file://`, `s3://`, `gs://` or `az://`")
            }
            Self::Corrupt { .. } => Some("restore the file from a backup, or move it away to go on without its records"),
            Self::Contended { .. } => Some("records written so far are kept; repeating the import adds only the others"),
            Self::Query(_) | Self::Record { .. } | Self::Store { .. } | Self::Execution(_) => None,
        }
    }

    pub(crate) fn store(action: &'static str, place: &str, source: object_store::Error) -> Self {
        Self::Store { action, place: place.to_owned(), source: source.into() }
    }
}

/// What an error of DataFusion turned out to be.
pub(crate) enum Failure {
    /// The statement is at fault.
    Statement(String),
    /// Reading a file failed; which one is not always said.
    Reading(DataFusionError),
    /// Everything else.
    Execution(String),
}

/// Sorts an error by who can do something about it, and words it for a reader of SQL.
pub(crate) fn classify(error: DataFusionError) -> Failure {
    match error {
        DataFusionError::SQL(parser, _) => Failure::Statement(match *parser {
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => format!("syntax error: {text}"),
            ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_owned(),
        }),
        DataFusionError::SchemaError(schema, _) => Failure::Statement(match *schema {
            SchemaError::FieldNotFound { field, valid_fields } => unknown_column(&field, &valid_fields),
            other => plain(&other.to_string()),
        }),
        DataFusionError::Plan(text) => Failure::Statement(statement_text(&text)),
        DataFusionError::NotImplemented(text) if text.contains("a single SQL statement") => {
            Failure::Statement("only one statement is answered at a time".to_owned())
        }
        DataFusionError::NotImplemented(text) => Failure::Statement(format!("not supported: {}", plain(&text))),
        DataFusionError::Configuration(text) | DataFusionError::Execution(text) => Failure::Statement(plain(&text)),
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => classify(*inner),
        DataFusionError::Collection(errors) => match errors.into_iter().next() {
            Some(first) => classify(first),
            None => Failure::Execution("no reason was given".to_owned()),
        },
        DataFusionError::Shared(shared) => match std::sync::Arc::try_unwrap(shared) {
            Ok(inner) => classify(inner),
            Err(shared) if is_reading(&shared) => Failure::Reading(DataFusionError::Shared(shared)),
            Err(shared) => Failure::Execution(plain(&shared.strip_backtrace())),
        },
        error if is_reading(&error) => Failure::Reading(error),
        DataFusionError::ArrowError(arrow, _) => Failure::Statement(arrow_text(&arrow)),
        other => Failure::Execution(plain(&other.strip_backtrace())),
    }
}

fn unknown_column(wanted: &Column, known: &[Column]) -> String {
    let name = wanted.flat_name();
    let likely = known.iter().map(|column| column.name.as_str()).filter(|known| *known != wanted.name);
    let nearest = likely.map(|known| (strsim::damerau_levenshtein(known, &wanted.name), known)).min();
    match nearest {
        Some((distance, nearest)) if distance <= 2 => format!("no column is called `{name}`; did you mean `{nearest}`?"),
        _ => {
            let names: Vec<&str> = known.iter().map(|column| column.name.as_str()).collect();
            format!("no column is called `{name}`; known are {}", names.join(", "))
        }
    }
}

/// Words what the planner refused.
fn statement_text(text: &str) -> String {
    // Before this come the engine's own attempts, one for each signature of the function.
    let signature = text.split_once("No function matches the given name and argument types '");
    if let Some((call, _)) = signature.and_then(|(_, rest)| rest.split_once('\'')) {
        return format!("no function takes these types: `{call}`");
    }
    let text = plain(text);
    if text.starts_with("No SQL statements") {
        return "the statement is empty".to_owned();
    }
    for kind in ["DDL not supported", "DML not supported", "Statement not supported"] {
        if text.starts_with(kind) {
            return "only queries are answered, and this statement would change something".to_owned();
        }
    }
    text
}

fn is_reading(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => true,
        DataFusionError::ArrowError(arrow, _) => matches!(
            **arrow,
            ArrowError::ParquetError(_) | ArrowError::ExternalError(_) | ArrowError::IoError(..) | ArrowError::IpcError(_)
        ),
        DataFusionError::External(inner) => inner.is::<ParquetError>() || inner.is::<object_store::Error>(),
        _ => false,
    }
}

fn arrow_text(error: &ArrowError) -> String {
    match error {
        ArrowError::CastError(text) | ArrowError::ParseError(text) | ArrowError::ComputeError(text) => plain(text),
        ArrowError::ArithmeticOverflow(text) => format!("a number is too large: {}", plain(text)),
        ArrowError::DivideByZero => "division by zero".to_owned(),
        other => plain(&other.to_string()),
    }
}

/// Leaves out the prefixes and the advice that only a developer of the query engine can use.
fn plain(text: &str) -> String {
    let mut text = text;
    for prefix in ["Error during planning: ", "Execution error: ", "Arrow error: ", "Schema error: "] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    for advice in ["\n\tCandidate functions:", "\nThis issue was likely caused by a bug in DataFusion"] {
        text = text.split(advice).next().unwrap_or_default();
    }
    text.trim_end().trim_end_matches('.').replace("datafusion.public.", "")
}
