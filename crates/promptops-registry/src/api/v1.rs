//! Version 1 of the HTTP API: the bodies of requests that write, their answers, and problems (RFC 9457).

use std::collections::BTreeMap;

use chrono::NaiveDate;
use promptops_prompt::evidence::Statement;
use promptops_prompt::status::StatusRecord;
use promptops_prompt::{Body, Digest, Message, Metadata, Prompt, PromptId, PromptRef, Version};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::environment::{EnvironmentName, Release, Released};
use crate::error::{ErrorKind, RegistryError};
use crate::plan::Plan;
use crate::policy::UnmetDemand;
use crate::publish::{Outcome, Publication, Submission};
use crate::record::Provenance;
use crate::status::{StatusChange, StatusDecision, StatusRequest, Uses};

/// Where versions are published: `POST` [`PublishRequest`], answered by [`PublishResponse`].
pub const PUBLICATIONS: &str = "v1/publications";
/// Where evidence is stored: `POST` [`EvidenceRequest`], answered by [`StoredResponse`].
pub const EVIDENCE: &str = "v1/evidence";
/// Where approvals are stored: `POST` [`ApprovalRequest`], answered by [`StoredResponse`].
pub const APPROVALS: &str = "v1/approvals";

/// Where versions are withdrawn and taken back: `POST` [`StatusRequestV1`], answered by [`StatusResponse`].
pub const STATUSES: &str = "v1/statuses";

/// The most versions that one request may publish.
pub const MAX_SUBMISSIONS: usize = 100;

/// Where the `type` of every problem begins; what follows names the problem and never changes its meaning.
pub const PROBLEM_TYPES: &str = "https://promptops.dev/problems/";

/// Returns where plans are deployed: `POST` [`DeployRequest`], answered by [`ReleasedResponse`].
pub fn releases(environment: &EnvironmentName) -> String {
    format!("v1/environments/{environment}/releases")
}

/// Returns where an environment is rolled back: `POST` [`RollbackRequest`], answered by [`ReleasedResponse`].
pub fn rollbacks(environment: &EnvironmentName) -> String {
    format!("v1/environments/{environment}/rollbacks")
}

/// Versions to publish, in an order in which each comes after its parent and includes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// At most [`MAX_SUBMISSIONS`].
    pub submissions: Vec<SubmissionV1>,
}

/// One version to publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionV1 {
    /// The version.
    pub prompt: PromptV1,
    /// Where it was written.
    pub provenance: Provenance,
}

/// A version as a document: what the file says, with `parent` spelt out and what is metadata apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptV1 {
    /// The prompt.
    pub id: PromptId,
    /// Its version.
    pub version: Version,
    /// The version it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PromptRef>,
    /// The model.
    pub model: String,
    /// Parameters of the call.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// JSON Schema of each variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Value>,
    /// JSON Schema of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub output: Option<Value>,
    /// Tools offered to the model.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub tools: Option<Value>,
    /// One text; this or `messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// A conversation; this or `template`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// What is said about it.
    pub metadata: Metadata,
}

/// Reads a field that is there; `null` is a schema like any other, and not the same as no field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl From<&Prompt> for PromptV1 {
    fn from(prompt: &Prompt) -> Self {
        let (template, messages) = match &prompt.body {
            Body::Template(template) => (Some(template.clone()), None),
            Body::Messages(messages) => (None, Some(messages.clone())),
        };
        Self {
            id: prompt.id.clone(),
            version: prompt.version,
            parent: prompt.parent.clone(),
            model: prompt.model.clone(),
            parameters: prompt.parameters.clone(),
            inputs: prompt.inputs.clone(),
            output: prompt.output.clone(),
            tools: prompt.tools.clone(),
            template,
            messages,
            metadata: prompt.metadata.clone(),
        }
    }
}

