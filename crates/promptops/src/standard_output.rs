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
/// A write fails with [`ErrorKind::WouldBlock`] where it would have to wait for whoever reads.
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
