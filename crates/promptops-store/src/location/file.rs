//! `file://`: a local folder.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use percent_encoding::percent_decode_str;

use super::{ListingOrder, Location, invalid};
use crate::error::StoreError;

pub(super) fn open(url: &str, rest: &str, base_dir: &Path) -> Result<Location, StoreError> {
    let path = percent_decode_str(rest).decode_utf8().map_err(|_| invalid(url, "the path is not UTF-8"))?;
    if path.is_empty() {
        return Err(invalid(url, "the URL names no folder"));
    }
    let folder = absolute(&base_dir.join(&*path)).map_err(|reason| invalid(url, reason))?;
    if folder.is_file() {
        return Err(invalid(url, "the URL names a file, not a folder"));
    }
    let prefix = ObjectPath::from_absolute_path(&folder)
        .map_err(|_| invalid(url, "the folder's name has characters that cannot be stored"))?;
    // Rooted at `/` rather than at the folder, because that would have to exist: reading must not create it.
    let local = Arc::new(LocalFileSystem::new());
    Ok(Location { backend: Arc::clone(&local) as Arc<dyn ObjectStore>, local: Some(local), prefix, listing: ListingOrder::None })
}

/// Resolves symbolic links and `..` in the part of the path that exists; the rest must be plain names.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, &'static str> {
    if !path.is_absolute() {
        return Err("a relative path needs an absolute folder to start from");
    }
    let mut missing = Vec::new();
    let mut existing = path;
    let mut resolved = loop {
        if let Ok(resolved) = existing.canonicalize() {
            break resolved;
        }
        match (existing.components().next_back(), existing.parent()) {
            (Some(Component::Normal(name)), Some(parent)) => {
                missing.push(name);
                existing = parent;
            }
            _ => {
                return Err("the folder does not exist and its path has a `..` that cannot be resolved");
            }
        }
    };
    resolved.extend(missing.iter().rev());
    Ok(resolved)
}
