//! An application whose lock names a server.

use std::collections::BTreeMap;
use std::sync::Arc;

use promptops::{Loader, Settings};
use promptops_registry::keys::Token;
use serde_json::json;

use crate::harness::{Server, now, prompt};

fn settings(folder: &std::path::Path, token: Option<&Token>) -> Settings {
    let mut settings = Settings::new(folder, Arc::new(now));
    settings.lock = Some("promptops.lock".into());
    settings.cache_dir = Some("cache".into());
    settings.store_settings =
        token.iter().map(|token| ("PROMPTOPS_API_KEY".to_owned(), token.reveal())).collect::<BTreeMap<_, _>>();
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lock_pins_is_loaded_through_a_server_and_kept_for_when_it_is_gone() {
    let mut server = Server::start(|_| {}).await;
    server.publish(&prompt("shared.tone@1", "Be kind.")).await;
    server.publish(&prompt("a@1", "{% include \"shared.tone@1\" %} Hello {{ name }}")).await;
    let token = server.key("app", &["read"]).await;
    let remote = server.remote(Some(&token)).await;
    let lock = remote.lock_versions(&["a@1".parse().unwrap()], &server.url).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("promptops.lock"), lock.to_bytes()).unwrap();

    let without_key = Loader::from_settings(&settings(folder.path(), None)).unwrap();
    let refused = tokio::task::spawn_blocking(move || without_key.load("a", None)).await.unwrap().unwrap_err();
    assert!(refused.full_message().contains("an API key is needed"), "{}", refused.full_message());

    let render = |loader: Loader| {
        let loaded = loader.load("a", None).unwrap();
        loaded.render(json!({"name": "Ada"}).as_object().unwrap()).unwrap()
    };
    let loader = Loader::from_settings(&settings(folder.path(), Some(&token))).unwrap();
    assert_eq!(tokio::task::spawn_blocking(move || render(loader)).await.unwrap(), "Be kind. Hello Ada");
    server.stop().await.unwrap().unwrap();
    let loader = Loader::from_settings(&settings(folder.path(), Some(&token))).unwrap();
    assert_eq!(tokio::task::spawn_blocking(move || render(loader)).await.unwrap(), "Be kind. Hello Ada");
}
