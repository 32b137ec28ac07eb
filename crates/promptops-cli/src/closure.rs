//! Closures of versions, from wherever the versions are.

use std::collections::BTreeMap;

use promptops_prompt::{Closure, Content, Prompt, PromptRef};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// The deepest chain of includes that is followed.
const MAX_INCLUDE_DEPTH: usize = 50;

/// Returns a version with everything it includes, directly or not; `find` knows the versions there are.
pub fn closure<'a>(reference: &PromptRef, find: &dyn Fn(&PromptRef) -> Option<&'a Prompt>) -> Outcome<Closure> {
    let mut includes = BTreeMap::new();
    let root = content(reference, find, &mut includes, 0)?;
    Ok(Closure { root, includes })
}

fn content<'a>(
    reference: &PromptRef,
    find: &dyn Fn(&PromptRef) -> Option<&'a Prompt>,
    found: &mut BTreeMap<PromptRef, Content>,
    depth: usize,
) -> Outcome<Content> {
    // A cycle of pinned versions cannot be published, but it can be written.
    if depth > MAX_INCLUDE_DEPTH {
        return Err(
            Failure::new(Exit::Refused, format!("the includes of `{reference}` do not end")).hint("run `promptops check`")
        );
    }
    let Some(prompt) = find(reference) else {
        return Err(Failure::new(Exit::NotFound, format!("there is no `{reference}` in the history"))
            .hint("`promptops history ID` lists the versions of a prompt"));
    };
    let mut digests = BTreeMap::new();
    for target in direct_includes(prompt) {
        let included = match found.get(&target) {
            Some(content) => content.clone(),
            None => content(&target, find, found, depth + 1)?,
        };
        digests.insert(target.clone(), included.digest());
        found.insert(target, included);
    }
    Ok(Content::new(prompt, digests))
}

/// Returns the pinned includes that a prompt's templates name. What is not pinned is a finding of the check.
pub fn direct_includes(prompt: &Prompt) -> Vec<PromptRef> {
    let mut includes: Vec<PromptRef> = prompt
        .body
        .templates()
        .filter_map(|template| promptops_prompt::template::analyse(template).ok())
        .flat_map(|used| used.includes)
        .filter_map(|include| include.target.ok())
        .collect();
    includes.sort();
    includes.dedup();
    includes
}
