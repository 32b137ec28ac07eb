//! `[checks]` of `promptops.toml`: how much the findings of a check matter here.

use std::collections::BTreeMap;
use std::fmt;

use promptops_prompt::check::Check;
use promptops_prompt::finding::{Finding, Severity};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// The levels that differ from those of the checks themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckLevels(BTreeMap<&'static str, Level>);

/// What becomes of the findings of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// They are dropped.
    Off,
    /// They are notes.
    Note,
    /// They are warnings.
    Warning,
    /// They are errors.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Note => Some(Severity::Note),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Note => Self::Note,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
        }
    }
}

impl CheckLevels {
    /// Gives findings the severity that is set here, and drops those of checks that are off.
    pub fn apply(&self, findings: Vec<Finding>) -> Vec<Finding> {
        if self.0.is_empty() {
            return findings;
        }
        let level = |mut finding: Finding| match self.0.get(finding.check.as_str()) {
            Some(level) => {
                finding.severity = level.severity()?;
                Some(finding)
            }
            None => Some(finding),
        };
        findings.into_iter().filter_map(level).collect()
    }

    /// Says which checks ask less here than in `before`.
    pub fn weaker_than(&self, before: &Self) -> Vec<String> {
        let level = |levels: &Self, check: &Check| levels.0.get(check.id).copied().unwrap_or_else(|| check.severity.into());
        let lowered = promptops_prompt::check::CHECKS.iter().filter_map(|check| {
            let (before, now) = (level(before, check), level(self, check));
            (now < before).then(|| format!("the check `{}` falls from {} to {}", check.id, before.name(), now.name()))
        });
        lowered.collect()
    }
}

impl<'de> Deserialize<'de> for CheckLevels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Levels)
    }
}

/// Reads the table, so that an error has the place of the key or value that is wrong.
struct Levels;

impl<'de> Visitor<'de> for Levels {
    type Value = CheckLevels;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of checks and their severities")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut levels = BTreeMap::new();
        while let Some(KnownCheck(check)) = map.next_key()? {
            levels.insert(check.id, map.next_value_seed(LevelOf(check))?);
        }
        Ok(CheckLevels(levels))
    }
}

struct KnownCheck(&'static Check);

impl<'de> Deserialize<'de> for KnownCheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        Check::find(&id).map(Self).ok_or_else(|| {
            let near = Check::near(&id).iter().map(|near| format!("`{near}`")).collect::<Vec<_>>().join(" or ");
            let near = if near.is_empty() { String::new() } else { format!(": did you mean {near}?") };
            D::Error::custom(format!("there is no check `{id}`{near}"))
        })
    }
}

/// Reads the level of one check.
struct LevelOf(&'static Check);

impl<'de> DeserializeSeed<'de> for LevelOf {
    type Value = Level;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Level, D::Error> {
        let level = Level::deserialize(deserializer)?;
        let Check { id, severity, is_firm, .. } = *self.0;
        if is_firm && level < Level::from(severity) {
            return Err(D::Error::custom(format!("`{id}` cannot be lowered: a baseline lets what is there already pass")));
        }
        Ok(level)
    }
}
