//! Alarms about errors, latency, cost and silence.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Alarm;
use crate::monitoring::LimitArguments;
use crate::watched_prompts::WatchedPrompt;

/// Longest name of an alarm, characters.
const MAX_NAME: usize = 255;
/// Longest description, characters.
const MAX_DESCRIPTION: usize = 1024;
/// The period over which errors and latency are looked at, seconds.
const QUARTER: u32 = 900;
/// The period over which cost and silence are looked at, seconds.
const HOUR: u32 = 3600;

/// Returns the alarms of a prompt in every environment where it is watched.
pub(super) fn alarms(prompt: &WatchedPrompt, metrics: &str, limits: &LimitArguments) -> Vec<Alarm> {
    let limits = limits.of(&prompt.baseline);
    let mut alarms = Vec::new();
    for environment in &prompt.environments {
        let of = Watched { prompt, environment: environment.as_str(), metrics };
        let calls = of.metric("calls", "Invocations", QUARTER, "Sum", false);
        let share = limits.error_share;
        // Few calls say nothing, and no call is not an error: the alarm about silence is for that.
        alarms.push(of.alarm(
            "errors",
            &format!("more than {} % of calls fail", (share * 1e6).round() / 1e4),
            json!([
                of.expression("share", &format!("IF(calls >= {}, errors / calls, 0)", limits.min_calls), "share of errors"),
                of.metric("errors", "Errors", QUARTER, "Sum", false),
                calls.clone(),
            ]),
            &Rule { comparison: "GreaterThanThreshold", threshold: share, periods: 2, missing: "notBreaching" },
        ));
        if let Some(limit) = limits.latency_p95_ms {
            alarms.push(of.alarm(
                "latency",
                &format!("the 95th percentile of latency is above {limit} ms"),
                json!([
                    of.expression("slow", &format!("IF(calls >= {}, latency, 0)", limits.min_calls), "p95 of latency, ms"),
                    of.metric("latency", "Latency", QUARTER, "p95", false),
                    calls,
                ]),
                &Rule { comparison: "GreaterThanThreshold", threshold: limit, periods: 2, missing: "notBreaching" },
            ));
        }
        if let Some(limit) = limits.cost_per_hour_usd {
            alarms.push(of.alarm(
                "cost",
                &format!("an hour costs more than {limit} US dollars"),
                json!([of.metric("cost", "CostUSD", HOUR, "Sum", true)]),
                &Rule { comparison: "GreaterThanThreshold", threshold: limit, periods: 1, missing: "notBreaching" },
            ));
        }
        if let Some(hours) = limits.silent_hours {
            // No call is no data, so what is missing is what the alarm is about.
            alarms.push(of.alarm(
                "silence",
                &format!("no call for {hours} h"),
                json!([of.metric("calls", "Invocations", HOUR, "Sum", true)]),
                &Rule { comparison: "LessThanThreshold", threshold: 1.0, periods: hours, missing: "breaching" },
            ));
        }
    }
    alarms
}

/// When an alarm goes off: when this holds in every one of these periods.
struct Rule {
    comparison: &'static str,
    threshold: f64,
    periods: u32,
    missing: &'static str,
}

struct Watched<'a> {
    prompt: &'a WatchedPrompt,
    environment: &'a str,
    metrics: &'a str,
}

impl Watched<'_> {
    fn metric(&self, id: &str, name: &str, period_s: u32, statistic: &str, returns: bool) -> Value {
        json!({
            "Id": id,
            "MetricStat": {
                "Metric": {
                    "Namespace": self.metrics,
                    "MetricName": name,
                    "Dimensions": [
                        {"Name": "prompt_id", "Value": self.prompt.id.as_str()},
                        {"Name": "environment", "Value": self.environment},
                    ],
                },
                "Period": period_s,
                "Stat": statistic,
            },
            "ReturnData": returns,
        })
    }

    fn expression(&self, id: &str, expression: &str, label: &str) -> Value {
        json!({"Id": id, "Expression": expression, "Label": format!("{}: {label}", self.prompt.id), "ReturnData": true})
    }

    fn alarm(&self, kind: &str, says: &str, metrics: Value, rule: &Rule) -> Alarm {
        let WatchedPrompt { id, owner, .. } = self.prompt;
        let purpose = self.prompt.purpose.as_deref().map(|purpose| format!(" {purpose}.")).unwrap_or_default();
        let description = format!("{id} in {}: {says}. Owner: {owner}.{purpose}", self.environment);
        Alarm {
            name: bounded(&format!("promptops-{}-{id}-{kind}", self.environment)),
            properties: json!({
                "AlarmDescription": description.chars().take(MAX_DESCRIPTION).collect::<String>(),
                "ComparisonOperator": rule.comparison,
                "Threshold": rule.threshold,
                "EvaluationPeriods": rule.periods,
                "DatapointsToAlarm": rule.periods,
                "TreatMissingData": rule.missing,
                "Metrics": metrics,
            }),
        }
    }
}

/// Cuts a name that would be too long; a hash of the whole keeps different ones different.
fn bounded(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let hash: String = Sha256::digest(name).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // Ids, environments and kinds are ASCII.
    format!("{}-{hash}", &name[..MAX_NAME - 1 - hash.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let names = ["errors", "latency"].map(|kind| bounded(&format!("promptops-prod-{}-{kind}", "a".repeat(300))));
        assert!(names.iter().all(|name| name.len() == MAX_NAME));
        assert_ne!(names[0], names[1]);
        assert_eq!(bounded("promptops-prod-a-errors"), "promptops-prod-a-errors");
    }
}
