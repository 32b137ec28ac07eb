//! Immutable objects and create-only sequences over an object store; Git history.
//!
//! [`Store`] keeps objects at a URL that are created once and never change. [`Sequence`] makes moving state of them: a
//! history whose last entry is the present. [`probe`] refuses a server on which neither would hold. [`Repository`] reads
//! Git: files at a commit, and every content they ever had. [`Bundle`] is many objects in one file, for where a store cannot be reached.

mod bundle;
#[cfg(feature = "http")]
mod connection;
mod error;
mod git;
mod git_error;
mod history;
#[cfg(feature = "http")]
mod http;
mod key;
mod local;
mod location;
mod probe;
mod sequence;
mod store;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

#[cfg(test)]
mod faulty_tests;
#[cfg(all(test, feature = "http"))]
mod http_tests;
#[cfg(test)]
mod long_listing_tests;
#[cfg(test)]
mod s3_fault_tests;
#[cfg(test)]
mod server_tests;

pub use bundle::{Bundle, BundleError, BundleWriter, MAX_BUNDLE_BYTES, MAX_BUNDLE_ENTRIES};
#[cfg(feature = "http")]
pub use connection::{Answer, Connection, Post};
pub use error::{Cause, StoreError};
pub use git::{BlobId, Commit, CommitId, CommittedFile, MAX_BLOB_BYTES, Repository};
pub use git_error::GitError;
pub use history::HistoryEntry;
#[cfg(feature = "s3")]
pub use location::{AwsKeySource, AwsKeys};
pub use location::{StoreOptions, open_backend};
pub use probe::probe;
pub use sequence::Sequence;
pub use store::{Created, MAX_OBJECT_BYTES, Store};
