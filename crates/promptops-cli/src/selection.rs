//! Selection of prompts: `state:modified.text+`, `tag:billing`, `owner:data-team`, as `--select` and `--exclude` take them.
//!
//! Words apart are a union, words with a comma between them an intersection, as in dbt. A `+` behind a word adds every prompt that
//! includes what it selects, directly or not; one in front adds what is included. An unknown method or part is an error that
//! lists the known ones: a selector that matches nothing in silence would switch the gate off.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use promptops_prompt::change::{self, Part};
use promptops_prompt::draft::Draft;
use promptops_prompt::{Prompt, PromptId, PromptRef};

use crate::closure::direct_includes;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::proposal::Proposal;
use crate::working_tree::{PromptFile, WorkingTree};

/// Which prompts a command is about.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// Take these prompts only: `id:`, `tag:`, `owner:`, `state:new`, `state:modified` and `state:modified.PART`, with `+` behind it
    /// for whatever includes them; words apart are a union, a comma between them an intersection.
    #[arg(long, value_name = "SELECTOR")]
    select: Vec<String>,
    /// Leave these out.
    #[arg(long, value_name = "SELECTOR")]
    exclude: Vec<String>,
}

/// The methods of selectors.
const METHODS: [&str; 4] = ["id", "owner", "state", "tag"];

/// One word of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    with_included: bool,
    method: Method,
    with_including: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Method {
    /// Prompts whose id this is, or matches where it has a `*`.
    Id(String),
    /// Prompts with this tag.
    Tag(String),
    /// Prompts of this owner.
    Owner(String),
    /// Prompts that the base does not have.
    New,
    /// Prompts that differ from the base, in this part or in any.
    Modified(Option<Part>),
}

impl Selection {
    /// Tells whether nothing is asked for, so that a command takes what it takes by itself.
    pub fn is_empty(&self) -> bool {
        self.select.is_empty() && self.exclude.is_empty()
    }

    /// Refuses what is no selector, before anything else is done.
    pub fn check(&self) -> Outcome<()> {
        for text in self.select.iter().chain(&self.exclude) {
            parse(text)?;
        }
        Ok(())
    }

    /// Returns the prompts of a proposal that are selected, in order. With `--exclude` alone these are all others.
    pub fn of(&self, proposal: &Proposal) -> Outcome<BTreeSet<PromptId>> {
        let project = Graph::of(proposal);
        let selected = |texts: &[String]| -> Outcome<BTreeSet<PromptId>> {
            let mut found = BTreeSet::new();
            for text in texts {
                for intersection in parse(text)? {
                    found.extend(project.intersection(&intersection)?);
                }
            }
            Ok(found)
        };
        let taken = if self.select.is_empty() { proposal.prompts.keys().cloned().collect() } else { selected(&self.select)? };
        let left_out = selected(&self.exclude)?;
        Ok(taken.difference(&left_out).cloned().collect())
    }
}

/// Returns the files of the prompts that are not among these, for leaving out what is found in them. A file that cannot be read
/// as a prompt belongs to nobody and is never left out.
pub fn other_files(project: &Project, selected: &BTreeSet<PromptId>) -> Outcome<BTreeSet<String>> {
    let files = WorkingTree::read(project)?.files;
    let other = |file: PromptFile| {
        let prompt = Draft::parse(&file.path, &file.text).0.prompt()?;
        (!selected.contains(&prompt.id)).then_some(file.path)
    };
    Ok(files.into_iter().filter_map(other).collect())
}

/// Reads a selector: a union of intersections.
fn parse(text: &str) -> Outcome<Vec<Vec<Word>>> {
    let words: Outcome<Vec<Vec<Word>>> =
        text.split_whitespace().map(|union| union.split(',').map(word).collect::<Outcome<Vec<Word>>>()).collect();
    let words = words?;
    if words.is_empty() {
        return Err(unknown("the selector is empty".to_owned()));
    }
    Ok(words)
}

