//! A run that is told to end takes along what it has started.

#![cfg(test)]
#![cfg(target_os = "linux")]

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{GREETING, Project};

/// Waits until something is there.
fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("{what} did not come about");
}

/// Returns a project whose provider answers and whose scorer is a program that writes its process down and never ends.
fn with_a_scorer_that_hangs() -> Project {
    let project = Project::committed();
    let provider = "[providers.own]\nkind = \"command\"\nmodels = [\"*\"]\ncommand = [\"echo\", '{\"text\": \"hello\"}']\n";
    project.write("promptops.toml", provider);
    // The grandchild is in nobody's way, and would run on.
    let scorer = "scorer: {type: command, command: [sh, -c, 'sleep 600 & echo $! > started; wait']}";
    let spec = format!("prompt: support.greeting\ndataset: d.csv\nmetrics:\n  - name: good\n    {scorer}\n    margin: 0.1\n");
    project.write("evals/greeting.yaml", spec);
    project.write("evals/d.csv", "name\nAda\nBo\n");
    project.write("prompts/support/greeting.yaml", format!("{GREETING}evals: [evals/greeting.yaml]\n"));
    project
}

#[test]
fn whoever_ends_a_run_ends_the_programs_that_it_started() {
    for signal in ["INT", "TERM"] {
        let project = with_a_scorer_that_hangs();
        let mut command = project.promptops(["eval", "--concurrency", "1"]);
        let run = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = wait_for("the scorer's process", || {
            let text = std::fs::read_to_string(project.path("evals/started")).ok()?;
            text.trim().parse::<u32>().ok()
        });
        assert!(Command::new("kill").args([format!("-{signal}"), run.id().to_string()]).status().unwrap().success());
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("error: the run was told to end before there was a verdict"), "{said}");
        wait_for("the end of what the scorer started", || match std::fs::read_to_string(format!("/proc/{started}/stat")) {
            Ok(stat) if !stat.contains(") Z ") => None,
            _ => Some(()),
        });
    }
}
