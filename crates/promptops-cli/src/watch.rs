//! Waits for files of a project to change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;

/// Changes that come so close together are one: an editor writes a file in several steps, Git many files.
const QUIET: Duration = Duration::from_millis(100);
/// So many changed files are named.
const MAX_NAMED: usize = 3;

/// Looks once, and again after every change, until the process is stopped. What changed is named, from the project's root; at first
/// nothing is.
pub fn watch(project: &Project, mut look: impl FnMut(&[String])) -> Outcome<Exit> {
    let (sender, events) = channel();
    let failed = |error: notify::Error| Failure::new(Exit::Io, format!("cannot watch `{}`: {error}", project.root.display()));
    let mut watcher = RecommendedWatcher::new(sender, notify::Config::default()).map_err(failed)?;
    watcher.watch(&project.root, RecursiveMode::NonRecursive).map_err(failed)?;
    for folder in [project.prompts_folder(), project.root.join("evals")].into_iter().filter(|folder| folder.is_dir()) {
        watcher.watch(&folder, RecursiveMode::Recursive).map_err(failed)?;
    }
    look(&[]);
    loop {
        let changed = next_changes(&events).map_err(failed)?;
        let named = named(&project.root, &changed);
        if !named.is_empty() {
            look(&named);
        }
    }
}

/// Waits for a change, then until it is quiet, and returns the paths.
fn next_changes(events: &Receiver<notify::Result<Event>>) -> notify::Result<BTreeSet<PathBuf>> {
    let mut changed = BTreeSet::new();
    // The sender lives as long as the watcher, which outlives this.
    while let Ok(event) = events.recv() {
        collect(event?, &mut changed);
        if !changed.is_empty() {
            break;
        }
    }
    while let Ok(event) = events.recv_timeout(QUIET) {
        collect(event?, &mut changed);
    }
    Ok(changed)
}

fn collect(event: Event, changed: &mut BTreeSet<PathBuf>) {
    // Reading changes nothing, and the checks read.
    if !matches!(event.kind, EventKind::Access(_)) {
        changed.extend(event.paths);
    }
}

/// Names what changed. Hidden files are left out: the results that are kept lie in one, and editors keep theirs there.
fn named(root: &Path, changed: &BTreeSet<PathBuf>) -> Vec<String> {
    let is_hidden = |path: &&Path| path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let below = changed.iter().filter_map(|path| path.strip_prefix(root).ok());
    let shown = below.filter(|path| !is_hidden(path) && !path.as_os_str().is_empty());
    let mut named: Vec<String> = shown.map(|path| path.to_string_lossy().into_owned()).collect();
    if named.len() > MAX_NAMED {
        let more = named.len() - MAX_NAMED;
        named.truncate(MAX_NAMED);
        named.push(format!("{more} more"));
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_changed_and_nothing_hidden() {
        let paths = ["/p/prompts/a.yaml", "/p/.promptops/cache/x", "/p/prompts/.a.yaml.swp", "/p", "/elsewhere/b.yaml"];
        let changed = paths.map(PathBuf::from).into();
        assert_eq!(named(Path::new("/p"), &changed), ["prompts/a.yaml"]);
        let many = (0..5).map(|number| PathBuf::from(format!("/p/{number}.yaml"))).collect();
        assert_eq!(named(Path::new("/p"), &many), ["0.yaml", "1.yaml", "2.yaml", "2 more"]);
    }
}
