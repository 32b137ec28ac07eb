//! A Lambda extension: pinned prompts over HTTP on loopback, for functions whose language has no SDK.
//!
//! An external extension is a program in `/opt/extensions` that Lambda starts before the function and freezes and thaws with it.
//! It registers with the Extensions API ([`extensions_api`]) once its port is open, so that a function's first request never comes
//! too early; then it answers requests ([`server`], [`routes`]) and asks Lambda for the next event until it is told to shut down.
//!
//! **Invariants.** It listens on loopback only. It starts no timer and no thread that would have to run while the environment is
//! frozen. It reads what the SDK reads, and verifies as the SDK does.

pub mod extensions_api;
mod problem;
mod routes;
pub mod server;
