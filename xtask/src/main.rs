//! The tasks of this repository, run as `cargo xtask <task>`.
//!
//! A task drives what users get (the `promptops` binary, the Python wheel, the npm package) from outside; it links none of it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a binary: it prints, and reads the environment and the working directory"
)]

mod bench;
mod checkout;
mod demo;
mod lint;
mod node;
mod python;
mod server;
mod services;
mod step;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

use crate::checkout::Checkout;

const USAGE: &str = "\
Tasks of this repository.

Usage: cargo xtask <TASK>

Tasks:
  test    Sets up what the tests need, runs all of them, ends with one summary line
  services up|down|status
          Starts the servers that tests need and leaves them running; ends them; says which run
  lint    Checks formatting, clippy, tidy, and licences when cargo-deny is installed
  tidy    Checks the rules no compiler knows: arrows between crates, named paths, file sizes
  demo    Walks through the main job in a scratch folder under target/demo
  bench   Measures next to other tools and writes bench/README.md and bench/results.json

CONTRIBUTING.md says what each of them needs.
";

/// What a task comes to: whether everything it looked at was in order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    InOrder,
    NotInOrder,
}

/// The exit code when a task found something wrong.
const EXIT_NOT_IN_ORDER: u8 = 1;
/// The exit code when the command line is not understood.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(Some(Outcome::InOrder)) => ExitCode::SUCCESS,
        Ok(Some(Outcome::NotInOrder)) => ExitCode::from(EXIT_NOT_IN_ORDER),
        Ok(None) => {
            eprint!("{USAGE}");
            ExitCode::from(EXIT_USAGE)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(EXIT_NOT_IN_ORDER)
        }
    }
}

/// Runs the task the words name; `None` when they name none.
fn run(words: &[&str]) -> Result<Option<Outcome>> {
    let outcome = match words {
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Outcome::InOrder
        }
        ["test"] => test::run(&Checkout::find()?)?,
        ["services", "up"] => services::up(&Checkout::find()?)?,
        ["services", "down"] => services::down(&Checkout::find()?)?,
        ["services", "status"] => services::status(&Checkout::find()?)?,
        ["lint"] => lint::run(&Checkout::find()?)?,
        ["tidy"] => tidy::run(&Checkout::find()?)?,
        ["demo"] => demo::run(&Checkout::find()?)?,
        ["bench", options @ ..] => bench::run(&Checkout::find()?, options)?,
        _ => return Ok(None),
    };
    Ok(Some(outcome))
}
