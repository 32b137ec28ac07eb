//! A registry with 100,000 prompts in 20 versions each: what is asked of the store.
//!
//! The store makes its objects up when they are read and counts what it is asked for, so the two million versions exist
//! as far as anybody looks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::owners::Owners;
use promptops_prompt::{Body, Content, Digest, Metadata, PromptId, PromptRef, Version};
use promptops_store::Store;

use super::*;
use crate::audit::{AuditAction, AuditBatch, AuditEntry, CompactRange};
use crate::environment::{Release, ReleaseAction};
use crate::pins::PinSet;
use crate::record::{FORMAT, FormatRecord, PartDigests, Provenance, Published, VersionRecord, metadata_digest, to_bytes};
use crate::{Authority, EnvironmentName, Policy, Targets};

const PROMPTS: u32 = 100_000;
const VERSIONS: u32 = 20;
/// Snapshots that were made so far.
const SNAPSHOTS: u64 = 7_813;
/// The audit log up to the latest of them: the making of the registry, and every publish.
const POSITION: u64 = 1 + PROMPTS as u64 * VERSIONS as u64;
/// Publishes since: a new version of each of as many prompts.
const SINCE: u32 = 200;
/// Prompts that are live in an environment.
const LIVE: u32 = 10_000;
/// The one prompt that others include: it has the number 0, and what includes it a number below this.
const INCLUDERS: u32 = 30;

fn time() -> DateTime<Utc> {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

fn id(number: u32) -> PromptId {
    format!("team-{}.prompt-{number}", number % 100).parse().unwrap()
}

fn number(id: &PromptId) -> u32 {
    id.as_str().rsplit_once('-').unwrap().1.parse().unwrap()
}

fn version(number: u32) -> Version {
    Version::new(number).unwrap()
}

/// The content of a prompt: the same in all its versions.
fn content(number: u32) -> Content {
    let included = id(0).at(version(1));
    let includes =
        if (1..INCLUDERS).contains(&number) { BTreeMap::from([(included, content(0).digest())]) } else { BTreeMap::new() };
    Content {
        model: "claude-3-5-sonnet".to_owned(),
        parameters: serde_json::Map::new(),
        inputs: BTreeMap::new(),
        output: None,
        tools: None,
        body: Body::Template(if includes.is_empty() { "Answer.".to_owned() } else { "Answer well.".to_owned() }),
        includes,
    }
}

fn record(reference: &PromptRef, content: &Content, digest: Digest) -> VersionRecord {
    let metadata = Metadata { owner: "team".to_owned(), tags: vec!["simulated".to_owned()], ..Metadata::default() };
    VersionRecord {
        format: FORMAT,
        id: reference.id.clone(),
        version: reference.version,
        parent: Version::new(reference.version.number() - 1).map(|parent| reference.id.at(parent)),
        digest,
        digests: PartDigests { interface: digest, own: content.own_digest(), metadata: metadata_digest(&metadata) },
        metadata,
        provenance: Provenance {
            commit: None,
            author: "ann@example.com".to_owned(),
            time: time(),
            source: "github.com/acme/prompts".to_owned(),
            path: "prompts/p.yaml".to_owned(),
            run: None,
        },
        breaking: None,
        published: Published { time: time(), by: "ci@example.com".to_owned() },
    }
}

/// What the store was asked for.
#[derive(Debug, Default)]
struct Calls {
    read: Vec<String>,
    asked_for: Vec<String>,
    listed: Vec<String>,
}

impl Calls {
    fn read_below(&self, folder: &str) -> usize {
        self.read.iter().filter(|key| key.starts_with(folder)).count()
    }
}

/// The objects that are not made up when they are read, because others name their digests; and the calls.
#[derive(Debug, Default)]
struct Simulated {
    objects: HashMap<String, Bytes>,
    calls: Mutex<Calls>,
}

impl fmt::Display for Simulated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Simulated")
    }
}

