//! The form of requests and answers, for the OpenAPI document.
//!
//! Types that are also answered from are serialised as they stand here. The others say the form of what the registry reads
//! and writes itself and exist for their schema alone; the tests check every answer of a server against them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// Why a request was not answered as asked (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Problem {
    /// Names the problem; never changes its meaning.
    #[schema(rename = "type", format = "uri", example = "https://promptops.dev/problems/version-not-found")]
    r#type: String,
    /// The name in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, with what it is about.
    detail: String,
    kind: ProblemKind,
    /// What to do next.
    #[schema(nullable = false)]
    hint: Option<String>,
    /// The environment whose demands are not met.
    #[schema(nullable = false)]
    environment: Option<String>,
    /// The demands that are not met.
    #[schema(nullable = false)]
    unmet: Option<Vec<Object>>,
}

/// The class of a failure, by which a command chooses its exit code.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum ProblemKind {
    Usage,
    Refused,
    NotFound,
    Conflict,
    Unavailable,
    Corrupt,
    Full,
}

/// Some JSON object.
pub(crate) struct Object;

impl PartialSchema for Object {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true))).into()
    }
}

impl ToSchema for Object {}

/// Bytes of any kind.
pub(crate) struct Bytes;

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).format(Some(binary)).into()
    }
}

impl ToSchema for Bytes {}

/// A page of the keys of objects.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyPage {
    /// The keys, sorted by their bytes.
    pub(crate) keys: Vec<String>,
    /// What to ask for `after` to get the next page; none on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) next: Option<String>,
}

/// The folders below a folder.
#[derive(Serialize, ToSchema)]
pub(crate) struct Folders {
    /// Their names, sorted.
    pub(crate) folders: Vec<String>,
}

/// A page of prompts.
#[derive(Serialize, ToSchema)]
pub(crate) struct PromptPage {
    /// The prompts, sorted by id.
    pub(crate) prompts: Vec<PromptSummary>,
    /// What to ask for `after` to get the next page; none on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) next: Option<String>,
}

/// A prompt with its latest version.
#[derive(Serialize, ToSchema)]
pub(crate) struct PromptSummary {
    /// Its id.
    #[schema(pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")]
    pub(crate) id: String,
    /// Every published version, ascending.
    pub(crate) versions: Vec<u32>,
    /// The highest published version.
    #[schema(minimum = 1)]
    pub(crate) latest: u32,
    /// The digest of its content.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    pub(crate) digest: String,
    /// The model it was written for.
    pub(crate) model: String,
    /// The metadata that holds for it.
    #[schema(value_type = Metadata)]
    pub(crate) metadata: promptops_prompt::Metadata,
    /// When it was published, UTC.
    #[schema(format = "date-time")]
    pub(crate) published: String,
    /// By whom.
    pub(crate) published_by: String,
}

/// What is said about a prompt and reaches no model.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Metadata {
    /// Who answers for it.
    #[schema(min_length = 1, pattern = r"\S")]
    owner: String,
    /// What it is for.
    #[schema(nullable = false)]
    purpose: Option<String>,
    /// Words to find and govern it by.
    #[schema(nullable = false)]
    tags: Option<Vec<String>>,
    /// Free numbers about it.
    #[schema(nullable = false)]
    metrics: Option<Object>,
    /// Its eval files.
    #[schema(nullable = false)]
    evals: Option<Vec<String>>,
    /// What callers have to do for a version that breaks them, by the number of the version.
    #[schema(nullable = false)]
    breaking: Option<Object>,
    /// The day it was first written.
    #[schema(nullable = false)]
    created: Option<String>,
    /// The day it was last changed.
    #[schema(nullable = false)]
    updated: Option<String>,
}

/// A published version. Its bytes never change; a lock pins their SHA-256, which is also the ETag.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct VersionRecord {
    #[schema(minimum = 1, maximum = 1)]
    format: u32,
    #[schema(pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")]
    id: String,
    #[schema(minimum = 1)]
    version: u32,
    /// The version it came from, as `id@version`.
    #[schema(nullable = false)]
    parent: Option<String>,
    /// The digest of its content.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    digest: String,
    /// Digests of parts.
    digests: Object,
    metadata: Metadata,
    provenance: Provenance,
    published: Published,
}

