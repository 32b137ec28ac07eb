//! A server that a task needs while it runs, and that ends with it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take until it accepts connections; Python imports are slow on a cold disk.
const START_LIMIT: Duration = Duration::from_secs(60);
const CONNECT_LIMIT: Duration = Duration::from_millis(200);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// A running server. Dropping it ends it, also when the task fails.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// A folder of its own, removed when it ends.
    data: Option<PathBuf>,
    is_left: bool,
}

impl Server {
    /// Starts a server that listens on the port on loopback, its output going to the log, and waits until it accepts.
    pub(crate) fn start(command: &mut Command, port: u16, log: &Path) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot create `{}`", log.display()))?;
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("cannot share the log")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start `{program}`"))?;
        let mut server = Self { child, port, data: None, is_left: false };
        server.wait_until_it_accepts(log)?;
        Ok(server)
    }

    /// Names a folder that is removed when the server ends.
    pub(crate) fn with_data(mut self, data: Option<PathBuf>) -> Self {
        self.data = data;
        self
    }

    /// Lets the server outlive this task; returns its process, port and folder.
    pub(crate) fn leave_running(mut self) -> (u32, u16, Option<PathBuf>) {
        self.is_left = true;
        (self.child.id(), self.port, self.data.take())
    }

    fn wait_until_it_accepts(&mut self, log: &Path) -> Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let start = Instant::now();
        while start.elapsed() < START_LIMIT {
            if let Some(status) = self.child.try_wait().context("cannot ask after the server")? {
                bail!("the server ended with {status}: {}", log_text(log));
            }
            if TcpStream::connect_timeout(&address, CONNECT_LIMIT).is_ok() {
                return Ok(());
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
        bail!("the server did not listen on `{address}` within {} s: {}", START_LIMIT.as_secs(), log_text(log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(data) = &self.data {
            // What stays behind lies in the build folder.
            let _ = std::fs::remove_dir_all(data);
        }
    }
}

/// Keeps a Ctrl-C in this terminal, after the task has ended, from ending a server that was left running.
pub(crate) fn outlive_terminal(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

fn log_text(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default().trim().to_owned()
}

/// Finds a loopback port nobody listens on. Another program may take it before the server does: then starting fails.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no loopback port is free")?;
    Ok(listener.local_addr().context("a bound socket has no address")?.port())
}

/// Says whether nobody listens on the loopback port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_why_a_server_did_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such store >&2; exit 4"]);
        let error = Server::start(&mut command, free_port().unwrap(), &folder.path().join("log")).err().unwrap();
        assert!(error.to_string().contains("no such store"), "{error}");
    }

    #[test]
    fn knows_a_port_that_is_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }

    #[test]
    fn ends_the_server_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        // The listener stands in for the server's own socket; what is tried is that the process ends.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server::start(Command::new("sh").args(["-c", "exec sleep 600"]), port, &folder.path().join("log")).unwrap();
        let pid = server.child.id();
        drop(server);
        assert!(!Command::new("kill").args(["-0", &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success());
    }
}
