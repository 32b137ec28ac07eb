//! Records as the histograms of the GenAI conventions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, ResourceMetrics, ScopeMetrics,
};

use super::attribute::{text, truth};
use super::span::nanoseconds;
use super::{Origin, SCHEMA_URL, Sender, scope};
use crate::record::Invocation;

/// The buckets that the conventions name for `gen_ai.client.token.usage`.
const TOKEN_BOUNDS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// The buckets that the conventions name for `gen_ai.client.operation.duration`, seconds.
const DURATION_BOUNDS: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// The most series of one metric, as OpenTelemetry's SDKs have it. What comes beyond is one series that says so.
const MAX_SERIES: usize = 2000;

/// What the numbers of a series count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    /// Everything since the process began.
    #[default]
    Cumulative,
    /// What came since they were last sent.
    Delta,
}

/// Counts records into `gen_ai.client.token.usage` and `gen_ai.client.operation.duration`.
///
/// Series differ in operation, provider, models, type of error and type of token, and in service and environment: never in anything that
/// has a value of its own for each call.
#[derive(Debug)]
pub struct Histograms {
    temporality: Temporality,
    since: DateTime<Utc>,
    tokens: BTreeMap<Series, Buckets>,
    durations: BTreeMap<Series, Buckets>,
    has_news: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Series {
    origin: Origin,
    operation: Option<String>,
    provider: Option<String>,
    requested_model: Option<String>,
    responded_model: Option<String>,
    error_type: Option<String>,
    token_type: Option<&'static str>,
    is_overflow: bool,
}

#[derive(Debug, Clone)]
struct Buckets {
    counts: [u64; 15],
    sum: f64,
    min: f64,
    max: f64,
}

impl Histograms {
    /// Counts from now on.
    #[must_use]
    pub fn new(temporality: Temporality, now: DateTime<Utc>) -> Self {
        Self { temporality, since: now, tokens: BTreeMap::new(), durations: BTreeMap::new(), has_news: false }
    }

    /// Counts records.
    pub fn add(&mut self, records: &[Invocation]) {
        for record in records {
            let series = Series::of(record);
            for (token_type, tokens) in [("input", record.input_tokens), ("output", record.output_tokens)] {
                if let Some(tokens) = tokens {
                    let series = Series { token_type: Some(token_type), error_type: None, ..series.clone() };
                    #[expect(clippy::cast_precision_loss, reason = "a histogram holds numbers of 64-bit floats")]
                    count(&mut self.tokens, series, &TOKEN_BOUNDS, tokens as f64);
                    self.has_news = true;
                }
            }
            if let Some(latency_ms) = record.latency_ms.filter(|latency| latency.is_finite() && *latency >= 0.0) {
                count(&mut self.durations, series, &DURATION_BOUNDS, latency_ms / 1000.0);
                self.has_news = true;
            }
        }
    }

    /// Says whether anything came since they were last sent.
    #[must_use]
    pub const fn has_news(&self) -> bool {
        self.has_news
    }

    /// Makes of the counts what is sent at `now`. Nothing is forgotten before [`Histograms::sent`] says that it arrived.
    #[must_use]
    pub fn export(&self, sender: &Sender, now: DateTime<Utc>) -> ExportMetricsServiceRequest {
        let mut by_origin: BTreeMap<&Origin, Vec<Metric>> = BTreeMap::new();
        let metrics = [
            ("gen_ai.client.token.usage", "{token}", "Tokens of calls of models.", &self.tokens, &TOKEN_BOUNDS),
            ("gen_ai.client.operation.duration", "s", "Durations of calls of models.", &self.durations, &DURATION_BOUNDS),
        ];
        for (name, unit, description, series, bounds) in metrics {
            let mut points: BTreeMap<&Origin, Vec<HistogramDataPoint>> = BTreeMap::new();
            for (series, buckets) in series {
                points.entry(&series.origin).or_default().push(self.point(series, buckets, bounds, now));
            }
            for (origin, data_points) in points {
                let aggregation_temporality = match self.temporality {
                    Temporality::Cumulative => AggregationTemporality::Cumulative,
                    Temporality::Delta => AggregationTemporality::Delta,
                };
                let data = Histogram { data_points, aggregation_temporality: aggregation_temporality.into() };
                by_origin.entry(origin).or_default().push(Metric {
                    name: name.to_owned(),
                    description: description.to_owned(),
                    unit: unit.to_owned(),
                    data: Some(Data::Histogram(data)),
                    ..Metric::default()
                });
            }
        }
        let resource_metrics = by_origin.into_iter().map(|(origin, metrics)| ResourceMetrics {
            resource: Some(origin.resource(sender)),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope()), metrics, schema_url: SCHEMA_URL.to_owned() }],
            schema_url: SCHEMA_URL.to_owned(),
        });
        ExportMetricsServiceRequest { resource_metrics: resource_metrics.collect() }
    }

    /// Takes note that what was exported at `now` arrived, or that it never will.
    pub fn sent(&mut self, now: DateTime<Utc>) {
        self.has_news = false;
        if self.temporality == Temporality::Delta {
            self.since = now;
            self.tokens.clear();
            self.durations.clear();
        }
    }

    fn point(&self, series: &Series, buckets: &Buckets, bounds: &[f64], now: DateTime<Utc>) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: series.attributes(),
            start_time_unix_nano: nanoseconds(self.since),
            time_unix_nano: nanoseconds(now),
            count: buckets.counts.iter().sum(),
            sum: Some(buckets.sum),
            bucket_counts: buckets.counts.to_vec(),
            explicit_bounds: bounds.to_vec(),
            min: Some(buckets.min),
            max: Some(buckets.max),
            ..HistogramDataPoint::default()
        }
    }
}

