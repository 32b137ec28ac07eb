//! GitLab's notes on loopback, in the shapes that GitLab documents: <https://docs.gitlab.com/api/notes/#merge-requests>, and
//! <https://docs.gitlab.com/api/users/> for whose token it is. What a request has that the documents do not allow is a violation.

#![allow(dead_code, reason = "each test program uses a part of this module")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The number of the user that the token belongs to.
pub const BOT: u64 = 4711;
/// The token that may comment.
pub const TOKEN: &str = "glpat-of-the-project";
/// What a pipeline knows of the merge request: the number of the project, and that of the request within it.
pub const PROJECT: &str = "5";
pub const NUMBER: &str = "7";

/// The longest note that GitLab takes.
const MAX_CHARACTERS: usize = 1_000_000;

/// What is there, and what happened.
#[derive(Debug, Default)]
pub struct Forge {
    /// Author and text of every note; the number of a note is 300 more than its place.
    pub notes: Vec<(u64, String)>,
    /// Method and path of every request.
    pub requests: Vec<String>,
    /// What was wrong with requests, by the documents.
    pub violations: Vec<String>,
    /// Statuses that the next requests are answered with, instead of what they ask for.
    pub troubles: VecDeque<u16>,
    /// Whether the token may read and not write.
    pub is_read_only: bool,
}

/// A running server; ends with the value.
pub struct FakeGitLab {
    /// The address of its API.
    pub url: String,
    /// What is there.
    pub forge: Arc<Mutex<Forge>>,
    _runtime: tokio::runtime::Runtime,
}

impl FakeGitLab {
    /// Starts the server on a free port.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let forge = Arc::new(Mutex::new(Forge::default()));
        let limit = axum::extract::DefaultBodyLimit::max(8 << 20);
        let router = Router::new().fallback(answer).layer(limit).with_state(forge.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/api/v4", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, forge, _runtime: runtime }
    }

    /// Returns the texts of all notes of one user.
    pub fn notes_of(&self, user: u64) -> Vec<String> {
        let forge = self.forge.lock().unwrap();
        forge.notes.iter().filter(|(author, _)| *author == user).map(|(_, body)| body.clone()).collect()
    }
}

async fn answer(State(forge): State<Arc<Mutex<Forge>>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut forge = forge.lock().unwrap();
    forge.requests.push(format!("{method} {}", uri.path()));
    if let Some(status) = forge.troubles.pop_front() {
        return problem(status, "trouble as told");
    }
    if headers.get("private-token").is_none_or(|token| token != TOKEN) {
        return problem(401, "401 Unauthorized");
    }
    match respond(&mut forge, &method, &uri, &headers, &body) {
        Ok((status, json)) => (StatusCode::from_u16(status).unwrap(), json.to_string()).into_response(),
        Err((status, message)) => {
            if status == 400 {
                forge.violations.push(format!("{method} {}: {message}", uri.path()));
            }
            problem(status, &message)
        }
    }
}

fn problem(status: u16, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), json!({"message": message}).to_string()).into_response()
}

type Answer = Result<(u16, Value), (u16, String)>;

fn respond(forge: &mut Forge, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
    let path = uri.path().strip_prefix("/api/v4/").unwrap_or_default();
    if (method, path) == (&Method::GET, "user") {
        return Ok((200, json!({"id": BOT, "username": "project_5_bot", "name": "gate", "state": "active", "bot": true})));
    }
    let not_found = || (404, "404 Not found".to_owned());
    let parts: Vec<&str> = path.split('/').collect();
    let ["projects", PROJECT | "desk%2Fprompts", "merge_requests", NUMBER, "notes", rest @ ..] = parts.as_slice() else {
        return Err(not_found());
    };
    match (method.as_str(), rest) {
        ("GET", []) => Ok((200, page(forge, uri)?)),
        ("POST", []) => {
            let text = written(forge, headers, body)?;
            forge.notes.push((BOT, text));
            Ok((201, note(forge, forge.notes.len() - 1)))
        }
        ("PUT", [number]) => {
            let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(301)).ok_or_else(not_found)?;
            let text = written(forge, headers, body)?;
            match forge.notes.get_mut(index) {
                None => return Err(not_found()),
                Some((author, _)) if *author != BOT => return Err((403, "403 Forbidden".to_owned())),
                Some((_, kept)) => *kept = text,
            }
            Ok((200, note(forge, index)))
        }
        _ => Err((405, "405 Method Not Allowed".to_owned())),
    }
}

/// Returns a page of notes, and refuses a query that the documents do not have.
fn page(forge: &Forge, uri: &Uri) -> Result<Value, (u16, String)> {
    let (mut page, mut size, mut is_ascending) = (1, 20, false);
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("page", value) => page = value.parse::<usize>().ok().filter(|page| *page > 0).ok_or((400, "page".to_owned()))?,
            ("per_page", value) => {
                size = value.parse::<usize>().ok().filter(|size| (1..=100).contains(size)).ok_or((400, "per_page".to_owned()))?;
            }
            ("sort", "asc") => is_ascending = true,
            ("sort", "desc") | ("order_by", "created_at" | "updated_at") => {}
            _ => return Err((400, format!("`{pair}` does not have a valid value"))),
        }
    }
    let mut all: Vec<usize> = (0..forge.notes.len()).collect();
    if !is_ascending {
        all.reverse();
    }
    Ok(all.into_iter().skip((page - 1) * size).take(size).map(|index| note(forge, index)).collect())
}

/// Returns the text of a note that is to be written.
fn written(forge: &Forge, headers: &HeaderMap, body: &[u8]) -> Result<String, (u16, String)> {
    let json: Value = serde_json::from_slice(body).map_err(|error| (400, format!("the body is no JSON: {error}")))?;
    let is_json = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let fields = json.as_object().filter(|_| is_json).ok_or((400, "the body is no object in JSON".to_owned()))?;
    let text = fields.get("body").and_then(Value::as_str).filter(|_| fields.len() == 1);
    let text = text.ok_or((400, format!("there is `body` and nothing else, not {:?}", fields.keys())))?;
    if text.is_empty() || text.chars().count() > MAX_CHARACTERS {
        return Err((400, "Note is too long (maximum is 1000000 characters)".to_owned()));
    }
    // GitLab would do what such a line says, with the rights of the token, and take the line out of the note.
    let seen = text.replace('\r', "");
    if let Some(line) = seen.lines().find(|line| line.starts_with('/') && line[1..].starts_with(char::is_alphabetic)) {
        return Err((400, format!("a quick action: `{line}`")));
    }
    if forge.is_read_only {
        return Err((403, "403 Forbidden".to_owned()));
    }
    Ok(text.to_owned())
}

fn note(forge: &Forge, index: usize) -> Value {
    let (author, body) = &forge.notes[index];
    json!({
        "id": 301 + index, "type": null, "body": body, "attachment": null,
        "author": {"id": author, "username": "pipin", "name": "Pip", "state": "active", "avatar_url": null,
                   "web_url": "https://gitlab.example.com/pipin"},
        "created_at": "2026-11-02T08:57:14.000Z", "updated_at": "2026-11-02T08:57:14.000Z", "system": false, "noteable_id": 2,
        "noteable_type": "MergeRequest", "project_id": 5, "noteable_iid": 7, "resolvable": false, "confidential": false,
        "internal": false, "imported": false, "imported_from": "none",
    })
}
