//! The connection to a server: `promptops serve`, or whatever speaks its API.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};

use crate::error::{Cause, ServerSays, StoreError};
use crate::location::StoreOptions;
use crate::store::MAX_OBJECT_BYTES;

/// The setting that holds the API key.
const API_KEY: &str = "PROMPTOPS_API_KEY";
/// The setting that names a PEM file of certificates to trust in place of the system's.
const CA_FILE: &str = "PROMPTOPS_CA_FILE";
/// The setting that lets a key travel without encryption.
const ALLOW_HTTP: &str = "PROMPTOPS_ALLOW_HTTP";

/// How often a call is made before it is given up.
const ATTEMPTS: u32 = 4;
/// Pause before the second attempt; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause that a server may ask for with `Retry-After`.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Time to connect.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Time for an answer to a question, from sending to the last byte.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// Time for an answer to what writes, which makes many calls of its own before it answers.
const WRITE_PATIENCE: Duration = Duration::from_secs(180);

/// A connection to a server, for what it offers besides objects. Clones share it.
///
/// Every call is repeated a few times when the server cannot be reached, is overloaded (429, 503, waiting as long as it
/// asks) or stands behind something that cannot reach it (502, 504). So what is posted must be safe to repeat.
#[derive(Clone)]
pub struct Connection {
    http: reqwest::Client,
    base: Arc<Url>,
    asks_anew: bool,
}

/// What a server answered, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// The base URL without credentials; the key is in the client and shown nowhere.
impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// What is posted once, whatever comes of it.
pub struct Post<'a> {
    /// The path below the URL of the connection.
    pub path: &'a str,
    /// Headers, which come before the connection's own.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: Bytes,
    /// How long the whole may take.
    pub patience: Duration,
}

