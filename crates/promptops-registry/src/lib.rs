//! Publish, resolve, environments, approvals, policy and the audit log.
//!
//! A registry is a folder of immutable objects; the modules follow a version on its way: it is published
//! ([`publish`]) unless it breaks those before it ([`compatibility`]), looked up ([`resolve`]), approved ([`policy`],
//! [`approval`]), planned and released ([`plan`], [`environment`], [`comparison`]), found again ([`index`], [`inventory`],
//! [`lineage`], [`catalog`]), taken along ([`lock`], [`bundle`]), withdrawn in the end ([`status`]), and all of it is logged
//! ([`audit`]) and can be checked ([`verify`]).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod error;
pub mod layout;
pub mod record;
mod registry;

pub mod audit;
pub mod compatibility;
pub mod publish;
pub mod resolve;

pub mod approval;
pub mod comparison;
pub mod environment;
pub mod evidence;
pub mod pins;
pub mod plan;
pub mod policy;

pub mod api;
pub mod catalog;
pub mod index;
pub mod inventory;
pub mod lineage;

pub mod bundle;
pub mod keys;
pub mod lock;
mod remote;
pub mod status;
pub mod verify;

pub use approval::{Authority, SigningKey};
pub use environment::{EnvironmentName, Release, ReleaseName};
pub use error::{ErrorKind, RegistryError};
pub use plan::{Plan, Split, Targets};
pub use policy::Policy;
pub use publish::Submission;
pub use record::{Provenance, VersionRecord};
pub use registry::Registry;
