//! Datasets: cases read from CSV or JSON Lines, row by row, with every bad row a finding.

mod csv_rows;
mod jsonl_rows;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Read};
use std::ops::Range;

use promptops_prompt::finding::Finding;
use promptops_prompt::{Digest, Severity};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The largest row that is read, in bytes.
pub const MAX_ROW_BYTES: usize = 4 << 20;
/// Findings after which reading stops: a file in the wrong format need not be told line by line.
pub const MAX_FINDINGS: usize = 50;

/// How a dataset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header. Every value is a text.
    Csv,
    /// One JSON object per line.
    JsonLines,
}

impl Format {
    /// Returns the format that the ending of `path` names.
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// Which columns have a meaning, and which must exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// Names the case; otherwise the number of the row, from 1, does.
    pub case: Option<String>,
    /// Marks cases that must pass.
    pub must_pass: Option<String>,
    /// Names what cases that depend on each other share.
    pub cluster: Option<String>,
    /// Every further column that must exist.
    pub needed: Vec<String>,
}

impl Columns {
    fn all(&self) -> impl Iterator<Item = &str> {
        let roles = [&self.case, &self.must_pass, &self.cluster].into_iter().flatten();
        roles.chain(&self.needed).map(String::as_str)
    }
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, unique in the dataset.
    pub name: String,
    /// Where it starts in the file, from 1.
    pub line: u64,
    /// The row: column to value.
    pub values: Map<String, Value>,
    /// Whether it must pass every metric.
    pub must_pass: bool,
    /// What cases that depend on each other share.
    pub cluster: Option<String>,
}

impl Case {
    /// Returns the value of a column as text: a JSON string as it is, anything else as JSON.
    pub fn text(&self, column: &str) -> Option<String> {
        self.values.get(column).map(text_of)
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A dataset: its cases and the digest of its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The path, as shown to people.
    pub path: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// How values are written: decides whether texts stand for numbers.
    pub format: Format,
    /// Every column that occurs, in order of first appearance.
    pub columns: Vec<String>,
    /// The cases in the order of the file.
    pub cases: Vec<Case>,
}

/// Says why a dataset was not read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file is not a good dataset: correct it.
    #[error("the dataset has problems")]
    Findings(Vec<Finding>),
    /// The file cannot be read.
    #[error("cannot read the dataset")]
    Io(#[source] io::Error),
}

/// A row before its meaning is known.
struct Row {
    line: u64,
    span: Range<usize>,
    values: Map<String, Value>,
}

impl Dataset {
    /// Reads a dataset. Holds one row at a time besides the cases themselves.
    ///
    /// # Errors
    /// [`DatasetError::Findings`] with all problems, up to [`MAX_FINDINGS`]; [`DatasetError::Io`].
    pub fn read(path: &str, format: Format, reader: impl Read, columns: &Columns) -> Result<Self, DatasetError> {
        let mut hashing = Hashing { reader, hash: Sha256::new(), bytes: 0 };
        let mut builder = Builder::new(path, columns);
        let source = BufReader::new(&mut hashing);
        let end = match format {
            Format::Csv => csv_rows::read(source, &mut builder),
            Format::JsonLines => jsonl_rows::read(source, &mut builder),
        };
        end.map_err(DatasetError::Io)?;
        builder.check_end();
        if !builder.findings.is_empty() {
            return Err(DatasetError::Findings(builder.findings));
        }
        io::copy(&mut hashing, &mut io::sink()).map_err(DatasetError::Io)?;
        let digest = hashing.digest();
        Ok(Self { path: path.to_owned(), digest, format, columns: builder.seen_columns, cases: builder.cases })
    }
}

/// Gives rows their meaning and collects what is wrong with them.
struct Builder<'a> {
    path: &'a str,
    columns: &'a Columns,
    cases: Vec<Case>,
    lines_by_name: HashMap<String, u64>,
    seen_columns: Vec<String>,
    findings: Vec<Finding>,
}

impl<'a> Builder<'a> {
    fn new(path: &'a str, columns: &'a Columns) -> Self {
        let (cases, seen_columns, findings) = (Vec::new(), Vec::new(), Vec::new());
        Self { path, columns, cases, lines_by_name: HashMap::new(), seen_columns, findings }
    }

    fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FINDINGS
    }

    /// Adds a finding; `line` is told because a span in a large file says little.
    fn problem(&mut self, line: u64, span: Range<usize>, message: &str) {
        if !self.is_full() {
            let message = format!("line {line}: {message}");
            self.findings.push(Finding::new("eval-dataset", Severity::Error, self.path, span, message));
        }
    }

    fn add(&mut self, row: Row) {
        let name = match &self.columns.case {
            None => (self.cases.len() + 1).to_string(),
            Some(column) => match row.values.get(column).map(text_of).filter(|name| !name.trim().is_empty()) {
                Some(name) => name,
                None => return self.problem(row.line, row.span, &format!("the case has no name in column `{column}`")),
            },
        };
        if let Some(first) = self.lines_by_name.insert(name.clone(), row.line) {
            return self.problem(row.line, row.span, &format!("case `{name}` was already on line {first}"));
        }
        let must_pass = match self.columns.must_pass.as_ref().map(|column| truth(row.values.get(column))) {
            None => false,
            Some(Some(truth)) => truth,
            Some(None) => {
                let column = self.columns.must_pass.clone().unwrap_or_default();
                let found = row.values.get(&column).map(text_of).unwrap_or_default();
                return self.problem(row.line, row.span, &format!("column `{column}` is neither true nor false: `{found}`"));
            }
        };
        let cluster = self.columns.cluster.as_ref().and_then(|column| row.values.get(column)).map(text_of);
        // Cases without a cluster stand alone.
        let cluster = cluster.filter(|cluster| !cluster.is_empty());
        self.cases.push(Case { name, line: row.line, values: row.values, must_pass, cluster });
    }

    fn see_column(&mut self, column: &str) {
        if !self.seen_columns.iter().any(|seen| seen == column) {
            self.seen_columns.push(column.to_owned());
        }
    }

    /// Names the columns that are missing from a row or header with these columns.
    fn missing<'b>(&'b self, has: impl Fn(&str) -> bool + 'b) -> Vec<String> {
        let mut missing: Vec<String> = self.columns.all().filter(|column| !has(column)).map(str::to_owned).collect();
        missing.sort();
        missing.dedup();
        missing
    }

    fn check_end(&mut self) {
        if self.cases.is_empty() && self.findings.is_empty() {
            let finding = Finding::new("eval-dataset", Severity::Error, self.path, 0..0, "the dataset has no cases");
            self.findings.push(finding);
        }
        if self.is_full() {
            let text = format!("only the first {MAX_FINDINGS} problems of this file are shown");
            self.findings.push(Finding::new("eval-dataset", Severity::Note, self.path, 0..0, text));
        }
    }
}

/// Reads a value as a yes or no; an absent or empty one is no.
fn truth(value: Option<&Value>) -> Option<bool> {
    match value {
        None | Some(Value::Null) => Some(false),
        Some(Value::Bool(truth)) => Some(*truth),
        Some(other) => match text_of(other).trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true),
            "false" | "no" | "0" | "" => Some(false),
            _ => None,
        },
    }
}

