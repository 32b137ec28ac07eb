//! Lambda's Extensions API, as its developer guide describes it (2020-01-01).

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

/// The path before every call's own.
const BASE: &str = "/2020-01-01/extension";
/// The header with the name of the extension, which must be that of its file.
const NAME: &str = "Lambda-Extension-Name";
/// The header with what Lambda knows the extension by.
const IDENTIFIER: &str = "Lambda-Extension-Identifier";

/// Why Lambda could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection. The environment is gone.
    #[error("Lambda's Extensions API does not answer at `{address}`")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// The system's account.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection to Lambda's Extensions API broke")]
    Broken(#[from] hyper::Error),
    /// It refused. Its text says why.
    #[error("Lambda's Extensions API refused `{path}` with status {status}: `{text}`")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
        /// What it says.
        text: String,
    },
    /// It answered something else than is documented.
    #[error("Lambda's Extensions API gave an answer that is not understood: `{0}`")]
    NotUnderstood(String),
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The function is invoked.
    Invoke,
    /// The environment ends.
    Shutdown,
}

#[derive(Deserialize)]
struct EventV1 {
    #[serde(rename = "eventType")]
    kind: String,
}

/// A registered extension.
#[derive(Debug)]
pub struct Registration {
    address: String,
    identifier: String,
}

impl Registration {
    /// Registers an extension for both events. `address` is the value of `AWS_LAMBDA_RUNTIME_API`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn register(address: &str, name: &str) -> Result<Self, ApiError> {
        let body = r#"{"events":["INVOKE","SHUTDOWN"]}"#;
        let response = call(address, Method::POST, "/register", &[(NAME, name)], body).await?;
        let identifier = response.headers().get(IDENTIFIER).and_then(|value| value.to_str().ok());
        let identifier = identifier.ok_or_else(|| ApiError::NotUnderstood(format!("no header `{IDENTIFIER}`")))?.to_owned();
        Ok(Self { address: address.to_owned(), identifier })
    }

    /// Waits for the next event. The environment may be frozen while it waits.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn next(&self) -> Result<Event, ApiError> {
        let response = call(&self.address, Method::GET, "/event/next", &[(IDENTIFIER, &self.identifier)], "").await?;
        let event: EventV1 = serde_json::from_slice(response.body())
            .map_err(|_| ApiError::NotUnderstood(String::from_utf8_lossy(response.body()).into_owned()))?;
        match event.kind.as_str() {
            "INVOKE" => Ok(Event::Invoke),
            "SHUTDOWN" => Ok(Event::Shutdown),
            other => Err(ApiError::NotUnderstood(other.to_owned())),
        }
    }

    /// Says that the extension cannot start, which fails the start of the function with this message in its log.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn fail(&self, kind: &str, message: &str) -> Result<(), ApiError> {
        let body = serde_json::json!({"errorMessage": message, "errorType": kind, "stackTrace": []}).to_string();
        let headers = [(IDENTIFIER, self.identifier.as_str()), ("Lambda-Extension-Function-Error-Type", kind)];
        call(&self.address, Method::POST, "/init/error", &headers, &body).await.map(drop)
    }
}

/// Makes one call on a connection of its own: one that is kept would be broken after a thaw.
async fn call(
    address: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Response<Bytes>, ApiError> {
    let unreachable = |source| ApiError::Unreachable { address: address.to_owned(), source };
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender; what breaks it is what the call ends with.
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(format!("{BASE}{path}")).header(HOST, address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .map_err(|error| ApiError::NotUnderstood(error.to_string()))?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    if head.status.is_success() {
        return Ok(Response::from_parts(head, body));
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    Err(ApiError::Refused { path: path.to_owned(), status: head.status.as_u16(), text })
}
