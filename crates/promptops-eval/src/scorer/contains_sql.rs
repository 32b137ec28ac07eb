//! `contains-sql`: the answer has SQL in it, in a block of code or alone.

use serde_json::Value;

use super::sql_text::Expectation;
use super::{Building, Judged, Judgement, Score, Scorer, Settings};
use crate::spec::fields::Fields;

/// Passes an answer of which a block of code, fenced and of no language or of `sql`, is SQL; one without such a block must be SQL itself.
#[derive(Debug, Clone)]
pub struct ContainsSql {
    expectation: Expectation,
}

impl ContainsSql {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self { expectation: Expectation::read(fields)? })
    }
}

impl Settings for ContainsSql {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for ContainsSql {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let text = judged.answer.text.as_str();
        let mut candidates = blocks(text);
        if candidates.is_empty() {
            candidates.push(text.to_owned());
        }
        let mut fault = None;
        for candidate in candidates.iter().filter(|candidate| !candidate.trim().is_empty()) {
            match self.expectation.fault(candidate) {
                None => return Score::pass().into(),
                Some(found) => fault = Some(found),
            }
        }
        Score::fail(fault.unwrap_or_else(|| "there is no SQL".to_owned())).into()
    }

    fn describe(&self) -> Value {
        self.expectation.describe("contains-sql")
    }
}

/// Returns the fenced blocks of a text that have no language, or that of SQL. One that is not closed is none.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    // The character and the length of the fence that is open, the lines since, and whether they are wanted.
    let mut open: Option<(char, usize, Vec<&str>, bool)> = None;
    for line in text.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
        let fence = fence(line);
        match (&mut open, fence) {
            (None, Some((character, length, info))) => {
                let language = info.trim().to_lowercase();
                open = Some((character, length, Vec::new(), language.is_empty() || language == "sql"));
            }
            (None, None) => {}
            (Some((character, length, ..)), Some((other, closing, info)))
                if other == *character && closing >= *length && info.trim_matches([' ', '\t']).is_empty() =>
            {
                if let Some((_, _, lines, true)) = open.take() {
                    blocks.push(lines.join("\n"));
                }
            }
            (Some((_, _, lines, _)), _) => lines.push(line),
        }
    }
    blocks
}

/// Reads a fence: its character, its length, and what stands behind it.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let spaces = line.bytes().take(3).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let line = &line[spaces..];
    let character = line.chars().next().filter(|character| matches!(character, '`' | '~'))?;
    let length = line.chars().take_while(|other| *other == character).count();
    (length >= 3).then(|| (character, length, &line[length..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn sql_is_found_in_blocks_of_code() {
        let contains = scorer("{type: contains-sql}", None).unwrap();
        let passed = |text: &str| judge(contains.as_ref(), text, &case(json!({}))).passed;
        assert!(passed("SELECT 1"));
        assert!(passed("Sure:\n```sql\nSELECT a\nFROM t\n```\nThat is it."));
        assert!(passed("~~~\nSELECT 1\n~~~"));
        assert!(passed("```\nnothing\n```\n  ```SQL\r\nSELECT 1\r\n````  "));
        assert!(!passed("Sure: SELECT 1"));
        assert!(!passed("```python\nSELECT 1\n```"));
        assert!(!passed("```sql\nSELEKT 1\n```"));
        assert!(!passed("```sql\nSELECT 1"), "the block does not end");
        assert!(!passed(""));
    }
}
