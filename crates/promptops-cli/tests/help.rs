//! The help of every command, held against reviewed files in `tests/help`.
//!
//! With `PROMPTOPS_UPDATE_EXPECTED=1` the files are written instead. The commands are found by walking the help itself, so a new
//! command without a file fails, and so does a file whose command is gone.

#![cfg(test)]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use support::Project;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/help")
}

/// Returns the subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description that goes on is indented further than a name.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Returns the help of every command, by the name of its file.
fn all() -> BTreeMap<String, String> {
    let project = Project::empty();
    let mut found = BTreeMap::new();
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let run = project.run(path.iter().map(String::as_str).chain(["--help"]));
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{path:?}");
        waiting.extend(subcommands(&run.stdout).into_iter().map(|name| [path.clone(), vec![name]].concat()));
        let name = [vec!["promptops".to_owned()], path].concat().join("-");
        found.insert(format!("{name}.txt"), run.stdout);
    }
    found
}

#[test]
fn the_help_of_every_command_is_reviewed() {
    let shown = all();
    assert!(shown.len() > 20, "the walk found only {:?}", shown.keys());
    let folder = folder();
    #[expect(clippy::disallowed_methods, reason = "the one who runs the tests says so")]
    let is_update = std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some();
    if is_update {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, help) in &shown {
            std::fs::write(folder.join(name), help).unwrap();
        }
        return;
    }
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
    };
    let reviewed: BTreeMap<String, String> = std::fs::read_dir(&folder).unwrap().map(read).collect();
    let names: Vec<&String> = reviewed.keys().collect();
    let advice = "review it, then write it with PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-cli --test help";
    assert_eq!(shown.keys().collect::<Vec<_>>(), names, "a command has no reviewed help, or a help no command: {advice}");
    for (name, help) in &shown {
        assert_same_lines(&reviewed[name], help, name, advice);
    }
}

/// Fails with the first line that differs, which says more than two whole texts.
fn assert_same_lines(reviewed: &str, shown: &str, name: &str, advice: &str) {
    for (number, (old, new)) in reviewed.lines().zip(shown.lines()).enumerate() {
        assert_eq!(old, new, "line {} of {name}: {advice}", number + 1);
    }
    assert_eq!(reviewed.lines().count(), shown.lines().count(), "the length of {name}: {advice}");
}

#[test]
fn every_help_stands_on_its_own() {
    for (name, help) in all() {
        let first = help.lines().next().unwrap_or_default();
        assert!(first.starts_with(char::is_uppercase), "{name} does not begin by saying what the command does: {first}");
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{name} has a line that is too long: {line}");
        }
        assert!(help.contains("Usage: promptops"), "{name}");
    }
}

#[test]
fn the_exit_codes_stand_in_the_help() {
    let help = Project::empty().run(["--help"]).stdout;
    for code in 0..=8 {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {code}  "))), "exit code {code}: {help}");
    }
}
