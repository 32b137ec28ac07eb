//! How a JSON Schema changed, seen from the side that depends on it.
//!
//! A schema is a set of values. The comparison says of every keyword that differs whether the set grew, shrank, or cannot
//! be told, so that a set that nothing enlarged is contained in the old one. What it does not understand counts as both.

mod alternatives;
mod flat;
mod keywords;
mod objects;

use serde_json::{Map, Value};

use self::flat::{Flat, Roots, accepts_everything};
use crate::change::Class;

/// Who depends on the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The prompt consumes the value: what was accepted must stay accepted.
    Input,
    /// Others consume the value: what may come must not grow.
    Output,
}

/// What a difference does to the set of accepted values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// More values are accepted.
    Wider,
    /// Fewer values are accepted.
    Narrower,
    /// The same values are accepted.
    Same,
    /// The value is gone from the schema; consumers may rely on it whatever may still come under its name.
    Removed,
    /// It cannot be told.
    Unknown,
}

/// A step from a value to one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To a property.
    Property(String),
    /// To a property that the schema does not name.
    Further,
    /// To any element of an array.
    Item,
    /// To the element of an array at this position.
    Position(usize),
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it means for the side that was asked about.
    pub class: Class,
    /// What it does to the set of values.
    pub effect: Effect,
    /// Where, from the root of the schema.
    pub steps: Vec<Step>,
    /// What differs, as a fragment.
    pub what: String,
}

/// Nodes that one comparison looks at; more cannot be told.
const MAX_NODES: usize = 20_000;
/// The deepest nesting that is followed.
const MAX_DEPTH: usize = 64;

/// Says what changed from `old` to `new`, with the class for `side`.
///
/// **Invariant:** when no difference is [`Class::Breaking`] for [`Side::Input`], every value that `old` accepts is accepted
/// by `new`; for [`Side::Output`] the other way round.
pub fn compare(old: &Value, new: &Value, side: Side) -> Vec<Difference> {
    let mut nodes = MAX_NODES;
    let mut comparison = Comparison::new(side, Roots::new(old, new), &mut nodes);
    if flat::dialect(old) != flat::dialect(new) {
        comparison.unknown("the dialect `$schema` changed, so every keyword may mean something else");
    } else {
        comparison.schema(old, new);
    }
    comparison.found
}

