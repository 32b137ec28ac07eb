//! What a request of either encoding holds: spans, in groups that share a resource and an instrumentation.

use std::borrow::Cow;

use super::draft::Draft;
use super::{MAX_SPANS, Malformed};

/// A request, whose spans are still as they came.
#[derive(Debug)]
pub(super) struct Request<'a, S> {
    /// What the resources say of all their spans.
    pub(super) resources: Vec<Resource>,
    pub(super) groups: Vec<Group<'a>>,
    /// Each span with its group.
    pub(super) spans: Vec<(u32, S)>,
}

impl<S> Default for Request<'_, S> {
    fn default() -> Self {
        Self { resources: Vec::new(), groups: Vec::new(), spans: Vec::new() }
    }
}

/// What a resource says of all spans of its process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) service: Option<Box<str>>,
    pub(super) environment: Option<Box<str>>,
    pub(super) runtime: Option<Box<str>>,
}

/// Spans that one instrumentation of one process made.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// The place of the resource among those of the request.
    pub(super) resource: u32,
    /// The name of the instrumentation.
    pub(super) scope: Option<Cow<'a, str>>,
}

/// What stands at the head of a span. Ids that are missing or of a wrong length are zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) parent_span_id: [u8; 8],
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) is_error: bool,
}

impl Head {
    /// Tells whether the span can be told from others.
    pub(super) fn has_ids(&self) -> bool {
        self.trace_id != [0; 16] && self.span_id != [0; 8]
    }
}

/// A span in one of the encodings.
pub(super) trait Spans<'a>: Copy {
    /// Reads the head.
    fn head(self) -> Result<Head, Malformed>;

    /// Hands attributes and events to a draft.
    fn read(self, draft: &mut Draft<'a>) -> Result<(), Malformed>;
}

impl<'a, S> Request<'a, S> {
    /// Takes a resource, and returns its place.
    pub(super) fn add_resource(&mut self, resource: Resource) -> Result<u32, Malformed> {
        self.resources.push(resource);
        place(self.resources.len())
    }

    /// Takes a group, and returns its place.
    pub(super) fn add_group(&mut self, group: Group<'a>) -> Result<u32, Malformed> {
        self.groups.push(group);
        place(self.groups.len())
    }

    /// Takes a span.
    pub(super) fn add_span(&mut self, group: u32, span: S) -> Result<(), Malformed> {
        self.spans.push((group, span));
        place(self.spans.len()).map(|_| ())
    }
}

/// Returns the place of the last of so many, as long as they are not too many.
fn place(length: usize) -> Result<u32, Malformed> {
    let place = u32::try_from(length - 1).ok().filter(|_| length <= MAX_SPANS);
    place.ok_or_else(|| Malformed::new(format!("there are more than {MAX_SPANS} spans, or groups of them, in one request")))
}
