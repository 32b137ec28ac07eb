//! What can go wrong with a store, by what the reader can do about it.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;

use thiserror::Error;

/// A failure of a [`Store`](crate::Store).
///
/// The variants say what can be done about it; [`StoreError::hint`] says it in words. That an object is absent is not an
/// error: [`Store::get`](crate::Store::get) answers `None`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL names no store that can be opened. Fix the URL.
    #[error("{reason}: `{url}`")]
    InvalidUrl {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings do not fit the backend of the URL. Fix the settings.
    #[error("{reason}: `{url}`")]
    InvalidSettings {
        /// The URL as given.
        url: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// The key could not be stored alike on every backend. Fix the key.
    #[error("{reason}: `{key}`")]
    InvalidKey {
        /// The key as given.
        key: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The object exceeds [`MAX_OBJECT_BYTES`](crate::MAX_OBJECT_BYTES). Store less.
    #[error("object of {bytes} bytes is larger than the limit of {limit} bytes: `{key}`")]
    TooLarge {
        /// Key of the object.
        key: String,
        /// Its size.
        bytes: u64,
        /// The largest size allowed.
        limit: u64,
    },
    /// The bucket or container itself does not exist. Create it, or fix the URL.
    #[error("the store does not exist: `{url}`")]
    NotFound {
        /// URL of the store.
        url: String,
        /// The backend's own account.
        source: Cause,
    },
    /// Another object is stored under this key, and objects never change. Read it, then decide.
    #[error("another object is already stored under `{key}`")]
    Conflict {
        /// The key that is taken.
        key: String,
    },
    /// The number before this one is not taken yet. Read the latest entry again.
    #[error("the entry before this one does not exist: `{key}`")]
    Gap {
        /// Key of the entry that was to be appended.
        key: String,
    },
    /// No credentials are set, and neither a program nor the machine gave any. Set some, or log in.
    #[error("no credentials were found for `{url}`")]
    NoCredentials {
        /// URL of the store.
        url: String,
        /// What came of asking for them.
        source: Cause,
    },
    /// The credentials or the file's mode do not allow this. Get permission.
    #[error("permission denied for `{key}`")]
    PermissionDenied {
        /// Key of the object, or the prefix that was listed.
        key: String,
        /// The backend's own account.
        source: Cause,
    },
    /// The backend did not answer as it should. Try again.
    ///
    /// After [`Store::create`](crate::Store::create) the outcome is unknown; repeating the same call settles it.
    #[error("the store did not answer for `{key}`")]
    Unavailable {
        /// Key of the object, or the prefix that was listed.
        key: String,
        /// The backend's own account.
        source: Cause,
    },
    /// No space or quota is left. Nothing was written. Make room.
    #[error("no space is left to store `{key}`")]
    Full {
        /// Key of the object.
        key: String,
        /// The backend's own account.
        source: Cause,
    },
    /// What is stored is not what this software writes. Find out who else writes there.
    #[error("{reason}: `{key}`")]
    Corrupt {
        /// Key of the object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store let a second write replace the first. It cannot keep published versions unchanged; use another.
    #[error("the store ignores create-only writes, so published objects could be replaced: `{url}`")]
    IgnoresCreateOnly {
        /// URL of the store.
        url: String,
    },
    /// The backend cannot do what is asked of it. Use another, or change its settings.
    #[error("the store does not support what is needed for `{key}`")]
    Unsupported {
        /// Key of the object, or the prefix that was listed.
        key: String,
        /// The backend's own account.
        source: Cause,
    },
}

impl StoreError {
    /// Returns what to do next, as one sentence for a `hint:` line.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InvalidUrl { .. } => Some(
                "write `file:///folder`, `file://folder` (relative), `memory://`, `s3://bucket/prefix`, `gs://bucket/prefix`, \
                 `az://container/prefix` or `https://host`",
            ),
            Self::InvalidSettings { .. } => Some(
                "set the environment variables of this cloud (`AWS_…`, `GOOGLE_…`, `AZURE_…`); `docs/reference/stores.md` lists them",
            ),
            Self::InvalidKey { .. } => Some("a key is made of `A-Z a-z 0-9 . _ = + @ ~ -` in segments joined by `/`"),
            Self::TooLarge { .. } => Some("split it, or keep it outside the store and store its digest"),
            Self::NotFound { source, .. } if source.server().is_some() => Some("correct the URL: no registry is served there"),
            Self::NotFound { .. } => Some("create the bucket or container, or correct its name, region and account"),
            Self::Conflict { .. } => Some("stored objects never change: give the new content a new version or sequence number"),
            Self::Gap { .. } => Some("number the new entry one above the latest"),
            Self::PermissionDenied { source, .. } if source.server().is_some() => {
                Some("set `PROMPTOPS_API_KEY` to a key of this server that covers it; `promptops key create` makes one")
            }
            Self::PermissionDenied { .. } => Some(
                "check the credentials and that they may get, put and list under this prefix \
                 (without the right to list, S3 answers an absent object with 403)",
            ),
            Self::Unavailable { source, .. } if source.server().is_some() => {
                Some("check the URL and the network, then run the same command again: repeating is safe")
            }
            Self::NoCredentials { .. } => Some(
                "log in with your cloud's command line, or set its variables, such as `AWS_PROFILE`, \
                 `GOOGLE_APPLICATION_CREDENTIALS` or `AZURE_STORAGE_KEY`",
            ),
            Self::Unavailable { .. } => {
                Some("check the endpoint, region and network, then run the same command again: repeating is safe")
            }
            Self::Full { .. } => Some("make room, then run the same command again: nothing half-written is left"),
            Self::Corrupt { .. } => Some("run `promptops registry verify`, and find out what else writes to this store"),
            Self::IgnoresCreateOnly { .. } => Some(
                "use a server that honours `If-None-Match: *` on PUT (Amazon S3, MinIO, R2, Ceph from version 19), \
                 or a `file://` store",
            ),
            Self::Unsupported { .. } => Some("leave conditional writes switched on, and use a file system that has hard links"),
        }
    }
}

