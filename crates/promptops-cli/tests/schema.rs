//! `promptops schema`, as an editor's configuration uses it.

#![cfg(test)]

mod support;

use serde_json::Value;
use support::Project;

/// Returns what a file of a project says, as JSON.
fn document(project: &Project, path: &str) -> Value {
    let text = std::fs::read_to_string(project.path(path)).unwrap();
    let (node, problems) = promptops_prompt::yaml::parse(&text);
    assert_eq!(problems, []);
    node.unwrap().to_json(&mut Vec::new())
}

#[test]
fn the_printed_schemas_take_the_files_that_init_writes_and_no_others() {
    let project = Project::empty();
    assert_eq!(project.run(["init"]).exit, 0);
    for (arguments, committed, file, required) in [
        (&["schema"][..], "prompt", "prompts/support/intent.yaml", "owner"),
        (&["schema", "prompt"][..], "prompt", "prompts/support/intent.yaml", "owner"),
        (&["schema", "eval"][..], "eval", "evals/intent.yaml", "dataset"),
    ] {
        let run = project.run(arguments);
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
        let printed: Value = serde_json::from_str(&run.stdout).unwrap();
        let path = format!("{}/../../spec/schemas/{committed}.schema.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(printed, serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap());
        let validator = jsonschema::validator_for(&printed).unwrap();
        let mut document = document(&project, file);
        assert!(validator.is_valid(&document), "{file}: {:?}", validator.iter_errors(&document).next());
        document.as_object_mut().unwrap().shift_remove(required);
        assert!(!validator.is_valid(&document), "{file} without `{required}`");
    }
    let printed = project.promptops(["schema", "invocation"]).output().unwrap().stdout;
    let committed = format!("{}/../../spec/schemas/invocation.schema.json", env!("CARGO_MANIFEST_DIR"));
    assert!(printed == std::fs::read(committed).unwrap(), "what is printed is not what is committed");
    let unknown = project.run(["schema", "dataset"]);
    assert_eq!(unknown.exit, 2);
    assert!(unknown.stderr.contains("[possible values: prompt, eval, invocation]"), "{}", unknown.stderr);
}
