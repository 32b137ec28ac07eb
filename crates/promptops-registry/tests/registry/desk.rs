//! A small support desk: prompts, people and a registry for every test.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Duration, Utc};
use promptops_prompt::evidence::{EVAL_PREDICATE, Statement};
use promptops_prompt::owners::{Owners, Person};
use promptops_prompt::{Body, Metadata, Prompt, PromptRef};
use promptops_registry::approval::ApprovalRequest;
use promptops_registry::audit::AuditEntry;
use promptops_registry::plan::PlannedChange;
use promptops_registry::publish::Publication;
use promptops_registry::status::{StatusChange, StatusDecision, StatusRequest};
use promptops_registry::{
    Authority, EnvironmentName, Plan, Policy, Provenance, Registry, RegistryError, Release, SigningKey, Split, Submission,
    Targets,
};
use promptops_store::{Store, StoreOptions};
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, PrivateKey};
use tempfile::TempDir;

pub const SOURCE: &str = "github.com/acme/prompts";

/// The minute `minutes` of the tests' day.
pub fn minute(minutes: i64) -> DateTime<Utc> {
    "2026-11-01T03:00:00Z".parse::<DateTime<Utc>>().unwrap() + Duration::minutes(minutes)
}

pub fn reference(text: &str) -> PromptRef {
    text.parse().unwrap()
}

pub fn prod() -> EnvironmentName {
    "prod".parse().unwrap()
}

/// Where the policy lets withdrawn versions be forced.
pub fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

/// Ann's repository asks for a change of status.
pub fn request(reference: &PromptRef, change: StatusChange) -> StatusRequest<'_> {
    StatusRequest { reference, change, reason: "it invents refunds", source: SOURCE, is_forced: false }
}

/// A version with a template; above 1 it comes from the version before.
pub fn prompt(name: &str, template: &str) -> Prompt {
    let name = reference(name);
    let parent = promptops_prompt::Version::new(name.version.number() - 1).map(|version| name.id.at(version));
    Prompt {
        id: name.id,
        version: name.version,
        parent,
        model: "claude-3-5-sonnet".into(),
        parameters: serde_json::Map::new(),
        inputs: BTreeMap::new(),
        output: None,
        tools: None,
        body: Body::Template(template.into()),
        metadata: Metadata { owner: "support".into(), ..Metadata::default() },
    }
}

/// The same with tags.
pub fn tagged(name: &str, template: &str, tags: &[&str]) -> Prompt {
    let mut prompt = prompt(name, template);
    prompt.metadata.tags = tags.iter().map(ToString::to_string).collect();
    prompt
}

pub fn provenance(author: &str) -> Provenance {
    Provenance {
        commit: Some("4b825dc642cb6eb9a060e54bf8d69288fbee4904".into()),
        author: author.into(),
        time: minute(-60),
        source: SOURCE.into(),
        path: "prompts/x.yaml".into(),
        run: None,
    }
}

/// The secret key of a person: made from the name, so that every run has the same.
pub fn private_key(person: &str) -> PrivateKey {
    let mut seed = [0; 32];
    seed[..person.len()].copy_from_slice(person.as_bytes());
    PrivateKey::from(Ed25519Keypair::from_seed(&seed))
}

pub fn signing_key(person: &str) -> SigningKey {
    SigningKey::from_openssh(&private_key(person).to_openssh(LineEnding::LF).unwrap()).unwrap()
}

/// Ann writes prompts and is in `legal`; Bob and Cleo are in `legal`, Cleo and Dan in `compliance`.
pub fn owners() -> Owners {
    let person = |name: &str| Person {
        name: None,
        email: Some(format!("{name}@example.com")),
        keys: vec![signing_key(name).public_key()],
        github: None,
    };
    let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Owners {
        people: ["ann", "bob", "cleo", "dan"].map(|name| (name.to_owned(), person(name))).into(),
        teams: [("legal".to_owned(), set(&["ann", "bob", "cleo"])), ("compliance".to_owned(), set(&["cleo", "dan"]))].into(),
        contacts: BTreeMap::new(),
    }
}

pub const POLICY: &str = r#"
    [environments.staging]
    [environments.prod]
    protected = true
    evidence = ["eval"]
    [[policy.sensitive]]
    tags = ["legal"]
    groups = ["legal"]
    valid_days = 30
    [[policy.sensitive]]
    tags = ["both"]
    groups = ["legal", "compliance"]
    [policy.withdrawn]
    force = ["staging"]
"#;

/// A registry with its rules.
pub struct Desk {
    pub registry: Registry,
    pub policy: Policy,
    pub owners: Owners,
    _folder: Option<TempDir>,
}

pub fn open_store(folder: &Path) -> Store {
    let options = StoreOptions { base_dir: folder.to_owned(), settings: BTreeMap::new() };
    Store::open("file://registry", &options).unwrap()
}

/// One desk in memory and one in a folder.
pub async fn desks() -> Vec<Desk> {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = Desk::new(open_store(folder.path()), Some(folder)).await;
    vec![Desk::memory().await, in_folder]
}

impl Desk {
    pub async fn memory() -> Self {
        Self::new(Store::open("memory://", &StoreOptions::default()).unwrap(), None).await
    }

    pub async fn at(folder: &Path) -> Self {
        Self::new(open_store(folder), None).await
    }

    async fn new(store: Store, folder: Option<TempDir>) -> Self {
        let (registry, _) = Registry::init(store, "ops@example.com", minute(-100)).await.unwrap();
        Self { registry, policy: Policy::from_toml(POLICY).unwrap(), owners: owners(), _folder: folder }
    }

