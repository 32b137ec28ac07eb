//! GitHub: comments on the issue that every pull request is.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::error::ForgeError;
use crate::request::Requests;
use crate::upsert::{Comment, Forge};

/// The most characters that GitHub takes in a comment.
const LIMIT: usize = 65_536;
/// The version of the API, by its date.
const VERSION: &str = "2022-11-28";

/// A pull request.
#[derive(Debug)]
pub struct GitHub {
    api: String,
    repository: String,
    number: u64,
    author: String,
    requests: Requests,
    token: String,
}

impl GitHub {
    /// Returns the pull request with this number. `repository` is `owner/name`, `author` the login that the token comments as.
    ///
    /// # Errors
    /// [`ForgeError::Client`].
    pub fn new(api: &str, repository: &str, number: u64, author: &str, token: &str) -> Result<Self, ForgeError> {
        Ok(Self {
            api: api.trim_end_matches('/').to_owned(),
            repository: repository.to_owned(),
            number,
            author: author.to_owned(),
            requests: Requests::new()?,
            token: token.to_owned(),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.requests.request(method, &format!("{}/repos/{}/{path}", self.api, self.repository));
        request.bearer_auth(&self.token).header("Accept", "application/vnd.github+json").header("X-GitHub-Api-Version", VERSION)
    }
}

impl Forge for GitHub {
    fn limit(&self) -> usize {
        LIMIT
    }

    async fn page(&self, page: u32) -> Result<Vec<Comment>, ForgeError> {
        let path = format!("issues/{}/comments", self.number);
        let request = self.request(Method::GET, &path).query(&[("per_page", "100"), ("page", &page.to_string())]);
        let answer = self.requests.send(request).await?;
        answer.list("comment", |comment| {
            Some(Comment {
                id: comment["id"].as_u64()?,
                body: comment["body"].as_str().unwrap_or_default().to_owned(),
                is_own: comment["user"]["login"].as_str() == Some(self.author.as_str()),
                url: comment["html_url"].as_str().unwrap_or_default().to_owned(),
            })
        })
    }

    async fn create(&self, body: &str) -> Result<String, ForgeError> {
        let request = self.request(Method::POST, &format!("issues/{}/comments", self.number)).json(&json!({"body": body}));
        self.requests.send(request).await.map(|answer| url(&answer.json))
    }

    async fn update(&self, comment: &Comment, body: &str) -> Result<String, ForgeError> {
        let request = self.request(Method::PATCH, &format!("issues/comments/{}", comment.id)).json(&json!({"body": body}));
        self.requests.send(request).await.map(|answer| url(&answer.json))
    }
}

fn url(comment: &Value) -> String {
    comment["html_url"].as_str().unwrap_or_default().to_owned()
}
