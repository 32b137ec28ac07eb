//! Sends calls over HTTP: one client for all APIs, which differ in path, body and how they are signed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt as _};
use percent_encoding::percent_decode_str;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::{
    Api, Call, ClientError, Exchange, ModelClient, anthropic, aws_event_stream, aws_signature, bedrock, decode, limits,
    openai_chat, openai_responses, refusal, server_sent_events,
};
use crate::recording::Redaction;

/// The largest body that is read.
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// Where and how to ask.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The form of requests and answers; any but [`Api::Command`].
    pub api: Api,
    /// The base URL, as `https://api.openai.com/v1`.
    pub url: String,
    /// What lets us in.
    pub credential: Credential,
    /// Time for one attempt, from connecting to the last byte.
    pub timeout: Duration,
    /// Whether to ask for a stream, which tells the time to the first token.
    pub stream: bool,
    /// The version of the API, where it shall not be [`anthropic::VERSION`]; only Anthropic's has versions.
    pub api_version: Option<String>,
}

/// What lets us in at a provider.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing is needed.
    #[default]
    None,
    /// A key.
    Key(String),
    /// A signature by keys of AWS.
    Aws(AwsAccess),
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys stay out of logs.
        out.write_str(match self {
            Self::None => "None",
            Self::Key(_) => "Key([redacted])",
            Self::Aws(_) => "Aws([redacted])",
        })
    }
}

/// What a signature of AWS takes.
#[derive(Clone)]
pub struct AwsAccess {
    /// The region of the service.
    pub region: String,
    /// Where the keys come from.
    pub keys: Arc<dyn AwsKeySource>,
    /// Tells the time, which is part of what is signed.
    pub clock: fn() -> DateTime<Utc>,
}

/// Gives keys of AWS that are valid now.
pub trait AwsKeySource: Send + Sync {
    /// Returns the keys, made anew where the last ones are about to end.
    ///
    /// # Errors
    /// Why there are none.
    fn keys(&self) -> BoxFuture<'_, Result<AwsKeys, String>>;
}

/// Keys of AWS.
#[derive(Clone)]
pub struct AwsKeys {
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// What goes with keys that end.
    pub session_token: Option<String>,
}

/// A client of one endpoint. Keeps connections open between calls.
#[derive(Debug)]
pub struct HttpClient {
    http: reqwest::Client,
    url: reqwest::Url,
    settings: Settings,
    redaction: Redaction,
}