impl PromptV1 {
    /// Returns the version, or what makes it none.
    ///
    /// # Errors
    /// A sentence fragment that says which field is wrong.
    pub fn into_prompt(self) -> Result<Prompt, String> {
        let body = match (self.template, self.messages) {
            (Some(template), None) if !template.is_empty() => Body::Template(template),
            (None, Some(messages)) if !messages.is_empty() => Body::Messages(messages),
            _ => return Err("a prompt has either a `template` or `messages`, and it is not empty".to_owned()),
        };
        for (field, value) in [("model", &self.model), ("metadata.owner", &self.metadata.owner)] {
            if value.trim().is_empty() {
                return Err(format!("`{field}` is empty"));
            }
        }
        Ok(Prompt {
            id: self.id,
            version: self.version,
            parent: self.parent,
            model: self.model,
            parameters: self.parameters,
            inputs: self.inputs,
            output: self.output,
            tools: self.tools,
            body,
            metadata: self.metadata,
        })
    }
}

impl From<&Submission<'_>> for SubmissionV1 {
    fn from(submission: &Submission<'_>) -> Self {
        Self { prompt: submission.prompt.into(), provenance: submission.provenance.clone() }
    }
}

/// What became of each submission, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishResponse {
    /// One for each.
    pub results: Vec<PublishResult>,
}

/// What became of one submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishResult {
    /// The version.
    pub reference: PromptRef,
    /// What was done.
    pub outcome: OutcomeV1,
    /// The digest of its content; none when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The number of the change of metadata that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_change: Option<u64>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// What was done with a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeV1 {
    /// It is published now.
    New,
    /// It was published before.
    Already,
    /// It was published before, and its new metadata is recorded.
    Metadata,
    /// It is not published.
    Refused,
}

impl PublishResult {
    /// Says what became of a submission.
    pub fn new(reference: PromptRef, result: Result<Publication, RegistryError>) -> Self {
        let empty = Self { reference, outcome: OutcomeV1::Refused, digest: None, metadata_change: None, problem: None };
        match result {
            Ok(publication) => {
                let (outcome, metadata_change) = match publication.outcome {
                    Outcome::New => (OutcomeV1::New, None),
                    Outcome::Already => (OutcomeV1::Already, None),
                    Outcome::MetadataChanged(number) => (OutcomeV1::Metadata, Some(number)),
                };
                Self { outcome, digest: Some(publication.digest), metadata_change, ..empty }
            }
            Err(error) => Self { problem: Some(Problem::from(&error)), ..empty },
        }
    }

    /// Returns what [`Registry::publish`](crate::Registry::publish) would have returned.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn into_result(self) -> Result<Publication, RegistryError> {
        let missing = |field: &str| RegistryError::Answer(format!("a result has no `{field}`"));
        let outcome = match self.outcome {
            OutcomeV1::New => Outcome::New,
            OutcomeV1::Already => Outcome::Already,
            OutcomeV1::Metadata => Outcome::MetadataChanged(self.metadata_change.ok_or_else(|| missing("metadata_change"))?),
            OutcomeV1::Refused => return Err(self.problem.ok_or_else(|| missing("problem"))?.into_error()),
        };
        Ok(Publication { reference: self.reference, digest: self.digest.ok_or_else(|| missing("digest"))?, outcome })
    }
}

/// A plan to deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// The plan, of the environment that the request names.
    pub plan: Plan,
    /// Whether to begin to run what is withdrawn, where the policy allows that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A release to go back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The release whose pins are taken again. Required, so that a repeated request does not go back further.
    pub to: u64,
    /// Whether to bring back what was withdrawn since, where the policy allows that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A release, and whether the request made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedResponse {
    /// The release.
    pub release: Release,
    /// Whether the request made it; if not, an earlier one did, or nothing had to change.
    pub is_new: bool,
}

impl From<Released> for ReleasedResponse {
    fn from(released: Released) -> Self {
        Self { release: released.release, is_new: released.is_new }
    }
}

