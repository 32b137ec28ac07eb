//! GitLab: notes on merge requests.

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
    /// The number of the user that the token belongs to.
    user: u64,
    requests: Requests,
    token: String,
}

impl GitLab {
    /// Returns the merge request with this number within its project, after asking who the token belongs to. One call.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn new(api: &str, project: &str, number: u64, token: &str) -> Result<Self, ForgeError> {
        let api = api.trim_end_matches('/').to_owned();
        let requests = Requests::new()?;
        let request = requests.request(Method::GET, &format!("{api}/user")).header("PRIVATE-TOKEN", token);
        let answer = requests.send(request).await?;
        let user = answer.json["id"].as_u64().ok_or_else(|| answer.malformed("the user has no `id`"))?;
        // A project may be named by its path, whose slashes are part of the name.
        let project = project.replace('/', "%2F");
        Ok(Self { api, project, number, user, requests, token: token.to_owned() })
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

    async fn page(&self, page: u32) -> Result<Vec<Comment>, ForgeError> {
        let query = [("per_page", "100"), ("page", &page.to_string()), ("sort", "asc"), ("order_by", "created_at")];
        let answer = self.requests.send(self.request(Method::GET, "").query(&query)).await?;
        answer.list("note", |note| {
            Some(Comment {
                id: note["id"].as_u64()?,
                body: note["body"].as_str().unwrap_or_default().to_owned(),
                is_own: note["author"]["id"].as_u64() == Some(self.user),
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