/// Where a version was written.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Provenance {
    /// The commit.
    #[schema(nullable = false)]
    commit: Option<String>,
    /// The author's e-mail address.
    author: String,
    /// When it was written, UTC.
    #[schema(format = "date-time")]
    time: String,
    /// The source repository.
    source: String,
    /// The file in it.
    path: String,
    /// The run of a pipeline that published it.
    #[schema(nullable = false)]
    run: Option<String>,
}

/// When and by whom something was published.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Published {
    #[schema(format = "date-time")]
    time: String,
    by: String,
}

/// Versions to publish, in an order in which each comes after its parent and includes.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct PublishRequest {
    #[schema(min_items = 1, max_items = 100)]
    submissions: Vec<Submission>,
}

/// One version to publish.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Submission {
    prompt: Prompt,
    provenance: Provenance,
}

/// A version as a document, with either `template` or `messages`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Prompt {
    #[schema(pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length = 200)]
    id: String,
    #[schema(minimum = 1, maximum = 4294967295i64)]
    version: u32,
    /// The version it came from, as `id@version`.
    #[schema(nullable = false, pattern = r"^[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60}){0,2}@[1-9][0-9]{0,8}$")]
    parent: Option<String>,
    #[schema(min_length = 1, pattern = r"\S")]
    model: String,
    #[schema(nullable = false)]
    parameters: Option<Object>,
    /// JSON Schema of each variable.
    #[schema(nullable = false)]
    inputs: Option<Object>,
    /// JSON Schema of the answer.
    output: Option<Value>,
    /// Tools offered to the model.
    tools: Option<Value>,
    /// One text, as a Jinja2 template.
    #[schema(nullable = false, min_length = 1)]
    template: Option<String>,
    /// A conversation; each content is a Jinja2 template.
    #[schema(nullable = false, min_items = 1)]
    messages: Option<Vec<Message>>,
    metadata: Metadata,
}

/// One message.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Message {
    role: Role,
    content: String,
}

/// Who speaks.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum Role {
    System,
    Developer,
    User,
    Assistant,
}

/// What became of each submission, in their order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct PublishResponse {
    results: Vec<PublishResult>,
}

/// What became of one submission.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct PublishResult {
    /// The version, as `id@version`.
    reference: String,
    outcome: Outcome,
    /// The digest of its content; none when it was refused.
    #[schema(nullable = false)]
    digest: Option<String>,
    /// The number of the change of metadata that was recorded.
    #[schema(nullable = false)]
    metadata_change: Option<u64>,
    /// Why it was refused.
    #[schema(nullable = false)]
    problem: Option<Problem>,
}

/// What was done with a submission.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum Outcome {
    /// It is published now.
    New,
    /// It was published before.
    Already,
    /// It was published before, and its new metadata is recorded.
    Metadata,
    /// It is not published.
    Refused,
}

/// A change of the status of a version.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct StatusRequest {
    reference: Reference,
    change: StatusChange,
    /// The day from whose beginning, UTC, it must not be used; needed for a deprecation, and only there.
    #[schema(nullable = false, format = "date")]
    date: Option<String>,
    /// What to use in its place; only for a deprecation.
    #[schema(nullable = false)]
    replacement: Option<Reference>,
    /// Why, for everybody who comes across the version.
    reason: String,
    /// The source repository that asks.
    source: String,
    /// Whether to withdraw it although it is live, where the policy allows that.
    #[schema(nullable = false)]
    force: Option<bool>,
}

/// What is to become of a version.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum StatusChange {
    Yank,
    Unyank,
    Deprecate,
    Undeprecate,
}

/// What a change of status came to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct StatusResponse {
    /// What was said of the version before; nothing when it was in use.
    #[schema(nullable = false)]
    before: Option<Object>,
    /// The record that changed it; nothing when it was as asked for already.
    #[schema(nullable = false)]
    record: Option<Object>,
    /// Which environments run the version, with the pins that take it along.
    uses: BTreeMap<String, Vec<String>>,
}

/// Every environment that was ever deployed to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Environments {
    /// Their names, sorted.
    pub(crate) environments: Vec<String>,
}

/// What is live in an environment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Live {
    /// The release.
    #[schema(value_type = Release)]
    pub(crate) release: promptops_registry::Release,
    /// What it pins, by id of the prompt.
    #[schema(value_type = BTreeMap<String, Pin>)]
    pub(crate) pins: BTreeMap<promptops_prompt::PromptId, promptops_prompt::lock::LockedPrompt>,
}

