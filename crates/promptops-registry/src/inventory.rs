//! The inventory: which prompts there are, by what is asked for, and which of them a text finds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Content, Metadata, PromptId};

use crate::environment::EnvironmentName;
use crate::error::{RegistryError, Result};
use crate::index::{Catalogue, PromptEntry};
use crate::registry::Registry;

/// Contents read at the same time.
const CONCURRENT_READS: usize = 32;

/// Which prompts are asked for. What is not set does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those with all of these tags.
    pub tags: Vec<String>,
    /// Only those whose latest version is written for this model; a trailing `*` stands for any ending.
    pub model: Option<String>,
    /// Only those that are live: what an environment pins, from [`Registry::live`].
    pub live: Option<BTreeMap<PromptId, LockedPrompt>>,
    /// Only those without a version published since this time.
    pub stale_since: Option<DateTime<Utc>>,
    /// Only those whose latest version is deprecated or yanked.
    pub withdrawn: bool,
}

impl Filter {
    /// Tells whether a prompt is asked for.
    pub fn keeps(&self, id: &PromptId, prompt: &PromptEntry) -> bool {
        let latest = &prompt.latest;
        self.owner.as_ref().is_none_or(|owner| latest.metadata.owner == *owner)
            && self.tags.iter().all(|tag| latest.metadata.tags.contains(tag))
            && self.model.as_ref().is_none_or(|model| is_model(&latest.model, model))
            && self.live.as_ref().is_none_or(|live| live.contains_key(id))
            && self.stale_since.is_none_or(|time| latest.published.time < time)
            && (!self.withdrawn || latest.withdrawal().is_some())
    }

    /// Returns the prompts of a catalogue that are asked for.
    pub fn apply(&self, mut catalogue: Catalogue) -> Catalogue {
        catalogue.retain(|id, prompt| self.keeps(id, prompt));
        catalogue
    }
}

fn is_model(model: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(beginning) => model.starts_with(beginning),
        None => model == wanted,
    }
}

/// A prompt that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The prompt.
    pub id: PromptId,
    /// How well it fits; only good for comparing hits of one search.
    pub score: u32,
    /// Where the words stand, best first.
    pub found_in: Vec<Place>,
    /// The first line of its text with one of the words, when the text was searched.
    pub line: Option<String>,
}

/// Where a word of a search stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the id.
    Id,
    /// In a tag.
    Tag,
    /// In the owner's name.
    Owner,
    /// In the purpose.
    Purpose,
    /// In the name of the model.
    Model,
    /// In the text of the latest version.
    Text,
}

impl Place {
    /// Returns the name on the wire and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Tag => "tag",
            Self::Owner => "owner",
            Self::Purpose => "purpose",
            Self::Model => "model",
            Self::Text => "text",
        }
    }

    /// What a whole word there is worth, and what a part of one is.
    fn worth(self) -> (u32, u32) {
        match self {
            Self::Id => (40, 20),
            Self::Tag => (30, 12),
            Self::Owner => (20, 6),
            Self::Purpose => (15, 8),
            Self::Model => (10, 5),
            Self::Text => (4, 2),
        }
    }
}

/// What an id that equals the whole search is worth on top.
const WHOLE_ID: u32 = 100;

/// A search: words that must all be found, in any place, without regard to case.
#[derive(Debug, Clone)]
pub struct Search {
    whole: String,
    words: Vec<String>,
}

