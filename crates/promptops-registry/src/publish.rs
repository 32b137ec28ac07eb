//! Publishing: a version gets its slot, once and for good.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::lock::Mutex;
use promptops_prompt::template::analyse;
use promptops_prompt::{Content, Digest, Metadata, Prompt, PromptRef, Version};
use promptops_store::{Created, Sequence, StoreError};

use crate::audit::{Act, AuditAction};
use crate::compatibility::BreakingRecord;
use crate::error::{ErrorKind, RegistryError, Result};
use crate::layout::{self, Key};
use crate::policy::Policy;
use crate::record::{
    FORMAT, MetadataRecord, NamespaceRecord, PartDigests, Provenance, Published, VersionRecord, from_bytes, metadata_digest,
    to_bytes,
};
use crate::registry::Registry;

/// How often a change of metadata starts again because somebody else took the number.
const METADATA_ATTEMPTS: u32 = 100;
/// Versions stored at the same time.
const CONCURRENT_PUBLISHES: usize = 32;

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

/// A version whose objects are stored and whose entries in the log are still due.
struct Stored {
    publication: Publication,
    due: Vec<Due>,
}

/// An entry that is due.
enum Due {
    /// Of what was stored just now.
    New(Act),
    /// Of what was found stored: its writer may have died before the entry.
    MayBeThere(Act),
}

impl Due {
    fn of(created: Created, act: Act) -> Self {
        match created {
            Created::New => Self::New(act),
            Created::Same => Self::MayBeThere(act),
        }
    }
}

