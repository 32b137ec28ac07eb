//! Publishing: a version gets its slot, once and for good.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use promptops_prompt::template::analyse;
use promptops_prompt::{Content, Digest, Metadata, Prompt, PromptRef, Version};
use promptops_store::{Created, Sequence, StoreError};

use crate::audit::{Act, AuditAction};
use crate::error::{RegistryError, Result};
use crate::layout::{self, Key};
use crate::policy::Policy;
use crate::record::{
    FORMAT, MetadataRecord, NamespaceRecord, PartDigests, Provenance, Published, VersionRecord, from_bytes, metadata_digest,
    to_bytes,
};
use crate::registry::Registry;

/// How often a change of metadata starts again because somebody else took the number.
const METADATA_ATTEMPTS: u32 = 100;

/// A version that is offered to a registry.
#[derive(Debug, Clone)]
pub struct Submission<'a> {
    /// The version.
    pub prompt: &'a Prompt,
    /// Where it was written.
    pub provenance: &'a Provenance,
}

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The version is published now.
    New,
    /// The version was published before, with this content and metadata. Nothing was written but what an interrupted
    /// publish left out.
    Already,
    /// The version was published before with this content; its new metadata is recorded under this number.
    MetadataChanged(u64),
}

/// A publish that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The version.
    pub reference: PromptRef,
    /// The digest of its content (G1).
    pub digest: Digest,
    /// What was done.
    pub outcome: Outcome,
}

