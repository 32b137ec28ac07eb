//! Gives rows their meaning and collects what is wrong with them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::sync::Arc;

use promptops_prompt::Severity;
use promptops_prompt::finding::Finding;
use serde_json::{Map, Value};

use super::rows::{Event, Events, Problem, Row};
use super::{CHECK, Columns, DatasetError, Head, Heads, MAX_FINDINGS, text_of};

/// What a good dataset came to.
pub(super) struct Built {
    pub(super) columns: Vec<String>,
    pub(super) heads: Heads,
}

/// Reads every row.
pub(super) fn build(path: &str, place: &'static str, columns: &Columns, events: Events) -> Result<Built, DatasetError> {
    let mut builder = Builder::new(path, place, columns);
    for event in events {
        if !builder.take(event.map_err(DatasetError::Io)?) || builder.is_full() {
            break;
        }
    }
    builder.check_end();
    if builder.findings.is_empty() {
        Ok(Built { columns: builder.seen_columns, heads: builder.heads })
    } else {
        Err(DatasetError::Findings(builder.findings))
    }
}

struct Builder<'a> {
    path: &'a str,
    /// What the places of rows are counted in.
    place: &'static str,
    columns: &'a Columns,
    has_header: bool,
    heads: Heads,
    /// The case of each name, by the name's hash. Where each is named by its number no two can be the same.
    cases_by_name: HashMap<u64, u32>,
    /// Cases whose names share a hash with another's.
    further_cases: Vec<u32>,
    /// Clusters and strata so far: many cases share one.
    groups: HashSet<Arc<str>>,
    seen_columns: Vec<String>,
    findings: Vec<Finding>,
}

