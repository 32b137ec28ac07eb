//! The saved queries: what people ask of invocations, for every engine.

use super::views::OWNERS;
use super::{Dialect, LakeTable, Statement};

/// What every query needs to be written.
struct Names {
    dialect: Dialect,
    /// The table.
    calls: String,
    /// The view of owners.
    owners: String,
}

/// Returns the saved queries.
pub(super) fn queries(table: &LakeTable, dialect: Dialect) -> Vec<Statement> {
    let names = Names { dialect, calls: table.name(dialect, &table.table), owners: table.name(dialect, OWNERS) };
    let all: [(&str, &str, String); 10] = [
        (
            "by-prompt",
            "calls, errors, latency, tokens and cost of the last 7 days, by prompt, version and model",
            names.by_prompt(),
        ),
        ("cost-by-owner", "cost of the last 30 days, by owner and day", names.cost_by_owner()),
        ("errors", "errors of the last 7 days, by prompt, version and kind", names.errors()),
        ("slowest", "the 100 slowest calls of the last 24 hours", names.slowest()),
        ("versions", "the two latest versions of each prompt side by side, over the last 30 days", names.versions()),
        ("silent", "prompts that were called in the last 30 days, and not in the last 24 hours", names.silent()),
        ("labels", "labels of the last 30 days, by prompt, version and day", names.labels()),
        ("scores", "scores of the last 30 days, by prompt, version and score", names.scores()),
        ("quality", "answers of the last 7 days that were refused or do not conform, by prompt and version", names.quality()),
        ("duplicates", "invocations that are counted more than once; there should be none", names.duplicates()),
    ];
    all.map(|(name, purpose, sql)| Statement { name: name.to_owned(), purpose: purpose.to_owned(), sql }).into()
}

const MODEL: &str = "coalesce(responded_model, requested_model)";

impl Names {
    fn since(&self, days: u32) -> String {
        format!("day >= {}", self.dialect.days_ago(days))
    }

    fn by_prompt(&self) -> String {
        format!(
            "SELECT\n  prompt_id,\n  prompt_version,\n  {MODEL} AS model,\n  count(*) AS calls,\n  \
             count_if(status = 'error') AS errors,\n  {} AS latency_p50_ms,\n  {} AS latency_p95_ms,\n  {} AS latency_p99_ms,\n  \
             sum(input_tokens) AS input_tokens,\n  sum(output_tokens) AS output_tokens,\n  sum(cost_usd) AS cost_usd\n\
             FROM {}\nWHERE {}\nGROUP BY prompt_id, prompt_version, {MODEL}\nORDER BY calls DESC, prompt_id, prompt_version",
            self.dialect.percentile("latency_ms", 0.5),
            self.dialect.percentile("latency_ms", 0.95),
            self.dialect.percentile("latency_ms", 0.99),
            self.calls,
            self.since(7),
        )
    }

    fn cost_by_owner(&self) -> String {
        format!(
            "SELECT\n  coalesce(owned.owner, 'unknown') AS owner,\n  invocation.day,\n  count(*) AS calls,\n  \
             sum(invocation.cost_usd) AS cost_usd\nFROM {} AS invocation\nLEFT JOIN {} AS owned ON invocation.prompt_id = owned.prompt_id\n\
             WHERE invocation.{}\nGROUP BY coalesce(owned.owner, 'unknown'), invocation.day\nORDER BY invocation.day DESC, cost_usd DESC",
            self.calls,
            self.owners,
            self.since(30),
        )
    }

    fn errors(&self) -> String {
        format!(
            "SELECT\n  prompt_id,\n  prompt_version,\n  coalesce(error_type, 'unknown') AS error_type,\n  count(*) AS errors,\n  \
             max(time) AS last\nFROM {}\nWHERE {}\n  AND status = 'error'\n\
             GROUP BY prompt_id, prompt_version, coalesce(error_type, 'unknown')\nORDER BY errors DESC, prompt_id, prompt_version",
            self.calls,
            self.since(7),
        )
    }

