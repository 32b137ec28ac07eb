//! Eval files: what is asked, how the answers are judged, and how much worse a new version may be.

pub(crate) mod fields;
pub mod lake_slice;
mod parse;
mod schema;

use std::collections::BTreeMap;
use std::ops::Range;

use promptops_prompt::draft::Spanned;
use promptops_prompt::finding::Finding;
use promptops_prompt::{PromptId, PromptRef};

pub use self::lake_slice::LakeSlice;
pub use self::schema::schema;
use crate::dataset::Columns;
use crate::scorer::ScorerSpec;

/// The check id of every finding in an eval file.
pub const CHECK: &str = "eval-file";
/// The share of errors that is borne where an eval file does not say: one answer in twenty.
///
/// More than a handful of lost calls is an outage, and what is left of the cases is a choice that nobody made; fewer is an
/// ordinary day of a provider, and whether they could change the verdict is looked at besides.
pub const MAX_ERROR_SHARE: f64 = 0.05;
/// The most repeats that an eval file may ask for.
pub const MAX_REPEATS: u32 = 100;

/// An eval file, read.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The path, as shown to people.
    pub path: String,
    /// The prompt that is evaluated.
    pub prompt: Spanned<PromptId>,
    /// The dataset, relative to the eval file.
    pub dataset: Spanned<String>,
    /// Which invocations of the lake the dataset holds, where it is a slice of it.
    pub slice: Option<LakeSlice>,
    /// The column that names a case; otherwise the number of the row does.
    pub case: Option<Spanned<String>>,
    /// The column of each template variable that is not named like its column.
    pub inputs: BTreeMap<String, Spanned<String>>,
    /// How often each case is asked. Repeats are averaged before anything is compared.
    pub repeats: u32,
    /// The column that marks cases which must pass every metric.
    pub must_pass: Option<Spanned<String>>,
    /// The column that names what cases which depend on each other share.
    pub cluster: Option<Spanned<String>>,
    /// The column that names the part of the dataset a case belongs to.
    pub stratum: Option<Spanned<String>>,
    /// The column that says how much a case counts.
    pub weight: Option<Spanned<String>>,
    /// Columns whose values make slices besides those of the stratum.
    pub slices: Vec<Spanned<String>>,
    /// The share of answers not given or not judged above which there is no verdict.
    pub max_error_share: f64,
    /// Whether a run may end as soon as its verdict stands.
    pub early_stop: bool,
    /// What is measured; at least one.
    pub metrics: Vec<Metric>,
}

/// One thing that is measured.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Its name, unique in the file.
    pub name: Spanned<String>,
    /// Who judges an answer.
    pub scorer: ScorerSpec,
    /// The place of the scorer.
    pub scorer_span: Range<usize>,
    /// How much worse a new version may be, by its scale: the margin of non-inferiority. Positive.
    pub margin: f64,
    /// What the margin is measured by.
    pub scale: MarginScale,
    /// The place of the margin.
    pub margin_span: Range<usize>,
    /// The lowest value that is accepted at all.
    pub minimum: Option<f64>,
    /// The highest value that is accepted at all, of a quantity.
    pub maximum: Option<f64>,
    /// Whether the metric decides; one that does not is shown.
    pub guarded: bool,
}

/// What a margin is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarginScale {
    /// The metric's unit.
    Absolute,
    /// The parent's mean: 0.1 is ten in a hundred more or less.
    Ratio,
}

impl Spec {
    /// Reads an eval file. Without a spec there is at least one error among the findings.
    pub fn parse(path: &str, text: &str) -> (Option<Self>, Vec<Finding>) {
        parse::parse(path, text)
    }

    /// Returns what the eval asks of its dataset.
    pub fn columns(&self) -> Columns {
        let value = |column: &Option<Spanned<String>>| column.as_ref().map(|column| column.value.clone());
        let scored = self.metrics.iter().flat_map(|metric| metric.scorer.columns());
        let slices = self.slices.iter().map(|column| column.value.as_str());
        let needed = self.inputs.values().map(|column| column.value.as_str()).chain(scored).chain(slices);
        Columns {
            case: value(&self.case),
            must_pass: value(&self.must_pass),
            cluster: value(&self.cluster),
            stratum: value(&self.stratum),
            weight: value(&self.weight),
            needed: needed.map(str::to_owned).collect(),
        }
    }

    /// Returns the prompts that judge answers, each once, with the place where one is named.
    pub fn judges(&self) -> BTreeMap<&PromptRef, Range<usize>> {
        let metrics = self.metrics.iter();
        metrics.flat_map(|metric| metric.scorer.judges().into_iter().map(|judge| (judge, metric.scorer_span.clone()))).collect()
    }

    /// Returns the columns that make slices: that of the stratum first.
    pub fn slice_columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        for column in self.stratum.iter().chain(&self.slices) {
            if !columns.contains(&column.value) {
                columns.push(column.value.clone());
            }
        }
        columns
    }

    /// Returns the path of the dataset, resolved against that of the eval file, both from the project's root.
    ///
    /// Purely textual. A path that leaves the root keeps its leading `..`.
    pub fn dataset_path(&self) -> String {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let root = if self.dataset.value.starts_with('/') { "/" } else { "" };
        format!("{root}{}", joined(folder, &self.dataset.value))
    }
}

/// Joins two paths with slashes, of which either may be empty, and takes `.` and `..` out of them. Purely textual; a path that leaves the
/// root keeps its leading `..`.
pub fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
