//! A scratch repository, made with the `git` program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use promptops_store::Repository;
use tempfile::TempDir;

/// 2026-01-01T00:00:00Z; commit number `n` is made `n` minutes later.
const EPOCH_S: i64 = 1_767_225_600;

pub struct Scratch {
    dir: TempDir,
    commits: i64,
}

impl Scratch {
    /// An empty repository on branch `main`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let scratch = Self { dir, commits: 0 };
        scratch.git(&["init", "--quiet", "--initial-branch=main"]);
        scratch
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().expect("the folder exists")
    }

    pub fn open(&self) -> Repository {
        Repository::discover(self.dir.path()).expect("it is a repository")
    }

    /// Runs `git`, independent of the user's configuration, and returns what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, Stdio::null())
    }

    pub fn git_with(&self, arguments: &[&str], input: Stdio) -> String {
        let output = command(self.dir.path(), self.time_s()).args(arguments).stdin(input).output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("git prints UTF-8").trim().to_owned()
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("the path has a folder")).expect("the folder can be made");
        std::fs::write(path, content).expect("the file can be written");
    }

    /// Writes files and commits everything; returns the commit's id.
    pub fn commit(&mut self, message: &str, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            self.write(path, content);
        }
        self.commits += 1;
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Merges a branch with a merge commit; returns its id.
    pub fn merge(&mut self, branch: &str) -> String {
        self.commits += 1;
        self.git(&["merge", "--quiet", "--no-ff", "--message", &format!("merge {branch}"), branch]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// When the latest commit was made, in seconds since 1970.
    pub fn time_s(&self) -> i64 {
        EPOCH_S + 60 * self.commits
    }
}

/// The `git` program in a folder, with a fixed author, committer and time.
pub fn command(folder: &Path, time_s: i64) -> Command {
    let date = format!("@{time_s} +0530");
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ada Lovelace")
        .env("GIT_AUTHOR_EMAIL", "ada@example.com")
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_NAME", "Charles Babbage")
        .env("GIT_COMMITTER_EMAIL", "charles@example.com")
        .env("GIT_COMMITTER_DATE", &date);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(variable);
    }
    command
}
