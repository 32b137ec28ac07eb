//! Stores on `file://` and `memory://`.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use promptops_store::{Created, MAX_OBJECT_BYTES, Store, StoreError, StoreOptions};

fn options(base_dir: &Path) -> StoreOptions {
    StoreOptions { base_dir: base_dir.to_owned(), settings: BTreeMap::new() }
}

fn open(url: &str, base_dir: &Path) -> Store {
    Store::open(url, &options(base_dir)).expect("the URL is valid")
}

fn refusal(url: &str, base_dir: &Path) -> String {
    let error = Store::open(url, &options(base_dir)).expect_err("the URL is wrong");
    assert!(matches!(error, StoreError::InvalidUrl { .. }), "{error:?}");
    error.to_string()
}

/// Every file below a folder, staged ones included.
fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    names
}

#[tokio::test]
async fn an_object_is_created_once() {
    let dir = tempfile::tempdir().unwrap();
    for url in ["memory://", "file://registry"] {
        let store = open(url, dir.path());
        assert_eq!(store.get("a/b.json").await.unwrap(), None, "{url}");
        assert_eq!(store.create("a/b.json", Bytes::from("1")).await.unwrap(), Created::New);
        assert_eq!(store.create("a/b.json", Bytes::from("1")).await.unwrap(), Created::Same);
        let refused = store.create("a/b.json", Bytes::from("2")).await.unwrap_err();
        assert_eq!(refused.to_string(), "another object is already stored under `a/b.json`");
        assert_eq!(store.get("a/b.json").await.unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(store.list("").await.unwrap(), ["a/b.json"]);
        assert!(store.exists("a/b.json").await.unwrap());
        assert!(!store.exists("a").await.unwrap());
    }
}

#[tokio::test]
async fn file_urls_are_absolute_or_relative_to_the_base_folder() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let odd = root.join("with space, 100% & ü");
    std::fs::create_dir(&odd).unwrap();

    let relative = open("file://.promptops/registry", &odd);
    relative.create("a", Bytes::from("1")).await.unwrap();
    assert!(odd.join(".promptops/registry/a").is_file());

    let absolute = format!("file://{}/.promptops/registry", odd.display()).replace('%', "%25").replace(' ', "%20");
    assert_eq!(open(&absolute, Path::new("/nowhere")).get("a").await.unwrap().as_deref(), Some(&b"1"[..]));

    let parent = open("file://../beside", &odd);
    parent.create("b", Bytes::from("2")).await.unwrap();
    assert!(root.join("beside/b").is_file());
}

#[tokio::test]
async fn reading_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open("file://absent/registry", dir.path());
    assert_eq!(store.get("format.json").await.unwrap(), None);
    assert!(store.list("").await.unwrap().is_empty());
    assert!(store.list("prompts").await.unwrap().is_empty());
    assert!(store.folders("prompts").await.unwrap().is_empty());
    assert!(!store.exists("format.json").await.unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_wrong_url_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("taken"), "x").unwrap();
    assert_eq!(refusal("gcs://b", dir.path()), "unknown scheme, known are file, memory, s3, gs, az and https: `gcs://b`");
    assert_eq!(refusal("registry", dir.path()), "not the URL of a store: `registry`");
    assert_eq!(refusal("file://", dir.path()), "the URL names no folder: `file://`");
    assert_eq!(refusal("file://taken", dir.path()), "the URL names a file, not a folder: `file://taken`");
    assert_eq!(refusal("memory://x", dir.path()), "a memory store has no name: `memory://x`");
    assert_eq!(refusal("s3:///x", dir.path()), "the URL names no bucket: `s3:///x`");
    assert_eq!(refusal("file://a", Path::new("relative")), "a relative path needs an absolute folder to start from: `file://a`");
    assert_eq!(
        refusal("file://absent/../a", dir.path()),
        "the folder does not exist and its path has a `..` that cannot be resolved: `file://absent/../a`"
    );
}

#[test]
fn settings_of_the_clouds_are_known_by_name() {
    for name in
        ["AWS_REGION", "aws_profile", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_KEY", "HOME", "STORAGE_EMULATOR_HOST"]
    {
        assert!(StoreOptions::is_setting(name), "{name}");
    }
    for name in ["PATH", "TOKEN", "REGION", "PROMPTOPS_REGISTRY", "OPENAI_API_KEY"] {
        assert!(!StoreOptions::is_setting(name), "{name}");
    }
}

#[test]
fn settings_are_printed_without_their_values() {
    let settings = BTreeMap::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "hush".to_owned())]);
    let options = StoreOptions { base_dir: "/base".into(), settings };
    let printed = format!("{options:?} {:?}", Store::open("memory://", &options).unwrap());
    assert!(printed.contains("AWS_SECRET_ACCESS_KEY"), "{printed}");
    assert!(!printed.contains("hush"), "{printed}");
}

#[tokio::test]
async fn unfinished_files_are_neither_listed_nor_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let store = open("file://registry", dir.path());
    // What a writer leaves that was killed before it could link the name.
    std::fs::create_dir_all(dir.path().join("registry/a")).unwrap();
    std::fs::write(dir.path().join("registry/a/b#1"), "half").unwrap();
    std::fs::write(dir.path().join("registry/a/b#2"), "").unwrap();
    assert!(store.list("").await.unwrap().is_empty());
    assert_eq!(store.get("a/b").await.unwrap(), None);
    assert_eq!(store.create("a/b", Bytes::from("whole")).await.unwrap(), Created::New);
    assert_eq!(store.list("").await.unwrap(), ["a/b"]);
    assert_eq!(files(dir.path()).len(), 3, "the staged file of this writer is gone");
}

#[tokio::test]
async fn objects_and_folders_in_each_others_way_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open("file://registry", dir.path());
    store.create("a", Bytes::from("1")).await.unwrap();
    assert_eq!(store.get("a/b").await.unwrap(), None);
    for folder in ["a", "a/b"] {
        assert!(store.list(folder).await.unwrap().is_empty());
        assert!(store.folders(folder).await.unwrap().is_empty());
    }
    let refused = store.create("a/b", Bytes::from("2")).await.unwrap_err();
    assert_eq!(refused.to_string(), "a file is in the way of a folder: `a/b`");

    store.create("c/d", Bytes::from("1")).await.unwrap();
    assert_eq!(store.get("c").await.unwrap(), None);
    let refused = store.create("c", Bytes::from("2")).await.unwrap_err();
    assert_eq!(refused.to_string(), "a folder is in the way of a file: `c`");
}

#[tokio::test]
async fn an_object_above_the_limit_is_neither_written_nor_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open("file://registry", dir.path());
    let large = Bytes::from(vec![0; usize::try_from(MAX_OBJECT_BYTES).unwrap() + 1]);
    assert!(matches!(store.create("a", large).await, Err(StoreError::TooLarge { .. })));
    assert!(store.list("").await.unwrap().is_empty());
    let file = std::fs::File::create(dir.path().join("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    let store = open(&format!("file://{}", dir.path().display()), dir.path());
    assert!(matches!(store.get("huge").await, Err(StoreError::TooLarge { bytes: 0x100_0000_0000, .. })));
}
