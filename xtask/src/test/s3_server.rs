//! An S3 server on loopback, for the tests of the object store: moto, from the Python environment.

use std::process::Command;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::python::Python;
use crate::server::{Server, free_port};

/// Starts the server on a free port. Its objects are in memory and end with it.
pub(super) fn start(checkout: &Checkout, python: &Python) -> Result<Server> {
    let port = free_port()?;
    let log = checkout.scratch().join("s3-server.log");
    let mut command = checkout.command(python.program("moto_server"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    Server::start(&mut command, port, &log)
}

/// Tells a test runner where the server is; tests that need one are skipped without this.
pub(super) fn announce(server: Option<&Server>, runner: &mut Command) {
    if let Some(server) = server {
        runner.env("PROMPTOPS_TEST_S3_ENDPOINT", format!("http://127.0.0.1:{}", server.port));
    }
}