    fn slowest(&self) -> String {
        format!(
            "SELECT\n  time,\n  prompt_id,\n  prompt_version,\n  {MODEL} AS model,\n  latency_ms,\n  time_to_first_token_ms,\n  \
             output_tokens,\n  service,\n  trace_id,\n  invocation_id\nFROM {}\nWHERE {}\n  AND time >= {}\n  \
             AND latency_ms IS NOT NULL\nORDER BY latency_ms DESC\nLIMIT 100",
            self.calls,
            self.since(1),
            self.dialect.hours_ago(24),
        )
    }

    fn versions(&self) -> String {
        format!(
            "WITH ranked AS (\n  SELECT\n    *,\n    dense_rank() OVER (PARTITION BY prompt_id ORDER BY prompt_version DESC) AS place\n  \
             FROM {}\n  WHERE {}\n    AND prompt_version IS NOT NULL\n)\nSELECT\n  prompt_id,\n  prompt_version,\n  count(*) AS calls,\n  \
             CAST(count_if(status = 'error') AS double) / count(*) AS error_share,\n  {} AS latency_p95_ms,\n  \
             avg(cost_usd) AS cost_per_call_usd,\n  avg(CASE WHEN valid THEN 1E0 WHEN NOT valid THEN 0E0 END) AS valid_share\n\
             FROM ranked\nWHERE place <= 2\nGROUP BY prompt_id, prompt_version\nORDER BY prompt_id, prompt_version DESC",
            self.calls,
            self.since(30),
            self.dialect.percentile("latency_ms", 0.95),
        )
    }

    fn silent(&self) -> String {
        format!(
            "SELECT\n  invocation.prompt_id,\n  coalesce(owned.owner, 'unknown') AS owner,\n  max(invocation.time) AS last,\n  \
             count(*) AS calls\nFROM {} AS invocation\nLEFT JOIN {} AS owned ON invocation.prompt_id = owned.prompt_id\nWHERE invocation.{}\n\
             GROUP BY invocation.prompt_id, coalesce(owned.owner, 'unknown')\nHAVING max(invocation.time) < {}\n\
             ORDER BY last DESC, invocation.prompt_id",
            self.calls,
            self.owners,
            self.since(30),
            self.dialect.hours_ago(24),
        )
    }

    fn labels(&self) -> String {
        format!(
            "SELECT\n  prompt_id,\n  prompt_version,\n  day,\n  label,\n  count(*) AS calls,\n  \
             CAST(count(*) AS double) / sum(count(*)) OVER (PARTITION BY prompt_id, prompt_version, day) AS share\nFROM {}\n\
             WHERE {}\n  AND label IS NOT NULL\nGROUP BY prompt_id, prompt_version, day, label\n\
             ORDER BY prompt_id, prompt_version, day DESC, calls DESC, label",
            self.calls,
            self.since(30),
        )
    }

    fn scores(&self) -> String {
        format!(
            "SELECT\n  prompt_id,\n  prompt_version,\n  score,\n  count(*) AS calls,\n  avg(value) AS mean,\n  min(value) AS lowest,\n  \
             max(value) AS highest\nFROM {}\n{}\nWHERE {}\nGROUP BY prompt_id, prompt_version, score\n\
             ORDER BY prompt_id, prompt_version, score",
            self.calls,
            self.dialect.each_score(),
            self.since(30),
        )
    }

    fn quality(&self) -> String {
        format!(
            "SELECT\n  prompt_id,\n  prompt_version,\n  count(*) AS calls,\n  count_if(NOT valid) AS not_valid,\n  \
             count_if(refusal) AS refused,\n  count_if(finish_reason IN ('length', 'max_tokens')) AS cut_off\nFROM {}\nWHERE {}\n\
             GROUP BY prompt_id, prompt_version\nORDER BY not_valid DESC, refused DESC, prompt_id, prompt_version",
            self.calls,
            self.since(7),
        )
    }

    fn duplicates(&self) -> String {
        format!(
            "SELECT\n  invocation_id,\n  count(*) AS copies\nFROM {}\nWHERE {}\nGROUP BY invocation_id\nHAVING count(*) > 1\n\
             ORDER BY copies DESC, invocation_id",
            self.calls,
            self.since(30),
        )
    }
}
