//! Records to OpenTelemetry: spans as they come, histograms from time to time.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use promptops_store::{Connection, Post, StoreOptions};
use promptops_telemetry::Invocation;
use promptops_telemetry::sink::otlp::{Histograms, Sender, export_spans};
use promptops_telemetry::sink::{Carrier, Occasion, Patience};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};

use super::otlp_settings::{ExportSettings, OtlpSettings};
use super::retry::{Retry, Sent, Tell};
use crate::settings::Clock;

/// Exports records as spans and as histograms.
///
/// Spans that are not taken are sent again, as the protocol says, and those that came later wait. Histograms are not: what they count is
/// in the next ones too.
pub(crate) struct OtlpCarrier {
    settings: OtlpSettings,
    sender: Sender,
    store_options: StoreOptions,
    runtime: Option<Runtime>,
    /// Opened by the first batch.
    traces: Option<Exporter>,
    metrics: Option<Exporter>,
    histograms: Histograms,
    metrics_due: Option<Instant>,
    clock: Clock,
    trace_retry: Retry,
    metric_retry: Retry,
}

/// What carries one signal.
enum Exporter {
    Http { connection: Connection, path: String, headers: Vec<(String, String)>, is_zipped: bool, patience: Duration },
    Grpc { channel: Channel, metadata: MetadataMap, is_zipped: bool, patience: Duration },
}

/// A request of one signal, and how it is sent and answered.
trait Export: Message + Clone {
    type Answer: Message + Default;

    /// Asks the service of the signal.
    async fn call(channel: Channel, is_zipped: bool, request: Request<Self>) -> Result<Response<Self::Answer>, Status>;

    /// Returns how much of the request was not taken, where the answer says so.
    fn rejected(answer: Self::Answer) -> Option<i64>;

    /// Returns how much of the request was not taken, where the body of an answer says so.
    fn rejected_in(body: &[u8]) -> Option<i64> {
        Self::rejected(Self::Answer::decode(body).ok()?)
    }
}

impl Export for ExportTraceServiceRequest {
    type Answer = ExportTraceServiceResponse;

    async fn call(channel: Channel, is_zipped: bool, request: Request<Self>) -> Result<Response<Self::Answer>, Status> {
        let client = TraceServiceClient::new(channel);
        let mut client = if is_zipped { client.send_compressed(CompressionEncoding::Gzip) } else { client };
        client.export(request).await
    }

    fn rejected(answer: Self::Answer) -> Option<i64> {
        answer.partial_success.map(|partial| partial.rejected_spans)
    }
}

impl Export for ExportMetricsServiceRequest {
    type Answer = ExportMetricsServiceResponse;

    async fn call(channel: Channel, is_zipped: bool, request: Request<Self>) -> Result<Response<Self::Answer>, Status> {
        let client = MetricsServiceClient::new(channel);
        let mut client = if is_zipped { client.send_compressed(CompressionEncoding::Gzip) } else { client };
        client.export(request).await
    }

    fn rejected(answer: Self::Answer) -> Option<i64> {
        answer.partial_success.map(|partial| partial.rejected_data_points)
    }
}

impl OtlpCarrier {
    pub(crate) fn new(settings: OtlpSettings, store_options: StoreOptions, clock: Clock, tell: &Tell) -> Self {
        let sender = Sender { resource: settings.resource.clone(), generation: settings.generation };
        let histograms = Histograms::new(settings.temporality, clock());
        Self {
            settings,
            sender,
            store_options,
            runtime: None,
            traces: None,
            metrics: None,
            histograms,
            metrics_due: None,
            clock,
            trace_retry: Retry::new(Tell::clone(tell)),
            metric_retry: Retry::new(Tell::clone(tell)),
        }
    }

