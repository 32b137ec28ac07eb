//! Approvals and evidence: what counts, and that nothing else does (G5).

use promptops_prompt::evidence::{APPROVAL_PREDICATE, Statement};
use promptops_prompt::{Metadata, Prompt};
use promptops_registry::{ErrorKind, RegistryError, SigningKey};
use ssh_key::{HashAlg, LineEnding};

use crate::desk::{Desk, desks, minute, private_key, prompt, reference, tagged};

const DAY: i64 = 24 * 60;

#[tokio::test]
async fn a_sensitive_version_waits_for_approval() {
    for desk in desks().await {
        desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
        assert_eq!(desk.missing("a.b@1", 1).await, ["a.b@1: approval of `legal` is missing"]);
        let error = desk.deploy(&["a.b@1"], 1).await.unwrap_err();
        assert_eq!(error.to_string(), "1 of the policy's demands on environment `prod` is not met");
        assert_eq!(error.kind(), ErrorKind::Refused);

        desk.approve("bob", "legal", "a.b@1", 2, 7).await.unwrap();
        assert!(desk.missing("a.b@1", 3).await.is_empty());
        let release = desk.deploy(&["a.b@1"], 3).await.unwrap();
        assert_eq!(release.evidence.len(), 1, "the release says what showed it");
        assert_eq!(release.rules.as_deref(), Some("0123abc"), "and by whose rules");
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn an_approval_is_for_one_content_and_place() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    desk.publish(&tagged("a.b@2", "two", &["legal"])).await.unwrap();
    desk.approve("bob", "legal", "a.b@1", 2, 7).await.unwrap();
    assert_eq!(desk.missing("a.b@2", 3).await.len(), 1);
    // A fork with the same content has the same digest, and yet is another prompt.
    let fork = Prompt { parent: Some(reference("a.b@1")), ..tagged("c.d@1", "one", &["legal"]) };
    desk.publish(&fork).await.unwrap();
    assert_eq!(desk.missing("c.d@1", 3).await.len(), 1);
}

#[tokio::test]
async fn approvals_end() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    desk.approve("bob", "legal", "a.b@1", 0, 2).await.unwrap();
    assert!(desk.missing("a.b@1", 2 * DAY - 1).await.is_empty());
    let missing = desk.missing("a.b@1", 2 * DAY).await;
    assert!(missing[0].contains("it expired at `2026-11-03T03:00:00Z`"), "{missing:?}");
    let plan = desk.plan(&["a.b@1"], 1).await.unwrap();
    assert!(plan.unmet().is_empty());
    let late = desk.apply(&plan, 2 * DAY).await;
    assert!(matches!(late, Err(RegistryError::Refused { .. })), "what counts is the moment of the deploy");

    // The policy's own limit holds whatever the approver wrote.
    desk.approve("cleo", "legal", "a.b@1", 0, 365).await.unwrap();
    assert!(desk.missing("a.b@1", 30 * DAY - 1).await.is_empty());
    assert!(desk.missing("a.b@1", 30 * DAY).await[0].contains("it is older than 30 days"));
    let expired = desk.approve("bob", "legal", "a.b@1", 5, 0).await.unwrap_err();
    assert!(expired.to_string().contains("it expired at"), "{expired}");
}

#[tokio::test]
async fn only_members_of_the_group_who_are_not_the_author_count() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    for (person, reason) in [("ann", "`ann` is the author"), ("dan", "`dan` is not a member of `legal`")] {
        let error = desk.approve(person, "legal", "a.b@1", 1, 7).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the approval would not count: {reason}"));
    }
    let stranger = desk.approve("eve", "legal", "a.b@1", 1, 7).await.unwrap_err();
    assert!(stranger.to_string().contains("the key belongs to nobody of `owners.yaml`"), "{stranger}");
    assert_eq!(desk.missing("a.b@1", 2).await.len(), 1);
}

#[tokio::test]
async fn an_unknown_author_leaves_nobody_to_approve() {
    let mut desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    desk.approve("bob", "legal", "a.b@1", 1, 7).await.unwrap();
    desk.owners.people.get_mut("ann").unwrap().email = None;
    let missing = desk.missing("a.b@1", 2).await;
    assert!(missing[0].contains("the author `ann@example.com` is nobody of `owners.yaml`"), "{missing:?}");
}

