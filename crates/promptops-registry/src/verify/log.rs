//! The audit log: its tree, and that it names everything it should.

use std::collections::{BTreeMap, BTreeSet};

use promptops_prompt::{Digest, PromptId};

use super::{Objects, Problems};
use crate::audit::{AuditBatch, CompactRange, TreeHead};
use crate::environment::EnvironmentName;
use crate::layout::Key;
use crate::record::from_bytes;

const TAMPERED: &str = "compare with a copy, and find out who else writes to this store";

/// Checks the log and returns the head of its tree.
pub(super) fn check(objects: &Objects, expected: &[TreeHead], problems: &mut Problems) -> Option<TreeHead> {
    let log = read(objects, problems);
    let head = check_tree(&log, expected, problems);
    check_subjects(objects, &log, problems);
    head
}

/// A batch of the log as it was found.
struct Logged {
    number: u64,
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
        log.push(Logged { number: *number, batch });
    }
    log
}

/// Grows the tree anew, entry by entry, and compares it with what the batches say and with the heads that are expected.
///
/// A log that was written anew from some entry on fits itself, so only a head kept elsewhere shows that.
fn check_tree(log: &[Logged], expected: &[TreeHead], problems: &mut Problems) -> Option<TreeHead> {
    let mut expected: Vec<TreeHead> = expected.to_vec();
    expected.sort_by_key(|head| head.size);
    let mut expected = expected.into_iter().peekable();
    let mut next = 1;
    // Nothing after a batch that is missing or unreadable: then the tree before the next is not known.
    let mut tree = Some(CompactRange::default());
    for Logged { number, batch } in log {
        for missing in (next..*number).take(100) {
            problems.damage(Key::Log(missing), "a batch of the log was removed", TAMPERED);
        }
        if *number != next {
            tree = None;
        }
        next = number + 1;
        let Some(batch) = batch else {
            tree = None;
            continue;
        };
        if batch.sequence != *number {
            problems.damage(Key::Log(*number), format!("the batch was number {}", batch.sequence), TAMPERED);
        } else if tree.as_ref().is_some_and(|tree| *tree != batch.before) {
            let what = "the batch does not follow the one before it: one of them was altered or replaced";
            problems.damage(Key::Log(*number), what, TAMPERED);
        }
        let mut grown = tree.take().unwrap_or_else(|| batch.before.clone());
        for entry in &batch.entries {
            grown.append(entry.leaf());
            while let Some(head) = expected.next_if(|head| head.size <= grown.size()) {
                if grown.head() != head {
                    problems.damage(Key::Log(*number), "the log was rewritten up to the expected head", TAMPERED);
                }
            }
        }
        if batch.root != grown.head().root {
            problems.damage(Key::Log(*number), "an entry of the batch was altered, added or removed", TAMPERED);
        }
        tree = Some(grown);
    }
    if expected.next().is_some() {
        problems.damage(Key::Log(next), "the log ends before the expected head", TAMPERED);
    }
    tree.map(|tree| tree.head()).filter(|head| head.size > 0)
}

/// Checks that what entries name is unchanged, and that everything that should be named is.
fn check_subjects(objects: &Objects, log: &[Logged], problems: &mut Problems) {
    let mut named: BTreeSet<Key> = BTreeSet::new();
    let entries = log
        .iter()
        .flat_map(|Logged { number, batch }| batch.iter().flat_map(|batch| &batch.entries).map(move |entry| (number, entry)));
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