    pub fn authority(&self) -> Authority<'_> {
        Authority { policy: &self.policy, owners: &self.owners, revision: "0123abc" }
    }

    /// Publishes what Ann wrote.
    pub async fn publish(&self, prompt: &Prompt) -> Result<Publication, RegistryError> {
        let provenance = provenance("ann@example.com");
        let submission = Submission { prompt, provenance: &provenance };
        self.registry.publish(&submission, &self.policy, "ci@example.com", minute(0)).await
    }

    /// Publishes what Ann wrote, all at once.
    pub async fn publish_all(&self, prompts: &[Prompt]) -> Result<Vec<Result<Publication, RegistryError>>, RegistryError> {
        let provenance = provenance("ann@example.com");
        let submissions: Vec<Submission<'_>> =
            prompts.iter().map(|prompt| Submission { prompt, provenance: &provenance }).collect();
        self.registry.publish_all(&submissions, &self.policy, "ci@example.com", minute(0)).await
    }

    /// Every entry of the log.
    pub async fn log(&self) -> Vec<AuditEntry> {
        let batches = self.registry.log_batches(1, 1000).await.unwrap();
        batches.into_iter().flat_map(|batch| batch.entries).collect()
    }

    pub async fn plan(&self, versions: &[&str], at: i64) -> Result<Plan, RegistryError> {
        self.plan_for(&prod(), versions, at).await
    }

    pub async fn plan_for(&self, environment: &EnvironmentName, versions: &[&str], at: i64) -> Result<Plan, RegistryError> {
        let targets = Targets { versions: versions.iter().map(|text| reference(text)).collect(), ..Targets::default() };
        self.registry.plan(environment, &targets, self.authority(), "rel@example.com", minute(at)).await
    }

    /// Plans to split a prompt: the control, and the version and percentage of the candidate.
    pub async fn plan_split(&self, control: &str, candidate: &str, percent: &str, at: i64) -> Result<Plan, RegistryError> {
        let (control, candidate, share) = (reference(control), candidate.parse().unwrap(), percent.parse().unwrap());
        let targets = Targets { splits: vec![Split { control, candidate, share }], ..Targets::default() };
        self.registry.plan(&prod(), &targets, self.authority(), "rel@example.com", minute(at)).await
    }

    pub async fn split(&self, control: &str, candidate: &str, percent: &str, at: i64) -> Result<Release, RegistryError> {
        self.apply(&self.plan_split(control, candidate, percent, at).await?, at).await
    }

    /// Deploys to the environment that needs no evidence.
    pub async fn stage(&self, versions: &[&str], at: i64) -> Result<Release, RegistryError> {
        self.apply(&self.plan_for(&staging(), versions, at).await?, at).await
    }

    pub async fn change(&self, name: &str, change: StatusChange, at: i64) -> Result<StatusDecision, RegistryError> {
        let reference = reference(name);
        self.ask(&request(&reference, change), at).await
    }

    pub async fn ask(&self, request: &StatusRequest<'_>, at: i64) -> Result<StatusDecision, RegistryError> {
        self.registry.set_status(request, self.authority(), "rel@example.com", minute(at)).await
    }

    pub async fn yank(&self, name: &str, at: i64) -> Result<StatusDecision, RegistryError> {
        self.change(name, StatusChange::Yank, at).await
    }

    pub async fn deprecate(&self, name: &str, date: &str, at: i64) -> Result<StatusDecision, RegistryError> {
        self.change(name, StatusChange::Deprecate { date: date.parse().unwrap(), replacement: None }, at).await
    }

    pub async fn apply(&self, plan: &Plan, at: i64) -> Result<Release, RegistryError> {
        let released = self.registry.deploy(plan, self.authority(), "rel@example.com", None, minute(at)).await?;
        Ok(released.release)
    }

    pub async fn deploy(&self, versions: &[&str], at: i64) -> Result<Release, RegistryError> {
        self.apply(&self.plan(versions, at).await?, at).await
    }

    /// Signs and stores an approval for prod that expires after `days`.
    pub async fn approve(&self, person: &str, group: &str, version: &str, at: i64, days: i64) -> Result<(), RegistryError> {
        let (reference, environment) = (reference(version), prod());
        let request = ApprovalRequest {
            reference: &reference,
            environment: &environment,
            group,
            expires: minute(at) + Duration::days(days),
        };
        let key = signing_key(person);
        let approval = self.registry.sign_approval(&request, &key, &self.owners, minute(at)).await?;
        self.registry.approve(&approval.statement, &approval.signature, &self.owners, person, minute(at)).await?;
        Ok(())
    }

    /// What is missing for the version, as a person reads it.
    pub async fn missing(&self, version: &str, at: i64) -> Vec<String> {
        let plan = self.plan(&[version], at).await.unwrap();
        plan.changes.iter().flat_map(PlannedChange::unmet).map(|unmet| unmet.to_string()).collect()
    }

    pub async fn eval(&self, version: &str, verdict: &str, at: i64) {
        let record = self.registry.version(&reference(version)).await.unwrap();
        let predicate = serde_json::json!({"verdict": verdict, "eval": "evals/b.yaml", "run": at});
        let statement = Statement::new(record.reference(), record.digest, EVAL_PREDICATE, predicate);
        self.registry.record_evidence(&statement, "ci@example.com", minute(at)).await.unwrap();
    }

    /// Asserts that verification finds nothing at all.
    pub async fn assert_sound(&self) {
        assert_eq!(self.registry.verify(&[]).await.unwrap().problems, []);
    }
}
