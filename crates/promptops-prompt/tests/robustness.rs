//! Whatever a file holds, reading, checking and rendering it end, panic nowhere, and point inside the file.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use promptops_prompt::check::{self, Surroundings};
use promptops_prompt::draft::Draft;
use promptops_prompt::finding::Finding;
use promptops_prompt::{Closure, Content, Renderer, change};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Reads, checks, digests, stores, reads back, renders and compares one file, and looks at every place that is named.
fn exercise(text: &str) -> Vec<Finding> {
    let report = check::check_file("prompts/a.yaml", "a.yaml", text);
    let summaries: Vec<_> = report.summary.iter().collect();
    let mut findings = check::check_project(&summaries, Surroundings::default());
    findings.extend(report.findings);
    let spans = findings.iter().flat_map(Finding::locations).map(|location| location.span.clone());
    let edits = findings.iter().flat_map(|finding| &finding.fixes).flat_map(|fix| &fix.edits);
    for span in spans.chain(edits.map(|edit| edit.span.clone())) {
        assert!(text.get(span.clone()).is_some(), "{span:?} is no place in {text:?}");
    }
    safe_fixes_mend(text, &findings);
    let Some(prompt) = Draft::parse("prompts/a.yaml", text).0.prompt() else {
        assert!(!findings.is_empty(), "a file that is no prompt has a finding: {text:?}");
        return findings;
    };
    let content = Content::new(&prompt, BTreeMap::new());
    let stored = Content::from_bytes(&content.to_bytes()).unwrap();
    assert_eq!(stored.to_bytes(), content.to_bytes(), "what was stored is read back as it was");
    assert_eq!(change::classify(&Closure::of(content.clone()), &Closure::of(stored.clone())), [], "storing changes nothing");
    let values: Map<String, Value> = prompt
        .inputs
        .keys()
        .zip([json!("text"), json!(3), json!([{"a": 1}])].iter().cycle())
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let render = |content: Content| Renderer::new(&Closure::of(content)).and_then(|renderer| renderer.render(&values)).ok();
    assert_eq!(render(content), render(stored), "what was stored renders as what was written");
    findings
}

/// Makes the first safe fixes of a file, each alone: what it is about must be found less often afterwards.
fn safe_fixes_mend(text: &str, findings: &[Finding]) {
    let count = |findings: &[Finding], like: &Finding| {
        findings.iter().filter(|finding| finding.check == like.check && finding.message == like.message).count()
    };
    for finding in findings.iter().filter(|finding| finding.fixes.iter().any(|fix| fix.is_safe)).take(3) {
        let fix = finding.fixes.iter().find(|fix| fix.is_safe).unwrap();
        let mut edits: Vec<_> = fix.edits.iter().collect();
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
        let mut mended = text.to_owned();
        edits.iter().for_each(|edit| mended.replace_range(edit.span.clone(), &edit.replacement));
        let report = check::check_file("prompts/a.yaml", "a.yaml", &mended);
        let summaries: Vec<_> = report.summary.iter().collect();
        let after = [check::check_project(&summaries, Surroundings::default()), report.findings].concat();
        assert!(
            count(&after, finding) < count(findings, finding),
            "{finding:?}\nis still there after {fix:?}\nin {text:?}\nwhich became {mended:?}\n{after:?}"
        );
    }
}

/// Every prompt file in the cases of the checks.
fn seeds() -> Vec<String> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks")).unwrap() {
        let case = fs::read_to_string(entry.unwrap().path()).unwrap();
        let sections = case.split("=== ").skip(1).filter_map(|section| section.split_once('\n'));
        seeds.extend(sections.filter(|(name, _)| *name != "findings").map(|(_, body)| body.to_owned()));
    }
    seeds
}

