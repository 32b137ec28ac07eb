//! How answers are shown: one file per format.

pub mod csv;
pub mod eval_human;
pub mod eval_markdown;
pub mod gate;
pub mod github;
pub mod human;
pub mod inventory;
pub mod json;
pub mod lineage;
pub mod table;

/// The format of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FindingFormat {
    /// For people, with the source.
    #[default]
    Human,
    /// For programs; versioned.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// The line and column (from 1, in characters) of a byte of `text`.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[line_start..].chars().count() + 1)
}