impl Connection {
    /// Prepares a connection to the server at an `http` or `https` URL; nothing is sent yet.
    ///
    /// # Errors
    /// [`StoreError::InvalidUrl`] when the URL is none, would leak a credential, or names certificates or a proxy that are none.
    pub fn open(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let invalid = |reason: String| StoreError::InvalidUrl { url: url.to_owned(), reason };
        let mut base = Url::parse(url).map_err(|error| invalid(error.to_string()))?;
        if !base.username().is_empty() || base.password().is_some() {
            // Not repeated in the message: a secret may be in it.
            let shown = format!("{}://…", base.scheme());
            let reason = format!("the URL holds credentials; put the key in {API_KEY}");
            return Err(StoreError::InvalidUrl { url: shown, reason });
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(invalid("the URL of a server has neither `?` nor `#`".to_owned()));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let setting = |name: &str| options.settings.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let is_encrypted = base.scheme() == "https";
        let mut headers = HeaderMap::new();
        if let Some(key) = setting(API_KEY) {
            if !is_encrypted && !is_loopback(&base) && setting(ALLOW_HTTP) != Some("true") {
                let reason = format!("the key would travel in clear; use https, or set {ALLOW_HTTP} to `true`");
                return Err(invalid(reason));
            }
            let unfit = |_| invalid(format!("{API_KEY} has characters that cannot be sent"));
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(unfit)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut client = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_PATIENCE)
            .user_agent(concat!("promptops/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key to an address that nobody wrote down.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        let ca_file = setting(CA_FILE);
        if let Some(proxy) = setting("HTTPS_PROXY").or_else(|| setting("https_proxy")).filter(|_| is_encrypted) {
            let exceptions = setting("NO_PROXY").or_else(|| setting("no_proxy")).and_then(reqwest::NoProxy::from_string);
            let proxy = reqwest::Proxy::https(proxy).map_err(|error| invalid(format!("HTTPS_PROXY is no proxy ({error})")))?;
            client = client.proxy(proxy.no_proxy(exceptions));
        }
        if let Some(file) = ca_file {
            let unreadable = |reason: &dyn fmt::Display| invalid(format!("{CA_FILE} names no certificates ({file}: {reason})"));
            let pem = std::fs::read(options.base_dir.join(file)).map_err(|error| unreadable(&error))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(&error))?;
            if certificates.is_empty() {
                return Err(unreadable(&"it holds none"));
            }
            client = certificates.into_iter().fold(client, reqwest::ClientBuilder::add_root_certificate);
        }
        // Reading the machine's certificates takes longer than many a call on loopback.
        client = client.tls_built_in_root_certs(is_encrypted && ca_file.is_none());
        let http = client.build().map_err(|error| invalid(format!("cannot open TLS connections ({})", causes(&error))))?;
        Ok(Self { http, base: Arc::new(base), asks_anew: false })
    }

    /// Returns a connection whose answers come from the server's store, not from what the server or something on the way
    /// remembers.
    pub(crate) fn asking_anew(&self) -> Self {
        Self { asks_anew: true, ..self.clone() }
    }

    /// Posts JSON to `path`, as `v1/publications`, and returns the answer whatever its status.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`] when the path is none; [`StoreError::Unavailable`] when the server could not be reached
    /// or its answer was cut off. What was asked for may have been done then.
    pub async fn post(&self, path: &str, body: Vec<u8>) -> Result<Answer, StoreError> {
        self.call(Method::POST, path, &[], Some(body.into())).await.map_err(|fault| fault.into_error(path))
    }

    /// Posts once and returns the answer, whatever its status, and after how long the server wants to be asked again.
    ///
    /// # Errors
    /// As [`Connection::post`].
    pub async fn post_once(&self, post: Post<'_>) -> Result<(Answer, Option<Duration>), StoreError> {
        let Post { path, headers, body, patience } = post;
        let url = self.base.join(path).map_err(|error| Fault::new(error.to_string()).into_error(path))?;
        let mut request = self.http.post(url).timeout(patience).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.answer(request).await.map_err(|fault| fault.into_error(path))
    }

    /// Asks for `path` and returns the answer whatever its status.
    ///
    /// # Errors
    /// As [`Connection::post`].
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, StoreError> {
        self.call(Method::GET, path, query, None).await.map_err(|fault| fault.into_error(path))
    }

    /// Makes a call, again when that may help. The answer is whole or an error.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer, Fault> {
        let mut url = self.base.join(path).map_err(|error| Fault::new(error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let (mut pause, mut attempt) = (FIRST_PAUSE, 1);
        loop {
            let outcome = self.attempt(&method, &url, body.clone()).await;
            let asked_for = match &outcome {
                Ok((answer, retry_after)) if is_temporary(answer.status) => *retry_after,
                Err(fault) if fault.is_temporary => None,
                _ => return outcome.map(|(answer, _)| answer),
            };
            if attempt == ATTEMPTS {
                return outcome.map(|(answer, _)| answer);
            }
            tokio::time::sleep(asked_for.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn attempt(&self, method: &Method, url: &Url, body: Option<Bytes>) -> Result<(Answer, Option<Duration>), Fault> {
        let patience = if body.is_some() { WRITE_PATIENCE } else { READ_PATIENCE };
        let mut request = self.http.request(method.clone(), url.clone()).timeout(patience);
        if self.asks_anew {
            request = request.header(CACHE_CONTROL, "no-cache");
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        self.answer(request).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<(Answer, Option<Duration>), Fault> {
        let mut response = request.send().await.map_err(Fault::of)?;
        let status = response.status().as_u16();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let announced = response.content_length().unwrap_or(0);
        let mut body = BytesMut::new();
        if announced <= MAX_OBJECT_BYTES {
            while let Some(chunk) = response.chunk().await.map_err(Fault::of)? {
                body.extend_from_slice(&chunk);
                if body.len() as u64 > MAX_OBJECT_BYTES {
                    break;
                }
            }
        }
        if announced.max(body.len() as u64) > MAX_OBJECT_BYTES {
            return Err(Fault { text: format!("the answer is larger than {MAX_OBJECT_BYTES} bytes"), is_temporary: false });
        }
        Ok((Answer { status, body: body.freeze() }, seconds.map(Duration::from_secs)))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Fault {
    text: String,
    is_temporary: bool,
}

impl Fault {
    fn new(text: String) -> Self {
        Self { text, is_temporary: false }
    }

    fn of(error: reqwest::Error) -> Self {
        Self { is_temporary: !error.is_builder(), text: causes(&error) }
    }

    fn into_error(self, path: &str) -> StoreError {
        StoreError::Unavailable { key: path.to_owned(), source: Cause::new(ServerSays(self.text)) }
    }
}

/// Whether the same call may be answered otherwise a little later.
fn is_temporary(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Joins an error with its causes; the HTTP library says in the outer one only that something failed.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
