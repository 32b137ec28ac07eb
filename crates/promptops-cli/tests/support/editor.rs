//! An editor that speaks the Language Server Protocol to the binary.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Project, Run};

/// An editor with a server of its own, which ends with the value.
pub struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    incoming: Receiver<Value>,
    next_id: i64,
    root: String,
}

impl Editor {
    /// Starts a server that nothing was said to.
    pub fn new(project: &Project, arguments: &[&str]) -> Self {
        let mut command = project.promptops([&["lsp"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().unwrap();
        let (sender, incoming) = channel();
        std::thread::spawn(move || read_all(stdout, |message| sender.send(message).is_ok()));
        Self { child, stdin, incoming, next_id: 0, root: project.root().to_string_lossy().into_owned() }
    }

    /// Starts a server and greets it.
    pub fn greeted(project: &Project) -> Self {
        let mut editor = Self::new(project, &[]);
        let answer = editor.ask("initialize", json!({"capabilities": {}, "processId": null, "rootUri": null}));
        assert!(answer["capabilities"]["hoverProvider"].as_bool().unwrap());
        editor.tell("initialized", json!({}));
        editor
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).and_then(|()| stdin.flush()).unwrap();
    }

    /// Sends a body with its header.
    pub fn send(&mut self, body: &str) {
        self.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Sends a notification.
    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// Sends a request and returns the whole answer.
    pub fn ask_raw(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        loop {
            let message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// Sends a request and returns its result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask_raw(method, params);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    /// Returns the next message.
    pub fn next(&self) -> Value {
        self.incoming.recv_timeout(Duration::from_secs(60)).expect("the server answers in time")
    }

    /// Returns the next message of a method.
    pub fn next_of(&self, method: &str) -> Value {
        loop {
            let message = self.next();
            if message["method"] == method {
                return message["params"].clone();
            }
        }
    }

    /// Returns the next diagnostics of a file.
    pub fn diagnostics(&self, path: &str) -> Vec<Value> {
        let uri = self.uri(path);
        loop {
            let params = self.next_of("textDocument/publishDiagnostics");
            if params["uri"] == uri {
                return params["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// Returns the URI of a file of the project.
    pub fn uri(&self, path: &str) -> String {
        format!("file://{}/{path}", self.root)
    }

    /// Opens a file with a text that need not be what is stored.
    pub fn open(&mut self, path: &str, text: &str) {
        let document = json!({"uri": self.uri(path), "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Replaces the whole text of an open file.
    pub fn retype(&mut self, path: &str, text: &str) {
        let params = json!({"textDocument": {"uri": self.uri(path), "version": 2}, "contentChanges": [{"text": text}]});
        self.tell("textDocument/didChange", params);
    }

    /// Asks about a place, which is a line and a column from 0.
    pub fn ask_at(&mut self, method: &str, path: &str, (line, column): (usize, usize)) -> Value {
        let place = json!({"textDocument": {"uri": self.uri(path)}, "position": {"line": line, "character": column}});
        self.ask(method, place)
    }

    /// Ends the input and returns how the server ended.
    pub fn end(mut self, project: &Project) -> Run {
        self.stdin = None;
        let output = self.child.wait().unwrap();
        let mut stderr = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Run::new(std::process::Output { status: output, stdout: Vec::new(), stderr }, &project.redactions())
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(stdout: ChildStdout, mut take: impl FnMut(Value) -> bool) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() || !take(serde_json::from_slice(&body).unwrap()) {
            return;
        }
    }
}
