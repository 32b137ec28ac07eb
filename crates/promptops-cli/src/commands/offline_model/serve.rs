//! `promptops offline-model serve`: opens the endpoint on loopback.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use promptops_offline_model::Settings;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Serve the offline model on loopback until interrupted.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 8089, value_name = "PORT")]
    port: u16,
    /// The key that callers must send; without it anyone on this machine is served.
    #[arg(long, env = "PROMPTOPS_OFFLINE_MODEL_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
}

/// Serves until Ctrl-C or the end of the process's parent.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let settings = Settings { api_key: arguments.key.clone(), clock: Some(seconds), ..Settings::default() };
    context.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
            Failure::new(Exit::Unavailable, format!("cannot listen on `{address}`: {error}"))
                .hint("take another port with `--port`; 0 takes a free one")
        })?;
        let bound = listener.local_addr().map_err(|error| Failure::from_error(Exit::Unavailable, error))?;
        context.printer.line(format!("the offline model answers at http://{bound}/v1"));
        let interrupted = async {
            // Without a handler for the signal the process ends all the same.
            let _ = tokio::signal::ctrl_c().await;
        };
        let served = promptops_offline_model::serve(listener, settings, interrupted).await;
        served.map_err(|error| Failure::from_error(Exit::Unavailable, error))?;
        Ok(Exit::Success)
    })?
}

#[expect(clippy::disallowed_methods, reason = "the endpoint stamps its replies with the time")]
fn seconds() -> u64 {
    chrono::Utc::now().timestamp().unsigned_abs()
}
