//! Templates as most are, in a form that is followed without the template engine.
//!
//! Most prompts are plain text with variables, a loop over records and a condition or two. Such a template becomes a short list
//! of steps that reads values where they are. A program never decides what is an error: where anything is out of the ordinary (a
//! name that is not there, a value of an unexpected kind, more work than is surely allowed) it gives up, and the engine renders
//! the template from its beginning, or says what is wrong with it. So there is one meaning of templates, the engine's, and tests
//! hold programs to it.

use std::fmt::Write as _;

use minijinja::Value as TemplateValue;

use super::MAX_FUEL;
use super::view::{Seen, View};

/// What a step of a program costs the engine at most, in its own steps.
const FUEL_PER_STEP: u64 = 64;
/// Bytes that the engine's step pays for, at least.
const BYTES_PER_FUEL: u64 = 16;

/// The steps of each template of a prompt.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// Of each template; none for one that only the engine can render.
    pub(crate) templates: Vec<Option<Vec<Step>>>,
    /// The names of the fields that the steps look up.
    pub(crate) names: Vec<Box<str>>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Text(Box<str>),
    Write(Operand),
    Each { list: Place, body: Vec<Self>, otherwise: Vec<Self> },
    If { condition: Condition, then: Vec<Self>, otherwise: Vec<Self> },
}

/// Where a value is found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub(crate) root: Root,
    /// The fields to follow, as indices into [`Program::names`].
    pub(crate) fields: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Root {
    /// A variable of the prompt, in the order of its `inputs`.
    Input(usize),
    /// The item of a loop; the outermost is 0.
    Item(usize),
}

/// What is written or compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    At(Place),
    /// `loop.index` and its like, of the loop of this depth.
    Turn(usize, Fact),
    Text(Box<str>),
    Integer(i64),
    Truth(bool),
    /// The number of items, names or characters.
    Length(Place),
}

/// What a loop knows of its turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fact {
    Index,
    Index0,
    Revindex,
    Revindex0,
    Length,
    First,
    Last,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Holds(Operand),
    Not(Box<Self>),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
    Equal(Operand, Operand),
    Less(Operand, Operand),
    Nothing(Place),
}

impl Program {
    /// Appends the text of a template to `output`; none when the engine has to render it, after something may have been appended.
    ///
    /// `inputs` are in the order of the prompt's, and `names` are [`Program::names`] as these values look them up.
    pub(crate) fn run<V: View>(&self, template: usize, inputs: &[V], names: &[V::Name], output: &mut String) -> Option<()> {
        let steps = self.templates.get(template)?.as_ref()?;
        let mut run = Run { scope: Scope { inputs, names, turns: Vec::new() }, output, fuel: Fuel(MAX_FUEL) };
        run.steps(steps)
    }
}

/// A template that is being rendered.
struct Run<'a, V: View> {
    scope: Scope<'a, V>,
    output: &'a mut String,
    fuel: Fuel,
}

/// What the engine could take yet if each step cost it the most.
struct Fuel(u64);

/// The values that can be seen from where a run is.
struct Scope<'a, V: View> {
    inputs: &'a [V],
    names: &'a [V::Name],
    /// Of each loop that the run is in, the outermost first.
    turns: Vec<LoopTurn<V>>,
}

struct LoopTurn<V> {
    item: V,
    /// From 0.
    index: usize,
    length: usize,
}

impl<V: View> Run<'_, V> {
    fn steps(&mut self, steps: &[Step]) -> Option<()> {
        for step in steps {
            self.fuel.step()?;
            match step {
                Step::Text(text) => write(self.output, &mut self.fuel, Seen::Text(text))?,
                Step::Write(operand) => self.scope.look(operand, |seen| write(self.output, &mut self.fuel, seen))?,
                Step::Each { list, body, otherwise } => self.each(list, body, otherwise)?,
                Step::If { condition, then, otherwise } => {
                    let chosen = if self.scope.holds(condition, &mut self.fuel)? { then } else { otherwise };
                    self.steps(chosen)?;
                }
            }
        }
        Some(())
    }

    fn each(&mut self, list: &Place, body: &[Step], otherwise: &[Step]) -> Option<()> {
        let length = self.scope.at(list, |list| match list.look() {
            Seen::List(length) => Some(length),
            _ => None,
        })?;
        if length == 0 {
            return self.steps(otherwise);
        }
        for index in 0..length {
            self.fuel.step()?;
            let item = self.scope.at(list, |list| list.item(index))?;
            self.scope.turns.push(LoopTurn { item, index, length });
            self.steps(body)?;
            self.scope.turns.pop();
        }
        Some(())
    }
}