impl From<ReleasedResponse> for Released {
    fn from(response: ReleasedResponse) -> Self {
        Self { release: response.release, is_new: response.is_new }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A change of the status of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRequestV1 {
    /// The version.
    pub reference: PromptRef,
    /// What is to become of it.
    pub change: StatusChangeV1,
    /// The day from whose beginning, UTC, it must not be used; for a deprecation, and needed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// What to use in its place; for a deprecation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<PromptRef>,
    /// Why.
    pub reason: String,
    /// The source repository that asks.
    pub source: String,
    /// Whether to withdraw it although it is live, where the policy allows that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
}

/// What is to become of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusChangeV1 {
    /// Withdraw it now.
    Yank,
    /// Take a yank back.
    Unyank,
    /// Withdraw it from a day on.
    Deprecate,
    /// Take a deprecation back.
    Undeprecate,
}

impl From<&StatusRequest<'_>> for StatusRequestV1 {
    fn from(request: &StatusRequest<'_>) -> Self {
        let (change, date, replacement) = match &request.change {
            StatusChange::Yank => (StatusChangeV1::Yank, None, None),
            StatusChange::Unyank => (StatusChangeV1::Unyank, None, None),
            StatusChange::Deprecate { date, replacement } => (StatusChangeV1::Deprecate, Some(*date), replacement.clone()),
            StatusChange::Undeprecate => (StatusChangeV1::Undeprecate, None, None),
        };
        Self {
            reference: request.reference.clone(),
            change,
            date,
            replacement,
            reason: request.reason.to_owned(),
            source: request.source.to_owned(),
            force: request.is_forced,
        }
    }
}

impl StatusRequestV1 {
    /// Returns what is asked for, or what is wrong with it.
    ///
    /// # Errors
    /// A sentence fragment that says which field is wrong.
    pub fn as_request(&self) -> Result<StatusRequest<'_>, &'static str> {
        let change = match (self.change, self.date) {
            (StatusChangeV1::Deprecate, Some(date)) => StatusChange::Deprecate { date, replacement: self.replacement.clone() },
            (StatusChangeV1::Deprecate, None) => return Err("a deprecation needs a `date`"),
            (_, Some(_)) => return Err("only a deprecation has a `date`"),
            _ if self.replacement.is_some() => return Err("only a deprecation has a `replacement`"),
            (StatusChangeV1::Yank, None) => StatusChange::Yank,
            (StatusChangeV1::Unyank, None) => StatusChange::Unyank,
            (StatusChangeV1::Undeprecate, None) => StatusChange::Undeprecate,
        };
        Ok(StatusRequest {
            reference: &self.reference,
            change,
            reason: &self.reason,
            source: &self.source,
            is_forced: self.force,
        })
    }
}

/// What a change of status came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusResponse {
    /// What was said of the version before; nothing when it was in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<StatusRecord>,
    /// The record that changed it; nothing when it was as asked for already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<StatusRecord>,
    /// Which environments run the version, with the pins that take it along.
    #[serde(default)]
    pub uses: Uses,
}

impl From<StatusDecision> for StatusResponse {
    fn from(decision: StatusDecision) -> Self {
        Self { before: decision.before, record: decision.record, uses: decision.uses }
    }
}

impl From<StatusResponse> for StatusDecision {
    fn from(response: StatusResponse) -> Self {
        Self { before: response.before, record: response.record, uses: response.uses }
    }
}

/// An eval statement to store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRequest {
    /// The statement.
    pub statement: Statement,
}

/// An approval to store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// The statement.
    pub statement: Statement,
    /// The armored SSH signature over its canonical bytes.
    pub signature: String,
}

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// The digest that names the stored object.
    pub object: Digest,
}

/// Why something was not done: problem+json of RFC 9457, with what a client of PromptOps tells its user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// [`PROBLEM_TYPES`] and a name that never changes its meaning.
    #[serde(rename = "type")]
    pub type_url: String,
    /// The name in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in words, with what it is about.
    pub detail: String,
    /// The class of the failure, by which a command chooses its exit code.
    pub kind: KindV1,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The environment whose demands are not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// The demands that are not met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<UnmetDemand>,
}

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindV1 {
    /// The request is wrong.
    Usage,
    /// The policy says no.
    Refused,
    /// Something does not exist.
    NotFound,
    /// Somebody else was first, or a published version would change.
    Conflict,
    /// Something does not answer or denies access.
    Unavailable,
    /// Stored bytes are not what they should be.
    Corrupt,
    /// The store has no room.
    Full,
}

