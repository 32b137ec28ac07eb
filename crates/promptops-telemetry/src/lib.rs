//! The invocation record and its sinks.

mod record;

pub use record::{Invocation, Status, UnknownStatus};
pub use uuid::Uuid;
