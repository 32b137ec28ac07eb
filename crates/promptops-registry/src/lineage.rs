//! Lineage: what a prompt came from, what came from it, what it includes and what includes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use promptops_prompt::{PromptId, PromptRef, Version};

use crate::error::{RegistryError, Result};
use crate::index::{Catalogue, Index, VersionEntry, Versions};
use crate::registry::Registry;

/// How two versions hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// The one came from the other.
    Parent,
    /// The one includes the other.
    Include,
}

/// One connection: `from` came from `to`, or includes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The version that was made later.
    pub from: PromptRef,
    /// The version it refers to.
    pub to: PromptRef,
    /// How.
    pub relation: Relation,
}

/// The versions around a prompt or a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Lineage {
    /// What was asked for, ascending: every version of a prompt, or one.
    pub of: Vec<PromptRef>,
    /// Every version that is connected with it.
    pub versions: BTreeMap<PromptRef, VersionEntry>,
    /// How they are connected.
    pub edges: BTreeSet<Edge>,
}

impl Lineage {
    /// Returns what a version refers to in some way.
    pub fn targets<'a>(&'a self, from: &'a PromptRef, relation: Relation) -> impl Iterator<Item = &'a PromptRef> {
        self.edges.iter().filter(move |edge| edge.from == *from && edge.relation == relation).map(|edge| &edge.to)
    }

    /// Returns what refers to a version in some way.
    pub fn sources<'a>(&'a self, to: &'a PromptRef, relation: Relation) -> impl Iterator<Item = &'a PromptRef> {
        self.edges.iter().filter(move |edge| edge.to == *to && edge.relation == relation).map(|edge| &edge.from)
    }
}

impl Registry {
    /// Returns the lineage of a prompt, or of one of its versions.
    ///
    /// Ancestors and descendants are followed into other prompts; includes and dependants to the end, each from what was
    /// asked for. Reads the catalogue, and at most two shards for each prompt that is connected.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`]; [`RegistryError::VersionNotFound`].
    pub async fn lineage(&self, index: &Index<'_>, id: &PromptId, version: Option<Version>) -> Result<Lineage> {
        let own = index.versions(id).await?;
        if own.is_empty() {
            return Err(RegistryError::PromptNotFound { id: id.clone() });
        }
        let of: Vec<PromptRef> = match version {
            Some(version) if own.contains_key(&version) => vec![id.at(version)],
            Some(version) => return Err(RegistryError::VersionNotFound { reference: id.at(version) }),
            None => own.keys().map(|version| id.at(*version)).collect(),
        };
        let catalogue = index.catalogue().await?;
        let mut walk = Walk { index, catalogue: &catalogue, read: BTreeMap::from([(id.clone(), own)]), edges: BTreeSet::new() };
        let mut seen: BTreeSet<PromptRef> = of.iter().cloned().collect();
        for (relation, direction) in [
            (Relation::Parent, Direction::ToTarget),
            (Relation::Parent, Direction::ToSource),
            (Relation::Include, Direction::ToTarget),
            (Relation::Include, Direction::ToSource),
        ] {
            seen.extend(walk.follow(&of, relation, direction).await?);
        }
        let mut versions = BTreeMap::new();
        for reference in seen {
            if let Some(entry) = walk.entry(&reference).await? {
                versions.insert(reference, entry);
            }
        }
        Ok(Lineage { of, versions, edges: walk.edges })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// To parents, or to what is included.
    ToTarget,
    /// To descendants, or to dependants.
    ToSource,
}

struct Walk<'a> {
    index: &'a Index<'a>,
    catalogue: &'a Catalogue,
    read: BTreeMap<PromptId, Versions>,
    edges: BTreeSet<Edge>,
}

impl Walk<'_> {
    /// Follows one relation in one direction to the end and returns what it came by.
    async fn follow(&mut self, of: &[PromptRef], relation: Relation, direction: Direction) -> Result<BTreeSet<PromptRef>> {
        let mut seen: BTreeSet<PromptRef> = BTreeSet::new();
        let mut waiting: VecDeque<PromptRef> = of.iter().cloned().collect();
        while let Some(at) = waiting.pop_front() {
            let next = match direction {
                Direction::ToTarget => self.targets(&at, relation).await?,
                Direction::ToSource => self.sources(&at, relation).await?,
            };
            for other in next {
                let (from, to) = match direction {
                    Direction::ToTarget => (at.clone(), other.clone()),
                    Direction::ToSource => (other.clone(), at.clone()),
                };
                self.edges.insert(Edge { from, to, relation });
                if !of.contains(&other) && seen.insert(other.clone()) {
                    waiting.push_back(other);
                }
            }
        }
        Ok(seen)
    }

    async fn targets(&mut self, of: &PromptRef, relation: Relation) -> Result<Vec<PromptRef>> {
        Ok(match self.entry(of).await? {
            Some(entry) => targets(&entry, relation),
            None => Vec::new(),
        })
    }

    /// Asks the versions of every prompt that the catalogue says may refer to this one.
    async fn sources(&mut self, of: &PromptRef, relation: Relation) -> Result<Vec<PromptRef>> {
        let may_refer = self.catalogue.iter().filter(|(id, prompt)| match relation {
            Relation::Parent => **id == of.id || prompt.forked_from.contains(of),
            Relation::Include => prompt.includes.contains(of),
        });
        let ids: Vec<PromptId> = may_refer.map(|(id, _)| id.clone()).collect();
        let mut found = Vec::new();
        for id in ids {
            let versions = self.versions(&id).await?.iter();
            let referring = versions.filter(|(_, entry)| targets(entry, relation).contains(of));
            found.extend(referring.map(|(version, _)| id.at(*version)));
        }
        Ok(found)
    }

    async fn entry(&mut self, reference: &PromptRef) -> Result<Option<VersionEntry>> {
        Ok(self.versions(&reference.id).await?.get(&reference.version).cloned())
    }

    async fn versions(&mut self, id: &PromptId) -> Result<&Versions> {
        if !self.read.contains_key(id) {
            let versions = self.index.versions(id).await?;
            self.read.insert(id.clone(), versions);
        }
        Ok(&self.read[id])
    }
}

fn targets(entry: &VersionEntry, relation: Relation) -> Vec<PromptRef> {
    match relation {
        Relation::Parent => entry.parent.iter().cloned().collect(),
        Relation::Include => entry.includes.iter().cloned().collect(),
    }
}