    /// Opens what is not open yet.
    fn prepare(&mut self) -> Result<(), String> {
        if self.runtime.is_none() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            self.runtime = Some(runtime.map_err(|error| error.to_string())?);
        }
        let Some(runtime) = &self.runtime else { return Ok(()) };
        // A channel belongs to the runtime that it is made in.
        let _entered = runtime.enter();
        let open = |settings: &ExportSettings| Exporter::open(settings, &self.store_options);
        if let (None, Some(settings)) = (&self.traces, &self.settings.traces) {
            self.traces = Some(open(settings)?);
        }
        if let (None, Some(settings)) = (&self.metrics, &self.settings.metrics) {
            self.metrics = Some(open(settings)?);
        }
        Ok(())
    }

    /// Sends a request of one signal; where the settings do not name that signal, there is nobody to take it.
    fn send<E: Export>(&self, request: &E, exporter: Option<&Exporter>, deadline: Option<Instant>) -> Sent {
        let (Some(runtime), Some(exporter)) = (&self.runtime, exporter) else { return Sent::Taken { rejected: 0 } };
        let patience = exporter.patience(deadline);
        runtime.block_on(async {
            match exporter {
                Exporter::Http { .. } => exporter.post(request.encode_to_vec(), patience, E::rejected_in).await,
                Exporter::Grpc { channel, is_zipped, .. } => {
                    let request = exporter.request(request.clone());
                    let answer = tokio::time::timeout(patience, E::call(channel.clone(), *is_zipped, request)).await;
                    sent(answer, E::rejected)
                }
            }
        })
    }

    /// Sends the histograms. They are not records, so nothing is counted as lost when they are not taken.
    fn export_metrics(&mut self, patience: &Patience<'_>) {
        self.metrics_due = None;
        if self.settings.metrics.is_none() || !self.histograms.has_news() {
            return;
        }
        let now = (self.clock)();
        let request = self.histograms.export(&self.sender, now);
        match self.send(&request, self.metrics.as_ref(), patience.deadline()) {
            Sent::Taken { .. } => {
                self.histograms.sent(now);
                self.metric_retry.succeeded();
            }
            Sent::Refused { reason, .. } => {
                // Asking again would not help, and what was counted would grow.
                self.histograms.sent(now);
                self.metric_retry.failed(format!("metrics are lost: {reason}"));
            }
            Sent::Later { reason, .. } => {
                self.metric_retry.failed(format!("metrics wait: {reason}"));
                self.metrics_due = Some(Instant::now() + self.settings.metrics_interval);
            }
        }
    }
}

impl Carrier for OtlpCarrier {
    fn carry(&mut self, batch: &[Invocation], patience: &Patience<'_>) -> u64 {
        if let Err(reason) = self.prepare() {
            self.trace_retry.failed(format!("records are lost: {reason}"));
            return batch.len() as u64;
        }
        self.histograms.add(batch);
        if self.metrics_due.is_none() && self.settings.metrics.is_some() {
            self.metrics_due = Some(Instant::now() + self.settings.metrics_interval);
        }
        if self.settings.traces.is_none() {
            return 0;
        }
        let request = export_spans(batch, &self.sender);
        loop {
            match self.send(&request, self.traces.as_ref(), patience.deadline()) {
                Sent::Taken { rejected } => {
                    self.trace_retry.succeeded();
                    return rejected;
                }
                Sent::Refused { reason, .. } => {
                    self.trace_retry.failed(format!("records are lost: {reason}"));
                    return batch.len() as u64;
                }
                Sent::Later { reason, pause } => {
                    self.trace_retry.failed(format!("records wait: {reason}"));
                    let pause = self.trace_retry.next_pause(pause);
                    if !patience.pause(pause) {
                        return batch.len() as u64;
                    }
                }
            }
        }
    }

    fn settle(&mut self, _: Occasion, patience: &Patience<'_>) -> u64 {
        self.export_metrics(patience);
        0
    }

    fn due(&self) -> Option<Instant> {
        self.metrics_due
    }
}

impl Exporter {
    fn open(settings: &ExportSettings, store_options: &StoreOptions) -> Result<Self, String> {
        let ExportSettings { url, is_zipped, patience, .. } = settings;
        let (is_zipped, patience) = (*is_zipped, *patience);
        if settings.is_grpc {
            let channel = channel(url, settings.certificates.as_deref(), &store_options.base_dir)?;
            let mut metadata = MetadataMap::new();
            for (name, value) in &settings.headers {
                let unfit = || format!("a header of OTLP cannot be sent: `{name}`");
                let key = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes()).map_err(|_| unfit())?;
                metadata.insert(key, MetadataValue::try_from(value.as_str()).map_err(|_| unfit())?);
            }
            return Ok(Self::Grpc { channel, metadata, is_zipped, patience });
        }
        // The key of our own server is nobody else's; what is trusted is a setting of OpenTelemetry's.
        let kept = |(name, _): &(&String, &String)| !name.starts_with("PROMPTOPS_");
        let mut own: BTreeMap<String, String> =
            store_options.settings.iter().filter(kept).map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(file) = &settings.certificates {
            own.insert("PROMPTOPS_CA_FILE".to_owned(), file.to_string_lossy().into_owned());
        }
        let (base, path) = url.rsplit_once('/').filter(|(base, _)| !base.ends_with('/')).unwrap_or((url, ""));
        let options = StoreOptions { base_dir: store_options.base_dir.clone(), settings: own };
        let connection = Connection::open(base, &options).map_err(|error| error.to_string())?;
        let mut headers = settings.headers.clone();
        headers.push(("content-type".to_owned(), "application/x-protobuf".to_owned()));
        if is_zipped {
            headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        }
        Ok(Self::Http { connection, path: path.to_owned(), headers, is_zipped, patience })
    }

    fn patience(&self, deadline: Option<Instant>) -> Duration {
        let (Self::Http { patience, .. } | Self::Grpc { patience, .. }) = self;
        deadline.map_or(*patience, |deadline| deadline.saturating_duration_since(Instant::now()).min(*patience))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Self::Grpc { metadata, .. } = self {
            *request.metadata_mut() = metadata.clone();
        }
        request
    }

    /// Posts a message once; `rejected` reads out of the answer how much was not taken.
    async fn post(&self, message: Vec<u8>, patience: Duration, rejected: impl Fn(&[u8]) -> Option<i64>) -> Sent {
        let Self::Http { connection, path, headers, is_zipped, .. } = self else { return Sent::Taken { rejected: 0 } };
        let body = if *is_zipped { zipped(&message) } else { message };
        match connection.post_once(Post { path, headers, body: body.into(), patience }).await {
            Ok((answer, pause)) => {
                let reason = format!("the receiver answered {}", answer.status);
                match answer.status {
                    200..300 => {
                        let rejected = rejected(&answer.body).and_then(|count| u64::try_from(count).ok());
                        Sent::Taken { rejected: rejected.unwrap_or(0) }
                    }
                    429 | 502 | 503 | 504 => Sent::Later { reason, pause },
                    _ => Sent::Refused { reason, fewer_may_pass: false },
                }
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Sent::Later { reason: cause, pause: None }
            }
        }
    }
}

