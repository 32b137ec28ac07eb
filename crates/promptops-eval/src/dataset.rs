//! Datasets: cases read row by row, with every bad row a finding.
//!
//! **Invariant.** A [`Dataset`] holds the heads of its cases and never their values: these are read again from the source, in
//! the order of the file, as often as they are needed. So its size in memory does not depend on what the cases say.

mod builder;
mod csv_rows;
mod heads;
mod jsonl_rows;
#[cfg(feature = "parquet")]
mod parquet_rows;
mod rows;
mod source;
mod yaml_rows;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use promptops_prompt::Digest;
use promptops_prompt::finding::Finding;
use serde_json::{Map, Value};

pub use heads::Heads;
pub use rows::Rows;
pub use source::Source;

/// The largest row that is read, in bytes.
pub const MAX_ROW_BYTES: usize = 4 << 20;
/// Findings after which reading stops: a file in the wrong format need not be told line by line.
pub const MAX_FINDINGS: usize = 50;
/// The check id of every finding in a dataset.
pub const CHECK: &str = "eval-dataset";

/// How a dataset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header. Every value is a text.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// A list of mappings.
    Yaml,
    /// Parquet.
    Parquet,
}

impl Format {
    /// Returns what the places of rows are counted in.
    fn place(self) -> &'static str {
        if self == Self::Parquet { "row" } else { "line" }
    }

    /// Returns the format that the ending of `path` names.
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "yaml" | "yml" => Some(Self::Yaml),
            "parquet" => Some(Self::Parquet),
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
    /// Names the part of the dataset that a case belongs to.
    pub stratum: Option<String>,
    /// Says how much a case counts.
    pub weight: Option<String>,
    /// Every further column that must exist.
    pub needed: Vec<String>,
}

impl Columns {
    fn all(&self) -> impl Iterator<Item = &str> {
        let roles = [&self.case, &self.must_pass, &self.cluster, &self.stratum, &self.weight].into_iter().flatten();
        roles.chain(&self.needed).map(String::as_str)
    }
}

/// What is known of a case without its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Its name, unique in the dataset.
    pub name: String,
    /// The line on which it starts, from 1; of a Parquet file the number of the row.
    pub line: u64,
    /// Whether it must pass every metric.
    pub must_pass: bool,
    /// What cases that depend on each other share.
    pub cluster: Option<Arc<str>>,
    /// The part of the dataset that it belongs to.
    pub stratum: Option<Arc<str>>,
    /// How much it counts; positive and finite, 1 unless the dataset says otherwise.
    pub weight: f64,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What is known of it without its values.
    pub head: Head,
    /// The row: column to value.
    pub values: Map<String, Value>,
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

/// A dataset: the heads of its cases, the digest of its bytes, and where its values are read again.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The path, as shown to people.
    pub path: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// How values are written: decides whether texts stand for numbers.
    pub format: Format,
    /// Every column that occurs, in order of first appearance.
    pub columns: Vec<String>,
    /// What is known of each case, in the order of the file.
    pub heads: Heads,
    roles: Columns,
    source: Source,
}

/// Says why a dataset was not read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file is not a good dataset: correct it.
    #[error("the dataset has problems")]
    Findings(Vec<Finding>),
    /// The file is another one than when it was checked: run again.
    #[error("the dataset `{path}` changed while it was in use")]
    Changed {
        /// The path.
        path: String,
    },
    /// The file cannot be read.
    #[error("cannot read the dataset")]
    Io(#[source] io::Error),
}

impl Dataset {
    /// Reads a dataset from its start to its end and keeps the heads of its cases. Holds one row at a time besides.
    ///
    /// # Errors
    /// [`DatasetError::Findings`] with all problems, up to [`MAX_FINDINGS`]; [`DatasetError::Io`].
    pub fn read(path: &str, format: Format, source: Source, columns: &Columns) -> Result<Self, DatasetError> {
        let (events, hash) = rows::open(format, &source).map_err(DatasetError::Io)?;
        let built = builder::build(path, format.place(), columns, events)?;
        let (path, roles) = (path.to_owned(), columns.clone());
        Ok(Self { path, digest: hash.digest(), format, columns: built.columns, heads: built.heads, roles, source })
    }

