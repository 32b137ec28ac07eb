//! Publish, resolve, environments, approvals, policy and the audit log.
//!
//! A registry is a folder of immutable objects; the modules follow a version on its way: it is published
//! ([`publish`]), looked up ([`resolve`]), approved ([`policy`], [`approval`]), planned and released
//! ([`plan`], [`environment`]), taken along ([`lock`], [`bundle`]), and all of it is logged ([`audit`]) and
//! can be checked ([`verify`]).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod error;
pub mod layout;
pub mod record;
mod registry;

pub mod audit;
pub mod publish;
pub mod resolve;

pub mod approval;
pub mod environment;
pub mod evidence;
pub mod pins;
pub mod plan;
pub mod policy;

pub mod bundle;
pub mod lock;
pub mod verify;

pub use approval::{Authority, SigningKey};
pub use environment::{EnvironmentName, Release};
pub use error::{ErrorKind, RegistryError};
pub use plan::{Plan, Targets};
pub use policy::Policy;
pub use publish::Submission;
pub use record::{Provenance, VersionRecord};
pub use registry::Registry;
