//! `cargo xtask test`: every test, and one line that sums them up.

mod node_tests;
mod package_tests;
mod python_tests;
mod rust_tests;
mod tally;

use std::time::Instant;

use anyhow::Result;

use crate::Outcome;
use crate::checkout::Checkout;
use crate::node::Node;
use crate::python::{Profile, Python, other_interpreters};
use crate::services::programs::Programs;
use crate::services::{self, Services};
use crate::step::{seconds, step};
use crate::tidy;
use tally::Tally;

/// Runs every test, also after one has failed. The last line is `N passed, N failed, N skipped`.
pub(crate) fn run(checkout: &Checkout) -> Result<Outcome> {
    let start = Instant::now();
    std::fs::create_dir_all(checkout.scratch())?;
    let mut tally = Tally::default();

    let python = tally.setup(step("Python environment", || Python::for_tests(checkout)));
    // The servers end when this function is left, however it is.
    let services = services::start(checkout, python.as_ref());
    tally.skipped.extend(services.missing.iter().cloned());
    let programs = Programs::install(checkout);
    tally.skipped.extend(programs.missing.iter().cloned());

    if tally.setup(step("Rust tests: build", || rust_tests::build(checkout))).is_some() {
        tally.add(counted("Rust tests", || rust_tests::run(checkout, &services, &programs, python.as_ref())));
    }

    if let Some(python) = &python {
        let built = step("Python tests: build the wheel", || python.install_sdk(checkout, Profile::Dev));
        if tally.setup(built).is_some() {
            tally.add(counted("Python tests", || python_tests::run(checkout, python, &services)));
            run_on_other_pythons(checkout, python, &services, &mut tally);
            let command = tally.setup(step("Package tests: build the wheel of the command", || {
                // The wheel's command is built without the lake, and lies where the tests look for the one that has it.
                let binary = checkout.target.join("debug").join("promptops").with_extension(std::env::consts::EXE_EXTENSION);
                let kept = binary.with_extension("with-lake");
                std::fs::copy(&binary, &kept)?;
                python.build_command(checkout)?;
                std::fs::remove_file(&binary)?;
                Ok(std::fs::rename(&kept, &binary)?)
            }));
            let packages = tally.setup(step("Package tests: environment", || Python::for_packages(checkout)));
            if let (Some(()), Some(packages)) = (command, packages) {
                tally.add(counted("Package tests", || package_tests::run(checkout, &packages, python, &programs)));
            }
        }
    }

    match Node::find(checkout) {
        Ok(node) => run_node_tests(checkout, &node, &mut tally),
        Err(reason) => tally.skipped.push(format!("Node tests: {reason:#}")),
    }
    let in_order = tally.setup(step("tidy", || tidy::expect_order(checkout)));
    tally.passed += u64::from(in_order.is_some());

    println!();
    for reason in &tally.skipped {
        println!("skipped: {reason}");
    }
    println!("finished in {}", seconds(start.elapsed()));
    println!("{tally}");
    Ok(if tally.failed == 0 { Outcome::InOrder } else { Outcome::NotInOrder })
}

/// Runs the tests of the SDK with every other CPython of the machine: one wheel is for all of them.
fn run_on_other_pythons(checkout: &Checkout, built: &Python, services: &Services, tally: &mut Tally) {
    for other in other_interpreters(checkout) {
        let environment = step(&format!("{}: environment", other.title()), || {
            let python = Python::of_other(checkout, &other)?;
            python.install(checkout, &built.wheel(checkout)?)?;
            Ok(python)
        });
        let Some(python) = tally.setup(environment) else { continue };
        let run = || python_tests::run_with_other(checkout, &python, services);
        tally.add(counted(&format!("{}: Python tests", other.title()), run));
    }
}

fn run_node_tests(checkout: &Checkout, node: &Node, tally: &mut Tally) {
    if tally.setup(step("Node packages", || node.install_packages(checkout))).is_none() {
        return;
    }
    let built = step("Node tests: build the native part", || node.build(checkout, Profile::Dev));
    if tally.setup(built).is_some() {
        tally.add(counted("Node tests", || node_tests::run(checkout, node)));
    }
}

/// Runs a test runner as a step, and prints what it counted.
fn counted(title: &str, run: impl FnOnce() -> Result<Tally>) -> Option<Tally> {
    let tally = step(title, run)?;
    println!("    {} passed and {} failed", tally.passed, tally.failed);
    Some(tally)
}
