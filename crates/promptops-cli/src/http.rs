//! Serving over HTTP: who is let in, limits, certificate, log, and an end in order. For every command that does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use clap::{Args, ValueEnum};
use promptops_registry::Registry;
use promptops_server::{Access, Limits, Settings, TlsIdentity};
use tokio::net::TcpListener;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;

/// How something is served over HTTP.
#[derive(Debug, Args)]
#[command(next_help_heading = "Over HTTP")]
pub struct HttpArguments {
    /// The certificate and those that lead to a known one, in PEM form.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM form.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy before this server encrypts and says in X-Forwarded-For who asks. Needed to listen beyond loopback without
    /// a certificate.
    #[arg(long, conflicts_with = "tls_cert")]
    behind_proxy: bool,
    /// Everybody may read, without a key.
    #[arg(long)]
    public_read: bool,
    /// Everybody may do everything in your name, without a key. On loopback only, for trying things out.
    #[arg(long, conflicts_with = "public_read")]
    trust_loopback: bool,
    /// Requests per second of one key, or of one address without a key; 0 for no limit.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000)]
    rate_limit: u32,
    /// Requests at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..))]
    max_requests: u32,
    /// Largest body of a request, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    max_body: u16,
    /// Memory for objects that were read, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    cache: u32,
    /// Seconds that requests under way have to end in when the server shuts down.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u16,
    /// Which requests to log on stderr.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    log: Log,
}

/// Which requests are logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Log {
    /// All of them, one line of JSON each.
    #[default]
    All,
    /// None; what goes wrong, refused keys, and when rules change.
    Events,
}

impl HttpArguments {
    /// Returns the settings of a server at an address that writes nothing, or refuses what would be unsafe there.
    pub fn settings(&self, address: SocketAddr, context: &Context, project: &Project) -> Outcome<Settings> {
        let tls = self.identity(context)?;
        let is_loopback = address.ip().is_loopback();
        if !is_loopback && tls.is_none() && !self.behind_proxy {
            let message = format!("`{address}` is reached by others, and keys would travel there in clear");
            return Err(Failure::new(Exit::Usage, message).hint(
                "give a certificate with `--tls-cert` and `--tls-key`, or say `--behind-proxy` when something before it has one",
            ));
        }
        let access = match (self.trust_loopback, self.public_read) {
            (true, _) if !is_loopback || self.behind_proxy => {
                return Err(Failure::new(Exit::Usage, "without keys a server is for loopback only")
                    .hint("make keys with `promptops key create`"));
            }
            (true, _) => Access::Trusted { actor: context.actor(project)? },
            (false, true) => Access::PublicRead,
            (false, false) => Access::Keys,
        };
        let limits = Limits {
            body_bytes: usize::from(self.max_body) << 20,
            requests_per_second: self.rate_limit,
            concurrent_requests: self.max_requests as usize,
            drain_time: Duration::from_secs(self.drain.into()),
            ..Limits::default()
        };
        Ok(Settings {
            access,
            limits,
            cache_bytes: u64::from(self.cache) << 20,
            is_behind_proxy: self.behind_proxy,
            tls,
            ..Settings::new(clock)
        })
    }

    fn identity(&self, context: &Context) -> Outcome<Option<TlsIdentity>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let (certificate, key) = (context.directory.join(certificate), context.directory.join(key));
        TlsIdentity::from_pem_files(&certificate, &key).map(Some).map_err(|error| Failure::from_error(Exit::Usage, error))
    }

    /// Returns the first option that says how to listen, where nothing does.
    pub fn misplaced(&self) -> Option<&'static str> {
        let given = [
            (self.tls_cert.is_some(), "--tls-cert"),
            (self.behind_proxy, "--behind-proxy"),
            (self.public_read, "--public-read"),
            (self.trust_loopback, "--trust-loopback"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }

    /// Begins to log requests and events on stderr.
    pub fn start_log(&self) {
        use tracing_subscriber::filter::{LevelFilter, Targets};
        use tracing_subscriber::prelude::*;

        let access = match self.log {
            Log::All => LevelFilter::INFO,
            Log::Events => LevelFilter::OFF,
        };
        let filter = Targets::new().with_target("access", access).with_target("promptops_server", LevelFilter::INFO);
        let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
        // A log that cannot be started is one that was started before, in the same process.
        let _ = tracing_subscriber::registry().with(lines.with_writer(std::io::stderr).with_filter(filter)).try_init();
    }
}

/// Begins to listen, and returns the URL at which that is.
pub async fn bind(address: SocketAddr, settings: &Settings) -> Outcome<(TcpListener, String)> {
    let unbound = |error: std::io::Error| {
        Failure::new(Exit::Unavailable, format!("cannot listen on `{address}`: {error}"))
            .hint("take another address with `--listen`; port 0 takes a free one")
    };
    let listener = TcpListener::bind(address).await.map_err(unbound)?;
    let bound = listener.local_addr().map_err(unbound)?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    Ok((listener, format!("{scheme}://{bound}")))
}

/// Says who is let in.
pub fn who(settings: &Settings) -> String {
    match &settings.access {
        Access::Keys => "with an API key".to_owned(),
        Access::PublicRead => "reading to everybody, writing with an API key".to_owned(),
        Access::Trusted { actor } => format!("to everybody on this machine in the name of {actor}"),
    }
}

/// Serves until `end`.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    settings: Settings,
    end: impl Future<Output = ()> + Send + 'static,
) -> Outcome<Exit> {
    let served = promptops_server::serve(listener, registry, settings, end).await;
    served.map_err(|error| Failure::from_error(Exit::Unavailable, error))?;
    Ok(Exit::Success)
}

/// Completes when the process is told to end, from the call of this function on: whoever reads that a server answers may end it at
/// once. To be called in a runtime.
pub fn told_to_end() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let heard = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        async move {
            // Without a handler for a signal the process ends all the same.
            match heard {
                [Ok(mut interrupted), Ok(mut terminated)] => {
                    tokio::select! {
                        _ = interrupted.recv() => {}
                        _ = terminated.recv() => {}
                    }
                }
                _ => std::future::pending().await,
            }
        }
    }
    #[cfg(not(unix))]
    async {
        // Without a handler for the signal the process ends all the same.
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Tells the time, UTC.
#[expect(clippy::disallowed_methods, reason = "the server stamps what it writes with the time")]
pub fn clock() -> chrono::DateTime<Utc> {
    Utc::now()
}
