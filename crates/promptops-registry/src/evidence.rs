//! Statements about versions, stored beside them: eval runs and approvals.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::evidence::{APPROVAL_PREDICATE, EVAL_PREDICATE, Statement};
use promptops_prompt::{Digest, PromptRef};
use promptops_store::Created;
use serde::{Deserialize, Serialize};

use crate::audit::{Act, AuditAction};
use crate::error::{RegistryError, Result};
use crate::layout::{self, Key};
use crate::record::{FORMAT, Published, from_bytes, to_bytes};
use crate::registry::Registry;

/// Statements read at the same time.
const CONCURRENT_READS: usize = 16;

/// A statement as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredStatement {
    /// [`FORMAT`].
    pub format: u32,
    /// What is said. Its canonical bytes are what is signed.
    pub statement: Statement,
    /// The armored SSH signature over the statement's canonical bytes; approvals must have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// When and by whom it was stored.
    pub recorded: Published,
}

/// A statement that was read, with the digest that names the object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) object: Digest,
    /// The statement, or why it does not count.
    pub(crate) stored: std::result::Result<StoredStatement, String>,
}

impl Registry {
    /// Stores an eval statement about a published version. The same statement again is no error and writes nothing.
    ///
    /// Returns the digest that names the stored object.
    ///
    /// # Errors
    /// [`RegistryError::Statement`] when it is not an eval statement with a verdict and an eval file about one published
    /// version;
    /// [`RegistryError::VersionNotFound`] when that version is not published.
    pub async fn record_evidence(&self, statement: &Statement, actor: &str, now: DateTime<Utc>) -> Result<Digest> {
        if let Some(server) = self.server() {
            return server.record_evidence(statement).await;
        }
        if statement.predicate_type != EVAL_PREDICATE {
            let reason = format!("its predicate is `{}`, not `{EVAL_PREDICATE}`", statement.predicate_type);
            return Err(RegistryError::Statement(reason));
        }
        let field = |name: &str| statement.predicate.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let Some(verdict) = field("verdict") else {
            return Err(RegistryError::Statement("it has no `verdict`".to_owned()));
        };
        let Some(file) = field("eval") else {
            return Err(RegistryError::Statement("it does not name its `eval` file".to_owned()));
        };
        let details = [("verdict".to_owned(), verdict), ("eval".to_owned(), file)];
        self.store_statement(statement, None, AuditAction::Evidence, details, actor, now).await
    }

    /// Returns the statements about a content that are intact, oldest first.
    ///
    /// # Errors
    /// As the store fails. An altered or unreadable statement is left out; [`Registry::verify`] names it.
    pub async fn statements(&self, subject: &Digest) -> Result<Vec<StoredStatement>> {
        let found = self.find_statements(subject).await?;
        Ok(found.into_iter().filter_map(|found| found.stored.ok()).collect())
    }

