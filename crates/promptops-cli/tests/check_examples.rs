//! The examples of every check, run with the binary: the bad one gives that finding and no other, the good one none, and `--fix` mends
//! what is said to be mended.

#![cfg(test)]

mod support;

use promptops_prompt::check::{CHECKS, Check, Example, FoundBy, Place};
use support::Project;

/// Lays an example out, with what stands at the base committed.
fn project(text: &'static str) -> (Project, bool) {
    let example = Example::parse(text);
    let project = Project::empty();
    // Without this a namespace promises nothing, and no change is incompatible.
    project.write("promptops.toml", "[policy.compatibility]\ndefault = \"backward\"\n");
    let write = |place: Place| {
        for file in example.files.iter().filter(|file| file.place == place) {
            project.write(file.path, file.text);
        }
    };
    if example.has_base() {
        write(Place::Base);
        project.git(["init", "--quiet", "--initial-branch=main"]);
        project.commit("Before");
    }
    write(Place::Tree);
    for file in example.files.iter().filter(|file| file.place == Place::Folder) {
        std::fs::create_dir_all(project.path(file.path)).unwrap();
    }
    (project, example.has_base())
}

fn arguments(has_base: bool, more: &[&'static str]) -> Vec<&'static str> {
    let base: &[&str] = if has_base { &["--base", "HEAD"] } else { &[] };
    [&["check", "--format", "json"], base, more].concat()
}

/// Returns the check and severity of each finding, by the command that looks.
fn found(project: &Project, has_base: bool, found_by: FoundBy) -> Vec<(String, String)> {
    if found_by == FoundBy::Check {
        return found_by_check(project, has_base);
    }
    // There is no model to call, so what is right ends in another failure.
    let run = project.run(["eval", "greeting"]);
    assert_ne!(run.exit, 0, "{run}");
    let begun = run.stderr.lines().filter_map(|line| line.split_once(']')?.0.split_once('['));
    let findings = begun.filter(|(severity, _)| matches!(*severity, "error" | "warning" | "note"));
    findings.map(|(severity, check)| (check.to_owned(), severity.to_owned())).collect()
}

fn found_by_check(project: &Project, has_base: bool) -> Vec<(String, String)> {
    let run = project.run(arguments(has_base, &[]));
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
    let text = |finding: &serde_json::Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    findings.map(|finding| (text(finding, "check"), text(finding, "severity"))).collect()
}

#[test]
fn a_bad_example_gives_its_finding_and_no_other() {
    for Check { id, severity, bad, found_by, .. } in CHECKS {
        let (project, has_base) = project(bad);
        assert_eq!(
            found(&project, has_base, *found_by),
            [((*id).to_owned(), severity.name().to_owned())],
            "the bad example of `{id}`"
        );
    }
}

#[test]
fn a_good_example_gives_none() {
    for Check { id, good, found_by, .. } in CHECKS {
        let (project, has_base) = project(good);
        assert_eq!(found(&project, has_base, *found_by), [], "the good example of `{id}`");
    }
}

#[test]
fn what_is_said_to_be_mended_is() {
    for Check { id, bad, has_fix, found_by, .. } in CHECKS {
        let (project, has_base) = project(bad);
        project.run(arguments(has_base, &["--fix"]));
        assert_eq!(found(&project, has_base, *found_by).is_empty(), *has_fix, "`--fix` on the bad example of `{id}`");
    }
}

#[test]
fn firm_checks_stay_and_the_others_can_be_lowered_and_suppressed() {
    for Check { id, is_firm, bad, .. } in CHECKS {
        let (project, has_base) = project(bad);
        project.write("promptops.toml", format!("[policy.compatibility]\ndefault = \"backward\"\n[checks]\n{id} = \"off\"\n"));
        let run = project.run(arguments(has_base, &[]));
        assert_eq!(run.exit, if *is_firm { 2 } else { 0 }, "`{id}` off: {run}");
    }
}
