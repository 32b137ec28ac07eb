//! What must be shown before a version reaches an environment: rules as data, and the decisions they lead to.
//!
//! Pure: the caller collects the facts, and every unmet demand comes back at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use promptops_prompt::compatibility::Level;
use promptops_prompt::{Metadata, PromptId, PromptRef};
use serde::{Deserialize, Serialize};

use crate::environment::EnvironmentName;
use crate::error::{RegistryError, Result};

/// The rules, from the tables `[environments]` and `[policy]` of `promptops.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    environments: BTreeMap<EnvironmentName, EnvironmentRule>,
    sensitive: Vec<SensitiveRule>,
    namespaces: BTreeMap<String, Vec<String>>,
    withdrawn: WithdrawnRule,
    compatibility: CompatibilityTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PolicyFile {
    environments: BTreeMap<String, EnvironmentRule>,
    policy: PolicyTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyTable {
    sensitive: Vec<SensitiveRule>,
    namespaces: BTreeMap<String, Vec<String>>,
    withdrawn: WithdrawnRule,
    compatibility: CompatibilityTable,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CompatibilityTable {
    default: Level,
    namespaces: BTreeMap<String, Level>,
    accepted: BTreeSet<PromptRef>,
}

/// The level of compatibility that holds for a prompt, and what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompatibilityRule<'a> {
    /// The level.
    pub level: Level,
    /// The prefix that names it; nothing where the default holds.
    pub prefix: Option<&'a str>,
}

/// What may be done with versions that are yanked or whose deprecation has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WithdrawnRule {
    /// The environments where `--force` may run them, or [`EVERYWHERE`].
    force: Vec<String>,
}

/// Stands for every environment, and for locks of versions that are named one by one.
const EVERYWHERE: &str = "*";

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EnvironmentRule {
    protected: bool,
    evidence: Vec<EvidenceKind>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SensitiveRule {
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    ids: Vec<String>,
    groups: Vec<String>,
    #[serde(default = "one")]
    quorum: u32,
    #[serde(default = "ninety")]
    valid_days: u32,
}

fn one() -> u32 {
    1
}

fn ninety() -> u32 {
    90
}

/// A kind of evidence that an environment can demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// A passing eval run.
    Eval,
}

/// What must be shown for one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Demand {
    /// The latest run of an eval file on the content says `pass`.
    Eval {
        /// The eval file; any will do when the version names none and an earlier one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    },
    /// Members of a group, none of them the author, approved the content for the environment.
    Approval {
        /// The group, a team of `owners.yaml`.
        group: String,
        /// How many members.
        quorum: u32,
        /// How long an approval counts, in days.
        valid_days: u32,
    },
}

/// A demand that is not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmetDemand {
    /// The version it is about.
    pub prompt: PromptRef,
    /// What must be shown.
    pub demand: Demand,
    /// Why what is there does not suffice, one sentence fragment each.
    pub reasons: Vec<String>,
}

impl fmt::Display for Demand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eval { file: Some(file) } => write!(out, "a passing run of `{file}`"),
            Self::Eval { file: None } => write!(out, "a passing eval run"),
            Self::Approval { group, quorum: 1, .. } => write!(out, "approval of `{group}`"),
            Self::Approval { group, quorum, .. } => write!(out, "{quorum} approvals of `{group}`"),
        }
    }
}

impl fmt::Display for UnmetDemand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} is missing", self.prompt, self.demand)?;
        if !self.reasons.is_empty() {
            write!(out, " ({})", self.reasons.join("; "))?;
        }
        Ok(())
    }
}

