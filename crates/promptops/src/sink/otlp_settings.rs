//! The standard variables of OpenTelemetry's exporters, as far as they apply.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use promptops_telemetry::sink::otlp::{Generation, Temporality};

use crate::destination::OtlpAddress;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// Its part of the names of variables.
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }

    /// Its path below the URL that all signals share.
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
        }
    }
}

/// How one signal is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportSettings {
    pub(crate) is_grpc: bool,
    /// The whole URL; over gRPC without a path.
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) patience: Duration,
    pub(crate) is_zipped: bool,
    /// PEM file of the certificates that are trusted in place of the system's.
    pub(crate) certificates: Option<PathBuf>,
}

/// What is exported, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OtlpSettings {
    /// Nothing for a signal that is switched off.
    pub(crate) traces: Option<ExportSettings>,
    pub(crate) metrics: Option<ExportSettings>,
    pub(crate) temporality: Temporality,
    pub(crate) metrics_interval: Duration,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) generation: Generation,
}

impl OtlpSettings {
    /// Reads the variables; `address` counts before the endpoint and the protocol that they name.
    ///
    /// # Errors
    /// What makes no sense, and why.
    pub(crate) fn read(variables: &BTreeMap<String, String>, address: Option<&OtlpAddress>) -> Result<Self, String> {
        let reader = Reader { variables };
        let generations = reader.get("OTEL_SEMCONV_STABILITY_OPT_IN").unwrap_or_default();
        let is_latest = generations.split(',').any(|opted| opted.trim() == "gen_ai_latest_experimental");
        let preference = reader.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE").unwrap_or("cumulative");
        let temporality = match preference.to_ascii_lowercase().as_str() {
            "cumulative" => Temporality::Cumulative,
            // Of histograms both say the same.
            "delta" | "lowmemory" => Temporality::Delta,
            _ => return Err(reader.wrong("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)),
        };
        Ok(Self {
            traces: reader.export(Signal::Traces, address)?,
            metrics: reader.export(Signal::Metrics, address)?,
            temporality,
            metrics_interval: reader.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
            resource: reader.get("OTEL_RESOURCE_ATTRIBUTES").map(pairs).unwrap_or_default(),
            generation: if is_latest { Generation::Latest } else { Generation::Released },
        })
    }
}

struct Reader<'a> {
    variables: &'a BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Reads what may be said of one signal, else what is said of all.
    fn of_signal(&self, signal: Signal, what: &str) -> Option<&'a str> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name());
        self.get(&own).or_else(|| self.get(&format!("OTEL_EXPORTER_OTLP_{what}")))
    }

    fn wrong(&self, name: &str, value: &str) -> String {
        format!("{name} has a value without meaning: `{value}`")
    }

    fn milliseconds(&self, name: &str, usual: u64) -> Result<Duration, String> {
        let Some(value) = self.get(name) else { return Ok(Duration::from_millis(usual)) };
        value.parse().map(Duration::from_millis).map_err(|_| self.wrong(name, value))
    }

    fn export(&self, signal: Signal, address: Option<&OtlpAddress>) -> Result<Option<ExportSettings>, String> {
        if self.get(&format!("OTEL_{}_EXPORTER", signal.name())) == Some("none") {
            return Ok(None);
        }
        let protocol = self.of_signal(signal, "PROTOCOL").unwrap_or("http/protobuf");
        let is_grpc = match (address, protocol) {
            (Some(address), _) => address.is_grpc,
            (None, "grpc") => true,
            (None, "http/protobuf") => false,
            (None, other) => return Err(format!("OTLP is spoken as `grpc` or `http/protobuf`, not as `{other}`")),
        };
        let compression = self.of_signal(signal, "COMPRESSION").unwrap_or("none");
        let is_zipped = match compression {
            "none" => false,
            "gzip" => true,
            other => return Err(self.wrong("OTEL_EXPORTER_OTLP_COMPRESSION", other)),
        };
        let timeout = format!("OTEL_EXPORTER_OTLP_{}_TIMEOUT", signal.name());
        let timeout = if self.get(&timeout).is_some() { timeout } else { "OTEL_EXPORTER_OTLP_TIMEOUT".to_owned() };
        Ok(Some(ExportSettings {
            is_grpc,
            url: self.url(signal, is_grpc, address)?,
            headers: self.of_signal(signal, "HEADERS").map(pairs).unwrap_or_default(),
            patience: self.milliseconds(&timeout, 10_000)?,
            is_zipped,
            certificates: self.of_signal(signal, "CERTIFICATE").map(PathBuf::from),
        }))
    }

