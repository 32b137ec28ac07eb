//! A project in a folder of its own, the built binary run in it, and what that came to, ready for a snapshot.

#![allow(dead_code, reason = "each test program uses a part of this module")]

pub mod editor;
mod redactions;
mod run;

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub use redactions::Redactions;
pub use run::Run;

/// The built binary.
pub const PROMPTOPS: &str = env!("CARGO_BIN_EXE_promptops");

/// A prompt without findings, at `prompts/support/greeting.yaml`.
pub const GREETING: &str = "\
id: support.greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs:
  name: {type: string}
template: |
  Write one warm sentence that greets {{ name }}.
";

/// A folder that is removed with the value, and the time of its next commit.
pub struct Project {
    folder: TempDir,
    root: PathBuf,
    commits: Cell<u32>,
}

impl Project {
    /// Makes an empty folder: no configuration, no prompts, no Git.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("promptops-test-").tempdir().unwrap();
        // The system's folder for temporary files may be a symbolic link, and the binary prints what it resolves to.
        let root = folder.path().canonicalize().unwrap();
        Self { folder, root, commits: Cell::new(0) }
    }

    /// Makes a folder with the default configuration and one prompt without findings.
    pub fn new() -> Self {
        let project = Self::empty();
        project.write("promptops.toml", "");
        project.write("prompts/support/greeting.yaml", GREETING);
        project
    }

    /// Makes what [`Project::new`] makes, and commits it.
    pub fn committed() -> Self {
        let project = Self::new();
        project.git(["init", "--quiet", "--initial-branch=main"]);
        project.commit("Greet people");
        project
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of a file of the project.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file, and the folders it needs.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Replaces a text that stands in a file.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "`{path}` does not have `{old}`");
        self.write(path, text.replace(old, new));
    }

    /// Returns every file below a folder, with its content.
    pub fn files(&self, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push((path.clone(), std::fs::read(&path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    /// Runs `git`, which must succeed, and returns what it prints.
    pub fn git<const N: usize>(&self, arguments: [&str; N]) -> String {
        git(&self.root, self.commits.get(), &arguments)
    }

    /// Commits everything. Each commit is an hour later than the one before.
    pub fn commit(&self, message: &str) {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--message", message]);
        self.commits.set(self.commits.get() + 1);
    }

    /// Returns the binary, to be run in the project with these arguments.
    pub fn promptops<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(PROMPTOPS);
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null());
        surroundings(&mut command, &self.root);
        command.env("PROMPTOPS_ACTOR", "ada@example.com");
        command
    }

    /// Runs the binary in the project.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.finish(self.promptops(arguments))
    }

    /// Runs a command that [`Project::promptops`] made.
    pub fn finish(&self, mut command: Command) -> Run {
        Run::new(command.output().unwrap(), &self.redactions())
    }

    /// Returns what must not stand in a snapshot of this project.
    pub fn redactions(&self) -> Redactions {
        Redactions::standard().text(&self.root.to_string_lossy(), "[PROJECT]")
    }
}

/// Runs `git` in a folder; it must succeed.
pub fn git(folder: &Path, commits: u32, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder);
    surroundings(&mut command, folder);
    let date = format!("2026-03-02T{:02}:00:00+00:00", 8 + commits);
    for (role, name) in [("AUTHOR", "Ada Lovelace"), ("COMMITTER", "Ada Lovelace")] {
        command.env(format!("GIT_{role}_NAME"), name).env(format!("GIT_{role}_EMAIL"), "ada@example.com");
        command.env(format!("GIT_{role}_DATE"), &date);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Gives a command nothing of the surroundings of the tests but the search path.
#[expect(clippy::disallowed_methods, reason = "a test hands its own search path on")]
fn surroundings(command: &mut Command, home: &Path) {
    command.env_clear().env("HOME", home).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["PATH", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// A small disk of its own, in a folder of the project; gone with the value.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts a file system in memory over a folder of the project; none where this process may not.
    pub fn mount(project: &Project, folder: &str, options: &str) -> Option<Self> {
        let path = project.path(folder);
        std::fs::create_dir_all(&path).unwrap();
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()).then_some(Self { path })
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        let error = std::io::copy(&mut std::io::repeat(0), &mut file).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Gives back the room that [`SmallDisk::fill`] took.
    pub fn empty(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A disk that stays mounted would only make the removal of the folder fail.
        let _ = Command::new("umount").arg(&self.path).status();
    }
}
