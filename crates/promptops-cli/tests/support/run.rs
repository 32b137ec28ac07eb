//! What a run of the binary came to.

use std::fmt;
use std::process::Output;

use super::Redactions;

/// Exit code, stdout and stderr, redacted. Its text is the whole of them.
pub struct Run {
    /// The exit code.
    pub exit: i32,
    /// The answer.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl Run {
    /// Takes over what a process left. However wrong its input, it must have ended by itself, without a panic and with an
    /// exit code that the help documents.
    pub fn new(output: Output, redactions: &Redactions) -> Self {
        let stdout = redactions.apply(&String::from_utf8_lossy(&output.stdout));
        let stderr = redactions.apply(&String::from_utf8_lossy(&output.stderr));
        assert!(!stderr.contains("panicked"), "{stderr}");
        let exit = output.status.code().unwrap_or_else(|| panic!("ended by {}: {stderr}", output.status));
        assert!((0..=8).contains(&exit), "exit code {exit} is not documented: {stderr}");
        Self { exit, stdout, stderr }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit: {}\n----- stdout -----\n{}", self.exit, self.stdout)?;
        if !self.stdout.is_empty() && !self.stdout.ends_with('\n') {
            writeln!(f, "[no newline]")?;
        }
        write!(f, "----- stderr -----\n{}", self.stderr)
    }
}
