//! The text of a comment: a marker that is not shown, then the report, no longer than a forge takes.

use std::fmt::Write as _;

/// What a comment begins with, so that it is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// Returns the marker of a gate. The key tells several gates of one repository apart; what is no letter, digit, `-`, `_`, `.` or
    /// `/` in it becomes `-`.
    pub fn new(key: &str) -> Self {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
        let mut key: String = key.chars().map(|character| if is_plain(character) { character } else { '-' }).collect();
        // Two hyphens would end the HTML comment in some readers.
        while key.contains("--") {
            key = key.replace("--", "-");
        }
        Self(format!("<!-- promptops gate: {key} -->"))
    }

    /// Tells whether a comment is the one of this marker.
    pub(crate) fn marks(&self, body: &str) -> bool {
        body.trim_start().starts_with(&self.0)
    }

    /// Returns the text of the comment: at most `limit` characters, of whole lines.
    pub(crate) fn body(&self, report: &str, limit: usize) -> String {
        let whole = format!("{}\n{}", self.0, report.trim_end());
        if whole.chars().count() <= limit {
            return whole;
        }
        const NOTE: &str = "\n\n_Cut off here, where the comment would become too long. The job shows the whole report._";
        let room = limit.saturating_sub(NOTE.chars().count() + 200);
        let end = whole.char_indices().nth(room).map_or(whole.len(), |(at, _)| at);
        let mut kept = whole[..end].rsplit_once('\n').map_or("", |(kept, _)| kept).to_owned();
        // What the cut left open would swallow the note.
        if let Some(fence) = open_fence(&kept) {
            let _ = write!(kept, "\n{}", "`".repeat(fence));
        }
        let open = kept.matches("<details>").count().saturating_sub(kept.matches("</details>").count());
        for _ in 0..open.min(10) {
            kept.push_str("\n\n</details>");
        }
        let _ = write!(kept, "{NOTE}");
        kept
    }
}

/// Returns the length of the fence whose block of code is not closed. Only those of a report count, which has four back-ticks or more, and
/// as many as no line inside has.
fn open_fence(text: &str) -> Option<usize> {
    let mut open = None;
    for line in text.lines() {
        let length = line.bytes().take_while(|byte| *byte == b'`').count();
        match open {
            None if length >= 4 => open = Some(length),
            Some(fence) if length >= fence && line.trim_end().len() == length => open = None,
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_closed_by_one_as_long() {
        assert_eq!(open_fence("a\n````text\nb\n````\n"), None);
        assert_eq!(open_fence("a\n``````text\n````\n````text\n"), Some(6));
        assert_eq!(open_fence("a\n`````text\nb\n`````  \n```` text"), Some(4));
    }

    #[test]
    fn a_marker_is_found_at_the_beginning_alone() {
        let marker = Marker::new("services/desk");
        let body = marker.body("## Prompt gate: passed\n", 1000);
        assert_eq!(body, "<!-- promptops gate: services/desk -->\n## Prompt gate: passed");
        assert!(marker.marks(&body) && marker.marks(&format!("\n{body}")));
        assert!(!marker.marks(&format!("> {body}")) && !Marker::new("services").marks(&body));
        assert_eq!(Marker::new("a -->--b"), Marker::new("a -b"));
    }

    #[test]
    fn a_long_report_is_cut_between_lines_and_closed() {
        let report =
            format!("## Gate\n\n<details><summary>x</summary>\n\n````text\n{}````\n\n</details>\n", "ein Zeilchen\n".repeat(500));
        let body = Marker::new("a").body(&report, 2000);
        assert!(body.chars().count() <= 2000);
        assert!(body.ends_with("The job shows the whole report._"), "{body}");
        assert_eq!(body.lines().filter(|line| line.starts_with("````")).count(), 2);
        assert_eq!(body.matches("</details>").count(), 1);
        assert!(!body.contains("ein Zeil\n"));
    }
}
