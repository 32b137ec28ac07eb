//! The language server: what `promptops check` finds, and more, while somebody types.
//!
//! One thread reads messages, this one answers them. Texts that are not saved count in place of the files; everything else is as the
//! command has it, so the findings are the same.

mod actions;
mod completion;
mod definition;
mod diagnostics;
mod document;
mod hover;
mod transport;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionParams, CodeActionProviderCapability, CompletionOptions, CompletionParams,
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, GotoDefinitionParams, HoverParams,
    HoverProviderCapability, OneOf, ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, Uri, WorkDoneProgressOptions,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::document::{Document, path_of};
use self::transport::Incoming;
use crate::checks::{self, CheckOptions, Checked, KnownBase};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;

/// Serves the editor at the other end of standard input and output. `directory` is where files are looked for that have no project.
pub fn serve(directory: &Path, base: Option<&str>) -> Outcome<Exit> {
    let incoming = transport::listen();
    let mut server = Server { base: base.map(str::to_owned), ..Server::default() };
    loop {
        // Whoever types sends faster than files are looked at: first everything that waits, then one look.
        let next = match incoming.try_recv() {
            Ok(next) => next,
            Err(_) => {
                server.look_at_changed().map_err(|error| sending(directory, error))?;
                incoming.recv().unwrap_or(Incoming::End)
            }
        };
        match next {
            Incoming::Message(Message::Notification(notification)) if notification.method == "exit" => {
                return Ok(if server.is_shut_down { Exit::Success } else { Exit::Refused });
            }
            Incoming::Message(message) => server.take(message).map_err(|error| sending(directory, error))?,
            Incoming::Garbage(reason) => transport::send_parse_error(&reason).map_err(|error| sending(directory, error))?,
            Incoming::Broken(reason) => {
                return Err(Failure::new(Exit::Usage, format!("what comes in is no Language Server Protocol: {reason}"))
                    .hint("this command is started by an editor; see docs/guides/editors.md"));
            }
            // The editor is gone without a farewell.
            Incoming::End => return Ok(if server.is_shut_down { Exit::Success } else { Exit::Refused }),
        }
    }
}

fn sending(directory: &Path, error: std::io::Error) -> Failure {
    Failure::io("answer the editor of", directory, error)
}

/// What is known between messages.
#[derive(Debug, Default)]
struct Server {
    base: Option<String>,
    is_initialized: bool,
    is_shut_down: bool,
    /// The projects that documents belong to, by root.
    projects: BTreeMap<PathBuf, Workspace>,
    /// The last failure that was shown, so that it is not shown at every letter.
    shown_failure: Option<String>,
}

/// A project, its open documents and the last look at it.
#[derive(Debug, Default)]
struct Workspace {
    /// By path from the root.
    documents: HashMap<String, Document>,
    checked: Option<Checked>,
    known_base: KnownBase,
    has_changed: bool,
    /// What the editor shows, by path.
    published: BTreeMap<String, Vec<lsp_types::Diagnostic>>,
}

impl Server {
    fn take(&mut self, message: Message) -> std::io::Result<()> {
        match message {
            Message::Request(request) => {
                let response = self.answer(request);
                transport::send(&Message::Response(response))
            }
            Message::Notification(notification) => self.note(notification),
            // Answers to what was asked of the editor say nothing that is needed.
            Message::Response(_) => Ok(()),
        }
    }

    fn answer(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        match method.as_str() {
            "initialize" => {
                self.is_initialized = true;
                let info = json!({"name": "promptops", "version": env!("CARGO_PKG_VERSION")});
                Response::new_ok(id, json!({"capabilities": capabilities(), "serverInfo": info}))
            }
            _ if !self.is_initialized => {
                Response::new_err(id, ErrorCode::ServerNotInitialized as i32, "the first message is `initialize`".to_owned())
            }
            "shutdown" => {
                self.is_shut_down = true;
                Response::new_ok(id, Value::Null)
            }
            "textDocument/hover" => self.about(
                id,
                params,
                |params: &HoverParams| {
                    let at = &params.text_document_position_params;
                    (at.text_document.uri.clone(), at.position)
                },
                hover::hover,
            ),
            "textDocument/completion" => self.about(
                id,
                params,
                |params: &CompletionParams| {
                    let at = &params.text_document_position;
                    (at.text_document.uri.clone(), at.position)
                },
                completion::complete,
            ),
            "textDocument/definition" => self.about(
                id,
                params,
                |params: &GotoDefinitionParams| {
                    let at = &params.text_document_position_params;
                    (at.text_document.uri.clone(), at.position)
                },
                definition::definition,
            ),
            "textDocument/codeAction" => self.actions(id, params),
            other => Response::new_err(id, ErrorCode::MethodNotFound as i32, format!("`{other}` is not known")),
        }
    }

    /// Answers a question about a place in a document; with nothing where nothing is known.
    fn about<P: DeserializeOwned, A: serde::Serialize>(
        &mut self,
        id: RequestId,
        params: Value,
        place: impl Fn(&P) -> (Uri, lsp_types::Position),
        answer: impl Fn(&View<'_>, usize) -> Option<A>,
    ) -> Response {
        let (uri, position) = match serde_json::from_value(params) {
            Ok(params) => place(&params),
            Err(error) => return Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string()),
        };
        let found = self.view(&uri).and_then(|view| {
            let byte = view.document.byte(position);
            answer(&view, byte)
        });
        Response::new_ok(id, found)
    }