impl Policy {
    /// Reads the tables `[environments]` and `[policy]`; other tables are left alone.
    ///
    /// A field that is not known is an error: a misspelt rule must not be a rule that is not there.
    ///
    /// # Errors
    /// [`RegistryError::Policy`] with what is wrong.
    pub fn from_toml(text: &str) -> Result<Self> {
        let invalid = |reason: String| RegistryError::Policy(reason);
        let file: PolicyFile = toml::from_str(text).map_err(|error| invalid(error.to_string().trim_end().to_owned()))?;
        let mut environments = BTreeMap::new();
        for (name, rule) in file.environments {
            environments.insert(name.parse()?, rule);
        }
        for rule in &file.policy.sensitive {
            if rule.tags.is_empty() && rule.ids.is_empty() {
                return Err(invalid("a rule of `policy.sensitive` names neither `tags` nor `ids`".to_owned()));
            }
            if rule.groups.is_empty() || rule.quorum == 0 || rule.valid_days == 0 {
                let reason = "a rule of `policy.sensitive` needs `groups`, a `quorum` from 1 and `valid_days` from 1";
                return Err(invalid(reason.to_owned()));
            }
            if let Some(bad) = rule.ids.iter().find(|pattern| !is_pattern(pattern)) {
                return Err(invalid(format!("`policy.sensitive.ids` takes ids and prefixes as `support.*`; got `{bad}`")));
            }
        }
        for name in file.policy.withdrawn.force.iter().filter(|name| *name != EVERYWHERE) {
            let name: EnvironmentName = name.parse()?;
            if !environments.contains_key(&name) {
                let reason = "`policy.withdrawn.force` takes names of `[environments]` and `*`";
                return Err(invalid(format!("{reason}; got `{name}`")));
            }
        }
        let PolicyTable { sensitive, namespaces, withdrawn, compatibility } = file.policy;
        if let Some(bad) = compatibility.namespaces.keys().find(|prefix| prefix.parse::<PromptId>().is_err()) {
            return Err(invalid(format!(
                "`policy.compatibility.namespaces` takes ids and their prefixes, as `support`; got `{bad}`"
            )));
        }
        Ok(Self { environments, sensitive, namespaces, withdrawn, compatibility })
    }

    /// Refuses an environment that the configuration does not name, when it names any: a typing error must not make one.
    ///
    /// # Errors
    /// [`RegistryError::UnknownEnvironment`].
    pub fn check_environment(&self, name: &EnvironmentName) -> Result<()> {
        if self.environments.is_empty() || self.environments.contains_key(name) {
            return Ok(());
        }
        let known = self.environments.keys().map(ToString::to_string).collect();
        Err(RegistryError::UnknownEnvironment { environment: name.clone(), known })
    }

    /// Tells whether approvals are demanded for the environment.
    pub fn is_protected(&self, name: &EnvironmentName) -> bool {
        self.environments.get(name).is_some_and(|rule| rule.protected)
    }

    /// Tells whether a withdrawn version may be run in an environment when somebody insists; without one, whether it may be
    /// locked by its name.
    pub fn may_force(&self, environment: Option<&EnvironmentName>) -> bool {
        let names = |name: &String| name == EVERYWHERE || environment.is_some_and(|environment| environment.as_str() == name);
        self.withdrawn.force.iter().any(names)
    }

