//! The Node tests: Node's own runner over the package, and what its output says.

use anyhow::{Context, Result, ensure};

use super::tally::Tally;
use crate::checkout::{BINARY_VARIABLE, Checkout};
use crate::node::Node;
use crate::step::each_line;

/// Runs the tests of the Node SDK against the native part that was built, and counts them.
pub(super) fn run(checkout: &Checkout, node: &Node) -> Result<Tally> {
    let mut command = node.command(checkout);
    command.env(BINARY_VARIABLE, checkout.binary_built_for_tests());
    command.args(["--disable-warning=PromptOpsWarning", "--test", "--test-reporter=tap"]);
    let tests = node.folder().join("tests");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&tests).with_context(|| format!("cannot read `{}`", tests.display()))? {
        files.extend(entry?.file_name().into_string().ok().filter(|name| name.ends_with(".test.mjs")));
    }
    files.sort();
    command.args(files.iter().map(|name| format!("tests/{name}")));
    let mut lines = Vec::new();
    let status = each_line(&mut command, |line| lines.push(line.to_owned()))?;
    let tally = read(&lines);
    if !status.success() {
        println!("    {}", lines.join("\n    "));
        ensure!(tally.failed > 0, "node ended with {status}");
    }
    Ok(tally)
}

/// Reads the closing comments, such as `# pass 5`, and the reasons of skipped tests above them.
fn read(lines: &[String]) -> Tally {
    let mut tally = Tally::default();
    for line in lines {
        if let Some((test, reason)) = line.trim_start().strip_prefix("ok ").and_then(|rest| rest.split_once(" # SKIP")) {
            let name = test.split_once(" - ").map_or(test, |(_, name)| name);
            tally.skipped.push(format!("{name}: {}", reason.trim()));
        }
        // Node counts each test file that could not be read as a failed test.
        let counted = |what: &str| line.strip_prefix(what).and_then(|count| count.parse::<u64>().ok());
        tally.passed += counted("# pass ").unwrap_or(0);
        tally.failed += counted("# fail ").unwrap_or(0) + counted("# cancelled ").unwrap_or(0);
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_counts_and_reasons() {
        let output = "TAP version 13\n# Subtest: a full disk\nok 1 - a full disk # SKIP needs /dev/full\n  ---\n  ...\n\
                      # Subtest: load.json\n    # Subtest: lock\n    ok 1 - lock\n    1..1\nok 2 - load.json\nnot ok 3 - bad\n\
                      1..3\n# tests 3\n# suites 1\n# pass 1\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n";
        let tally = read(&output.lines().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(tally, Tally { passed: 1, failed: 1, skipped: vec!["a full disk: needs /dev/full".to_owned()] });
    }

    #[test]
    fn counts_a_test_that_was_cut_off_as_failed() {
        assert_eq!(read(&["# cancelled 2".to_owned()]).failed, 2);
        assert_eq!(read(&[]), Tally::default());
    }
}
