//! Creating a file that is whole, once, and survives a power failure.
//!
//! The object store library stages and links in the same way but syncs nothing. After a power failure a file system may
//! then hold a name without its content; elsewhere that file would be written again, but a name in this store is taken for
//! good, and a published version would be lost behind an empty file. Remove this module when the library can sync.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Creates a file with this content unless there is one, and its folders.
///
/// The content is written and synced under another name (`name#1`, which the library's listings pass over), then linked
/// to its own, then the folder is synced. Killed at any point, this leaves the whole file or none, and at most the staged
/// one.
///
/// # Errors
///
/// [`ErrorKind::AlreadyExists`] when there is one, by then as durable as if this call had made it;
/// [`ErrorKind::IsADirectory`] and [`ErrorKind::NotADirectory`] when a folder or a file is in the way.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Err(ErrorKind::InvalidInput.into());
    };
    if let Ok(taken) = path.symlink_metadata() {
        sync_folder(folder)?;
        return Err(if taken.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::AlreadyExists }.into());
    }
    create_folders(folder)?;
    let (file, staged) = stage(path)?;
    let linked = fill(file, content).and_then(|()| link(&staged, path));
    // What is left behind if this fails is never read; the outcome of the link counts.
    let _ = std::fs::remove_file(&staged);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        linked => sync_folder(folder).and(linked),
    }
}

/// Makes a folder and those above it, each durable in the one it is in.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().ok_or(ErrorKind::NotFound)?;
    create_folders(above)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        // A file in the way, which the operating system reports one call later.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(ErrorKind::NotADirectory.into()),
        made => made?,
    }
    sync_folder(above)
}

/// Opens a new file beside a path; other writers, living or dead, have theirs.
fn stage(path: &Path) -> io::Result<(File, PathBuf)> {
    for number in 1_u64.. {
        let mut staged = path.as_os_str().to_owned();
        staged.push(format!("#{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&staged) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok((opened?, staged.into())),
        }
    }
    Err(ErrorKind::StorageFull.into())
}

fn fill(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

fn link(staged: &Path, path: &Path) -> io::Result<()> {
    std::fs::hard_link(staged, path).map_err(|error| match error.kind() {
        // Linux answers so where a file system has no hard links, such as FAT; writing here was just permitted.
        ErrorKind::PermissionDenied => io::Error::new(ErrorKind::Unsupported, "the file system has no hard links"),
        _ => error,
    })
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder; they pass its changes on at once.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Windows has no such call: names are durable with the file system's journal.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = folder.read_dir().and_then(|entries| entries.map(name).collect()).expect("a folder");
        names.sort();
        names
    }

    #[test]
    fn a_file_is_created_once_with_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        create(&path, b"first").unwrap();
        assert_eq!(create(&path, b"other").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(names(path.parent().unwrap()), ["c"]);
    }

    #[test]
    fn the_loser_of_a_race_is_told_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder/raced");
        let writers: Vec<u8> = (0..16).collect();
        let won: Vec<u8> = std::thread::scope(|scope| {
            let spawn = |writer: &u8| {
                let (path, writer) = (path.clone(), *writer);
                scope.spawn(move || create(&path, &[writer; 10_000]).map(|()| writer))
            };
            let handles: Vec<_> = writers.iter().map(spawn).collect();
            handles.into_iter().filter_map(|handle| handle.join().unwrap().ok()).collect()
        });
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(std::fs::read(&path).unwrap(), [won[0]; 10_000]);
        assert_eq!(names(path.parent().unwrap()), ["raced"]);
    }

    #[test]
    fn a_file_in_the_way_of_a_folder_is_told_from_a_taken_name() {
        let dir = tempfile::tempdir().unwrap();
        create(&dir.path().join("a"), b"").unwrap();
        for path in ["a/b", "a/b/c"] {
            let error = create(&dir.path().join(path), b"").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotADirectory, "{path}: {error}");
        }
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        assert_eq!(create(&dir.path().join("folder"), b"").unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
