//! Slices of the lake that are datasets of evals: chosen once, and frozen in a file to be committed.

use std::path::Path;

use promptops_eval::spec::LakeSlice;
use promptops_lake::Filter;
use promptops_telemetry::{Invocation, v1};

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access;
use crate::project::Project;

/// Invocations that are looked at for each one that is wanted, at most: those without a recorded input are passed over.
const MOST_LOOKED_AT: usize = 8;

/// Writes the invocations that a slice chooses to `file`, one JSON object per line, the oldest first.
pub fn freeze(context: &Context, project: &Project, slice: &LakeSlice, file: &Path) -> Outcome<()> {
    let lake = lake_access::open(context, project)?;
    let filter = Filter {
        prompt_id: Some(slice.prompt.as_str().to_owned()),
        prompt_version: slice.version.map(promptops_prompt::Version::number),
        environment: slice.environment.clone(),
        since: slice.since,
        until: slice.until,
        ..Filter::default()
    };
    let mut looked_at = slice.limit;
    let (chosen, seen) = loop {
        let latest = context.block_on(lake.latest(&filter, looked_at))?.map_err(lake_access::failure)?;
        let seen = latest.len();
        let mut chosen: Vec<Invocation> = latest.into_iter().filter(|invocation| invocation.input.is_some()).collect();
        if chosen.len() >= slice.limit || seen < looked_at || looked_at >= slice.limit * MOST_LOOKED_AT {
            let surplus = chosen.len().saturating_sub(slice.limit);
            chosen.drain(..surplus);
            break (chosen, seen);
        }
        looked_at *= 2;
    };
    if chosen.is_empty() {
        let what = if seen == 0 { "no invocation fits".to_owned() } else { format!("none of {seen} invocations has its input") };
        return Err(Failure::new(Exit::NotFound, format!("the slice of the lake for `{}` is empty: {what}", file.display()))
            .hint("content is recorded only for prompts for which capture is switched on; `promptops invocations tail` shows what there is"));
    }
    let mut text = String::new();
    for invocation in &chosen {
        text.push_str(&v1::to_line(invocation));
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    write_file(file, &text)?;
    let count = chosen.len();
    context.printer.notice(format!("{count} invocations of the lake are frozen in {}; commit the file", file.display()));
    Ok(())
}
