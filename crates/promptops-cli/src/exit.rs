//! Exit codes: a promise to scripts.

use std::process::ExitCode;

/// How a run ended. The numbers are documented in `promptops help` and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Success = 0,
    /// The answer is no: findings, a regression, an unmet demand of the policy, a failed verification.
    Refused = 1,
    /// The command line or the configuration is wrong. (clap's own code.)
    Usage = 2,
    /// The evidence does not suffice for a verdict.
    Inconclusive = 3,
    /// A prompt, version, file, registry or environment does not exist.
    NotFound = 4,
    /// Somebody else was first, or the content of a published version would change.
    Conflict = 5,
    /// A store, a model or the network does not answer, or denies access. Trying again may help.
    Unavailable = 6,
    /// Stored bytes are not what they should be.
    Corrupt = 7,
    /// The machine failed: a full disk, a file that cannot be read or written.
    Io = 8,
}

/// The table of exit codes that every help text ends with.
pub const HELP: &str = "\
Exit codes:
  0  all is well
  1  refused: findings, a regression, an unmet demand of the policy, a failed verification
  2  the command line or the configuration is wrong
  3  inconclusive: the evidence does not suffice for a verdict
  4  not found: a prompt, version, file, registry or environment does not exist
  5  conflict: somebody else was first, or a published version would change
  6  unavailable: a store, a model or the network does not answer or denies access
  7  corrupt: stored bytes are not what they should be
  8  the machine failed: a full disk, a file that cannot be read or written";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
