//! `promptops check --watch`.

#![cfg(test)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use support::Project;

/// A watching process; ended with the value.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(project: &Project) -> Self {
        let mut command = project.promptops(["check", "--watch"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Self { child, lines }
    }

    /// Waits for the line that ends a look.
    fn summary(&self) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).expect("it looks again in time");
            if line.contains(" checked: ") {
                return line;
            }
        }
    }

    /// Waits for a look that ends so: one change may come in two parts.
    fn until(&self, summary: &str) {
        while self.summary() != summary {}
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn looks_again_when_something_changes() {
    let project = Project::new();
    let watching = Watching::start(&project);
    assert_eq!(watching.summary(), "1 prompt checked: no findings");
    project.replace("prompts/support/greeting.yaml", "gpt-4o-2024-08-06", "gpt-4o");
    watching.until("1 prompt checked: 1 warning");
    project.write("prompts/support/new/farewell.yaml", "id: support.new.farewell\nversion: 1\n");
    watching.until("2 prompts checked: 4 errors, 1 warning");
    project.write("promptops.toml", "[checks]\nfloating-model = \"off\"\n");
    watching.until("2 prompts checked: 4 errors");
    project.write("promptops.toml", "[checks]\nnot yet");
    project.write("promptops.toml", "");
    watching.until("2 prompts checked: 4 errors, 1 warning");
    std::fs::remove_dir_all(project.path("prompts/support/new")).unwrap();
    watching.until("1 prompt checked: 1 warning");
}
