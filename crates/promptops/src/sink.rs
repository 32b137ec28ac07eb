//! The sinks that settings name.

mod open;
mod otlp;
mod otlp_settings;
mod retry;
mod server;

pub(crate) use open::open_sinks;