#[tokio::test]
async fn who_left_the_group_or_lost_the_key_does_not_count() {
    let mut desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    desk.approve("bob", "legal", "a.b@1", 1, 7).await.unwrap();
    let full = desk.owners.clone();
    desk.owners.teams.get_mut("legal").unwrap().remove("bob");
    assert!(desk.missing("a.b@1", 2).await[0].contains("`bob` is not a member of `legal`"));
    desk.owners = full.clone();
    desk.owners.people.get_mut("bob").unwrap().keys.clear();
    assert!(desk.missing("a.b@1", 2).await[0].contains("it is not signed with a key of `bob`"));
    desk.owners = full;
    desk.owners.teams.remove("legal");
    assert!(desk.missing("a.b@1", 2).await[0].contains("`owners.yaml` has no team `legal`"));
}

#[tokio::test]
async fn one_person_counts_for_one_group() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["both"])).await.unwrap();
    desk.approve("cleo", "legal", "a.b@1", 1, 7).await.unwrap();
    desk.approve("cleo", "compliance", "a.b@1", 1, 7).await.unwrap();
    let missing = desk.missing("a.b@1", 2).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].ends_with("(one person counts for one group only)"), "{missing:?}");
    desk.approve("bob", "legal", "a.b@1", 3, 7).await.unwrap();
    assert!(desk.missing("a.b@1", 4).await.is_empty());
}

#[tokio::test]
async fn forged_approvals_are_refused() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    let record = desk.registry.version(&reference("a.b@1")).await.unwrap();
    let predicate = serde_json::json!({
        "environment": "prod", "group": "legal", "approver": "bob", "time": minute(1), "expires": minute(DAY)
    });
    let statement = Statement::new(record.reference(), record.digest, APPROVAL_PREDICATE, predicate);
    let sign = |person: &str, namespace: &str, statement: &Statement| {
        let signature = private_key(person).sign(namespace, HashAlg::Sha512, &statement.to_bytes()).unwrap();
        signature.to_pem(LineEnding::LF).unwrap()
    };
    let store = async |statement: &Statement, signature: &str| {
        desk.registry.approve(statement, signature, &desk.owners, "eve", minute(2)).await.map_err(|error| error.to_string())
    };
    let good = sign("bob", "promptops-approval", &statement);
    let refused = "the approval would not count: ";
    for (signature, reason) in [
        (sign("eve", "promptops-approval", &statement), "it is not signed with a key of `bob`"),
        (sign("cleo", "promptops-approval", &statement), "it is not signed with a key of `bob`"),
        (sign("bob", "git", &statement), "its signature does not fit what it says"),
        ("nonsense".to_owned(), "its signature is not readable"),
    ] {
        assert_eq!(store(&statement, &signature).await.unwrap_err(), format!("{refused}{reason}"));
    }
    for (field, value, reason) in [
        ("expires", serde_json::json!(minute(99 * DAY)), "its signature does not fit what it says"),
        ("group", serde_json::json!("compliance"), "its signature does not fit what it says"),
        ("environment", serde_json::json!("staging"), "its signature does not fit what it says"),
        ("approver", serde_json::json!("cleo"), "it is not signed with a key of `cleo`"),
        ("note", serde_json::json!("x"), "it is not readable"),
    ] {
        let mut altered = statement.clone();
        altered.predicate[field] = value;
        let error = store(&altered, &good).await.unwrap_err();
        assert!(error.starts_with(&format!("{refused}{reason}")), "{field}: {error}");
    }
    let mut future = statement.clone();
    future.predicate["time"] = serde_json::json!(minute(60));
    let error = store(&future, &sign("bob", "promptops-approval", &future)).await.unwrap_err();
    assert!(error.contains("it is dated in the future"), "{error}");
    assert_eq!(desk.missing("a.b@1", 3).await.len(), 1, "nothing of that was stored as an approval");
    store(&statement, &good).await.unwrap();
    store(&statement, &good).await.unwrap();
    assert!(desk.missing("a.b@1", 3).await.is_empty());
    desk.assert_sound().await;
}

#[tokio::test]
async fn dropping_a_tag_does_not_drop_what_it_demands() {
    let desk = Desk::memory().await;
    let sensitive = tagged("a.b@1", "one", &["legal"]);
    desk.publish(&sensitive).await.unwrap();
    // Neither by changing the metadata of the version…
    desk.publish(&prompt("a.b@1", "one")).await.unwrap();
    assert_eq!(desk.missing("a.b@1", 1).await.len(), 1);
    desk.approve("bob", "legal", "a.b@1", 1, 7).await.unwrap();
    desk.deploy(&["a.b@1"], 2).await.unwrap();
    // …nor by a new version without it, while the old one is live.
    desk.publish(&prompt("a.b@2", "two")).await.unwrap();
    assert_eq!(desk.missing("a.b@2", 3).await, ["a.b@2: approval of `legal` is missing"]);
}

