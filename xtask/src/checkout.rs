//! Where things lie, and the environment that every command of a task gets.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Tells tests in other languages where the `promptops` command is.
pub(crate) const BINARY_VARIABLE: &str = "PROMPTOPS_TEST_BINARY";

/// A checkout of this repository, and where cargo builds it.
pub(crate) struct Checkout {
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds. A shared folder in the user's cache when CI has one, `target` otherwise.
    pub(crate) target: PathBuf,
}

impl Checkout {
    /// Finds the checkout this task was started from.
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets the variable when it runs the task; the compiled-in path serves a binary started by hand, and would
        // be wrong where two checkouts share a target folder.
        let manifest_dir =
            std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir.parent().context("xtask has no parent folder")?.to_path_buf();
        let target = build_folder(&root, |name| std::env::var_os(name).map(PathBuf::from));
        Ok(Self { root, target })
    }

    /// The folder for what the tasks themselves make: the Python environment, wheels, logs.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// Where the `promptops` command is once the Rust tests were built.
    pub(crate) fn binary_built_for_tests(&self) -> PathBuf {
        self.target.join("debug").join(format!("promptops{}", std::env::consts::EXE_SUFFIX))
    }

    /// Returns a command that runs in the root, with nothing of the user's Git or PromptOps settings in its environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        isolate(&mut command);
        command
    }

    /// Returns a cargo command that prints no colour, so that its output can be read by a program.
    pub(crate) fn cargo(&self) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        self.command_that_builds(cargo)
    }

    /// Returns a command that runs cargo itself.
    pub(crate) fn command_that_builds(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command(program);
        // What cargo tells a binary it runs describes xtask; passed on, it makes build scripts run again.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
                command.env_remove(name);
            }
        }
        command
    }
}

/// Gives a command a fixed Git identity and hides the user's Git configuration and PromptOps settings from it.
///
/// Without an identity `git commit` fails on a fresh machine; with the user's configuration it may sign, run hooks or
/// name the first branch otherwise.
pub(crate) fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let foreign = name.to_str().is_some_and(|name| name.starts_with("PROMPTOPS_") || name.starts_with("GIT_"));
        if foreign {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_GLOBAL", null_device())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ada Example")
        .env("GIT_AUTHOR_EMAIL", "ada@example.com")
        .env("GIT_COMMITTER_NAME", "Ada Example")
        .env("GIT_COMMITTER_EMAIL", "ada@example.com");
}

fn null_device() -> &'static str {
    if cfg!(windows) { "NUL" } else { "/dev/null" }
}

/// Chooses where cargo builds: what the user set, else in CI a folder in the cache that outlives the checkout, else
/// `target`.
fn build_folder(root: &Path, variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    if let Some(chosen) = variable("CARGO_TARGET_DIR") {
        return root.join(chosen);
    }
    let in_ci = variable("CI").is_some_and(|value| !value.as_os_str().is_empty() && value != Path::new("false"));
    let cache = variable("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".cache")));
    if let (true, Some(cache)) = (in_ci, cache) {
        let shared = cache.join("promptops").join("target");
        if std::fs::create_dir_all(&shared).is_ok() {
            return shared;
        }
    }
    root.join("target")
}

/// Runs a command to its end and returns what it wrote on stdout; an error carries what it wrote on stderr.
pub(crate) fn read_stdout(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start `{program}`"))?;
    ensure!(
        output.status.success(),
        "`{program}` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{program}` wrote what is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(variables: &[(&str, &Path)]) -> PathBuf {
        build_folder(Path::new("/repo"), |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_path_buf())
        })
    }

    #[test]
    fn builds_in_target_outside_ci() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(folder_with(&[("HOME", cache.path())]), Path::new("/repo/target"));
        assert_eq!(folder_with(&[("HOME", cache.path()), ("CI", Path::new(""))]), Path::new("/repo/target"));
        assert_eq!(folder_with(&[("HOME", cache.path()), ("CI", Path::new("false"))]), Path::new("/repo/target"));
    }

    #[test]
    fn builds_in_the_cache_in_ci() {
        let cache = tempfile::tempdir().unwrap();
        let in_home = folder_with(&[("HOME", cache.path()), ("CI", Path::new("true"))]);
        assert_eq!(in_home, cache.path().join(".cache/promptops/target"));
        let in_xdg = folder_with(&[("XDG_CACHE_HOME", cache.path()), ("CI", Path::new("true"))]);
        assert_eq!(in_xdg, cache.path().join("promptops/target"));
    }

    #[test]
    fn needs_no_cache_in_ci() {
        let ci = ("CI", Path::new("true"));
        assert_eq!(folder_with(&[ci]), Path::new("/repo/target"));
        assert_eq!(folder_with(&[ci, ("HOME", Path::new(""))]), Path::new("/repo/target"));
        assert_eq!(folder_with(&[ci, ("HOME", Path::new("/dev/null"))]), Path::new("/repo/target"));
    }

    #[test]
    fn keeps_the_folder_the_user_chose() {
        let chosen = [("CARGO_TARGET_DIR", Path::new("/elsewhere")), ("CI", Path::new("true"))];
        assert_eq!(folder_with(&chosen), Path::new("/elsewhere"));
        assert_eq!(folder_with(&[("CARGO_TARGET_DIR", Path::new("out"))]), Path::new("/repo/out"));
    }
}