impl Registry {
    /// Publishes a version.
    ///
    /// The slot of a version is created once: of any number of racing publishers exactly one content wins, and the others
    /// are told which (G3). The same content again is no error. The content is stored before the slot and the audit entry
    /// after it, so a repeated publish completes an interrupted one.
    ///
    /// # Errors
    /// [`RegistryError::Immutable`] when other content is published (G2), [`RegistryError::LineageChanged`],
    /// [`RegistryError::Lineage`], [`RegistryError::ParentMissing`], [`RegistryError::IncludeMissing`],
    /// [`RegistryError::ForeignNamespace`]; otherwise as the store fails.
    pub async fn publish(
        &self,
        submission: &Submission<'_>,
        policy: &Policy,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Publication> {
        let reference = submission.prompt.reference();
        check_lineage(submission.prompt)?;
        let content = self.content_of(submission.prompt).await?;
        let key = Key::Version(reference.clone());
        if let Some((published, bytes)) = self.read::<VersionRecord>(&key).await? {
            let act = publish_act(&published, &bytes);
            self.settle(submission, &content, &published, policy).await?;
            self.log.complete(&act, actor).await?;
            return self.publish_metadata(submission, &published, actor, now).await;
        }
        self.check_parent(submission.prompt).await?;
        self.claim_namespace(submission, policy).await?;

        let record = version_record(submission, &content, actor, now);
        self.store.create(&Key::Blob(record.digest).to_string(), content.to_bytes().into()).await?;
        let bytes = to_bytes(&record);
        match self.store.create(&key.to_string(), bytes.clone()).await {
            Ok(Created::New) => self.log.append(&publish_act(&record, &bytes)).await?,
            Ok(Created::Same) => self.log.complete(&publish_act(&record, &bytes), actor).await?,
            Err(StoreError::Conflict { .. }) => {
                // Somebody else was first. With the same content that is as good.
                let (winner, bytes) = self.must_read::<VersionRecord>(&key).await?;
                self.settle(submission, &content, &winner, policy).await?;
                self.log.complete(&publish_act(&winner, &bytes), actor).await?;
                return self.publish_metadata(submission, &winner, actor, now).await;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Publication { reference, digest: record.digest, outcome: Outcome::New })
    }

    /// Returns the metadata that holds for a published version: its own, or that of the latest change.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a change is unreadable; otherwise as the store fails.
    pub async fn metadata(&self, record: &VersionRecord) -> Result<Metadata> {
        let changes = self.metadata_changes(record).await?;
        Ok(changes.into_iter().next_back().map_or_else(|| record.metadata.clone(), |change| change.metadata))
    }

    /// Returns every change of metadata of a published version, oldest first.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a change is unreadable; otherwise as the store fails.
    pub async fn metadata_changes(&self, record: &VersionRecord) -> Result<Vec<MetadataRecord>> {
        let changes = Sequence::new(&self.store, &layout::metadata(&record.id))?.entries().await?;
        let mut own = Vec::new();
        for (number, bytes) in changes {
            let change: MetadataRecord = from_bytes(&Key::Metadata(record.id.clone(), number), &bytes)?;
            if change.version == record.version {
                own.push(change);
            }
        }
        Ok(own)
    }

    /// Takes what reaches the model out of a prompt, with its includes by the digests they are published with.
    ///
    /// # Errors
    /// [`RegistryError::IncludeMissing`] for an include that is not published; [`RegistryError::Template`] for a template
    /// that cannot be read or includes something that is not pinned.
    pub async fn content_of(&self, prompt: &Prompt) -> Result<Content> {
        let mut includes = BTreeMap::new();
        for include in direct_includes(prompt)? {
            let Some((record, _)) = self.read::<VersionRecord>(&Key::Version(include.clone())).await? else {
                return Err(RegistryError::IncludeMissing { reference: prompt.reference(), include });
            };
            includes.insert(include, record.digest);
        }
        Ok(Content::new(prompt, includes))
    }

    /// Decides whether a submission may stand beside the version that is published.
    async fn settle(
        &self,
        submission: &Submission<'_>,
        content: &Content,
        published: &VersionRecord,
        policy: &Policy,
    ) -> Result<()> {
        let reference = published.reference();
        let offered = content.digest();
        if offered != published.digest {
            let by = published.published.by.clone();
            return Err(RegistryError::Immutable { reference, published: published.digest, offered, by });
        }
        if submission.prompt.parent != published.parent {
            let name = |parent: &Option<PromptRef>| parent.as_ref().map_or("none".to_owned(), |parent| format!("`{parent}`"));
            let (published, offered) = (name(&published.parent), name(&submission.prompt.parent));
            return Err(RegistryError::LineageChanged { reference, published, offered });
        }
        self.claim_namespace(submission, policy).await
    }

    /// Records new metadata of a published version, unless it is what holds already.
    async fn publish_metadata(
        &self,
        submission: &Submission<'_>,
        published: &VersionRecord,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Publication> {
        let (reference, digest) = (published.reference(), published.digest);
        let sequence = Sequence::new(&self.store, &layout::metadata(&published.id))?;
        for _ in 0..METADATA_ATTEMPTS {
            let changes = self.metadata_changes(published).await?;
            let current = changes.last().map_or(&published.metadata, |change| &change.metadata);
            if *current == submission.prompt.metadata {
                if let Some(change) = changes.last() {
                    self.log.complete(&metadata_act(change), actor).await?;
                }
                return Ok(Publication { reference, digest, outcome: Outcome::Already });
            }
            let number = sequence.latest().await?.map_or(1, |(number, _)| number + 1);
            let change = MetadataRecord {
                format: FORMAT,
                id: published.id.clone(),
                sequence: number,
                version: published.version,
                metadata: submission.prompt.metadata.clone(),
                provenance: submission.provenance.clone(),
                published: Published { time: now, by: actor.to_owned() },
            };
            match sequence.append(number, to_bytes(&change)).await {
                Ok(created) => {
                    match created {
                        Created::New => self.log.append(&metadata_act(&change)).await?,
                        Created::Same => self.log.complete(&metadata_act(&change), actor).await?,
                    }
                    return Ok(Publication { reference, digest, outcome: Outcome::MetadataChanged(number) });
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RegistryError::Busy { key: layout::metadata(&published.id), attempts: METADATA_ATTEMPTS })
    }

    /// Refuses a version whose parent is not published.
    async fn check_parent(&self, prompt: &Prompt) -> Result<()> {
        let Some(parent) = &prompt.parent else { return Ok(()) };
        if self.store.exists(&Key::Version(parent.clone()).to_string()).await? {
            return Ok(());
        }
        Err(RegistryError::ParentMissing { reference: prompt.reference(), parent: parent.clone() })
    }

    /// Refuses a source repository to which the prompt's namespace does not belong; a free namespace becomes its own.
    ///
    /// What the policy says about the namespace, or the nearest one above it that it names, decides. Else the first publisher
    /// of the namespace or of one above it owns it.
    async fn claim_namespace(&self, submission: &Submission<'_>, policy: &Policy) -> Result<()> {
        let namespace = submission.prompt.id.namespace();
        let source = &submission.provenance.source;
        if let Some((namespace, owners)) = policy.namespace_owners(namespace) {
            return if owners.contains(source) { Ok(()) } else { Err(foreign(namespace, owners, source)) };
        }
        for name in with_ancestors(namespace) {
            if let Some((claim, _)) = self.read::<NamespaceRecord>(&Key::Namespace(name.to_owned())).await? {
                let owner = [claim.source];
                return if owner[0] == *source { Ok(()) } else { Err(foreign(name, &owner, source)) };
            }
        }
        let claim = NamespaceRecord { format: FORMAT, namespace: namespace.to_owned(), source: source.clone() };
        let key = Key::Namespace(namespace.to_owned());
        match self.store.create(&key.to_string(), to_bytes(&claim)).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. }) => {
                let (winner, _) = self.must_read::<NamespaceRecord>(&key).await?;
                Err(foreign(namespace, &[winner.source], source))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads an object that was there a moment ago.
    pub(crate) async fn must_read<T: serde::de::DeserializeOwned>(&self, key: &Key) -> Result<(T, bytes::Bytes)> {
        let gone = || RegistryError::Corrupt { key: key.to_string(), reason: "an object is missing".to_owned() };
        self.read(key).await?.ok_or_else(gone)
    }
}

/// Returns what the templates of a prompt include directly, each once.
///
/// # Errors
/// [`RegistryError::Template`] for a template that cannot be read or includes something that is not pinned.
pub fn direct_includes(prompt: &Prompt) -> Result<BTreeSet<PromptRef>> {
    let fail = |reason: String| RegistryError::Template { reference: prompt.reference(), reason };
    let mut includes = BTreeSet::new();
    for template in prompt.body.templates() {
        let uses = analyse(template).map_err(|error| fail(error.message))?;
        if let Some((tag, _)) = uses.unsupported.first() {
            return Err(fail(format!("a template cannot use the tag `{tag}`")));
        }
        for include in uses.includes {
            includes.insert(include.target.map_err(|_| fail("an include must be pinned as `id@version`".to_owned()))?);
        }
    }
    Ok(includes)
}

fn check_lineage(prompt: &Prompt) -> Result<()> {
    let fail = |reason| Err(RegistryError::Lineage { reference: prompt.reference(), reason });
    match &prompt.parent {
        None if prompt.version > Version::FIRST => fail("a version above 1 needs a `parent`"),
        Some(parent) if parent.id == prompt.id && parent.version >= prompt.version => {
            fail("the `parent` must be an earlier version")
        }
        _ => Ok(()),
    }
}

/// Returns `namespace` and every namespace above it, nearest first. The empty namespace is above none.
fn with_ancestors(namespace: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(namespace), |name| name.rsplit_once('.').map(|(above, _)| above))
}

fn foreign(namespace: &str, owners: &[String], source: &str) -> RegistryError {
    let owners: Vec<String> = owners.iter().map(|owner| format!("`{owner}`")).collect();
    RegistryError::ForeignNamespace {
        namespace: namespace.to_owned(),
        owners: owners.join(", "),
        source_repository: source.to_owned(),
    }
}

fn version_record(submission: &Submission<'_>, content: &Content, actor: &str, now: DateTime<Utc>) -> VersionRecord {
    let prompt = submission.prompt;
    VersionRecord {
        format: FORMAT,
        id: prompt.id.clone(),
        version: prompt.version,
        parent: prompt.parent.clone(),
        digest: content.digest(),
        digests: PartDigests {
            interface: content.interface_digest(),
            own: content.own_digest(),
            metadata: metadata_digest(&prompt.metadata),
        },
        metadata: prompt.metadata.clone(),
        provenance: submission.provenance.clone(),
        published: Published { time: now, by: actor.to_owned() },
    }
}

/// Describes a publish by what was stored, so that whoever completes it writes the entry the publisher would have.
fn publish_act(record: &VersionRecord, bytes: &[u8]) -> Act {
    let mut details = BTreeMap::from([
        ("content".to_owned(), record.digest.to_string()),
        ("author".to_owned(), record.provenance.author.clone()),
        ("source".to_owned(), record.provenance.source.clone()),
    ]);
    if let Some(commit) = &record.provenance.commit {
        details.insert("commit".to_owned(), commit.clone());
    }
    Act {
        time: record.published.time,
        actor: record.published.by.clone(),
        action: AuditAction::Publish,
        subject: Key::Version(record.reference()),
        digest: Digest::of(bytes),
        details,
    }
}

fn metadata_act(change: &MetadataRecord) -> Act {
    Act {
        time: change.published.time,
        actor: change.published.by.clone(),
        action: AuditAction::Metadata,
        subject: Key::Metadata(change.id.clone(), change.sequence),
        digest: Digest::of(&to_bytes(change)),
        details: BTreeMap::from([("version".to_owned(), change.version.to_string())]),
    }
}
