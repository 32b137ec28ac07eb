//! Approvals: a person of a group signs that a content may run in an environment.
//!
//! An approval is an in-toto Statement over the digest of the content, which covers its includes. The canonical bytes of
//! the statement are signed in the SSHSIG format with the namespace [`NAMESPACE`], so `ssh-keygen -Y verify` can check it
//! without this software. Any changed byte voids it (G5).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use promptops_prompt::evidence::{APPROVAL_PREDICATE, Statement};
use promptops_prompt::owners::Owners;
use promptops_prompt::{Digest, Metadata, PromptRef};
use serde::{Deserialize, Serialize};
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::audit::AuditAction;
use crate::environment::EnvironmentName;
use crate::error::{RegistryError, Result};
use crate::evidence::{Found, StoredStatement, is_approval, passing_eval};
use crate::policy::{Demand, Policy, assign};
use crate::record::VersionRecord;
use crate::registry::Registry;

/// The namespace of the signatures: a signature made for anything else does not count.
pub const NAMESPACE: &str = "promptops-approval";

/// How far the clock of an approver may be ahead, in minutes.
const CLOCK_TOLERANCE_MINUTES: i64 = 5;

/// What an approval says: the predicate of its statement, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPredicate {
    /// Where the content may run.
    pub environment: EnvironmentName,
    /// The group that the approver speaks for.
    pub group: String,
    /// The approver: a person of `owners.yaml`.
    pub approver: String,
    /// When it was given, UTC.
    pub time: DateTime<Utc>,
    /// From when on it does not count any more, UTC.
    pub expires: DateTime<Utc>,
}

/// Whose rules hold: the policy, and who is who. Both are read from a revision that the proposal cannot change.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// People, keys and teams.
    pub owners: &'a Owners,
    /// Where both were read, as the id of a commit; a release records it.
    pub revision: &'a str,
}

/// What is asked of an approver.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalRequest<'a> {
    /// The version.
    pub reference: &'a PromptRef,
    /// Where it may run.
    pub environment: &'a EnvironmentName,
    /// The group that the approver speaks for.
    pub group: &'a str,
    /// From when on it does not count any more.
    pub expires: DateTime<Utc>,
}

/// An approval that was checked and can be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// The statement.
    pub statement: Statement,
    /// What it says.
    pub predicate: ApprovalPredicate,
    /// The armored signature over the statement's canonical bytes.
    pub signature: String,
}

/// An Ed25519 key that can sign approvals and bundles.
#[derive(Debug, Clone)]
pub struct SigningKey(PrivateKey);

impl SigningKey {
    /// Reads a private key as OpenSSH writes it.
    ///
    /// # Errors
    /// [`RegistryError::SigningKey`] when it is not one, is encrypted, or is not Ed25519.
    pub fn from_openssh(text: &str) -> Result<Self> {
        let key = PrivateKey::from_openssh(text)
            .map_err(|error| RegistryError::SigningKey(format!("it is not an OpenSSH private key ({error})")))?;
        if key.is_encrypted() {
            return Err(RegistryError::SigningKey("it is encrypted with a passphrase".to_owned()));
        }
        if key.algorithm() != ssh_key::Algorithm::Ed25519 {
            return Err(RegistryError::SigningKey(format!("it is of type `{}`", key.algorithm())));
        }
        Ok(Self(key))
    }

    /// Returns the public key as OpenSSH writes it.
    pub fn public_key(&self) -> String {
        self.0.public_key().to_openssh().expect("an Ed25519 key always has an OpenSSH form")
    }

    /// Signs a message for a purpose, as `ssh-keygen -Y sign -n <namespace>` does; returns the armored signature.
    ///
    /// # Errors
    /// [`RegistryError::SigningKey`] when the key cannot sign.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<String> {
        let fail = |error: ssh_key::Error| RegistryError::SigningKey(error.to_string());
        self.0.sign(namespace, HashAlg::Sha512, message).and_then(|signature| signature.to_pem(LineEnding::LF)).map_err(fail)
    }
}

/// How a demand stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemandState {
    /// What must be shown.
    pub demand: Demand,
    /// Why: the rules that demand it.
    pub because: String,
    /// Whether it is.
    pub is_met: bool,
    /// The stored statements that show it, or a part of it.
    pub shown_by: Vec<Digest>,
    /// The people who approved and may count for the group.
    pub people: BTreeSet<String>,
    /// Why what is there does not suffice.
    pub reasons: Vec<String>,
}

