//! The tests of packages: what `promptops package` builds, run by Lambda's emulator, by Spark, and by every Python of the machine.

use anyhow::{Result, ensure};

use super::python_tests::read;
use super::tally::Tally;
use crate::checkout::{BINARY_VARIABLE, Checkout};
use crate::python::Python;
use crate::services::programs::Programs;
use crate::step::each_line;

/// Runs them with the wheel that `sdk` has, in an environment where the SDK is not installed.
pub(super) fn run(checkout: &Checkout, python: &Python, sdk: &Python, programs: &Programs) -> Result<Tally> {
    let mut command = checkout.command(python.program("pytest"));
    command.args(["tests/packages", "--quiet", "-rs", "--color=no", "-p", "no:cacheprovider", "-W", "error"]);
    // The build of the Rust tests built both.
    let program = checkout.binary_built_for_tests();
    command.env("PROMPTOPS_TEST_EXTENSION", program.with_file_name("promptops-lambda-extension"));
    command.env(BINARY_VARIABLE, program);
    command.env("PROMPTOPS_TEST_WHEEL", sdk.wheel(checkout)?).env("PROMPTOPS_TEST_COMMAND_WHEEL", sdk.command_wheel(checkout)?);
    programs.announce(&mut command);
    let mut lines = Vec::new();
    let status = each_line(&mut command, |line| lines.push(line.to_owned()))?;
    let tally = read(&lines);
    if !status.success() {
        println!("    {}", lines.join("\n    "));
        ensure!(tally.failed > 0, "pytest ended with {status}");
    }
    Ok(tally)
}
