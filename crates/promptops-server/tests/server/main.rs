//! A real server on loopback with a real store, asked by a real client.

#![cfg(test)]

mod harness;

mod conformance;
mod keys;
mod limits;
mod loader;
mod mcp;
mod openapi;
mod otlp;
mod reading;
mod recording;
mod schemathesis;
mod shutdown;
mod tls;
mod writing;
