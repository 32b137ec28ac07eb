//! GitHub's comments on loopback: every request is held against GitHub's own description of its API, and so is every answer.
//!
//! `rest-api.json` beside this file is an excerpt of that description and says where it is from.

#![allow(dead_code, reason = "each test program uses a part of this module")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The login of whoever has the token.
pub const BOT: &str = "github-actions[bot]";
/// The token that may comment.
pub const TOKEN: &str = "token-of-the-job";

/// What is there, and what happened.
#[derive(Debug, Default)]
pub struct Forge {
    /// Login and text of every comment; the number of a comment is its place, from 1.
    pub comments: Vec<(String, String)>,
    /// Method and path of every request.
    pub requests: Vec<String>,
    /// What was wrong with requests, by the description of the API.
    pub violations: Vec<String>,
    /// Statuses that the next requests are answered with, instead of what they ask for.
    pub troubles: VecDeque<u16>,
    /// Whether the token may not write, as that of a pull request from a fork.
    pub is_read_only: bool,
}

/// A running server; ends with the value.
pub struct FakeGitHub {
    /// Its address.
    pub url: String,
    /// What is there.
    pub forge: Arc<Mutex<Forge>>,
    _runtime: tokio::runtime::Runtime,
}

impl FakeGitHub {
    /// Starts the server on a free port.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let forge = Arc::new(Mutex::new(Forge::default()));
        let router = Router::new().fallback(answer).with_state(forge.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, forge, _runtime: runtime }
    }

    /// Returns the texts of all comments of one login.
    pub fn comments_of(&self, login: &str) -> Vec<String> {
        let forge = self.forge.lock().unwrap();
        forge.comments.iter().filter(|(author, _)| author == login).map(|(_, body)| body.clone()).collect()
    }
}

async fn answer(State(forge): State<Arc<Mutex<Forge>>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut forge = forge.lock().unwrap();
    let path = uri.path().to_owned();
    forge.requests.push(format!("{method} {path}"));
    if let Some(status) = forge.troubles.pop_front() {
        let retry = [("retry-after", "1")];
        return (StatusCode::from_u16(status).unwrap(), retry, json!({"message": "trouble as told"}).to_string()).into_response();
    }
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if header("authorization") != Some(format!("Bearer {TOKEN}")) {
        return problem(401, "Bad credentials");
    }
    for (name, wanted) in [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")] {
        if header(name).as_deref() != Some(wanted) {
            forge.violations.push(format!("{method} {path}: the header `{name}` is {:?}", header(name)));
        }
    }
    let Some((operation, places)) = operation(&method, &path) else {
        forge.violations.push(format!("{method} {path}: there is no such operation"));
        return problem(404, "Not Found");
    };
    if let Some(violation) = violation(&operation, &places, &uri, &body) {
        forge.violations.push(format!("{method} {path}: {violation}"));
        return problem(422, "Validation Failed");
    }
    if forge.is_read_only && method != Method::GET {
        return problem(403, "Resource not accessible by integration");
    }
    let answer = respond(&mut forge, &method, &places, &uri, &body);
    match answer {
        Ok(json) => {
            let schema = &operation["response"]["schema"];
            let validator = jsonschema::validator_for(schema).unwrap();
            let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "the fake answers something else than GitHub does");
            let status = operation["response"]["status"].as_u64().unwrap();
            (StatusCode::from_u16(status as u16).unwrap(), json.to_string()).into_response()
        }
        Err(response) => response,
    }
}

fn problem(status: u16, message: &str) -> Response {
    let body = json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()});
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

/// Finds the operation of a request, with what stands in the places of its path.
fn operation(method: &Method, path: &str) -> Option<(Value, Vec<(String, String)>)> {
    let description: Value = serde_json::from_str(include_str!("rest-api.json")).unwrap();
    let operations = description["operations"].as_array().unwrap().clone();
    operations.into_iter().filter(|operation| operation["method"] == method.as_str()).find_map(|operation| {
        let pattern = operation["path"].as_str().unwrap().to_owned();
        let (expected, found): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
        let fits = |(expected, found): (&&str, &&str)| expected.starts_with('{') || expected == found;
        if expected.len() != found.len() || !expected.iter().zip(&found).all(fits) {
            return None;
        }
        let places = expected.iter().zip(&found).filter(|(expected, _)| expected.starts_with('{'));
        let places = places.map(|(name, value)| (name.trim_matches(['{', '}']).to_owned(), (*value).to_owned())).collect();
        Some((operation, places))
    })
}