impl Series {
    fn of(record: &Invocation) -> Self {
        Self {
            origin: Origin::of(record),
            operation: Some(record.operation.clone().unwrap_or_else(|| "chat".to_owned())),
            provider: record.provider.clone(),
            requested_model: record.requested_model.clone(),
            responded_model: record.responded_model.clone(),
            error_type: record.error_type.clone(),
            token_type: None,
            is_overflow: false,
        }
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let named = [
            ("gen_ai.operation.name", self.operation.as_deref()),
            ("gen_ai.provider.name", self.provider.as_deref()),
            ("gen_ai.request.model", self.requested_model.as_deref()),
            ("gen_ai.response.model", self.responded_model.as_deref()),
            ("error.type", self.error_type.as_deref()),
            ("gen_ai.token.type", self.token_type),
        ];
        let mut attributes: Vec<KeyValue> = named.into_iter().filter_map(|(name, value)| Some(text(name, value?))).collect();
        if self.is_overflow {
            attributes.push(truth("otel.metric.overflow", true));
        }
        attributes
    }
}

fn count(all: &mut BTreeMap<Series, Buckets>, series: Series, bounds: &[f64; 14], value: f64) {
    let series = if all.len() < MAX_SERIES - 1 || all.contains_key(&series) {
        series
    } else {
        Series { origin: series.origin, is_overflow: true, ..Series::default() }
    };
    let empty = Buckets { counts: [0; 15], sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
    let buckets = all.entry(series).or_insert(empty);
    // A bucket holds its upper bound.
    buckets.counts[bounds.partition_point(|bound| *bound < value)] += 1;
    buckets.sum += value;
    buckets.min = buckets.min.min(value);
    buckets.max = buckets.max.max(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn record(model: &str, input_tokens: u64, latency_ms: f64) -> Invocation {
        Invocation {
            requested_model: Some(model.to_owned()),
            input_tokens: Some(input_tokens),
            latency_ms: Some(latency_ms),
            ..Invocation::new(time(1), Uuid::from_u128(1))
        }
    }

    fn points(histograms: &Histograms, name: &str, now: i64) -> Vec<HistogramDataPoint> {
        let request = histograms.export(&Sender::default(), time(now));
        let metrics =
            request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics);
        let found = metrics.filter(|metric| metric.name == name).filter_map(|metric| metric.data);
        let data = found.map(|data| match data {
            Data::Histogram(histogram) => histogram.data_points,
            other => panic!("{other:?}"),
        });
        data.flatten().collect()
    }

    #[test]
    fn values_are_in_the_buckets_of_the_conventions() {
        let mut histograms = Histograms::new(Temporality::Cumulative, time(0));
        histograms.add(&[record("m", 1, 10.0), record("m", 2, 10.1), record("m", 100_000_000, 100_000.0)]);
        let [tokens] = &points(&histograms, "gen_ai.client.token.usage", 60)[..] else { panic!("one series") };
        assert_eq!((tokens.count, tokens.sum, tokens.max), (3, Some(100_000_003.0), Some(100_000_000.0)));
        assert_eq!((tokens.bucket_counts[0], tokens.bucket_counts[1], tokens.bucket_counts[14]), (1, 1, 1));
        assert_eq!(tokens.explicit_bounds.len() + 1, tokens.bucket_counts.len());
        let [durations] = &points(&histograms, "gen_ai.client.operation.duration", 60)[..] else { panic!("one series") };
        assert_eq!((durations.bucket_counts[0], durations.bucket_counts[1], durations.bucket_counts[14]), (1, 1, 1));
        assert_eq!((durations.start_time_unix_nano, durations.time_unix_nano), (0, 60_000_000_000));
    }

    #[test]
    fn cumulative_numbers_go_on_and_deltas_begin_anew() {
        for (temporality, second) in [(Temporality::Cumulative, (2, 0)), (Temporality::Delta, (1, 60))] {
            let mut histograms = Histograms::new(temporality, time(0));
            histograms.add(&[record("m", 1, 1.0)]);
            assert!(histograms.has_news());
            histograms.sent(time(60));
            assert!(!histograms.has_news());
            histograms.add(&[record("m", 1, 1.0)]);
            let [tokens] = &points(&histograms, "gen_ai.client.token.usage", 120)[..] else { panic!("one series") };
            assert_eq!((tokens.count, tokens.start_time_unix_nano / 1_000_000_000), second);
        }
    }

    #[test]
    fn series_are_bounded_whatever_comes() {
        let mut histograms = Histograms::new(Temporality::Cumulative, time(0));
        for number in 0..5000 {
            histograms.add(&[record(&format!("model-{number}"), 1, 1.0)]);
        }
        let points = points(&histograms, "gen_ai.client.token.usage", 1);
        assert_eq!(points.len(), MAX_SERIES);
        let counts: Vec<u64> = points.iter().map(|point| point.count).filter(|count| *count > 1).collect();
        assert_eq!(counts, [5000 - MAX_SERIES as u64 + 1]);
    }
}
