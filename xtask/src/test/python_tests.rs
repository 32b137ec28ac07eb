//! The Python tests: pytest over the installed wheel, and what its output says.

use anyhow::{Result, ensure};

use super::tally::Tally;
use crate::checkout::{BINARY_VARIABLE, Checkout};
use crate::python::Python;
use crate::services::Services;
use crate::step::each_line;

/// Runs the tests of the Python SDK against the wheel in the environment and counts them.
pub(super) fn run(checkout: &Checkout, python: &Python, services: &Services) -> Result<Tally> {
    // Called by its own name, and from the root: `python -m pytest` would put the sources before the wheel.
    let mut command = checkout.command(python.program("pytest"));
    command.args(["sdks/python/tests", "--quiet", "-rs", "--color=no", "-p", "no:cacheprovider"]);
    services.announce(&mut command);
    command.env(BINARY_VARIABLE, checkout.binary_built_for_tests());
    let mut lines = Vec::new();
    let status = each_line(&mut command, |line| lines.push(line.to_owned()))?;
    let tally = read(&lines);
    if !status.success() {
        println!("    {}", lines.join("\n    "));
        ensure!(tally.failed > 0, "pytest ended with {status}");
    }
    Ok(tally)
}

/// As [`run`], with another CPython, which has not every package: what therefore cannot run there does run with the first.
pub(super) fn run_with_other(checkout: &Checkout, python: &Python, services: &Services) -> Result<Tally> {
    let mut tally = run(checkout, python, services)?;
    tally.skipped.retain(|reason| !reason.contains("could not import"));
    Ok(tally)
}

/// Reads the counts of the closing line, such as `2 failed, 5 passed, 1 skipped in 0.12s`, and the reasons above it.
pub(super) fn read(lines: &[String]) -> Tally {
    let mut tally = Tally::default();
    for line in lines {
        if let Some((count, reason)) = line.strip_prefix("SKIPPED [").and_then(|rest| rest.split_once("] ")) {
            let count = count.parse().unwrap_or(1);
            tally.skipped.extend(std::iter::repeat_n(reason.to_owned(), count));
        }
    }
    let starts_with_count = |line: &str| line.trim_start_matches(['=', ' ']).starts_with(|first: char| first.is_ascii_digit());
    let closing = lines.iter().rev().find(|line| line.contains(" in ") && starts_with_count(line));
    let words: Vec<&str> = closing.map_or("", String::as_str).split([' ', ',']).filter(|word| !word.is_empty()).collect();
    for pair in words.windows(2) {
        let Ok(count) = pair[0].parse::<u64>() else { continue };
        match pair[1] {
            "passed" | "xpassed" => tally.passed += count,
            "failed" | "error" | "errors" => tally.failed += count,
            "xfailed" => tally.skipped.extend((0..count).map(|_| "a Python test expected to fail".to_owned())),
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> Tally {
        read(&output.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn reads_counts_and_reasons() {
        let read = tally(
            "..s.F\n=== short test summary info ===\nSKIPPED [2] tests/test_lambda.py:10: no Lambda runtime\n\
             FAILED tests/test_load.py::test_digest - assert 1 == 2\n1 failed, 30 passed, 2 skipped in 1.20s\n",
        );
        let reason = "tests/test_lambda.py:10: no Lambda runtime".to_owned();
        assert_eq!(read, Tally { passed: 30, failed: 1, skipped: vec![reason.clone(), reason] });
    }

    #[test]
    fn counts_errors_of_set_up_as_failures() {
        assert_eq!(tally("=== 2 passed, 3 errors in 0.5s ===").failed, 3);
        assert_eq!(tally("2 passed, 1 warning, 1 error in 61.00s (0:01:01)").failed, 1);
    }

    #[test]
    fn counts_nothing_where_nothing_ran() {
        assert_eq!(tally("no tests ran in 0.01s"), Tally::default());
    }
}
