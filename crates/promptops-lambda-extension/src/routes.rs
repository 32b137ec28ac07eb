//! What can be asked for: a prompt, and a prompt rendered.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use promptops::{Loader, Prompt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The most bytes of a request's body: what Lambda takes for an event.
const MAX_BODY_BYTES: usize = 6 << 20;
/// Where prompts are.
const PROMPTS: &str = "/v1/prompts/";

/// A prompt. Fields are added under the same path, never changed or removed.
#[derive(Serialize)]
struct PromptV1<'a> {
    id: &'a str,
    version: u32,
    digest: String,
    parent: Option<String>,
    owner: &'a str,
    purpose: Option<&'a str>,
    model: &'a str,
    parameters: &'a Map<String, Value>,
    tags: &'a [String],
    template: Option<&'a str>,
    inputs: &'a BTreeMap<String, Value>,
    output: Option<&'a Value>,
    tools: Option<&'a Value>,
}

/// What is to be rendered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenderV1 {
    #[serde(default)]
    inputs: Map<String, Value>,
}

/// What was rendered, with what a call of the model takes.
#[derive(Serialize)]
struct RenderedV1<'a> {
    id: &'a str,
    version: u32,
    digest: String,
    model: &'a str,
    parameters: &'a Map<String, Value>,
    tools: Option<&'a Value>,
    /// The only message's text; none where there are several.
    text: Option<&'a str>,
    messages: Vec<MessageV1<'a>>,
}

#[derive(Serialize)]
struct MessageV1<'a> {
    role: &'static str,
    content: &'a str,
}

/// Answers a request. Whatever is wrong with it is an answer too.
pub(crate) async fn answer<B>(request: Request<B>, loader: &Arc<Loader>) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let answered = match (request.method(), request.uri().path().to_owned().strip_prefix(PROMPTS)) {
        (_, None) => {
            Err(Problem::new(StatusCode::NOT_FOUND, "no-such-path", "the paths are /v1/prompts/ID and /v1/prompts/ID/render"))
        }
        (&Method::GET, Some(id)) => show(id, request.uri().query(), loader).await,
        (&Method::POST, Some(path)) => match path.strip_suffix("/render") {
            Some(id) => render(id, request, loader).await,
            None => Err(wrong_method("GET")),
        },
        (_, Some(path)) => Err(wrong_method(if path.ends_with("/render") { "POST" } else { "GET" })),
    };
    answered.unwrap_or_else(|problem| problem.response())
}

fn wrong_method(right: &str) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", format!("the method here is {right}"))
}

async fn show(id: &str, query: Option<&str>, loader: &Arc<Loader>) -> Result<Response<Full<Bytes>>, Problem> {
    if id.ends_with("/render") {
        return Err(wrong_method("POST"));
    }
    let prompt = load(id, query, loader).await?;
    json(&PromptV1 {
        id: prompt.id(),
        version: prompt.version(),
        digest: prompt.digest().to_string(),
        parent: prompt.parent().map(ToString::to_string),
        owner: prompt.owner(),
        purpose: prompt.purpose(),
        model: prompt.model(),
        parameters: prompt.parameters(),
        tags: prompt.tags(),
        template: prompt.template(),
        inputs: prompt.inputs(),
        output: prompt.output(),
        tools: prompt.tools(),
    })
}

async fn render<B>(id: &str, request: Request<B>, loader: &Arc<Loader>) -> Result<Response<Full<Bytes>>, Problem>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let query = request.uri().query().map(str::to_owned);
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await.map_err(|error| {
        let status =
            if error.is::<http_body_util::LengthLimitError>() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        Problem::new(status, "bad-request", format!("the body cannot be read: {error}"))
    })?;
    let asked: RenderV1 = serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        let detail = format!("the body is not `{{\"inputs\": {{…}}}}`: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    })?;
    let prompt = load(id, query.as_deref(), loader).await?;
    let messages = prompt.messages(&asked.inputs).map_err(|error| Problem::of(&error))?;
    let text = match messages.as_slice() {
        [only] => Some(only.content.as_str()),
        _ => None,
    };
    json(&RenderedV1 {
        id: prompt.id(),
        version: prompt.version(),
        digest: prompt.digest().to_string(),
        model: prompt.model(),
        parameters: prompt.parameters(),
        tools: prompt.tools(),
        text,
        messages: messages.iter().map(|message| MessageV1 { role: message.role.name(), content: &message.content }).collect(),
    })
}

/// Loads a prompt: at once when it was loaded before, else on another thread, since loading may wait for a disk or a registry.
async fn load(id: &str, query: Option<&str>, loader: &Arc<Loader>) -> Result<Arc<Prompt>, Problem> {
    let id = percent_decode_str(id).decode_utf8_lossy().into_owned();
    let version = version(query)?;
    if let Some(prompt) = loader.kept(&id, version) {
        return Ok(prompt);
    }
    let loader = Arc::clone(loader);
    match tokio::task::spawn_blocking(move || loader.load(&id, version)).await {
        Ok(loaded) => loaded.map_err(|error| Problem::of(&error)),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", error.to_string())),
    }
}

