//! The one invocation that an id names.

use promptops_lake::Lake;
use promptops_telemetry::Invocation;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access;

/// How many are named when an id fits several.
const NAMED: usize = 5;

/// Returns the invocation of an id: its own or the beginning of it, the provider's, or that of a trace with one invocation.
pub async fn find(lake: &Lake, id: &str) -> Outcome<Invocation> {
    let mut found = lake.find(id, NAMED + 1).await.map_err(lake_access::failure)?;
    // A whole id is meant as one, whatever else begins like it.
    if let Some(exact) = found.iter().position(|record| record.invocation_id.to_string().eq_ignore_ascii_case(id)) {
        return Ok(found.swap_remove(exact));
    }
    if found.len() > 1 {
        let mut names: Vec<String> = found.iter().take(NAMED).map(|record| record.invocation_id.to_string()).collect();
        if found.len() > NAMED {
            names.push("…".to_owned());
        }
        return Err(Failure::new(Exit::Usage, format!("several invocations are named by `{id}`: {}", names.join(", ")))
            .hint("give more of the id; `promptops invocations tree ID` shows a whole trace"));
    }
    found.pop().ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("`{}` has no invocation with the id `{id}`", lake.name()))
            .hint("an id is an invocation's own or its beginning, the provider's id of the answer, or that of a trace; what was sent in the last seconds may still be on its way")
    })
}

/// Names the prompt of an invocation, as `support.intent@2`.
pub fn prompt_name(record: &Invocation) -> Option<String> {
    let id = record.prompt_id.as_ref()?;
    Some(record.prompt_version.map_or_else(|| id.clone(), |version| format!("{id}@{version}")))
}
