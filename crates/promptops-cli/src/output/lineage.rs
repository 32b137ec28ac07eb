//! A lineage as a tree for people, JSON, DOT and Mermaid.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use promptops_prompt::{PromptId, PromptRef};
use promptops_registry::lineage::{Lineage, Relation};
use serde_json::json;

use crate::printer::{BOLD, DIM, Printer};

/// Returns a tree: the versions that were asked for, and below each what it is connected with.
pub fn text(lineage: &Lineage, printer: &Printer) -> String {
    let Some(first) = lineage.of.first() else { return String::new() };
    let latest = lineage.of.last().and_then(|reference| lineage.versions.get(reference));
    let about = latest.map(|entry| format!("owner {}, model {}", entry.metadata.owner, entry.model)).unwrap_or_default();
    let mut text = format!("{}  {}\n", printer.paint(BOLD, first.id.as_str()), printer.paint(DIM, &about));
    let branches: Vec<Branch> = lineage.of.iter().map(|reference| version_branch(lineage, reference, printer)).collect();
    write_branches(&branches, "", &mut text);
    text
}

/// A line of the tree and what hangs below it.
struct Branch {
    line: String,
    below: Vec<Branch>,
}

fn version_branch(lineage: &Lineage, reference: &PromptRef, printer: &Printer) -> Branch {
    let mut line = format!("@{}", reference.version);
    if let Some(entry) = lineage.versions.get(reference) {
        let when = entry.published.time.format("%Y-%m-%d");
        let about = format!("{}  published {when}, written by {}", entry.digest.short(), entry.author);
        let _ = write!(line, "  {}", printer.paint(DIM, &about));
    }
    let mut below: Vec<Branch> = Vec::new();
    for parent in lineage.targets(reference, Relation::Parent) {
        // What is shown on its own is not followed here once more.
        let ancestors =
            if lineage.of.contains(parent) { Vec::new() } else { chain(lineage, parent, "from", Relation::Parent, true) };
        let name = if parent.id == reference.id { format!("@{}", parent.version) } else { parent.to_string() };
        below.push(Branch { line: format!("from {name}"), below: ancestors });
    }
    below.extend(chain(lineage, reference, "includes", Relation::Include, true));
    below.extend(chain(lineage, reference, "included by", Relation::Include, false));
    let descendants = lineage.sources(reference, Relation::Parent).filter(|descendant| !lineage.of.contains(descendant));
    below.extend(descendants.map(|descendant| Branch {
        line: format!("{} {descendant}", if descendant.id == reference.id { "became" } else { "forked to" }),
        below: chain(lineage, descendant, "became", Relation::Parent, false),
    }));
    Branch { line, below }
}

/// Follows one relation to its end. Neither lineage nor includes have a cycle, so this ends.
fn chain(lineage: &Lineage, of: &PromptRef, word: &str, relation: Relation, to_target: bool) -> Vec<Branch> {
    let next: Vec<&PromptRef> =
        if to_target { lineage.targets(of, relation).collect() } else { lineage.sources(of, relation).collect() };
    let branch =
        |other: &PromptRef| Branch { line: format!("{word} {other}"), below: chain(lineage, other, word, relation, to_target) };
    next.into_iter().map(branch).collect()
}

fn write_branches(branches: &[Branch], indent: &str, text: &mut String) {
    for (number, branch) in branches.iter().enumerate() {
        let is_last = number + 1 == branches.len();
        let _ = writeln!(text, "{indent}{} {}", if is_last { "└─" } else { "├─" }, branch.line);
        write_branches(&branch.below, &format!("{indent}{}", if is_last { "   " } else { "│  " }), text);
    }
}

/// Returns JSON, versioned.
pub fn json(lineage: &Lineage) -> String {
    let versions: Vec<serde_json::Value> = lineage
        .versions
        .iter()
        .map(|(reference, entry)| {
            json!({
                "id": reference.id,
                "version": reference.version,
                "digest": entry.digest,
                "owner": entry.metadata.owner,
                "model": entry.model,
                "author": entry.author,
                "commit": entry.commit,
                "published": entry.published.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                "published_by": entry.published.by,
            })
        })
        .collect();
    let edges: Vec<serde_json::Value> = lineage
        .edges
        .iter()
        .map(|edge| json!({"from": edge.from, "to": edge.to, "relation": relation_name(edge.relation)}))
        .collect();
    format!("{:#}", json!({"version": 1, "of": lineage.of, "versions": versions, "edges": edges}))
}

fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Parent => "parent",
        Relation::Include => "include",
    }
}

/// Returns a graph for Graphviz: arrows point to what a version came from (solid) or includes (dashed).
pub fn dot(lineage: &Lineage) -> String {
    let mut text = String::from("digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n");
    for (number, (id, references)) in by_prompt(lineage).into_iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{number} {{\n    label=\"{id}\";");
        for reference in references {
            let style = if lineage.of.contains(reference) { ", style=bold" } else { "" };
            let _ = writeln!(text, "    \"{reference}\" [label=\"@{}\"{style}];", reference.version);
        }
        text.push_str("  }\n");
    }
    for edge in &lineage.edges {
        let style = if edge.relation == Relation::Include { " [style=dashed]" } else { "" };
        let _ = writeln!(text, "  \"{}\" -> \"{}\"{style};", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

/// Returns a graph for Mermaid: arrows point to what a version came from (solid) or includes (dashed).
pub fn mermaid(lineage: &Lineage) -> String {
    // Ids of prompts are no ids of Mermaid, so nodes are numbered.
    let names: BTreeMap<&PromptRef, String> =
        lineage.versions.keys().enumerate().map(|(number, reference)| (reference, format!("v{number}"))).collect();
    let mut text = String::from("graph LR\n");
    for (number, (id, references)) in by_prompt(lineage).into_iter().enumerate() {
        let _ = writeln!(text, "  subgraph p{number}[\"{id}\"]");
        for reference in references {
            let _ = writeln!(text, "    {}[\"@{}\"]", names[reference], reference.version);
        }
        text.push_str("  end\n");
    }
    for edge in &lineage.edges {
        let (Some(from), Some(to)) = (names.get(&edge.from), names.get(&edge.to)) else { continue };
        let arrow = if edge.relation == Relation::Include { "-.->" } else { "-->" };
        let _ = writeln!(text, "  {from} {arrow} {to}");
    }
    for reference in lineage.of.iter().filter_map(|reference| names.get(reference)) {
        let _ = writeln!(text, "  style {reference} stroke-width:3px");
    }
    text
}

fn by_prompt(lineage: &Lineage) -> BTreeMap<&PromptId, Vec<&PromptRef>> {
    let mut prompts: BTreeMap<&PromptId, Vec<&PromptRef>> = BTreeMap::new();
    for reference in lineage.versions.keys() {
        prompts.entry(&reference.id).or_default().push(reference);
    }
    prompts
}
