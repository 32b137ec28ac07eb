//! Immutable objects and create-only sequences over an object store; Git history.
