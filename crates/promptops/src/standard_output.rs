//! Standard output, which records are written to and never waited for.

use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::time::Duration;

/// How long a record waits for a reader that falls behind for the first time. While it stays behind, nobody waits.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_millis(100);
/// What a pipe that is ready takes at once without waiting, on every system: `PIPE_BUF`. A line that is no longer is never mixed with
/// another's.
#[cfg(unix)]
const AT_ONCE: usize = 4096;

/// Standard output without the lock and the memory of the standard library; whoever replaces it is followed.
///
/// A write fails with [`ErrorKind::WouldBlock`] where it would have to wait for whoever reads, and where the program has closed its standard
/// output, also when its descriptor went to the next file that was opened: records never get into that.
#[derive(Debug, Default)]
pub(crate) struct StandardOutput {
    /// The reader was behind the last time.
    #[cfg(unix)]
    is_behind: bool,
}

#[cfg(unix)]
impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Straight to the descriptor: the standard library's handle would keep what does not end a line.
        let output = io::stdout();
        if is_of_another_file(&output)? {
            return Err(ErrorKind::NotConnected.into());
        }
        let patience = if self.is_behind { Duration::ZERO } else { PATIENCE };
        self.is_behind = !is_ready(&output, patience)?;
        if self.is_behind {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(rustix::io::write(&output, &bytes[..bytes.len().min(AT_ONCE)])?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells whether the descriptor of standard output is that of a file which the program opened for itself. Whoever puts another file in the
/// place of standard output leaves it to the programs that are started, as `dup2` does; a file that is opened is kept from them, by every
/// language's own library. Where standard output itself is kept from them, only the file tells.
#[cfg(unix)]
fn is_of_another_file(output: &io::Stdout) -> io::Result<bool> {
    if !rustix::io::fcntl_getfd(output)?.contains(rustix::io::FdFlags::CLOEXEC) {
        return Ok(false);
    }
    let Some(remembered) = REMEMBERED.get() else { return Ok(true) };
    let now = rustix::fs::fstat(output)?;
    Ok((now.st_dev, now.st_ino) != (remembered.st_dev, remembered.st_ino))
}

/// What standard output was, where it is kept from programs that are started.
#[cfg(unix)]
static REMEMBERED: std::sync::OnceLock<rustix::fs::Stat> = std::sync::OnceLock::new();

/// Remembers which file standard output is.
///
/// For runtimes that keep standard output from the programs they start, as Node.js does, to be called when they begin: there nothing else
/// tells it from a file that took its descriptor after it was closed, and records never get into such a file. Without a standard output
/// there is nothing to remember, and nothing is written to it.
pub fn remember_standard_output() {
    #[cfg(unix)]
    if let Ok(now) = rustix::fs::fstat(io::stdout()) {
        let _ = REMEMBERED.set(now);
    }
}

#[cfg(unix)]
fn is_ready(output: &io::Stdout, patience: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    let mut polled = [PollFd::new(output, PollFlags::OUT)];
    match poll(&mut polled, Some(&patience)) {
        // Also when the reader has gone: writing then says so at once.
        Ok(ready) => Ok(ready > 0),
        // A signal came. Should nobody read, the write of the next record finds out.
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
