//! Connections: accepted, encrypted where there is a certificate, and ended in order.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use promptops_registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::guard::Peer;
use crate::mcp::AgentsError;
use crate::routes;
use crate::settings::Settings;
use crate::state::{ServerState, Shared};
use crate::tls::HTTP2;

/// Pause after a connection could not be accepted, for instance because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What HTTP/2 begins with where nothing was agreed on before; no request of HTTP/1 does.
const PREFACE: &[u8; 3] = b"PRI";
/// Pause before a beginning of a byte or two is looked at again.
const PREFACE_PAUSE: Duration = Duration::from_millis(1);
/// Requests at the same time on one connection of HTTP/2.
const STREAMS: u32 = 256;
/// Bytes of the head of a request of HTTP/2.
const HEAD_BYTES: u32 = 16 << 10;
/// How long a connection of HTTP/2 may be silent before it is asked whether anybody is there, and how long for an answer.
const SILENCE: Duration = Duration::from_secs(60);
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// How long a connection of HTTP/2 without requests stays open after the server has said on it that it shuts down.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The counters could not be made. This is a bug.
    #[error("cannot make the metrics")]
    Metrics(#[from] prometheus::Error),
    /// The log of invocations cannot be opened.
    #[error("cannot open the log of invocations")]
    Log(#[from] promptops_telemetry::ingest::SegmentError),
    /// Agents cannot be served.
    #[error(transparent)]
    Agents(#[from] AgentsError),
}

/// Serves a registry, and agents where the settings say so, on `listener` until `shutdown` completes.
///
/// Then no connection is accepted any more, requests under way are finished (for as long as
/// [`Limits::drain_time`](crate::Limits::drain_time) allows), and everything that writes is done to its end.
///
/// # Errors
/// [`ServeError`]. A bad request or a broken connection is never one.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let acceptor = settings.tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
    let state: Shared = Arc::new(ServerState::new(registry, settings)?);
    let router = routes::router(&state);
    let shipping = state.recording.is_some().then(|| {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            if let Some(recording) = &state.recording {
                recording.ship().await;
            }
        })
    });
    let connections = GracefulShutdown::new();
    let (draining, told) = watch::channel(false);
    let places = Arc::new(Semaphore::new(state.settings.limits.connections));
    tokio::pin!(shutdown);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let (acceptor, draining) = (acceptor.clone(), told.clone());
        let connection = Connection { state: Arc::clone(&state), router: router.clone(), acceptor, peer, draining };
        let watcher = connections.watcher();
        tokio::spawn(async move {
            connection.serve(stream, watcher).await;
            drop(place);
        });
    }
    drop(listener);
    state.is_draining.store(true, Ordering::Release);
    draining.send_replace(true);
    tracing::info!("shutting down");
    if let Some(agents) = &state.agents {
        // Their streams last until somebody ends them.
        agents.close();
    }
    let limit = state.settings.limits.drain_time;
    if tokio::time::timeout(limit, connections.shutdown()).await.is_err() {
        tracing::warn!(seconds = limit.as_secs(), "requests were cut off: they took longer than the server waits");
    }
    state.writes_ended().await;
    if let (Some(recording), Some(shipping)) = (&state.recording, shipping) {
        recording.tell_to_end();
        // It ends with what it is at; when it panicked, what it did not ship is shipped now or by the next process.
        let _ = shipping.await;
        recording.end().await;
    }
    Ok(())
}

struct Connection {
    state: Shared,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    peer: SocketAddr,
    /// Turns true when the server shuts down.
    draining: watch::Receiver<bool>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, watcher: Watcher) {
        // Answers are small and whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&self.state);
        state.metrics.connections.inc();
        match self.acceptor.clone() {
            None => match tokio::time::timeout(state.settings.limits.header_time, begins_as_http2(&stream)).await {
                Ok(Ok(true)) => self.answer_http2(stream, watcher).await,
                Ok(Ok(false)) => self.answer(stream, watcher).await,
                // Nobody said anything.
                Ok(Err(_)) | Err(_) => {}
            },
            Some(acceptor) => match tokio::time::timeout(state.settings.limits.header_time, acceptor.accept(stream)).await {
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => self.answer_http2(stream, watcher).await,
                Ok(Ok(stream)) => self.answer(stream, watcher).await,
                failed => {
                    state.metrics.failed_handshakes.inc();
                    let error = failed.map_or_else(
                        |_| "it took too long".to_owned(),
                        |failed| match failed {
                            Ok(_) => String::new(),
                            Err(error) => error.to_string(),
                        },
                    );
                    tracing::debug!(peer = %self.peer, error, "a TLS handshake failed");
                }
            },
        }
        state.metrics.connections.dec();
    }

    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, watcher: Watcher) {
        let Self { state, router, peer, .. } = self;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().call(request)
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(state.settings.limits.header_time).half_close(true);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "a connection broke");
        }
    }

    async fn answer_http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, watcher: Watcher) {
        let Self { router, peer, draining, .. } = self;
        let under_way = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&under_way);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let counted = Counted::new(&counted);
            let answer = router.clone().call(request);
            async move { answer.await.map(|answer| answer.map(|body| CountedBody { body, _counted: counted })) }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(HEAD_BYTES);
        builder.keep_alive_interval(SILENCE).keep_alive_timeout(ANSWER_TIME);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            ended = watcher.watch(connection) => if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection broke");
            },
            // A client that only looks at its connection when it sends something never hears that the server ends.
            () = left_alone(draining, &under_way) => tracing::debug!(%peer, "a connection without requests was closed"),
        }
    }
}

/// Completes when the server shuts down and nothing was under way on a connection for a while.
async fn left_alone(mut draining: watch::Receiver<bool>, under_way: &AtomicUsize) {
    if draining.wait_for(|is_draining| *is_draining).await.is_err() {
        // The server is gone, and with it whoever waits for its connections.
        return;
    }
    loop {
        tokio::time::sleep(FAREWELL).await;
        if under_way.load(Ordering::Acquire) == 0 {
            return;
        }
    }
}

/// Counts a request until its answer was sent whole or nobody waits for it.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer that is counted.
struct CountedBody {
    body: Body,
    _counted: Counted,
}

impl hyper::body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Tells whether a connection begins as HTTP/2 does, without taking anything of it.
async fn begins_as_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 || !PREFACE.starts_with(&first[..length]) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        // What was looked at stays there, so nothing says that there is more.
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}
