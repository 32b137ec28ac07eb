//! Invocations out of OTLP: spans of calls of models, as any OpenTelemetry SDK or Collector sends them.
//!
//! A span is read by the names of OpenTelemetry's GenAI conventions (all generations of them), of OpenInference and of
//! OpenLLMetry; [`ATTRIBUTES`] is the table. Spans that are no call of a model are ignored: whoever traces a service
//! sends all that it does. The id of a record is derived of where the span stands in its trace, so that one that is delivered
//! twice counts once.
//!
//! What is sent is read in place, in one pass over the bytes, and each span becomes a line of the log at once. So memory is
//! bounded by the size of the request, whatever it holds: a hostile one, too.

mod attributes;
mod draft;
mod json;
mod kin;
mod protobuf;
mod request;
mod span;
mod value;
mod wire;

pub use attributes::{ATTRIBUTES, Convention, Member, PARAMETERS};

use crate::ingest::Received;
use draft::Draft;
use kin::Kin;
use request::{Request, Spans};

/// Most spans of one request. SDKs send some hundred, Collectors some thousand.
pub const MAX_SPANS: usize = 100_000;

/// What is sent is not OTLP, and nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what was sent is not an OTLP request for traces: {reason}")]
pub struct Malformed {
    reason: String,
}

impl Malformed {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// How spans are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Protocol buffers.
    Protobuf,
    /// JSON, as OTLP has it.
    Json,
}

/// What is kept of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Whether inputs and outputs are kept. They were written by whoever talks to the model, and may hold anything.
    pub content: bool,
}

/// What became of the spans of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// The calls of models, as records.
    pub received: Received,
    /// Spans that are no call of a model.
    pub ignored: usize,
    /// Calls that cannot be recorded. Sending them again changes nothing.
    pub rejected: usize,
    /// Why the first of them cannot be.
    pub reason: Option<String>,
}

/// Reads an `ExportTraceServiceRequest`.
///
/// # Errors
/// [`Malformed`], also for more than [`MAX_SPANS`] spans. A single span that cannot be recorded is none: it is counted in
/// [`Export::rejected`].
pub fn read_traces(encoding: Encoding, body: &[u8], keep: Keep) -> Result<Export, Malformed> {
    match encoding {
        Encoding::Protobuf => export(&protobuf::request(body)?, keep),
        Encoding::Json => export(&json::request(body)?, keep),
    }
}

fn export<'a, S: Spans<'a>>(request: &Request<'a, S>, keep: Keep) -> Result<Export, Malformed> {
    let mut export = Export::default();
    let kin = Kin::of(request);
    for (group, span) in &request.spans {
        let group = &request.groups[*group as usize];
        let head = span.head()?;
        let mut draft = Draft::keeping_content(keep.content);
        span.read(&mut draft)?;
        let resource = &request.resources[group.resource as usize];
        let taken = span::record(&draft, &head, resource, group.scope.as_deref()).and_then(|record| {
            let Some(mut record) = record else { return Ok(false) };
            if record.parent_invocation.is_none() {
                record.parent_invocation = kin.calling(&head);
            }
            export.received.push(&record).map(|()| true).map_err(|error| error.to_string())
        });
        match taken {
            Ok(true) => {}
            Ok(false) => export.ignored += 1,
            Err(reason) => {
                export.rejected += 1;
                export.reason.get_or_insert(reason);
            }
        }
    }
    Ok(export)
}
