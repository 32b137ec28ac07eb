//! fake-gcs-server: an emulator of Google Cloud Storage, in memory.

use anyhow::Result;

use super::{Launch, Service, install};
use crate::checkout::Checkout;
use crate::python::Python;

const MODULE: &str = "github.com/fsouza/fake-gcs-server";
const VERSION: &str = "v1.56.1";

pub(super) const SERVICE: Service = Service { name: "fake-gcs-server", variable: "PROMPTOPS_TEST_FAKE_GCS_ENDPOINT", prepare };

fn prepare(checkout: &Checkout, _: Option<&Python>, port: u16) -> Result<Launch> {
    let mut command = checkout.command(install::go_program(checkout, MODULE, VERSION)?);
    command.args(["-backend", "memory", "-scheme", "http", "-log-level", "warn"]);
    // Only requests to the public host reach the interface by which objects are read.
    command.args(["-host", "127.0.0.1", "-public-host", "127.0.0.1", "-port", &port.to_string()]);
    Ok(Launch { command, data: None })
}