/// The version and digest that an environment holds for a prompt.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Pin {
    #[schema(minimum = 1, maximum = 4294967295i64)]
    version: u32,
    /// The digest of the content.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    digest: String,
    /// The SHA-256 of the version record.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    record: String,
    /// Another version that a part of the keys gets, while a rollout is under way.
    #[schema(nullable = false)]
    rollout: Option<Rollout>,
}

/// The candidate of a rollout and its share. The version beside which it is pinned is the control, and has the rest.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Rollout {
    #[schema(minimum = 1, maximum = 4294967295i64)]
    version: u32,
    /// The digest of the candidate's content.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    digest: String,
    /// The SHA-256 of the candidate's version record.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    record: String,
    /// How many of 10,000 equal parts of all keys get the candidate.
    #[schema(minimum = 1, maximum = 9999)]
    buckets: u16,
}

/// A release of an environment. Its bytes never change.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Release {
    #[schema(minimum = 1, maximum = 1)]
    format: u32,
    environment: String,
    #[schema(minimum = 1)]
    sequence: u64,
    #[schema(format = "date-time")]
    time: String,
    actor: String,
    /// `deploy` or `rollback`.
    action: String,
    /// The release whose pins it took, or from which its plan started.
    #[schema(nullable = false)]
    based_on: Option<u64>,
    /// The digest of the plan that was applied.
    #[schema(nullable = false)]
    plan: Option<String>,
    /// The shards of its pins, by name.
    pins: Object,
    /// The revision whose rules it was decided by.
    #[schema(nullable = false)]
    rules: Option<String>,
    /// The statements that showed what was demanded.
    #[schema(nullable = false)]
    evidence: Option<Vec<String>>,
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// A page of releases, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReleasePage {
    #[schema(value_type = Vec<Release>)]
    pub(crate) releases: Vec<promptops_registry::Release>,
    /// The number to ask for as `first` to get the next page; none on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) next: Option<u64>,
}

/// What a deploy would change, as `promptops plan --out` writes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Plan {
    #[schema(minimum = 1, maximum = 1)]
    format: u32,
    /// That of the path.
    #[schema(pattern = "^[a-z0-9-]+$", max_length = 60)]
    environment: String,
    /// The release it starts from; none before the first.
    #[schema(nullable = false)]
    base: Option<PlanBase>,
    /// When it was made, UTC.
    #[schema(format = "date-time")]
    created: String,
    /// By whom.
    by: String,
    /// Every prompt that changes.
    changes: Vec<PlannedChange>,
}

/// The release that a plan starts from.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct PlanBase {
    #[schema(minimum = 1)]
    sequence: u64,
    /// The SHA-256 of its bytes.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    digest: String,
}

/// The change of one prompt.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct PlannedChange {
    #[schema(pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length = 200)]
    id: String,
    action: PlannedAction,
    /// What is live.
    #[schema(nullable = false)]
    from: Option<Pin>,
    /// What takes its place.
    #[schema(nullable = false)]
    to: Option<Pin>,
    /// What changed, part by part.
    differences: Vec<Difference>,
    /// How the demands stood when the plan was made.
    demands: Vec<DemandState>,
    /// How the demands on the candidate of a rollout stood, likewise.
    #[schema(nullable = false)]
    candidate_demands: Option<Vec<DemandState>>,
    /// What is said of the versions that would be pinned, as far as they are not simply in use.
    #[schema(nullable = false)]
    statuses: Option<Vec<Object>>,
    /// Live versions that include one of this prompt.
    dependants: Vec<Reference>,
}

/// What changed in one part of a prompt.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Difference {
    part: Part,
    class: Class,
    /// Why it is of this class.
    reason: String,
    /// The rule that gave the class, by the names of `docs/concepts/compatibility.md`.
    rule: String,
    /// Where, from the root of the prompt.
    node: String,
}

/// A part of a prompt.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum Part {
    Metadata,
    Text,
    Model,
    Parameters,
    Inputs,
    Output,
    Tools,
    Includes,
}

/// What a change means.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum Class {
    Metadata,
    Compatible,
    Behavioural,
    Breaking,
}

/// How a demand stands.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct DemandState {
    demand: Demand,
    is_met: bool,
    /// The stored statements that show it, or a part of it, by digest.
    shown_by: Vec<Hash>,
    /// Who approved and may count.
    people: Vec<String>,
    /// Why what is there does not suffice.
    reasons: Vec<String>,
}

/// A version, as `id@version`.
#[derive(ToSchema)]
#[schema(pattern = r"^[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60}){0,2}@[1-9][0-9]{0,8}$")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Reference(String);