/// Prepares a connection, which is made by the first request.
fn channel(url: &str, certificates: Option<&Path>, base_dir: &Path) -> Result<Channel, String> {
    let invalid = |error: tonic::transport::Error| format!("the endpoint of OTLP cannot be used ({error}): `{url}`");
    let mut endpoint = Endpoint::from_shared(url.to_owned()).map_err(invalid)?.connect_timeout(Duration::from_secs(10));
    if url.starts_with("https://") {
        let tls = match certificates {
            None => ClientTlsConfig::new().with_native_roots(),
            Some(file) => {
                let unreadable = |error| format!("the certificates of OTLP cannot be read ({error}): `{}`", file.display());
                let pem = std::fs::read(base_dir.join(file)).map_err(unreadable)?;
                ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
            }
        };
        endpoint = endpoint.tls_config(tls).map_err(invalid)?;
    }
    Ok(endpoint.connect_lazy())
}

/// Sorts an answer over gRPC as the protocol says.
fn sent<T>(
    answer: Result<Result<Response<T>, Status>, tokio::time::error::Elapsed>,
    rejected: impl Fn(T) -> Option<i64>,
) -> Sent {
    match answer {
        Ok(Ok(response)) => {
            let rejected = rejected(response.into_inner()).and_then(|count| u64::try_from(count).ok());
            Sent::Taken { rejected: rejected.unwrap_or(0) }
        }
        Ok(Err(status)) => {
            let reason = format!("the receiver answered {:?}: {}", status.code(), status.message());
            let pause = retry_delay(&status);
            let is_temporary = matches!(
                status.code(),
                Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss
            );
            if is_temporary || (status.code() == Code::ResourceExhausted && pause.is_some()) {
                Sent::Later { reason, pause }
            } else {
                Sent::Refused { reason, fewer_may_pass: false }
            }
        }
        Err(_) => Sent::Later { reason: "the receiver did not answer in time".to_owned(), pause: None },
    }
}

/// Reads after how long a receiver wants to be asked again: `google.rpc.RetryInfo` among the details of a status.
fn retry_delay(status: &Status) -> Option<Duration> {
    let details = RpcStatus::decode(status.details()).ok()?.details;
    let info = details.into_iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?))
}

/// `google.rpc.Status`, as far as it is read.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<RpcDetail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct RpcDetail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<RetryDelay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct RetryDelay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn zipped(message: &[u8]) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(message).expect("memory takes whatever is written");
    zip.finish().expect("memory takes whatever is written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_receiver_that_says_when_is_asked_again_when_it_is_exhausted() {
        let answer = |status: Status| sent::<()>(Ok(Err(status)), |()| None);
        assert!(matches!(answer(Status::unavailable("down")), Sent::Later { pause: None, .. }));
        assert!(matches!(answer(Status::invalid_argument("no")), Sent::Refused { .. }));
        assert!(matches!(answer(Status::resource_exhausted("full")), Sent::Refused { .. }));
        let info = RetryInfo { retry_delay: Some(RetryDelay { seconds: 3, nanos: 5 }) };
        let detail = RpcDetail { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info.encode_to_vec() };
        let details = RpcStatus { details: vec![detail] }.encode_to_vec();
        let exhausted = Status::with_details(Code::ResourceExhausted, "full", details.into());
        let Sent::Later { pause, .. } = answer(exhausted) else { panic!("asked again") };
        assert_eq!(pause, Some(Duration::new(3, 5)));
    }
}
