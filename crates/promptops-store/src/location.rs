//! From a URL and settings to a backend and a prefix inside it.

#[cfg(feature = "s3")]
mod aws_keys;
#[cfg(feature = "azure")]
mod azure;
mod file;
#[cfg(feature = "gcp")]
mod gcs;
#[cfg(feature = "s3")]
mod s3;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;

use crate::error::StoreError;

#[cfg(feature = "s3")]
pub use aws_keys::{AwsKeySource, AwsKeys};
pub(crate) use file::absolute;

/// What [`Store::open`](crate::Store::open) needs besides the URL.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// Absolute folder that a relative `file://` URL is resolved against; usually that of the configuration file.
    pub base_dir: PathBuf,
    /// Settings of the backend, named like the environment variables of each cloud, in any case.
    ///
    /// Those that count are the ones [`StoreOptions::is_setting`] knows; others are ignored, so that a program can pass on
    /// its whole environment. This library never reads it. An empty value counts as unset.
    pub settings: BTreeMap<String, String>,
}

/// What a server is reached with: the key, certificates to trust, whether the key may travel in clear, and a proxy.
const SERVER_SETTINGS: [&str; 5] = ["PROMPTOPS_API_KEY", "PROMPTOPS_CA_FILE", "PROMPTOPS_ALLOW_HTTP", "HTTPS_PROXY", "NO_PROXY"];

impl StoreOptions {
    /// Says whether an environment variable may be a setting of a store: one of AWS, Google or Azure, one that says where
    /// the files with their credentials are, or one of those that a server is reached with.
    #[must_use]
    pub fn is_setting(name: &str) -> bool {
        let name = name.to_ascii_uppercase();
        ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix))
            || ["STORAGE_EMULATOR_HOST", "CLOUDSDK_CONFIG", "IDENTITY_ENDPOINT", "HOME", "USERPROFILE", "APPDATA"]
                .contains(&name.as_str())
            || SERVER_SETTINGS.contains(&name.as_str())
    }
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
    pub(crate) listing: ListingOrder,
}

/// In which order a backend lists, and so whether a listing can start at a key without reading those before it.
#[cfg_attr(
    not(all(feature = "s3", feature = "gcp", feature = "azure")),
    allow(dead_code, reason = "some of it is for one cloud alone")
)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ListingOrder {
    /// By the bytes of the keys: S3 and GCS.
    Sorted,
    /// By the bytes of the names in one folder, but not across folders: Azure accounts with a hierarchical namespace
    /// compare keys segment by segment, so that `a/b` comes before `a-b`.
    SortedInFolder,
    /// In no order that counts, or without a way to start at a key.
    None,
}

/// Opens the bare backend a URL names, and the folder in it, for files that are not a [`Store`](crate::Store)'s: the
/// Parquet files of the lake, which a query engine reads in parts.
///
/// Takes the URLs that [`Store::open`](crate::Store::open) takes; makes no call and creates nothing. Nothing here keeps
/// objects from being changed or deleted, and a local file is not synced to the disk.
///
/// # Errors
///
/// [`StoreError::InvalidUrl`] and [`StoreError::InvalidSettings`] as [`Store::open`](crate::Store::open).
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
        "file" => file::open(url, rest, &options.base_dir),
        "memory" => memory(url, rest),
        #[cfg(feature = "s3")]
        "s3" => s3::open(&BucketUrl::read(url, rest)?, &Settings::of(options)),
        #[cfg(feature = "gcp")]
        "gs" => gcs::open(&BucketUrl::read(url, rest)?, &Settings::of(options)),
        #[cfg(feature = "azure")]
        "az" => azure::open(&BucketUrl::read(url, rest)?, &Settings::of(options)),
        scheme if ["s3", "gs", "az"].contains(&scheme) => Err(invalid(url, "this build has no support for this cloud")),
        "https" | "http" => Err(invalid(url, "a server shows the objects of a registry and of nothing else")),
        _ => Err(invalid(url, "unknown scheme, known are file, memory, s3, gs, az and https")),
    }
}

fn memory(url: &str, rest: &str) -> Result<Location, StoreError> {
    if !rest.is_empty() {
        return Err(invalid(url, "a memory store has no name"));
    }
    Ok(Location { backend: Arc::new(InMemory::new()), local: None, prefix: ObjectPath::ROOT, listing: ListingOrder::None })
}

/// The parts of `scheme://bucket/prefix`.
#[cfg(any(feature = "s3", feature = "gcp", feature = "azure"))]
struct BucketUrl<'a> {
    url: &'a str,
    bucket: &'a str,
    prefix: ObjectPath,
}

#[cfg(any(feature = "s3", feature = "gcp", feature = "azure"))]
impl<'a> BucketUrl<'a> {
    fn read(url: &'a str, rest: &'a str) -> Result<Self, StoreError> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(invalid(url, "the URL names no bucket"));
        }
        let prefix = crate::key::check_prefix(prefix).map_err(|error| invalid(url, &error.to_string()))?;
        let prefix = ObjectPath::parse(prefix).map_err(|_| invalid(url, "the prefix has characters that cannot be stored"))?;
        Ok(Self { url, bucket, prefix })
    }

    /// The error when the settings do not fit this URL.
    fn refuse(&self, reason: &str) -> StoreError {
        StoreError::InvalidSettings { url: self.url.to_owned(), reason: reason.to_owned() }
    }
}

/// Settings by their names in lower case, without the empty ones: an empty variable is an unset one, as the clouds' own
/// tools have it.
#[cfg(any(feature = "s3", feature = "gcp", feature = "azure"))]
struct Settings(BTreeMap<String, String>);

#[cfg(any(feature = "s3", feature = "gcp", feature = "azure"))]
#[cfg_attr(
    not(all(feature = "s3", feature = "gcp", feature = "azure")),
    allow(dead_code, reason = "some of it is for one cloud alone")
)]
impl Settings {
    fn of(options: &StoreOptions) -> Self {
        let set = options.settings.iter().filter(|(name, value)| StoreOptions::is_setting(name) && !value.is_empty());
        Self(set.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Says whether any of these is set.
    fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }

    /// The settings of one cloud whose names its builder knows.
    ///
    /// Only names with the cloud's prefix: the builders also take bare ones such as `token` and `region`, and a variable
    /// of that name in the environment is somebody else's.
    fn known<'a, K: std::str::FromStr + 'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (K, &'a str)> {
        let own = self.0.iter().filter(move |(name, _)| name.starts_with(prefix));
        own.filter_map(|(name, value)| Some((name.parse().ok()?, value.as_str())))
    }

    /// The folder in which programs keep a person's configuration.
    fn home(&self) -> Option<PathBuf> {
        self.get(if cfg!(windows) { "userprofile" } else { "home" }).map(PathBuf::from)
    }
}

/// How often and how long a cloud is asked again.
///
/// The object store library's own patience is three minutes; a person at a terminal waits for the last of these.
#[cfg(any(feature = "s3", feature = "gcp", feature = "azure"))]
fn retry() -> object_store::RetryConfig {
    use std::time::Duration;

    object_store::RetryConfig {
        backoff: object_store::BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(4),
            base: 2.,
        },
        max_retries: 5,
        retry_timeout: Duration::from_secs(30),
    }
}

fn invalid(url: &str, reason: &str) -> StoreError {
    StoreError::InvalidUrl { url: url.to_owned(), reason: reason.to_owned() }
}