    fn url(&self, signal: Signal, is_grpc: bool, address: Option<&OtlpAddress>) -> Result<String, String> {
        let own = self.get(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.name())).filter(|_| address.is_none());
        let usual = if is_grpc { "http://localhost:4317" } else { "http://localhost:4318" };
        let shared = address.map(|address| address.url.as_str()).or_else(|| self.get("OTEL_EXPORTER_OTLP_ENDPOINT"));
        let url = own.or(shared).unwrap_or(usual);
        // Over gRPC an endpoint may be written without a scheme; whether it is encrypted is then a setting of its own.
        let url = match (is_grpc, url.contains("://")) {
            (true, false) => {
                let is_insecure = self.of_signal(signal, "INSECURE").is_some_and(|value| value.eq_ignore_ascii_case("true"));
                format!("{}://{url}", if is_insecure { "http" } else { "https" })
            }
            _ => url.to_owned(),
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("the endpoint of OTLP begins with `http://` or `https://`: `{url}`"));
        }
        // The endpoint of one signal is used as it stands.
        Ok(if is_grpc || own.is_some() { url } else { format!("{}/{}", url.trim_end_matches('/'), signal.path()) })
    }
}

/// Reads `name=value,name=value`, with values percent-encoded.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = pairs.map(|(name, value)| (name.trim(), percent_decode_str(value.trim()).decode_utf8_lossy().into_owned()));
    decoded.filter(|(name, _)| !name.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<OtlpSettings, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        OtlpSettings::read(&variables, None)
    }

    #[test]
    fn without_variables_it_is_the_collector_on_this_machine() {
        let settings = read(&[]).unwrap();
        let traces = settings.traces.unwrap();
        assert_eq!((traces.url.as_str(), traces.is_grpc, traces.is_zipped), ("http://localhost:4318/v1/traces", false, false));
        assert_eq!((traces.patience, settings.metrics_interval), (Duration::from_secs(10), Duration::from_secs(60)));
        assert_eq!(settings.metrics.unwrap().url, "http://localhost:4318/v1/metrics");
        assert_eq!((settings.temporality, settings.generation), (Temporality::Cumulative, Generation::Released));
        let grpc = read(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap().traces.unwrap();
        assert_eq!((grpc.url.as_str(), grpc.is_grpc), ("http://localhost:4317", true));
    }

    #[test]
    fn what_is_said_of_a_signal_counts_before_what_is_said_of_all() {
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/base/"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/as/is"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a%3Db, x-team = data ,bad"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=b"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "900"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=data,host.name=a"),
            ("OTEL_SEMCONV_STABILITY_OPT_IN", "http, gen_ai_latest_experimental"),
        ])
        .unwrap();
        let (traces, metrics) = (settings.traces.unwrap(), settings.metrics.unwrap());
        assert_eq!((traces.url.as_str(), metrics.url.as_str()), ("https://traces/as/is", "https://collector/base/v1/metrics"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(traces.headers, [pair("authorization", "Bearer a=b"), pair("x-team", "data")]);
        assert_eq!(metrics.headers, [pair("a", "b")]);
        assert_eq!((traces.patience.as_millis(), metrics.patience.as_millis()), (500, 900));
        assert!(traces.is_zipped && traces.certificates == Some("ca.pem".into()));
        assert_eq!((settings.temporality, settings.metrics_interval.as_secs()), (Temporality::Delta, 5));
        assert_eq!(settings.resource, [pair("team", "data"), pair("host.name", "a")]);
        assert_eq!(settings.generation, Generation::Latest);
    }

    #[test]
    fn an_address_of_ours_counts_before_all_of_them() {
        let address = OtlpAddress { is_grpc: true, url: "https://there:4317".into() };
        let variables =
            [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://elsewhere"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let traces = OtlpSettings::read(&variables, Some(&address)).unwrap().traces.unwrap();
        assert_eq!((traces.url.as_str(), traces.is_grpc), ("https://there:4317", true));
    }

    #[test]
    fn a_grpc_endpoint_needs_no_scheme() {
        let bare = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")];
        assert_eq!(read(&bare).unwrap().traces.unwrap().url, "https://collector:4317");
        let insecure = [bare[0], bare[1], ("OTEL_EXPORTER_OTLP_INSECURE", "true")];
        assert_eq!(read(&insecure).unwrap().traces.unwrap().url, "http://collector:4317");
    }

    #[test]
    fn what_makes_no_sense_is_named_and_a_signal_can_be_switched_off() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "br"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
        ] {
            let reason = read(&[(name, value)]).unwrap_err();
            assert!(reason.contains(value), "{name}: {reason}");
        }
        let settings = read(&[("OTEL_METRICS_EXPORTER", "none")]).unwrap();
        assert!(settings.metrics.is_none() && settings.traces.is_some());
    }
}
