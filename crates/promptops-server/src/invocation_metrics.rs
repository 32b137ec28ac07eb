//! What is counted of recorded invocations: by environment, prompt, version and model, and by nothing that grows with the calls.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use prometheus::core::{AtomicF64, GenericCounter};
use prometheus::local::LocalHistogram;
use prometheus::{CounterVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use promptops_telemetry::{Invocation, Status};

/// What tells series apart.
const LABELS: [&str; 4] = ["environment", "prompt_id", "prompt_version", "model"];
/// Label sets that are counted apart; each is about two dozen series for Prometheus. What comes later is counted as [`OTHER`].
const MAX_LABEL_SETS: usize = 2_000;
/// Longest value of a label, characters.
const MAX_VALUE: usize = 200;
/// The value for what a record does not say.
const UNKNOWN: &str = "unknown";
/// The value for what would be one label set too many.
const OTHER: &str = "other";
/// Upper bounds of the classes of latency, seconds: those of `gen_ai.client.operation.duration`.
const SECONDS: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Counts invocations when the lake has them. What is sent twice is counted twice here, and once in the lake.
#[derive(Debug)]
pub(crate) struct InvocationMetrics {
    calls: IntCounterVec,
    latency: HistogramVec,
    input_tokens: IntCounterVec,
    output_tokens: IntCounterVec,
    cost: CounterVec,
    /// Invocations that are counted under [`OTHER`].
    beyond: IntCounter,
    sets: Mutex<LabelSets>,
}

/// The counters of each label set, so that a record costs one look-up.
struct LabelSets {
    hasher: RandomState,
    /// By the hash of the labels; those with one hash stand in a list.
    found: HashMap<u64, Vec<LabelSet>>,
    count: usize,
    other: Option<Box<LabelSet>>,
}

impl std::fmt::Debug for LabelSets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LabelSets").field("count", &self.count).finish_non_exhaustive()
    }
}

struct LabelSet {
    labels: [String; 4],
    succeeded: IntCounter,
    failed: IntCounter,
    latency: LocalHistogram,
    input_tokens: IntCounter,
    output_tokens: IntCounter,
    cost: GenericCounter<AtomicF64>,
}

impl InvocationMetrics {
    /// Makes them, all empty.
    ///
    /// # Errors
    /// When a name or label here is wrong, which the tests would show.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let name = |name: &str| format!("promptops_{name}");
        let counter = |suffix: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counter = IntCounterVec::new(Opts::new(name(suffix), help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let calls = counter("invocations_total", "Invocations that the lake has taken.", &[&LABELS[..], &["status"]].concat())?;
        let input_tokens = counter("invocation_input_tokens_total", "Tokens of inputs, cached ones included.", &LABELS)?;
        let output_tokens = counter("invocation_output_tokens_total", "Tokens of outputs, reasoning included.", &LABELS)?;
        let latency = HistogramOpts::new(name("invocation_latency_seconds"), "Time from request to complete answer.");
        let latency = HistogramVec::new(latency.buckets(SECONDS.to_vec()), &LABELS)?;
        let cost = CounterVec::new(Opts::new(name("invocation_cost_usd_total"), "Cost of calls, US dollars."), &LABELS)?;
        let beyond = IntCounter::new(
            name("invocations_counted_as_other_total"),
            "Invocations counted as other: there are too many prompts, versions or models to tell them apart.",
        )?;
        registry.register(Box::new(latency.clone()))?;
        registry.register(Box::new(cost.clone()))?;
        registry.register(Box::new(beyond.clone()))?;
        let sets = LabelSets { hasher: RandomState::new(), found: HashMap::new(), count: 0, other: None };
        Ok(Self { calls, latency, input_tokens, output_tokens, cost, beyond, sets: Mutex::new(sets) })
    }

    /// Counts records that the lake has taken.
    pub(crate) fn count(&self, records: &[Invocation]) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            self.set(&mut sets, record).count(record);
        }
        let LabelSets { found, other, .. } = &mut *sets;
        for set in found.values_mut().flatten().chain(other.as_deref_mut()) {
            set.latency.flush();
        }
    }

    /// Finds the counters of a record, and makes them where there is room.
    fn set<'a>(&self, sets: &'a mut LabelSets, record: &Invocation) -> &'a mut LabelSet {
        let version = record.prompt_version.map(|version| version.to_string()).unwrap_or_default();
        let model = record.responded_model.as_deref().or(record.requested_model.as_deref());
        let labels =
            [label(record.environment.as_deref()), label(record.prompt_id.as_deref()), label(Some(&version)), label(model)];
        let hash = sets.hasher.hash_one(labels);
        let place = sets.found.get(&hash).and_then(|list| list.iter().position(|set| set.labels == labels));
        let place = match place {
            Some(place) => place,
            None if sets.count < MAX_LABEL_SETS => {
                sets.count += 1;
                let list = sets.found.entry(hash).or_default();
                list.push(self.new_set(labels));
                list.len() - 1
            }
            None => {
                self.beyond.inc();
                return sets.other.get_or_insert_with(|| Box::new(self.new_set([OTHER; 4])));
            }
        };
        &mut sets.found.get_mut(&hash).expect("it was found or made above")[place]
    }

    fn new_set(&self, labels: [&str; 4]) -> LabelSet {
        let [environment, prompt, version, model] = labels;
        let calls = |status: Status| self.calls.with_label_values(&[environment, prompt, version, model, status.as_str()]);
        LabelSet {
            labels: labels.map(str::to_owned),
            // Both, so that a share of errors is known before the first error.
            succeeded: calls(Status::Ok),
            failed: calls(Status::Error),
            latency: self.latency.with_label_values(&labels).local(),
            input_tokens: self.input_tokens.with_label_values(&labels),
            output_tokens: self.output_tokens.with_label_values(&labels),
            cost: self.cost.with_label_values(&labels),
        }
    }
}

