//! Bundles on disk.

use std::path::PathBuf;
use std::process::Command;

use promptops_store::{Bundle, BundleError, BundleWriter, MAX_BUNDLE_ENTRIES, MAX_OBJECT_BYTES};
use tempfile::TempDir;

const ENTRIES: [(&str, &str); 4] = [("b/2.json", "{\"two\": 2}"), ("a.json", "[1]"), ("b/10.json", "10"), ("empty", "")];

fn writer() -> BundleWriter {
    let mut writer = BundleWriter::new();
    for (name, content) in ENTRIES {
        writer.add(name, content).expect("the entry is valid");
    }
    writer
}

/// A file with these bytes, in a folder that goes with the first value.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("prompts.bundle");
    std::fs::write(&path, bytes).expect("the file can be written");
    (dir, path)
}

#[test]
fn entries_come_back_as_they_went() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("prompts.bundle");
    std::fs::write(&path, "an older one").unwrap();
    writer().write(&path).unwrap();
    let bundle = Bundle::open(&path).unwrap();
    assert_eq!(bundle.names().collect::<Vec<_>>(), ["a.json", "b/10.json", "b/2.json", "empty"]);
    for (name, content) in ENTRIES {
        assert_eq!(bundle.get(name).unwrap().as_deref(), Some(content.as_bytes()), "{name}");
    }
    for absent in ["", "b", "b/", "A.json", "b/3.json"] {
        assert_eq!(bundle.get(absent).unwrap(), None, "{absent}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left in the folder");
    assert_eq!(std::fs::read(&path).unwrap(), writer().to_bytes());
}

#[test]
fn the_same_entries_give_the_same_bytes() {
    let mut reversed = BundleWriter::new();
    for (name, content) in ENTRIES.iter().rev() {
        reversed.add(name, *content).unwrap();
    }
    let bytes = writer().to_bytes();
    assert_eq!(bytes, reversed.to_bytes());
    // Stored, not compressed: the content can be seen in the file.
    let text = String::from_utf8_lossy(&bytes);
    assert!(ENTRIES.iter().all(|(name, content)| text.contains(name) && text.contains(content)));
    // The first entry's header: version 2.0, sizes behind the content, stored, without a time.
    assert_eq!(bytes[..14], *b"PK\x03\x04\x14\0\x08\0\0\0\0\0\0\0");
}

#[test]
fn python_reads_it_too() {
    let (_dir, path) = file(&writer().to_bytes());
    let script = "import sys, zipfile\n\
                  bundle = zipfile.ZipFile(sys.argv[1])\n\
                  assert bundle.testzip() is None\n\
                  for entry in bundle.infolist():\n    \
                      assert entry.compress_type == zipfile.ZIP_STORED\n    \
                      print(entry.filename, bundle.read(entry).decode(), sep='=')\n";
    let Ok(output) = Command::new("python3").args(["-c", script]).arg(&path).output() else {
        eprintln!("skipped: python_reads_it_too: there is no python3");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, "a.json=[1]\nb/10.json=10\nb/2.json={\"two\": 2}\nempty=\n");
}

#[test]
fn an_empty_bundle_is_a_bundle() {
    let (_dir, path) = file(&BundleWriter::new().to_bytes());
    let bundle = Bundle::open(&path).unwrap();
    assert!(bundle.names().next().is_none());
    assert_eq!(bundle.get("a").unwrap(), None);
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_the_bundle_as_it_was() {
    let mut writer = writer();
    let before = writer.to_bytes();
    assert_eq!(writer.add("a.json", "other").unwrap_err().to_string(), "the bundle already has an entry `a.json`");
    for name in ["", "/a", "a/../b", "a b", "a/"] {
        assert!(matches!(writer.add(name, ""), Err(BundleError::InvalidName { .. })), "{name}");
    }
    let large = vec![0; usize::try_from(MAX_OBJECT_BYTES).unwrap() + 1];
    let error = writer.add("large", large).unwrap_err();
    assert_eq!(error.to_string(), "the bundle is limited to 67108864 bytes per entry, exceeded by entry `large`");
    assert_eq!(writer.to_bytes(), before);

    // One buffer, counted seventeen times.
    let shared = bytes::Bytes::from(vec![0; usize::try_from(MAX_OBJECT_BYTES).unwrap()]);
    let mut writer = BundleWriter::new();
    for number in 0..16 {
        writer.add(&format!("{number}"), shared.clone()).unwrap();
    }
    let error = writer.add("16", shared).unwrap_err();
    assert_eq!(error.to_string(), "the bundle is limited to 1073741824 bytes, exceeded by entry `16`");

    let mut writer = BundleWriter::new();
    for number in 0..MAX_BUNDLE_ENTRIES {
        writer.add(&format!("{number}"), "").unwrap();
    }
    let error = writer.add("one-more", "").unwrap_err();
    assert_eq!(error.to_string(), "the bundle is limited to 65534 entries, exceeded by entry `one-more`");
}

#[test]
fn a_damaged_bundle_is_named() {
    let whole = writer().to_bytes();
    let half = &whole[..whole.len() / 2];
    for damaged in [&b""[..], b"{\"not\": \"a zip\"}", half, &whole[..whole.len() - 1]] {
        let (_dir, path) = file(damaged);
        let error = Bundle::open(&path).unwrap_err();
        assert!(matches!(error, BundleError::Corrupt { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("not a bundle, or damaged: `{}`", path.display()));
        assert!(error.hint().is_some());
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Bundle::open(&dir.path().join("absent")), Err(BundleError::NotFound { .. })));
    assert!(matches!(Bundle::open(dir.path()), Err(BundleError::Unreadable { .. })));
}

#[test]
fn a_changed_entry_is_named_and_the_others_still_read() {
    let mut bytes = writer().to_bytes();
    let at = bytes.windows(5).position(|window| window == b"\"two\"").unwrap();
    bytes[at + 1] = b'T';
    let (_dir, path) = file(&bytes);
    let bundle = Bundle::open(&path).unwrap();
    let error = bundle.get("b/2.json").unwrap_err();
    assert_eq!(error.to_string(), format!("entry `b/2.json` is damaged in bundle `{}`", path.display()));
    assert_eq!(bundle.get("a.json").unwrap().as_deref(), Some(&b"[1]"[..]));
}

/// No change of one byte makes a bundle answer with content it did not have, or panic.
#[test]
fn no_single_byte_changes_what_is_read_unnoticed() {
    let whole = writer().to_bytes();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let (_dir, path) = file(&bytes);
            let Ok(bundle) = Bundle::open(&path) else { continue };
            for (name, content) in ENTRIES {
                if let Ok(Some(read)) = bundle.get(name) {
                    assert_eq!(read, content.as_bytes(), "byte {at} changed by {flip:#x}");
                }
            }
        }
    }
}

#[test]
fn an_unwritable_path_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let error = writer().write(&dir.path().join("absent/prompts.bundle")).unwrap_err();
    assert!(matches!(error, BundleError::Unwritable { .. }), "{error:?}");
    std::fs::create_dir(dir.path().join("taken")).unwrap();
    let error = writer().write(&dir.path().join("taken")).unwrap_err();
    assert!(matches!(error, BundleError::Unwritable { .. }), "{error:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
