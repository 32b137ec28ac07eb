//! What is known of all cases without their values: column by column, and nothing for what no case has.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::Head;

/// The heads of the cases of a dataset, in the order of the file. A case takes a few bytes, besides its name if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    /// None where each case is named by its number, from 1.
    names: Option<Names>,
    lines: Vec<u32>,
    must_pass: Sparse<bool>,
    clusters: Sparse<u32>,
    strata: Sparse<u32>,
    weights: Sparse<f64>,
    groups: Groups,
}

/// Texts, one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
struct Names {
    text: String,
    ends: Vec<usize>,
}

/// Values of which most, and often all, are the same: nothing is held before another one comes.
#[derive(Debug, Clone, PartialEq)]
struct Sparse<T> {
    usual: T,
    values: Vec<T>,
}

/// Names of clusters and strata, each once; numbered from 1, for 0 is none.
#[derive(Debug, Clone, Default, PartialEq)]
struct Groups {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl<T: Copy + PartialEq> Sparse<T> {
    fn new(usual: T) -> Self {
        Self { usual, values: Vec::new() }
    }

    /// Sets the value of the case with this number; those before it are there.
    fn push(&mut self, number: usize, value: T) {
        if value != self.usual || !self.values.is_empty() {
            self.values.resize(number, self.usual);
            self.values.push(value);
        }
    }

    fn get(&self, number: usize) -> T {
        self.values.get(number).copied().unwrap_or(self.usual)
    }
}

impl Groups {
    fn number(&mut self, name: Option<&Arc<str>>) -> u32 {
        let Some(name) = name else { return 0 };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(Arc::clone(name));
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(Arc::clone(name), number);
        number
    }

    fn name(&self, number: u32) -> Option<&Arc<str>> {
        self.names.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }
}

impl Heads {
    /// Begins without cases; they have names of their own, or are named by their numbers.
    pub(super) fn new(has_names: bool) -> Self {
        Self {
            names: has_names.then(Names::default),
            lines: Vec::new(),
            must_pass: Sparse::new(false),
            clusters: Sparse::new(0),
            strata: Sparse::new(0),
            weights: Sparse::new(1.0),
            groups: Groups::default(),
        }
    }

    pub(super) fn push(&mut self, head: &Head) {
        let number = self.lines.len();
        if let Some(names) = &mut self.names {
            names.text.push_str(&head.name);
            names.ends.push(names.text.len());
        }
        self.lines.push(u32::try_from(head.line).unwrap_or(u32::MAX));
        self.must_pass.push(number, head.must_pass);
        self.clusters.push(number, self.groups.number(head.cluster.as_ref()));
        self.strata.push(number, self.groups.number(head.stratum.as_ref()));
        self.weights.push(number, head.weight);
    }

    /// Returns how many cases there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Tells whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns the head of the case with this number, from 0; nothing behind the last one.
    pub fn get(&self, number: usize) -> Option<Head> {
        let line = u64::from(*self.lines.get(number)?);
        let group = |groups: &Sparse<u32>| self.groups.name(groups.get(number)).cloned();
        let (cluster, stratum) = (group(&self.clusters), group(&self.strata));
        let (name, weight) = (self.name(number).into_owned(), self.weight(number));
        Some(Head { name, line, must_pass: self.must_pass(number), cluster, stratum, weight })
    }

    /// Returns every head, in order.
    pub fn iter(&self) -> impl Iterator<Item = Head> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// Returns the name of a case.
    pub fn name(&self, number: usize) -> Cow<'_, str> {
        match &self.names {
            Some(names) => {
                let start = number.checked_sub(1).map_or(0, |before| names.ends[before]);
                Cow::Borrowed(&names.text[start..names.ends[number]])
            }
            None => Cow::Owned((number + 1).to_string()),
        }
    }

    /// Tells whether a case must pass every metric.
    pub fn must_pass(&self, number: usize) -> bool {
        self.must_pass.get(number)
    }

    /// Returns how much a case counts.
    pub fn weight(&self, number: usize) -> f64 {
        self.weights.get(number)
    }

