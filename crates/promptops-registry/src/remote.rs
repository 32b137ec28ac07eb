//! A registry behind a server: what writes goes there as what it means.
//!
//! The server decides by its own rules and clock, and the actor of every record is that of the API key. What the caller
//! says about rules, time and actor is not sent. Every request is safe to repeat, so that a lost answer costs nothing.

use promptops_prompt::Digest;
use promptops_prompt::evidence::Statement;
use promptops_store::{Answer, Connection};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::v1;
use crate::environment::{EnvironmentName, Released};
use crate::error::{RegistryError, Result};
use crate::plan::Plan;
use crate::publish::{Publication, Submission};
use crate::registry::Registry;
use crate::status::{StatusDecision, StatusRequest};

/// Bytes of submissions after which the rest goes into another request.
const BYTES_PER_REQUEST: usize = 2 << 20;

/// The server that a registry is behind.
pub(crate) struct Server<'a> {
    connection: &'a Connection,
}

impl Registry {
    /// Returns the server that this registry is behind; none where its objects are reached directly.
    pub(crate) fn server(&self) -> Option<Server<'_>> {
        self.store.connection().map(|connection| Server { connection })
    }

    /// Tells whether this registry is behind a server, whose rules then hold for what is written.
    pub fn is_behind_server(&self) -> bool {
        self.store.connection().is_some()
    }

    /// Refuses what a server does not offer.
    pub(crate) fn must_be_direct(&self, what: &'static str) -> Result<()> {
        if self.is_behind_server() {
            return Err(RegistryError::NotThroughServer { what, url: self.store.url().to_owned() });
        }
        Ok(())
    }
}

impl Server<'_> {
    /// Publishes versions, and returns what became of each.
    pub(crate) async fn publish_all(&self, submissions: &[Submission<'_>]) -> Result<Vec<Result<Publication>>> {
        let mut results = Vec::with_capacity(submissions.len());
        for request in requests(submissions) {
            results.extend(self.publish_request(&request).await?);
        }
        Ok(results)
    }

    async fn publish_request(&self, request: &v1::PublishRequest) -> Result<Vec<Result<Publication>>> {
        let response: v1::PublishResponse = self.post(v1::PUBLICATIONS, request).await?;
        let (sent, returned) = (request.submissions.len(), response.results.len());
        if sent != returned {
            return Err(RegistryError::Answer(format!("{sent} versions were sent, and it is about {returned}")));
        }
        Ok(response.results.into_iter().map(v1::PublishResult::into_result).collect())
    }

    /// Deploys a plan.
    pub(crate) async fn deploy(&self, plan: &Plan, force: bool, reason: Option<&str>) -> Result<Released> {
        let request = v1::DeployRequest { plan: plan.clone(), force, reason: reason.map(str::to_owned) };
        let response: v1::ReleasedResponse = self.post(&v1::releases(&plan.environment), &request).await?;
        Ok(response.into())
    }

    /// Takes the pins of an earlier release again.
    pub(crate) async fn rollback(
        &self,
        environment: &EnvironmentName,
        to: u64,
        force: bool,
        reason: Option<&str>,
    ) -> Result<Released> {
        let request = v1::RollbackRequest { to, force, reason: reason.map(str::to_owned) };
        let response: v1::ReleasedResponse = self.post(&v1::rollbacks(environment), &request).await?;
        Ok(response.into())
    }

    /// Changes the status of a version.
    pub(crate) async fn set_status(&self, request: &StatusRequest<'_>) -> Result<StatusDecision> {
        let response: v1::StatusResponse = self.post(v1::STATUSES, &v1::StatusRequestV1::from(request)).await?;
        Ok(response.into())
    }

    /// Stores an eval statement.
    pub(crate) async fn record_evidence(&self, statement: &Statement) -> Result<Digest> {
        let request = v1::EvidenceRequest { statement: statement.clone() };
        Ok(self.post::<v1::StoredResponse>(v1::EVIDENCE, &request).await?.object)
    }

    /// Stores an approval.
    pub(crate) async fn approve(&self, statement: &Statement, signature: &str) -> Result<Digest> {
        let request = v1::ApprovalRequest { statement: statement.clone(), signature: signature.to_owned() };
        Ok(self.post::<v1::StoredResponse>(v1::APPROVALS, &request).await?.object)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<T> {
        let Answer { status, body } = self.connection.post(path, to_json(request)).await?;
        if (200..300).contains(&status) {
            return serde_json::from_slice(&body).map_err(|error| RegistryError::Answer(error.to_string()));
        }
        match serde_json::from_slice::<v1::Problem>(&body) {
            Ok(problem) => Err(problem.into_error()),
            Err(_) => Err(RegistryError::Answer(format!("status {status} without a problem that can be read"))),
        }
    }
}

/// Divides submissions into requests that are neither too many nor too large, in their order.
fn requests(submissions: &[Submission<'_>]) -> Vec<v1::PublishRequest> {
    let mut requests: Vec<v1::PublishRequest> = Vec::new();
    let mut bytes = 0;
    for submission in submissions {
        let submission = v1::SubmissionV1::from(submission);
        let length = to_json(&submission).len();
        bytes += length;
        match requests.last_mut() {
            Some(request) if request.submissions.len() < v1::MAX_SUBMISSIONS && bytes <= BYTES_PER_REQUEST => {
                request.submissions.push(submission);
            }
            _ => {
                requests.push(v1::PublishRequest { submissions: vec![submission] });
                bytes = length;
            }
        }
    }
    requests
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("wire types have only string keys")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::approval::Authority;
    use crate::environment::Release;

    fn is_send<T: Send>(_: T) {}

    fn send_all(
        registry: &Registry,
        plan: &Plan,
        environment: &EnvironmentName,
        release: &Release,
        authority: Authority<'_>,
        request: &StatusRequest<'_>,
        now: DateTime<Utc>,
    ) {
        is_send(registry.set_status(request, authority, "", now));
        is_send(registry.force_deploy(plan, authority, "", None, now));
        is_send(registry.publish_all(&[], authority.policy, "", now));
        is_send(registry.deploy(plan, authority, "", None, now));
        is_send(registry.rollback(environment, None, "", None, now));
        is_send(registry.pins(release));
        is_send(registry.at(environment, now));
        is_send(registry.history(environment));
        is_send(registry.verify(&[]));
    }

    /// A server runs these on many threads. Nothing is called: that it compiles is the test.
    #[test]
    fn what_a_registry_does_can_be_sent_to_another_thread() {
        let _ = send_all;
    }
}