impl Search {
    /// Reads a search; nothing for one without words.
    pub fn new(text: &str) -> Option<Self> {
        let whole = text.trim().to_lowercase();
        let words: Vec<String> = whole.split_whitespace().map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self { whole, words })
    }

    /// Tells whether a prompt has all the words, and how well it fits. `text` is what it says, if that is to be searched.
    pub fn rank(&self, id: &PromptId, prompt: &PromptEntry, text: Option<&str>) -> Option<Hit> {
        self.rank_version(id, &prompt.latest.metadata, &prompt.latest.model, text)
    }

    /// Tells whether one version of a prompt has all the words, as [`Search::rank`] does for the latest.
    pub fn rank_version(&self, id: &PromptId, metadata: &Metadata, model: &str, text: Option<&str>) -> Option<Hit> {
        let mut fields = vec![(Place::Id, id.as_str()), (Place::Owner, &metadata.owner), (Place::Model, model)];
        fields.extend(metadata.tags.iter().map(|tag| (Place::Tag, tag.as_str())));
        fields.extend(metadata.purpose.iter().map(|purpose| (Place::Purpose, purpose.as_str())));
        fields.extend(text.map(|text| (Place::Text, text)));
        let fields: Vec<(Place, String)> = fields.into_iter().map(|(place, text)| (place, text.to_lowercase())).collect();

        let mut score = if id.as_str() == self.whole { WHOLE_ID } else { 0 };
        let mut found_in: Vec<Place> = Vec::new();
        for word in &self.words {
            let worth = |(place, text): &(Place, String)| Some((worth(*place, text, word)?, *place));
            let (best, place) = fields.iter().filter_map(worth).max_by_key(|(worth, _)| *worth)?;
            score += best;
            found_in.push(place);
        }
        found_in.sort();
        found_in.dedup();
        let line = text.and_then(|text| {
            let has_word = |line: &&str| self.words.iter().any(|word| line.to_lowercase().contains(word));
            text.lines().find(has_word).map(|line| line.trim().to_owned())
        });
        Some(Hit { id: id.clone(), score, found_in, line })
    }
}

/// Returns what a word in a field is worth; nothing when it is not there.
fn worth(place: Place, text: &str, word: &str) -> Option<u32> {
    let (whole, part) = place.worth();
    if text == word || text.split(|letter: char| !letter.is_alphanumeric()).any(|other| other == word) {
        return Some(whole);
    }
    text.contains(word).then_some(part)
}

/// Puts the best hit first; hits that fit equally by id.
pub fn sort(hits: &mut [Hit]) {
    hits.sort_by(|one, other| other.score.cmp(&one.score).then_with(|| one.id.cmp(&other.id)));
}

impl Registry {
    /// Returns what is live in an environment, for [`Filter::live`]. One call for each shard of its pins.
    ///
    /// # Errors
    /// [`RegistryError::NothingDeployed`] when nothing was ever deployed there.
    pub async fn live(&self, environment: &EnvironmentName) -> Result<BTreeMap<PromptId, LockedPrompt>> {
        let nothing = || RegistryError::NothingDeployed { environment: environment.clone() };
        let release = self.current(environment).await?.ok_or_else(nothing)?;
        Ok(self.pins(&release).await?.prompts)
    }

    /// Returns the prompts that a search finds, the best first.
    ///
    /// Without `with_text` makes no call: id, tags, owner, purpose and model are in the index. With it reads the content of
    /// the latest version of every prompt, one call each.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a content is missing or altered.
    pub async fn search(&self, catalogue: &Catalogue, search: &Search, with_text: bool) -> Result<Vec<Hit>> {
        let mut hits: Vec<Hit> = if with_text {
            futures::stream::iter(catalogue)
                .map(|(id, prompt)| async move {
                    let text = text_of(&self.content(&prompt.latest.digest).await?);
                    Ok::<_, RegistryError>(search.rank(id, prompt, Some(&text)))
                })
                .buffered(CONCURRENT_READS)
                .try_filter_map(|hit| std::future::ready(Ok(hit)))
                .try_collect()
                .await?
        } else {
            catalogue.iter().filter_map(|(id, prompt)| search.rank(id, prompt, None)).collect()
        };
        sort(&mut hits);
        Ok(hits)
    }
}

