//! Exit codes: a promise to scripts.

use std::process::ExitCode;

/// How a run ended. The numbers are documented in `promptops help` and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success,
    /// The answer is no: findings, a regression, an unmet demand of the policy, a failed verification.
    Refused,
    /// The command line or the configuration is wrong. (clap's own code.)
    Usage,
    /// The evidence does not suffice for a verdict.
    Inconclusive,
    /// A prompt, version, file, registry or environment does not exist.
    NotFound,
    /// Somebody else was first, or the content of a published version would change.
    Conflict,
    /// A store, a model or the network does not answer, or denies access. Trying again may help.
    Unavailable,
    /// Stored bytes are not what they should be.
    Corrupt,
    /// The machine failed: a full disk, a file that cannot be read or written.
    Io,
    /// With `--detailed-exitcode` alone: there is something to do.
    Changes,
}

/// The switch that turns on [`Exit::Changes`]. Its number is that of [`Exit::Usage`], because scripts know it from terraform; so
/// with the switch a wrong command line ends as [`Exit::Refused`], as it does there.
pub const DETAILED: &str = "--detailed-exitcode";

/// Exit codes that tell whether there is something to do.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DetailedExit {
    /// Exit with 0 when there is nothing to do, and with 2 when there is; a wrong command line is 1 then.
    #[arg(long)]
    detailed_exitcode: bool,
}

impl DetailedExit {
    /// Returns how a run that went well ends.
    pub fn exit(self, has_changes: bool) -> Exit {
        if self.detailed_exitcode && has_changes { Exit::Changes } else { Exit::Success }
    }
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
  8  the machine failed: a full disk, a file that cannot be read or written
With --detailed-exitcode 0 is nothing to do and 2 something to do; what is otherwise 2 is then 1";

impl Exit {
    /// Returns the number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused => 1,
            Self::Usage | Self::Changes => 2,
            Self::Inconclusive => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Unavailable => 6,
            Self::Corrupt => 7,
            Self::Io => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
