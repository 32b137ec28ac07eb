//! A report becomes one comment on GitHub, whatever happens on the way.

#![cfg(test)]

mod fake_github;

use std::time::Duration;

use fake_github::{BOT, FakeGitHub, TOKEN};
use promptops_forge::{ForgeError, GitHub, Marker, Posted, upsert};

const PAUSES: [Duration; 2] = [Duration::ZERO; 2];

fn post(fake: &FakeGitHub, token: &str, key: &str, report: &str) -> Result<Posted, ForgeError> {
    let github = GitHub::new(&fake.url, "desk/prompts", 7, BOT, token)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(upsert(&github, &Marker::new(key), report, &PAUSES))
}

fn no_violations(fake: &FakeGitHub) {
    assert_eq!(fake.forge.lock().unwrap().violations, Vec::<String>::new());
}

#[test]
fn the_first_report_is_a_comment_and_the_next_ones_change_it() {
    let fake = FakeGitHub::start();
    let seen = "https://github.com/desk/prompts/pull/7#issuecomment-1".to_owned();
    assert_eq!(post(&fake, TOKEN, "desk", "## refused").unwrap(), Posted::Created(seen.clone()));
    assert_eq!(post(&fake, TOKEN, "desk", "## passed").unwrap(), Posted::Updated(seen.clone()));
    assert_eq!(post(&fake, TOKEN, "desk", "## passed").unwrap(), Posted::Unchanged(seen));
    // Another gate of the same repository has a comment of its own.
    assert!(matches!(post(&fake, TOKEN, "other", "## passed").unwrap(), Posted::Created(_)));
    let expected = ["<!-- promptops gate: desk -->\n## passed", "<!-- promptops gate: other -->\n## passed"];
    assert_eq!(fake.comments_of(BOT), expected);
    no_violations(&fake);
}

#[test]
fn the_comment_is_found_behind_hundreds_of_others_and_nobody_elses_is_taken_for_it() {
    let fake = FakeGitHub::start();
    post(&fake, TOKEN, "desk", "## refused").unwrap();
    {
        let mut forge = fake.forge.lock().unwrap();
        let own = forge.comments.pop().unwrap();
        let forged = ("mallory".to_owned(), "<!-- promptops gate: desk -->\n## passed".to_owned());
        forge.comments =
            std::iter::once(forged).chain((0..250).map(|number| ("ada".to_owned(), format!("comment {number}")))).collect();
        forge.comments.push(own);
    }
    assert!(matches!(post(&fake, TOKEN, "desk", "## inconclusive").unwrap(), Posted::Updated(_)));
    assert_eq!(fake.comments_of(BOT), ["<!-- promptops gate: desk -->\n## inconclusive"]);
    assert_eq!(fake.comments_of("mallory"), ["<!-- promptops gate: desk -->\n## passed"]);
    no_violations(&fake);
}

#[test]
fn a_forge_in_trouble_is_asked_again_and_nothing_is_said_twice() {
    let fake = FakeGitHub::start();
    fake.forge.lock().unwrap().troubles = [503, 429].into();
    assert!(matches!(post(&fake, TOKEN, "desk", "## passed").unwrap(), Posted::Created(_)));
    fake.forge.lock().unwrap().troubles = [500, 502, 403].into();
    let error = post(&fake, TOKEN, "desk", "## refused").unwrap_err();
    assert!(matches!(error, ForgeError::Unavailable { .. }), "{error}");
    assert_eq!(fake.comments_of(BOT).len(), 1);
}

#[test]
fn a_token_without_the_permission_is_told_apart() {
    let fake = FakeGitHub::start();
    let error = post(&fake, "another-token", "desk", "## passed").unwrap_err();
    assert_eq!(error.to_string(), "the token may not comment there (status 401): Bad credentials");
    fake.forge.lock().unwrap().is_read_only = true;
    let error = post(&fake, TOKEN, "desk", "## passed").unwrap_err();
    assert_eq!(error.to_string(), "the token may not comment there (status 403): Resource not accessible by integration");
    assert!(error.hint().contains("fork"));
    // It is not asked again: the answer would be the same.
    assert_eq!(fake.forge.lock().unwrap().requests.len(), 3);
}

#[test]
fn a_report_of_any_length_fits() {
    let fake = FakeGitHub::start();
    let report = "| a | b |\n".repeat(20_000);
    assert!(matches!(post(&fake, TOKEN, "desk", &report).unwrap(), Posted::Created(_)));
    assert!(fake.comments_of(BOT)[0].ends_with("The job shows the whole report._"));
    assert!(matches!(post(&fake, TOKEN, "desk", &report).unwrap(), Posted::Unchanged(_)));
    no_violations(&fake);
}

#[test]
fn what_is_no_forge_is_told() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let github = GitHub::new(&address, "desk/prompts", 7, BOT, TOKEN).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(upsert(&github, &Marker::new("desk"), "x", &[])).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("`{address}/repos/desk/prompts/issues/7/comments` does not answer")),
        "{error}"
    );
}