/// A backend's own account of a failure; only its text is promised.
pub struct Cause(Box<dyn Error + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self(text.into())
    }

    fn backend(&self) -> Option<&object_store::Error> {
        self.0.downcast_ref()
    }

    /// What a server said; the object store library wraps it in words about paths and credentials of its own.
    fn server(&self) -> Option<&ServerSays> {
        self.0.downcast_ref().or_else(|| self.0.source()?.downcast_ref())
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server() {
            Some(says) => fmt::Display::fmt(says, formatter),
            None => fmt::Display::fmt(&self.0, formatter),
        }
    }
}

/// What became of a call to a server, in words.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct ServerSays(pub(crate) String);

impl Error for Cause {
    // The backends print their own sources in their message; walking on would print them twice.
}

/// Sorts a backend's error by what the reader can do; `key` is the object or the prefix that was asked for.
pub(crate) fn classify(url: &str, key: &str, error: object_store::Error) -> StoreError {
    use object_store::Error as Backend;

    let key = key.to_owned();
    let input_output = input_output_kind(&error);
    let status = http_status(&error);
    let lacks_credentials = lacks_credentials(&error);
    let source = Cause::new(error);
    if lacks_credentials {
        return StoreError::NoCredentials { url: url.to_owned(), source };
    }
    match (source.backend(), input_output) {
        (Some(Backend::Generic { .. }), _) if status == Some(404) => StoreError::NotFound { url: url.to_owned(), source },
        (Some(Backend::Generic { .. }), _) if matches!(status, Some(401 | 403)) => StoreError::PermissionDenied { key, source },
        (Some(Backend::Generic { .. }), _) if status == Some(507) => StoreError::Full { key, source },
        (_, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) => StoreError::Full { key, source },
        (_, Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem))
        | (Some(Backend::PermissionDenied { .. } | Backend::Unauthenticated { .. }), _) => {
            StoreError::PermissionDenied { key, source }
        }
        (_, Some(ErrorKind::NotADirectory)) => StoreError::Corrupt { key, reason: "a file is in the way of a folder".to_owned() },
        (_, Some(ErrorKind::IsADirectory)) => StoreError::Corrupt { key, reason: "a folder is in the way of a file".to_owned() },
        (_, Some(ErrorKind::Unsupported)) | (Some(Backend::NotSupported { .. } | Backend::NotImplemented { .. }), _) => {
            StoreError::Unsupported { key, source }
        }
        (Some(Backend::NotFound { .. }), _) => StoreError::NotFound { url: url.to_owned(), source },
        (Some(Backend::InvalidPath { .. }), _) => StoreError::InvalidKey { key, reason: "the backend refuses this key" },
        (Some(Backend::UnknownConfigurationKey { .. }), _) => {
            StoreError::InvalidSettings { url: url.to_owned(), reason: source.to_string() }
        }
        _ => StoreError::Unavailable { key, source },
    }
}

/// Finds the HTTP status in a backend's message.
///
/// Listing failures come as `Generic` whatever their status, and the type that holds it is private to the object store
/// library; the tests against a server see to it that the wording still fits. Remove when listing errors are sorted there.
fn http_status(error: &object_store::Error) -> Option<u16> {
    let text = error.to_string();
    let (_, status) = text.split_once("status code: ")?;
    status.get(..3)?.parse().ok()
}

/// Whether it was not the store that failed, but where its credentials were looked for: the metadata of the machine, asked
/// last, or the program of a profile.
///
/// As with the status, only the message tells. These are the paths at which the machines of AWS, Google and Azure give
/// tokens, none of them one of this software's keys, and what is said of a program here.
fn lacks_credentials(error: &object_store::Error) -> bool {
    let text = error.to_string();
    [
        "/latest/api/token in ",
        "/latest/meta-data/iam/",
        "/computeMetadata/v1/instance/",
        "/metadata/identity/oauth2/token",
        " gave no AWS credentials",
    ]
    .iter()
    .any(|path| text.contains(path))
}

/// Finds the operating system's verdict in a chain of errors; the local backend hides most of them in `Generic`.
pub(crate) fn input_output_kind(error: &object_store::Error) -> Option<ErrorKind> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<std::io::Error>() {
            return Some(found.kind());
        }
        next = error.source();
    }
    None
}