impl<V: View> Scope<'_, V> {
    /// Finds a value and asks it something; none when it is not there.
    fn at<T>(&self, place: &Place, ask: impl FnOnce(&V) -> Option<T>) -> Option<T> {
        let root = match place.root {
            Root::Input(index) => self.inputs.get(index)?,
            Root::Item(depth) => &self.turns.get(depth)?.item,
        };
        let Some((first, rest)) = place.fields.split_first() else { return ask(root) };
        let mut value = root.field(self.names.get(*first)?)?;
        for name in rest {
            value = value.field(self.names.get(*name)?)?;
        }
        ask(&value)
    }

    fn look<T>(&self, operand: &Operand, ask: impl FnOnce(Seen<'_>) -> Option<T>) -> Option<T> {
        match operand {
            Operand::At(place) => self.at(place, |value| ask(value.look())),
            Operand::Turn(depth, fact) => ask(self.turns.get(*depth)?.fact(*fact)?),
            Operand::Text(text) => ask(Seen::Text(text)),
            Operand::Integer(number) => ask(Seen::Integer(*number)),
            Operand::Truth(truth) => ask(Seen::Truth(*truth)),
            Operand::Length(place) => self.at(place, |value| match value.look() {
                Seen::Text(text) => ask(integer(text.chars().count())?),
                Seen::List(length) | Seen::Mapping(length) => ask(integer(length)?),
                _ => None,
            }),
        }
    }

    fn holds(&self, condition: &Condition, fuel: &mut Fuel) -> Option<bool> {
        fuel.step()?;
        match condition {
            Condition::Holds(operand) => self.look(operand, |seen| match seen {
                Seen::Text(text) => Some(!text.is_empty()),
                Seen::Integer(number) => Some(number != 0),
                Seen::Float(number) => Some(number != 0.0),
                Seen::Truth(truth) => Some(truth),
                Seen::Nothing => Some(false),
                Seen::List(length) | Seen::Mapping(length) => Some(length > 0),
                Seen::Other => None,
            }),
            Condition::Not(inner) => Some(!self.holds(inner, fuel)?),
            Condition::Both(first, second) => Some(self.holds(first, fuel)? && self.holds(second, fuel)?),
            Condition::Either(first, second) => Some(self.holds(first, fuel)? || self.holds(second, fuel)?),
            Condition::Equal(one, other) => self.look(one, |one| self.look(other, |other| equal(one, other, fuel))),
            Condition::Less(one, other) => self.look(one, |one| {
                self.look(other, |other| match (one, other) {
                    (Seen::Integer(one), Seen::Integer(other)) => Some(one < other),
                    _ => None,
                })
            }),
            Condition::Nothing(place) => self.at(place, |value| match value.look() {
                Seen::Other => None,
                seen => Some(seen == Seen::Nothing),
            }),
        }
    }
}

impl<V> LoopTurn<V> {
    fn fact(&self, fact: Fact) -> Option<Seen<'static>> {
        match fact {
            Fact::Index => integer(self.index + 1),
            Fact::Index0 => integer(self.index),
            Fact::Revindex => integer(self.length - self.index),
            Fact::Revindex0 => integer(self.length - self.index - 1),
            Fact::Length => integer(self.length),
            Fact::First => Some(Seen::Truth(self.index == 0)),
            Fact::Last => Some(Seen::Truth(self.index + 1 == self.length)),
        }
    }
}

impl Fuel {
    fn step(&mut self) -> Option<()> {
        self.take(FUEL_PER_STEP)
    }

    fn bytes(&mut self, count: usize) -> Option<()> {
        self.take(count as u64 / BYTES_PER_FUEL)
    }

    fn take(&mut self, fuel: u64) -> Option<()> {
        self.0 = self.0.checked_sub(fuel)?;
        Some(())
    }
}

fn integer(number: usize) -> Option<Seen<'static>> {
    i64::try_from(number).ok().map(Seen::Integer)
}

/// Writes a value as the engine does.
fn write(output: &mut String, fuel: &mut Fuel, seen: Seen<'_>) -> Option<()> {
    match seen {
        Seen::Text(text) => {
            fuel.bytes(text.len())?;
            output.push_str(text);
        }
        Seen::Integer(number) => output.push_str(itoa::Buffer::new().format(number)),
        Seen::Truth(truth) => output.push_str(if truth { "True" } else { "False" }),
        Seen::Nothing => output.push_str("None"),
        Seen::Float(number) => write!(output, "{}", TemplateValue::from(number)).ok()?,
        Seen::List(_) | Seen::Mapping(_) | Seen::Other => return None,
    }
    Some(())
}

/// Compares values of one kind; the engine knows when values of two kinds are equal.
fn equal(one: Seen<'_>, other: Seen<'_>, fuel: &mut Fuel) -> Option<bool> {
    match (one, other) {
        (Seen::Text(one), Seen::Text(other)) => {
            fuel.bytes(one.len() + other.len())?;
            Some(one == other)
        }
        (Seen::Integer(one), Seen::Integer(other)) => Some(one == other),
        (Seen::Truth(one), Seen::Truth(other)) => Some(one == other),
        (Seen::Nothing, Seen::Nothing) => Some(true),
        (Seen::Nothing, Seen::Text(_) | Seen::Integer(_)) | (Seen::Text(_) | Seen::Integer(_), Seen::Nothing) => Some(false),
        (Seen::Text(_), Seen::Integer(_)) | (Seen::Integer(_), Seen::Text(_)) => Some(false),
        _ => None,
    }
}