    /// Returns the source repositories that the policy lets publish into a namespace, with the prefix that names them;
    /// nothing where it says nothing.
    pub fn namespace_owners<'a>(&'a self, namespace: &str) -> Option<(&'a str, &'a [String])> {
        nearest(&self.namespaces, namespace).map(|(prefix, owners)| (prefix, owners.as_slice()))
    }

    /// Returns the level of compatibility that holds for a prompt: that of the nearest prefix of its id, or the whole id, that
    /// the policy names, else the default, which is `backward` unless the policy says otherwise.
    pub fn compatibility(&self, id: &PromptId) -> CompatibilityRule<'_> {
        match nearest(&self.compatibility.namespaces, id.as_str()) {
            Some((prefix, level)) => CompatibilityRule { level: *level, prefix: Some(prefix) },
            None => CompatibilityRule { level: self.compatibility.default, prefix: None },
        }
    }

    /// Tells whether the policy accepts that a version breaks those before it.
    pub fn accepts_break(&self, reference: &PromptRef) -> bool {
        self.compatibility.accepted.contains(reference)
    }

    /// Returns what must be shown before a version is added to an environment or takes the place of another.
    ///
    /// `current` is the metadata that holds for the version; `earlier` are those of the version as published and of the
    /// version that is live. A tag counts when any of them has it, so that dropping a tag does not drop what it demands, and
    /// dropping every eval demands one. Where several rules demand one group, the strictest holds.
    pub fn demands(
        &self,
        environment: &EnvironmentName,
        id: &PromptId,
        current: &Metadata,
        earlier: &[&Metadata],
    ) -> Vec<Demand> {
        let Some(rule) = self.environments.get(environment) else { return Vec::new() };
        let mut demands = Vec::new();
        if rule.evidence.contains(&EvidenceKind::Eval) {
            demands.extend(current.evals.iter().map(|file| Demand::Eval { file: Some(file.clone()) }));
            if demands.is_empty() && earlier.iter().any(|metadata| !metadata.evals.is_empty()) {
                demands.push(Demand::Eval { file: None });
            }
        }
        if !rule.protected {
            return demands;
        }
        let all = std::iter::once(&current).chain(earlier);
        let tags: BTreeSet<&String> = all.flat_map(|metadata| &metadata.tags).collect();
        let mut groups: BTreeMap<&String, (u32, u32)> = BTreeMap::new();
        for rule in &self.sensitive {
            let covers_tag = rule.tags.iter().any(|tag| tags.contains(tag));
            if !covers_tag && !rule.ids.iter().any(|pattern| matches(pattern, id.as_str())) {
                continue;
            }
            for group in &rule.groups {
                let strictest = groups.entry(group).or_insert((rule.quorum, rule.valid_days));
                *strictest = (strictest.0.max(rule.quorum), strictest.1.min(rule.valid_days));
            }
        }
        let approvals =
            groups.into_iter().map(|(group, (quorum, valid_days))| Demand::Approval { group: group.clone(), quorum, valid_days });
        demands.extend(approvals);
        demands
    }

    /// Says why something is demanded: which rules of `promptops.toml` cover the version, and by what. The arguments are those of
    /// [`Policy::demands`].
    pub fn because(
        &self,
        environment: &EnvironmentName,
        demand: &Demand,
        id: &PromptId,
        current: &Metadata,
        earlier: &[&Metadata],
    ) -> String {
        let group = match demand {
            Demand::Eval { file: Some(_) } => {
                return format!("`environments.{environment}.evidence` names `eval`, and the version names this eval file");
            }
            Demand::Eval { file: None } => {
                return format!("`environments.{environment}.evidence` names `eval`, and the version dropped every eval file");
            }
            Demand::Approval { group, .. } => group,
        };
        let mut covered = Vec::new();
        for rule in self.sensitive.iter().filter(|rule| rule.groups.contains(group)) {
            for tag in &rule.tags {
                if current.tags.contains(tag) {
                    covered.push(format!("the tag `{tag}`"));
                } else if earlier.iter().any(|metadata| metadata.tags.contains(tag)) {
                    covered.push(format!("the tag `{tag}`, which it was published with or which the live version has"));
                }
            }
            let patterns = rule.ids.iter().filter(|pattern| matches(pattern, id.as_str()));
            covered.extend(patterns.map(|pattern| format!("the ids `{pattern}`")));
        }
        format!("`environments.{environment}` is protected, and `policy.sensitive` covers {}", covered.join(", "))
    }
}

/// Returns the entry of the longest prefix of a dotted name.
fn nearest<'a, T>(named: &'a BTreeMap<String, T>, name: &str) -> Option<(&'a str, &'a T)> {
    let covers = |prefix: &str| name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
    let covering = named.iter().filter(|(prefix, _)| covers(prefix));
    covering.max_by_key(|(prefix, _)| prefix.len()).map(|(prefix, value)| (prefix.as_str(), value))
}

/// Tells whether a text is an id, or a prefix as `support.*`, or `*`.
fn is_pattern(pattern: &str) -> bool {
    let prefix = pattern.strip_suffix(".*").unwrap_or(pattern);
    pattern == "*" || prefix.parse::<PromptId>().is_ok()
}

fn matches(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => id.starts_with(prefix),
        None => id == pattern,
    }
}

