//! The audit log: its chain, and that it names everything it should.

use std::collections::{BTreeMap, BTreeSet};

use promptops_prompt::{Digest, PromptId};

use super::{Objects, Problems};
use crate::audit::{AuditBatch, Head};
use crate::environment::EnvironmentName;
use crate::layout::Key;
use crate::record::from_bytes;

const TAMPERED: &str = "compare with a copy, and find out who else writes to this store";

/// Checks the log and returns its end.
pub(super) fn check(objects: &Objects, expected: Option<Head>, problems: &mut Problems) -> Option<Head> {
    let log = read(objects, problems);
    check_order(&log, problems);
    check_expected(&log, expected, problems);
    check_subjects(objects, &log, problems);
    log.last().map(|logged| Head { sequence: logged.number, digest: logged.digest })
}

/// A batch of the log as it was found.
struct Logged {
    number: u64,
    digest: Digest,
    /// Nothing when it is unreadable.
    batch: Option<AuditBatch>,
}

fn read(objects: &Objects, problems: &mut Problems) -> Vec<Logged> {
    let mut log = Vec::new();
    for (key, bytes) in objects {
        let Key::Log(number) = key else { continue };
        let batch = match from_bytes::<AuditBatch>(key, bytes) {
            Ok(batch) => Some(batch),
            Err(error) => {
                problems.damage(key, error.to_string(), TAMPERED);
                None
            }
        };
        log.push(Logged { number: *number, digest: Digest::of(bytes), batch });
    }
    log
}

/// Checks numbers and links. No batch links to the last, so only a head kept elsewhere shows its alteration.
fn check_order(log: &[Logged], problems: &mut Problems) {
    let mut next = 1;
    let mut previous: Option<Digest> = None;
    for Logged { number, digest, batch } in log {
        let has_gap = *number != next;
        for missing in (next..*number).take(100) {
            problems.damage(Key::Log(missing), "a batch of the log was removed", TAMPERED);
        }
        if let Some(batch) = batch {
            if batch.sequence != *number {
                problems.damage(Key::Log(*number), format!("the batch was number {}", batch.sequence), TAMPERED);
            } else if !has_gap && batch.previous != previous {
                let what = "the batch does not follow the one before it: one of them was altered or replaced";
                problems.damage(Key::Log(*number), what, TAMPERED);
            }
        }
        previous = Some(*digest);
        next = number + 1;
    }
}

fn check_expected(log: &[Logged], expected: Option<Head>, problems: &mut Problems) {
    let Some(expected) = expected else { return };
    let key = Key::Log(expected.sequence);
    match log.iter().find(|logged| logged.number == expected.sequence) {
        None => problems.damage(key, "the log ends before the expected head", TAMPERED),
        Some(logged) if logged.digest != expected.digest => {
            problems.damage(key, "the log was rewritten up to the expected head", TAMPERED);
        }
        Some(_) => {}
    }
}

/// Checks that what entries name is unchanged, and that everything that should be named is.
fn check_subjects(objects: &Objects, log: &[Logged], problems: &mut Problems) {
    let mut named: BTreeSet<Key> = BTreeSet::new();
    let entries = log
        .iter()
        .flat_map(|Logged { number, batch, .. }| batch.iter().flat_map(|batch| &batch.entries).map(move |entry| (number, entry)));
    for (number, entry) in entries {
        let Some(subject) = Key::parse(&entry.subject) else {
            problems.damage(Key::Log(*number), format!("the entry names no object: `{}`", entry.subject), TAMPERED);
            continue;
        };
        match objects.get(&subject).map(|bytes| Digest::of(bytes)) {
            None => problems.damage(&subject, format!("the object is gone; batch {number} of the log names it"), TAMPERED),
            Some(digest) if digest != entry.digest => {
                problems.damage(
                    &subject,
                    format!("the object was altered; batch {number} of the log has another digest"),
                    TAMPERED,
                );
            }
            Some(_) => {}
        }
        named.insert(subject);
    }
    let mut last_release: BTreeMap<EnvironmentName, u64> = BTreeMap::new();
    let mut last_status: BTreeMap<PromptId, u64> = BTreeMap::new();
    for key in objects.keys() {
        match key {
            Key::Release(environment, number) => last_release.insert(environment.clone(), *number),
            Key::Status(id, number) => last_status.insert(id.clone(), *number),
            _ => None,
        };
    }
    for key in objects.keys().filter(|key| needs_entry(key) && !named.contains(*key)) {
        let what = "the log does not name the object";
        match key {
            // Whoever makes a release first completes the entry of the one before, so only the last can lack it.
            Key::Release(environment, number) if last_release.get(environment) != Some(number) => {
                problems.damage(key, what, "the release was written past the registry: find out by whom");
            }
            Key::Release(..) => {
                problems.unfinished(key, what, "repeat the deploy or rollback, or make sure that somebody made it")
            }
            Key::Status(id, number) if last_status.get(id) != Some(number) => {
                problems.damage(key, what, "the change of status was written past the registry: find out by whom");
            }
            Key::Status(..) => {
                problems.unfinished(key, what, "repeat the yank or deprecation, or make sure that somebody made it")
            }
            Key::Version(_) | Key::Metadata(..) => problems.unfinished(key, what, "publish the version again"),
            Key::Format => problems.unfinished(key, what, "run `promptops registry init` again"),
            // An entry follows within the same command, and a key without one could be anybody's.
            Key::ApiKey(_) => {
                problems.unfinished(key, what, "revoke the key with `promptops key revoke`, which completes the log")
            }
            Key::Revocation(_) => problems.unfinished(key, what, "revoke the key again"),
            _ => problems.unfinished(key, what, "record the statement again"),
        }
    }
}

fn needs_entry(key: &Key) -> bool {
    matches!(
        key,
        Key::Format
            | Key::Version(_)
            | Key::Metadata(..)
            | Key::Status(..)
            | Key::Release(..)
            | Key::Evidence { .. }
            | Key::ApiKey(_)
            | Key::Revocation(_)
    )
}