fn text_of(content: &Content) -> String {
    content.body.templates().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use promptops_prompt::{Digest, Version};

    use super::*;
    use crate::index::VersionEntry;
    use crate::record::Published;

    fn prompt(owner: &str, tags: &[&str], purpose: &str, model: &str) -> PromptEntry {
        let latest = VersionEntry {
            digest: Digest::of(b"content"),
            record: Digest::of(b"record"),
            parent: None,
            includes: BTreeSet::new(),
            model: model.to_owned(),
            metadata: Metadata {
                owner: owner.to_owned(),
                purpose: Some(purpose.to_owned()),
                tags: tags.iter().map(ToString::to_string).collect(),
                ..Metadata::default()
            },
            metadata_change: None,
            author: "ann@example.com".to_owned(),
            commit: None,
            published: Published { time: "2026-11-01T00:00:00Z".parse().unwrap(), by: "ci".to_owned() },
            status: None,
        };
        PromptEntry {
            versions: BTreeSet::from([Version::FIRST]),
            latest,
            includes: BTreeSet::new(),
            forked_from: BTreeSet::new(),
        }
    }

    fn catalogue() -> Catalogue {
        [
            ("support.refund", prompt("billing", &["money"], "Answer whether a refund is due", "claude-3-5-sonnet")),
            ("billing.reminder", prompt("billing", &["money", "support"], "Remind of an open invoice", "gpt-4o")),
            ("support.tone", prompt("support", &["shared"], "How we speak, also about a refund", "gpt-4o-mini")),
        ]
        .into_iter()
        .map(|(id, prompt)| (id.parse().unwrap(), prompt))
        .collect()
    }

    fn found(text: &str) -> Vec<String> {
        let search = Search::new(text).unwrap();
        let mut hits: Vec<Hit> = catalogue().iter().filter_map(|(id, prompt)| search.rank(id, prompt, None)).collect();
        sort(&mut hits);
        hits.iter().map(|hit| hit.id.to_string()).collect()
    }

    #[test]
    fn the_id_counts_more_than_what_is_said_about_it() {
        assert_eq!(found("refund"), ["support.refund", "support.tone"]);
        assert_eq!(found("support.tone"), ["support.tone"]);
        assert_eq!(found("billing"), ["billing.reminder", "support.refund"]);
        assert_eq!(found("SUPPORT"), ["support.refund", "support.tone", "billing.reminder"]);
    }

    #[test]
    fn every_word_must_be_found_somewhere() {
        assert_eq!(found("support invoice"), ["billing.reminder"]);
        assert_eq!(found("gpt speak"), ["support.tone"]);
        assert_eq!(found("support nothing"), Vec::<String>::new());
        assert!(Search::new("  ").is_none());
    }

    #[test]
    fn a_text_is_searched_when_it_is_given_and_its_line_is_shown() {
        let catalogue = catalogue();
        let (id, prompt) = catalogue.first_key_value().unwrap();
        let search = Search::new("kindly reminder").unwrap();
        assert_eq!(search.rank(id, prompt, None), None);
        let hit = search.rank(id, prompt, Some("You write.\n  Ask Kindly for the money.\n")).unwrap();
        assert_eq!((hit.found_in, hit.line.as_deref()), (vec![Place::Id, Place::Text], Some("Ask Kindly for the money.")));
    }

    #[test]
    fn filters_restrict_together() {
        let names = |filter: Filter| filter.apply(catalogue()).keys().map(ToString::to_string).collect::<Vec<_>>();
        let all = names(Filter::default());
        assert_eq!(all.len(), 3);
        assert_eq!(names(Filter { owner: Some("billing".into()), ..Filter::default() }), ["billing.reminder", "support.refund"]);
        assert_eq!(names(Filter { tags: vec!["money".into(), "support".into()], ..Filter::default() }), ["billing.reminder"]);
        assert_eq!(names(Filter { model: Some("gpt-4o".into()), ..Filter::default() }), ["billing.reminder"]);
        assert_eq!(names(Filter { model: Some("gpt-4o*".into()), ..Filter::default() }), ["billing.reminder", "support.tone"]);
        assert_eq!(names(Filter { live: Some(BTreeMap::new()), ..Filter::default() }), Vec::<String>::new());
        let time = |text: &str| Some(text.parse().unwrap());
        assert_eq!(names(Filter { stale_since: time("2026-11-01T00:00:00Z"), ..Filter::default() }), Vec::<String>::new());
        assert_eq!(names(Filter { stale_since: time("2026-11-01T00:00:01Z"), ..Filter::default() }), all);
    }
}
