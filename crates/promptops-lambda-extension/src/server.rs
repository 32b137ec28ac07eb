//! Connections on loopback.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use promptops::Loader;
use tokio::net::TcpListener;

use crate::routes;

/// The port, unless another is set: the next after those of AWS's own extensions for parameters and secrets.
pub const DEFAULT_PORT: u16 = 2774;
/// Pause after a connection could not be accepted, for instance because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Opens the port on loopback; 0 takes a free one.
///
/// # Errors
/// What the system says, mostly that another program has the port.
pub async fn open(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Answers requests until the future is dropped. A bad request or a broken connection ends nothing but itself.
pub async fn serve(listener: TcpListener, loader: Arc<Loader>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Answers are small and whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let loader = Arc::clone(&loader);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let loader = Arc::clone(&loader);
                async move { Ok::<_, Infallible>(routes::answer(request, &loader).await) }
            });
            // A peer that went away is no concern of anybody else's.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