#[tokio::test]
async fn a_rollback_needs_no_new_approval() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    desk.publish(&tagged("a.b@2", "two", &["legal"])).await.unwrap();
    for version in ["a.b@1", "a.b@2"] {
        desk.approve("bob", "legal", version, 1, 1).await.unwrap();
        desk.deploy(&[version], 2).await.unwrap();
    }
    let back = desk.registry.rollback(&crate::desk::prod(), None, "rel", None, minute(90 * DAY)).await.unwrap();
    assert!(back.is_new);
}

#[tokio::test]
async fn the_latest_eval_decides() {
    for desk in desks().await {
        let metadata = Metadata { evals: vec!["evals/b.yaml".into()], ..Metadata::default() };
        desk.publish(&Prompt { metadata, ..prompt("a.b@1", "one") }).await.unwrap();
        assert_eq!(desk.missing("a.b@1", 1).await, ["a.b@1: a passing run of `evals/b.yaml` is missing"]);
        for (at, verdict, reason) in [
            (2, "inconclusive", Some("the latest run says `inconclusive`")),
            (3, "pass", None),
            (4, "regressed", Some("the latest run says `regressed`")),
            (5, "pass", None),
        ] {
            desk.eval("a.b@1", verdict, at).await;
            let expected: Vec<String> =
                reason.iter().map(|reason| format!("a.b@1: a passing run of `evals/b.yaml` is missing ({reason})")).collect();
            assert_eq!(desk.missing("a.b@1", 6).await, expected, "{verdict}");
        }
        desk.deploy(&["a.b@1"], 7).await.unwrap();
        // A version that names no eval any more still has to show one.
        desk.publish(&prompt("a.b@2", "two")).await.unwrap();
        assert_eq!(desk.missing("a.b@2", 8).await, ["a.b@2: a passing eval run is missing"]);
        desk.eval("a.b@2", "pass", 9).await;
        assert!(desk.missing("a.b@2", 10).await.is_empty());
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn each_named_eval_has_to_pass() {
    let desk = Desk::memory().await;
    let metadata = Metadata { evals: vec!["evals/b.yaml".into(), "evals/c.yaml".into()], ..Metadata::default() };
    desk.publish(&Prompt { metadata, ..prompt("a.b@1", "one") }).await.unwrap();
    desk.eval("a.b@1", "pass", 1).await;
    assert_eq!(desk.missing("a.b@1", 2).await, ["a.b@1: a passing run of `evals/c.yaml` is missing"]);
}

#[tokio::test]
async fn evidence_must_be_about_what_is_published() {
    use promptops_prompt::Digest;
    use promptops_prompt::evidence::EVAL_PREDICATE;
    let desk = Desk::memory().await;
    desk.publish(&prompt("a.b@1", "one")).await.unwrap();
    let digest = desk.registry.version(&reference("a.b@1")).await.unwrap().digest;
    let pass = serde_json::json!({"verdict": "pass", "eval": "evals/b.yaml"});
    for (name, digest, kind, predicate, reason) in [
        ("a.b@2", digest, EVAL_PREDICATE, &pass, "the registry has no version `a.b@2`"),
        ("a.b@1", Digest::of(b"x"), EVAL_PREDICATE, &pass, "is published with digest"),
        ("a.b@1", digest, APPROVAL_PREDICATE, &pass, "its predicate is"),
        ("a.b@1", digest, EVAL_PREDICATE, &serde_json::json!({"eval": "e"}), "it has no `verdict`"),
        ("a.b@1", digest, EVAL_PREDICATE, &serde_json::json!({"verdict": "pass"}), "it does not name its `eval` file"),
    ] {
        let statement = Statement::new(reference(name), digest, kind, predicate.clone());
        let error = desk.registry.record_evidence(&statement, "ci", minute(1)).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let twice = Statement::new(reference("a.b@1"), digest, EVAL_PREDICATE, pass);
    let first = desk.registry.record_evidence(&twice, "ci", minute(1)).await.unwrap();
    assert_eq!(desk.registry.record_evidence(&twice, "other", minute(2)).await.unwrap(), first);
    assert_eq!(desk.registry.statements(&digest).await.unwrap().len(), 1);
}

#[test]
fn keys_that_cannot_sign_say_why() {
    let reason = |text: &str| SigningKey::from_openssh(text).unwrap_err().to_string();
    assert!(reason("nonsense").starts_with("the key cannot sign: it is not an OpenSSH private key"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "secret", "-f"])
        .arg(&path)
        .status()
        .expect("ssh-keygen is installed");
    assert!(made.success());
    assert_eq!(reason(&std::fs::read_to_string(path).unwrap()), "the key cannot sign: it is encrypted with a passphrase");
}
