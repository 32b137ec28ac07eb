//! The Rust tests: `cargo test` over the workspace, and what its output says.
//!
//! A Rust test has no way to say that it was skipped. One that cannot run where it is (data or a server is missing)
//! prints a line `skipped: <reason>` and returns; `--show-output` makes the test runner print that line under the test's
//! name after all tests of a binary have ended, so that lines of tests running at the same time never mix.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::tally::Tally;
use crate::checkout::Checkout;
use crate::python::Python;
use crate::services::Services;
use crate::services::programs::Programs;
use crate::step::each_line;

/// The bindings link only where an interpreter loads them; their tests are in its language.
const SELECTION: &[&str] =
    &["test", "--workspace", "--exclude", "promptops-node", "--exclude", "promptops-python", "--locked", "--color=never"];

/// Builds the tests, cargo's progress shown as it comes.
pub(super) fn build(checkout: &Checkout) -> Result<()> {
    let status = checkout.cargo().args(SELECTION).arg("--no-run").status()?;
    ensure!(status.success(), "cargo ended with {status}");
    Ok(())
}

/// Runs the tests and counts them; prints each test binary's name, and the output of what fails.
pub(super) fn run(checkout: &Checkout, services: &Services, programs: &Programs, python: Option<&Python>) -> Result<Tally> {
    let mut command = checkout.cargo();
    command.args(SELECTION).args(["--no-fail-fast", "--", "--show-output"]);
    // A changed snapshot is a failure to look at, not a file to write.
    command.env("INSTA_UPDATE", "no");
    services.announce(&mut command);
    programs.announce(&mut command);
    if let Some(python) = python {
        command.env("PROMPTOPS_TEST_PYTHON", python.program("python"));
    }
    let mut reading = Reading::default();
    let status = each_line(&mut command, |line| {
        for shown in reading.take(line) {
            println!("    {shown}");
        }
    })?;
    let (tally, shown) = reading.end(status.success());
    for line in shown {
        println!("    {line}");
    }
    Ok(tally)
}

/// What has been read of the runner's output.
#[derive(Default)]
struct Reading {
    tally: Tally,
    /// The lines of the test binary that runs, kept until its result is known.
    block: Vec<String>,
    title: String,
    has_result: bool,
    /// Whether the lines are the output of tests that passed.
    in_successes: bool,
    /// The test whose output is being read.
    test: String,
    /// Tests of this binary that said they were skipped, with their first reason.
    skipped: BTreeMap<String, String>,
}

impl Reading {
    /// Takes one line and returns what to show for it.
    fn take(&mut self, line: &str) -> Vec<String> {
        let start = line.trim_start();
        if line != start && (start.starts_with("Running ") || start.starts_with("Doc-tests ")) {
            let left = if self.has_result || self.title.is_empty() { Vec::new() } else { std::mem::take(&mut self.block) };
            *self = Self { tally: std::mem::take(&mut self.tally), title: start.to_owned(), ..Self::default() };
            return left.into_iter().chain([self.title.clone()]).collect();
        }
        self.block.push(line.to_owned());
        if line == "successes:" || line == "failures:" {
            self.in_successes = line == "successes:";
        } else if let Some(test) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            test.clone_into(&mut self.test);
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            if self.in_successes {
                self.skipped.entry(self.test.clone()).or_insert_with(|| reason.to_owned());
            }
        } else if let Some(result) = line.strip_prefix("test result: ") {
            return self.note_result(result);
        }
        Vec::new()
    }

    /// Adds up a line such as `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    fn note_result(&mut self, result: &str) -> Vec<String> {
        self.has_result = true;
        let counted = |what: &str| {
            let words: Vec<&str> = result.split([' ', ';']).collect();
            words.windows(2).find(|pair| pair[1] == what).and_then(|pair| pair[0].parse::<u64>().ok()).unwrap_or(0)
        };
        // The runner counts a test that said so and returned as passed.
        let skipped = std::mem::take(&mut self.skipped);
        self.tally.passed += counted("passed").saturating_sub(skipped.len() as u64);
        self.tally.skipped.extend(skipped.iter().map(|(test, reason)| format!("{test}: {reason}")));
        self.tally.failed += counted("failed");
        for _ in 0..counted("ignored") {
            self.tally.skipped.push(format!("{}: ignored", self.title));
        }
        let block = std::mem::take(&mut self.block);
        let failures = block.iter().position(|line| line == "failures:");
        match failures {
            Some(first) if counted("failed") > 0 => block[first..].to_vec(),
            _ => Vec::new(),
        }
    }

    /// Ends the reading: what ended without a result, a crash or a build that failed, is a failure and is shown.
    fn end(mut self, succeeded: bool) -> (Tally, Vec<String>) {
        if !succeeded && self.tally.failed == 0 {
            self.tally.failed = 1;
        }
        (self.tally, if succeeded { Vec::new() } else { self.block })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str, succeeded: bool) -> (Tally, Vec<String>) {
        let mut reading = Reading::default();
        let mut shown: Vec<String> = output.lines().flat_map(|line| reading.take(line)).collect();
        let (tally, rest) = reading.end(succeeded);
        shown.extend(rest);
        (tally, shown)
    }

    const PASSING: &str = "
     Running unittests src/lib.rs (target/debug/deps/one-1)

running 3 tests
test a ... ok
test b ... ok
test c ... ok

successes:

---- b stdout ----
skipped: no data beside the checkout
skipped: said twice

---- c stdout ----
it printed something


successes:
    b
    c

test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

   Doc-tests one

running 1 test
test src/lib.rs - (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s

";

    #[test]
    fn adds_up_binaries_and_counts_each_skipped_test_once() {
        let (tally, shown) = read(PASSING, true);
        assert_eq!(tally, Tally { passed: 3, failed: 0, skipped: vec!["b: no data beside the checkout".to_owned()] });
        assert_eq!(shown, ["Running unittests src/lib.rs (target/debug/deps/one-1)", "Doc-tests one"]);
    }

    #[test]
    fn shows_what_failed_and_counts_it() {
        let output = "
     Running tests/end.rs (target/debug/deps/end-1)

running 2 tests
test a ... ok
test b ... FAILED

successes:

successes:
    a

failures:

---- b stdout ----
skipped: a test that failed was not skipped
left is not right

failures:
    b

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `-p end --test end`
";
        let (tally, shown) = read(output, false);
        assert_eq!(tally, Tally { passed: 1, failed: 1, skipped: vec![] });
        assert!(shown.contains(&"left is not right".to_owned()));
        assert!(!shown.iter().any(|line| line.contains("running 2 tests")));
    }

    #[test]
    fn counts_a_crash_as_a_failure_and_shows_it() {
        let output = "     Running unittests src/lib.rs (one)\n\nrunning 1 test\nthread 'a' has overflowed its stack\n";
        let (tally, shown) = read(output, false);
        assert_eq!(tally.failed, 1);
        assert!(shown.contains(&"thread 'a' has overflowed its stack".to_owned()));
    }

    #[test]
    fn shows_a_crash_that_others_follow() {
        let output = format!("     Running unittests src/lib.rs (zero)\nabort\n{PASSING}");
        let (tally, shown) = read(&output, false);
        assert_eq!((tally.passed, tally.failed), (3, 1));
        assert!(shown.contains(&"abort".to_owned()));
    }

    #[test]
    fn names_ignored_tests() {
        let output =
            "   Running unittests src/lib.rs (one)\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let (tally, _) = read(output, true);
        assert_eq!(tally.skipped, ["Running unittests src/lib.rs (one): ignored"]);
    }
}
