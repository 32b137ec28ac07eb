//! Invocations by which caused which.

use std::collections::{BTreeMap, BTreeSet};

use promptops_telemetry::v1::InvocationV1;
use promptops_telemetry::{Invocation, Uuid};
use serde::Serialize;

/// How deep a tree is shown. What a deeper invocation caused stands beside it: a sender that writes a chain without end shall not exhaust the
/// stack of who looks.
const DEEPEST: usize = 100;

/// An invocation and those that it caused, by time.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// The invocation.
    pub record: Box<Invocation>,
    /// What it caused.
    pub children: Vec<Branch>,
}

/// Sums over invocations; each only over those that know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Number of invocations.
    pub invocations: u64,
    /// Number of those that failed.
    pub errors: u64,
    /// Milliseconds that calls took, one after the other.
    pub latency_ms: f64,
    /// Tokens of inputs.
    pub input_tokens: u64,
    /// Tokens of outputs.
    pub output_tokens: u64,
    /// US dollars.
    pub cost_usd: f64,
    /// Number of invocations without a cost.
    pub without_cost: u64,
}

/// Puts invocations under those that caused them. A root is one whose parent is none or not among them; of invocations that cause one
/// another in a circle, which only a broken sender writes, the first is taken as a root, and so is what hangs deeper than a tree is shown.
pub fn grow(records: Vec<Invocation>) -> Vec<Branch> {
    let mut records: BTreeMap<Uuid, Invocation> = records.into_iter().map(|record| (record.invocation_id, record)).collect();
    let mut order: Vec<_> = records.values().map(|record| (record.time, record.invocation_id)).collect();
    order.sort_unstable();
    let is_root = |record: &Invocation, records: &BTreeMap<Uuid, Invocation>| {
        record.parent_invocation.is_none_or(|parent| parent == record.invocation_id || !records.contains_key(&parent))
    };
    let mut children: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    let mut roots = Vec::new();
    for (_, id) in &order {
        let record = &records[id];
        match record.parent_invocation {
            Some(parent) if !is_root(record, &records) => children.entry(parent).or_default().push(*id),
            _ => roots.push(*id),
        }
    }
    let mut branches: Vec<Branch> = roots.into_iter().filter_map(|id| branch(id, 0, &mut records, &children)).collect();
    // What is left hangs in circles, or too deep.
    for (_, id) in order {
        branches.extend(branch(id, 0, &mut records, &children));
    }
    branches.sort_by_key(|branch| (branch.record.time, branch.record.invocation_id));
    branches
}

/// Takes an invocation and what hangs under it out of the records; nothing when it was taken before, or hangs too deep.
fn branch(
    id: Uuid,
    depth: usize,
    records: &mut BTreeMap<Uuid, Invocation>,
    children: &BTreeMap<Uuid, Vec<Uuid>>,
) -> Option<Branch> {
    if depth == DEEPEST {
        return None;
    }
    let record = Box::new(records.remove(&id)?);
    let below = children.get(&id).into_iter().flatten();
    let children = below.filter_map(|child| branch(*child, depth + 1, records, children)).collect();
    Some(Branch { record, children })
}

impl Totals {
    /// Adds up all invocations of trees.
    pub fn of(branches: &[Branch]) -> Self {
        let mut totals = Self::default();
        totals.add(branches);
        totals
    }

    fn add(&mut self, branches: &[Branch]) {
        for Branch { record, children } in branches {
            self.invocations += 1;
            self.errors += u64::from(record.error_type.is_some() || record.status == promptops_telemetry::Status::Error);
            self.latency_ms += record.latency_ms.unwrap_or(0.0);
            self.input_tokens += record.input_tokens.unwrap_or(0);
            self.output_tokens += record.output_tokens.unwrap_or(0);
            self.cost_usd += record.cost_usd.unwrap_or(0.0);
            self.without_cost += u64::from(record.cost_usd.is_none());
            self.add(children);
        }
    }
}

/// A branch as JSON.
#[derive(Debug, Serialize)]
pub struct BranchV1 {
    invocation: InvocationV1,
    children: Vec<BranchV1>,
}

impl From<&Branch> for BranchV1 {
    fn from(branch: &Branch) -> Self {
        Self { invocation: InvocationV1::from(&*branch.record), children: branch.children.iter().map(Self::from).collect() }
    }
}

/// Draws trees with one line for each invocation.
pub fn draw(branches: &[Branch], line: &dyn Fn(&Invocation) -> String) -> String {
    let mut text = String::new();
    for branch in branches {
        text.push_str(&line(&branch.record));
        text.push('\n');
        draw_children(&branch.children, "", line, &mut text);
    }
    text
}

fn draw_children(children: &[Branch], indent: &str, line: &dyn Fn(&Invocation) -> String, text: &mut String) {
    for (place, child) in children.iter().enumerate() {
        let is_last = place + 1 == children.len();
        let (hook, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        text.push_str(&format!("{indent}{hook}{}\n", line(&child.record)));
        draw_children(&child.children, &format!("{indent}{below}"), line, text);
    }
}

/// Every id in the trees.
pub fn ids(records: &[Invocation]) -> BTreeSet<Uuid> {
    records.iter().map(|record| record.invocation_id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u128, parent: Option<u128>) -> Invocation {
        let time = chrono::DateTime::from_timestamp(i64::try_from(number).unwrap(), 0).unwrap();
        Invocation {
            parent_invocation: parent.map(Uuid::from_u128),
            cost_usd: (number != 3).then_some(0.5),
            ..Invocation::new(time, Uuid::from_u128(number))
        }
    }

    fn drawn(records: Vec<Invocation>) -> String {
        draw(&grow(records), &|record| record.invocation_id.as_u128().to_string())
    }

    #[test]
    fn children_hang_under_what_caused_them_by_time() {
        let records = vec![record(4, Some(1)), record(3, Some(2)), record(2, Some(1)), record(1, None), record(9, Some(77))];
        assert_eq!(drawn(records.clone()), "1\n├─ 2\n│  └─ 3\n└─ 4\n9\n");
        let totals = Totals::of(&grow(records));
        assert_eq!((totals.invocations, totals.without_cost), (5, 1));
        assert!((totals.cost_usd - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_chain_without_end_is_shown_in_pieces() {
        let chain: Vec<_> = (1..=20_000).map(|number| record(number, Some(number - 1))).collect();
        let trees = grow(chain);
        assert_eq!(trees.len(), 20_000 / DEEPEST);
        assert_eq!(Totals::of(&trees).invocations, 20_000);
        let longest = draw(&trees, &|record| record.invocation_id.as_u128().to_string()).lines().map(str::len).max();
        assert!(longest.unwrap() < 1_000, "{longest:?}");
    }

    #[test]
    fn circles_end() {
        assert_eq!(drawn(vec![record(1, Some(2)), record(2, Some(1))]), "1\n└─ 2\n");
        assert_eq!(drawn(vec![record(1, Some(1))]), "1\n");
        assert_eq!(
            drawn(vec![record(1, Some(3)), record(2, Some(1)), record(3, Some(2)), record(4, Some(3))]),
            "1\n└─ 2\n   └─ 3\n      └─ 4\n"
        );
    }
}