impl From<ErrorKind> for KindV1 {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Usage => Self::Usage,
            ErrorKind::Refused => Self::Refused,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Corrupt => Self::Corrupt,
            ErrorKind::Full => Self::Full,
        }
    }
}

impl From<KindV1> for ErrorKind {
    fn from(kind: KindV1) -> Self {
        match kind {
            KindV1::Usage => Self::Usage,
            KindV1::Refused => Self::Refused,
            KindV1::NotFound => Self::NotFound,
            KindV1::Conflict => Self::Conflict,
            KindV1::Unavailable => Self::Unavailable,
            KindV1::Corrupt => Self::Corrupt,
            KindV1::Full => Self::Full,
        }
    }
}

impl KindV1 {
    /// Returns the HTTP status of failures of this class.
    pub fn status(self) -> u16 {
        match self {
            Self::Usage => 400,
            Self::Refused => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unavailable => 503,
            Self::Corrupt => 500,
            Self::Full => 507,
        }
    }
}

impl Problem {
    /// Returns a problem that is no failure of the registry.
    pub fn new(name: &str, status: u16, kind: KindV1, detail: impl Into<String>) -> Self {
        Self {
            type_url: format!("{PROBLEM_TYPES}{name}"),
            title: name.replace('-', " "),
            status,
            detail: detail.into(),
            kind,
            hint: None,
            environment: None,
            unmet: Vec::new(),
        }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the failure that this was made from, as far as a client can tell it apart: class, message, hint, and every
    /// unmet demand are the same.
    pub fn into_error(self) -> RegistryError {
        match self.environment {
            Some(environment) if !self.unmet.is_empty() => RegistryError::Refused { environment, unmet: self.unmet },
            _ => RegistryError::Server(Box::new(self)),
        }
    }
}

/// Causes are left out: they are about the server's own surroundings, and its log has them.
impl From<&RegistryError> for Problem {
    fn from(error: &RegistryError) -> Self {
        if let RegistryError::Server(problem) = error {
            return (**problem).clone();
        }
        let kind = KindV1::from(error.kind());
        let mut problem = Self::new(name(error, kind), kind.status(), kind, error.to_string());
        problem.hint = error.hint();
        if let RegistryError::Refused { environment, unmet } = error {
            problem.environment = Some(environment.clone());
            problem.unmet = unmet.clone();
        }
        problem
    }
}

/// Names a failure. What has no name of its own is called by its class.
fn name(error: &RegistryError, kind: KindV1) -> &'static str {
    match error {
        RegistryError::PromptNotFound { .. } => "prompt-not-found",
        RegistryError::VersionNotFound { .. } => "version-not-found",
        RegistryError::NothingDeployed { .. } => "nothing-deployed",
        RegistryError::ReleaseNotFound { .. } => "release-not-found",
        RegistryError::UnknownEnvironment { .. } => "unknown-environment",
        RegistryError::Immutable { .. } => "immutable",
        RegistryError::LineageChanged { .. } => "lineage-changed",
        RegistryError::ParentMissing { .. } => "parent-missing",
        RegistryError::IncludeMissing { .. } => "include-missing",
        RegistryError::ForeignNamespace { .. } => "foreign-namespace",
        RegistryError::EnvironmentMoved { .. } => "environment-moved",
        RegistryError::PlanMismatch { .. } => "plan-mismatch",
        RegistryError::Refused { .. } => "demands-not-met",
        RegistryError::ApprovalRefused(_) => "approval-refused",
        RegistryError::Incompatible { .. } => "incompatible",
        RegistryError::StillLive { .. } => "still-live",
        RegistryError::Withdrawn { .. } => "withdrawn",
        RegistryError::Statement(_) => "unfit-statement",
        RegistryError::Busy { .. } => "busy",
        _ => match kind {
            KindV1::Usage => "bad-request",
            KindV1::Refused => "refused",
            KindV1::NotFound => "not-found",
            KindV1::Conflict => "conflict",
            KindV1::Unavailable => "unavailable",
            KindV1::Corrupt => "corrupt",
            KindV1::Full => "full",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Demand;

    fn prompt(document: Value) -> Result<Prompt, String> {
        serde_json::from_value::<PromptV1>(document).map_err(|error| error.to_string())?.into_prompt()
    }

    #[test]
    fn a_prompt_comes_back_as_it_went() {
        for body in [
            serde_json::json!({"template": "Hello {{ name }}\r\n\u{2028}\u{7f}", "output": null, "tools": [{"a": 1.0}]}),
            serde_json::json!({"messages": [{"role": "system", "content": ""}], "output": {"enum": [1, 2.5e300]}}),
        ] {
            let mut document = serde_json::json!({"id": "a.b", "version": 2, "parent": "a.b@1", "model": "m",
                "parameters": {"temperature": 0}, "inputs": {"x": {"default": null}},
                "metadata": {"owner": "o", "tags": ["t"], "metrics": {"accuracy": 0.94}}});
            document.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            let read = prompt(document.clone()).unwrap();
            let sent = serde_json::to_vec(&PromptV1::from(&read)).unwrap();
            assert_eq!(serde_json::from_slice::<PromptV1>(&sent).unwrap().into_prompt().unwrap(), read);
        }
    }

    #[test]
    fn what_is_no_prompt_says_why() {
        let base = serde_json::json!({"id": "a", "version": 1, "model": "m", "metadata": {"owner": "o"}});
        for (change, reason) in [
            (serde_json::json!({}), "either a `template` or `messages`"),
            (serde_json::json!({"template": ""}), "it is not empty"),
            (serde_json::json!({"messages": []}), "it is not empty"),
            (serde_json::json!({"template": "a", "messages": [{"role": "user", "content": "b"}]}), "either"),
            (serde_json::json!({"template": "a", "model": " "}), "`model` is empty"),
            (serde_json::json!({"template": "a", "metadata": {"owner": ""}}), "`metadata.owner` is empty"),
            (serde_json::json!({"template": "a", "owner": "o"}), "unknown field `owner`"),
            (serde_json::json!({"template": "a", "id": "A"}), "A"),
            (serde_json::json!({"template": "a", "version": 0}), "0"),
        ] {
            let mut document = base.clone();
            document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let error = prompt(document).unwrap_err();
            assert!(error.contains(reason), "{change}: {error}");
        }
    }

    #[test]
    fn a_failure_keeps_class_message_hint_and_demands() {
        let environment: EnvironmentName = "prod".parse().unwrap();
        let demand = Demand::Approval { group: "legal".into(), quorum: 1, valid_days: 30 };
        let unmet = vec![UnmetDemand { prompt: "a@1".parse().unwrap(), demand, reasons: vec!["it expired".into()] }];
        for (error, name, status) in [
            (RegistryError::VersionNotFound { reference: "a@1".parse().unwrap() }, "version-not-found", 404),
            (RegistryError::Policy("it is empty".into()), "bad-request", 400),
            (RegistryError::Refused { environment, unmet }, "demands-not-met", 403),
            (RegistryError::Corrupt { key: "k".into(), reason: "altered".into() }, "corrupt", 500),
            (RegistryError::Busy { key: "k".into(), attempts: 3 }, "busy", 503),
        ] {
            let problem = Problem::from(&error);
            assert_eq!((problem.type_url.strip_prefix(PROBLEM_TYPES), problem.status), (Some(name), status));
            let sent = serde_json::to_string(&problem).unwrap();
            let returned = serde_json::from_str::<Problem>(&sent).unwrap().into_error();
            assert_eq!((returned.to_string(), returned.hint(), returned.kind()), (error.to_string(), error.hint(), error.kind()));
            assert_eq!(Problem::from(&returned), problem, "a server behind a server says the same");
        }
    }
}
