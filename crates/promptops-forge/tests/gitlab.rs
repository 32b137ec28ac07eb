//! A report becomes one note on a merge request of GitLab.

#![cfg(test)]

mod fake_gitlab;

use std::time::Duration;

use fake_gitlab::{BOT, FakeGitLab, PROJECT, TOKEN};
use promptops_forge::{ForgeError, GitLab, Marker, Posted, upsert};

const PAUSES: [Duration; 2] = [Duration::ZERO; 2];

fn post_to(fake: &FakeGitLab, project: &str, token: &str, report: &str) -> Result<Posted, ForgeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let gitlab = GitLab::new(&fake.url, project, 7, token)?;
    runtime.block_on(upsert(&gitlab, &Marker::new("desk"), report, &PAUSES))
}

fn post(fake: &FakeGitLab, report: &str) -> Result<Posted, ForgeError> {
    post_to(fake, PROJECT, TOKEN, report)
}

fn no_violations(fake: &FakeGitLab) {
    assert_eq!(fake.forge.lock().unwrap().violations, Vec::<String>::new());
}

#[test]
fn the_first_report_is_a_note_and_the_next_ones_change_it() {
    let fake = FakeGitLab::start();
    assert_eq!(post(&fake, "## refused").unwrap(), Posted::Created(String::new()));
    assert_eq!(post(&fake, "## passed").unwrap(), Posted::Updated(String::new()));
    // A project by its path is the same one.
    assert_eq!(post_to(&fake, "desk/prompts", TOKEN, "## passed").unwrap(), Posted::Unchanged(String::new()));
    assert_eq!(fake.notes_of(BOT), ["<!-- promptops gate: desk -->\n## passed"]);
    no_violations(&fake);
}

#[test]
fn the_note_is_found_behind_hundreds_of_others_and_nobody_elses_is_taken_for_it() {
    let fake = FakeGitLab::start();
    let forged = "<!-- promptops gate: desk -->\n## passed".to_owned();
    let others = (0..250).map(|number| (1, format!("note {number}")));
    fake.forge.lock().unwrap().notes = std::iter::once((1, forged.clone())).chain(others).collect();
    assert!(matches!(post(&fake, "## refused").unwrap(), Posted::Created(_)));
    assert!(matches!(post(&fake, "## inconclusive").unwrap(), Posted::Updated(_)));
    assert_eq!(fake.notes_of(BOT), ["<!-- promptops gate: desk -->\n## inconclusive"]);
    assert_eq!(fake.notes_of(1)[0], forged);
    no_violations(&fake);
}

#[test]
fn a_forge_in_trouble_is_asked_again_and_one_without_permission_is_not() {
    let fake = FakeGitLab::start();
    // The first request asks whose token it is.
    let troubled = |statuses: &[u16]| fake.forge.lock().unwrap().troubles = statuses.iter().copied().collect();
    let error = post_to(&fake, PROJECT, "another", "## passed").unwrap_err();
    assert_eq!(error.to_string(), "the token may not comment there (status 401): 401 Unauthorized");
    fake.forge.lock().unwrap().is_read_only = true;
    let error = post(&fake, "## passed").unwrap_err();
    assert_eq!(error.to_string(), "the token may not comment there (status 403): 403 Forbidden");
    fake.forge.lock().unwrap().is_read_only = false;
    assert!(matches!(post_to(&fake, "9", TOKEN, "x").unwrap_err(), ForgeError::Denied { status: 404, .. }));
    troubled(&[502]);
    assert!(matches!(post(&fake, "## passed").unwrap(), Posted::Created(_)), "asking who it is is tried again as well");
    let before = fake.forge.lock().unwrap().requests.len();
    troubled(&[500; 9]);
    assert!(matches!(post(&fake, "## refused").unwrap_err(), ForgeError::Unavailable { .. }));
    assert_eq!(fake.forge.lock().unwrap().requests.len(), before + 3);
    troubled(&[]);
    assert_eq!(fake.notes_of(BOT), ["<!-- promptops gate: desk -->\n## passed"]);
    no_violations(&fake);
}

#[test]
fn a_report_of_any_length_fits() {
    let fake = FakeGitLab::start();
    let report = "| a | b |\n".repeat(150_000);
    assert!(matches!(post(&fake, &report).unwrap(), Posted::Created(_)));
    assert!(fake.notes_of(BOT)[0].ends_with("The job shows the whole report._"));
    assert!(matches!(post(&fake, &report).unwrap(), Posted::Unchanged(_)));
    no_violations(&fake);
}

#[test]
fn what_a_model_says_is_no_quick_action() {
    let fake = FakeGitLab::start();
    let report = "## refused\n/merge\n\n````text\n/approve now\n\r/close\nand/or\n````\n/ alone\n/label ~x";
    assert!(matches!(post(&fake, report).unwrap(), Posted::Created(_)));
    assert!(matches!(post(&fake, report).unwrap(), Posted::Unchanged(_)));
    let expected = "<!-- promptops gate: desk -->\n## refused\n\\/merge\n\n````text\n /approve now\n /close\nand/or\n````\n/ alone\n\\/label ~x";
    assert_eq!(fake.notes_of(BOT), [expected]);
    no_violations(&fake);
}
