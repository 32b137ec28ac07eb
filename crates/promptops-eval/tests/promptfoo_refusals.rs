//! What of a configuration of promptfoo is refused: by name, with its line, all at once, and nothing in silence.

#![cfg(test)]

use std::collections::BTreeMap;
use std::io;

use promptops_eval::promptfoo::{self, Files};
use promptops_prompt::Severity;

/// Files in memory.
struct Memory(BTreeMap<&'static str, &'static str>);

impl Files for Memory {
    fn read(&self, path: &str) -> io::Result<String> {
        self.0.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn matching(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Reads a configuration and returns its findings as `severity path:line message`, in order.
fn findings(text: &str, files: &[(&'static str, &'static str)]) -> Vec<String> {
    let read = promptfoo::read("c.yaml", text, &Memory(files.iter().copied().collect()));
    let has_errors = read.findings.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(read.suite.is_none(), has_errors, "a suite is there exactly when nothing stands against it");
    let shown = read.findings.iter().map(|finding| {
        let place = &finding.primary.location;
        let line = read.texts[&place.path][..place.span.start].matches('\n').count() + 1;
        format!("{} {}:{line} {}", finding.severity.name(), place.path, finding.message)
    });
    shown.collect()
}

#[test]
fn whatever_is_code_is_told_with_its_line() {
    let text = "\
prompts:
  - file://prompt.js
  - script.py:build
  - exec:./make-prompt
  - {raw: 'Hi {{ name }}', function: main}
providers:
  - openai:chat:gpt-4o
  - python:provider.py
  - file://provider.mjs
  - {id: openai:gpt-4o, transform: output.trim()}
extensions: [file://hooks.js:beforeAll]
nunjucksFilters: {shout: ./shout.js}
defaultTest:
  options: {transform: output.trim(), transformVars: vars, postprocess: x}
  assertScoringFunction: file://score.js
tests:
  - file://make_tests.py
  - {path: 'file://more.ts:tests'}
  - vars: {name: file://name.py, other: 'package:names:get'}
    assert:
      - {type: javascript, value: output.length > 3}
      - {type: not-python, value: 'len(output) > 3'}
      - {type: ruby, value: 'true'}
      - {type: webhook, value: 'https://example.test'}
      - {type: contains, value: file://wanted.cjs}
      - {type: equals, value: [a, file://b.rb]}
      - {type: contains, value: a, transform: output.trim(), contextTransform: x}
      - type: assert-set
        assert: [{type: javascript, value: 'true'}]
  - file://cells.csv
";
    let cells =
        "name,__expected,__expected2\na,javascript: true,\"fn:x\"\nb,file://check.js,eval: 1\nc,python: True,contains: a\n";
    let found = findings(text, &[("cells.csv", cells)]);
    let expected = [
        "error c.yaml:2 the prompt `prompt.js` is code, which is not run",
        "error c.yaml:3 the prompt `script.py:build` is code, which is not run",
        "error c.yaml:4 the prompt `exec:./make-prompt` is code, which is not run",
        "error c.yaml:5 `function` of a prompt is code, which is not run",
        "error c.yaml:8 the provider `python:provider.py` is code, which is not run",
        "error c.yaml:9 the provider `file://provider.mjs` is code, which is not run",
        "error c.yaml:10 `transform` is code, which is not run",
        "error c.yaml:11 `extensions` is code, which is not run",
        "error c.yaml:12 `nunjucksFilters` is code, which is not run",
        "error c.yaml:14 `transform` is code, which is not run",
        "error c.yaml:14 `transformVars` is code, which is not run",
        "error c.yaml:14 `postprocess` is code, which is not run",
        "error c.yaml:15 `assertScoringFunction` is code, which is not run",
        "error c.yaml:17 `make_tests.py`, which makes tests, is code, which is not run",
        "error c.yaml:18 `more.ts:tests`, which makes tests, is code, which is not run",
        "error c.yaml:19 `file://name.py` is code, which is not run",
        "error c.yaml:19 `package:names:get` is code, which is not run",
        "error c.yaml:21 the assertion `javascript` is code, which is not run",
        "error c.yaml:22 the assertion `not-python` is code, which is not run",
        "error c.yaml:23 the assertion `ruby` is code, which is not run",
        "error c.yaml:24 the assertion `webhook` is code, which is not run",
        "error c.yaml:25 `file://wanted.cjs` is code, which is not run",
        "error c.yaml:26 `file://b.rb` is code, which is not run",
        "error c.yaml:27 `transform` is code, which is not run",
        "error c.yaml:27 `contextTransform` is code, which is not run",
        "error c.yaml:29 the assertion `javascript` is code, which is not run",
        "error cells.csv:2 `javascript: true` is code, which is not run",
        "error cells.csv:2 `fn:x` is code, which is not run",
        "error cells.csv:3 `file://check.js` is code, which is not run",
        "error cells.csv:3 `eval: 1` is code, which is not run",
        "error cells.csv:4 `python: True` is code, which is not run",
    ];
    let missing: Vec<&&str> = expected.iter().filter(|line| !found.iter().any(|one| one == *line)).collect();
    let further: Vec<&String> = found.iter().filter(|line| !expected.contains(&line.as_str())).collect();
    assert!(missing.is_empty() && further.is_empty(), "missing {missing:#?}\nfurther {further:#?}");
}

#[test]
fn what_is_data_and_has_no_counterpart_is_told_too() {
    let text = "\
prompts: ['{{ name | dump }}', 'Hi {{ name }}']
providers: [openai:embedding:x, 'https://example.test']
derivedMetrics: [{name: f1, value: a / b}]
redteam: {plugins: []}
surprise: 1
tests:
  - vars: {name: a}
    provider: openai:gpt-4o
    providerOutput: ready
    options: {storeOutputAs: x, odd: 1}
    assert:
      - {type: similar, value: a}
      - {type: select-best, value: a}
      - {type: trajectory:tool-used, value: a}
      - {type: cotains, value: a}
      - {value: a}
  - surprise: 2
  - huggingface://datasets/x
";
    let expected = [
        "error c.yaml:1 the prompt is JSON, but no list of messages with `role` and `content`: it is no list",
        "error c.yaml:2 the provider `openai:embedding:x` is not taken over: it is not asked in chat",
        "error c.yaml:2 the provider `https://example.test` is not taken over: no model is asked there",
        "error c.yaml:3 `derivedMetrics` are formulas, which are not taken over",
        "error c.yaml:4 `redteam` makes its tests when it is run, which is not taken over",
        "error c.yaml:5 a configuration has no field `surprise`",
        "error c.yaml:8 a provider of one test is not taken over",
        "error c.yaml:9 `providerOutput`, an answer that was not given, is not taken over",
        "error c.yaml:10 `storeOutputAs` makes tests depend on each other, which is not taken over",
        "error c.yaml:10 `odd` of `options` is not taken over",
        "error c.yaml:12 the assertion `similar` has no counterpart",
        "error c.yaml:13 the assertion `select-best` has no counterpart",
        "error c.yaml:14 the assertion `trajectory:tool-used` has no counterpart",
        "error c.yaml:15 promptfoo knows no assertion `cotains`",
        "error c.yaml:16 the assertion lacks `type`",
        "error c.yaml:17 a test has no field `surprise`",
        "error c.yaml:18 tests from `huggingface://datasets/x` are not in the configuration; download them first",
    ];
    assert_eq!(findings(text, &[]), expected);
}

#[test]
fn judges_that_are_code_or_no_models_are_told_with_their_lines() {
    let text = "\
prompts: ['{{ name }}']
providers: [openai:gpt-4o]
defaultTest:
  options: {provider: file://grader.py, rubricPrompt: file://rubric.js}
tests:
  - vars: {name: a}
    options: {provider: {embedding: openai:embedding:x}}
    assert:
      - {type: llm-rubric, value: polite, provider: 'https://example.test'}
      - {type: llm-rubric, value: polite, provider: {text: 'exec:./grade'}}
      - {type: llm-rubric, value: polite, rubricPrompt: '{\"role\": \"user\"}'}
      - {type: contains, value: a, rubricPrompt: x}
";
    let expected = [
        "error c.yaml:4 the provider `file://grader.py` is code, which is not run",
        "error c.yaml:4 `rubric.js` is code, which is not run",
        "note c.yaml:7 a provider of this kind judges by no rubric, and has no effect",
        "error c.yaml:9 the provider `https://example.test` is not taken over: no model is asked there",
        "error c.yaml:10 the provider `exec:./grade` is code, which is not run",
        "error c.yaml:11 the prompt is JSON, but no list of messages with `role` and `content`: it is no list",
        "note c.yaml:12 `rubricPrompt` has an effect on assertions alone that a model judges",
    ];
    assert_eq!(findings(text, &[]), expected);
    // What stands against a judge only once it is built.
    let text = "\
prompts: ['{{ name }}']
providers: [openai:gpt-4o]
tests:
  - vars: {name: a, list: [[1]]}
    assert:
      - {type: llm-rubric, value: polite, rubricPrompt: '{{ output | sort }}', provider: openai:gpt-4o}
      - {type: llm-rubric, value: polite, rubricPrompt: '{{ output }} {{ list }}', provider: openai:gpt-4o}
      - {type: not-tool-call-f1, value: a}
      - {type: bleu, value: '{{ nothing }}'}
      - {type: rouge-n, value: a, threshold: 2}
      - {type: tool-call-f1, value: ' ,'}
";
    let expected = [
        "error c.yaml:6 `llm-rubric`: the template of the judge, at `sort`: the filter `sort` with 0 arguments is not taken over",
        "error c.yaml:7 `llm-rubric`: `list` is printed, and JavaScript writes it in another way",
        "error c.yaml:8 promptfoo does not turn `not-tool-call-f1` around as it says, so it is not taken over",
        "error c.yaml:9 `bleu`: `value` is one or several texts that are not empty, not `\"\"`",
        "error c.yaml:10 `rouge-n`: `threshold` lies from 0 to 1, not at 2",
        "error c.yaml:11 `tool-call-f1`: `value` names no tool",
    ];
    assert_eq!(findings(text, &[]), expected);
}

#[test]
fn what_would_come_to_another_result_is_told_with_its_case() {
    let text = "\
prompts: ['{{ name }}{% if list %}!{% endif %}']
providers: [openai:gpt-4o]
evaluateOptions: {maxConcurrency: 3}
tests:
  - vars: {name: [a], list: []}
  - vars: {name: {first: a}}
    assert: [{type: regex, value: '(?<=a)b'}, {type: is-json, value: 'type: 3'}]
  - vars: {name: '{\"a\": 1}'}
    prompts: [other]
    assert: [{type: equals, value: '{{ name | dump }}'}, {type: latency}, {type: word-count, value: {}}, {type: llm-rubric, value: is polite}]
";
    let expected = [
        "note c.yaml:3 `maxConcurrency` has no effect: options of the command say how calls are sent",
        "error c.yaml:7 `regex`: it looks ahead or behind",
        "error c.yaml:7 `schema` is no JSON Schema: 3 is not valid under any of the schemas listed in the 'anyOf' keyword",
        "error c.yaml:8 the configuration has no prompt `other`",
        "error c.yaml:10 `equals`: the filter `dump` with 0 arguments is not taken over",
        "error c.yaml:10 `latency`: it lacks `threshold`",
        "note c.yaml:10 no `provider` judges by rubrics; `gpt-5.6-sol` does, as with promptfoo and a key of OpenAI",
        "error c.yaml:10 `word-count`: `value` has neither `min` nor `max`",
        "error c.yaml:5 case 1: `list` is empty, which is true in JavaScript",
        "error c.yaml:6 case 2: `name` is printed, and JavaScript writes it in another way",
    ];
    let mut found = findings(text, &[]);
    let mut expected = expected.map(str::to_owned).to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_broken_file_is_a_finding_in_that_file() {
    let text = "prompts: [Hi]\nproviders: [openai:gpt-4o]\ntests: [file://a.jsonl, file://b.csv, file://e.yaml, file://d.toml]\n";
    let files = [("a.jsonl", "{\"vars\": {\"a\": 1}}\n{\"vars\":\n"), ("b.csv", "a,b\n1\n"), ("e.yaml", "- vars: [")];
    let found = findings(text, &files);
    assert!(found[0].starts_with("error a.jsonl:2 the line is no JSON"), "{found:#?}");
    assert_eq!(found[1], "error b.csv:2 the row has 1 cells, the header 2");
    assert_eq!(found[2], "error c.yaml:3 tests are read from CSV, JSON, JSON Lines and YAML, not from `.toml` files");
    assert!(found[3..].iter().all(|line| line.starts_with("error e.yaml:")), "{found:#?}");
    assert_eq!(findings("prompts: [Hi]", &[]), ["error c.yaml:1 the configuration lacks `providers`"]);
}
