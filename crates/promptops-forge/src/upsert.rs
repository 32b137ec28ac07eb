//! One comment for each gate: made the first time, changed from then on.

use std::time::Duration;

use crate::body::Marker;
use crate::error::ForgeError;

/// Pages of comments that are looked through; the gate comments early.
const MAX_PAGES: u32 = 30;
/// Comments on a full page.
const PAGE: usize = 100;

/// A comment that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// Its text.
    pub body: String,
    /// Whether the one who asks wrote it.
    pub is_own: bool,
    /// Where people see it, if the forge says.
    pub url: String,
}

/// What a forge can do with the comments of one pull request.
#[expect(async_fn_in_trait, reason = "the trait is used within one thread, and implemented here alone")]
pub trait Forge {
    /// Returns the most characters of a comment.
    fn limit(&self) -> usize;

    /// Returns a report in which nothing is left that the forge would take for an order.
    fn harmless(&self, report: &str) -> String {
        report.to_owned()
    }

    /// Returns a page of comments, from 1, oldest first.
    async fn page(&self, page: u32) -> Result<Vec<Comment>, ForgeError>;

    /// Writes a new comment and returns where it is seen.
    async fn create(&self, body: &str) -> Result<String, ForgeError>;

    /// Changes a comment and returns where it is seen.
    async fn update(&self, comment: &Comment, body: &str) -> Result<String, ForgeError>;
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// The comment is new.
    Created(String),
    /// The comment was there, and says something else now.
    Updated(String),
    /// The comment was there and says it already.
    Unchanged(String),
}

/// Puts a report into the comment of its marker.
///
/// A forge that does not answer is asked again, up to three times with `pauses` between, and each time from the start: a comment
/// that was made although no answer came is found then, so that it is never made twice.
///
/// # Errors
/// See [`ForgeError`].
pub async fn upsert(forge: &impl Forge, marker: &Marker, report: &str, pauses: &[Duration]) -> Result<Posted, ForgeError> {
    let body = marker.body(&forge.harmless(report), forge.limit());
    let mut pauses = pauses.iter();
    loop {
        match once(forge, marker, &body).await {
            Err(ForgeError::Unavailable { address, message }) => match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(ForgeError::Unavailable { address, message }),
            },
            result => return result,
        }
    }
}

async fn once(forge: &impl Forge, marker: &Marker, body: &str) -> Result<Posted, ForgeError> {
    for page in 1..=MAX_PAGES {
        let comments = forge.page(page).await?;
        let is_last = comments.len() < PAGE;
        if let Some(comment) = comments.into_iter().find(|comment| comment.is_own && marker.marks(&comment.body)) {
            // A forge may store the ends of lines in its own way.
            if comment.body.replace("\r\n", "\n").trim_end() == body {
                return Ok(Posted::Unchanged(comment.url));
            }
            return forge.update(&comment, body).await.map(Posted::Updated);
        }
        if is_last {
            break;
        }
    }
    forge.create(body).await.map(Posted::Created)
}
