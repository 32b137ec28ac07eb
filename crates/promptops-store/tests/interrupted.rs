//! What a `file://` store holds after its writer was killed, or its disk was full.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use promptops_store::{Created, Store, StoreError, StoreOptions};

const FOLDER_VARIABLE: &str = "PROMPTOPS_TEST_WRITER_FOLDER";
/// Large enough that a kill often meets a half-written file.
const OBJECT_BYTES: usize = 512 * 1024;

fn open(folder: &Path) -> Store {
    Store::open("file://registry", &StoreOptions { base_dir: folder.to_owned(), ..StoreOptions::default() })
        .expect("the folder is absolute")
}

fn key(number: u32) -> String {
    format!("objects/{number:06}")
}

/// Content that tells its number in every byte, so that a part of it is not taken for the whole.
fn content(number: u32) -> Bytes {
    Bytes::from(number.to_be_bytes().repeat(OBJECT_BYTES / 4))
}

/// Not a test of its own: the process that `a_killed_writer_leaves_whole_objects` starts from this executable and kills.
#[tokio::test]
async fn writes_until_killed() {
    #[expect(clippy::disallowed_methods, reason = "set by the parent process alone")]
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    let store = open(Path::new(&folder));
    for number in 0.. {
        store.create(&key(number), content(number)).await.unwrap();
        println!("stored {number}");
    }
}

#[tokio::test]
async fn a_killed_writer_leaves_whole_objects() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..12 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_killed", "--nocapture", "--test-threads=1"])
            .env(FOLDER_VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let numbers = lines.filter_map(|line| line.unwrap().rsplit_once("stored ")?.1.parse::<u32>().ok());
        // The writer starts over each time, so every round goes further than the last and dies at another point.
        let last = numbers.take(8 + round * 3).last().expect("the writer writes");
        writer.kill().unwrap();
        writer.wait().unwrap();
        acknowledged = acknowledged.max(last);

        let store = open(dir.path());
        let keys = store.list("").await.unwrap();
        assert!(keys.len() > last as usize, "what was acknowledged is listed");
        for (number, listed) in (0..).zip(&keys) {
            assert_eq!(*listed, key(number), "objects appear in the order of their creation");
            let stored = store.get(listed).await.unwrap();
            assert!(stored == Some(content(number)), "object {number} is whole");
        }
    }
    let store = open(dir.path());
    for number in 0..=acknowledged {
        assert_eq!(store.create(&key(number), content(number)).await.unwrap(), Created::Same, "repeating is harmless");
    }
}

/// A file system of 1 MiB, unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` where mounting is not allowed.
    fn mount(at: &'a Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the small disk is unmounted");
    }
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path()) else {
        eprintln!("skipped: a_full_disk_leaves_nothing_half_written: mounting needs root");
        return;
    };
    let store = open(dir.path());
    store.create(&key(0), content(0)).await.unwrap();
    let error = store.create(&key(1), Bytes::from(vec![1; 2 * OBJECT_BYTES])).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(error.to_string(), "no space is left to store `objects/000001`");

    assert_eq!(store.list("").await.unwrap(), [key(0)]);
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    let left = std::fs::read_dir(dir.path().join("registry/objects")).unwrap().count();
    assert_eq!(left, 1, "no staged file is left either");
    assert_eq!(store.create(&key(0), content(0)).await.unwrap(), Created::Same, "what is there needs no room");
    assert_eq!(store.create(&key(1), Bytes::from("small")).await.unwrap(), Created::New, "the name is still free");
}

/// A read-only file system refuses root too, unlike a read-only mode.
#[tokio::test]
async fn a_read_only_disk_is_a_matter_of_permission() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path()) else {
        eprintln!("skipped: a_read_only_disk_is_a_matter_of_permission: mounting needs root");
        return;
    };
    let store = open(dir.path());
    store.create("a", Bytes::from("1")).await.unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(dir.path()).status();
    assert!(remounted.unwrap().success());
    let error = store.create("b", Bytes::from("2")).await.unwrap_err();
    assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
    assert_eq!(error.to_string(), "permission denied for `b`");
    assert_eq!(store.create("a", Bytes::from("1")).await.unwrap(), Created::Same, "it is there already");
    assert_eq!(store.get("a").await.unwrap(), Some(Bytes::from("1")));
}