impl LabelSet {
    fn count(&mut self, record: &Invocation) {
        let calls = if record.status == Status::Error { &self.failed } else { &self.succeeded };
        calls.inc();
        if let Some(latency_ms) = record.latency_ms.filter(|latency| latency.is_finite() && *latency >= 0.0) {
            self.latency.observe(latency_ms / 1e3);
        }
        self.input_tokens.inc_by(record.input_tokens.unwrap_or_default());
        self.output_tokens.inc_by(record.output_tokens.unwrap_or_default());
        if let Some(cost) = record.cost_usd.filter(|cost| cost.is_finite() && *cost >= 0.0) {
            self.cost.inc_by(cost);
        }
    }
}

/// Returns the value of a label, bounded in length.
fn label(value: Option<&str>) -> &str {
    match value.map(str::trim) {
        None | Some("") => UNKNOWN,
        Some(value) => value.char_indices().nth(MAX_VALUE).map_or(value, |(end, _)| &value[..end]),
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder as _, TextEncoder};
    use promptops_telemetry::Uuid;

    use super::*;

    fn record(prompt: &str) -> Invocation {
        Invocation {
            environment: Some("prod".to_owned()),
            prompt_id: Some(prompt.to_owned()),
            prompt_version: Some(2),
            requested_model: Some("gpt-4o".to_owned()),
            latency_ms: Some(500.0),
            input_tokens: Some(100),
            cost_usd: Some(0.25),
            ..Invocation::new("2026-05-01T12:00:00Z".parse().unwrap(), Uuid::from_u128(1))
        }
    }

    fn text(registry: &Registry) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn calls_are_counted_by_what_they_are_of() {
        let registry = Registry::new();
        let metrics = InvocationMetrics::new(&registry).unwrap();
        let failed = Invocation { status: Status::Error, cost_usd: Some(f64::NAN), latency_ms: None, ..record("a") };
        let answered = Invocation { responded_model: Some("gpt-4o-2024-08-06".to_owned()), ..record("a") };
        metrics.count(&[record("a"), failed, answered, record("a")]);
        metrics.count(&[Invocation { environment: Some("  ".to_owned()), prompt_version: None, ..record("b\"\n") }]);
        let text = text(&registry);
        let labels = r#"environment="prod",model="gpt-4o",prompt_id="a",prompt_version="2""#;
        for line in [
            format!("promptops_invocations_total{{{labels},status=\"ok\"}} 2"),
            format!("promptops_invocations_total{{{labels},status=\"error\"}} 1"),
            format!("promptops_invocation_latency_seconds_bucket{{{labels},le=\"0.64\"}} 2"),
            format!("promptops_invocation_latency_seconds_bucket{{{labels},le=\"0.32\"}} 0"),
            format!("promptops_invocation_latency_seconds_sum{{{labels}}} 1"),
            format!("promptops_invocation_input_tokens_total{{{labels}}} 300"),
            format!("promptops_invocation_cost_usd_total{{{labels}}} 0.5"),
            r#"model="gpt-4o-2024-08-06",prompt_id="a",prompt_version="2",status="ok"} 1"#.to_owned(),
            r#"environment="unknown",model="gpt-4o",prompt_id="b\"",prompt_version="unknown",status="ok"} 1"#.to_owned(),
        ] {
            assert!(text.contains(&line), "{line}\n{text}");
        }
    }

    #[test]
    fn however_many_prompts_are_named_the_series_are_bounded() {
        let registry = Registry::new();
        let metrics = InvocationMetrics::new(&registry).unwrap();
        let records: Vec<Invocation> = (0..MAX_LABEL_SETS + 500).map(|number| record(&format!("prompt-{number}"))).collect();
        metrics.count(&records);
        metrics.count(&records);
        let text = text(&registry);
        let series =
            text.lines().filter(|line| line.starts_with("promptops_invocations_total{") && line.contains("\"ok\"")).count();
        assert_eq!(series, MAX_LABEL_SETS + 1);
        let other = r#"environment="other",model="other",prompt_id="other",prompt_version="other",status="ok"} 1000"#;
        assert!(text.contains(other));
        assert!(text.contains("promptops_invocations_counted_as_other_total 1000"));
        let long = Invocation { requested_model: Some("é".repeat(5_000)), ..record("prompt-0") };
        assert_eq!(label(long.requested_model.as_deref()).chars().count(), MAX_VALUE);
    }
}
