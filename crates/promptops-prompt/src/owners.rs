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
    /// How teams are reached, by team.
    pub contacts: BTreeMap<String, Contact>,
}

/// How a team is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The name as people say it.
    pub name: Option<String>,
    /// An address that all of its members read.
    pub email: Option<String>,
    /// Where it talks: a URL, or the name of a channel.
    pub channel: Option<String>,
    /// The team on GitHub, as `acme/support`, without `@`.
    pub github: Option<String>,
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
    /// The account on GitHub, without `@`.
    pub github: Option<String>,
}

/// Longest account of GitHub, in bytes.
const MAX_ACCOUNT_BYTES: usize = 39;

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
                        let (members, contact) = reader.team(team);
                        owners.contacts.insert(id.key_text().to_owned(), contact);
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

    /// Returns how GitHub's CODEOWNERS names a team or a person: by account, else by address; a team without an account by its
    /// members, of whom any one suffices there, too. Nothing when there is no way to name it.
    pub fn code_owners(&self, name: &str) -> Vec<String> {
        let of_person = |id: &str| {
            let person = self.people.get(id)?;
            person.github.as_ref().map(|account| format!("@{account}")).or_else(|| person.email.clone())
        };
        let Some(members) = self.teams.get(name) else { return of_person(name).into_iter().collect() };
        match self.contacts.get(name).and_then(|contact| contact.github.as_ref()) {
            Some(team) => vec![format!("@{team}")],
            None => members.iter().filter_map(|member| of_person(member)).collect(),
        }
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
            match key.key_text() {
                "keys" => person.keys = self.texts(value, "`keys`").into_iter().map(|(key, _)| key).collect(),
                "name" => person.name = self.text(key, value),
                "email" => person.email = self.text(key, value),
                "github" => person.github = self.account(key, value, is_account, "an account as `ada`"),
                other => self
                    .error(key, format!("the field `{other}` is not known; a person has `name`, `email`, `github` and `keys`")),
            }
        }
        person
    }

    fn team(&mut self, team: &Node) -> (Vec<(String, Node)>, Contact) {
        let (mut members, mut contact) = (Vec::new(), Contact::default());
        for (key, value) in self.mapping(team, "a team") {
            match key.key_text() {
                "members" => members = self.texts(value, "`members`"),
                "name" => contact.name = self.text(key, value),
                "email" => contact.email = self.text(key, value),
                "channel" => contact.channel = self.text(key, value),
                "github" => contact.github = self.account(key, value, is_team, "a team as `acme/support`"),
                other => self.error(
                    key,
                    format!("the field `{other}` is not known; a team has `members`, `name`, `email`, `github` and `channel`"),
                ),
            }
        }
        (members, contact)
    }

    fn text(&mut self, key: &Node, value: &Node) -> Option<String> {
        let text = value.as_text().map(str::to_owned);
        if text.is_none() {
            self.error(value, format!("`{}` must be a text, not {}", key.key_text(), value.type_name()));
        }
        text
    }

    /// Reads a name of GitHub, with or without the `@` that it is mentioned by.
    fn account(&mut self, key: &Node, value: &Node, is_valid: fn(&str) -> bool, form: &str) -> Option<String> {
        let text = self.text(key, value)?;
        let account = text.strip_prefix('@').unwrap_or(&text);
        if is_valid(account) {
            return Some(account.to_owned());
        }
        self.error(value, format!("`github` must be {form}, not `{text}`"));
        None
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

fn is_account(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= MAX_ACCOUNT_BYTES && !text.starts_with('-') && text.bytes().all(is_allowed)
}

fn is_team(text: &str) -> bool {
    let is_slug =
        |slug: &str| !slug.is_empty() && slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    text.split_once('/').is_some_and(|(organisation, team)| is_account(organisation) && is_slug(team))
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
                "the field `mail` is not known; a person has `name`, `email`, `github` and `keys`",
                "`name` must be a text, not a number",
                "a team must be a mapping, not a list",
                "the field `others` is not known; there are `people` and `teams`",
                "the member `bo` is not under `people`",
            ]
        );
    }
    #[test]
    fn teams_are_named_as_github_knows_them() {
        let text = "people:\n  ana: {github: '@ana-b'}\n  bo: {email: bo@example.com}\n  cy: {name: Cy}\nteams:\n  \
                    support: {members: [ana], github: acme/support, channel: '#support'}\n  \
                    sales: {members: [ana, bo, cy]}\n  empty: {members: []}\n";
        let (owners, findings) = Owners::parse("owners.yaml", text);
        assert_eq!(findings, []);
        assert_eq!(owners.contacts["support"].channel.as_deref(), Some("#support"));
        assert_eq!(owners.code_owners("support"), ["@acme/support"]);
        assert_eq!(owners.code_owners("sales"), ["@ana-b", "bo@example.com"]);
        assert_eq!(owners.code_owners("ana"), ["@ana-b"]);
        for unreachable in ["cy", "empty", "nobody"] {
            assert_eq!(owners.code_owners(unreachable), Vec::<String>::new(), "{unreachable}");
        }
    }

    #[test]
    fn what_github_cannot_know_is_refused() {
        let text = "people:\n  ana: {github: ana b}\n  bo: {github: acme/bo}\n  cy: {github: 3}\n\
                    teams:\n  a: {github: support}\n  b: {github: acme/}\n";
        let (owners, findings) = Owners::parse("owners.yaml", text);
        let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "`github` must be an account as `ada`, not `ana b`",
                "`github` must be an account as `ada`, not `acme/bo`",
                "`github` must be a text, not a number",
                "`github` must be a team as `acme/support`, not `support`",
                "`github` must be a team as `acme/support`, not `acme/`",
            ]
        );
        assert!(owners.people.values().all(|person| person.github.is_none()));
    }
}