/// Hashes what is read through it.
struct Hashing<R> {
    reader: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn digest(self) -> Digest {
        let hex: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}").parse().expect("64 lower-case digits were just written")
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Reads every input variable of a case out of its row.
///
/// A CSV cell is a text; where `schemas` declares the variable as something else, the cell is read as JSON, and an empty
/// cell is a value that was not given.
pub fn inputs(
    case: &Case,
    format: Format,
    columns: &BTreeMap<String, String>,
    schemas: &BTreeMap<String, Value>,
) -> Map<String, Value> {
    let mut inputs = Map::new();
    for (variable, column) in columns {
        let Some(value) = case.values.get(column) else { continue };
        let takes_text = schemas.get(variable).is_none_or(takes_text);
        match value {
            Value::String(text) if format == Format::Csv && !takes_text => {
                if !text.trim().is_empty() {
                    let value = serde_json::from_str(text).unwrap_or_else(|_| value.clone());
                    inputs.insert(variable.clone(), value);
                }
            }
            _ => {
                inputs.insert(variable.clone(), value.clone());
            }
        }
    }
    inputs
}

fn takes_text(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns() -> Columns {
        Columns {
            case: Some("id".into()),
            must_pass: Some("critical".into()),
            cluster: Some("talk".into()),
            needed: vec!["message".into()],
        }
    }

    fn read(format: Format, text: &str) -> Result<Dataset, Vec<String>> {
        read_with(format, text, &columns())
    }

    fn read_with(format: Format, text: impl AsRef<[u8]>, columns: &Columns) -> Result<Dataset, Vec<String>> {
        Dataset::read("d", format, text.as_ref(), columns).map_err(|error| match error {
            DatasetError::Findings(findings) => findings.into_iter().map(|finding| finding.message).collect(),
            DatasetError::Io(error) => vec![error.to_string()],
        })
    }

    #[test]
    fn csv_and_json_lines_give_the_same_cases() {
        let csv = "\u{feff}id,message,critical,talk\na,\"Hello, \"\"you\"\"\nthere\",yes,t1\nb,x,,\n";
        let jsonl = concat!(
            "{\"id\": \"a\", \"message\": \"Hello, \\\"you\\\"\\nthere\", \"critical\": true, \"talk\": \"t1\"}\n",
            "\n{\"id\": \"b\", \"message\": \"x\", \"critical\": null, \"talk\": \"\"}"
        );
        let (csv, jsonl) = (read(Format::Csv, csv).unwrap(), read(Format::JsonLines, jsonl).unwrap());
        for dataset in [&csv, &jsonl] {
            assert_eq!(dataset.columns, ["id", "message", "critical", "talk"]);
            let [a, b] = dataset.cases.as_slice() else { panic!("two cases") };
            assert_eq!((a.name.as_str(), a.must_pass, a.cluster.as_deref()), ("a", true, Some("t1")));
            assert_eq!(a.text("message").unwrap(), "Hello, \"you\"\nthere");
            assert_eq!((b.name.as_str(), b.must_pass, b.cluster.as_deref()), ("b", false, None));
        }
        assert_eq!((csv.cases[1].line, jsonl.cases[1].line), (4, 3));
    }

    #[test]
    fn the_digest_is_that_of_the_file() {
        let text = "id,message,critical,talk\na,x,,\n";
        assert_eq!(read(Format::Csv, text).unwrap().digest, Digest::of(text.as_bytes()));
        let large: String =
            (0..20_000).map(|index| format!("{{\"id\": {index}, \"message\": \"m\", \"critical\": 0, \"talk\": 1}}\n")).collect();
        let dataset = read(Format::JsonLines, &large).unwrap();
        assert_eq!((dataset.cases.len(), dataset.digest), (20_000, Digest::of(large.as_bytes())));
    }

    #[test]
    fn every_bad_row_is_told_with_its_line() {
        let csv = "id,message,critical,talk\na,x,,\na,y,,\n,z,,\nb,only two\nc,m,perhaps,\n";
        assert_eq!(
            read(Format::Csv, csv).unwrap_err(),
            [
                "line 3: case `a` was already on line 2",
                "line 4: the case has no name in column `id`",
                "line 5: the row has 2 values, the header 4",
                "line 6: column `critical` is neither true nor false: `perhaps`",
            ]
        );
        let jsonl = "{\"id\": 1}\n[]\n{\"id\": \n{\"id\": 2, \"message\": 1, \"critical\": 1, \"talk\": 1}";
        let findings = read(Format::JsonLines, jsonl).unwrap_err();
        assert_eq!(findings[0], "line 1: the row lacks `critical`, `message`, `talk`");
        assert_eq!(findings[1], "line 2: the row is not a JSON object");
        assert!(findings[2].starts_with("line 3: the row is not JSON"), "{findings:?}");
        assert_eq!(findings.len(), 3);
    }

    #[test]
    fn a_header_is_checked_once() {
        let findings = read(Format::Csv, "id,massage\na,x\nb,y\n").unwrap_err();
        assert_eq!(findings, ["line 1: the header lacks `critical`, `message`, `talk`; its columns are `id`, `massage`"]);
        let twice = read_with(Format::Csv, "id,id\na,b\n", &Columns::default()).unwrap_err();
        assert_eq!(twice, ["line 1: column `id` is there twice"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_told_with_their_line() {
        let csv = read_with(Format::Csv, b"id\nok\n\xff\xfe\nfine\n", &Columns::default());
        assert_eq!(csv.unwrap_err(), ["line 3: the row is not UTF-8"]);
        let jsonl = read_with(Format::JsonLines, b"{\"a\": 1}\n{\"a\": \"\xff\"}\n", &Columns::default());
        assert_eq!(jsonl.unwrap_err(), ["line 2: the row is not UTF-8"]);
    }

    #[test]
    fn a_dataset_without_cases_is_refused() {
        for (format, text) in [(Format::Csv, ""), (Format::Csv, "id\n"), (Format::JsonLines, "\n\n")] {
            assert_eq!(read_with(format, text, &Columns::default()).unwrap_err(), ["the dataset has no cases"]);
        }
    }

    #[test]
    fn a_wrong_file_does_not_flood() {
        let text = "not json\n".repeat(100_000);
        let findings = read_with(Format::JsonLines, &text, &Columns::default()).unwrap_err();
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        assert_eq!(findings[MAX_FINDINGS], "only the first 50 problems of this file are shown");
        let endless = vec![b'x'; MAX_ROW_BYTES + 2];
        let findings = read_with(Format::JsonLines, endless, &Columns::default()).unwrap_err();
        assert_eq!(findings, ["line 1: the row is larger than 4194304 bytes"]);
    }

    #[test]
    fn rows_without_a_name_are_numbered() {
        let dataset = read_with(Format::Csv, "message\nx\ny\n", &Columns::default()).unwrap();
        assert_eq!(dataset.cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn cells_become_what_the_variable_is_declared_as() {
        let text = "text,number,list,empty\n7,7,\"[1, 2]\",\n";
        let dataset = read_with(Format::Csv, text, &Columns::default()).unwrap();
        let columns: BTreeMap<String, String> = dataset.columns.iter().map(|name| (name.clone(), name.clone())).collect();
        let schemas = json!({"text": {"type": "string"}, "number": {"type": "integer"}, "list": {"type": "array"}, "empty": {"type": "array"}});
        let schemas = schemas.as_object().unwrap().clone().into_iter().collect();
        let inputs = inputs(&dataset.cases[0], Format::Csv, &columns, &schemas);
        assert_eq!(Value::Object(inputs), json!({"text": "7", "number": 7, "list": [1, 2]}));
    }
}
