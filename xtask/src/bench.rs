//! `cargo xtask bench`: PromptOps next to other tools, in one run on one machine.
//!
//! This builds and installs; `bench/run.py` measures and writes the results down.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::Outcome;
use crate::checkout::Checkout;
use crate::node::Node;
use crate::python::{Profile, Python, remove_folder};
use crate::services;
use crate::step::{command_step, step};

/// The version of promptfoo that evals are measured next to.
const PROMPTFOO: &str = "0.121.20";

/// Measures, and says whether every bar was met. The options go to `bench/run.py` as they are.
pub(crate) fn run(checkout: &Checkout, options: &[&str]) -> Result<Outcome> {
    let built = |title: &str, arguments: &[&str]| match command_step(title, checkout.cargo().args(arguments)) {
        Outcome::InOrder => Ok(()),
        Outcome::NotInOrder => bail!("nothing was measured"),
    };
    built("build promptops", &["build", "--release", "--locked", "-p", "promptops-cli"])?;
    built("build bench_load and bench_bundle", &["build", "--release", "--locked", "-p", "promptops", "--examples"])?;
    built("build load_http and load_ingest", &["build", "--release", "--locked", "-p", "promptops-server", "--examples"])?;
    // Without it that column is left out, which the table says.
    let promptfoo = step("promptfoo", || services::install::npm_package(checkout, "promptfoo", PROMPTFOO));
    // Without it publishing to S3 is not measured, which the measuring says.
    let s3 = step("S3 server on loopback", || services::start_s3(checkout));
    let python = step("Python environment", || Python::for_bench(checkout)).context("nothing was measured")?;
    step("build the wheel", || python.install_sdk(checkout, Profile::Release)).context("nothing was measured")?;
    let node = Node::find(checkout);
    match &node {
        Ok(node) => step("build the Node SDK", || node.build(checkout, Profile::Release)).context("nothing was measured")?,
        Err(reason) => println!("    the Node SDK is not measured: {reason:#}"),
    }

    let scratch = checkout.target.join("bench");
    remove_folder(&scratch)?;
    std::fs::create_dir_all(&scratch).with_context(|| format!("cannot make `{}`", scratch.display()))?;
    let release = checkout.target.join("release");
    let executable = |name: &Path| release.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let mut measure = checkout.command(python.program("python"));
    measure
        .arg("bench/run.py")
        .arg("--promptops")
        .arg(executable(Path::new("promptops")))
        .arg("--bench-load")
        .arg(executable(Path::new("examples/bench_load")))
        .arg("--wheel")
        .arg(python.wheel(checkout)?)
        .arg("--scratch")
        .arg(&scratch)
        .args(options);
    if node.is_ok() {
        measure.arg("--node");
    }
    if let Some(package) = &promptfoo {
        measure.arg("--promptfoo").arg(package.join("dist/src/entrypoint.js"));
    }
    if let Some(s3) = &s3 {
        let environment: serde_json::Map<_, _> =
            services::s3_variables(s3).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let reached = serde_json::json!({"bucket": services::BUCKET, "environment": environment});
        measure.arg("--s3").arg(reached.to_string());
    }
    Ok(command_step("measure", &mut measure))
}
