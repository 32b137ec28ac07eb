//! Failures: what stops a command, with what to do next and the exit code.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

use crate::exit::Exit;

/// A failure as the user sees it: `error: <what>`, causes, `hint: <what to do>`.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, with its causes.
    pub error: anyhow::Error,
    /// What to do next.
    pub hint: Option<String>,
    /// The exit code.
    pub exit: Exit,
}

/// What to do when a disk is full. Every command may be repeated.
pub const NO_ROOM: &str = "make room on the disk, then run the same command again";

/// The result of everything that a command does.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Returns a failure with a message.
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { error: anyhow::anyhow!("{message}"), hint: None, exit }
    }

    /// Returns a failure from an error with its causes.
    pub fn from_error(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { error: anyhow::Error::new(error), hint: None, exit }
    }

    /// Returns the failure of reading or writing `path`, with what to do next where the system says what is wrong.
    pub fn io(action: &str, path: &Path, error: std::io::Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::InvalidData => Exit::Usage,
            _ => Exit::Io,
        };
        let hint = match error.kind() {
            ErrorKind::NotFound => Some("check the path"),
            ErrorKind::PermissionDenied => Some("ask for permission, or run as a user who has it"),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(NO_ROOM),
            ErrorKind::ReadOnlyFilesystem => Some("name a place that can be written to"),
            ErrorKind::IsADirectory => Some("name a file, not a folder"),
            ErrorKind::NotADirectory => Some("name a folder, not a file"),
            ErrorKind::InvalidData => Some("put a text file in UTF-8 there"),
            _ => None,
        };
        let error = anyhow::Error::new(error).context(format!("cannot {action} `{}`", path.display()));
        Self { error, hint: hint.map(str::to_owned), exit }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