/// Reads the one parameter that a query may have: `version=2`.
fn version(query: Option<&str>) -> Result<Option<u32>, Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    let number = query.strip_prefix("version=").and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", format!("the query may be `version=NUMBER`, and is `{query}`"))
    })
}

fn json(document: &impl Serialize) -> Result<Response<Full<Bytes>>, Problem> {
    let body = serde_json::to_vec(document)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", error.to_string()))?;
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use promptops::Settings;

    use super::*;

    const PROMPT: &str = "\
id: support.greeting
version: 2
parent: 1
owner: support-team
purpose: Greet people
model: gpt-4o-2024-08-06
parameters: {temperature: 0}
tags: [support]
inputs:
  name: {type: string}
messages:
  - {role: system, content: Be warm.}
  - {role: user, content: 'Greet {{ name }}.'}
";

    fn loader(folder: &Path) -> Arc<Loader> {
        let file = folder.join("prompts/support/greeting.yaml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, PROMPT).unwrap();
        let mut settings = Settings::new(folder, Arc::new(|| chrono::DateTime::UNIX_EPOCH));
        settings.folder = Some("prompts".into());
        Arc::new(Loader::from_settings(&settings).unwrap())
    }

    /// Asks for something and returns status, type and document.
    async fn ask(loader: &Arc<Loader>, method: &str, path: &str, body: &str) -> (u16, String, Value) {
        let request =
            Request::builder().method(method).uri(path).body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let (head, body) = answer(request, loader).await.into_parts();
        let kind = head.headers[CONTENT_TYPE].to_str().unwrap().to_owned();
        (head.status.as_u16(), kind, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
    }

    #[tokio::test]
    async fn a_prompt_is_shown_and_rendered() {
        let folder = tempfile::tempdir().unwrap();
        let loader = loader(folder.path());
        let (status, kind, shown) = ask(&loader, "GET", "/v1/prompts/support.greeting", "").await;
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        assert_eq!(
            (&shown["version"], &shown["parent"], &shown["owner"]),
            (&2.into(), &"support.greeting@1".into(), &"support-team".into())
        );
        let (status, _, rendered) =
            ask(&loader, "POST", "/v1/prompts/support.greeting/render?version=2", r#"{"inputs": {"name": "Ada"}}"#).await;
        assert_eq!(status, 200);
        assert_eq!(rendered["digest"], shown["digest"]);
        assert_eq!(rendered["parameters"], serde_json::json!({"temperature": 0}));
        assert_eq!(rendered["text"], Value::Null);
        let messages = serde_json::json!([{"role": "system", "content": "Be warm."}, {"role": "user", "content": "Greet Ada."}]);
        assert_eq!(rendered["messages"], messages);
    }

    #[tokio::test]
    async fn what_is_wrong_is_a_problem_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let loader = loader(folder.path());
        let large = format!("{{\"inputs\": {{\"name\": \"{}\"}}}}", "a".repeat(MAX_BODY_BYTES));
        for (method, path, body, status, code) in [
            ("GET", "/", "", 404, "no-such-path"),
            ("GET", "/v1/prompts/support.greting", "", 404, "not-found"),
            ("GET", "/v1/prompts/Not%20an%20id", "", 404, "invalid-name"),
            ("GET", "/v1/prompts/support.greeting?version=1", "", 404, "not-found"),
            ("GET", "/v1/prompts/support.greeting?version=two", "", 400, "bad-request"),
            ("GET", "/v1/prompts/support.greeting/render", "", 405, "wrong-method"),
            ("DELETE", "/v1/prompts/support.greeting", "", 405, "wrong-method"),
            ("POST", "/v1/prompts/support.greeting/render", "", 400, "bad-request"),
            ("POST", "/v1/prompts/support.greeting/render", r#"{"input": {}}"#, 400, "bad-request"),
            ("POST", "/v1/prompts/support.greeting/render", r#"{"inputs": {}}"#, 422, "render"),
            ("POST", "/v1/prompts/support.greeting/render", r#"{"inputs": {"name": 7}}"#, 422, "render"),
            ("POST", "/v1/prompts/support.greeting/render", large.as_str(), 413, "bad-request"),
        ] {
            let (found, kind, problem) = ask(&loader, method, path, body).await;
            assert_eq!((found, kind.as_str()), (status, "application/problem+json"), "{method} {path}: {problem}");
            assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{method} {path}: {problem}");
            assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        }
        let (_, _, problem) = ask(&loader, "GET", "/v1/prompts/support.greting", "").await;
        assert_eq!(problem["hint"], "did you mean `support.greeting`?");
    }
}
