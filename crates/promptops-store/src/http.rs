//! Objects behind a server, read through its API. Nothing is created here: a server decides about writes by what they
//! mean, so they go to it as such (see [`Connection::post`](crate::Connection::post)), never as bare objects.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use reqwest::Method;
use serde::Deserialize;

use crate::connection::{Answer, Connection};
use crate::error::ServerSays;

/// Keys asked for at a time: as many as a server gives at most.
const KEYS_PER_PAGE: &str = "1000";
/// The `type` of the problem that says: no such object. Any other 404 means that no registry is served at the URL.
const NO_SUCH_OBJECT: &str = "https://promptops.dev/problems/object-not-found";

/// The objects of a server.
#[derive(Debug)]
pub(crate) struct HttpBackend {
    connection: Connection,
}

#[derive(Deserialize)]
struct KeysV1 {
    keys: Vec<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct FoldersV1 {
    folders: Vec<String>,
}

#[derive(Deserialize)]
struct ProblemV1 {
    #[serde(rename = "type")]
    kind: String,
    detail: Option<String>,
}

impl HttpBackend {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }
}

impl fmt::Display for HttpBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("server")
    }
}

/// Asks, and sorts whatever is not 200 by what the reader can do.
async fn ask(connection: &Connection, path: &str, query: &[(&str, &str)], key: &str) -> Result<Bytes> {
    match connection.call(Method::GET, path, query, None).await {
        Ok(Answer { status: 200, body }) => Ok(body),
        Ok(answer) => Err(refusal(key, &answer)),
        Err(fault) => Err(failed(fault)),
    }
}

fn refusal(key: &str, answer: &Answer) -> Error {
    let problem: Option<ProblemV1> = serde_json::from_slice(&answer.body).ok();
    let is_absent = problem.as_ref().is_some_and(|problem| problem.kind == NO_SUCH_OBJECT);
    let says = problem.and_then(|problem| problem.detail);
    // The spelling of the status is the object store library's own, by which failures are sorted.
    let text = format!("the server answered with status code: {}", answer.status);
    let text = says.map_or(text.clone(), |says| format!("{text} ({says})"));
    match answer.status {
        404 if is_absent => Error::NotFound { path: key.to_owned(), source: ServerSays(text).into() },
        401 => Error::Unauthenticated { path: key.to_owned(), source: ServerSays(text).into() },
        403 => Error::PermissionDenied { path: key.to_owned(), source: ServerSays(text).into() },
        _ => failed(text),
    }
}

fn failed(what: impl fmt::Display) -> Error {
    Error::Generic { store: "server", source: ServerSays(what.to_string()).into() }
}

fn read_only(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "a server".to_owned() }
}

fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| failed(format!("the answer of the server is not readable ({error})")))
}

/// What is known of an object without reading it. Size and time are not: nobody here asks for them.
fn listed(key: &str) -> Result<ObjectMeta> {
    let location = Path::parse(key).map_err(failed)?;
    Ok(ObjectMeta { location, last_modified: DateTime::UNIX_EPOCH, size: 0, e_tag: None, version: None })
}

/// Lists page by page, each asked for when the one before is used up.
fn list(connection: Connection, prefix: Option<&Path>, after: String) -> BoxStream<'static, Result<ObjectMeta>> {
    let prefix = prefix.map(ToString::to_string).unwrap_or_default();
    let start = (connection, prefix, Some(after), VecDeque::<String>::new());
    stream::try_unfold(start, |(connection, prefix, mut next, mut keys)| async move {
        while keys.is_empty() {
            let Some(after) = next.take() else { return Ok(None) };
            let query = [("prefix", prefix.as_str()), ("after", after.as_str()), ("limit", KEYS_PER_PAGE)];
            let body = ask(&connection, "v1/objects", &query, &prefix).await?;
            let page: KeysV1 = read_json(&body)?;
            (keys, next) = (page.keys.into(), page.next);
        }
        let Some(key) = keys.pop_front() else { return Ok(None) };
        Ok(Some((listed(&key)?, (connection, prefix, next, keys))))
    })
    .boxed()
}

#[async_trait]
impl ObjectStore for HttpBackend {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only("creating an object"))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only("creating an object"))
    }

    /// Reads the object also when only its head is asked for: an answer to HEAD has no body that would say whose 404 it is.
    async fn get_opts(&self, location: &Path, _: GetOptions) -> Result<GetResult> {
        let key = location.as_ref();
        let body = ask(&self.connection, &format!("v1/objects/{key}"), &[], key).await?;
        let size = body.len() as u64;
        let meta = ObjectMeta { size, ..listed(key)? };
        let payload = GetResultPayload::Stream(stream::once(async { Ok(body) }).boxed());
        Ok(GetResult { payload, meta, range: 0..size, attributes: Default::default() })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let body = self.get_opts(location, GetOptions::default()).await?.bytes().await?;
        let part = |range: &Range<u64>| {
            let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
            (start <= end && end <= body.len()).then(|| body.slice(start..end))
        };
        ranges.iter().map(|range| part(range).ok_or_else(|| failed("the object is shorter"))).collect()
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.and_then(|_| async { Err(read_only("deleting an object")) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        list(self.connection.clone(), prefix, String::new())
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        list(self.connection.clone(), prefix, offset.to_string())
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.map(ToString::to_string).unwrap_or_default();
        let body = ask(&self.connection, "v1/folders", &[("prefix", &prefix)], &prefix).await?;
        let below = |name: &String| if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let folders = read_json::<FoldersV1>(&body)?.folders;
        let common_prefixes = folders.iter().map(|name| Path::parse(below(name)).map_err(failed)).collect::<Result<_>>()?;
        Ok(ListResult { common_prefixes, objects: Vec::new() })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only("copying an object"))
    }
}
