//! Compatibility: what a namespace demands of a new version, and whether the version keeps to it.
//!
//! [`change`](crate::change) says what it means that one version takes the place of another. A level says in which
//! directions that has to hold, and against which earlier versions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::change::{Change, Class, Part, Rule, classify_with};
use crate::content::Closure;
use crate::id::{PromptRef, Version};

/// What has to hold between a version and those before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing.
    None,
    /// The new version can take the place of the old one: callers and consumers need no change.
    #[default]
    Backward,
    /// As backward, against every earlier version.
    BackwardTransitive,
    /// Also the old version can take the place of the new one, as when both are live or after a rollback.
    Full,
    /// As full, against every earlier version.
    FullTransitive,
}

/// Says that a text names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a level is `none`, `backward`, `backward-transitive`, `full` or `full-transitive`; got `{0}`")]
pub struct LevelError(String);

impl Level {
    /// Every level.
    pub const ALL: [Self; 5] = [Self::None, Self::Backward, Self::BackwardTransitive, Self::Full, Self::FullTransitive];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Backward => "backward",
            Self::BackwardTransitive => "backward-transitive",
            Self::Full => "full",
            Self::FullTransitive => "full-transitive",
        }
    }

    /// Tells whether every earlier version counts rather than the last one alone.
    pub fn is_transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::FullTransitive)
    }

    /// Returns the same level against every earlier version.
    #[must_use]
    pub fn transitive(self) -> Self {
        match self {
            Self::Backward => Self::BackwardTransitive,
            Self::Full => Self::FullTransitive,
            other => other,
        }
    }

    /// Returns the directions that are looked at.
    pub fn directions(self) -> &'static [Direction] {
        match self {
            Self::None => &[],
            Self::Backward | Self::BackwardTransitive => &[Direction::Forth],
            Self::Full | Self::FullTransitive => &[Direction::Forth, Direction::Back],
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        Self::ALL.into_iter().find(|level| level.name() == text).ok_or_else(|| LevelError(text.to_owned()))
    }
}

/// Which of two versions takes the place of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The new one takes the place of the old one.
    Forth,
    /// The old one takes the place of the new one, as after a rollback.
    Back,
}

impl Direction {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forth => "forth",
            Self::Back => "back",
        }
    }
}

/// A change that a level does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// The earlier version.
    pub against: PromptRef,
    /// In which direction.
    pub direction: Direction,
    /// The part that changed.
    pub part: Part,
    /// The rule that says so.
    pub rule: Rule,
    /// Why, as a fragment.
    pub reason: String,
}

impl fmt::Display for Break {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Forth => write!(out, "in place of {}: ", self.against)?,
            Direction::Back => write!(out, "back to {}: ", self.against)?,
        }
        write!(out, "{}: {}", self.part, self.reason)
    }
}

/// What changes in one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The direction.
    pub direction: Direction,
    /// What changes, part by part.
    pub changes: Vec<Change>,
}

/// Compares a version with an earlier one in every direction that a level looks at. `known` are inputs that callers are
/// known to give.
pub fn compare(old: &Closure, new: &Closure, level: Level, known: &[Map<String, Value>]) -> Vec<Comparison> {
    let in_direction = |direction: &Direction| {
        let changes = match direction {
            Direction::Forth => classify_with(old, new, known),
            Direction::Back => classify_with(new, old, known),
        };
        Comparison { direction: *direction, changes }
    };
    level.directions().iter().map(in_direction).collect()
}

/// Returns what breaks in comparisons with the version `against`.
pub fn breaks(against: &PromptRef, comparisons: &[Comparison]) -> Vec<Break> {
    let of = |comparison: &Comparison| {
        let broken = comparison.changes.iter().filter(|change| change.class == Class::Breaking);
        let direction = comparison.direction;
        let record = |change: &Change| Break {
            against: against.clone(),
            direction,
            part: change.part,
            rule: change.rule,
            reason: change.reason.clone(),
        };
        broken.map(record).collect::<Vec<_>>()
    };
    comparisons.iter().flat_map(of).collect()
}

/// Finds the earlier versions that a version is held against, for whoever can look versions up.
///
/// Those are its parent and the newest version before it, since whoever forks from an old version does not thereby lose the
/// callers of those in between; with a transitive level also where these came from. A version that was accepted as breaking
/// is the first of a new line: nobody is held against what came before it. Versions of another prompt do not count: a fork
/// has no callers yet.
#[derive(Debug, Clone)]
pub struct Predecessors {
    prompt: PromptRef,
    is_transitive: bool,
    next: BTreeSet<Version>,
    seen: BTreeSet<Version>,
}

impl Predecessors {
    /// Begins with a version, its parent, and the newest version of the prompt before it.
    pub fn new(prompt: &PromptRef, parent: Option<&PromptRef>, newest: Option<Version>, level: Level) -> Self {
        let mut predecessors =
            Self { prompt: prompt.clone(), is_transitive: level.is_transitive(), next: BTreeSet::new(), seen: BTreeSet::new() };
        if level != Level::None {
            predecessors.add(parent);
            predecessors.add(newest.map(|version| prompt.id.at(version)).as_ref());
        }
        predecessors
    }