impl Simulated {
    /// Makes the shards of the latest snapshot and of what is live, and opens a registry on them.
    async fn open() -> (Arc<Self>, Registry) {
        let mut simulated = Self::default();
        simulated.objects.insert("format.json".to_owned(), to_bytes(&FormatRecord { format: FORMAT }));
        for number in [0, 1, INCLUDERS] {
            simulated.objects.insert(Key::Blob(content(number).digest()).to_string(), content(number).to_bytes().into());
        }
        let mut shards: BTreeMap<String, CatalogueShard> = BTreeMap::new();
        let mut pins: BTreeMap<String, PinSet> = BTreeMap::new();
        let contents = [0, 1, INCLUDERS].map(|number| (content(number), content(number).digest()));
        for number in 0..PROMPTS {
            let (content, digest) = &contents[if number < INCLUDERS { number.min(1) as usize } else { 2 }];
            let id = id(number);
            let record = record(&id.at(version(VERSIONS)), content, *digest);
            // Nobody compares it here, and that of the record itself takes most of the time.
            let record_digest = Digest::of(id.as_str().as_bytes());
            let latest = VersionEntry::new(record, record_digest, content);
            let names = ShardNames::of(&id);
            let shard = shards.entry(names.catalogue).or_default();
            if number < LIVE {
                let pin = LockedPrompt { version: version(VERSIONS), digest: *digest, record: record_digest, rollout: None };
                pins.entry(PinSet::shard_name(&id)).or_default().prompts.insert(id.clone(), pin);
            }
            let versions = (1..=VERSIONS).map(version).collect();
            let includes = latest.includes.clone();
            shard.prompts.insert(id, PromptEntry { versions, latest, includes, forked_from: BTreeSet::new() });
            // No list reads versions, so nothing lies under these names but for the prompt that is looked at below.
            let digest = Digest::of(names.versions.as_bytes());
            shard.versions.insert(names.versions, digest);
        }
        simulated.add_versions_of(&id(7), &mut shards);
        let manifest = Manifest { format: FORMAT, position: POSITION, shards: simulated.add(shards, Key::IndexShard) };
        simulated.objects.insert(Key::Index(SNAPSHOTS).to_string(), to_bytes(&manifest));
        let pins = simulated.add(pins, Key::Pins);
        let release = release(pins);
        simulated.objects.insert(Key::Release(release.environment.clone(), 1).to_string(), to_bytes(&release));

        let backend = Arc::new(simulated);
        let registry = Registry::open(Store::on(Arc::clone(&backend) as Arc<dyn ObjectStore>)).await.unwrap();
        backend.calls();
        (backend, registry)
    }

    fn add<T: serde::Serialize>(&mut self, shards: BTreeMap<String, T>, key: fn(Digest) -> Key) -> BTreeMap<String, Digest> {
        let add = |(name, shard)| {
            let bytes = to_bytes(&shard);
            let digest = Digest::of(&bytes);
            self.objects.insert(key(digest).to_string(), bytes);
            (name, digest)
        };
        shards.into_iter().map(add).collect()
    }

    /// Makes the shard of versions that holds a prompt, with the prompt alone in it.
    fn add_versions_of(&mut self, id: &PromptId, shards: &mut BTreeMap<String, CatalogueShard>) {
        let names = ShardNames::of(id);
        let content = content(number(id));
        let entry = |number| {
            let record = record(&id.at(version(number)), &content, content.digest());
            let digest = record.record_digest();
            (version(number), VersionEntry::new(record, digest, &content))
        };
        let versions = BTreeMap::from([(id.clone(), (1..=VERSIONS).map(entry).collect())]);
        let part = BTreeMap::from([(names.versions, VersionsShard { prompts: versions, ..VersionsShard::default() })]);
        let added = self.add(part, Key::IndexShard);
        shards.get_mut(&names.catalogue).unwrap().versions.extend(added);
    }

