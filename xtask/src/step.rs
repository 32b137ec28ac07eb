//! Steps of a task: each says what it does, then whether it held and how long it took.

use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::Outcome;

/// Runs a step, printing its title before and its result and duration after. An error is printed, and is a failure.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
    println!("==> {title}");
    let start = Instant::now();
    match work() {
        Ok(value) => {
            println!("    {title}: done in {}", seconds(start.elapsed()));
            Some(value)
        }
        Err(error) => {
            println!("    {title}: FAILED after {}: {error:#}", seconds(start.elapsed()));
            None
        }
    }
}

/// Runs a command as a step, its output shown as it comes.
pub(crate) fn command_step(title: &str, command: &mut Command) -> Outcome {
    let succeeded = step(title, || {
        let status = command.stdin(Stdio::null()).status().context("cannot start the command")?;
        anyhow::ensure!(status.success(), "ended with {status}");
        Ok(())
    });
    if succeeded.is_some() { Outcome::InOrder } else { Outcome::NotInOrder }
}

/// Writes a duration for people.
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        whole @ 1..60 => format!("{whole}.{} s", duration.subsec_millis() / 100),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

/// Runs a command to its end, handing over each line of stdout and stderr in the order they were written.
pub(crate) fn each_line(command: &mut Command, mut take: impl FnMut(&str)) -> Result<ExitStatus> {
    // One pipe for both streams: with two, the order between a test's name and its result would be lost.
    let (reader, writer) = std::io::pipe().context("cannot open a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().context("cannot clone a pipe")?).stderr(writer);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot start `{program}`"))?;
    // The command keeps the writing ends until it is given others; reading would never end while it does.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).context("cannot read from a pipe")? > 0 {
        take(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
    child.wait().with_context(|| format!("cannot wait for `{program}`"))
}

/// Runs a command whose output matters only when it fails: then the output is part of the error.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let mut lines = Vec::new();
    let status = each_line(command, |line| lines.push(line.to_owned()))?;
    anyhow::ensure!(status.success(), "ended with {status}\n{}", lines.join("\n"));
    Ok(())
}

/// Says whether people look at the output, and want colour.
pub(crate) fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_durations_for_people() {
        assert_eq!(seconds(Duration::from_millis(7)), "7 ms");
        assert_eq!(seconds(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(61)), "1 min 1 s");
    }

    #[test]
    fn hands_over_both_streams_in_order() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; echo three; printf last; exit 3"]);
        let status = each_line(&mut command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two", "three", "last"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn shows_the_output_of_what_fails() {
        let error = quietly(Command::new("sh").args(["-c", "echo the reason; exit 1"])).unwrap_err();
        assert!(error.to_string().contains("the reason"), "{error}");
    }
}
