//! API keys: made, revoked, and seen by verification.

use chrono::TimeDelta;
use promptops_registry::keys::{ApiKey, KeyRequest, Scope, Token};
use promptops_registry::{ErrorKind, RegistryError};

use crate::desk::{Desk, desks, minute};

async fn create(desk: &Desk, entropy: u8) -> (ApiKey, Token) {
    let scopes: Vec<Scope> = ["publish:support", "read", "publish:support"].iter().map(|scope| scope.parse().unwrap()).collect();
    let request = KeyRequest {
        name: "ci of acme/prompts",
        actor: "ci@example.com",
        scopes: &scopes,
        expires: minute(0) + TimeDelta::days(90),
    };
    desk.registry.create_key(&request, &[entropy; 40], "ops@example.com", minute(0)).await.unwrap()
}

#[tokio::test]
async fn a_key_is_stored_without_its_secret_and_logged() {
    for desk in desks().await {
        let (key, token) = create(&desk, 1).await;
        assert_eq!(desk.registry.key(&key.id).await.unwrap().as_ref(), Some(&key));
        assert!(key.matches(&token) && key.scopes.len() == 2, "{key:?}");
        let (_, other) = create(&desk, 2).await;
        assert!(!key.matches(&other));
        let secret = token.reveal().rsplit('_').next().unwrap().to_owned();
        let stored = desk.registry.store().get(&format!("keys/{}/key.json", key.id)).await.unwrap().unwrap();
        assert!(!String::from_utf8(stored.to_vec()).unwrap().contains(&secret));
        let batches = desk.registry.log_batches(2, 1).await.unwrap();
        let entry = &batches[0].entries[0];
        assert_eq!((entry.action.name(), entry.actor.as_str()), ("key", "ops@example.com"));
        assert_eq!(
            (entry.details["acts_as"].as_str(), entry.details["scopes"].as_str()),
            ("ci@example.com", "read publish:support")
        );
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn a_key_is_revoked_once_and_for_good() {
    for desk in desks().await {
        let (key, _) = create(&desk, 1).await;
        assert_eq!(desk.registry.revocation(&key.id).await.unwrap(), None);
        let first = desk.registry.revoke_key(&key.id, Some("it leaked"), "ops@example.com", minute(1)).await.unwrap();
        let again = desk.registry.revoke_key(&key.id, None, "eve@example.com", minute(2)).await.unwrap();
        assert_eq!((&again, again.revoked.by.as_str()), (&first, "ops@example.com"));
        let (other, _) = create(&desk, 2).await;
        let keys = desk.registry.keys().await.unwrap();
        let states: Vec<_> = keys.iter().map(|(key, revocation)| (key.id.clone(), revocation.is_some())).collect();
        assert_eq!(states, [(key.id.clone(), true), (other.id.clone(), false)]);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn keys_that_make_no_sense_are_refused() {
    let desk = Desk::memory().await;
    let missing = desk.registry.revoke_key(&"0123456789abcdef".parse().unwrap(), None, "ops", minute(0)).await.unwrap_err();
    assert_eq!(
        (missing.kind(), missing.to_string().as_str()),
        (ErrorKind::NotFound, "the registry has no API key `0123456789abcdef`")
    );
    let read = ["read".parse().unwrap()];
    let good = KeyRequest { name: "ci", actor: "ci@example.com", scopes: &read, expires: minute(1) };
    for (request, reason) in [
        (KeyRequest { name: " ", ..good.clone() }, "its name is empty"),
        (KeyRequest { actor: "a\nb", ..good.clone() }, "its actor is empty"),
        (KeyRequest { scopes: &[], ..good.clone() }, "it has no scope"),
        (KeyRequest { expires: minute(0), ..good.clone() }, "it would have expired already"),
    ] {
        let error = desk.registry.create_key(&request, &[1; 40], "ops", minute(0)).await.unwrap_err();
        assert!(matches!(error, RegistryError::KeyRequest(_)) && error.to_string().contains(reason), "{error}");
    }
    assert_eq!(desk.registry.keys().await.unwrap(), []);
}

#[tokio::test]
async fn keys_that_were_written_or_changed_past_the_registry_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::at(folder.path()).await;
    let (key, _) = create(&desk, 1).await;
    desk.registry.revoke_key(&key.id, None, "ops@example.com", minute(1)).await.unwrap();
    let path = folder.path().join(format!("registry/keys/{}", key.id));
    let damage = async || -> Vec<String> {
        let report = desk.registry.verify(&[]).await.unwrap();
        report.problems.into_iter().map(|problem| format!("{:?} {}", problem.severity, problem.what)).collect()
    };
    let text = std::fs::read_to_string(path.join("key.json")).unwrap();
    std::fs::write(path.join("key.json"), text.replace("publish:support", "admin")).unwrap();
    assert!(damage().await[0].starts_with("Damage the object was altered"), "{:?}", damage().await);
    std::fs::write(path.join("key.json"), &text).unwrap();
    std::fs::remove_file(path.join("revoked.json")).unwrap();
    assert!(damage().await[0].starts_with("Damage the object is gone"), "{:?}", damage().await);

    let smuggled = folder.path().join("registry/keys/00000000000000ff");
    std::fs::create_dir_all(&smuggled).unwrap();
    std::fs::write(smuggled.join("key.json"), text.replace(&key.id.to_string(), "00000000000000ff")).unwrap();
    assert!(damage().await.iter().any(|line| line == "Unfinished the log does not name the object"), "{:?}", damage().await);
}
