//! Which services called the prompts of a plan lately, as far as a lake knows.
//!
//! A plan stands without it: where no lake is, or none answers soon, nothing is said.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use promptops_prompt::PromptId;
use promptops_registry::Plan;

use crate::context::Context;
use crate::project::Project;

/// How far back "lately" goes.
#[cfg(feature = "lake")]
const DAYS: i64 = 7;
/// How long the lake is waited for.
#[cfg(feature = "lake")]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// The services that called each prompt in the plan's environment in the last days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Callers(BTreeMap<PromptId, Vec<Caller>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Caller {
    service: String,
    calls: u64,
    last: DateTime<Utc>,
}

impl Callers {
    /// Asks the project's lake.
    #[cfg(feature = "lake")]
    pub async fn lately(context: &Context, project: &Project, plan: &Plan) -> Self {
        use promptops_lake::{Filter, GroupBy};

        let ids: std::collections::BTreeSet<&str> = plan.changes.iter().map(|change| change.id.as_str()).collect();
        if ids.is_empty() {
            return Self::default();
        }
        let Ok(lake) = crate::lake_access::open(context, project) else { return Self::default() };
        let filter = Filter {
            // One prompt is looked up by its own; of several, all are read at once.
            prompt_id: if ids.len() == 1 { ids.first().map(ToString::to_string) } else { None },
            environment: Some(plan.environment.to_string()),
            since: Some(context.now() - chrono::TimeDelta::days(DAYS)),
            ..Filter::default()
        };
        let asked = lake.statistics(&filter, &[GroupBy::Prompt, GroupBy::Service]);
        let Ok(Ok(rows)) = tokio::time::timeout(PATIENCE, asked).await else { return Self::default() };
        let mut callers = Self::default();
        for row in rows {
            let [Some(prompt), service] = row.group.as_slice() else { continue };
            let Ok(id) = prompt.parse::<PromptId>() else { continue };
            let service = service.clone().unwrap_or_else(|| "a service without a name".to_owned());
            let caller = Caller { service, calls: row.count, last: row.last };
            callers.0.entry(id).or_default().push(caller);
        }
        callers.0.retain(|id, _| ids.contains(id.as_str()));
        callers
    }

    /// Knows no lake: this build leaves it out.
    #[cfg(not(feature = "lake"))]
    pub async fn lately(_: &Context, _: &Project, _: &Plan) -> Self {
        Self::default()
    }

    /// Returns who called the prompt, the busiest first; nothing when nobody did.
    pub fn of(&self, id: &PromptId) -> Option<String> {
        let mut callers: Vec<&Caller> = self.0.get(id)?.iter().collect();
        callers.sort_by_key(|caller| (std::cmp::Reverse(caller.calls), &caller.service));
        let one = |caller: &&Caller| {
            let calls = if caller.calls == 1 { "1 call".to_owned() } else { format!("{} calls", caller.calls) };
            format!("{} ({calls}, the last {})", caller.service, caller.last.format("%Y-%m-%dT%H:%MZ"))
        };
        Some(callers.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_comes_first() {
        let caller = |service: &str, calls| Caller { service: service.to_owned(), calls, last: DateTime::UNIX_EPOCH };
        let id: PromptId = "a.b".parse().unwrap();
        let callers = Callers([(id.clone(), vec![caller("api", 1), caller("inbox", 7), caller("batch", 7)])].into());
        assert_eq!(
            callers.of(&id).unwrap(),
            "batch (7 calls, the last 1970-01-01T00:00Z), inbox (7 calls, the last 1970-01-01T00:00Z), \
             api (1 call, the last 1970-01-01T00:00Z)"
        );
        assert_eq!(callers.of(&"a.c".parse().unwrap()), None);
    }
}
