//! GitLab: notes on merge requests.

use std::sync::OnceLock;

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::error::ForgeError;
use crate::request::Requests;
use crate::upsert::{Comment, Forge};

/// The most characters that GitLab takes in a note.
const LIMIT: usize = 1_000_000;

/// A merge request.
#[derive(Debug)]
pub struct GitLab {
    api: String,
    project: String,
    number: u64,
    /// The number of the user that the token belongs to, once it was asked for.
    user: OnceLock<u64>,
    requests: Requests,
    token: String,
}

impl GitLab {
    /// Returns the merge request with this number within its project. Sends nothing.
    ///
    /// # Errors
    /// [`ForgeError::Client`].
    pub fn new(api: &str, project: &str, number: u64, token: &str) -> Result<Self, ForgeError> {
        let api = api.trim_end_matches('/').to_owned();
        // A project may be named by its path, whose slashes are part of the name.
        let project = project.replace('/', "%2F");
        Ok(Self { api, project, number, user: OnceLock::new(), requests: Requests::new()?, token: token.to_owned() })
    }

    /// Returns who the token belongs to. One call, the first time.
    async fn user(&self) -> Result<u64, ForgeError> {
        if let Some(user) = self.user.get() {
            return Ok(*user);
        }
        let request = self.requests.request(Method::GET, &format!("{}/user", self.api)).header("PRIVATE-TOKEN", &self.token);
        let answer = self.requests.send(request).await?;
        let user = answer.json["id"].as_u64().ok_or_else(|| answer.malformed("the user has no `id`"))?;
        Ok(*self.user.get_or_init(|| user))
    }

    fn request(&self, method: Method, rest: &str) -> RequestBuilder {
        let path = format!("{}/projects/{}/merge_requests/{}/notes{rest}", self.api, self.project, self.number);
        self.requests.request(method, &path).header("PRIVATE-TOKEN", &self.token)
    }
}

impl Forge for GitLab {
    fn limit(&self) -> usize {
        LIMIT
    }

    fn harmless(&self, report: &str) -> String {
        without_quick_actions(report)
    }

    async fn page(&self, page: u32) -> Result<Vec<Comment>, ForgeError> {
        let user = self.user().await?;
        let query = [("per_page", "100"), ("page", &page.to_string()), ("sort", "asc"), ("order_by", "created_at")];
        let answer = self.requests.send(self.request(Method::GET, "").query(&query)).await?;
        answer.list("note", |note| {
            Some(Comment {
                id: note["id"].as_u64()?,
                body: note["body"].as_str().unwrap_or_default().to_owned(),
                is_own: note["author"]["id"].as_u64() == Some(user),
                url: String::new(),
            })
        })
    }

    async fn create(&self, body: &str) -> Result<String, ForgeError> {
        self.requests.send(self.request(Method::POST, "").json(&json!({"body": body}))).await.map(|_| String::new())
    }

    async fn update(&self, comment: &Comment, body: &str) -> Result<String, ForgeError> {
        let request = self.request(Method::PUT, &format!("/{}", comment.id)).json(&json!({"body": body}));
        self.requests.send(request).await.map(|_| String::new())
    }
}

/// Returns a text in which no line begins as a quick action does, such as `/merge`: GitLab would do it with the rights of the token,
/// and answers of models are in a report. Being in a block of code is no protection, since GitLab takes only those between exactly
/// three back-ticks for one here.
fn without_quick_actions(text: &str) -> String {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        // GitLab takes these out before it looks.
        let seen = line.trim_start_matches('\r');
        let is_action = seen.strip_prefix('/').is_some_and(|name| name.starts_with(|first: char| !first.is_whitespace()));
        is_code ^= line.starts_with("```");
        // In Markdown a back-slash is not shown, in code a space changes least.
        lines.push(if is_action { format!("{}{seen}", if is_code { ' ' } else { '\\' }) } else { line.to_owned() });
    }
    lines.join("\n")
}