    fn actions(&mut self, id: RequestId, params: Value) -> Response {
        let params: CodeActionParams = match serde_json::from_value(params) {
            Ok(params) => params,
            Err(error) => return Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string()),
        };
        let found = self.view(&params.text_document.uri).map(|view| actions::actions(&view, &params));
        Response::new_ok(id, found.unwrap_or_default())
    }

    fn note(&mut self, notification: Notification) -> std::io::Result<()> {
        if !self.is_initialized {
            return Ok(());
        }
        let Notification { method, params } = notification;
        // A notification has no answer in which something wrong about it could be said.
        match method.as_str() {
            "initialized" => transport::send(&watch_files()),
            "textDocument/didOpen" => {
                if let Ok(params) = serde_json::from_value::<DidOpenTextDocumentParams>(params) {
                    self.open(params);
                }
                Ok(())
            }
            "textDocument/didChange" => {
                if let Ok(params) = serde_json::from_value::<DidChangeTextDocumentParams>(params)
                    && let Some((workspace, path)) = self.workspace(&params.text_document.uri)
                    && let Some(document) = workspace.documents.get_mut(&path)
                {
                    params.content_changes.into_iter().for_each(|change| document.change(change));
                    workspace.has_changed = true;
                }
                Ok(())
            }
            "textDocument/didClose" => {
                if let Ok(params) = serde_json::from_value::<DidCloseTextDocumentParams>(params)
                    && let Some((workspace, path)) = self.workspace(&params.text_document.uri)
                {
                    workspace.documents.remove(&path);
                    workspace.has_changed = true;
                }
                Ok(())
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.projects.values_mut().for_each(|workspace| workspace.has_changed = true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, params: DidOpenTextDocumentParams) {
        let uri = params.text_document.uri;
        let Some(path) = path_of(&uri) else { return };
        let Some(project) = path.parent().and_then(|folder| Project::find(folder).ok()) else { return };
        let Some(path) = document::path_in(&project.root, &path) else { return };
        let workspace = self.projects.entry(project.root).or_default();
        workspace.documents.insert(path, Document::new(uri, params.text_document.text));
        workspace.has_changed = true;
    }

    /// Returns the project that an open document belongs to, and its path there.
    fn workspace(&mut self, uri: &Uri) -> Option<(&mut Workspace, String)> {
        let projects = self.projects.values_mut();
        projects.into_iter().find_map(|workspace| {
            let path = workspace.documents.iter().find(|(_, document)| document.uri == *uri)?.0.clone();
            Some((workspace, path))
        })
    }

    /// Returns an open prompt with what is known around it, looked at as it is now; nothing for other files, of which there is nothing
    /// to say.
    fn view(&mut self, uri: &Uri) -> Option<View<'_>> {
        // A failure to look is shown with the next look; until then the last one counts.
        let _ = self.look_at_changed();
        let (root, workspace) = self.projects.iter().find(|(_, one)| one.documents.values().any(|open| open.uri == *uri))?;
        let (path, document) = workspace.documents.iter().find(|(_, document)| document.uri == *uri)?;
        let is_prompt = workspace.checked.as_ref().is_some_and(|checked| checked.listing.holds(path));
        is_prompt.then_some(View { root, path, document, workspace })
    }

    /// Looks at every project of which something changed, and shows what was found.
    fn look_at_changed(&mut self) -> std::io::Result<()> {
        let mut failure = None;
        for (root, workspace) in self.projects.iter_mut().filter(|(_, workspace)| workspace.has_changed) {
            workspace.has_changed = false;
            match look(root, workspace, self.base.as_deref()) {
                Ok(checked) => workspace.checked = Some(checked),
                Err(found) => failure = Some(format!("{:#}", found.error)),
            }
            for notification in diagnostics::changed(root, workspace) {
                transport::send(&Message::Notification(notification))?;
            }
        }
        if let Some(text) = failure.clone().filter(|text| self.shown_failure.as_ref() != Some(text)) {
            let shown = json!({"type": 1, "message": format!("promptops: {text}")});
            transport::send(&Message::Notification(Notification::new("window/showMessage".to_owned(), shown)))?;
        }
        self.shown_failure = failure;
        Ok(())
    }
}

/// Looks at a project as its documents are now. The configuration is read each time, since it may have changed, too.
fn look(root: &Path, workspace: &Workspace, base: Option<&str>) -> Outcome<Checked> {
    let project = Project::find(root)?;
    let overlay = workspace.documents.iter().map(|(path, document)| (path.clone(), document.text.clone())).collect();
    let options = CheckOptions {
        base: base.map(str::to_owned),
        with_compatibility: true,
        overlay,
        goes_on: true,
        known_base: workspace.known_base.clone(),
        ..CheckOptions::default()
    };
    checks::run(&project, &options)
}

/// An open document with what is known around it.
#[derive(Debug, Clone, Copy)]
struct View<'a> {
    /// The project's root.
    root: &'a Path,
    /// The path of the document from there.
    path: &'a str,
    document: &'a Document,
    workspace: &'a Workspace,
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(true.into()),
            ..TextDocumentSyncOptions::default()
        })),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(["\"", "'", "{", " ", "@", ".", ","].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::SOURCE_FIX_ALL]),
            work_done_progress_options: WorkDoneProgressOptions::default(),
            resolve_provider: None,
        })),
        ..ServerCapabilities::default()
    }
}

/// Asks the editor to tell when files change that are not open.
fn watch_files() -> Message {
    let watchers = json!([
        {"globPattern": "**/*.{yaml,yml}"}, {"globPattern": "**/promptops.toml"}, {"globPattern": "**/promptops-baseline.json"}
    ]);
    let registration =
        json!({"id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": {"watchers": watchers}});
    let params = json!({"registrations": [registration]});
    Message::Request(Request::new(RequestId::from(1), "client/registerCapability".to_owned(), params))
}
