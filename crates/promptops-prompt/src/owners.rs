//! `owners.yaml`: people and teams who answer for prompts.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Severity};
use crate::yaml::{self, Kind, Node, ProblemKind};

/// Who answers for prompts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// People by id.
    pub people: BTreeMap<String, Person>,
    /// Members (ids of people) by team.
    pub teams: BTreeMap<String, BTreeSet<String>>,
}

/// One person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name as people say it.
    pub name: Option<String>,
    /// The address by which Git knows the person.
    pub email: Option<String>,
    /// OpenSSH public keys, as in `authorized_keys`, with which the person signs approvals.
    pub keys: Vec<String>,
}

/// The id of findings in `owners.yaml`.
pub const CHECK_ID: &str = "owners-file";

impl Owners {
    /// Reads `owners.yaml`. Problems are collected; what is right is in the result.
    pub fn parse(path: &str, text: &str) -> (Self, Vec<Finding>) {
        let (node, problems) = yaml::parse(text);
        let mut owners = Self::default();
        let mut findings: Vec<Finding> = problems
            .into_iter()
            .map(|problem| {
                let check = if problem.kind == ProblemKind::Syntax { "yaml-syntax" } else { CHECK_ID };
                Finding::new(check, Severity::Error, path, problem.span, problem.message)
            })
            .collect();
        let Some(node) = node else { return (owners, findings) };
        let mut reader = Reader { path, findings: &mut findings };
        for (key, value) in reader.mapping(&node, "`owners.yaml`") {
            match key.key_text() {
                "people" => {
                    for (id, person) in reader.mapping(value, "`people`") {
                        let person = reader.person(person);
                        owners.people.insert(id.key_text().to_owned(), person);
                    }
                }
                "teams" => {
                    for (id, team) in reader.mapping(value, "`teams`") {
                        let members = reader.members(team);
                        owners.teams.insert(id.key_text().to_owned(), members.into_iter().map(|(name, _)| name).collect());
                    }
                }
                other => reader.error(key, format!("the field `{other}` is not known; there are `people` and `teams`")),
            }
        }
        let unknown_members = node.get("teams").map(|teams| reader.unknown_members(teams, &owners)).unwrap_or_default();
        findings.extend(unknown_members);
        (owners, findings)
    }

    /// Tells whether `name` is a team or a person.
    pub fn knows(&self, name: &str) -> bool {
        self.teams.contains_key(name) || self.people.contains_key(name)
    }

    /// Returns the known name that is closest to a misspelt one.
    pub fn closest(&self, name: &str) -> Option<&str> {
        let known = self.teams.keys().chain(self.people.keys());
        let close = known.map(|known| (strsim::damerau_levenshtein(known, name), known.as_str())).min()?;
        (close.0 <= 3 && close.0 < name.len()).then_some(close.1)
    }

    /// Returns the person whom Git knows by `email`, compared without regard to case.
    pub fn person_by_email(&self, email: &str) -> Option<&str> {
        let has_email = |person: &Person| person.email.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(email));
        self.people.iter().find(|(_, person)| has_email(person)).map(|(id, _)| id.as_str())
    }
}

struct Reader<'file, 'findings> {
    path: &'file str,
    findings: &'findings mut Vec<Finding>,
}

impl Reader<'_, '_> {
    fn error(&mut self, node: &Node, message: String) {
        self.findings.push(Finding::new(CHECK_ID, Severity::Error, self.path, node.span.clone(), message));
    }

    fn mapping<'node>(&mut self, node: &'node Node, what: &str) -> &'node [(Node, Node)] {
        match &node.kind {
            Kind::Mapping(pairs) => pairs,
            _ => {
                self.error(node, format!("{what} must be a mapping, not {}", node.type_name()));
                &[]
            }
        }
    }

    fn texts(&mut self, node: &Node, what: &str) -> Vec<(String, Node)> {
        let Kind::Sequence(items) = &node.kind else {
            self.error(node, format!("{what} must be a list of texts, not {}", node.type_name()));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item.as_text() {
                Some(text) => texts.push((text.to_owned(), item.clone())),
                None => self.error(item, format!("an entry of {what} must be a text, not {}", item.type_name())),
            }
        }
        texts
    }

    fn person(&mut self, node: &Node) -> Person {
        let mut person = Person::default();
        for (key, value) in self.mapping(node, "a person") {
            match (key.key_text(), value.as_text()) {
                ("keys", _) => person.keys = self.texts(value, "`keys`").into_iter().map(|(key, _)| key).collect(),
                ("name", Some(text)) => person.name = Some(text.to_owned()),
                ("email", Some(text)) => person.email = Some(text.to_owned()),
                ("name" | "email", None) => {
                    self.error(value, format!("`{}` must be a text, not {}", key.key_text(), value.type_name()))
                }
                (other, _) => {
                    self.error(key, format!("the field `{other}` is not known; a person has `name`, `email` and `keys`"))
                }
            }
        }
        person
    }

    fn members(&mut self, team: &Node) -> Vec<(String, Node)> {
        let mut members = Vec::new();
        for (key, value) in self.mapping(team, "a team") {
            match key.key_text() {
                "members" => members = self.texts(value, "`members`"),
                "name" | "email" | "channel" if value.as_text().is_some() => {}
                other => self
                    .error(key, format!("the field `{other}` is not known; a team has `members`, `name`, `email` and `channel`")),
            }
        }
        members
    }

    fn unknown_members(&self, teams: &Node, owners: &Owners) -> Vec<Finding> {
        let Kind::Mapping(pairs) = &teams.kind else { return Vec::new() };
        let mut findings = Vec::new();
        for member in pairs.iter().filter_map(|(_, team)| team.get("members")) {
            let Kind::Sequence(items) = &member.kind else { continue };
            for item in items {
                if let Some(name) = item.as_text().filter(|name| !owners.people.contains_key(*name)) {
                    let message = format!("the member `{name}` is not under `people`");
                    findings.push(Finding::new(CHECK_ID, Severity::Error, self.path, item.span.clone(), message));
                }
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_people_and_teams() {
        let text = "people:\n  ana: {name: Ana, email: Ana@example.com, keys: [ssh-ed25519 AAAA]}\nteams:\n  support: {members: [ana]}\n";
        let (owners, findings) = Owners::parse("owners.yaml", text);
        assert_eq!(findings, []);
        assert!(owners.knows("ana") && owners.knows("support") && !owners.knows("suport"));
        assert_eq!(owners.closest("suport"), Some("support"));
        assert_eq!(owners.person_by_email("ana@EXAMPLE.com"), Some("ana"));
        assert_eq!(owners.people["ana"].keys, ["ssh-ed25519 AAAA"]);
    }

    #[test]
    fn collects_what_is_wrong() {
        let text = "people:\n  ana: {mail: x, name: 3}\nteams:\n  a: {members: [ana, bo]}\n  b: [ana]\nothers: {}\n";
        let (_, findings) = Owners::parse("owners.yaml", text);
        let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "the field `mail` is not known; a person has `name`, `email` and `keys`",
                "`name` must be a text, not a number",
                "a team must be a mapping, not a list",
                "the field `others` is not known; there are `people` and `teams`",
                "the member `bo` is not under `people`",
            ]
        );
    }
}
