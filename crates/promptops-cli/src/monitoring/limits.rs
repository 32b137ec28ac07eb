//! Where an alarm goes off: from what a prompt's file says of how it usually does, else from the command line.

use clap::Args;

use crate::context::Context;
use crate::watched_prompts::{Baseline, WatchedPrompt};

/// Calls that are expected while silence is watched for: with ten, none at all comes by chance in one of 20,000 windows (Poisson).
const CALLS_IN_SILENCE: f64 = 10.0;
/// Longest silence that is watched for, hours. CloudWatch looks back one day at most where hours are counted.
const LONGEST_SILENCE_H: f64 = 24.0;
/// Prompts that are named in one warning.
const NAMED: usize = 5;

/// When alarms go off.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "When alarms go off")]
pub struct LimitArguments {
    /// How many times the baseline of a prompt's `metrics` it takes.
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0, value_parser = above_one)]
    tolerance: f64,
    /// The share of errors that it takes where there is no `baseline_error_share`.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    max_error_share: f64,
    /// The 95th percentile of latency that it takes where there is no `baseline_latency_p95_ms`.
    #[arg(long, value_name = "MS", value_parser = positive)]
    max_latency_ms: Option<f64>,
    /// The cost of an hour that it takes where `cost_per_call_usd` and `calls_per_hour` are not both there, US dollars.
    #[arg(long, value_name = "USD", value_parser = positive)]
    max_cost_per_hour: Option<f64>,
    /// Calls in 15 minutes below which errors and latency say nothing.
    #[arg(long, value_name = "CALLS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    min_calls: u32,
}

/// The limits of one prompt; without a limit there is no alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Share of errors, from 0 to 1.
    pub error_share: f64,
    /// 95th percentile of latency.
    pub latency_p95_ms: Option<f64>,
    /// Cost of an hour.
    pub cost_per_hour_usd: Option<f64>,
    /// Hours without a call.
    pub silent_hours: Option<u32>,
    /// Calls in 15 minutes below which errors and latency say nothing.
    pub min_calls: u32,
}

impl LimitArguments {
    /// Returns the limits of a prompt.
    pub fn of(&self, baseline: &Baseline) -> Limits {
        let error_share = baseline.error_share.map_or(self.max_error_share, |share| {
            // A baseline of none, and of nearly all, would make a limit that is always or never crossed.
            (share * self.tolerance).clamp(0.01, 0.9)
        });
        let cost_per_hour = baseline.cost_per_call_usd.zip(baseline.calls_per_hour).map(|(cost, calls)| cost * calls);
        let usual = |value: Option<f64>| value.filter(|value| *value > 0.0).map(|value| rounded(value * self.tolerance));
        Limits {
            error_share: rounded(error_share),
            latency_p95_ms: usual(baseline.latency_p95_ms).or(self.max_latency_ms),
            cost_per_hour_usd: usual(cost_per_hour).or(self.max_cost_per_hour),
            silent_hours: baseline.calls_per_hour.and_then(silent_hours),
            min_calls: self.min_calls,
        }
    }
}

/// Returns after how many hours silence is more than chance; nothing when that takes too long.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 1 to 24")]
fn silent_hours(calls_per_hour: f64) -> Option<u32> {
    let hours = (CALLS_IN_SILENCE / calls_per_hour).ceil().max(1.0);
    (hours <= LONGEST_SILENCE_H).then_some(hours as u32)
}

/// Rounds to six digits after the point, so that no file has what floating point leaves behind.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Says for which prompts there is no alarm of a kind, and what would make one.
pub fn say_missing(prompts: &[WatchedPrompt], limits: &LimitArguments, context: &Context) {
    let without = |has: fn(&Limits) -> bool| -> Vec<&str> {
        prompts.iter().filter(|prompt| !has(&limits.of(&prompt.baseline))).map(|prompt| prompt.id.as_str()).collect()
    };
    for (kind, missing, what) in [
        (
            "latency",
            without(|limits| limits.latency_p95_ms.is_some()),
            "`baseline_latency_p95_ms` in its `metrics`, or `--max-latency-ms`",
        ),
        (
            "cost",
            without(|limits| limits.cost_per_hour_usd.is_some()),
            "`cost_per_call_usd` and `calls_per_hour` in its `metrics`, or `--max-cost-per-hour`",
        ),
        ("silence", without(|limits| limits.silent_hours.is_some()), "`calls_per_hour` in its `metrics`, of ten a day or more"),
    ] {
        if missing.is_empty() {
            continue;
        }
        let named = missing.iter().take(NAMED).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        let more = missing.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        context.printer.notice(format!("no alarm about {kind} for {named}{more}: it takes {what}"));
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| "not a number".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("it must be more than zero".to_owned()) })
}

fn above_one(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number > 1.0 { Ok(number) } else { Err("it must be more than one".to_owned()) })
}

fn share(text: &str) -> Result<f64, String> {
    number(text).and_then(
        |number| {
            if number > 0.0 && number < 1.0 { Ok(number) } else { Err("a share is between 0 and 1".to_owned()) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> LimitArguments {
        LimitArguments { tolerance: 2.0, max_error_share: 0.05, max_latency_ms: None, max_cost_per_hour: None, min_calls: 20 }
    }

    #[test]
    fn a_baseline_makes_limits() {
        let baseline = Baseline {
            error_share: Some(0.02),
            latency_p95_ms: Some(900.0),
            cost_per_call_usd: Some(0.003),
            calls_per_hour: Some(40.0),
        };
        let limits = arguments().of(&baseline);
        assert_eq!(limits.error_share, 0.04);
        assert_eq!(limits.latency_p95_ms, Some(1800.0));
        assert_eq!(limits.cost_per_hour_usd, Some(0.24));
        assert_eq!(limits.silent_hours, Some(1));
    }

    #[test]
    fn without_one_only_errors_have_a_limit() {
        let limits = arguments().of(&Baseline::default());
        assert_eq!((limits.error_share, limits.latency_p95_ms, limits.silent_hours), (0.05, None, None));
        assert_eq!(limits.cost_per_hour_usd, None);
        let given = LimitArguments { max_latency_ms: Some(3000.0), max_cost_per_hour: Some(5.0), ..arguments() };
        let limits = given.of(&Baseline { latency_p95_ms: Some(0.0), ..Baseline::default() });
        assert_eq!((limits.latency_p95_ms, limits.cost_per_hour_usd), (Some(3000.0), Some(5.0)));
    }

    #[test]
    fn silence_is_watched_for_long_enough_to_be_no_chance() {
        assert_eq!([1000.0, 10.0, 4.0, 0.5].map(silent_hours), [Some(1), Some(1), Some(3), Some(20)]);
        assert_eq!([0.4, 0.0].map(silent_hours), [None, None]);
    }

    #[test]
    fn a_limit_can_be_crossed_and_need_not_be() {
        let of = |share| arguments().of(&Baseline { error_share: Some(share), ..Baseline::default() }).error_share;
        assert_eq!([0.0, 0.3, 0.8].map(of), [0.01, 0.6, 0.9]);
    }
}