/// Says what a request has that the description does not allow.
fn violation(operation: &Value, places: &[(String, String)], uri: &Uri, body: &[u8]) -> Option<String> {
    let query: Vec<(String, String)> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let parameters = operation["parameters"].as_array().unwrap();
    let parameter = |place: &str, name: &str| parameters.iter().find(|one| one["in"] == place && one["name"] == name);
    for (place, given) in [("path", places), ("query", query.as_slice())] {
        for (name, value) in given {
            let Some(parameter) = parameter(place, name) else { return Some(format!("there is no parameter `{name}`")) };
            let schema = &parameter["schema"];
            let value = if schema["type"] == "integer" { value.parse::<i64>().map(Value::from).ok()? } else { json!(value) };
            if !jsonschema::is_valid(schema, &value) {
                return Some(format!("`{name}` is {value}"));
            }
        }
    }
    match operation.get("request") {
        None => (!body.is_empty()).then(|| "it takes no body".to_owned()),
        Some(schema) => match serde_json::from_slice::<Value>(body) {
            Err(error) => Some(format!("the body is no JSON: {error}")),
            Ok(json) => {
                let validator = jsonschema::validator_for(schema).unwrap();
                let too_long = json["body"].as_str().is_some_and(|text| text.chars().count() > 65_536);
                let error = validator.iter_errors(&json).next().map(|error| error.to_string());
                error.or_else(|| too_long.then(|| "body is too long (maximum is 65536 characters)".to_owned()))
            }
        },
    }
}

fn respond(forge: &mut Forge, method: &Method, places: &[(String, String)], uri: &Uri, body: &[u8]) -> Result<Value, Response> {
    let place = |name: &str| places.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap();
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = sent["body"].as_str().unwrap_or_default().to_owned();
    match method.as_str() {
        "GET" => {
            let value = |name: &str| {
                let query = uri.query().unwrap_or_default();
                query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))?.parse::<usize>().ok())
            };
            let (page, size) = (value("page").unwrap_or(1), value("per_page").unwrap_or(30));
            let comments = (1..=forge.comments.len()).skip((page - 1) * size).take(size);
            Ok(comments.map(|number| comment(forge, number)).collect())
        }
        "POST" => {
            forge.comments.push((BOT.to_owned(), text));
            Ok(comment(forge, forge.comments.len()))
        }
        _ => {
            let number: usize = place("comment_id").parse().unwrap();
            match forge.comments.get_mut(number - 1) {
                Some(comment) => comment.1 = text,
                None => return Err(problem(404, "Not Found")),
            }
            Ok(comment(forge, number))
        }
    }
}

fn comment(forge: &Forge, number: usize) -> Value {
    let (login, body) = &forge.comments[number - 1];
    let user_url = format!("https://api.github.com/users/{login}");
    let mut user = json!({"login": login, "id": 1, "node_id": "U_1", "type": "Bot", "site_admin": false, "gravatar_id": ""});
    for key in [
        "avatar_url",
        "url",
        "html_url",
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
    ] {
        user[key] = json!(user_url);
    }
    json!({
        "id": number, "node_id": format!("IC_{number}"), "url": format!("https://api.github.com/comments/{number}"),
        "html_url": format!("https://github.com/desk/prompts/pull/7#issuecomment-{number}"), "body": body, "user": user,
        "created_at": "2026-11-02T08:00:00Z", "updated_at": "2026-11-02T08:00:00Z",
        "issue_url": "https://api.github.com/repos/desk/prompts/issues/7", "author_association": "CONTRIBUTOR",
    })
}