    fn add(&mut self, reference: Option<&PromptRef>) {
        let own = reference.filter(|reference| reference.id == self.prompt.id && reference.version < self.prompt.version);
        if let Some(own) = own.filter(|own| !self.seen.contains(&own.version)) {
            self.next.insert(own.version);
        }
    }

    /// Returns the next version to hold against, newest first.
    pub fn take_next(&mut self) -> Option<PromptRef> {
        let version = self.next.pop_last()?;
        self.seen.insert(version);
        Some(self.prompt.id.at(version))
    }

    /// Says what was found out about a version that [`Predecessors::take_next`] gave: its parent, and whether it was accepted as
    /// breaking.
    pub fn found(&mut self, parent: Option<&PromptRef>, is_breaking: bool) {
        if self.is_transitive && !is_breaking {
            self.add(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::content::Content;

    fn closure(json: Value) -> Closure {
        let mut full = json!({"model": "m-2026-01-01", "template": "t"});
        full.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        Closure::of(Content::from_bytes(full.to_string().as_bytes()).unwrap())
    }

    fn broken(old: &Value, new: &Value, level: Level) -> Vec<String> {
        let comparisons = compare(&closure(old.clone()), &closure(new.clone()), level, &[]);
        breaks(&"a.b@1".parse().unwrap(), &comparisons).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn backward_looks_forth_and_full_both_ways() {
        let (old, new) = (json!({"output": {"enum": ["a", "b"]}}), json!({"output": {"enum": ["a"]}}));
        assert_eq!(broken(&old, &new, Level::Backward), [""; 0]);
        assert_eq!(broken(&old, &new, Level::Full), ["back to a.b@1: output: the answer: value \"b\" allowed"]);
        assert_eq!(broken(&new, &old, Level::Backward), ["in place of a.b@1: output: the answer: value \"b\" allowed"]);
        assert_eq!(broken(&new, &old, Level::None), [""; 0]);
        let optional = json!({"inputs": {"a": {"type": "string", "default": ""}}});
        assert_eq!(broken(&json!({}), &optional, Level::Backward), [""; 0]);
        assert_eq!(
            broken(&json!({}), &optional, Level::FullTransitive),
            ["back to a.b@1: inputs: variable `a` removed, so a caller that passes it is refused"]
        );
        let text = json!({"template": "other", "parameters": {"temperature": 1}});
        assert_eq!(broken(&json!({}), &text, Level::FullTransitive), [""; 0], "what an evaluation decides breaks nobody");
    }

    #[test]
    fn a_level_is_read_as_it_is_written() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(serde_json::to_value(level).unwrap(), level.name());
            assert_eq!(level.directions(), level.transitive().directions());
        }
        assert_eq!(
            "BACKWARD".parse::<Level>().unwrap_err().to_string(),
            "a level is `none`, `backward`, `backward-transitive`, `full` or `full-transitive`; got `BACKWARD`"
        );
    }

    /// Walks over versions, each with its parent and whether it was accepted as breaking.
    fn walk(from: &str, level: Level, lineage: &[(&str, &str, bool)]) -> Vec<String> {
        let parse = |text: &str| text.parse::<PromptRef>().ok();
        let find =
            |reference: &PromptRef| lineage.iter().find(|(version, ..)| parse(version).as_ref() == Some(reference)).unwrap();
        let prompt = parse(from).unwrap();
        let newest = lineage.iter().filter_map(|(version, ..)| parse(version)).filter(|one| one.version < prompt.version);
        let newest = newest.map(|one| one.version).max();
        let mut predecessors = Predecessors::new(&prompt, parse(find(&prompt).1).as_ref(), newest, level);
        let mut found = Vec::new();
        while let Some(reference) = predecessors.take_next() {
            let (_, parent, is_breaking) = find(&reference);
            predecessors.found(parse(parent).as_ref(), *is_breaking);
            found.push(reference.to_string());
        }
        found
    }

    #[test]
    fn a_version_is_held_against_its_parent_and_the_newest() {
        let lineage = [("a@1", "", false), ("a@2", "a@1", false), ("a@3", "a@2", false), ("a@4", "a@1", false)];
        assert_eq!(walk("a@3", Level::Backward, &lineage), ["a@2"]);
        assert_eq!(walk("a@3", Level::FullTransitive, &lineage), ["a@2", "a@1"]);
        assert_eq!(walk("a@4", Level::Backward, &lineage), ["a@3", "a@1"]);
        assert_eq!(walk("a@4", Level::BackwardTransitive, &lineage), ["a@3", "a@2", "a@1"]);
        assert_eq!(walk("a@4", Level::None, &lineage), [""; 0]);
        assert_eq!(walk("a@1", Level::FullTransitive, &[("a@1", "b@7", false)]), [""; 0], "a fork has no callers yet");
    }

    #[test]
    fn an_accepted_break_begins_a_new_line() {
        let lineage = [("a@1", "", false), ("a@2", "a@1", true), ("a@3", "a@2", false), ("a@4", "a@3", false)];
        assert_eq!(walk("a@4", Level::BackwardTransitive, &lineage), ["a@3", "a@2"]);
    }
}