    /// Returns the same dataset with other heads for its cases.
    pub(crate) fn with_heads(&self, heads: Heads) -> Self {
        Self { heads, ..self.clone() }
    }

    /// Returns a dataset of these cases alone, in their order, held in memory. Its digest is that of the whole.
    pub fn of_cases(&self, cases: Vec<Case>) -> Self {
        let heads = cases.iter().map(|case| case.head.clone()).collect();
        Self { heads, source: Source::Held(cases.into()), columns: self.columns.clone(), ..self.clone() }
    }

    /// Returns how many cases there are.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Tells whether there is no case; never so of a dataset that was read.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Tells of each case whether `before` has it, by its content, so that the order does not matter, and by the columns of `before`, so
    /// that a new column is no change. A case that stands there once is found once.
    ///
    /// # Errors
    /// As [`Dataset::rows`].
    pub fn standing(&self, before: &Self) -> Result<Vec<bool>, DatasetError> {
        let mut counts: HashMap<Digest, usize> = HashMap::new();
        for row in before.rows() {
            *counts.entry(Digest::of_json(&Value::Object(row?.values))).or_default() += 1;
        }
        let columns: BTreeSet<&str> = before.columns.iter().map(String::as_str).collect();
        let mut standing = Vec::with_capacity(self.len());
        for row in self.rows() {
            let mut values = row?.values;
            values.retain(|column, _| columns.contains(column.as_str()));
            let count = counts.get_mut(&Digest::of_json(&Value::Object(values))).filter(|count| **count > 0);
            standing.push(count.is_some());
            if let Some(count) = count {
                *count -= 1;
            }
        }
        Ok(standing)
    }

