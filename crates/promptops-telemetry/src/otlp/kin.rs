//! Which call of a model caused which: spans of one request, and the spans that they are within.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use uuid::Uuid;

use super::draft::Draft;
use super::request::{Head, Request, Spans};
use super::span::{invocation_id, is_call};

/// Spans between a call and the one that caused it.
const MAX_GENERATIONS: usize = 64;

type Place = ([u8; 16], [u8; 8]);

/// The spans of a request by where they stand, made when the first is asked for.
pub(super) struct Kin<'r, 'a, S> {
    request: &'r Request<'a, S>,
    by_place: OnceCell<HashMap<Place, Relative<S>>>,
}

struct Relative<S> {
    span: S,
    /// Its id as an invocation, once somebody asked; nothing for a span that is no call.
    known: Cell<Option<Option<Uuid>>>,
}

impl<'r, 'a, S: Spans<'a>> Kin<'r, 'a, S> {
    pub(super) fn of(request: &'r Request<'a, S>) -> Self {
        Self { request, by_place: OnceCell::new() }
    }

    /// Returns the invocation within which a span is, if that is in the same request: the nearest span above it that is a call
    /// itself. What came in another request is not known, and the trace still tells that they belong together.
    pub(super) fn calling(&self, head: &Head) -> Option<Uuid> {
        let mut parent = head.parent_span_id;
        for _ in 0..MAX_GENERATIONS {
            if parent == [0; 8] || parent == head.span_id {
                return None;
            }
            let relative = self.by_place().get(&(head.trace_id, parent))?;
            let found = relative.span.head().ok()?;
            let known = relative.known.get().unwrap_or_else(|| {
                let mut draft = Draft::default();
                let is_read = relative.span.read(&mut draft).is_ok();
                let id = (is_read && is_call(&draft)).then(|| invocation_id(&draft, &found).ok()).flatten();
                relative.known.set(Some(id));
                id
            });
            if known.is_some() {
                return known;
            }
            parent = found.parent_span_id;
        }
        None
    }

    fn by_place(&self) -> &HashMap<Place, Relative<S>> {
        self.by_place.get_or_init(|| {
            let spans = self.request.spans.iter().filter_map(|(_, span)| {
                let head = span.head().ok().filter(Head::has_ids)?;
                Some(((head.trace_id, head.span_id), Relative { span: *span, known: Cell::new(None) }))
            });
            spans.collect()
        })
    }
}
