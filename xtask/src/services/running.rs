//! What `cargo xtask services up` has left running: a file beside the logs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::folder;
use crate::checkout::Checkout;
use crate::python::remove_folder;
use crate::server::Server;

const END_LIMIT: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The servers that were started and still run.
pub(super) struct Running {
    file: PathBuf,
    servers: Vec<Left>,
}

struct Left {
    name: String,
    pid: u32,
    port: u16,
    data: Option<PathBuf>,
}

impl Running {
    /// Reads the file, and leaves out what does not run any more.
    pub(super) fn read(checkout: &Checkout) -> Result<Self> {
        let file = folder(checkout).join("running.json");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "[]".to_owned(),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", file.display())),
        };
        let listed: Vec<Value> = serde_json::from_str(&text).with_context(|| format!("`{}` is not JSON", file.display()))?;
        let servers = listed.iter().filter_map(Left::from_json).filter(Left::runs).collect();
        Ok(Self { file, servers })
    }

    pub(super) fn port_of(&self, name: &str) -> Option<u16> {
        self.servers.iter().find(|left| left.name == name).map(|left| left.port)
    }

    /// Leaves a server running and writes that down.
    pub(super) fn add(&mut self, name: &str, server: Server) -> Result<()> {
        let (pid, port, data) = server.leave_running();
        self.servers.push(Left { name: name.to_owned(), pid, port, data });
        self.write()
    }

    /// Ends all of them and returns their names.
    pub(super) fn end_all(mut self) -> Result<Vec<String>> {
        let mut ended = Vec::new();
        while let Some(left) = self.servers.pop() {
            left.end()?;
            self.write()?;
            ended.push(left.name);
        }
        Ok(ended)
    }

    fn write(&self) -> Result<()> {
        let listed: Vec<Value> = self.servers.iter().map(Left::to_json).collect();
        std::fs::write(&self.file, format!("{:#}\n", Value::from(listed)))
            .with_context(|| format!("cannot write `{}`", self.file.display()))
    }
}

impl Left {
    fn from_json(listed: &Value) -> Option<Self> {
        let number = |key: &str| listed.get(key).and_then(Value::as_u64);
        Some(Self {
            name: listed.get("name")?.as_str()?.to_owned(),
            pid: number("pid")?.try_into().ok()?,
            port: number("port")?.try_into().ok()?,
            data: listed.get("data").and_then(Value::as_str).map(PathBuf::from),
        })
    }

    fn to_json(&self) -> Value {
        let data = self.data.as_deref().map(Path::to_string_lossy);
        json!({"name": self.name, "pid": self.pid, "port": self.port, "data": data})
    }

    /// Says whether this very server runs; its number may belong to another process by now.
    fn runs(&self) -> bool {
        let answer = Command::new("ps").args(["-o", "args=", "-p", &self.pid.to_string()]).stderr(Stdio::null()).output();
        answer.is_ok_and(|answer| self.is_started_by(&String::from_utf8_lossy(&answer.stdout)))
    }

    /// Says whether a command line is this server's: all of them have the server's name in a path and its port as a number.
    fn is_started_by(&self, command_line: &str) -> bool {
        let port = self.port.to_string();
        let has_port = command_line.split(|character: char| !character.is_ascii_alphanumeric()).any(|word| word == port);
        has_port && command_line.contains(&self.name)
    }

    fn end(&self) -> Result<()> {
        let killed = Command::new("kill").arg(self.pid.to_string()).status().context("cannot start `kill`")?;
        ensure!(killed.success(), "`{}` (process {}) cannot be ended", self.name, self.pid);
        let start = Instant::now();
        while self.runs() {
            ensure!(start.elapsed() < END_LIMIT, "`{}` (process {}) does not end", self.name, self.pid);
            std::thread::sleep(BETWEEN_LOOKS);
        }
        self.data.as_deref().map_or(Ok(()), remove_folder)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::server::free_port;

    #[test]
    fn what_is_left_running_is_found_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = Checkout { root: folder.path().to_owned(), target: folder.path().to_owned() };
        std::fs::create_dir_all(super::folder(&checkout)).unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let port = free_port().unwrap();
        // Python, because it stands in for a server whose arguments name its port.
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string(), "--directory"]);
        command.arg(folder.path().join("stand-in"));
        let server = Server::start(&mut command, port, &folder.path().join("log")).unwrap().with_data(Some(data.clone()));
        let mut running = Running::read(&checkout).unwrap();
        running.add("stand-in", server).unwrap();

        let running = Running::read(&checkout).unwrap();
        assert_eq!(running.port_of("stand-in"), Some(port));
        assert_eq!(running.end_all().unwrap(), ["stand-in"]);
        assert_eq!(Running::read(&checkout).unwrap().port_of("stand-in"), None);
        assert!(!data.exists());
    }

    #[test]
    fn another_process_with_the_number_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = Checkout { root: folder.path().to_owned(), target: folder.path().to_owned() };
        let file = super::folder(&checkout).join("running.json");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let own = std::process::id();
        let listed = format!(r#"[{{"name": "no-such-server", "pid": {own}, "port": 65535}}, {{"name": "odd"}}]"#);
        std::fs::write(file, listed).unwrap();
        assert_eq!(Running::read(&checkout).unwrap().end_all().unwrap(), Vec::<String>::new());

        let left = Left { name: "versitygw".to_owned(), pid: own, port: 4321, data: None };
        assert!(left.is_started_by("/programs/versitygw-v1/versitygw --port 127.0.0.1:4321 --quiet"));
        assert!(!left.is_started_by("/programs/versitygw-v1/versitygw --port 127.0.0.1:14321 --quiet"));
        assert!(!left.is_started_by("/programs/other --port 127.0.0.1:4321"));
    }
}