    /// Returns what was asked for since the last time.
    fn calls(&self) -> Calls {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn object(&self, key: &str) -> Option<Bytes> {
        if let Some(bytes) = self.objects.get(key) {
            return Some(bytes.clone());
        }
        match Key::parse(key)? {
            Key::Version(reference) => {
                let number = number(&reference.id);
                let last = if number < SINCE { VERSIONS + 1 } else { VERSIONS };
                let content = content(number);
                let digest = content.digest();
                (number < PROMPTS && reference.version.number() <= last).then(|| to_bytes(&record(&reference, &content, digest)))
            }
            Key::Log(number) if number <= POSITION + u64::from(SINCE) => Some(log_entry(number)),
            // Older snapshots are asked for, and never read.
            Key::Index(number) if number < SNAPSHOTS => Some(Bytes::from_static(b"an older snapshot")),
            _ => None,
        }
    }
}

fn log_entry(sequence: u64) -> Bytes {
    let published = sequence.saturating_sub(2);
    let subject = if sequence > POSITION {
        id((sequence - POSITION - 1) as u32).at(version(VERSIONS + 1))
    } else {
        id((published / u64::from(VERSIONS)) as u32).at(version((published % u64::from(VERSIONS)) as u32 + 1))
    };
    let entry = AuditEntry {
        time: time(),
        actor: "ci@example.com".to_owned(),
        action: AuditAction::Publish,
        subject: Key::Version(subject).to_string(),
        digest: Digest::of(b"record"),
        details: BTreeMap::new(),
    };
    to_bytes(&AuditBatch {
        format: FORMAT,
        sequence,
        before: CompactRange::default(),
        entries: vec![entry],
        root: Digest::of(b"root"),
    })
}

fn prod() -> EnvironmentName {
    "prod".parse().unwrap()
}

fn release(pins: BTreeMap<String, Digest>) -> Release {
    Release {
        format: FORMAT,
        environment: prod(),
        sequence: 1,
        time: time(),
        actor: "rel@example.com".to_owned(),
        action: ReleaseAction::Deploy,
        based_on: None,
        plan: None,
        pins,
        rules: None,
        evidence: BTreeSet::new(),
        forced: BTreeSet::new(),
        reason: None,
    }
}

fn meta(location: &Path, size: usize) -> ObjectMeta {
    ObjectMeta { location: location.clone(), last_modified: time(), size: size as u64, e_tag: None, version: None }
}

#[async_trait]
impl ObjectStore for Simulated {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(Error::NotImplemented { operation: "put".to_owned(), implementer: self.to_string() })
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "multipart".to_owned(), implementer: self.to_string() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let key = location.to_string();
        {
            let mut calls = self.calls.lock().unwrap();
            if options.head { calls.asked_for.push(key.clone()) } else { calls.read.push(key.clone()) }
        }
        let bytes = self.object(&key).ok_or_else(|| Error::NotFound { path: key, source: "simulated".into() })?;
        let meta = meta(location, bytes.len());
        let range = 0..meta.size;
        let payload = GetResultPayload::Stream(futures::stream::once(std::future::ready(Ok(bytes))).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    async fn get_ranges(&self, _: &Path, _: &[Range<u64>]) -> Result<Vec<Bytes>> {
        Err(Error::NotImplemented { operation: "ranges".to_owned(), implementer: self.to_string() })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        drop(locations);
        futures::stream::empty().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = prefix.map(ToString::to_string).unwrap_or_default();
        self.calls.lock().unwrap().listed.push(folder.clone());
        let found = match folder.split('/').collect::<Vec<_>>().as_slice() {
            ["environments", "prod"] => vec![Key::Release(prod(), 1).to_string()],
            ["prompts", id] => (1..=VERSIONS)
                .map(|number| Key::Version(id.parse::<PromptId>().unwrap().at(version(number))).to_string())
                .collect(),
            _ => Vec::new(),
        };
        futures::stream::iter(found.into_iter().map(|key| Ok(meta(&Path::from(key), 1)))).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Error::NotImplemented { operation: "list_with_delimiter".to_owned(), implementer: self.to_string() })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "copy".to_owned(), implementer: self.to_string() })
    }
}

/// One test, because making the shards of 100,000 prompts takes longer than all the rest.
#[tokio::test]
async fn nobody_asks_for_more_objects_than_an_answer_needs() {
    let (backend, registry) = Simulated::open().await;
    a_version_costs_two_objects(&backend, &registry).await;
    a_list_reads_only_the_index(&backend, &registry).await;
    a_lineage_reads_two_shards_more(&backend, &registry).await;
    a_plan_reads_what_it_names(&backend, &registry).await;
}

