//! `cargo xtask demo`: the main job from end to end, in a scratch folder, as a user would do it by hand.
//!
//! [`script`] is what is done, as a list; this file does it, shows it and stops where something is not as expected.

mod screen;
mod script;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::Outcome;
use crate::checkout::{Checkout, isolate};
use crate::python::{Profile, Python};
use crate::server::{Server, free_port, is_free};
use crate::step::{command_step, each_line, step};
use screen::Screen;
use script::{Action, Ends, Step};

/// Builds what the demo uses, then walks through it. A step that does not end as expected ends the demo.
pub(crate) fn run(checkout: &Checkout) -> Result<Outcome> {
    let start = Instant::now();
    let screen = Screen::new();
    let python = build(checkout)?;
    let mut stage = Stage::new(checkout, &python)?;

    let history = folders_in(&stage.example.join("history"))?;
    let steps = script::steps(&history, &stage.ports);
    for (index, step) in steps.iter().enumerate() {
        screen.title(index + 1, steps.len(), step);
        let step_start = Instant::now();
        if let Err(error) = stage.play(&screen, step) {
            screen.broke(&error, &stage.folder);
            return Ok(Outcome::NotInOrder);
        }
        screen.took(step_start.elapsed());
    }
    screen.closing(start.elapsed(), &stage.folder);
    Ok(Outcome::InOrder)
}

/// Builds the binary and the wheel as a user would install them, in the profile that builds fastest.
fn build(checkout: &Checkout) -> Result<Python> {
    let python = step("Python environment", || Python::for_demo(checkout)).context("the demo needs it")?;
    let mut binary = checkout.cargo();
    binary.args(["build", "--locked", "-p", "promptops-cli"]);
    if command_step("build promptops (cargo build --locked -p promptops-cli)", &mut binary) == Outcome::NotInOrder {
        bail!("the demo needs the binary");
    }
    step("build the Python wheel (maturin build)", || python.install_sdk(checkout, Profile::Dev)).context("the demo needs it")?;
    Ok(python)
}

/// Where the demo plays: a fresh folder, the built programs in front of the search path, and the servers it started.
struct Stage {
    folder: PathBuf,
    example: PathBuf,
    search_path: OsString,
    ports: Ports,
    colour: bool,
    /// Ended when the stage is.
    servers: Vec<Server>,
}

impl Stage {
    fn new(checkout: &Checkout, python: &Python) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let folder = checkout.root.join("target/demo").join(now.to_string());
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let example = checkout.root.join("examples/support-desk");
        let programs = [checkout.target.join("debug"), python.programs()];
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let search_path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&inherited)))
            .context("a folder of the search path cannot be written in one")?;
        Ok(Self {
            folder,
            ports: Ports::choose(&example)?,
            example,
            search_path,
            colour: crate::step::wants_colour(),
            servers: Vec::new(),
        })
    }

    fn play(&mut self, screen: &Screen, step: &Step) -> Result<()> {
        for action in &step.actions {
            match action {
                Action::Type { line, ends } => self.type_line(screen, line, ends)?,
                Action::Serve { line } => self.serve(screen, line)?,
                Action::Write { path, text } => {
                    screen.file(path, text);
                    std::fs::write(self.folder.join(path), text).with_context(|| format!("cannot write `{path}`"))?;
                }
            }
        }
        Ok(())
    }

    /// Runs a line as typed, shows what it prints, and holds it to how it should end.
    fn type_line(&self, screen: &Screen, line: &str, ends: &Ends) -> Result<()> {
        screen.command(line);
        let mut printed = String::new();
        let status = each_line(&mut self.shell(line), |line| {
            screen.output(line);
            printed.push_str(line);
            printed.push('\n');
        })?;
        match ends {
            Ends::Well => ensure!(status.success(), "it ended with {status}"),
            Ends::Refused { with, saying } => {
                ensure!(status.code() == Some(*with), "it should be refused with exit code {with}, and ended with {status}");
                ensure!(printed.contains(saying), "it should be refused because of `{saying}`, and does not say so");
                screen.refused(*with);
            }
        }
        Ok(())
    }

    /// Starts a server as one would in a second terminal, and shows what it says first.
    fn serve(&mut self, screen: &Screen, line: &str) -> Result<()> {
        screen.command(&format!("{line} &"));
        let log = self.folder.with_extension("server.log");
        // Without `exec` the shell would be ended in its place.
        self.servers.push(Server::start(&mut self.shell(&format!("exec {line}")), self.ports.used, &log)?);
        for line in std::fs::read_to_string(&log).unwrap_or_default().lines() {
            screen.output(line);
        }
        Ok(())
    }

    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        isolate(&mut command);
        command.args(["-c", line]).current_dir(&self.folder).env("PATH", &self.search_path).env("EXAMPLE", &self.example);
        // In a pipeline answers would be replayed by default, and a demo has none.
        command.env_remove("CI");
        // The demo's repository says who works in it, as that of a user does.
        for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
            command.env_remove(name);
        }
        if self.colour {
            command.env("CLICOLOR_FORCE", "1");
        }
        command
    }
}

/// Where the offline model listens: on the port the example's configuration names, or on another when that one is taken.
struct Ports {
    configured: u16,
    used: u16,
}

impl Ports {
    fn choose(example: &Path) -> Result<Self> {
        let file = example.join("promptops.toml");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let configured = configured_port(&text).with_context(|| format!("`{}` names no port on loopback", file.display()))?;
        let used = if is_free(configured) { configured } else { free_port()? };
        Ok(Self { configured, used })
    }
}

fn configured_port(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("http://127.0.0.1:")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Lists the folders in a folder, by name.
fn folders_in(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_port_of_the_offline_model() {
        assert_eq!(configured_port("[providers.offline]\nurl = \"http://127.0.0.1:8089/v1\"\n"), Some(8089));
        assert_eq!(configured_port("url = \"https://api.example.com/v1\""), None);
    }

    #[test]
    fn lists_folders_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["02-b", "01-a"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("03-file"), "").unwrap();
        assert_eq!(folders_in(folder.path()).unwrap(), ["01-a", "02-b"]);
    }
}
