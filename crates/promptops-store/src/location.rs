//! From a URL and settings to a backend and a prefix inside it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use percent_encoding::percent_decode_str;

use crate::error::StoreError;

/// What [`Store::open`](crate::Store::open) needs besides the URL.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// Absolute folder that a relative `file://` URL is resolved against; usually that of the configuration file.
    pub base_dir: PathBuf,
    /// Settings of the backend, named like the AWS environment variables in any case: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP` and so on.
    ///
    /// Unknown names are ignored, so that a program can pass on its whole environment; this library never reads it.
    pub settings: BTreeMap<String, String>,
}

/// Names the settings without their values, some of which are secret.
impl fmt::Debug for StoreOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.settings.keys().collect();
        formatter.debug_struct("StoreOptions").field("base_dir", &self.base_dir).field("settings", &names).finish()
    }
}

/// A backend and the folder in it below which all keys live.
#[derive(Debug)]
pub(crate) struct Location {
    pub(crate) backend: Arc<dyn ObjectStore>,
    /// The backend once more when it is the local file system, where objects are created by [`crate::local`].
    pub(crate) local: Option<Arc<LocalFileSystem>>,
    pub(crate) prefix: ObjectPath,
}

/// Opens the bare backend a URL names, and the folder in it, for files that are not a [`Store`](crate::Store)'s: the
/// Parquet files of the lake, which a query engine reads in parts.
///
/// Takes the URLs that [`Store::open`](crate::Store::open) takes; makes no call and creates nothing. Nothing here keeps
/// objects from being changed or deleted, and a local file is not synced to the disk.
///
/// # Errors
///
/// [`StoreError::InvalidUrl`] as [`Store::open`](crate::Store::open).
pub fn open_backend(url: &str, options: &StoreOptions) -> Result<(Arc<dyn ObjectStore>, ObjectPath), StoreError> {
    let Location { backend, prefix, .. } = resolve(url, options)?;
    Ok((backend, prefix))
}

/// Opens the backend a URL names. Makes no call and creates nothing.
pub(crate) fn resolve(url: &str, options: &StoreOptions) -> Result<Location, StoreError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid(url, "not the URL of a store"));
    };
    match scheme {
        "file" => file(url, rest, &options.base_dir),
        "memory" => memory(url, rest),
        "s3" => s3(url, rest, &options.settings),
        _ => Err(invalid(url, "unknown scheme, known are file, memory and s3")),
    }
}

fn memory(url: &str, rest: &str) -> Result<Location, StoreError> {
    if !rest.is_empty() {
        return Err(invalid(url, "a memory store has no name"));
    }
    Ok(Location { backend: Arc::new(InMemory::new()), local: None, prefix: ObjectPath::ROOT })
}

fn file(url: &str, rest: &str, base_dir: &Path) -> Result<Location, StoreError> {
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
    Ok(Location { backend: Arc::clone(&local) as Arc<dyn ObjectStore>, local: Some(local), prefix })
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

#[cfg(feature = "s3")]
fn s3(url: &str, rest: &str, settings: &BTreeMap<String, String>) -> Result<Location, StoreError> {
    use std::time::Duration;

    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
    use object_store::{BackoffConfig, RetryConfig};

    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(invalid(url, "the URL names no bucket"));
    }
    let prefix = crate::key::check_prefix(prefix).map_err(|error| invalid(url, &error.to_string()))?;
    let mut builder = AmazonS3Builder::new();
    for (name, value) in settings {
        // An empty variable is an unset one, as the AWS tools have it.
        if let (Ok(key), false) = (name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>(), value.is_empty()) {
            builder = builder.with_config(key, value);
        }
    }
    // The library's own patience is three minutes; a person at a terminal waits for the last of these retries.
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(4), base: 2. },
        max_retries: 5,
        retry_timeout: Duration::from_secs(30),
    };
    let backend = builder
        .with_bucket_name(bucket)
        .with_retry(retry)
        .build()
        .map_err(|error| invalid(url, &format!("the settings for S3 are incomplete or wrong ({error})")))?;
    let prefix = ObjectPath::parse(prefix).map_err(|_| invalid(url, "the prefix has characters that cannot be stored"))?;
    Ok(Location { backend: Arc::new(backend), local: None, prefix })
}

#[cfg(not(feature = "s3"))]
fn s3(url: &str, _rest: &str, _settings: &BTreeMap<String, String>) -> Result<Location, StoreError> {
    Err(invalid(url, "this build has no support for S3"))
}

fn invalid(url: &str, reason: &str) -> StoreError {
    StoreError::InvalidUrl { url: url.to_owned(), reason: reason.to_owned() }
}
