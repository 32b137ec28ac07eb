//! Evals over slices of the lake: chosen once, frozen beside the eval file, and never chosen again.

#![cfg(test)]
#![cfg(feature = "lake")]

mod support;

use support::Project;

const PROMPT: &str = "\
id: support.routing
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs:
  message: {type: string}
output: {enum: [billing, sales]}
template: \"Route: {{ message }}\"
evals: [evals/routing.yaml]
";

fn eval(limit: usize) -> String {
    format!(
        "prompt: support.routing\ndataset: {{from: lake, since: 2026-05-01, limit: {limit}}}\ncase: invocation_id\ninputs: {{message: input}}\n\
         metrics:\n  - {{name: accuracy, scorer: {{type: label, expected: label}}, margin: 0.1}}\n"
    )
}

/// Records of ten minutes, of which every second has its input.
fn records(from: u32) -> String {
    let record = |minute: u32| {
        let input = if minute.is_multiple_of(2) { format!(",\"input\":\"message {minute}\"") } else { String::new() };
        format!(
            "{{\"schema_version\":1,\"time\":\"2026-05-01T10:{minute:02}:00Z\",\"invocation_id\":\"019f0000-0000-7000-8000-{minute:012}\",\
             \"prompt_id\":\"support.routing\",\"prompt_version\":1,\"status\":\"ok\",\"label\":\"billing\"{input}}}\n"
        )
    };
    (from..from + 10).map(record).collect()
}

fn project(limit: usize) -> Project {
    let project = Project::empty();
    project.write("promptops.toml", "");
    project.write("prompts/support/routing.yaml", PROMPT);
    project.write("evals/routing.yaml", eval(limit));
    project
}

/// Runs the eval without a model: it stops for want of recorded answers, once it has its cases.
fn stderr(project: &Project) -> (i32, String) {
    let run = project.run(["eval", "--replay", "only"]);
    (run.exit, run.stderr.clone())
}

fn frozen(project: &Project) -> Vec<(String, Vec<String>)> {
    let files = project.files("evals/slices").into_iter();
    files
        .map(|(path, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            let inputs = text.lines().map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                row["input"].as_str().unwrap().to_owned()
            });
            (path.file_name().unwrap().to_str().unwrap().to_owned(), inputs.collect())
        })
        .collect()
}

#[test]
fn the_latest_invocations_with_an_input_are_frozen_once() {
    let project = project(3);
    project.write("spool.jsonl", records(0));
    assert_eq!(project.run(["invocations", "import", "spool.jsonl"]).exit, 0);
    let (_, said) = stderr(&project);
    assert!(said.contains("3 invocations of the lake are frozen in "), "{said}");
    assert!(said.contains("3 of 3 answers are not recorded"), "{said}");
    let slices = frozen(&project);
    let [(name, inputs)] = slices.as_slice() else { panic!("{slices:?}") };
    assert!(name.starts_with("routing-") && name.ends_with(".jsonl"), "{name}");
    assert_eq!(inputs, &["message 4", "message 6", "message 8"]);
    // Later records change nothing that was frozen.
    project.write("more.jsonl", records(20));
    assert_eq!(project.run(["invocations", "import", "more.jsonl"]).exit, 0);
    let (_, said) = stderr(&project);
    assert!(!said.contains("frozen"), "{said}");
    assert_eq!(frozen(&project), slices);
    // Another choice is another slice.
    project.write("evals/routing.yaml", eval(2));
    stderr(&project);
    let both = frozen(&project);
    assert_eq!(both.len(), 2);
    assert!(both.iter().any(|(_, inputs)| inputs == &["message 26", "message 28"]), "{both:?}");
}

#[test]
fn a_slice_of_nothing_says_what_is_missing() {
    let project = project(3);
    let (exit, said) = stderr(&project);
    assert_ne!(exit, 0);
    assert!(said.contains("is empty: no invocation fits"), "{said}");
    project.write("spool.jsonl", records(0).replace("\"input\"", "\"other\""));
    assert_eq!(project.run(["invocations", "import", "spool.jsonl"]).exit, 0);
    let (_, said) = stderr(&project);
    assert!(said.contains("is empty: none of 10 invocations has its input"), "{said}");
    assert!(frozen(&project).is_empty());
}
