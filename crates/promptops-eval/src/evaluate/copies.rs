//! Cases that are copies of each other: they ask and expect the same. They share one answer, so they are one piece of evidence, however
//! often they stand in the dataset.

use std::borrow::Cow;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};

use super::{Prepared, columns};
use crate::dataset::{Case, Columns, Dataset, DatasetError};
use crate::subject::Subject;

impl<'a> Prepared<'a> {
    /// Returns the dataset with copies of each other in one cluster, and how many cases are copies of one before them. Cases that have a
    /// cluster stay in it.
    pub(super) fn with_copies_together(&self, versions: &[&Subject]) -> Result<(Cow<'a, Dataset>, usize), DatasetError> {
        let decide = self.columns_that_decide(versions);
        let mut first_like: HashMap<u64, u32> = HashMap::new();
        // The first case like it, of those that have one before them.
        let mut first_of: HashMap<u32, u32> = HashMap::new();
        for (number, case) in (0..).zip(self.dataset.rows()) {
            let case = case?;
            if case.head.cluster.is_some() {
                continue;
            }
            match first_like.entry(digest(&case, &decide)) {
                Entry::Occupied(first) => drop(first_of.insert(number, *first.get())),
                Entry::Vacant(free) => drop(free.insert(number)),
            }
        }
        if first_of.is_empty() {
            return Ok((Cow::Borrowed(self.dataset), 0));
        }
        let have_copies: BTreeSet<u32> = first_of.values().copied().collect();
        let heads = self.dataset.heads.with_clusters(|number| {
            let number = u32::try_from(number).ok()?;
            let first = first_of.get(&number).copied().or_else(|| have_copies.contains(&number).then_some(number))?;
            // No cluster of a dataset is named so: a cell of its column is a text of one line.
            Some(format!("copies of\n{first}").into())
        });
        Ok((Cow::Owned(self.dataset.with_heads(heads)), first_of.len()))
    }

    /// Returns the columns that decide what is asked and expected: those of the variables and the scorers; all but the roles where a
    /// scorer looks at whole rows.
    fn columns_that_decide(&self, versions: &[&Subject]) -> BTreeSet<String> {
        let scorers = || self.spec.metrics.iter().map(|metric| &metric.scorer);
        let looks_at_rows =
            self.scorers.iter().any(|scorer| scorer.runs_program()) || scorers().any(|scorer| !scorer.judges().is_empty());
        if looks_at_rows {
            let Columns { case, must_pass, cluster, stratum, weight, .. } = self.spec.columns();
            let roles: Vec<String> = [case, must_pass, cluster, stratum, weight].into_iter().flatten().collect();
            return self.dataset.columns.iter().filter(|column| !roles.contains(column)).cloned().collect();
        }
        let asked = versions.iter().flat_map(|version| columns(self.spec, self.dataset, &version.content).into_values());
        asked.chain(scorers().flat_map(|scorer| scorer.columns()).map(str::to_owned)).collect()
    }
}

fn digest(case: &Case, columns: &BTreeSet<String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for column in columns {
        case.values.get(column).map(ToString::to_string).hash(&mut hasher);
    }
    hasher.finish()
}