    /// Stores a statement, and its audit entry after it.
    pub(crate) async fn store_statement(
        &self,
        statement: &Statement,
        signature: Option<String>,
        action: AuditAction,
        details: impl IntoIterator<Item = (String, String)>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Digest> {
        let (reference, subject) = self.check_subject(statement).await?;
        let mut details: BTreeMap<String, String> = details.into_iter().collect();
        details.insert("prompt".to_owned(), reference.to_string());
        details.insert("content".to_owned(), subject.to_string());

        let is_same = |stored: &StoredStatement| stored.statement == *statement && stored.signature == signature;
        let earlier = self.find_statements(&subject).await?.into_iter();
        let earlier = earlier.filter_map(|found| Some((found.object, found.stored.ok()?))).find(|(_, stored)| is_same(stored));
        let act = |object: Digest, recorded: Published| {
            let subject = Key::Evidence { subject, object };
            Act { time: recorded.time, actor: recorded.by, action, subject, digest: object, details }
        };
        if let Some((object, stored)) = earlier {
            self.log.complete([act(object, stored.recorded)], actor).await?;
            return Ok(object);
        }
        let recorded = Published { time: now, by: actor.to_owned() };
        let stored = StoredStatement { format: FORMAT, statement: statement.clone(), signature, recorded: recorded.clone() };
        let bytes = to_bytes(&stored);
        let object = Digest::of(&bytes);
        match self.store.create(&Key::Evidence { subject, object }.to_string(), bytes).await? {
            Created::New => self.log.append([act(object, recorded)]).await?,
            Created::Same => self.log.complete([act(object, recorded)], actor).await?,
        }
        Ok(object)
    }

    /// Reads every statement about a content, oldest first; those that cannot be used say why.
    pub(crate) async fn find_statements(&self, subject: &Digest) -> Result<Vec<Found>> {
        let keys = self.store.list(&layout::evidence(subject)).await?;
        let keys = keys.iter().filter_map(|key| match Key::parse(key) {
            Some(Key::Evidence { object, .. }) => Some(object),
            _ => None,
        });
        let mut found: Vec<Found> = futures::stream::iter(keys.collect::<Vec<_>>())
            .map(|object| self.read_statement(*subject, object))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        found.sort_by_key(|found| (found.stored.as_ref().ok().map(|stored| stored.recorded.time), found.object));
        Ok(found)
    }

    async fn read_statement(&self, subject: Digest, object: Digest) -> Result<Found> {
        let key = Key::Evidence { subject, object };
        let Some(bytes) = self.store.get(&key.to_string()).await? else {
            return Ok(Found { object, stored: Err("the statement is missing".to_owned()) });
        };
        if Digest::of(&bytes) != object {
            return Ok(Found { object, stored: Err("the statement was altered".to_owned()) });
        }
        let stored = match from_bytes::<StoredStatement>(&key, &bytes) {
            Ok(stored) if !stored.statement.is_about(&subject) => Err("the statement is about another content".to_owned()),
            Ok(stored) => Ok(stored),
            Err(error) => Err(error.to_string()),
        };
        Ok(Found { object, stored })
    }

    /// Returns the version that a statement is about, and refuses a statement that does not fit what is published.
    async fn check_subject(&self, statement: &Statement) -> Result<(PromptRef, Digest)> {
        let [subject] = statement.subject.as_slice() else {
            return Err(RegistryError::Statement("it must be about exactly one version".to_owned()));
        };
        let record = self.version(&subject.name).await?;
        if !statement.is_about(&record.digest) {
            let reason = format!("`{}` is published with digest `{}`", subject.name, record.digest);
            return Err(RegistryError::Statement(reason));
        }
        Ok((subject.name.clone(), record.digest))
    }
}

/// Says whether the runs of an eval file, or of any, show that a version passes: the latest one decides.
///
/// Returns the object that shows it, or why it is not shown.
pub(crate) fn passing_eval(
    reference: &PromptRef,
    file: Option<&str>,
    found: &[Found],
) -> std::result::Result<Digest, Vec<String>> {
    let text = |stored: &StoredStatement, name: &str| {
        stored.statement.predicate.get(name).and_then(serde_json::Value::as_str).unwrap_or("nothing").to_owned()
    };
    let is_run = |stored: &StoredStatement| {
        stored.statement.predicate_type == EVAL_PREDICATE
            && stored.statement.subject[0].name == *reference
            && file.is_none_or(|file| text(stored, "eval") == file)
    };
    let mut runs =
        found.iter().filter_map(|found| Some((found.object, found.stored.as_ref().ok().filter(|stored| is_run(stored))?)));
    let Some((object, latest)) = runs.next_back() else { return Err(Vec::new()) };
    match text(latest, "verdict").as_str() {
        "pass" => Ok(object),
        verdict => Err(vec![format!("the latest run says `{verdict}`")]),
    }
}

/// Tells whether a statement is an approval.
pub(crate) fn is_approval(stored: &StoredStatement) -> bool {
    stored.statement.predicate_type == APPROVAL_PREDICATE
}
