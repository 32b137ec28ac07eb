//! Rows of a YAML list.

use std::io::{self, BufRead, Read as _};

use promptops_prompt::yaml::{self, Kind, MAX_FILE_BYTES, Node};
use serde_json::Value;

use super::rows::{Event, Problem, Row};

/// Returns every row. The file is read as a whole, for YAML has no rows to stop after; so it is bounded.
pub(super) fn events<R: BufRead + Send + 'static>(source: R) -> impl Iterator<Item = io::Result<Event>> + Send {
    let mut source = Some(source);
    let mut events: Option<std::vec::IntoIter<Event>> = None;
    std::iter::from_fn(move || {
        if let Some(source) = source.take() {
            match read(source) {
                Ok(found) => events = Some(found.into_iter()),
                Err(error) => return Some(Err(error)),
            }
        }
        events.as_mut()?.next().map(Ok)
    })
}

fn read(source: impl BufRead) -> io::Result<Vec<Event>> {
    let mut bytes = Vec::new();
    source.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let problem = |line, span, message: String| vec![Event::Problem(Problem::new(line, span, message))];
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!("a dataset in YAML may have {MAX_FILE_BYTES} bytes; write a larger one as JSON Lines or CSV");
        return Ok(problem(1, 0..0, message));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            return Ok(vec![Event::Problem(Problem::no_text(line, valid..valid))]);
        }
    };
    let line = |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let (node, problems) = yaml::parse(&text);
    if !problems.is_empty() {
        let told = |problem: yaml::Problem| Problem::new(line(problem.span.start), problem.span, problem.message);
        return Ok(problems.into_iter().map(told).map(Event::Problem).collect());
    }
    let Some(node) = node else { return Ok(Vec::new()) };
    let Kind::Sequence(items) = &node.kind else {
        let message = format!("a dataset in YAML is a list of mappings, not {}", node.type_name());
        return Ok(problem(line(node.span.start), node.span, message));
    };
    // Counted on from item to item: from the start each time would take the square of the file's size.
    let (mut at, mut number) = (0, 1);
    let mut events = Vec::with_capacity(items.len());
    for item in items {
        let start = item.span.start.clamp(at, text.len());
        number += text.as_bytes()[at..start].iter().filter(|byte| **byte == b'\n').count() as u64;
        at = start;
        events.push(row(item, number));
    }
    Ok(events)
}

fn row(item: &Node, line: u64) -> Event {
    let mut problems = Vec::new();
    let value = item.to_json(&mut problems);
    match (problems.into_iter().next(), value) {
        (Some(problem), _) => Event::Problem(Problem::new(line, problem.span, problem.message)),
        (None, Value::Object(values)) => Event::Row(Row { line, span: item.span.clone(), values }),
        (None, _) => {
            let message = format!("the row is {}, not a mapping", item.type_name());
            Event::Problem(Problem::new(line, item.span.clone(), message))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::dataset::{Columns, Dataset, DatasetError, Format, Source};

    fn read(text: impl AsRef<[u8]>) -> Result<Dataset, Vec<String>> {
        let columns = Columns { case: Some("id".into()), ..Columns::default() };
        Dataset::read("d.yaml", Format::Yaml, Source::of_bytes(text), &columns).map_err(|error| match error {
            DatasetError::Findings(findings) => findings.into_iter().map(|finding| finding.message).collect(),
            other => vec![other.to_string()],
        })
    }

    #[test]
    fn a_list_of_mappings_is_a_dataset() {
        let dataset = read("# cases\n- id: a\n  text: |\n    two\n    lines\n- {id: b, tags: [x, 1], n: 2.5}\n").unwrap();
        let heads: Vec<_> = dataset.heads.iter().collect();
        let lines: Vec<_> = heads.iter().map(|head| (head.name.as_str(), head.line)).collect();
        assert_eq!(lines, [("a", 2), ("b", 6)]);
        assert_eq!(dataset.columns, ["id", "text", "tags", "n"]);
        let rows: Vec<_> = dataset.rows().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows[0].values["text"], "two\nlines\n");
        assert_eq!(rows[1].values["tags"], json!(["x", 1]));
    }

    #[test]
    fn what_is_none_is_told_with_its_line() {
        assert_eq!(
            read("- id: a\n- text\n- {name: c}\n").unwrap_err(),
            ["line 2: the row is a text, not a mapping", "line 3: the row lacks `id`",]
        );
        assert_eq!(read("id: a\n").unwrap_err(), ["line 1: a dataset in YAML is a list of mappings, not a mapping"]);
        assert_eq!(read("").unwrap_err(), ["the dataset has no cases"]);
        assert!(read("- id: a\n- {id: b\n").unwrap_err()[0].starts_with("line "));
        assert_eq!(read(b"- id: a\n- id: \xff\n").unwrap_err(), ["line 2: the row is not UTF-8"]);
        let large = read("- id: a\n".repeat(140_000)).unwrap_err();
        assert_eq!(large, ["line 1: a dataset in YAML may have 1048576 bytes; write a larger one as JSON Lines or CSV"]);
    }
}
