//! What a server counts, in the text form of Prometheus.

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::invocation_metrics::InvocationMetrics;

/// Upper bounds of the classes of latency, in seconds: a remembered object takes tens of microseconds, a deploy seconds.
const SECONDS: [f64; 14] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1., 5., 30.];

/// Counters of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    /// Requests under way.
    pub(crate) in_flight: IntGauge,
    /// Open connections.
    pub(crate) connections: IntGauge,
    /// Handshakes that failed.
    pub(crate) failed_handshakes: IntCounter,
    /// Objects that were remembered when they were asked for.
    pub(crate) cache_hits: IntCounter,
    /// Objects that were not.
    pub(crate) cache_misses: IntCounter,
    /// Invocations that are on the disk.
    pub(crate) recorded: IntCounter,
    /// Invocations that the lake had not, and has now.
    pub(crate) shipped: IntCounter,
    /// Invocations that the lake had already: they were sent twice, or shipped again after a crash.
    pub(crate) shipped_again: IntCounter,
    /// Spans that were no call of a model.
    pub(crate) spans_ignored: IntCounter,
    /// Spans of calls that could not be recorded.
    pub(crate) spans_rejected: IntCounter,
    /// Times that the lake did not take what it was given.
    pub(crate) shipping_failures: IntCounter,
    /// Bytes of invocations on the disk that the lake does not have.
    pub(crate) spooled_bytes: IntGauge,
    /// What was recorded, by prompt.
    pub(crate) invocations: InvocationMetrics,
    cache_bytes: IntGauge,
    cache_objects: IntGauge,
    /// Objects that were read from the store to be shown.
    pub(crate) store_reads: IntCounter,
    /// Those reads that failed.
    pub(crate) store_failures: IntCounter,
}

impl Metrics {
    /// Makes them, all at zero.
    ///
    /// # Errors
    /// When a name or label here is wrong, which the tests would show.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(format!("promptops_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(format!("promptops_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let requests = IntCounterVec::new(
            Opts::new("promptops_http_requests_total", "Requests answered, by method, route and status."),
            &["method", "route", "status"],
        )?;
        let options = HistogramOpts::new("promptops_http_request_seconds", "Time from the head of a request to its answer.");
        let seconds = HistogramVec::new(options.buckets(SECONDS.to_vec()), &["route"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self {
            in_flight: gauge("http_requests_in_flight", "Requests under way.")?,
            connections: gauge("http_connections", "Open connections.")?,
            failed_handshakes: counter("tls_failed_handshakes_total", "TLS handshakes that failed.")?,
            cache_hits: counter("object_cache_hits_total", "Objects that were remembered when they were asked for.")?,
            cache_misses: counter("object_cache_misses_total", "Objects that were not remembered when they were asked for.")?,
            recorded: counter("invocations_recorded_total", "Invocations that are on the disk.")?,
            shipped: counter("invocations_shipped_total", "Invocations that the lake had not, and has now.")?,
            shipped_again: counter("invocations_shipped_again_total", "Invocations that the lake had already.")?,
            spans_ignored: counter("otlp_spans_ignored_total", "Spans that were no call of a model.")?,
            spans_rejected: counter("otlp_spans_rejected_total", "Spans of calls that could not be recorded.")?,
            shipping_failures: counter("lake_failures_total", "Times that the lake did not take what it was given.")?,
            spooled_bytes: gauge("invocations_spooled_bytes", "Bytes of invocations on the disk that the lake does not have.")?,
            cache_bytes: gauge("object_cache_bytes", "Bytes of remembered objects.")?,
            cache_objects: gauge("object_cache_objects", "Remembered objects.")?,
            store_reads: counter("store_object_reads_total", "Objects read from the store to be shown.")?,
            store_failures: counter("store_object_read_failures_total", "Reads of objects to be shown that failed.")?,
            invocations: InvocationMetrics::new(&registry)?,
            registry,
            requests,
            seconds,
        })
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, method: &str, route: &str, status: &str, seconds: f64) {
        self.requests.with_label_values(&[method, route, status]).inc();
        let histogram: Histogram = self.seconds.with_label_values(&[route]);
        histogram.observe(seconds);
    }

    /// Writes all of them.
    pub(crate) fn text(&self, cache_held: (u64, usize)) -> Vec<u8> {
        self.cache_bytes.set(i64::try_from(cache_held.0).unwrap_or(i64::MAX));
        self.cache_objects.set(i64::try_from(cache_held.1).unwrap_or(i64::MAX));
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("memory can be written, and every metric has a name");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_written() {
        let metrics = Metrics::new().unwrap();
        metrics.answered("GET", "/v1/objects/{key}", "200", 0.000_2);
        metrics.answered("GET", "/v1/objects/{key}", "200", 20.);
        let text = String::from_utf8(metrics.text((1_024, 3))).unwrap();
        for line in [
            "promptops_http_requests_total{method=\"GET\",route=\"/v1/objects/{key}\",status=\"200\"} 2",
            "promptops_http_request_seconds_bucket{route=\"/v1/objects/{key}\",le=\"0.00025\"} 1",
            "promptops_http_request_seconds_count{route=\"/v1/objects/{key}\"} 2",
            "promptops_object_cache_bytes 1024",
            "promptops_object_cache_objects 3",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