    /// Returns a number for the cluster of a case, the same for all of its cases; none where it is in no cluster.
    pub fn cluster_number(&self, number: usize) -> Option<u32> {
        Some(self.clusters.get(number)).filter(|cluster| *cluster > 0)
    }

    /// Tells whether any case depends on others.
    pub fn has_clusters(&self) -> bool {
        !self.clusters.values.is_empty()
    }

    /// Returns these cases alone, in this order.
    #[must_use]
    pub fn of_cases(&self, numbers: &[usize]) -> Self {
        numbers.iter().filter_map(|number| self.get(*number)).collect()
    }

    /// Returns the same cases, of which those without a cluster are put into one by its name.
    #[must_use]
    pub(crate) fn with_clusters(&self, cluster_of: impl Fn(usize) -> Option<Arc<str>>) -> Self {
        let mut heads = Self { clusters: Sparse::new(0), ..self.clone() };
        for number in 0..self.len() {
            let own = self.groups.name(self.clusters.get(number)).cloned();
            let cluster = heads.groups.number(own.or_else(|| cluster_of(number)).as_ref());
            heads.clusters.push(number, cluster);
        }
        heads
    }

    /// Returns the same cases, of which none must pass.
    #[must_use]
    pub fn without_must_pass(self) -> Self {
        Self { must_pass: Sparse::new(false), ..self }
    }
}

impl FromIterator<Head> for Heads {
    fn from_iter<I: IntoIterator<Item = Head>>(heads: I) -> Self {
        let mut all = Self::new(true);
        heads.into_iter().for_each(|head| all.push(&head));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &str, line: u64) -> Head {
        Head { name: name.into(), line, must_pass: false, cluster: None, stratum: None, weight: 1.0 }
    }

    #[test]
    fn heads_come_back_as_they_went_in() {
        let all = vec![
            head("a", 2),
            Head { must_pass: true, cluster: Some("x".into()), ..head("", 3) },
            Head { weight: 2.5, stratum: Some("x".into()), cluster: Some("y".into()), ..head("größe", 5) },
            head("b", 9),
        ];
        let heads: Heads = all.iter().cloned().collect();
        assert_eq!(heads.iter().collect::<Vec<_>>(), all);
        assert_eq!((heads.len(), heads.get(4)), (4, None));
        assert_eq!((0..4).map(|number| heads.cluster_number(number)).collect::<Vec<_>>(), [None, Some(1), Some(2), None]);
        assert!(heads.has_clusters() && heads.must_pass(1) && !heads.clone().without_must_pass().must_pass(1));
        assert_eq!(heads.of_cases(&[2, 0]).iter().collect::<Vec<_>>(), [all[2].clone(), all[0].clone()]);
    }

    #[test]
    fn cases_are_put_into_clusters_unless_they_have_one() {
        let heads: Heads =
            [head("a", 1), Head { cluster: Some("x".into()), ..head("b", 2) }, head("c", 3), head("d", 4)].into_iter().collect();
        let together = heads.with_clusters(|number| (number < 3).then(|| "new".into()));
        let clusters: Vec<Option<u32>> = (0..4).map(|number| together.cluster_number(number)).collect();
        assert!(clusters[0].is_some() && clusters[0] == clusters[2] && clusters[1] != clusters[0] && clusters[3].is_none());
        assert_eq!(together.get(1).unwrap().cluster.as_deref(), Some("x"));
        assert_eq!(heads.with_clusters(|_| None), heads);
    }

    #[test]
    fn what_no_case_has_takes_no_place() {
        let mut heads = Heads::new(false);
        (0..1000).for_each(|line| heads.push(&head("not kept", line)));
        assert!(heads.names.is_none() && heads.must_pass.values.is_empty() && heads.weights.values.is_empty());
        assert!(!heads.has_clusters() && heads.strata.values.is_empty());
        assert_eq!((heads.name(0).as_ref(), heads.name(999).as_ref()), ("1", "1000"));
    }
}