fn word(text: &str) -> Outcome<Word> {
    let (with_included, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
    let (with_including, rest) = rest.strip_suffix('+').map_or((false, rest), |rest| (true, rest));
    let method = match rest.split_once(':') {
        None | Some(("id", _)) => {
            let id = rest.strip_prefix("id:").unwrap_or(rest);
            if id.is_empty() || id.contains('+') {
                return Err(unknown(format!("`{text}` names no prompt")));
            }
            Method::Id(id.to_owned())
        }
        Some(("tag", tag)) if !tag.is_empty() => Method::Tag(tag.to_owned()),
        Some(("owner", owner)) if !owner.is_empty() => Method::Owner(owner.to_owned()),
        Some(("state", state)) => state_method(state)?,
        Some((method, _)) if METHODS.contains(&method) => return Err(unknown(format!("`{text}` lacks what it looks for"))),
        Some((method, _)) => return Err(unknown(format!("there is no selector `{method}:`"))),
    };
    Ok(Word { with_included, method, with_including })
}

fn state_method(state: &str) -> Outcome<Method> {
    let part = |name: &str| Part::ALL.into_iter().find(|part| part.name() == name);
    match (state, state.strip_prefix("modified.")) {
        ("new", _) => Ok(Method::New),
        ("modified", _) => Ok(Method::Modified(None)),
        (_, Some(name)) => match part(name) {
            Some(part) => Ok(Method::Modified(Some(part))),
            None => Err(unknown(format!("a prompt has no part `{name}` that could be modified"))),
        },
        _ => Err(unknown(format!("there is no state `{state}`"))),
    }
}

fn unknown(message: String) -> Failure {
    let parts: Vec<String> = Part::ALL.into_iter().map(|part| format!("`state:modified.{}`", part.name())).collect();
    let hint = format!(
        "the selectors are `id:` (with `*`), `tag:`, `owner:`, `state:new`, `state:modified`, {}; a `+` behind one adds what includes it, \
         one in front what it includes",
        parts.join(", ")
    );
    Failure::new(Exit::Usage, message).hint(hint)
}

/// The prompts of a proposal and what they include.
struct Graph<'a> {
    proposal: &'a Proposal,
    /// What each prompt includes, at the very version that is proposed: another one does not change with it.
    included: BTreeMap<&'a PromptId, Vec<PromptId>>,
}

impl<'a> Graph<'a> {
    fn of(proposal: &'a Proposal) -> Self {
        let is_proposed =
            |reference: &PromptRef| proposal.prompts.get(&reference.id).is_some_and(|prompt| prompt.version == reference.version);
        let included = proposal.prompts.values().map(|prompt| {
            let proposed = direct_includes(prompt).into_iter().filter(is_proposed);
            (&prompt.id, proposed.map(|reference| reference.id).collect())
        });
        Self { proposal, included: included.collect() }
    }

    fn intersection(&self, words: &[Word]) -> Outcome<BTreeSet<PromptId>> {
        let mut found: Option<BTreeSet<PromptId>> = None;
        for word in words {
            let one = self.word(word)?;
            found = Some(match found {
                Some(found) => found.intersection(&one).cloned().collect(),
                None => one,
            });
        }
        Ok(found.unwrap_or_default())
    }

    fn word(&self, word: &Word) -> Outcome<BTreeSet<PromptId>> {
        let mut found = BTreeSet::new();
        for prompt in self.proposal.prompts.values() {
            if self.matches(&word.method, prompt)? {
                found.insert(prompt.id.clone());
            }
        }
        if found.is_empty()
            && let Method::Id(id) = &word.method
            && !id.contains('*')
        {
            return Err(Failure::new(Exit::NotFound, format!("there is no readable prompt `{id}`"))
                .hint("`promptops list` shows the prompts; `*` stands for any letters"));
        }
        let mut reached = found.clone();
        if word.with_including {
            reached.extend(self.reach(&found, |id, other| self.includes(other, id)));
        }
        if word.with_included {
            reached.extend(self.reach(&found, |id, other| self.includes(id, other)));
        }
        Ok(reached)
    }

