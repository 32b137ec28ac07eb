//! Findings as JUnit XML: each file is a suite; what is refused is a failed case, what is only mentioned a passed one.

use std::collections::{BTreeMap, BTreeSet};

use promptops_prompt::finding::{Finding, Severity};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::checks::Checked;
use crate::text_position::line_and_column;

/// Makes the document. `refuses` tells which severities fail the run.
pub fn document(checked: &Checked, refuses: impl Fn(Severity) -> bool) -> Result<String, SerializeError> {
    let mut by_path: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &checked.findings {
        by_path.entry(finding.primary.location.path.as_str()).or_default().push(finding);
    }
    let listing = &checked.listing;
    let files: Vec<String> = listing.paths.iter().map(|path| listing.path_from_root(path)).collect();
    let paths: BTreeSet<&str> = files.iter().map(String::as_str).chain(by_path.keys().copied()).collect();
    let mut report = Report::new("promptops check");
    for path in paths {
        let mut suite = TestSuite::new(path);
        let findings = by_path.get(path).map(Vec::as_slice).unwrap_or_default();
        if findings.is_empty() {
            let mut case = TestCase::new("no findings", TestCaseStatus::success());
            case.set_classname(path);
            suite.add_test_case(case);
        }
        suite.add_test_cases(findings.iter().map(|finding| case(finding, checked, refuses(finding.severity))));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(finding: &Finding, checked: &Checked, is_refused: bool) -> TestCase {
    let location = &finding.primary.location;
    let (line, column) = checked.texts.get(&location.path).map_or((1, 1), |text| line_and_column(text, location.span.start));
    let mut description = format!("{}:{line}:{column}: {}", location.path, finding.message);
    description.extend(finding.hint.iter().map(|hint| format!("\nhint: {hint}")));
    let name = format!("{} at {line}:{column}", finding.check);
    let mut case = if is_refused {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(finding.message.as_str());
        status.set_type(finding.check.as_str());
        status.set_description(description);
        TestCase::new(name, status)
    } else {
        let mut case = TestCase::new(name, TestCaseStatus::success());
        case.set_system_out(format!("{}: {description}", finding.severity.name()));
        case
    };
    case.set_classname(location.path.as_str());
    case
}