/// Pieces that mean something to the parser of YAML, to that of templates, or to both.
const PIECES: &[&str] = &[
    "{{ x }}",
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{% include \"a@1\" %}",
    "{% include 'b' %}",
    "{% for i in x %}",
    "{% endfor %}",
    "{% if x %}",
    "{% elif y %}",
    "{% endif %}",
    "{% raw %}",
    "{% set y = [x] %}",
    "{% macro m(a) %}",
    "{{ loop }}",
    "| batch(2)",
    "| indent(4)",
    "* 100",
    "'%s' % x",
    "x[::-1]",
    ": ",
    "- ",
    "? ",
    "|\n  ",
    ">-\n  ",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "<<: *a",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "# ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{feff}",
    "\u{2028}",
    "\u{85}",
    "\0",
    "é",
    "日本",
    "👩‍👩‍👧",
    "\\u00e9",
    "\\",
    "0x1F",
    "1e5",
    "-0.0",
    ".inf",
    "9007199254740993",
    "~",
    "null",
    "true",
    "password: tr0ub4dor",
    "template: ",
    "messages:\n- role: user\n  content: ",
    "inputs: {x: {default: 1.0}}\n",
    "parameters: ",
    "output: ",
    "tools: ",
    "version: 2\n",
    "parent: 1\n",
    "id: a\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Files of the checks with pieces put in and parts taken out.
    #[test]
    fn changed_files_are_read(seed in 0..64_usize, edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(PIECES)), 1..6)) {
        let seeds = seeds();
        let mut letters: Vec<char> = seeds[seed % seeds.len()].chars().collect();
        for (at, taken, piece) in edits {
            let at = at.index(letters.len() + 1);
            let end = (at + taken).min(letters.len());
            letters.splice(at..end, piece.chars());
        }
        exercise(&letters.into_iter().collect::<String>());
    }

    /// Templates of pieces, in each style of YAML.
    #[test]
    fn any_template_is_read(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12), style in 0..4_usize) {
        let template = pieces.concat();
        let head = "id: a\nversion: 1\nowner: o\nmodel: m\ntags: []\ninputs: {x: , y: }\n";
        exercise(&match style {
            0 => format!("{head}template: {}\n", Value::from(template)),
            1 => format!("{head}template: '{}'\n", template.replace('\'', "''")),
            2 => format!("{head}template: |\n  {}\n", template.replace('\n', "\n  ")),
            _ => format!("{head}template: >\n  {}\n", template.replace('\n', "\n  ")),
        });
    }

    /// Anything at all.
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        exercise(&text);
    }
}

/// Large files take a time that grows with their size, not with its square.
#[test]
fn large_files_are_read_in_time() {
    let head = "id: a\nversion: 1\nowner: o\nmodel: m\ntags: []\n";
    let many = |count: usize, piece: &dyn Fn(usize) -> String| (0..count).map(piece).collect::<String>();
    let files = [
        format!("{head}parameters:\n{}template: x\n", many(20_000, &|n| format!("  k{n}: 1\n"))),
        format!("{head}parameters: {{{}}}\ntemplate: ü\n", many(20_000, &|n| format!("k{n}: 1, "))),
        format!("{head}template: |\n  ü\n{}", many(20_000, &|n| format!("  {{{{ v{n} }}}}\n"))),
        format!("{head}template: |\n{}", many(20_000, &|_| "  {% include \"b@1\" %}\n".to_owned())),
        format!("{head}template: \"{}\"\n", many(5_000, &|_| "{% include 'a@1' %}".to_owned())),
        format!(
            "{head}inputs: {{{}}}\ntemplate: |\n{}",
            many(10_000, &|n| format!("v{n}: , ")),
            many(20_000, &|n| format!("  {{{{ w{n} }}}}\n"))
        ),
        format!("{head}template: |\n{}", many(10_000, &|n| format!("  password: tr0ub4dor{n}&3\n"))),
        format!("{head}template: |\n{}", "  plain words of no use\n".repeat(20_000)),
    ];
    for (index, file) in files.iter().enumerate() {
        let start = Instant::now();
        exercise(file);
        // A square of these takes many times as long; the bound leaves room for a slow machine.
        assert!(start.elapsed() < Duration::from_secs(20), "file {index} took {:?}", start.elapsed());
    }
}