/// A SHA-256.
#[derive(ToSchema)]
#[schema(pattern = "^sha256:[0-9a-f]{64}$")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Hash(String);

/// What must be shown for a version.
#[derive(ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum Demand {
    /// A passing run of an eval file, or of any.
    Eval {
        #[schema(nullable = false)]
        file: Option<String>,
    },
    /// Approvals of members of a group.
    Approval {
        group: String,
        #[schema(minimum = 0, maximum = 4294967295i64)]
        quorum: u32,
        #[schema(minimum = 0, maximum = 4294967295i64)]
        valid_days: u32,
    },
}

/// What happens to a prompt.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) enum PlannedAction {
    Added,
    Changed,
    Removed,
}

/// A plan to deploy.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct DeployRequest {
    plan: Plan,
    /// Whether to begin to run what is withdrawn, where the policy allows that.
    #[schema(nullable = false)]
    force: Option<bool>,
    /// Why, for the record.
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// A release to go back to.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct RollbackRequest {
    /// The release whose pins are taken again.
    #[schema(minimum = 1)]
    to: u64,
    /// Whether to bring back what was withdrawn since, where the policy allows that.
    #[schema(nullable = false)]
    force: Option<bool>,
    /// Why, for the record.
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// A release, and whether the request made it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Released {
    release: Release,
    /// If not, an earlier request did, or nothing had to change.
    is_new: bool,
}

/// An eval statement to store.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct EvidenceRequest {
    statement: EvalStatement,
}

/// An in-toto Statement v1 that an eval was run.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct EvalStatement {
    #[schema(pattern = r"^https://in-toto\.io/Statement/v1$")]
    _type: String,
    #[schema(min_items = 1, max_items = 1)]
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    #[schema(pattern = r"^https://promptops\.dev/eval/v1$")]
    predicate_type: String,
    predicate: EvalPredicate,
}

/// What an eval statement says, at least.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct EvalPredicate {
    /// The eval file.
    eval: String,
    /// As `pass`.
    verdict: String,
}

/// The version that a statement is about.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Subject {
    /// The version, as `id@version`.
    #[schema(pattern = r"^[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60}){0,2}@[1-9][0-9]{0,8}$")]
    name: String,
    digest: SubjectDigest,
}

/// The digest of its content.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct SubjectDigest {
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: String,
}

/// An approval to store.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct ApprovalRequest {
    statement: ApprovalStatement,
    /// The armored SSH signature over its canonical bytes.
    signature: String,
}

/// An in-toto Statement v1 that a person agrees.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct ApprovalStatement {
    #[schema(pattern = r"^https://in-toto\.io/Statement/v1$")]
    _type: String,
    #[schema(min_items = 1, max_items = 1)]
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    #[schema(pattern = r"^https://promptops\.dev/approval/v1$")]
    predicate_type: String,
    predicate: ApprovalPredicate,
}

/// What an approval says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct ApprovalPredicate {
    environment: String,
    group: String,
    approver: String,
    #[schema(format = "date-time")]
    time: String,
    #[schema(format = "date-time")]
    expires: String,
}

/// What was stored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
pub(crate) struct Stored {
    /// The digest that names the object.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    object: String,
}

/// Invocations that are on the disk.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecordedInvocations {
    /// How many there were.
    #[schema(minimum = 0)]
    pub(crate) recorded: usize,
}

/// The head of the audit log's tree; keep it elsewhere, and a log that was cut or written anew shows.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditHead {
    /// How many entries the log has and the root of its Merkle tree, as `<size>:sha256:<hex>`; none while the log is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) head: Option<String>,
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// The entries, oldest first.
    pub(crate) entries: Vec<AuditEntry>,
    /// The number to ask for as `first` to get the next page; none on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) next: Option<u64>,
}

/// One entry of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// The number of the batch it was logged in; what one command logged together has one number.
    #[schema(minimum = 1)]
    pub(crate) batch: u64,
    /// When it was done, UTC.
    #[schema(format = "date-time")]
    pub(crate) time: String,
    /// Who did it.
    pub(crate) actor: String,
    /// What was done, as `publish`.
    pub(crate) action: &'static str,
    /// The key of the object that was written by it.
    pub(crate) subject: String,
    /// The SHA-256 of that object.
    pub(crate) digest: String,
    /// What a reader wants to know without opening the object.
    pub(crate) details: BTreeMap<String, String>,
}