    fn includes(&self, id: &PromptId, other: &PromptId) -> bool {
        self.included.get(id).is_some_and(|included| included.contains(other))
    }

    /// Follows a relation from some prompts as far as it goes.
    fn reach(&self, from: &BTreeSet<PromptId>, leads: impl Fn(&PromptId, &PromptId) -> bool) -> BTreeSet<PromptId> {
        let (mut reached, mut open) = (from.clone(), from.iter().cloned().collect::<Vec<_>>());
        while let Some(id) = open.pop() {
            for other in self.proposal.prompts.keys() {
                if !reached.contains(other) && leads(&id, other) {
                    reached.insert(other.clone());
                    open.push(other.clone());
                }
            }
        }
        reached
    }

    fn matches(&self, method: &Method, prompt: &Prompt) -> Outcome<bool> {
        Ok(match method {
            Method::Id(pattern) => matches_pattern(pattern, prompt.id.as_str()),
            Method::Tag(tag) => prompt.metadata.tags.contains(tag),
            Method::Owner(owner) => prompt.metadata.owner == *owner,
            Method::New => self.base()?.at_base(&prompt.id)?.is_none(),
            Method::Modified(part) => {
                let Some(base) = self.base()?.at_base(&prompt.id)? else {
                    // What is new differs in every part.
                    return Ok(true);
                };
                let candidate = self.proposal.candidate(&prompt.id)?;
                let mut changes = change::classify(&base.closure, &candidate.closure);
                changes.extend(change::classify_metadata(&base.prompt.metadata, &candidate.prompt.metadata));
                changes.iter().any(|change| part.is_none_or(|part| change.part == part))
            }
        })
    }

    fn base(&self) -> Outcome<&'a Proposal> {
        if self.proposal.has_base() {
            return Ok(self.proposal);
        }
        Err(Failure::new(Exit::Usage, "`state:` compares with a base, and none is given")
            .hint("add `--base REVISION`, such as `--base origin/main`"))
    }
}

/// Tells whether a name matches a pattern in which each `*` stands for any letters.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(first) else { return false };
    let matches_from = |at: usize| name.get(at..).is_some_and(|tail| matches_pattern(rest, tail));
    (0..=name.len()).any(matches_from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read() {
        let read = |text: &str| parse(text).unwrap();
        let plain = |method| Word { with_included: false, method, with_including: false };
        assert_eq!(read("a.b"), [[plain(Method::Id("a.b".into()))]]);
        assert_eq!(
            read("state:modified.text+ tag:x,owner:y"),
            vec![
                vec![Word { with_including: true, ..plain(Method::Modified(Some(Part::Text))) }],
                vec![plain(Method::Tag("x".into())), plain(Method::Owner("y".into()))]
            ]
        );
        assert_eq!(read("+id:a"), [[Word { with_included: true, ..plain(Method::Id("a".into())) }]]);
        for part in Part::ALL {
            assert_eq!(read(&format!("state:modified.{}", part.name())), [[plain(Method::Modified(Some(part)))]]);
        }
    }

    #[test]
    fn what_is_unknown_is_an_error_that_lists_what_is_known() {
        for (text, message) in [
            ("state:modified.body", "a prompt has no part `body` that could be modified"),
            ("state:old", "there is no state `old`"),
            ("path:prompts/", "there is no selector `path:`"),
            ("tag:", "`tag:` lacks what it looks for"),
            ("tag:a,", "`` names no prompt"),
            (" ", "the selector is empty"),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.error.to_string(), message);
            assert!(failure.hint.unwrap().contains("`state:modified.includes`"), "{text}");
        }
    }

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, matches) in [
            ("*", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "ab", false),
            ("*.tone", "shared.tone", true),
            ("a*c*e", "abcde", true),
            ("a*c", "abcd", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), matches, "{pattern} {name}");
        }
    }
}
