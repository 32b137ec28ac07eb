//! Changes of what is included: indirect, so the worst of what changed inside counts.

use std::collections::BTreeSet;

use super::{Change, Class, Part, Rule, classify_with, worst};
use crate::content::Closure;
use crate::id::PromptRef;

/// Reasons of an include that are named; the others are counted.
const MAX_REASONS: usize = 3;

pub(super) fn changes(old: &Closure, new: &Closure, changes: &mut Vec<Change>) {
    let (before, after) = (&old.root.includes, &new.root.includes);
    let mut replaced: BTreeSet<&PromptRef> = BTreeSet::new();
    for (reference, _) in after.iter().filter(|(reference, digest)| before.get(reference) != Some(digest)) {
        let known = if before.contains_key(reference) {
            Some(reference)
        } else {
            before.keys().find(|known| known.id == reference.id && !after.contains_key(known) && !replaced.contains(known))
        };
        let node = format!("includes.{reference}");
        let Some(known) = known else {
            let reason = format!("include `{reference}` added");
            changes.push(Change::new(Part::Includes, Class::Behavioural, Rule::IncludeAdded, reason).at(node));
            continue;
        };
        replaced.insert(known);
        changes.push(moved(old, new, known, reference).at(node));
    }
    for reference in before.keys().filter(|reference| !after.contains_key(reference) && !replaced.contains(reference)) {
        let reason = format!("include `{reference}` removed");
        let change = Change::new(Part::Includes, Class::Behavioural, Rule::IncludeRemoved, reason);
        changes.push(change.at(format!("includes.{reference}")));
    }
}

/// Judges an include that is another version, or another content, than before.
fn moved(old: &Closure, new: &Closure, before: &PromptRef, after: &PromptRef) -> Change {
    let what = if before == after {
        format!("the content of include `{after}` changed")
    } else {
        format!("include `{before}` → `{after}`")
    };
    let (Some(inner_old), Some(inner_new)) = (below(old, before), below(new, after)) else {
        let reason = format!("{what}, and what changed inside is not known");
        return Change::new(Part::Includes, Class::Breaking, Rule::NotUnderstood, reason);
    };
    // An included text reads the variables of the prompt around it, which declares them: inputs are judged there.
    let inside: Vec<Change> =
        classify_with(&inner_old, &inner_new, &[]).into_iter().filter(|change| change.part != Part::Inputs).collect();
    let class = worst(&inside).unwrap_or(Class::Compatible);
    let mut reasons: Vec<String> = inside
        .iter()
        .filter(|change| change.class == class)
        .take(MAX_REASONS)
        .map(|change| format!("{}: {}", change.part, change.reason))
        .collect();
    let more = inside.iter().filter(|change| change.class == class).count().saturating_sub(MAX_REASONS);
    if more > 0 {
        reasons.push(format!("{more} more"));
    }
    let inside = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    Change::new(Part::Includes, class, Rule::IncludeMoved, format!("{what}{inside}"))
}

/// Returns the closure of an include, out of that of the prompt around it.
fn below(closure: &Closure, reference: &PromptRef) -> Option<Closure> {
    let root = closure.includes.get(reference)?.clone();
    Some(Closure { root, includes: closure.includes.clone() })
}