/// Chooses for whom of several groups each person counts, so that as many places as possible are filled: one person
/// counts for one group. `candidates` are the people that may count for a group; returns how many places of each group
/// are filled.
///
/// Maximum bipartite matching by augmenting paths; a person is moved to another group when that frees a place.
pub fn assign(places: &BTreeMap<String, u32>, candidates: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, u32> {
    let slots: Vec<&String> = places.iter().flat_map(|(group, count)| (0..*count).map(move |_| group)).collect();
    let mut taken: BTreeMap<&String, usize> = BTreeMap::new();
    for slot in 0..slots.len() {
        augment(slot, &slots, candidates, &mut taken, &mut BTreeSet::new());
    }
    let mut filled: BTreeMap<String, u32> = places.keys().map(|group| (group.clone(), 0)).collect();
    for slot in taken.into_values() {
        *filled.entry(slots[slot].clone()).or_default() += 1;
    }
    filled
}

fn augment<'a>(
    slot: usize,
    slots: &[&String],
    candidates: &'a BTreeMap<String, BTreeSet<String>>,
    taken: &mut BTreeMap<&'a String, usize>,
    visited: &mut BTreeSet<&'a String>,
) -> bool {
    for person in candidates.get(slots[slot]).into_iter().flatten() {
        if !visited.insert(person) {
            continue;
        }
        let is_free = match taken.get(person).copied() {
            None => true,
            Some(other) => augment(other, slots, candidates, taken, visited),
        };
        if is_free {
            taken.insert(person, slot);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [registry]
        url = "file://.promptops/registry"
        [environments.staging]
        [environments.prod]
        protected = true
        evidence = ["eval"]
        [[policy.sensitive]]
        tags = ["legal"]
        groups = ["compliance-team", "legal-team"]
        [[policy.sensitive]]
        ids = ["support.*", "exact.one"]
        groups = ["compliance-team"]
        quorum = 2
        valid_days = 30
        [policy.namespaces]
        support = ["github.com/acme/a", "github.com/acme/b"]
        "support.eu" = ["github.com/acme/eu"]
    "#;

    fn demands(environment: &str, id: &str, tags: &[&str]) -> Vec<String> {
        let metadata = Metadata { tags: tags.iter().map(ToString::to_string).collect(), ..Metadata::default() };
        let policy = Policy::from_toml(TEXT).unwrap();
        let demands = policy.demands(&environment.parse().unwrap(), &id.parse().unwrap(), &Metadata::default(), &[&metadata]);
        demands.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn demands_follow_tags_and_ids_in_protected_environments() {
        assert!(demands("prod", "a.b", &["other"]).is_empty());
        assert_eq!(demands("prod", "a.b", &["legal"]), ["approval of `compliance-team`", "approval of `legal-team`"]);
        assert_eq!(demands("prod", "support.x", &[]), ["2 approvals of `compliance-team`"]);
        assert_eq!(demands("prod", "exact.one", &[]).len(), 1);
        assert!(demands("prod", "supported.x", &[]).is_empty());
        assert!(demands("staging", "support.x", &["legal"]).is_empty());
        let both = Policy::from_toml(TEXT).unwrap().demands(
            &"prod".parse().unwrap(),
            &"support.x".parse().unwrap(),
            &Metadata { tags: vec!["legal".into()], evals: vec!["e.yaml".into()], ..Metadata::default() },
            &[],
        );
        let compliance = Demand::Approval { group: "compliance-team".into(), quorum: 2, valid_days: 30 };
        assert_eq!(both[..2], [Demand::Eval { file: Some("e.yaml".into()) }, compliance], "the strictest of several rules holds");
    }

    #[test]
    fn a_rule_that_says_nothing_is_refused() {
        for (bad, reason) in [
            ("[environments.prod]\nprotekted = true", "unknown field `protekted`"),
            ("[policy]\nsensitiv = []", "unknown field `sensitiv`"),
            ("[[policy.sensitive]]\ngroups = [\"g\"]", "neither `tags` nor `ids`"),
            ("[[policy.sensitive]]\ntags = [\"t\"]\ngroups = []", "needs `groups`"),
            ("[[policy.sensitive]]\nids = [\"a*b\"]\ngroups = [\"g\"]", "got `a*b`"),
            ("[environments.prod]\nevidence = [\"vibes\"]", "unknown variant `vibes`"),
            ("[environments.Prod]", "lower-case"),
            ("[policy.compatibility]\ndefault = \"BACKWARD\"", "unknown variant `BACKWARD`"),
            ("[policy.compatibility]\nsupport = \"full\"", "unknown field `support`"),
            ("[policy.compatibility.namespaces]\n\"support.*\" = \"full\"", "got `support.*`"),
            ("[policy.compatibility]\naccepted = [\"support.intent\"]", "support.intent"),
            ("x", "TOML parse error"),
        ] {
            let error = Policy::from_toml(bad).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn only_named_environments_are_known_once_one_is_named() {
        let policy = Policy::from_toml(TEXT).unwrap();
        assert!(policy.check_environment(&"prod".parse().unwrap()).is_ok());
        let error = policy.check_environment(&"prd".parse().unwrap()).unwrap_err();
        assert_eq!(error.hint().unwrap(), "it names `prod`, `staging`; add a table `[environments.<name>]` for another");
        assert!(Policy::default().check_environment(&"prd".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_demand_names_the_rules_that_make_it() {
        let policy = Policy::from_toml(TEXT).unwrap();
        let tagged = |tags: &[&str]| Metadata { tags: tags.iter().map(ToString::to_string).collect(), ..Metadata::default() };
        let because = |id: &str, current: &[&str], earlier: &[&str]| {
            let (prod, id) = ("prod".parse().unwrap(), id.parse().unwrap());
            let (current, earlier) = (tagged(current), tagged(earlier));
            let demands = policy.demands(&prod, &id, &current, &[&earlier]);
            let reasons = demands.iter().map(|demand| policy.because(&prod, demand, &id, &current, &[&earlier]));
            reasons.collect::<Vec<_>>()
        };
        let covers = |what: &str| format!("`environments.prod` is protected, and `policy.sensitive` covers {what}");
        assert_eq!(because("a.b", &["legal"], &[]), [covers("the tag `legal`"), covers("the tag `legal`")]);
        assert_eq!(because("support.x", &["legal"], &[])[0], covers("the tag `legal`, the ids `support.*`"));
        let dropped = "the tag `legal`, which it was published with or which the live version has";
        assert_eq!(because("a.b", &[], &["legal"])[0], covers(dropped));
    }

    #[test]
    fn withdrawn_versions_are_forced_where_the_policy_says() {
        let may = |force: &str, environment: Option<&str>| {
            let policy = Policy::from_toml(&format!("[environments.a]\n[environments.b]\n[policy.withdrawn]\nforce = {force}"));
            policy.unwrap().may_force(environment.map(|name| name.parse().unwrap()).as_ref())
        };
        assert!(may("[\"a\"]", Some("a")) && !may("[\"a\"]", Some("b")) && !may("[\"a\"]", None));
        assert!(may("[\"*\"]", Some("b")) && may("[\"*\"]", None));
        assert!(!may("[]", Some("a")) && !Policy::default().may_force(None));
        for bad in
            ["[policy.withdrawn]\nforce = \"a\"", "[policy.withdrawn]\nforced = [\"a\"]", "[policy.withdrawn]\nforce = [\"A!\"]"]
        {
            assert!(Policy::from_toml(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_nearest_named_namespace_decides() {
        let policy = Policy::from_toml(TEXT).unwrap();
        assert_eq!(policy.namespace_owners("support.eu.west").unwrap().0, "support.eu");
        assert_eq!(policy.namespace_owners("support.us").unwrap().1.len(), 2);
        assert!(policy.namespace_owners("supported").is_none());
        assert!(policy.namespace_owners("").is_none());
    }

    #[test]
    fn the_nearest_prefix_decides_about_compatibility() {
        let policy = Policy::from_toml(
            "[policy.compatibility]\ndefault = \"none\"\naccepted = [\"a.b@3\"]\n[policy.compatibility.namespaces]\n\
             support = \"full\"\n\"support.eu\" = \"backward-transitive\"\n\"support.intent\" = \"none\"",
        )
        .unwrap();
        let level = |policy: &Policy, id: &str| policy.compatibility(&id.parse().unwrap()).level;
        for (id, expected) in [
            ("support.x", Level::Full),
            ("support.eu.x", Level::BackwardTransitive),
            ("support.intent", Level::None),
            ("support.intents", Level::Full),
            ("other.x", Level::None),
        ] {
            assert_eq!(level(&policy, id), expected, "{id}");
        }
        assert_eq!(level(&Policy::default(), "other.x"), Level::Backward, "what says nothing does not allow everything");
        assert!(policy.accepts_break(&"a.b@3".parse().unwrap()) && !policy.accepts_break(&"a.b@4".parse().unwrap()));
    }

    #[test]
    fn one_person_counts_for_one_group() {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let places = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]);
        let alone = BTreeMap::from([("a".to_owned(), set(&["ann"])), ("b".to_owned(), set(&["ann"]))]);
        assert_eq!(assign(&places, &alone).values().sum::<u32>(), 1);
        // Ann would be taken for `a` first; Bob can only stand for `a`, so Ann must move to `b`.
        let two = BTreeMap::from([("a".to_owned(), set(&["ann", "bob"])), ("b".to_owned(), set(&["ann"]))]);
        assert_eq!(assign(&places, &two), places);
        let quorum = BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!(assign(&quorum, &two).values().sum::<u32>(), 2, "two people fill two of three places");
    }
}
