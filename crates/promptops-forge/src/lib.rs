//! Comments on pull requests of GitHub and merge requests of GitLab: one for each gate, updated in place.
//!
//! A comment is found again by a [`Marker`] at its beginning and by its author, so that nobody else's comment is ever changed,
//! and nobody else's is taken for the gate's. [`upsert`] is safe to repeat: it looks before it writes, each time it tries.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod error;
mod github;
mod gitlab;
mod request;
mod upsert;

pub use body::Marker;
pub use error::ForgeError;
pub use github::GitHub;
pub use gitlab::GitLab;
pub use upsert::{Forge, Posted, upsert};
