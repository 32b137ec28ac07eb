//! The prompts of a package: the bundle of a lock.

use std::path::Path;

use promptops_prompt::Digest;
use promptops_prompt::lock::{BundleHeader, PinSet};
use promptops_store::{Bundle, BundleError};

use crate::commands::lock;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::packages::options::PromptOptions;
use crate::registry_access::{failure, open_for_lock};
use crate::status_view;

/// A bundle, and what is said of it.
#[derive(Debug)]
pub struct PackagedPrompts {
    /// The bundle.
    pub bytes: Vec<u8>,
    /// How many prompts it pins.
    pub count: usize,
    /// The release that was locked, as `release 3 of prod`, when it was one.
    pub release: Option<String>,
}

impl PackagedPrompts {
    /// Makes the bundle of a lock, or reads the one that was made before.
    pub fn read(options: &PromptOptions, context: &Context) -> Outcome<Self> {
        match &options.bundle {
            Some(bundle) => Self::from_bundle(&context.directory.join(bundle)),
            None => Self::from_lock(&context.directory.join(&options.lock), context),
        }
    }

    /// Returns the digest of the bundle.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    fn from_lock(path: &Path, context: &Context) -> Outcome<Self> {
        let lock = lock::read(path).map_err(|failure| match failure.exit {
            Exit::NotFound => failure.hint("make the lock with `promptops lock --env NAME`, or name a bundle with `--bundle`"),
            _ => failure,
        })?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let (bundle, statuses) = context.block_on(async {
            let registry = open_for_lock(context, &lock, folder).await?;
            let bundle = registry.bundle(&lock).await.map_err(failure)?;
            let statuses = registry.lock_statuses(&lock.prompts).await.map_err(failure)?;
            Ok::<_, Failure>((bundle, statuses))
        })??;
        status_view::warn(context, &statuses);
        let release = lock.release.as_ref().map(|release| format!("release {} of {}", release.sequence, release.environment));
        Ok(Self { bytes: bundle.to_bytes(), count: lock.prompts.len(), release })
    }

    /// Reads a bundle and looks at all of it, so that a damaged one is found here and not where it runs.
    fn from_bundle(path: &Path) -> Outcome<Self> {
        let bytes = std::fs::read(path).map_err(|error| Failure::io("read", path, error))?;
        let bundle = Bundle::open(path).map_err(bundle_failure)?;
        let damaged = |name: &str, reason: &str| {
            let message = format!("`{}` is not a bundle, or damaged: `{name}` {reason}", path.display());
            Failure::new(Exit::Corrupt, message).hint("make it again with `promptops bundle`")
        };
        let header = bundle.get(BundleHeader::NAME).map_err(bundle_failure)?;
        let header: BundleHeader = header
            .and_then(|header| serde_json::from_slice(&header).ok())
            .ok_or_else(|| damaged(BundleHeader::NAME, "is missing or cannot be read"))?;
        let mut count = 0;
        for name in bundle.names() {
            let entry = bundle.get(name).map_err(bundle_failure)?.unwrap_or_default();
            if name.strip_prefix("blobs/sha256/").is_some_and(|hex| Digest::of(&entry).hex() != hex) {
                return Err(damaged(name, "has another digest than its name says"));
            }
            if name.starts_with("pins/") {
                let pins: PinSet = serde_json::from_slice(&entry).map_err(|_| damaged(name, "cannot be read"))?;
                count += pins.prompts.len();
            }
        }
        let release = header.release.map(|release| format!("release {} of {}", release.sequence, release.environment));
        Ok(Self { bytes, count, release })
    }
}

fn bundle_failure(error: BundleError) -> Failure {
    let exit = match &error {
        BundleError::NotFound { .. } => Exit::NotFound,
        BundleError::Unreadable { .. } => Exit::Io,
        _ => Exit::Corrupt,
    };
    let hint = error.hint();
    let failure = Failure::from_error(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
