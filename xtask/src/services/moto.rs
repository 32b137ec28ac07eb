//! moto: a mock of AWS in Python, which answers as Amazon S3 does and takes any credentials.

use anyhow::{Context, Result};

use super::{Launch, Service};
use crate::checkout::Checkout;
use crate::python::Python;

pub(super) const SERVICE: Service = Service { name: "moto", variable: "PROMPTOPS_TEST_S3_ENDPOINT", prepare };

fn prepare(checkout: &Checkout, python: Option<&Python>, port: u16) -> Result<Launch> {
    let python = python.context("it is part of the Python environment, which is not there")?;
    let mut command = checkout.command(python.program("moto_server"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    Ok(Launch { command, data: None })
}
