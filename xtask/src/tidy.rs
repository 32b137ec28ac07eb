//! `cargo xtask tidy`: the rules no compiler knows.
//!
//! Every rule is a pure function from what was read to findings; all findings are listed at once.

mod arrows;
mod documents;
mod single_copies;
mod sources;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::Outcome;
use crate::checkout::{Checkout, read_stdout};

/// Something that breaks a rule, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// A path from the root, with a line after a colon where there is one.
    place: String,
    reason: String,
}

impl Finding {
    fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.reason)
    }
}

/// A tracked file that is text.
struct TextFile {
    /// From the root, with forward slashes.
    path: String,
    text: String,
}

/// Checks the tree, prints what it found, and says whether it is in order.
pub(crate) fn run(checkout: &Checkout) -> Result<Outcome> {
    let findings = findings(checkout)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: nothing found");
            Ok(Outcome::InOrder)
        }
        count => {
            println!("tidy: {count} found");
            Ok(Outcome::NotInOrder)
        }
    }
}

/// Checks the tree as [`run`] does; that it is not in order is an error.
pub(crate) fn expect_order(checkout: &Checkout) -> Result<()> {
    ensure!(run(checkout)? == Outcome::InOrder, "the tree is not in order");
    Ok(())
}

fn findings(checkout: &Checkout) -> Result<BTreeSet<Finding>> {
    let tracked = tracked_paths(checkout)?;
    let files = text_files(&checkout.root, &tracked)?;
    // Without the dependencies cargo reads the manifests alone: no network, no lock.
    let metadata =
        read_stdout(checkout.cargo().args(["metadata", "--format-version=1", "--no-deps"]).stdin(std::process::Stdio::null()))?;
    let lock = std::fs::read_to_string(checkout.root.join("Cargo.lock")).context("cannot read `Cargo.lock`")?;

    let mut findings = BTreeSet::new();
    findings.extend(arrows::check(&arrows::packages(&metadata, &checkout.root)?));
    findings.extend(single_copies::check(&lock));
    findings.extend(documents::check(&files, &tracked));
    findings.extend(sources::check(&files));
    Ok(findings)
}

/// Lists the tracked paths that are there, from the root, with forward slashes.
fn tracked_paths(checkout: &Checkout) -> Result<BTreeSet<String>> {
    let listing = read_stdout(checkout.command("git").args(["ls-files", "-z"])).context("tidy looks at tracked files")?;
    Ok(listing.split('\0').filter(|path| !path.is_empty() && checkout.root.join(path).is_file()).map(str::to_owned).collect())
}

fn text_files(root: &Path, tracked: &BTreeSet<String>) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    for path in tracked {
        let bytes = std::fs::read(root.join(path)).with_context(|| format!("cannot read `{path}`"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path: path.clone(), text });
        }
    }
    Ok(files)
}
