//! Recording and alerting rules of Prometheus over the metrics of a server that records.

use serde_json::{Value, json};

use super::{LimitArguments, Limits};
use crate::watched_prompts::WatchedPrompt;

/// How long a limit is crossed before somebody is told.
const FOR: &str = "5m";

/// Returns the file of rules.
pub fn rules(prompts: &[WatchedPrompt], limits: &LimitArguments) -> Value {
    let mut groups = vec![json!({"name": "promptops", "interval": "1m", "rules": recorded()})];
    for prompt in prompts {
        let of_prompt = limits.of(&prompt.baseline);
        let rules: Vec<Value> =
            prompt.environments.iter().flat_map(|environment| alerts(prompt, environment.as_str(), &of_prompt)).collect();
        groups.push(json!({"name": format!("promptops: {}", prompt.id), "rules": rules}));
    }
    json!({"groups": groups})
}

/// What dashboards and alerts both read, computed once for each prompt and environment.
fn recorded() -> Vec<Value> {
    let calls =
        |condition: &str| format!("sum by (environment, prompt_id) (increase(promptops_invocations_total{condition}[15m]))");
    let all = calls("");
    [
        ("prompt:promptops_invocations:increase15m", all.clone()),
        // What has no error yet has a share of zero; what has no call has none.
        (
            "prompt:promptops_invocation_errors:ratio15m",
            format!("({} or 0 * {all}) / {all}", calls("{status=\"error\"}")),
        ),
        (
            "prompt:promptops_invocation_latency_seconds:p95_15m",
            "histogram_quantile(0.95, sum by (environment, prompt_id, le) (rate(promptops_invocation_latency_seconds_bucket[15m])))"
                .to_owned(),
        ),
        (
            "prompt:promptops_invocation_cost_usd:increase1h",
            "sum by (environment, prompt_id) (increase(promptops_invocation_cost_usd_total[1h]))".to_owned(),
        ),
    ]
    .map(|(record, expr)| json!({"record": record, "expr": expr}))
    .into()
}

fn alerts(prompt: &WatchedPrompt, environment: &str, limits: &Limits) -> Vec<Value> {
    // Ids and environments are letters, digits, dots and dashes: nothing in them has to be escaped.
    let of = format!("{{environment=\"{environment}\",prompt_id=\"{}\"}}", prompt.id);
    let enough = format!("prompt:promptops_invocations:increase15m{of} >= {}", limits.min_calls);
    let alert = |name: &str, expr: String, wait: &str, summary: String| {
        json!({
            "alert": name,
            "expr": expr,
            "for": wait,
            "labels": {
                "environment": environment,
                "owner": plain(&prompt.owner),
                "prompt_id": prompt.id.as_str(),
                "severity": "warning",
            },
            "annotations": {
                "summary": format!("{} in {environment}: {summary}", prompt.id),
                "description": plain(prompt.purpose.as_deref().unwrap_or("no purpose is written in the prompt")),
            },
        })
    };
    let mut alerts = vec![alert(
        "PromptErrors",
        format!("prompt:promptops_invocation_errors:ratio15m{of} > {} and {enough}", limits.error_share),
        FOR,
        format!("{{{{ $value | humanizePercentage }}}} of calls fail, more than {} %", percent(limits.error_share)),
    )];
    if let Some(limit_ms) = limits.latency_p95_ms {
        alerts.push(alert(
            "PromptLatency",
            format!("prompt:promptops_invocation_latency_seconds:p95_15m{of} > {} and {enough}", limit_ms / 1e3),
            FOR,
            format!("the 95th percentile of latency is {{{{ $value | humanizeDuration }}}}, more than {limit_ms} ms"),
        ));
    }
    if let Some(limit) = limits.cost_per_hour_usd {
        alerts.push(alert(
            "PromptCost",
            format!("prompt:promptops_invocation_cost_usd:increase1h{of} > {limit}"),
            FOR,
            format!("the last hour cost {{{{ $value | printf \"%.2f\" }}}} USD, more than {limit}"),
        ));
    }
    if let Some(hours) = limits.silent_hours {
        // Both need that Prometheus looked so long ago already: what has just begun to be counted was not silent. A series is absent
        // when a server has counted no such call since it started.
        let calls = format!("promptops_invocations_total{of}");
        alerts.push(alert(
            "PromptSilent",
            format!(
                "sum by (environment, prompt_id) (increase({calls}[{hours}h])) == 0 and on (environment, prompt_id) {calls} offset {hours}h \
                 or absent_over_time({calls}[{hours}h]) and on () promptops_invocations_recorded_total offset {hours}h"
            ),
            FOR,
            format!("no call for {hours} h or more"),
        ));
    }
    alerts
}

/// Writes a share as people read it.
fn percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}

/// Takes the signs of a template from a text that is none.
fn plain(text: &str) -> String {
    text.replace("{{", "{ {").replace("}}", "} }")
}
