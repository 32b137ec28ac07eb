//! An open document: its text, and places in it as the editor counts them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use lsp_types::{Position, TextDocumentContentChangeEvent, Uri};
use promptops_prompt::draft::Draft;

use crate::text_position::{byte_at_utf16, utf16};

/// A document as somebody types it.
#[derive(Debug)]
pub struct Document {
    /// How the editor names it.
    pub uri: Uri,
    /// Its text now.
    pub text: String,
    /// The variables that were declared when it was last readable: what is being typed mostly is not.
    pub inputs: Vec<(String, serde_json::Value)>,
}

impl Document {
    /// Opens a document.
    pub fn new(uri: Uri, text: String) -> Self {
        let mut document = Self { uri, text, inputs: Vec::new() };
        document.read();
        document
    }

    /// Changes a part of the text, or all of it.
    pub fn change(&mut self, change: TextDocumentContentChangeEvent) {
        match change.range {
            Some(range) => {
                let (start, end) = (self.byte(range.start), self.byte(range.end));
                self.text.replace_range(start..end.max(start), &change.text);
            }
            None => self.text = change.text,
        }
        self.read();
    }

    fn read(&mut self) {
        let (draft, _) = Draft::parse("", &self.text);
        if draft.model.is_some() || !draft.inputs.is_empty() {
            self.inputs = draft.inputs.into_iter().map(|(name, schema)| (name.value, schema)).collect();
        }
    }

    /// Returns the byte at a place.
    pub fn byte(&self, position: Position) -> usize {
        byte_at_utf16(&self.text, position.line as usize, position.character as usize)
    }

    /// Returns the place of bytes.
    pub fn range(&self, span: &Range<usize>) -> lsp_types::Range {
        range(&self.text, span)
    }

    /// Returns the line up to a byte.
    pub fn line_before(&self, byte: usize) -> &str {
        let start = self.text[..byte].rfind('\n').map_or(0, |at| at + 1);
        &self.text[start..byte]
    }
}

/// Returns the place of bytes of a text.
pub fn range(text: &str, span: &Range<usize>) -> lsp_types::Range {
    let position = |byte: usize| {
        let (line, column) = utf16(text, byte);
        Position::new(u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    };
    lsp_types::Range::new(position(span.start), position(span.end.max(span.start)))
}

/// Returns the path that a URI names, if it names a file.
pub fn path_of(uri: &Uri) -> Option<PathBuf> {
    url::Url::parse(uri.as_str()).ok()?.to_file_path().ok()
}

/// Returns the URI of a path.
pub fn uri_of(path: &Path) -> Option<Uri> {
    url::Url::from_file_path(path).ok()?.as_str().parse().ok()
}

/// Returns the path of a file from a folder, with `/`; none when it lies elsewhere.
pub fn path_in(root: &Path, path: &Path) -> Option<String> {
    let resolved = path
        .parent()
        .and_then(|folder| folder.canonicalize().ok())
        .map(|folder| folder.join(path.file_name().unwrap_or_default()));
    let below = path.strip_prefix(root).ok().map(Path::to_owned);
    let below = below.or_else(|| resolved?.strip_prefix(root.canonicalize().ok()?).ok().map(Path::to_owned))?;
    let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/"))
}
