use serde_json::json;

use super::*;
use crate::audit::AuditEntry;
use crate::id::Version;
use crate::lock::LOCK_FORMAT;
use crate::merkle::CompactRange;

fn pin(version: u32, content: &str) -> LockedPrompt {
    let version = Version::new(version).unwrap();
    LockedPrompt {
        version,
        digest: Digest::of(content.as_bytes()),
        record: Digest::of(format!("record of {content}").as_bytes()),
        rollout: None,
    }
}

fn prompts() -> BTreeMap<PromptId, LockedPrompt> {
    let ids = ["support.intent", "support.reply", "shared.tone"];
    ids.into_iter().map(|id| (id.parse().unwrap(), pin(2, id))).collect()
}

fn entry(action: AuditAction, subject: &str, digest: Digest) -> AuditEntry {
    let time = "2026-05-01T08:00:00Z".parse().unwrap();
    AuditEntry { time, actor: "ada".into(), action, subject: subject.into(), digest, details: BTreeMap::new() }
}

/// Logs entries after five others, and proves each.
fn log(entries: Vec<AuditEntry>) -> Vec<LogProof> {
    let mut range = CompactRange::default();
    (0..5).for_each(|number| range.append(Digest::of(&[number])));
    let leaves: Vec<Digest> = entries.iter().map(AuditEntry::leaf).collect();
    let prove = |(position, entry)| LogProof { entry, proof: range.prove(&leaves, position).unwrap() };
    entries.into_iter().enumerate().map(prove).collect()
}

fn released() -> Lock {
    let mut shards: BTreeMap<String, PinSet> = BTreeMap::new();
    for (id, pin) in prompts() {
        shards.entry(PinSet::shard_name(&id)).or_default().prompts.insert(id, pin);
    }
    let pins: BTreeMap<String, Digest> = shards.iter().map(|(name, set)| (name.clone(), set.digest())).collect();
    let record = json!({"format": 1, "environment": "prod", "sequence": 3, "actor": "ada", "pins": pins});
    let entry = entry(AuditAction::Deploy, "environments/prod/00000000000000000003.json", Digest::of_json(&record));
    let proof = log(vec![entry]).remove(0);
    let logged = Some(LoggedRelease { record, proof });
    Lock {
        format: LOCK_FORMAT,
        registry: "memory://".into(),
        release: Some(LockedRelease { environment: "prod".into(), sequence: 3, logged }),
        prompts: prompts(),
        logged: BTreeMap::new(),
    }
}

fn named() -> Lock {
    let prompts = prompts();
    let entries =
        prompts.iter().map(|(id, pin)| entry(AuditAction::Publish, &format!("prompts/{id}/0000000002.json"), pin.record));
    let proofs = log(entries.collect());
    let logged = prompts.keys().cloned().zip(proofs).collect();
    Lock { format: LOCK_FORMAT, registry: "memory://".into(), release: None, prompts, logged }
}

#[test]
fn one_proof_covers_all_that_a_release_pins() {
    let proofs = released().check_proofs().unwrap();
    assert_eq!((proofs.trees.len(), proofs.trees[0].size), (1, 6));
    assert_eq!(proofs.unproven, Vec::<PromptId>::new());
    let read = Lock::from_bytes(&released().to_bytes()).unwrap();
    assert_eq!(read, released(), "the proof is in the file");
}

#[test]
fn versions_that_were_named_have_a_proof_each() {
    let proofs = named().check_proofs().unwrap();
    assert_eq!(proofs.trees.iter().map(|tree| tree.size).collect::<Vec<_>>(), [8], "they were logged together");
    let mut lock = named();
    let id: PromptId = "support.reply".parse().unwrap();
    lock.logged.remove(&id);
    assert_eq!(lock.check_proofs().unwrap().unproven, [id]);
    assert_eq!(Lock::from_bytes(&named().to_bytes()).unwrap(), named());
}

#[test]
fn an_altered_pin_is_told() {
    let id: PromptId = "support.reply".parse().unwrap();
    let alterations: [fn(&mut LockedPrompt); 3] = [
        |pin| pin.version = Version::new(1).unwrap(),
        |pin| pin.digest = Digest::of(b"other"),
        |pin| pin.record = Digest::of(b"other"),
    ];
    for alter in alterations {
        let mut lock = released();
        alter(lock.prompts.get_mut(&id).unwrap());
        let error = lock.check_proofs().unwrap_err();
        assert_eq!(error.to_string(), "the pins are not those of release 3 of `prod`, first `support.reply`");
    }
    let mut lock = released();
    lock.prompts.remove(&id);
    assert!(matches!(lock.check_proofs(), Err(ProofError::Pins { .. })));
    lock = released();
    lock.prompts.insert("support.other".parse().unwrap(), pin(1, "other"));
    assert!(matches!(lock.check_proofs(), Err(ProofError::Pins { .. })));
    lock = named();
    lock.prompts.get_mut(&id).unwrap().record = Digest::of(b"other");
    let error = lock.check_proofs().unwrap_err().to_string();
    assert!(error.starts_with("the log proof of `support.reply@2` is about `publish` of `prompts/support.reply/"), "{error}");
    lock = named();
    lock.prompts.remove(&id);
    assert!(matches!(lock.check_proofs(), Err(ProofError::Other { .. })), "a proof of nothing");
}

#[test]
fn an_altered_release_or_proof_is_told() {
    type Alter = fn(&mut LockedRelease, &mut LoggedRelease);
    type IsExpected = fn(&ProofError) -> bool;
    let alterations: [(Alter, IsExpected); 7] = [
        (|_, logged| logged.record["actor"] = "eve".into(), |error| matches!(error, ProofError::Other { .. })),
        (|_, logged| logged.proof.entry.actor = "eve".into(), |error| matches!(error, ProofError::Tree(_))),
        (|_, logged| logged.proof.proof.index -= 1, |error| matches!(error, ProofError::Tree(_))),
        (|_, logged| logged.proof.proof.tree.root = Digest::of(b"x"), |error| matches!(error, ProofError::Tree(_))),
        (|_, logged| logged.proof.entry.action = AuditAction::Publish, |error| matches!(error, ProofError::Other { .. })),
        (|release, _| release.sequence = 2, |error| matches!(error, ProofError::Other { .. })),
        (|release, _| release.environment = "dev".into(), |error| matches!(error, ProofError::Other { .. })),
    ];
    for (number, (alter, is_expected)) in alterations.into_iter().enumerate() {
        let mut lock = released();
        let mut release = lock.release.take().unwrap();
        let mut logged = release.logged.take().unwrap();
        alter(&mut release, &mut logged);
        release.logged = Some(logged);
        lock.release = Some(release);
        let error = lock.check_proofs().unwrap_err();
        assert!(is_expected(&error), "{number}: {error}");
    }
}

#[test]
fn a_record_of_another_release_is_not_taken_for_this_one() {
    // The entry is about the right key, and somebody put the record of another environment there.
    let record = json!({"format": 1, "environment": "dev", "sequence": 3, "pins": {}});
    let entry = entry(AuditAction::Deploy, "environments/prod/00000000000000000003.json", Digest::of_json(&record));
    let logged = Some(LoggedRelease { record, proof: log(vec![entry]).remove(0) });
    let release = LockedRelease { environment: "prod".into(), sequence: 3, logged };
    let error = release.logged_pins().unwrap_err().to_string();
    assert!(error.ends_with("is about release 3 of `dev`"), "{error}");
}
