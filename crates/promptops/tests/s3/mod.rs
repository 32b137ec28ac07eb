//! Serves the objects of a folder as S3 does, on loopback: reads and listings. It can be down, and it can hang.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is answered.
    Up,
    /// It is refused for good, as by an outage that a client need not try again.
    Down,
    /// It is never answered.
    Hanging,
}

pub struct S3 {
    endpoint: String,
    mode: Arc<Mutex<Mode>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl S3 {
    pub fn serve(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (mode, asked) = (Arc::new(Mutex::new(Mode::Up)), Arc::new(Mutex::new(Vec::new())));
        let (its_mode, its_asked) = (Arc::clone(&mode), Arc::clone(&asked));
        std::thread::spawn(move || {
            // Kept open, so that whoever waits for an answer waits on.
            let mut hanging = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                match *its_mode.lock().unwrap() {
                    Mode::Hanging => hanging.push(stream),
                    mode => answer(stream, &folder, mode, &its_asked),
                }
            }
        });
        Self { endpoint, mode, asked }
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// What was asked for since this was last called.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub fn settings(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

fn answer(stream: TcpStream, folder: &Path, mode: Mode, asked: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    // A client that gives up before it asks is none.
    if !matches!(stream.read_line(&mut first), Ok(1..)) {
        return;
    }
    let mut header = String::new();
    while matches!(stream.read_line(&mut header), Ok(3..)) {
        header.clear();
    }
    let target = first.split_whitespace().nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (status, body) = match (mode, path.strip_prefix("/bucket/").filter(|key| !key.is_empty())) {
        (Mode::Down | Mode::Hanging, _) => ("403 Forbidden", b"<Error><Code>AccessDenied</Code></Error>".to_vec()),
        (Mode::Up, None) => ("200 OK", list(folder, query)),
        (Mode::Up, Some(key)) => match fs::read(folder.join(key)) {
            Ok(bytes) => ("200 OK", bytes),
            Err(_) => ("404 Not Found", Vec::new()),
        },
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"x\"\r\nLast-Modified: Fri, 01 May 2026 12:00:00 GMT\r\nConnection: close\r\n\r\n",
        body.len()
    );
    asked.lock().unwrap().push(target.replace("%2F", "/"));
    drop(stream.get_mut().write_all(&[head.as_bytes(), &body].concat()));
}

fn list(folder: &Path, query: &str) -> Vec<u8> {
    let parameters: BTreeMap<&str, String> =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name, value.replace("%2F", "/"))).collect();
    let prefix = parameters.get("prefix").cloned().unwrap_or_default();
    let after = parameters.get("start-after").cloned().unwrap_or_default();
    let mut keys: Vec<String> = fs::read_dir(folder.join(&prefix))
        .map(|entries| entries.flatten().map(|entry| format!("{prefix}{}", entry.file_name().to_string_lossy())).collect())
        .unwrap_or_default();
    keys.retain(|key| *key > after);
    keys.sort();
    let contents: String = keys
        .iter()
        .map(|key| format!("<Contents><Key>{key}</Key><LastModified>2026-05-01T12:00:00.000Z</LastModified><ETag>\"x\"</ETag><Size>1</Size></Contents>"))
        .collect();
    format!("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>").into_bytes()
}