impl HttpClient {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Auth`] when the key has characters that a header cannot carry, [`ClientError::Unreachable`] when the
    /// machine cannot open TLS connections or the URL is none.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let unreachable = |message: String| ClientError::Unreachable { url: without_credentials(&settings.url), message };
        let url = match reqwest::Url::parse(settings.url.trim_end_matches('/')) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url,
            Ok(url) => return Err(unreachable(format!("the scheme `{}` is not http or https", url.scheme()))),
            Err(error) => return Err(unreachable(error.to_string())),
        };
        let http = reqwest::Client::builder()
            .default_headers(headers(&settings)?)
            .timeout(settings.timeout)
            .user_agent(concat!("promptops/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key to an address that nobody wrote down.
            .redirect(reqwest::redirect::Policy::none())
            // Reading the machine's certificates takes longer than many a run on loopback.
            .tls_built_in_root_certs(url.scheme() == "https")
            .build()
            .map_err(|error| unreachable(innermost(&error)))?;
        let redaction = secrets(&settings, &url);
        Ok(Self { http, url, settings, redaction })
    }

    /// Blots this out of what comes back, too, before anything is told about it. What lets us in is blotted out in any case.
    #[must_use]
    pub fn redacting(mut self, redaction: &Redaction) -> Self {
        self.redaction = self.redaction.and(redaction);
        self
    }

    async fn exchange(&self, call: &Call) -> Result<Exchange, ClientError> {
        let (url, body) = self.address_and_body(call);
        let mut request = self.http.post(url.clone());
        let mut redaction = Cow::Borrowed(&self.redaction);
        if let Credential::Aws(access) = &self.settings.credential {
            let keys = access.keys.keys().await.map_err(|message| ClientError::Auth { status: 401, message })?;
            for (name, value) in sign(access, &keys, &url, &body) {
                request = request.header(name, value);
            }
            let secrets = [Some(&keys.secret_access_key), keys.session_token.as_ref()].into_iter().flatten();
            redaction = Cow::Owned(secrets.fold(redaction.into_owned(), |redaction, secret| redaction.and_secret(secret)));
        }
        let started = Instant::now();
        let response = request.body(body).send().await.map_err(|error| self.fault(&error))?;
        let status = response.status().as_u16();
        let (retry_after, hold) = (limits::retry_after(response.headers()), limits::hold(response.headers()));
        let request_id = request_id(response.headers());
        let mut reading = Reading::of(self.settings.api, response.headers());
        self.read(response, &mut reading, started).await?;
        let latency_ms = milliseconds(started);
        let body = reading.text().map_err(|what| ClientError::Malformed(format!("it {what}")))?;
        let mut exchange = Exchange {
            api: self.settings.api,
            status,
            body,
            is_stream: reading.is_stream(),
            latency_ms,
            first_token_ms: reading.first_token_ms,
            request_id,
            hold,
        };
        // What is told about it is cut, so that half of a match would stay if it were looked for later.
        redaction.apply(&mut exchange);
        match decode(&exchange).map_err(|error| error.redacted(&redaction)) {
            Err(ClientError::RateLimit { message, .. }) => Err(ClientError::RateLimit { retry_after, message }),
            // A refusal of this one request is an answer like any other: it can be recorded and will come again.
            Ok(_) | Err(ClientError::BadRequest { .. }) => Ok(exchange),
            Err(error) => Err(error),
        }
    }

    fn address_and_body(&self, call: &Call) -> (reqwest::Url, Vec<u8>) {
        let stream = self.settings.stream;
        let (path, body) = match self.settings.api {
            Api::OpenaiChat | Api::Command => ("/chat/completions".to_owned(), openai_chat::body(call, stream)),
            Api::OpenaiResponses => ("/responses".to_owned(), openai_responses::body(call, stream)),
            Api::Anthropic => ("/messages".to_owned(), anthropic::body(call, stream)),
            Api::Bedrock => (bedrock::path(call, stream), bedrock::body(call)),
        };
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        (url, body.to_string().into_bytes())
    }

    async fn read(&self, mut response: reqwest::Response, reading: &mut Reading, started: Instant) -> Result<(), ClientError> {
        let mut length = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.fault(&error))? {
            length += chunk.len();
            if length > MAX_BODY_BYTES {
                return Err(ClientError::Malformed(format!("the answer is larger than {MAX_BODY_BYTES} bytes")));
            }
            let has_content = reading.take(&chunk).map_err(|what| ClientError::Malformed(format!("it {what}")))?;
            if has_content && reading.first_token_ms.is_none() {
                reading.first_token_ms = Some(milliseconds(started));
            }
        }
        Ok(())
    }

    fn fault(&self, error: &reqwest::Error) -> ClientError {
        if error.is_timeout() {
            ClientError::Timeout { after: self.settings.timeout }
        } else if error.is_connect() {
            ClientError::Unreachable { url: without_credentials(&self.settings.url), message: innermost(error) }
        } else {
            ClientError::Malformed(format!("it was cut off: {}", innermost(error)))
        }
    }
}

impl ModelClient for HttpClient {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
        async move { self.exchange(call).await.map_err(|error| error.redacted(&self.redaction)) }.boxed()
    }
}

/// Returns an address as it may be shown: messages go into logs and into comments on pull requests, so neither a user with a password
/// nor a query, in which some put their key, is part of it.
fn without_credentials(address: &str) -> String {
    match reqwest::Url::parse(address) {
        Ok(url) if url.has_host() => {
            let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
            let path = if url.path() == "/" { "" } else { url.path() };
            format!("{}://{}{port}{path}", url.scheme(), url.host_str().unwrap_or_default())
        }
        // What is no address is shown from behind whatever might be a password.
        _ => {
            let shown = address.split(['?', '#']).next().unwrap_or_default();
            shown.rsplit_once('@').map_or(shown, |(_, shown)| shown).to_owned()
        }
    }
}

/// Returns the headers of every request.
fn headers(settings: &Settings) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if settings.api == Api::Anthropic {
        let version = settings.api_version.as_deref().unwrap_or(anthropic::VERSION);
        let version = HeaderValue::from_str(version)
            .map_err(|_| ClientError::BadRequest { status: 400, message: format!("`{version}` is no version of the API") })?;
        headers.insert("anthropic-version", version);
    }
    if let Credential::Key(key) = &settings.credential {
        let (name, text) = match settings.api {
            Api::Anthropic => ("x-api-key", key.clone()),
            _ => (AUTHORIZATION.as_str(), format!("Bearer {key}")),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| ClientError::Auth { status: 401, message: "the key has characters that cannot be sent".to_owned() })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Returns what blots out that which lets us in: the key, and what some write into the address.
fn secrets(settings: &Settings, url: &reqwest::Url) -> Redaction {
    let mut redaction = Redaction::default();
    if let Credential::Key(key) = &settings.credential {
        redaction = redaction.and_secret(key);
    }
    if let Some(password) = url.password() {
        redaction = redaction.and_secret(&percent_decode_str(password).decode_utf8_lossy());
    }
    url.query_pairs().fold(redaction, |redaction, (_, value)| redaction.and_secret(&value))
}

fn sign(access: &AwsAccess, keys: &AwsKeys, url: &reqwest::Url, body: &[u8]) -> Vec<(&'static str, String)> {
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let request = aws_signature::Request {
        host: &host,
        path: url.path(),
        body,
        region: &access.region,
        service: bedrock::SERVICE,
        time: (access.clock)(),
    };
    request.sign(keys)
}

/// An answer as it comes in.
struct Reading {
    api: Api,
    form: Form,
    first_token_ms: Option<u64>,
}

enum Form {
    Document(Vec<u8>),
    Events { bytes: Vec<u8>, reader: server_sent_events::Reader },
    AwsEvents { text: String, reader: aws_event_stream::Reader },
}

impl Reading {
    /// Goes by what the server says it sends: one that knows no streams answers with a document.
    fn of(api: Api, headers: &HeaderMap) -> Self {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let form = if kind.starts_with("text/event-stream") {
            Form::Events { bytes: Vec::new(), reader: server_sent_events::Reader::default() }
        } else if kind.starts_with("application/vnd.amazon.eventstream") {
            Form::AwsEvents { text: String::new(), reader: aws_event_stream::Reader::default() }
        } else {
            Form::Document(Vec::new())
        };
        Self { api, form, first_token_ms: None }
    }

    fn is_stream(&self) -> bool {
        !matches!(self.form, Form::Document(_))
    }

    /// Takes the next bytes, and tells whether a piece of the answer is among them.
    fn take(&mut self, chunk: &[u8]) -> Result<bool, &'static str> {
        let events = match &mut self.form {
            Form::Document(bytes) => {
                bytes.extend_from_slice(chunk);
                return Ok(false);
            }
            Form::Events { bytes, reader } => {
                bytes.extend_from_slice(chunk);
                if self.first_token_ms.is_some() {
                    return Ok(false);
                }
                reader.push(chunk);
                std::mem::take(&mut reader.events)
            }
            Form::AwsEvents { text, reader } => {
                let events = reader.push(chunk)?;
                events.iter().for_each(|event| server_sent_events::write(text, &event.name, &event.data));
                events
            }
        };
        let is_content = match self.api {
            Api::OpenaiChat | Api::Command => openai_chat::is_content,
            Api::OpenaiResponses => openai_responses::is_content,
            Api::Anthropic => anthropic::is_content,
            Api::Bedrock => bedrock::is_content,
        };
        Ok(events.iter().any(is_content))
    }

    /// Returns the body as it is kept.
    fn text(&mut self) -> Result<String, &'static str> {
        match &mut self.form {
            Form::Document(bytes) | Form::Events { bytes, .. } => {
                String::from_utf8(std::mem::take(bytes)).map_err(|_| "is not UTF-8")
            }
            Form::AwsEvents { reader, .. } if !reader.is_at_end() => Err("was cut off in the middle of an event"),
            Form::AwsEvents { text, .. } => Ok(std::mem::take(text)),
        }
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let names = ["x-request-id", "request-id", "x-amzn-requestid"];
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok()).map(str::to_owned)
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Returns the innermost cause, which is what a reader can act on: reqwest's own text repeats the URL.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    refusal::excerpt(&innermost.to_string()).trim_matches('`').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(api: Api, url: &str) -> Settings {
        Settings {
            api,
            url: url.into(),
            credential: Credential::Key("sk-secret".into()),
            timeout: Duration::from_secs(1),
            stream: true,
            api_version: None,
        }
    }

    #[test]
    fn an_address_is_shown_without_what_opens_it() {
        let shown = without_credentials;
        assert_eq!(shown("http://user:s3cr3t@127.0.0.1:1/v1?key=s3cr3t#s3cr3t"), "http://127.0.0.1:1/v1");
        assert_eq!(shown("https://models.example/"), "https://models.example");
        assert_eq!(shown("https://models.example/openai/v1"), "https://models.example/openai/v1");
        assert_eq!(shown("http:user:s3cr3t@models.example/v1"), "http://models.example/v1");
        assert_eq!(shown("http://user:s3cr3t@models.example:99999/v1?key=s3cr3t"), "models.example:99999/v1");
        assert_eq!(shown("user:s3cr3t@models.example"), "models.example");
        let refused = HttpClient::new(settings(Api::OpenaiChat, "ftp://user:s3cr3t@models.example")).unwrap_err();
        assert_eq!(refused.to_string(), "cannot reach `ftp://models.example`: the scheme `ftp` is not http or https");
    }

    #[test]
    fn the_key_stays_out_of_debug_output() {
        let client = HttpClient::new(settings(Api::Anthropic, "http://localhost/v1")).unwrap();
        assert!(!format!("{client:?}").contains("sk-secret"));
    }

    #[test]
    fn an_address_that_is_none_is_refused_before_anything_is_sent() {
        for url in ["", "localhost:1", "ftp://x/v1"] {
            let client = HttpClient::new(settings(Api::OpenaiChat, url));
            assert!(matches!(client, Err(ClientError::Unreachable { .. })), "{url}");
        }
    }

    #[test]
    fn the_encoding_of_a_model_s_name_survives() {
        let client = HttpClient::new(settings(Api::Bedrock, "http://localhost:9/")).unwrap();
        let call = Call { model: "a.b-v1:0".into(), messages: vec![], parameters: serde_json::Map::new(), tools: None };
        assert_eq!(client.address_and_body(&call).0.as_str(), "http://localhost:9/model/a.b-v1%3A0/converse-stream");
    }
}