    /// Reads every case again, in the order of the file. Reads the source once and holds one row at a time.
    ///
    /// The iterator ends after its first error: [`DatasetError::Changed`] when the source is not what it was, which is known
    /// at the latest after the last row; [`DatasetError::Io`].
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(self)
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
            ..Columns::default()
        }
    }

    fn read(format: Format, text: &str) -> Result<Dataset, Vec<String>> {
        read_with(format, text, &columns())
    }

    fn cases(dataset: &Dataset) -> Vec<Case> {
        dataset.rows().collect::<Result<_, _>>().unwrap()
    }

    fn read_with(format: Format, text: impl AsRef<[u8]>, columns: &Columns) -> Result<Dataset, Vec<String>> {
        Dataset::read("d", format, Source::of_bytes(text), columns).map_err(|error| match error {
            DatasetError::Findings(findings) => findings.into_iter().map(|finding| finding.message).collect(),
            other => vec![other.to_string()],
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
            let heads: Vec<Head> = dataset.heads.iter().collect();
            let [a, b] = heads.as_slice() else { panic!("two cases") };
            assert_eq!((a.name.as_str(), a.must_pass, a.cluster.as_deref()), ("a", true, Some("t1")));
            assert_eq!((b.name.as_str(), b.must_pass, b.cluster.as_deref()), ("b", false, None));
            let rows = cases(dataset);
            assert_eq!((&rows[0].head, &rows[1].head, rows.len()), (a, b, 2));
            assert_eq!(rows[0].text("message").unwrap(), "Hello, \"you\"\nthere");
        }
        assert_eq!((csv.heads.get(1).unwrap().line, jsonl.heads.get(1).unwrap().line), (4, 3));
    }

    #[test]
    fn the_digest_is_that_of_the_file() {
        let text = "id,message,critical,talk\na,x,,\n";
        assert_eq!(read(Format::Csv, text).unwrap().digest, Digest::of(text.as_bytes()));
        let large: String =
            (0..20_000).map(|index| format!("{{\"id\": {index}, \"message\": \"m\", \"critical\": 0, \"talk\": 1}}\n")).collect();
        let dataset = read(Format::JsonLines, &large).unwrap();
        assert_eq!((dataset.len(), dataset.digest), (20_000, Digest::of(large.as_bytes())));
    }

    #[test]
    fn strata_and_weights_are_read_and_a_bad_weight_is_told() {
        let columns = Columns { stratum: Some("lang".into()), weight: Some("w".into()), ..Columns::default() };
        let dataset = read_with(Format::Csv, "lang,w\nde,2.5\nde,\n,1e3\n", &columns).unwrap();
        let heads: Vec<Head> = dataset.heads.iter().collect();
        let found: Vec<_> = heads.iter().map(|head| (head.stratum.as_deref(), head.weight)).collect();
        assert_eq!(found, [(Some("de"), 2.5), (Some("de"), 1.0), (None, 1000.0)]);
        let jsonl = "{\"lang\": \"de\", \"w\": 2}\n{\"lang\": null, \"w\": null}";
        let dataset = read_with(Format::JsonLines, jsonl, &columns).unwrap();
        let heads: Vec<Head> = dataset.heads.iter().collect();
        let found: Vec<_> = heads.iter().map(|head| (head.stratum.as_deref(), head.weight)).collect();
        assert_eq!(found, [(Some("de"), 2.0), (None, 1.0)]);
        let bad = read_with(Format::Csv, "lang,w\na,NaN\na,0\na,-1\na,inf\na,two\n", &columns).unwrap_err();
        assert_eq!(bad[0], "line 2: column `w` is no weight: `NaN` (a weight is a positive number)");
        assert_eq!(bad.len(), 5);
    }

    #[test]
    fn a_file_that_changes_under_way_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.csv");
        std::fs::write(&path, "id,text\na,x\nb,y\n").unwrap();
        let columns = Columns { case: Some("id".into()), ..Columns::default() };
        let dataset = Dataset::read("d.csv", Format::Csv, Source::File(path.clone()), &columns).unwrap();
        assert_eq!(dataset.rows().count(), 2);
        // A value, a name, a row less, a row more, a bad row.
        for text in ["id,text\na,x\nb,z\n", "id,text\nb,x\na,y\n", "id,text\na,x\n", "id,text\na,x\nb,y\nc,z\n", "id,text\na\n"] {
            std::fs::write(&path, text).unwrap();
            let last = dataset.rows().last().unwrap().unwrap_err();
            assert_eq!(last.to_string(), "the dataset `d.csv` changed while it was in use", "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(dataset.rows().next(), Some(Err(DatasetError::Io(_)))));
    }

    #[test]
    fn other_encodings_are_named_with_a_way_out() {
        let text = "id,text\na,x\n";
        let wide = |to_bytes: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            format!("{mark}{text}").encode_utf16().flat_map(to_bytes).collect()
        };
        for bytes in [
            wide(u16::to_le_bytes, "\u{feff}"),
            wide(u16::to_be_bytes, "\u{feff}"),
            wide(u16::to_le_bytes, ""),
            wide(u16::to_be_bytes, ""),
        ] {
            for format in [Format::Csv, Format::JsonLines] {
                let found = read_with(format, &bytes, &Columns::default()).unwrap_err();
                assert_eq!(found, ["line 1: the file is UTF-16 or UTF-32, not UTF-8"]);
            }
        }
        let latin = b"id,text\na,caf\xe9\nb,fine\n";
        let Err(DatasetError::Findings(found)) = Dataset::read("d", Format::Csv, Source::of_bytes(latin), &Columns::default())
        else {
            panic!("Latin-1 is refused")
        };
        assert_eq!((found.len(), found[0].message.as_str()), (1, "line 2: the row is not UTF-8"));
        assert!(found[0].hint.as_deref().unwrap().contains("iconv -f WINDOWS-1252"), "{found:?}");
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
        assert_eq!(dataset.heads.iter().map(|head| head.name).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn cells_become_what_the_variable_is_declared_as() {
        let text = "text,number,list,empty\n7,7,\"[1, 2]\",\n";
        let dataset = read_with(Format::Csv, text, &Columns::default()).unwrap();
        let columns: BTreeMap<String, String> = dataset.columns.iter().map(|name| (name.clone(), name.clone())).collect();
        let schemas = json!({"text": {"type": "string"}, "number": {"type": "integer"}, "list": {"type": "array"}, "empty": {"type": "array"}});
        let schemas = schemas.as_object().unwrap().clone().into_iter().collect();
        let inputs = inputs(&cases(&dataset)[0], Format::Csv, &columns, &schemas);
        assert_eq!(Value::Object(inputs), json!({"text": "7", "number": 7, "list": [1, 2]}));
    }
}
