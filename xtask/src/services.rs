//! The servers that tests need: a mock of S3, a real S3 server, and emulators of Google Cloud Storage and Azure.
//!
//! [`start`] runs them for as long as a task does, each on a free port; `cargo xtask services up` leaves them running for
//! tests that are started by hand. All listen on loopback alone and keep nothing that outlives them. A server whose
//! programs cannot be had here is left out, and its tests say that they are skipped.

mod azurite;
mod collector;
mod fake_gcs;
pub(crate) mod install;
mod moto;
pub(crate) mod programs;
mod running;
mod versitygw;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::Outcome;
use crate::checkout::Checkout;
use crate::python::Python;
use crate::server::{Server, free_port, outlive_terminal};
use crate::services::running::Running;
use crate::step::step;

/// The bucket that exists from the start where a server cannot make one for a caller without a signature.
pub(crate) const BUCKET: &str = "promptops-tests";

/// A server that tests need.
struct Service {
    name: &'static str,
    /// The variable by which tests are told its address.
    variable: &'static str,
    /// Installs it when it is not, and says how it is started.
    prepare: fn(&Checkout, Option<&Python>, u16) -> Result<Launch>,
}

/// How a server is started.
struct Launch {
    command: Command,
    /// What it stores, removed when it ends.
    data: Option<PathBuf>,
}

const SERVICES: [Service; 4] = [moto::SERVICE, versitygw::SERVICE, fake_gcs::SERVICE, azurite::SERVICE];

/// Servers that run as long as this value lives.
#[derive(Default)]
pub(crate) struct Services {
    servers: Vec<(&'static str, Server)>,
    /// Servers that could not be started, and why.
    pub(crate) missing: Vec<String>,
}

/// Starts every server that can be had; the others are in [`Services::missing`].
pub(crate) fn start(checkout: &Checkout, python: Option<&Python>) -> Services {
    let mut services = Services::default();
    for service in &SERVICES {
        let started = step(&format!("{} on loopback", service.name), || service.start(checkout, python, |_| ()));
        match started {
            Some(server) => services.servers.push((service.variable, server)),
            None => services.missing.push(format!("{}: see above; its tests are skipped", service.name)),
        }
    }
    services
}

/// Starts the real S3 server alone, for what is measured on one.
pub(crate) fn start_s3(checkout: &Checkout) -> Result<Server> {
    versitygw::SERVICE.start(checkout, None, |_| ())
}

/// Returns the variables by which a registry in [`BUCKET`] of the real S3 server is reached.
pub(crate) fn s3_variables(server: &Server) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", address(server.port)),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ]
}

impl Services {
    /// Tells a test runner where the servers are; tests that need one are skipped without this.
    pub(crate) fn announce(&self, runner: &mut Command) {
        for (variable, server) in &self.servers {
            runner.env(variable, address(server.port));
        }
    }
}

impl Service {
    fn start(&self, checkout: &Checkout, python: Option<&Python>, adapt: fn(&mut Command)) -> Result<Server> {
        let folder = folder(checkout);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let port = free_port()?;
        let Launch { mut command, data } = (self.prepare)(checkout, python, port)?;
        // Some leave files where they run.
        command.current_dir(&folder);
        adapt(&mut command);
        Ok(Server::start(&mut command, port, &folder.join(format!("{}.log", self.name)))?.with_data(data))
    }
}

/// Where programs, logs and data of the servers lie.
fn folder(checkout: &Checkout) -> PathBuf {
    checkout.scratch().join("services")
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// `cargo xtask services up`: starts what does not run yet and leaves it running. Stdout is for `eval` in a shell.
pub(crate) fn up(checkout: &Checkout) -> Result<Outcome> {
    let python = Python::for_tests(checkout).map_err(|error| eprintln!("Python environment: {error:#}")).ok();
    let mut running = Running::read(checkout)?;
    let mut outcome = Outcome::InOrder;
    for service in &SERVICES {
        if running.port_of(service.name).is_some() {
            continue;
        }
        eprintln!("starting {}; the first time it is installed first, which may take minutes", service.name);
        match service.start(checkout, python.as_ref(), outlive_terminal) {
            Ok(server) => running.add(service.name, server)?,
            Err(error) => {
                eprintln!("{} does not start: {error:#}", service.name);
                outcome = Outcome::NotInOrder;
            }
        }
    }
    for service in &SERVICES {
        if let Some(port) = running.port_of(service.name) {
            println!("export {}={}", service.variable, address(port));
        }
    }
    eprintln!("for this shell: eval \"$(cargo xtask services up)\"; to end them: cargo xtask services down");
    Ok(outcome)
}

/// `cargo xtask services down`: ends what `up` started.
pub(crate) fn down(checkout: &Checkout) -> Result<Outcome> {
    for name in Running::read(checkout)?.end_all()? {
        println!("ended {name}");
    }
    Ok(Outcome::InOrder)
}

/// `cargo xtask services status`: says which servers run, and where.
pub(crate) fn status(checkout: &Checkout) -> Result<Outcome> {
    let running = Running::read(checkout)?;
    for service in &SERVICES {
        match running.port_of(service.name) {
            Some(port) => println!("{:<16} {}  {}", service.name, address(port), service.variable),
            None => println!("{:<16} not running", service.name),
        }
    }
    Ok(Outcome::InOrder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_own_name_and_variable() {
        for (index, service) in SERVICES.iter().enumerate() {
            assert!(service.variable.starts_with("PROMPTOPS_TEST_") && service.variable.ends_with("_ENDPOINT"));
            for other in &SERVICES[..index] {
                assert!(service.name != other.name && service.variable != other.variable);
            }
        }
    }
}