impl<'a> Builder<'a> {
    fn new(path: &'a str, place: &'static str, columns: &'a Columns) -> Self {
        Self {
            path,
            place,
            columns,
            has_header: false,
            heads: Heads::new(columns.case.is_some()),
            cases_by_name: HashMap::new(),
            further_cases: Vec::new(),
            groups: HashSet::new(),
            seen_columns: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FINDINGS
    }

    /// Takes what was read; tells whether it makes sense to go on.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Header { names, span } => self.header(&names, span),
            Event::Row(row) => {
                self.row(row);
                true
            }
            Event::Problem(problem) => {
                self.problem(problem);
                true
            }
        }
    }

    fn header(&mut self, names: &[String], span: Range<usize>) -> bool {
        self.has_header = true;
        for name in names {
            if self.seen_columns.contains(name) {
                self.problem(Problem::new(1, span, format!("column `{name}` is there twice")));
                return false;
            }
            self.seen_columns.push(name.clone());
        }
        let missing = self.missing(|column| names.iter().any(|name| name == column));
        if !missing.is_empty() {
            let message = format!("the header lacks `{}`; its columns are `{}`", missing.join("`, `"), names.join("`, `"));
            self.problem(Problem::new(1, span, message));
        }
        missing.is_empty()
    }

    fn row(&mut self, row: Row) {
        if !self.has_header {
            let missing = self.missing(|column| row.values.contains_key(column));
            if !missing.is_empty() {
                return self.problem(Problem::new(row.line, row.span, format!("the row lacks `{}`", missing.join("`, `"))));
            }
            for column in row.values.keys().filter(|column| !self.seen_columns.contains(column)).cloned().collect::<Vec<_>>() {
                self.seen_columns.push(column);
            }
        }
        match self.head(&row) {
            Ok(head) => self.heads.push(&head),
            Err(message) => self.problem(Problem::new(row.line, row.span, message)),
        }
    }

    fn head(&mut self, row: &Row) -> Result<Head, String> {
        let name = name(self.columns, self.heads.len(), &row.values)?;
        if let Some(first) = self.earlier(&name) {
            return Err(format!("case `{name}` was already on {} {first}", self.place));
        }
        let columns = self.columns;
        let must_pass = match &columns.must_pass {
            None => false,
            Some(column) => truth(row.values.get(column)).ok_or_else(|| {
                let found = row.values.get(column).map(text_of).unwrap_or_default();
                format!("column `{column}` is neither true nor false: `{found}`")
            })?,
        };
        let weight = match &columns.weight {
            None => 1.0,
            Some(column) => weight(row.values.get(column)).ok_or_else(|| {
                let found = row.values.get(column).map(text_of).unwrap_or_default();
                format!("column `{column}` is no weight: `{found}` (a weight is a positive number)")
            })?,
        };
        if columns.case.is_some() {
            self.remember(&name);
        }
        let cluster = self.group(columns.cluster.as_deref(), &row.values);
        let stratum = self.group(columns.stratum.as_deref(), &row.values);
        Ok(Head { name, line: row.line, must_pass, cluster, stratum, weight })
    }

    /// Returns the line of an earlier case of this name.
    fn earlier(&self, name: &str) -> Option<u64> {
        let first = self.cases_by_name.get(&hash(name))?;
        let cases = std::iter::once(first).chain(&self.further_cases).map(|case| *case as usize);
        let same = cases.into_iter().find(|case| self.heads.name(*case) == name)?;
        self.heads.get(same).map(|head| head.line)
    }

    /// Remembers the name of the next case.
    fn remember(&mut self, name: &str) {
        let case = u32::try_from(self.heads.len()).unwrap_or(u32::MAX);
        if *self.cases_by_name.entry(hash(name)).or_insert(case) != case {
            self.further_cases.push(case);
        }
    }

    /// Returns the group that a column names; an empty cell names none.
    fn group(&mut self, column: Option<&str>, values: &Map<String, Value>) -> Option<Arc<str>> {
        let value = values.get(column?).filter(|value| !value.is_null())?;
        let text = text_of(value);
        if text.is_empty() {
            return None;
        }
        if let Some(known) = self.groups.get(text.as_str()) {
            return Some(known.clone());
        }
        let group: Arc<str> = text.into();
        self.groups.insert(group.clone());
        Some(group)
    }

    /// Adds a finding; the line is told because a span in a large file says little.
    fn problem(&mut self, problem: Problem) {
        if self.is_full() {
            return;
        }
        let message = format!("{} {}: {}", self.place, problem.line, problem.message);
        let finding = Finding::new(CHECK, Severity::Error, self.path, problem.span, message);
        self.findings.push(match problem.hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        });
    }

    /// Names the columns that are missing from a row or header with these columns.
    fn missing(&self, has: impl Fn(&str) -> bool) -> Vec<String> {
        let mut missing: Vec<String> = self.columns.all().filter(|column| !has(column)).map(str::to_owned).collect();
        missing.sort();
        missing.dedup();
        missing
    }

    fn check_end(&mut self) {
        if self.heads.is_empty() && self.findings.is_empty() {
            let finding = Finding::new(CHECK, Severity::Error, self.path, 0..0, "the dataset has no cases");
            self.findings.push(finding);
        }
        if self.is_full() {
            let text = format!("only the first {MAX_FINDINGS} problems of this file are shown");
            self.findings.push(Finding::new(CHECK, Severity::Note, self.path, 0..0, text));
        }
    }
}

fn hash(name: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

/// Returns the name of the case with this number, from 0.
pub(super) fn name(columns: &Columns, index: usize, values: &Map<String, Value>) -> Result<String, String> {
    let Some(column) = &columns.case else { return Ok((index + 1).to_string()) };
    let name = values.get(column).filter(|value| !value.is_null()).map(text_of);
    name.filter(|name| !name.trim().is_empty()).ok_or_else(|| format!("the case has no name in column `{column}`"))
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

/// Reads a value as a weight; an absent or empty one is 1.
fn weight(value: Option<&Value>) -> Option<f64> {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Bool(_)) => return None,
        Some(other) => text_of(other),
    };
    let text = text.trim();
    if text.is_empty() {
        return Some(1.0);
    }
    text.parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0)
}
