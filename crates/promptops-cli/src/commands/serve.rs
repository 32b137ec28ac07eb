//! `promptops serve`: the registry over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use clap::{Args, ValueEnum};
use promptops_server::{Access, Limits, RulesReader, Settings, TlsIdentity};
use tokio::net::TcpListener;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::registry_access::{Rules, failure, open, store};

/// Serve the registry over HTTP: read and write through it with `--registry https://HOST`.
///
/// Everything takes an API key (`promptops key create`) unless said otherwise. What is written is decided by the policy and
/// owners of the checkout that the server runs in, read from its default branch every few seconds. Any number of servers
/// may stand before one store. Ends on SIGTERM or Ctrl-C, when requests under way are answered.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
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
    /// Write nothing through this server.
    #[arg(long)]
    read_only: bool,
    /// The revision whose policy and owners hold [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
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
    /// Record invocations too: `POST /v1/invocations` takes them and answers when they are on the disk, and every few seconds they go
    /// to the lake.
    #[cfg(feature = "lake")]
    #[arg(long)]
    record: bool,
    /// Where invocations wait for the lake [default: .promptops/log of the project].
    #[cfg(feature = "lake")]
    #[arg(long, value_name = "FOLDER", requires = "record")]
    record_log: Option<PathBuf>,
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

/// Serves until it is told to end.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let store = store(context, &project)?;
    if store.connection().is_some() {
        return Err(Failure::new(Exit::Usage, format!("`{}` is a server itself", store.url()))
            .hint("give the URL of the store with `--registry`"));
    }
    let tls = identity(arguments, context)?;
    let address = arguments.listen;
    let is_loopback = address.ip().is_loopback();
    if !is_loopback && tls.is_none() && !arguments.behind_proxy {
        let message = format!("`{address}` is reached by others, and keys would travel there in clear");
        return Err(Failure::new(Exit::Usage, message).hint(
            "give a certificate with `--tls-cert` and `--tls-key`, or say `--behind-proxy` when something before it has one",
        ));
    }
    let access = match (arguments.trust_loopback, arguments.public_read) {
        (true, _) if !is_loopback || arguments.behind_proxy => {
            return Err(Failure::new(Exit::Usage, "without keys a server is for loopback only")
                .hint("make keys with `promptops key create`"));
        }
        (true, _) => Access::Trusted { actor: context.actor(&project)? },
        (false, true) => Access::PublicRead,
        (false, false) => Access::Keys,
    };
    let limits = Limits {
        body_bytes: usize::from(arguments.max_body) << 20,
        requests_per_second: arguments.rate_limit,
        concurrent_requests: arguments.max_requests as usize,
        drain_time: Duration::from_secs(arguments.drain.into()),
        ..Limits::default()
    };
    let settings = Settings {
        access,
        limits,
        cache_bytes: u64::from(arguments.cache) << 20,
        is_behind_proxy: arguments.behind_proxy,
        rules: if arguments.read_only { None } else { Some(rules(arguments, context, project.clone())?) },
        tls,
        #[cfg(feature = "lake")]
        ingest: ingest(arguments, context, &project)?,
        ..Settings::new(clock)
    };
    start_log(arguments.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("start the runtime for", &context.directory, error))?;
    runtime.block_on(serve(address, settings, context, &project, arguments.read_only))
}

async fn serve(address: SocketAddr, settings: Settings, context: &Context, project: &Project, read_only: bool) -> Outcome<Exit> {
    let registry = open(context, project).await?;
    if !read_only {
        registry.probe().await.map_err(failure)?;
    }
    let unbound = |error: std::io::Error| {
        Failure::new(Exit::Unavailable, format!("cannot listen on `{address}`: {error}"))
            .hint("take another address with `--listen`; port 0 takes a free one")
    };
    let listener = TcpListener::bind(address).await.map_err(unbound)?;
    let bound = listener.local_addr().map_err(unbound)?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let who = match &settings.access {
        Access::Keys => "with an API key",
        Access::PublicRead => "reading to everybody, writing with an API key",
        Access::Trusted { actor } => &format!("to everybody on this machine in the name of {actor}"),
    };
    context.printer.line(format!("the registry {} answers at {scheme}://{bound}, {who}", registry.url()));
    let served = promptops_server::serve(listener, registry, settings, told_to_end()).await;
    served.map_err(|error| Failure::from_error(Exit::Unavailable, error))?;
    Ok(Exit::Success)
}

/// Returns how invocations are recorded, when they are.
#[cfg(feature = "lake")]
fn ingest(arguments: &Arguments, context: &Context, project: &Project) -> Outcome<Option<promptops_server::Ingest>> {
    if !arguments.record {
        return Ok(None);
    }
    let lake = crate::lake_access::open(context, project)?;
    let folder = arguments.record_log.as_ref().map(|folder| context.directory.join(folder));
    let folder = folder.unwrap_or_else(|| project.root.join(".promptops").join("log"));
    let log = promptops_telemetry::ingest::IngestSettings::new(folder);
    Ok(Some(promptops_server::Ingest { log, lake: Arc::new(crate::lake_access::Recorded(lake)) }))
}

fn identity(arguments: &Arguments, context: &Context) -> Outcome<Option<TlsIdentity>> {
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(None) };
    let (certificate, key) = (context.directory.join(certificate), context.directory.join(key));
    TlsIdentity::from_pem_files(&certificate, &key).map(Some).map_err(|error| Failure::from_error(Exit::Usage, error))
}

/// Returns what reads the rules, once they were read well.
fn rules(arguments: &Arguments, context: &Context, project: Project) -> Outcome<RulesReader> {
    let revision = arguments.rules.clone();
    Rules::read(context, &project, revision.as_deref())?;
    Ok(Arc::new(move || {
        let rules = Rules::find(&project, revision.as_deref()).map_err(|failure| failure.error.to_string())?;
        Ok(rules.into_held())
    }))
}

fn start_log(log: Log) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;

    let access = match log {
        Log::All => LevelFilter::INFO,
        Log::Events => LevelFilter::OFF,
    };
    let filter = Targets::new().with_target("access", access).with_target("promptops_server", LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
    // A log that cannot be started is one that was started before, in the same process.
    let _ = tracing_subscriber::registry().with(lines.with_writer(std::io::stderr).with_filter(filter)).try_init();
}

/// Completes when the process is told to end.
async fn told_to_end() {
    let interrupted = async {
        // Without a handler for the signal the process ends all the same.
        let _ = tokio::signal::ctrl_c().await;
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    interrupted.await;
}

#[expect(clippy::disallowed_methods, reason = "the server stamps what it writes with the time")]
fn clock() -> chrono::DateTime<Utc> {
    Utc::now()
}
