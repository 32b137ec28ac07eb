//! An S3 server of a few lines that misbehaves as told.
//!
//! Real servers cannot be made to lose an answer at a chosen moment, and none that is worth installing ignores
//! `If-None-Match`. This one keeps objects in memory, listens on loopback, checks no signature, and knows the calls that a
//! [`Store`](crate::Store) makes: PUT, GET (also of a range), HEAD and the listing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::location::StoreOptions;

/// How long the server is silent when told to be; callers give up long before.
const SILENCE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: &str = "500ms";

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It is answered with this status and this code of S3, and nothing is done.
    Status(u16, &'static str),
    /// It is carried out and answered with this status and code all the same.
    DoneThenStatus(u16, &'static str),
    /// The connection is closed without an answer, and nothing is done.
    Dropped,
    /// It is carried out, and the connection closed without an answer.
    DoneThenDropped,
    /// Nothing is done and nothing said for longer than anybody waits.
    Silent,
    /// It is carried out, and nothing said for longer than anybody waits.
    DoneThenSilent,
    /// The answer announces its whole body, and the connection is closed after half of it.
    HalfBody,
}

/// A running server. Its thread ends with the process.
pub struct S3Server {
    endpoint: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By `bucket/key`.
    objects: BTreeMap<String, Vec<u8>>,
    ignores_create_only: bool,
    ignores_ranges: bool,
    read_only: bool,
    /// Faults of the requests to come, each of the next one with its method.
    faults: VecDeque<(&'static str, Fault)>,
    requests: Vec<String>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    body: Vec<u8>,
    headers: Vec<String>,
}

impl S3Server {
    /// Starts a server on a free port.
    ///
    /// # Panics
    ///
    /// When no port is free.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let endpoint = format!("http://{}", listener.local_addr().expect("the listener is bound"));
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A caller that hangs up is none of the server's business.
                std::thread::spawn(move || drop(serve(&stream, &state)));
            }
        });
        Self { endpoint, state }
    }

    /// Returns its address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns what [`Store::open`](crate::Store::open) needs for a bucket on it, whatever its name. Requests time out soon.
    #[must_use]
    pub fn options(&self) -> StoreOptions {
        let settings = [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_TIMEOUT", REQUEST_TIMEOUT),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        StoreOptions { settings: BTreeMap::from(settings), ..StoreOptions::default() }
    }

    /// From now on `If-None-Match` is ignored: a second PUT replaces the object.
    pub fn ignore_create_only(&self) {
        self.state().ignores_create_only = true;
    }

    /// From now on a request for a part of an object is answered with all of it.
    pub fn ignore_ranges(&self) {
        self.state().ignores_ranges = true;
    }

    /// From now on every PUT is refused, as with the rights to read alone.
    pub fn refuse_writes(&self) {
        self.state().read_only = true;
    }

    /// Lets the next requests with a method go wrong, one fault each; the others are served meanwhile.
    pub fn fail(&self, method: &'static str, faults: &[Fault]) {
        self.state().faults.extend(faults.iter().map(|fault| (method, *fault)));
    }

    /// Returns method and path of the requests since the last call, in the order of their arrival.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().requests)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: &TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let request = Request::read(stream)?;
    let (fault, answer) = {
        let mut state = lock(state);
        state.requests.push(format!("{} {}", request.method, request.path));
        let is_due = state.faults.front().is_some_and(|(method, _)| *method == request.method);
        let fault = if is_due { state.faults.pop_front().map(|(_, fault)| fault) } else { None };
        let is_done = !matches!(fault, Some(Fault::Status(..) | Fault::Dropped | Fault::Silent));
        (fault, is_done.then(|| state.answer(&request)))
    };
    let answer = match fault {
        Some(Fault::Status(status, code) | Fault::DoneThenStatus(status, code)) => Answer::error(status, code),
        Some(Fault::Dropped | Fault::DoneThenDropped) => return Ok(()),
        Some(Fault::Silent | Fault::DoneThenSilent) => {
            // Until the caller hangs up, or for long enough.
            stream.set_read_timeout(Some(SILENCE))?;
            return stream.read(&mut [0]).map(drop);
        }
        Some(Fault::HalfBody) | None => answer.unwrap_or_else(|| Answer::error(500, "InternalError")),
    };
    let body = match (request.method.as_str(), fault) {
        ("HEAD", _) => &[],
        (_, Some(Fault::HalfBody)) => &answer.body[..answer.body.len() / 2],
        _ => &answer.body[..],
    };
    stream.write_all(&[answer.head().as_bytes(), body].concat())
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        match request.method.as_str() {
            "PUT" if self.read_only => Answer::error(403, "AccessDenied"),
            "PUT" => self.put(request),
            "GET" if request.query.contains_key("list-type") => self.list(request),
            "GET" | "HEAD" => self.get(request),
            _ => Answer::error(501, "NotImplemented"),
        }
    }

    fn put(&mut self, request: &Request) -> Answer {
        let create_only = request.headers.get("if-none-match").is_some_and(|value| value == "*");
        if create_only && !self.ignores_create_only && self.objects.contains_key(&request.path) {
            return Answer::error(412, "PreconditionFailed");
        }
        self.objects.insert(request.path.clone(), request.body.clone());
        Answer::ok(Vec::new())
    }

    fn get(&self, request: &Request) -> Answer {
        let Some(object) = self.objects.get(&request.path) else {
            return Answer::error(404, "NoSuchKey");
        };
        let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        // Callers only ever ask for the rest of an object.
        let start = range.and_then(|(start, _)| start.parse::<usize>().ok()).filter(|_| !self.ignores_ranges);
        let Some(start) = start else {
            return Answer::ok(object.clone());
        };
        let mut answer = Answer::ok(object[start.min(object.len())..].to_vec());
        answer.status = 206;
        answer.headers.push(format!("Content-Range: bytes {start}-{}/{}", object.len() - 1, object.len()));
        answer
    }

    fn list(&self, request: &Request) -> Answer {
        let asked = |name: &str| request.query.get(name).map_or("", String::as_str);
        let (prefix, after, delimiter) = (asked("prefix"), asked("start-after"), asked("delimiter"));
        let in_bucket = format!("{}/", request.path.trim_end_matches('/'));
        let keys = self.objects.iter().filter_map(|(path, object)| Some((path.strip_prefix(&in_bucket)?, object.len())));
        let (mut contents, mut folders) = (String::new(), BTreeSet::new());
        for (key, size) in keys.filter(|(key, _)| key.starts_with(prefix) && *key > after) {
            match key[prefix.len()..].split_once('/') {
                Some((folder, _)) if !delimiter.is_empty() => {
                    folders.insert(format!("<CommonPrefixes><Prefix>{prefix}{folder}/</Prefix></CommonPrefixes>"));
                }
                _ => contents.push_str(&format!(
                    "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>2026-09-01T00:00:00Z</LastModified></Contents>"
                )),
            }
        }
        let folders: String = folders.into_iter().collect();
        Answer::ok(format!("<ListBucketResult>{contents}{folders}</ListBucketResult>").into_bytes())
    }
}

