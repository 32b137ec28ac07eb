//! Tests in CSV: columns are variables, but for those that begin with two underscores.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::asserts::{self, Assert};
use super::cases::Test;
use super::reader::{Place, Reader};

/// Reads the rows of a file.
pub(super) fn read(path: &Rc<str>, text: &str, reader: &mut Reader<'_>) -> Vec<Test> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let whole = |span| Place { path: Rc::clone(path), span };
    let header = match rows.headers() {
        Ok(header) => header.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>(),
        Err(error) => {
            reader.error(&whole(0..0), format!("the file is no CSV: {error}"));
            return Vec::new();
        }
    };
    let end = text.find('\n').unwrap_or(text.len());
    for name in &header {
        column_problem(name, &whole(0..end), reader);
    }
    let mut tests = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match rows.read_record(&mut record) {
            Ok(false) => return tests,
            Ok(true) => {
                let start = record.position().map_or(0, |position| position.byte() as usize);
                let end = start + text[start..].find('\n').unwrap_or(text.len() - start);
                let place = whole(start..end);
                if record.len() != header.len() {
                    let message = format!("the row has {} cells, the header {}", record.len(), header.len());
                    reader.error(&place, message);
                    continue;
                }
                tests.push(row(&header, &record, &place, reader));
            }
            Err(error) => {
                reader.error(&whole(0..0), format!("the file is no CSV: {error}"));
                return tests;
            }
        }
    }
}

/// Tells about a column that has no meaning, or one that was meant differently.
fn column_problem(name: &str, place: &Place, reader: &mut Reader<'_>) {
    let known = ["__prefix", "__suffix", "__description", "__metric", "__threshold"];
    let is_known = !name.starts_with("__")
        || known.contains(&name)
        || name.strip_prefix("__expected").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        || name.strip_prefix("__metadata:").is_some_and(|key| !key.is_empty())
        || config_of(name).is_some();
    match name {
        "__providerOutput" => reader.error(place, "`__providerOutput`, an answer that was not given, is not taken over"),
        name if !is_known => reader.error(place, format!("the column `{name}` has no meaning")),
        name if ["_expected", "_prefix", "_suffix", "_description", "_metric", "_threshold"].contains(&name) => {
            reader.note(place, format!("the column `{name}` is a variable; `_{name}` was perhaps meant"));
        }
        _ => {}
    }
}

/// Returns which expectation `__config:__expected2:threshold` is about.
fn config_of(name: &str) -> Option<usize> {
    let (expected, key) = name.strip_prefix("__config:__expected")?.split_once(':')?;
    let index = if expected.is_empty() { 1 } else { expected.parse().ok()? };
    (key == "threshold" && index >= 1).then(|| index - 1)
}

fn row(header: &[String], record: &csv::StringRecord, place: &Place, reader: &mut Reader<'_>) -> Test {
    let mut test = Test::empty(place.clone());
    let mut expectations: Vec<Assert> = Vec::new();
    let (mut metric, mut thresholds) = (None, BTreeMap::new());
    for (name, cell) in header.iter().zip(record) {
        match name.as_str() {
            "__prefix" => test.options.prefix = Some(cell.to_owned()),
            "__suffix" => test.options.suffix = Some(cell.to_owned()),
            "__description" => test.description = Some(cell.to_owned()).filter(|text| !text.is_empty()),
            "__metric" => metric = Some(cell.to_owned()).filter(|text| !text.is_empty()),
            "__threshold" => test.threshold = number(cell),
            name if name.starts_with("__expected") => {
                if !cell.trim().is_empty() {
                    expectations.extend(asserts::from_cell(cell.trim(), place, reader));
                }
            }
            name if name.starts_with("__metadata:") => {
                let key = &name["__metadata:".len()..];
                if cell.trim().is_empty() {
                    continue;
                }
                let (key, value) = match key.strip_suffix("[]") {
                    Some(key) => (key, Value::from(parts(cell))),
                    None => (key, Value::from(cell)),
                };
                test.metadata.insert(key.to_owned(), value);
            }
            name => match config_of(name) {
                Some(index) => match number(cell) {
                    Some(threshold) => drop(thresholds.insert(index, threshold)),
                    None => reader.error(place, format!("`{cell}` in the column `{name}` is no number")),
                },
                None if name.starts_with("__") => {}
                None => drop(test.vars.insert(name.to_owned(), Value::from(cell))),
            },
        }
    }
    for (index, assert) in expectations.iter_mut().enumerate() {
        assert.metric.clone_from(&metric);
        if let Some(threshold) = thresholds.get(&index) {
            assert.threshold = Some(*threshold);
        }
    }
    test.asserts = expectations;
    test
}

/// Parts a cell at its commas but for those behind a backslash.
fn parts(cell: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = cell.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, parts.last_mut()) {
            ('\\', Some(part)) if characters.peek() == Some(&',') => {
                characters.next();
                part.push(',');
            }
            (',', _) => parts.push(String::new()),
            (character, Some(part)) => part.push(character),
            (_, None) => {}
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// Reads a cell that is a whole number literal; anything else stands for nothing.
pub(super) fn number(cell: &str) -> Option<f64> {
    let text = cell.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}