impl Registry {
    /// Makes and signs an approval, without storing it. Refuses one that would not count.
    ///
    /// # Errors
    /// [`RegistryError::ApprovalRefused`] when the key is of nobody, the person is not in the group or is the author, or
    /// the approval has expired already; [`RegistryError::VersionNotFound`].
    pub async fn sign_approval(
        &self,
        request: &ApprovalRequest<'_>,
        key: &SigningKey,
        owners: &Owners,
        now: DateTime<Utc>,
    ) -> Result<Approval> {
        let record = self.version(request.reference).await?;
        let Some(approver) = holder(owners, key.0.public_key()) else {
            let reason = format!("the key belongs to nobody of `owners.yaml`: `{}`", key.public_key());
            return Err(RegistryError::ApprovalRefused(reason));
        };
        let predicate = ApprovalPredicate {
            environment: request.environment.clone(),
            group: request.group.to_owned(),
            approver: approver.to_owned(),
            time: now,
            expires: request.expires,
        };
        let value = serde_json::to_value(&predicate).expect("an approval has only string keys");
        let statement = Statement::new(record.reference(), record.digest, APPROVAL_PREDICATE, value);
        let signature = key.sign(NAMESPACE, &statement.to_bytes())?;
        check(&statement, &signature, &record, owners, now).map_err(RegistryError::ApprovalRefused)?;
        Ok(Approval { statement, predicate, signature })
    }