async fn a_version_costs_two_objects(backend: &Simulated, registry: &Registry) {
    let reference = id(99_999).at(version(13));
    let (record, closure) = registry.closure(&reference).await.unwrap();
    assert_eq!((record.reference(), closure.root), (reference.clone(), content(99_999)));
    let calls = backend.calls();
    assert_eq!(calls.read, [Key::Version(reference).to_string(), Key::Blob(record.digest).to_string()]);
    assert_eq!((calls.asked_for.len(), calls.listed.len()), (0, 0));
}

async fn a_list_reads_only_the_index(backend: &Simulated, registry: &Registry) {
    let index = registry.index().await.unwrap();
    let catalogue = index.catalogue().await.unwrap();
    assert_eq!(index.notices(), Vec::<String>::new());
    assert_eq!(catalogue.len(), PROMPTS as usize);
    assert_eq!(catalogue[&id(99_999)].latest_version(), version(VERSIONS));
    assert_eq!(catalogue[&id(199)].latest_version(), version(VERSIONS + 1), "published since the snapshot");

    let calls = backend.calls();
    assert_eq!(calls.listed, Vec::<String>::new());
    assert_eq!(calls.read_below("index/"), 1 + 256, "the manifest and the shards of the catalogue");
    let log = calls.read_below("log/");
    assert!((SINCE as usize..=2 * SINCE as usize).contains(&log), "{log} entries of the log were read for {SINCE}");
    let published = calls.read_below("prompts/");
    assert_eq!(published, SINCE as usize, "what was published since the snapshot");
    assert_eq!(calls.read_below("blobs/"), published);
    assert_eq!(calls.read.len(), 257 + log + 2 * published, "nothing else");
    assert!(calls.asked_for.len() <= 48, "{} calls to find the snapshot", calls.asked_for.len());
    assert!(calls.asked_for.iter().all(|key| key.starts_with("index/")));

    // The second time it is known where the snapshots end.
    registry.index().await.unwrap();
    let calls = backend.calls();
    assert!(calls.asked_for.len() <= 8, "{} calls to find the snapshot again", calls.asked_for.len());
}

async fn a_lineage_reads_two_shards_more(backend: &Simulated, registry: &Registry) {
    let index = registry.index().await.unwrap();
    backend.calls();
    let versions = index.versions(&id(7)).await.unwrap();
    assert_eq!(versions.len(), VERSIONS as usize + 1);
    assert_eq!(index.notices(), Vec::<String>::new());
    let calls = backend.calls();
    assert_eq!((calls.read.len(), calls.asked_for.len(), calls.listed.len()), (2, 0, 0), "{calls:?}");
}

async fn a_plan_reads_what_it_names(backend: &Simulated, registry: &Registry) {
    let (policy, owners) = (Policy::default(), Owners::default());
    let authority = Authority { policy: &policy, owners: &owners, revision: "0123abc" };
    let targets = Targets { versions: vec![id(0).at(version(VERSIONS + 1))], ..Targets::default() };
    let plan = registry.plan(&prod(), &targets, authority, "rel@example.com", time()).await.unwrap();
    let dependants: BTreeSet<PromptRef> = plan.changes[0].dependants.iter().cloned().collect();
    assert_eq!(dependants, (1..INCLUDERS).map(|number| id(number).at(version(VERSIONS))).collect());

    let calls = backend.calls();
    let own = format!("prompts/{}", id(0));
    let allowed = |folder: &String| folder == "environments/prod" || folder.starts_with(&own) || folder.starts_with("evidence/");
    assert!(calls.listed.iter().all(allowed), "{:?}", calls.listed);
    assert_eq!(calls.read_below("pins/"), 256);
    let contents = calls.read_below("blobs/") - SINCE as usize;
    assert!(contents <= 2 * INCLUDERS as usize + 8, "{contents} contents were read, of {LIVE} live prompts");
}
