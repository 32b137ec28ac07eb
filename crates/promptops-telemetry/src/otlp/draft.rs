//! What attributes and events say of one span, before it is a record.

use std::borrow::Cow;

use super::attributes::{Convention, Member, Row, Says, meaning};
use super::value::Value;

/// Longest name, such as that of a model, in bytes. What is longer is no name, and says nothing.
pub(super) const MAX_NAME_BYTES: usize = 1_024;

/// What was read of a span, or of a resource, so far.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Whether inputs and outputs are kept.
    keeps_content: bool,
    members: [Option<Said<'a>>; Member::ALL.len()],
    /// What a span of Traceloop's own SDK is.
    pub(super) traceloop_kind: Option<Value<'a>>,
    /// Where a function of a cloud runs.
    pub(super) cloud_platform: Option<Value<'a>>,
    /// The sampling parameters.
    pub(super) parameters: Vec<(&'static str, Value<'a>)>,
    /// Scores by name; of two with one name, the later counts.
    pub(super) scores: Vec<(Cow<'a, str>, f64)>,
    /// The type of an exception that was thrown.
    pub(super) exception: Option<Value<'a>>,
    /// When the first token came, in nanoseconds of Unix time.
    pub(super) first_token_ns: Option<u64>,
    event: Event<'a>,
}

/// What a member is, and who says so.
#[derive(Debug)]
struct Said<'a> {
    rank: u8,
    row: Option<&'static Row>,
    value: Value<'a>,
}

/// The event that is being read.
#[derive(Debug, Default)]
enum Event<'a> {
    #[default]
    None,
    Exception,
    Evaluation {
        name: Option<Value<'a>>,
        score: Option<f64>,
    },
}

impl Default for Draft<'_> {
    fn default() -> Self {
        Self::keeping_content(false)
    }
}

impl<'a> Draft<'a> {
    /// Begins one that keeps inputs and outputs, or does not.
    pub(super) fn keeping_content(keeps_content: bool) -> Self {
        Self {
            keeps_content,
            members: [const { None }; Member::ALL.len()],
            traceloop_kind: None,
            cloud_platform: None,
            parameters: Vec::new(),
            scores: Vec::new(),
            exception: None,
            first_token_ns: None,
            event: Event::None,
        }
    }

    /// Returns what an attribute says, where it says anything that is kept.
    pub(super) fn wants<'key>(&self, attribute: &'key str) -> Option<Says<'key>> {
        meaning(attribute).filter(|says| match says {
            Says::Member { member, .. } => self.keeps_content || !member.is_content(),
            _ => true,
        })
    }

    /// Takes what an attribute says.
    pub(super) fn attribute(&mut self, says: Says<'_>, value: Value<'a>) {
        match says {
            Says::Member { member, row, rank } => {
                let said = &mut self.members[member as usize];
                if said.as_ref().is_none_or(|said| rank <= said.rank) {
                    *said = Some(Said { rank, row, value });
                }
            }
            Says::Parameter(name) => {
                self.parameters.retain(|(known, _)| *known != name);
                self.parameters.push((name, value));
            }
            Says::TraceloopKind => self.traceloop_kind = Some(value),
            Says::CloudPlatform => self.cloud_platform = Some(value),
            Says::Score(name) if name.len() <= MAX_NAME_BYTES => {
                self.scores.extend(value.number().map(|score| (Cow::Owned(name.to_owned()), score)));
            }
            Says::Score(_) => {}
        }
    }

    /// Begins an event, and returns whether its attributes are wanted.
    pub(super) fn begin_event(&mut self, name: &str, time_ns: u64) -> bool {
        self.event = match name {
            "exception" => Event::Exception,
            "gen_ai.evaluation.result" => Event::Evaluation { name: None, score: None },
            // OpenInference's.
            "First Token Stream Event" => {
                self.first_token_ns = Some(time_ns);
                Event::None
            }
            _ => Event::None,
        };
        !matches!(self.event, Event::None)
    }

    /// Takes an attribute of the event that was begun.
    pub(super) fn event_attribute(&mut self, attribute: &str, value: Value<'a>) {
        match (&mut self.event, attribute) {
            (Event::Exception, "exception.type") => self.exception = Some(value),
            (Event::Evaluation { name, .. }, "gen_ai.evaluation.name") => *name = Some(value),
            (Event::Evaluation { score, .. }, "gen_ai.evaluation.score.value") => *score = value.number(),
            _ => {}
        }
    }

    /// Ends the event that was begun.
    pub(super) fn end_event(&mut self) {
        if let Event::Evaluation { name: Some(name), score: Some(score) } = std::mem::take(&mut self.event)
            && let Some(name) = name.name(MAX_NAME_BYTES)
        {
            self.scores.push((Cow::Owned(name.into_owned()), score));
        }
    }

    /// Returns what was said of a member.
    pub(super) fn value(&self, member: Member) -> Option<&Value<'a>> {
        self.members[member as usize].as_ref().map(|said| &said.value)
    }

    /// Returns the convention by which a member was said; none is our own.
    pub(super) fn convention(&self, member: Member) -> Option<Convention> {
        self.members[member as usize].as_ref()?.row.map(|(_, convention, _)| *convention)
    }

    /// Returns the attribute of the table by which a member was said; none is our own.
    pub(super) fn attribute_of(&self, member: Member) -> Option<&'static str> {
        self.members[member as usize].as_ref()?.row.map(|(.., attribute)| *attribute)
    }

    /// Returns a member that is a name.
    pub(super) fn name(&self, member: Member) -> Option<String> {
        self.value(member)?.name(MAX_NAME_BYTES).map(Cow::into_owned)
    }

    /// Returns a member that is a hash: `sha256:` and 64 lower-case hexadecimal digits.
    pub(super) fn hash(&self, member: Member) -> Option<String> {
        self.name(member).filter(|text| {
            let digits = text.strip_prefix("sha256:").map(str::as_bytes);
            digits
                .is_some_and(|digits| digits.len() == 64 && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
        })
    }

    /// Returns a member that is a count.
    pub(super) fn count(&self, member: Member) -> Option<u64> {
        self.value(member)?.count()
    }

    /// Returns a member that is a number from 0.
    pub(super) fn number(&self, member: Member) -> Option<f64> {
        self.value(member)?.number().filter(|number| *number >= 0.0)
    }

    /// Returns a member that is true or false.
    pub(super) fn truth(&self, member: Member) -> Option<bool> {
        self.value(member)?.truth()
    }

    /// Returns a member that is an id of ours.
    pub(super) fn id(&self, member: Member) -> Option<uuid::Uuid> {
        self.value(member)?.name(MAX_NAME_BYTES)?.trim().parse().ok()
    }
}
