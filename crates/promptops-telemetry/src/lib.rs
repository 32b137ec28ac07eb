//! The invocation record, the sinks that take it and the import of foreign files.
//!
//! Every call of a model is one [`Invocation`]. A running service hands it to a [`sink::Sink`]; what was written
//! elsewhere comes in through [`import::Import`]. The wire form is [`v1`]. Nothing here reads the clock, the
//! environment or the network.

pub mod columns;
mod hash;
pub mod import;
pub mod ingest;
#[cfg(feature = "otlp")]
pub mod otlp;
mod record;
pub mod schema;
pub mod sink;
pub mod v1;

pub use hash::content_hash;
pub use record::{Invocation, OutOfRange, Status, UnknownStatus};
pub use uuid::Uuid;