/// Writes where a difference is, below `root`: `root.customer.tags[]`.
pub fn place(root: &str, steps: &[Step]) -> String {
    let mut text = root.to_owned();
    for step in steps {
        match step {
            Step::Property(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Further => text.push_str(".*"),
            Step::Item => text.push_str("[]"),
            Step::Position(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// A comparison under way.
struct Comparison<'schema, 'nodes> {
    side: Side,
    roots: Roots<'schema>,
    at: Vec<Step>,
    /// Pairs of references that are being compared: met again inside, they are as different as they turn out to be.
    open: Vec<(String, String)>,
    nodes: &'nodes mut usize,
    found: Vec<Difference>,
}

impl<'schema, 'nodes> Comparison<'schema, 'nodes> {
    fn new(side: Side, roots: Roots<'schema>, nodes: &'nodes mut usize) -> Self {
        Self { side, roots, at: Vec::new(), open: Vec::new(), nodes, found: Vec::new() }
    }

    fn push(&mut self, effect: Effect, what: impl Into<String>) {
        let class = match (effect, self.side) {
            (Effect::Wider, Side::Input) | (Effect::Narrower, Side::Output) | (Effect::Same, _) => Class::Compatible,
            _ => Class::Breaking,
        };
        self.found.push(Difference { class, effect, steps: self.at.clone(), what: what.into() });
    }

    /// More values are accepted than before.
    fn wider(&mut self, what: impl Into<String>) {
        self.push(Effect::Wider, what);
    }

    /// Fewer values are accepted than before.
    fn narrower(&mut self, what: impl Into<String>) {
        self.push(Effect::Narrower, what);
    }

    /// It cannot be told.
    fn unknown(&mut self, what: impl Into<String>) {
        self.push(Effect::Unknown, what);
    }

    /// Compares below a step.
    fn inside(&mut self, step: Step, work: impl FnOnce(&mut Self)) {
        self.at.push(step);
        work(self);
        self.at.pop();
    }

    /// Compares two schemas for the value at hand.
    fn schema(&mut self, old: &Value, new: &Value) {
        if self.roots.are_equal(old, new) {
            return;
        }
        if *self.nodes == 0 || self.open.len() + self.at.len() > MAX_DEPTH {
            return self.unknown("too large or too deep to compare");
        }
        *self.nodes -= 1;
        match (old, new) {
            (_, Value::Bool(false)) => return self.narrower("no value is accepted any more"),
            (Value::Bool(false), new) if accepts_everything(new) => return self.wider("any value is accepted now"),
            (Value::Bool(false), _) => return self.wider("values are accepted where none were"),
            _ => {}
        }
        let reference = |schema: &Value| schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
        let pair = (reference(old), reference(new));
        let is_opened = match pair {
            (Some(old), Some(new)) => {
                let pair = (old, new);
                if self.open.contains(&pair) {
                    return;
                }
                self.open.push(pair);
                true
            }
            _ => false,
        };
        match (self.roots.old.flatten(old), self.roots.new.flatten(new)) {
            (Some(before), Some(after)) => self.flat(&before, &after),
            _ => self.unknown("changed in a way that is not understood"),
        }
        if is_opened {
            self.open.pop();
        }
    }

    /// Compares two schemas without references: alternatives first, then keyword by keyword.
    fn flat(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let unevaluated = ["unevaluatedProperties", "unevaluatedItems"];
        if unevaluated.iter().any(|keyword| old.contains_key(*keyword) || new.contains_key(*keyword)) {
            // What counts as evaluated depends on every other keyword.
            if old != new || flat::has_reference(old) || flat::has_reference(new) {
                self.unknown("changed beside `unevaluatedProperties` or `unevaluatedItems`, which is not understood");
            }
            return;
        }
        if self.are_alternatives(old, new) {
            return self.alternatives(old, new);
        }
        self.types(old, new);
        self.values(old, new);
        self.bounds(old, new);
        self.properties(old, new);
        self.required(old, new);
        self.further(old, new);
        self.items(old, new);
        self.others(old, new);
    }

    /// Tells whether every value that the new schema accepts is accepted by the old one.
    fn new_is_within_old(&mut self, old: &Value, new: &Value) -> bool {
        accepts_everything(old) || self.effects(old, new).iter().all(|effect| matches!(effect, Effect::Narrower | Effect::Same))
    }

    /// Tells whether every value that the old schema accepts is accepted by the new one.
    fn old_is_within_new(&mut self, old: &Value, new: &Value) -> bool {
        accepts_everything(new) || self.effects(old, new).iter().all(|effect| matches!(effect, Effect::Wider | Effect::Same))
    }

    /// Compares on the side, recording nothing here.
    fn effects(&mut self, old: &Value, new: &Value) -> Vec<Effect> {
        // Only inputs are looked at as bare sets: for outputs a property that is gone counts as removed.
        let mut inner = Comparison {
            side: Side::Input,
            roots: self.roots,
            at: self.at.clone(),
            open: self.open.clone(),
            nodes: &mut *self.nodes,
            found: Vec::new(),
        };
        inner.schema(old, new);
        inner.found.into_iter().map(|difference| difference.effect).collect()
    }
}

/// Resolves references and joins `allOf` of a schema, for looking at one node; nothing where that is not understood.
pub(crate) fn flattened(schema: &Value, root: &Value) -> Option<Map<String, Value>> {
    Flat::new(root).flatten(schema)
}

#[cfg(test)]
mod tests;
