//! The npm package of the Node SDK: what its tests need, and its native part in its place.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::checkout::{Checkout, read_stdout};
use crate::python::Profile;
use crate::step::quietly;

/// The folder of the package, from the root.
const PACKAGE: &str = "sdks/node";

/// Node, with the package as its own folder has it.
pub(crate) struct Node {
    folder: PathBuf,
}

impl Node {
    /// Finds Node on the machine.
    pub(crate) fn find(checkout: &Checkout) -> Result<Self> {
        let version = read_stdout(checkout.command("node").arg("--version")).context("no Node; 20.15 or later is needed")?;
        ensure!(numbers(&version) >= vec![20, 15], "Node 20.15 or later is needed, and this is {}", version.trim());
        Ok(Self { folder: checkout.root.join(PACKAGE) })
    }

    /// Installs what the package's lock names, or keeps what was installed from the same lock before.
    pub(crate) fn install_packages(&self, checkout: &Checkout) -> Result<()> {
        let lock = self.folder.join("package-lock.json");
        let wanted = std::fs::read_to_string(&lock).with_context(|| format!("cannot read `{}`", lock.display()))?;
        let stamp = self.folder.join("node_modules").join("made-from.json");
        if std::fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted) {
            return Ok(());
        }
        // On Windows npm is a script, which only a shell finds.
        let (program, first) = if cfg!(windows) { ("cmd", &["/c", "npm"][..]) } else { ("npm", &[][..]) };
        quietly(checkout.command(program).args(first).args(["ci", "--no-audit", "--no-fund"]).current_dir(&self.folder))
            .context("cannot install the packages of the lock; npm fetches them from its registry")?;
        std::fs::write(&stamp, wanted).with_context(|| format!("cannot write `{}`", stamp.display()))
    }

    /// Builds the native part and puts it where the package looks for it.
    pub(crate) fn build(&self, checkout: &Checkout, profile: Profile) -> Result<()> {
        let mut build = checkout.command_that_builds("node");
        build.arg("build.js").current_dir(&self.folder);
        if profile == Profile::Release {
            build.arg("--release");
        }
        // It takes minutes the first time: cargo's progress is shown as it comes.
        let status = build.status().context("cannot start Node")?;
        ensure!(status.success(), "the build ended with {status}");
        Ok(())
    }

    /// Returns a command that runs Node in the folder of the package.
    pub(crate) fn command(&self, checkout: &Checkout) -> Command {
        let mut command = checkout.command("node");
        command.current_dir(&self.folder);
        command
    }

    /// The folder of the package.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }
}

/// Reads a version such as `v20.20.2`.
fn numbers(version: &str) -> Vec<u32> {
    version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("v20.15.0\n") >= vec![20, 15]);
        assert!(numbers("v100.1.0") >= vec![20, 15]);
        assert!(numbers("v20.9.0") < vec![20, 15]);
        assert!(numbers("nothing") < vec![20, 15]);
    }
}
