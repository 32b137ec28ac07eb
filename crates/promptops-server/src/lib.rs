//! The registry over HTTP, and prompts for agents: `promptops serve`, `promptops mcp`.
//!
//! A server has no state of its own but what it remembers of objects that never change, so any number of them may stand
//! before one store. Objects are shown as they are ([`routes::objects`]), so that whatever reads a registry reads it through
//! a server too. Writing goes by meaning: a server publishes, deploys and records as a command would, by the rules of its
//! own checkout and in the name of the API key.
//!
//! A request goes through [`server`] (connection, TLS), [`guard`] (limits, key, time, log), a file of [`routes`], and where
//! it reads an object, [`cache`]. What agents ask by the Model Context Protocol goes to [`mcp`], over HTTP or the streams of
//! the process.

mod access;
mod bodies;
mod cache;
mod conditional;
mod guard;
mod ingest;
mod inventory;
mod invocation_metrics;
mod json;
mod key_ring;
mod mcp;
mod metrics;
mod openapi;
mod otlp;
mod rate_limit;
mod refusal;
mod routes;
mod rules;
mod schema;
mod server;
mod settings;
mod state;
mod tls;

pub use ingest::{Ingest, InvocationLake, NotStored};
pub use mcp::{AgentPrompts, AgentSettings, AgentsError, serve_stdio};
pub use openapi::document as openapi_document;
pub use rules::{HeldRules, RulesReader};
pub use server::{ServeError, serve};
pub use settings::{Access, Limits, Settings};
pub use tls::{TlsError, TlsIdentity};