impl Request {
    fn read(mut stream: &TcpStream) -> io::Result<Self> {
        let mut read = Vec::new();
        let end = loop {
            if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            read_some(&mut stream, &mut read)?;
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = read.split_off(end + 4);
        while body.len() < length {
            read_some(&mut stream, &mut body)?;
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = query.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        Ok(Self { method, path: decoded(path), query, headers, body })
    }
}

fn read_some(stream: &mut &TcpStream, into: &mut Vec<u8>) -> io::Result<()> {
    let mut some = [0; 8192];
    match stream.read(&mut some)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        read => {
            into.extend_from_slice(&some[..read]);
            Ok(())
        }
    }
}

impl Answer {
    fn ok(body: Vec<u8>) -> Self {
        Self { status: 200, body, headers: Vec::new() }
    }

    fn error(status: u16, code: &str) -> Self {
        Self { status, body: format!("<Error><Code>{code}</Code></Error>").into_bytes(), headers: Vec::new() }
    }

    fn head(&self) -> String {
        let headers: String = self.headers.iter().map(|header| format!("{header}\r\n")).collect();
        format!(
            "HTTP/1.1 {} -\r\nContent-Length: {}\r\nLast-Modified: Tue, 01 Sep 2026 00:00:00 GMT\r\nETag: \"1\"\r\n{headers}\
             Connection: close\r\n\r\n",
            self.status,
            self.body.len()
        )
    }
}
