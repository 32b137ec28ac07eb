//! The durable log in front of a lake: what was acknowledged survives the death of the process and the loss of power (G4).
//!
//! Whoever receives records appends them as lines of the wire form ([`crate::v1`]) and is told when they are on the disk. One
//! thread writes: everything that waits is written and synced together (group commit), so that a sync is shared by whoever
//! came in the meantime. The log is a folder of *segments*. A segment that is full or old is sealed; its records then go to the lake,
//! and the segment is removed when they are there. A process that dies in between leaves the segment, and the next one ships
//! it again; the lake takes a record with the same id once, so nothing counts twice.
//!
//! What waits for the writer and what waits for the lake are both bounded. Beyond, records are refused before they are taken, and
//! whoever sent them keeps them.

mod log;
mod received;
mod segment;

pub use log::{Acknowledge, IngestLog, IngestSettings, NotTaken, WriteFailed};
pub use received::{ReceiveError, Received};
pub use segment::{Segment, SegmentError};
