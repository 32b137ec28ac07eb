//! Programs that are asked something: text in on standard input, text out on standard output, and no more time or output than
//! allowed.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, Command};

use crate::client::excerpt;
use crate::recording::Redaction;

/// The most that is kept of what a program says on its standard error.
const MAX_COMPLAINT_BYTES: u64 = 16 << 10;
/// How long the standard error of a program that has ended is listened to.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A program and its bounds.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The program and its arguments; at least the program.
    pub(crate) command: Vec<String>,
    /// Where it is started.
    pub(crate) directory: PathBuf,
    /// Time from its start to its end.
    pub(crate) timeout: Duration,
    /// The most that it may write.
    pub(crate) max_output_bytes: usize,
}

/// Says why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// It cannot be started: install it, or correct its name.
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    /// It was ended because its time was over.
    #[error("it was ended after {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It was ended because it wrote too much.
    #[error("it was ended because it wrote more than {0} bytes")]
    TooMuch(usize),
    /// It ended with a failure.
    #[error("it ended with {status}{}", said(.stderr))]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it said on its standard error.
        stderr: String,
    },
    /// What it wrote is no text.
    #[error("what it wrote is not UTF-8")]
    NoText,
    /// Its pipes broke.
    #[error("it cannot be talked to: {0}")]
    Pipe(io::Error),
}

fn said(stderr: &str) -> String {
    let stderr = stderr.trim();
    if stderr.is_empty() { String::new() } else { format!(" and said {}", excerpt(stderr)) }
}

impl ProgramError {
    /// Returns the error without what must not be told.
    pub(crate) fn redacted(self, redaction: &Redaction) -> Self {
        match self {
            Self::Failed { status, stderr } => Self::Failed { status, stderr: redaction.text(&stderr).into_owned() },
            other => other,
        }
    }
}

impl Program {
    /// Starts the program, hands the input over and returns what it writes.
    ///
    /// When this is done or dropped early, neither the program nor anything that it started in its process group runs on,
    /// unless it ended well by itself.
    pub(crate) async fn run(&self, input: &[u8]) -> Result<String, ProgramError> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).current_dir(&self.directory).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(ProgramError::Start)?;
        let mut group = Group::of(&child);
        let talk = self.talk(&mut child, input);
        let output = tokio::time::timeout(self.timeout, talk).await.map_err(|_| ProgramError::Timeout(self.timeout))??;
        group.let_go();
        Ok(output)
    }

    /// Writes and reads at once: a program that fills one pipe while we wait at another would never end.
    async fn talk(&self, child: &mut Child, input: &[u8]) -> Result<String, ProgramError> {
        let no_pipe = || ProgramError::Pipe(io::ErrorKind::BrokenPipe.into());
        let mut stdin = child.stdin.take().ok_or_else(no_pipe)?;
        let stdout = child.stdout.take().ok_or_else(no_pipe)?;
        let complaint = tokio::spawn(listen(child.stderr.take().ok_or_else(no_pipe)?));
        let write = async {
            match stdin.write_all(input).await {
                // A program need not read what it does not use.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                other => other.map_err(ProgramError::Pipe)?,
            }
            drop(stdin);
            Ok(())
        };
        let mut output = Vec::new();
        let read = async {
            let limit = self.max_output_bytes;
            let count = stdout.take(limit as u64 + 1).read_to_end(&mut output).await.map_err(ProgramError::Pipe)?;
            if count > limit { Err(ProgramError::TooMuch(limit)) } else { Ok(()) }
        };
        tokio::try_join!(write, read)?;
        let status = child.wait().await.map_err(ProgramError::Pipe)?;
        if !status.success() {
            // What it started may keep its standard error open for ever.
            let stderr = tokio::time::timeout(LAST_WORDS, complaint).await.ok().and_then(Result::ok).unwrap_or_default();
            return Err(ProgramError::Failed { status, stderr });
        }
        String::from_utf8(output).map_err(|_| ProgramError::NoText)
    }
}

/// Returns the beginning of what a program says on its standard error; the rest is read and dropped, so that it can go on.
async fn listen(mut stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    // What cannot be read was not said.
    let _ = (&mut stderr).take(MAX_COMPLAINT_BYTES).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// The process group of a program; ends it when dropped.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: id.and_then(rustix::process::Pid::from_raw) }
    }

    /// Leaves the group alone from here on.
    fn let_go(&mut self) {
        self.leader = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // Whoever is gone already need not be ended.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(not(unix))]
impl Group {
    fn of(_: &Child) -> Self {
        Self {}
    }

    fn let_go(&mut self) {}
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    fn program(script: &str, timeout_ms: u64) -> Program {
        let command = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        Program { command, directory: "/".into(), timeout: Duration::from_millis(timeout_ms), max_output_bytes: 1 << 20 }
    }

    const LONG: u64 = 60_000;

    #[tokio::test]
    async fn what_goes_in_and_comes_out_is_whole() {
        let input = "x".repeat(900_000);
        assert_eq!(program("cat", LONG).run(input.as_bytes()).await.unwrap(), input);
        // One that reads nothing and complains at length answers as well.
        let output = program("head -c 1000000 /dev/zero >&2; echo fine", LONG).run(input.as_bytes()).await.unwrap();
        assert_eq!(output, "fine\n");
    }

    #[tokio::test]
    async fn failures_are_told_with_what_the_program_said() {
        let error = program("echo 'no such file' >&2; exit 3", LONG).run(b"").await.unwrap_err();
        assert_eq!(error.to_string(), "it ended with exit status: 3 and said `no such file`");
        let quiet = program("exit 1", LONG).run(b"").await.unwrap_err();
        assert_eq!(quiet.to_string(), "it ended with exit status: 1");
        let endless = program("cat /dev/zero", LONG).run(b"").await.unwrap_err();
        assert_eq!(endless.to_string(), "it was ended because it wrote more than 1048576 bytes");
        let bytes = program("printf '\\377'", LONG).run(b"").await.unwrap_err();
        assert!(matches!(bytes, ProgramError::NoText), "{bytes}");
        let missing = Program { command: vec!["no-such-program".into()], ..program("", LONG) };
        assert!(matches!(missing.run(b"").await.unwrap_err(), ProgramError::Start(_)));
    }

    /// Waits until a process is gone, or is only waited for by its parent.
    fn ends(process: &str) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            match std::fs::read_to_string(format!("/proc/{process}/stat")) {
                Ok(stat) if !stat.contains(") Z ") => std::thread::yield_now(),
                _ => return true,
            }
        }
        false
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn whoever_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("process");
        // The grandchild keeps the pipe open after its parent is gone.
        let script = format!("sleep 600 & echo $! > {}; exit 0", path.display());
        let started = Instant::now();
        let error = program(&script, 300).run(b"").await.unwrap_err();
        assert_eq!(error.to_string(), "it was ended after 300 ms");
        assert!(started.elapsed() < Duration::from_secs(20));
        assert!(ends(std::fs::read_to_string(&path).unwrap().trim()));
    }
}
