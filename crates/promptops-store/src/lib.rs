//! Immutable objects and create-only sequences over an object store; Git history.
//!
//! [`Store`] keeps objects at a URL that are created once and never change.

mod error;
mod key;
mod location;
mod store;

pub use error::{Cause, StoreError};
pub use location::StoreOptions;
pub use store::{Created, MAX_OBJECT_BYTES, Store};
