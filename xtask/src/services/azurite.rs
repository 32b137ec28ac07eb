//! Azurite: Microsoft's emulator of Azure Storage, in memory. It checks signatures, with the account and key it documents.

use anyhow::Result;

use super::{Launch, Service, install};
use crate::checkout::Checkout;
use crate::python::Python;

const PACKAGE: &str = "azurite";
const VERSION: &str = "3.35.0";

pub(super) const SERVICE: Service = Service { name: "azurite", variable: "PROMPTOPS_TEST_AZURITE_ENDPOINT", prepare };

fn prepare(checkout: &Checkout, _: Option<&Python>, port: u16) -> Result<Launch> {
    let package = install::npm_package(checkout, PACKAGE, VERSION)?;
    let mut command = checkout.command("node");
    command.arg(package.join("dist/src/blob/main.js")).args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
    // The library asks for a newer version of the interface than the emulator knows the number of.
    command.args(["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]);
    Ok(Launch { command, data: None })
}
