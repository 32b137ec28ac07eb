//! Packages: what a runtime that cannot `pip install` takes along, built from a wheel and the closure of a lock.
//!
//! A command of `promptops package` reads the SDK ([`wheel`]) and the prompts ([`prompts`]), lays both out as its runtime wants them
//! ([`archive`]), holds the result against the runtime's limits ([`limits`]), and says what came of it ([`report`]). Equal inputs give
//! equal bytes: a package can be known by its digest.

pub mod archive;
pub mod limits;
pub mod native_part;
pub mod options;
pub mod prompts;
pub mod report;
pub mod wheel;

/// The name of the bundle in a package. The SDK takes a bundle of this name that lies beside its native part.
pub const PACKAGED_BUNDLE: &str = "prompts.bundle";
/// What loads the native part of an SDK that is imported from a ZIP.
pub const ZIP_LOADER: &str = include_str!("packages/zip_loader.py");