/// Namespaces that a batch was found to own, so that each is asked for once.
type Claims = Mutex<HashSet<(String, String)>>;

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
    /// [`RegistryError::ForeignNamespace`], [`RegistryError::Incompatible`]; otherwise as the store fails.
    pub async fn publish(
        &self,
        submission: &Submission<'_>,
        policy: &Policy,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Publication> {
        let results = self.publish_all(std::slice::from_ref(submission), policy, actor, now).await?;
        results.into_iter().next().expect("one submission has one result")
    }

    /// Publishes versions, each after what it comes from and includes, those that do not depend on each other at the same
    /// time. The results are in the order of the submissions; one that is refused does not keep the others from being
    /// published, except those that need it.
    ///
    /// As [`Registry::publish`] for each. The versions of one step are visible before their audit entries are written, all of
    /// them together: a process that dies in between leaves more than one version whose entry the next publish completes.
    /// Costs about five calls for a new version, and one for the entries of up to 256.
    ///
    /// # Errors
    /// The first failure that is not about one version alone: the store cannot be reached, is full, or holds what cannot be
    /// read. What was published before stays, and is in the log.
    pub async fn publish_all(
        &self,
        submissions: &[Submission<'_>],
        policy: &Policy,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Result<Publication>>> {
        if let Some(server) = self.server() {
            return server.publish_all(submissions).await;
        }
        let claims = Claims::default();
        let mut results: Vec<Option<Result<Publication>>> = submissions.iter().map(|_| None).collect();
        for step in steps(submissions) {
            let stored: Vec<(usize, Result<Stored>)> = futures::stream::iter(step)
                .map(|index| {
                    let stored = self.store_version(&submissions[index], policy, &claims, actor, now);
                    async move { (index, stored.await) }
                })
                .buffered(CONCURRENT_PUBLISHES)
                .collect()
                .await;
            let (mut new, mut may_be_there, mut failure) = (Vec::new(), Vec::new(), None);
            for (index, stored) in stored {
                match stored {
                    Ok(Stored { publication, due }) => {
                        for due in due {
                            match due {
                                Due::New(act) => new.push(act),
                                Due::MayBeThere(act) => may_be_there.push(act),
                            }
                        }
                        results[index] = Some(Ok(publication));
                    }
                    Err(error) if is_about_the_store(&error) => failure = failure.or(Some(error)),
                    Err(error) => results[index] = Some(Err(error)),
                }
            }
            self.log.append(new).await?;
            self.log.complete(may_be_there, actor).await?;
            if let Some(error) = failure {
                return Err(error);
            }
        }
        Ok(results.into_iter().map(|result| result.expect("every submission is in one step")).collect())
    }

    /// Stores all objects of a version; their audit entries are the caller's to write.
    async fn store_version(
        &self,
        submission: &Submission<'_>,
        policy: &Policy,
        claims: &Claims,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Stored> {
        let reference = submission.prompt.reference();
        check_lineage(submission.prompt)?;
        let content = self.content_of(submission.prompt).await?;
        let key = Key::Version(reference.clone());
        if let Some((published, bytes)) = self.read::<VersionRecord>(&key).await? {
            return self.store_again(submission, &content, (published, bytes), policy, claims, actor, now).await;
        }
        self.check_parent(submission.prompt).await?;
        let breaking = self.check_compatibility(submission.prompt, &content, policy).await?;
        self.claim_namespace(submission, policy, claims).await?;

        let record = version_record(submission, &content, breaking, actor, now);
        self.store.create(&Key::Blob(record.digest).to_string(), content.to_bytes().into()).await?;
        let bytes = to_bytes(&record);
        match self.store.create(&key.to_string(), bytes.clone()).await {
            Ok(created) => {
                let publication = Publication { reference, digest: record.digest, outcome: Outcome::New };
                Ok(Stored { publication, due: vec![Due::of(created, publish_act(&record, &bytes))] })
            }
            Err(StoreError::Conflict { .. }) => {
                // Somebody else was first. With the same content that is as good.
                let winner = self.must_read::<VersionRecord>(&key).await?;
                self.store_again(submission, &content, winner, policy, claims, actor, now).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Decides about a version that is published already, and stores new metadata of it.
    #[expect(clippy::too_many_arguments, reason = "what a publish knows, and what it found")]
    async fn store_again(
        &self,
        submission: &Submission<'_>,
        content: &Content,
        (published, bytes): (VersionRecord, Bytes),
        policy: &Policy,
        claims: &Claims,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Stored> {
        settle(submission, content, &published)?;
        self.claim_namespace(submission, policy, claims).await?;
        let (outcome, metadata_due) = self.store_metadata(submission, &published, actor, now).await?;
        let publication = Publication { reference: published.reference(), digest: published.digest, outcome };
        let due = std::iter::once(Due::MayBeThere(publish_act(&published, &bytes))).chain(metadata_due).collect();
        Ok(Stored { publication, due })
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

    /// Stores new metadata of a published version, unless it is what holds already.
    async fn store_metadata(
        &self,
        submission: &Submission<'_>,
        published: &VersionRecord,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(Outcome, Option<Due>)> {
        let sequence = Sequence::new(&self.store, &layout::metadata(&published.id))?;
        for _ in 0..METADATA_ATTEMPTS {
            let changes = self.metadata_changes(published).await?;
            let current = changes.last().map_or(&published.metadata, |change| &change.metadata);
            if *current == submission.prompt.metadata {
                let due = changes.last().map(|change| Due::MayBeThere(metadata_act(change)));
                return Ok((Outcome::Already, due));
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
                    return Ok((Outcome::MetadataChanged(number), Some(Due::of(created, metadata_act(&change)))));
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
    async fn claim_namespace(&self, submission: &Submission<'_>, policy: &Policy, claims: &Claims) -> Result<()> {
        let claim = (submission.prompt.id.namespace().to_owned(), submission.provenance.source.clone());
        if !claims.lock().await.contains(&claim) {
            self.claim(&claim.0, &claim.1, policy).await?;
            claims.lock().await.insert(claim);
        }
        Ok(())
    }

    async fn claim(&self, namespace: &str, source: &str, policy: &Policy) -> Result<()> {
        if let Some((namespace, owners)) = policy.namespace_owners(namespace) {
            return if owners.iter().any(|owner| owner == source) { Ok(()) } else { Err(foreign(namespace, owners, source)) };
        }
        for name in with_ancestors(namespace) {
            if let Some((claim, _)) = self.read::<NamespaceRecord>(&Key::Namespace(name.to_owned())).await? {
                let owner = [claim.source];
                return if owner[0] == source { Ok(()) } else { Err(foreign(name, &owner, source)) };
            }
        }
        let claim = NamespaceRecord { format: FORMAT, namespace: namespace.to_owned(), source: source.to_owned() };
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
    pub(crate) async fn must_read<T: serde::de::DeserializeOwned>(&self, key: &Key) -> Result<(T, Bytes)> {
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

/// Puts submissions into steps: each after those of its parent and includes that come before it in the same batch.
fn steps(submissions: &[Submission<'_>]) -> Vec<Vec<usize>> {
    let mut steps: Vec<Vec<usize>> = Vec::new();
    let mut step_of: BTreeMap<PromptRef, usize> = BTreeMap::new();
    for (index, Submission { prompt, .. }) in submissions.iter().enumerate() {
        // What cannot be read is refused when its turn comes.
        let needs = direct_includes(prompt).unwrap_or_default().into_iter().chain(prompt.parent.clone());
        let after = |need: PromptRef| step_of.get(&need).map(|step| step + 1);
        // The same version twice: the second finds the first.
        let step = needs.chain([prompt.reference()]).filter_map(after).max().unwrap_or(0);
        if step == steps.len() {
            steps.push(Vec::new());
        }
        steps[step].push(index);
        step_of.insert(prompt.reference(), step);
    }
    steps
}

/// Decides whether a submission may stand beside the version that is published.
fn settle(submission: &Submission<'_>, content: &Content, published: &VersionRecord) -> Result<()> {
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
    Ok(())
}

/// Tells a failure that every other version would meet too from the refusal of one.
fn is_about_the_store(error: &RegistryError) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Corrupt | ErrorKind::Full)
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
pub(crate) fn with_ancestors(namespace: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(namespace), |name| name.rsplit_once('.').map(|(above, _)| above))
}

pub(crate) fn foreign(namespace: &str, owners: &[String], source: &str) -> RegistryError {
    let owners: Vec<String> = owners.iter().map(|owner| format!("`{owner}`")).collect();
    RegistryError::ForeignNamespace {
        namespace: namespace.to_owned(),
        owners: owners.join(", "),
        source_repository: source.to_owned(),
    }
}

fn version_record(
    submission: &Submission<'_>,
    content: &Content,
    breaking: Option<BreakingRecord>,
    actor: &str,
    now: DateTime<Utc>,
) -> VersionRecord {
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
        breaking,
        metadata: prompt.metadata.clone(),
        provenance: submission.provenance.clone(),
        published: Published { time: now, by: actor.to_owned() },
    }
}

/// Describes a publish by what was stored, so that whoever completes it writes the entry the publisher would have.
pub(crate) fn publish_act(record: &VersionRecord, bytes: &[u8]) -> Act {
    let mut details = BTreeMap::from([
        ("content".to_owned(), record.digest.to_string()),
        ("author".to_owned(), record.provenance.author.clone()),
        ("source".to_owned(), record.provenance.source.clone()),
    ]);
    if let Some(breaking) = &record.breaking {
        details.insert("breaking".to_owned(), breaking.reason.clone().unwrap_or_else(|| "accepted by the policy".to_owned()));
    }
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