    /// Stores an approval, whoever signed it: with [`Registry::sign_approval`] or with `ssh-keygen -Y sign`.
    ///
    /// Returns the digest that names the stored object. The same approval again is no error.
    ///
    /// # Errors
    /// [`RegistryError::ApprovalRefused`] when it would not count; [`RegistryError::VersionNotFound`].
    pub async fn approve(
        &self,
        statement: &Statement,
        signature: &str,
        owners: &Owners,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Digest> {
        if let Some(server) = self.server() {
            return server.approve(statement, signature).await;
        }
        let Some(subject) = statement.subject.first() else {
            return Err(RegistryError::Statement("it must be about exactly one version".to_owned()));
        };
        let record = self.version(&subject.name).await?;
        let predicate = check(statement, signature, &record, owners, now).map_err(RegistryError::ApprovalRefused)?;
        let details = [
            ("environment".to_owned(), predicate.environment.to_string()),
            ("group".to_owned(), predicate.group),
            ("approver".to_owned(), predicate.approver),
            ("expires".to_owned(), predicate.expires.to_rfc3339_opts(SecondsFormat::Secs, true)),
        ];
        self.store_statement(statement, Some(signature.to_owned()), AuditAction::Approve, details, actor, now).await
    }

    /// Tells how every demand of the policy on a version stands. `replaced` is the version that is live.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn demands(
        &self,
        environment: &EnvironmentName,
        record: &VersionRecord,
        replaced: Option<&VersionRecord>,
        authority: Authority<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<DemandState>> {
        let current = self.metadata(record).await?;
        let mut earlier = vec![record.metadata.clone()];
        if let Some(replaced) = replaced {
            earlier.extend([replaced.metadata.clone(), self.metadata(replaced).await?]);
        }
        let earlier: Vec<&Metadata> = earlier.iter().collect();
        let demands = authority.policy.demands(environment, &record.id, &current, &earlier);
        if demands.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.find_statements(&record.digest).await?;
        let mut states = states(demands, environment, record, &found, authority.owners, now);
        for state in &mut states {
            state.because = authority.policy.because(environment, &state.demand, &record.id, &current, &earlier);
        }
        Ok(states)
    }
}

/// Decides how demands stand, from the statements about the content.
fn states(
    demands: Vec<Demand>,
    environment: &EnvironmentName,
    record: &VersionRecord,
    found: &[Found],
    owners: &Owners,
    now: DateTime<Utc>,
) -> Vec<DemandState> {
    let mut states: Vec<DemandState> = demands
        .into_iter()
        .map(|demand| match &demand {
            Demand::Eval { file } => eval_state(file.clone(), record, found),
            Demand::Approval { .. } => approval_state(&demand, environment, record, found, owners, now),
        })
        .collect();
    // Who may count for which group is known now; one person counts for one of them.
    let mut places = BTreeMap::new();
    let mut candidates = BTreeMap::new();
    for state in &states {
        if let Demand::Approval { group, quorum, .. } = &state.demand {
            places.insert(group.clone(), *quorum);
            candidates.insert(group.clone(), state.people.clone());
        }
    }
    let filled = assign(&places, &candidates);
    for state in &mut states {
        let Demand::Approval { group, quorum, .. } = &state.demand else { continue };
        let (filled, candidates) = (filled[group], u32::try_from(state.people.len()).unwrap_or(u32::MAX));
        state.is_met = filled >= *quorum;
        if state.is_met {
            state.reasons.clear();
        } else if candidates >= *quorum {
            state.reasons.push("one person counts for one group only".to_owned());
        } else if filled > 0 {
            state.reasons.push(format!("{filled} of {quorum} given"));
        }
    }
    states
}

fn eval_state(file: Option<String>, record: &VersionRecord, found: &[Found]) -> DemandState {
    let (shown_by, reasons) = match passing_eval(&record.reference(), file.as_deref(), found) {
        Ok(object) => (vec![object], Vec::new()),
        Err(reasons) => (Vec::new(), reasons),
    };
    let is_met = !shown_by.is_empty();
    DemandState { demand: Demand::Eval { file }, because: String::new(), is_met, shown_by, people: BTreeSet::new(), reasons }
}

fn approval_state(
    demand: &Demand,
    environment: &EnvironmentName,
    record: &VersionRecord,
    found: &[Found],
    owners: &Owners,
    now: DateTime<Utc>,
) -> DemandState {
    let mut state = DemandState {
        demand: demand.clone(),
        because: String::new(),
        is_met: false,
        shown_by: Vec::new(),
        people: BTreeSet::new(),
        reasons: Vec::new(),
    };
    let Demand::Approval { group, valid_days, .. } = demand else { return state };
    if !owners.teams.contains_key(group) {
        state.reasons.push(format!("`owners.yaml` has no team `{group}`"));
        return state;
    }
    for found in found {
        let stored = match &found.stored {
            Ok(stored) if is_approval(stored) => stored,
            Ok(_) => continue,
            Err(reason) => {
                state.reasons.push(format!("{}: {reason}", found.object.short()));
                continue;
            }
        };
        match counts(stored, environment, group, *valid_days, record, owners, now) {
            Ok(Some(person)) => {
                state.people.insert(person);
                state.shown_by.push(found.object);
            }
            Ok(None) => {}
            Err(reason) => state.reasons.push(format!("{}: {reason}", found.object.short())),
        }
    }
    state
}

/// Returns who counts for the group by this approval, nothing when it is for another place or group, or why nobody does.
fn counts(
    stored: &StoredStatement,
    environment: &EnvironmentName,
    group: &str,
    valid_days: u32,
    record: &VersionRecord,
    owners: &Owners,
    now: DateTime<Utc>,
) -> std::result::Result<Option<String>, String> {
    let signature = stored.signature.as_deref().ok_or("it is not signed")?;
    let predicate = check(&stored.statement, signature, record, owners, now)?;
    if predicate.environment != *environment || predicate.group != group {
        return Ok(None);
    }
    if now >= predicate.time + Duration::days(i64::from(valid_days)) {
        return Err(format!("it is older than {valid_days} days"));
    }
    Ok(Some(predicate.approver))
}

/// Checks everything about an approval that does not depend on what is demanded: what it is about, who signed it, and
/// that it holds now. Returns what it says, or why it does not count.
fn check(
    statement: &Statement,
    signature: &str,
    record: &VersionRecord,
    owners: &Owners,
    now: DateTime<Utc>,
) -> std::result::Result<ApprovalPredicate, String> {
    if statement.predicate_type != APPROVAL_PREDICATE {
        return Err(format!("its predicate is `{}`", statement.predicate_type));
    }
    if !statement.is_about(&record.digest) || statement.subject[0].name != record.reference() {
        return Err(format!("it is about another content than `{}`", record.reference()));
    }
    let predicate: ApprovalPredicate =
        serde_json::from_value(statement.predicate.clone()).map_err(|error| format!("it is not readable ({error})"))?;
    let approver = &predicate.approver;
    check_signature(statement, signature, approver, owners)?;
    if !owners.teams.get(&predicate.group).is_some_and(|members| members.contains(approver)) {
        return Err(format!("`{approver}` is not a member of `{}`", predicate.group));
    }
    // Without knowing who wrote a version, nobody can be shown to be somebody else.
    let author = &record.provenance.author;
    match owners.person_by_email(author) {
        None => return Err(format!("the author `{author}` is nobody of `owners.yaml`, so the approver may be the author")),
        Some(person) if person == approver => return Err(format!("`{approver}` is the author")),
        Some(_) => {}
    }
    if predicate.time > now + Duration::minutes(CLOCK_TOLERANCE_MINUTES) {
        return Err(format!("it is dated in the future, `{}`", predicate.time));
    }
    if now >= predicate.expires {
        return Err(format!("it expired at `{}`", predicate.expires.to_rfc3339_opts(SecondsFormat::Secs, true)));
    }
    Ok(predicate)
}

fn check_signature(statement: &Statement, signature: &str, approver: &str, owners: &Owners) -> std::result::Result<(), String> {
    let signature = SshSig::from_pem(signature).map_err(|_| "its signature is not readable".to_owned())?;
    let person = owners.people.get(approver).ok_or_else(|| format!("`{approver}` is nobody of `owners.yaml`"))?;
    let keys = person.keys.iter().filter_map(|key| PublicKey::from_openssh(key).ok());
    let Some(key) = keys.into_iter().find(|key| key.key_data() == signature.public_key()) else {
        return Err(format!("it is not signed with a key of `{approver}`"));
    };
    let message = statement.to_bytes();
    key.verify(NAMESPACE, &message, &signature).map_err(|_| "its signature does not fit what it says".to_owned())
}

/// Returns the person who holds a signing key.
pub fn holder_of<'a>(owners: &'a Owners, key: &SigningKey) -> Option<&'a str> {
    holder(owners, key.0.public_key())
}

/// Returns the person who holds a public key.
fn holder<'a>(owners: &'a Owners, key: &PublicKey) -> Option<&'a str> {
    let holds = |text: &String| PublicKey::from_openssh(text).is_ok_and(|known| known.key_data() == key.key_data());
    owners.people.iter().find(|(_, person)| person.keys.iter().any(holds)).map(|(id, _)| id.as_str())
}
