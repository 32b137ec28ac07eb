//! `promptops compat`, and how `check --base`, `gate` and `publish` hold a new version to the promise of its namespace.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::{Project, Run};

const INTENT: &str = "prompts/support/intent.yaml";

/// A prompt whose first two versions are committed: the second takes more and answers less.
struct Desk(Project);

impl Desk {
    fn new(policy: &str) -> Self {
        let project = Project::empty();
        project.git(["init", "--quiet", "--initial-branch=main"]);
        project.write("promptops.toml", policy);
        let desk = Self(project);
        desk.version(
            1,
            "customer: {type: object, properties: {age: {type: integer, minimum: 18}}}",
            "[billing, sales, other]",
            "",
        );
        desk.0.commit("Sort messages");
        desk.version(2, "customer: {type: object, properties: {age: {type: integer, minimum: 0}}}", "[billing, sales]", "");
        desk.0.commit("Take everybody");
        desk
    }

    fn version(&self, number: u32, inputs: &str, labels: &str, more: &str) {
        let parent = if number == 1 { String::new() } else { format!("parent: {}\n", number - 1) };
        self.0.write(INTENT, format!(
            "id: support.intent\nversion: {number}\n{parent}owner: support-team\nmodel: gpt-4o-2024-08-06\ntags: []\n{more}inputs:\n  \
             message: {{type: string}}\n  {inputs}\noutput: {{enum: {labels}}}\ntemplate: |\n  Sort {{{{ message }}}} of {{{{ customer }}}}.\n"
        ));
    }

    /// Writes a third version that callers and consumers have to follow; `more` are further fields.
    fn break_it(&self, more: &str) {
        self.version(
            3,
            "customer: {type: object, properties: {age: {type: integer, minimum: 16}}}",
            "[billing, sales, legal]",
            more,
        );
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.0.run(arguments)
    }
}

#[test]
fn a_version_that_keeps_the_promise_is_compatible() {
    let desk = Desk::new("");
    assert_snapshot!(desk.run(&["compat", "support.intent@1", "support.intent@2"]), @r#"
    exit: 0
    ----- stdout -----
    support.intent@1 → support.intent@2  in place of the older one
      compatible  inputs: customer.age: `minimum`: 18 → 0
      compatible  output: the answer: value "other" no longer allowed

    compatible: level `backward` of the policy's default
    ----- stderr -----
    "#);
    assert_snapshot!(desk.run(&["compat", "support.intent@1", "support.intent@2", "--level", "full", "--explain"]), @r#"
    exit: 1
    ----- stdout -----
    support.intent@1 → support.intent@2  in place of the older one
      compatible  inputs: customer.age: `minimum`: 18 → 0
                    rule     schema-widened: inputs are consumed by the prompt: what the old version took, the new one takes
                    where    inputs.customer.age
                    affects  callers
                    example  {"customer":{"age":0},"message":"x"}
                             accepted by support.intent@2, refused by support.intent@1
      compatible  output: the answer: value "other" no longer allowed
                    rule     schema-narrowed: it is consumed by others: all that they may get they might have got before
                    where    output
                    affects  consumers of the answer
                    example  "other"
                             accepted by support.intent@1, refused by support.intent@2

    support.intent@2 → support.intent@1  back again, as after a rollback
      breaking    inputs: customer.age: `minimum`: 0 → 18
                    rule     schema-narrowed: inputs are consumed by the prompt: what the old version took may be refused by the new one
                    where    inputs.customer.age
                    affects  callers
                    example  {"customer":{"age":0},"message":"x"}
                             accepted by support.intent@2, refused by support.intent@1
      breaking    output: the answer: value "other" allowed
                    rule     schema-widened: it is consumed by others: they may get what the old version never gave
                    where    output
                    affects  consumers of the answer
                    example  "other"
                             accepted by support.intent@1, refused by support.intent@2

    not compatible: 2 changes break level `full`
    ----- stderr -----
    "#);
}

#[test]
fn every_class_is_explained_with_an_example() {
    let desk = Desk::new("[policy.compatibility.namespaces]\nsupport = \"backward\"\n");
    // The working tree comes before Git.
    desk.break_it("");
    assert_snapshot!(desk.run(&["compat", "support.intent@2", "support.intent@3", "--explain"]), @r#"
    exit: 1
    ----- stdout -----
    support.intent@2 → support.intent@3  in place of the older one
      breaking    inputs: customer.age: `minimum`: 0 → 16
                    rule     schema-narrowed: inputs are consumed by the prompt: what the old version took may be refused by the new one
                    where    inputs.customer.age
                    affects  callers
                    example  {"customer":{"age":0},"message":"x"}
                             accepted by support.intent@2, refused by support.intent@3
      breaking    output: the answer: value "legal" allowed
                    rule     schema-widened: it is consumed by others: they may get what the old version never gave
                    where    output
                    affects  consumers of the answer
                    example  "legal"
                             accepted by support.intent@3, refused by support.intent@2

    not compatible: 2 changes break level `backward` of namespace `support`
    ----- stderr -----
    "#);
    assert_snapshot!(desk.run(&["compat", "support.intent@2", "support.intent@3", "--transitive", "--format", "json"]), @r#"
    exit: 1
    ----- stdout -----
    {
      "version": 1,
      "old": "support.intent@2",
      "new": "support.intent@3",
      "level": "backward-transitive",
      "compatible": false,
      "accepted_by": null,
      "reason": null,
      "comparisons": [
        {
          "from": "support.intent@2",
          "to": "support.intent@3",
          "direction": "forth",
          "changes": [
            {
              "part": "inputs",
              "class": "breaking",
              "reason": "customer.age: `minimum`: 0 → 16",
              "rule": "schema-narrowed",
              "node": "inputs.customer.age",
              "affects": "callers",
              "why": "inputs are consumed by the prompt: what the old version took may be refused by the new one",
              "example": {
                "value": {
                  "customer": {
                    "age": 0
                  },
                  "message": "x"
                },
                "accepted_by": "support.intent@2",
                "refused_by": "support.intent@3"
              }
            },
            {
              "part": "output",
              "class": "breaking",
              "reason": "the answer: value \"legal\" allowed",
              "rule": "schema-widened",
              "node": "output",
              "affects": "consumers of the answer",
              "why": "it is consumed by others: they may get what the old version never gave",
              "example": {
                "value": "legal",
                "accepted_by": "support.intent@3",
                "refused_by": "support.intent@2"
              }
            }
          ]
        },
        {
          "from": "support.intent@1",
          "to": "support.intent@3",
          "direction": "forth",
          "changes": [
            {
              "part": "inputs",
              "class": "compatible",
              "reason": "customer.age: `minimum`: 18 → 16",
              "rule": "schema-widened",
              "node": "inputs.customer.age",
              "affects": "callers",
              "why": "inputs are consumed by the prompt: what the old version took, the new one takes",
              "example": {
                "value": {
                  "customer": {
                    "age": 16
                  },
                  "message": "x"
                },
                "accepted_by": "support.intent@3",
                "refused_by": "support.intent@1"
              }
            },
            {
              "part": "output",
              "class": "breaking",
              "reason": "the answer: value \"legal\" allowed",
              "rule": "schema-widened",
              "node": "output",
              "affects": "consumers of the answer",
              "why": "it is consumed by others: they may get what the old version never gave",
              "example": {
                "value": "legal",
                "accepted_by": "support.intent@3",
                "refused_by": "support.intent@1"
              }
            },
            {
              "part": "output",
              "class": "compatible",
              "reason": "the answer: value \"other\" no longer allowed",
              "rule": "schema-narrowed",
              "node": "output",
              "affects": "consumers of the answer",
              "why": "it is consumed by others: all that they may get they might have got before",
              "example": {
                "value": "other",
                "accepted_by": "support.intent@1",
                "refused_by": "support.intent@3"
              }
            }
          ]
        }
      ],
      "breaks": [
        {
          "against": "support.intent@2",
          "direction": "forth",
          "part": "inputs",
          "rule": "schema-narrowed",
          "reason": "customer.age: `minimum`: 0 → 16"
        },
        {
          "against": "support.intent@2",
          "direction": "forth",
          "part": "output",
          "rule": "schema-widened",
          "reason": "the answer: value \"legal\" allowed"
        },
        {
          "against": "support.intent@1",
          "direction": "forth",
          "part": "output",
          "rule": "schema-widened",
          "reason": "the answer: value \"legal\" allowed"
        }
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn what_is_not_there_or_not_understood_is_said() {
    let desk = Desk::new("");
    assert_snapshot!(desk.run(&["compat", "support.intent@1", "support.intent@9"]), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: neither the working tree nor a commit has `support.intent@9`
    hint: `promptops history ID` lists the versions of a prompt; `--published` looks in the registry
    ");
    assert_snapshot!(desk.run(&["compat", "support.intent@1", "support.intent@2", "--level", "BACKWARD"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'BACKWARD' for '--level <LEVEL>': a level is `none`, `backward`, `backward-transitive`, `full` or `full-transitive`; got `BACKWARD`

    For more information, try '--help'.
    ");
    assert_snapshot!(desk.run(&["compat", "support.intent@1", "support.intent@2", "--level", "none"]), @r#"
    exit: 0
    ----- stdout -----
    support.intent@1 → support.intent@2  in place of the older one
      compatible  inputs: customer.age: `minimum`: 18 → 0
      compatible  output: the answer: value "other" no longer allowed

    nothing is demanded: level `none`
    ----- stderr -----
    "#);
}

#[test]
fn the_check_refuses_what_breaks_the_base() {
    let desk = Desk::new("");
    desk.break_it("");
    assert_snapshot!(desk.run(&["check", "--base", "main"]), @r#"
    exit: 1
    ----- stdout -----
    error[incompatible-change]: `support.intent@3` breaks what its namespace promises (level `backward`):
                                  - in place of support.intent@2: inputs: customer.age: `minimum`: 0 → 16
                                  - in place of support.intent@2: output: the answer: value "legal" allowed
     --> prompts/support/intent.yaml:2:10
      |
    2 | version: 3
      |          ^
      |
    help: change it so that callers need no change, or write what they have to do: `breaking: {3: …}`; `promptops compat --explain` shows examples

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
    assert_eq!(desk.run(&["check"]).exit, 0, "without a base there is nothing to compare with");
    desk.break_it("breaking: {3: know the label legal}\n");
    assert_eq!(desk.run(&["check", "--base", "main"]).exit, 0);
    desk.break_it("breaking: {2: it was another version that broke}\n");
    assert_eq!(desk.run(&["check", "--base", "main"]).exit, 1, "only the entry of the version itself counts");
}

#[test]
fn a_proposal_does_not_bring_its_own_promise() {
    let desk = Desk::new("");
    desk.break_it("");
    desk.0.write("promptops.toml", "[policy.compatibility]\ndefault = \"none\"\n");
    assert_eq!(desk.run(&["check", "--base", "main"]).exit, 1);
    assert_eq!(desk.run(&["gate", "--base", "main"]).exit, 1);
    desk.0.commit("Promise nothing");
    // A version after that one: what stands at the base is not proposed any more.
    desk.version(4, "customer: {type: string}", "[x]", "");
    assert_eq!(desk.run(&["check", "--base", "main"]).exit, 0);
    assert_snapshot!(desk.run(&["gate", "--base", "main"]), @r#"
    exit: 0
    ----- stdout -----
    gate against main
      1 prompt checked: 0 errors, 0 warnings
      support.intent@3 → 4: breaking
        compatible inputs: customer: type `string` allowed
        breaking inputs: customer: type `object` no longer allowed
        compatible inputs: customer.age: property removed
        breaking output: the answer: value "x" allowed
        compatible output: the answer: value "billing" no longer allowed
        compatible output: the answer: value "sales" no longer allowed
        compatible output: the answer: value "legal" no longer allowed

    note: `support.intent@4` breaks its callers, and the level of its namespace is `none`
    note: `support.intent@4` names no eval file: how it behaves was not measured

    gate passed
    ----- stderr -----
    "#);
}

#[test]
fn the_gate_shows_what_publish_would_refuse() {
    let desk = Desk::new("[policy.compatibility]\ndefault = \"full\"\n");
    desk.break_it("");
    assert_snapshot!(desk.run(&["gate", "--base", "main"]), @r#"
    exit: 1
    ----- stdout -----
    gate against main
      1 prompt checked: 0 errors, 0 warnings
      support.intent@2 → 3: breaking
        breaking inputs: customer.age: `minimum`: 0 → 16
        breaking output: the answer: value "legal" allowed

    note: `support.intent@3` names no eval file: how it behaves was not measured

    gate refused
      `support.intent@3` breaks what its namespace promises (level `full`): in place of support.intent@2: inputs: customer.age: `minimum`: 0 → 16; in place of support.intent@2: output: the answer: value "legal" allowed (to break it on purpose, write `breaking: {3: …}` into its file)
    ----- stderr -----
    "#);
    desk.0.commit("Ask for adults");
    assert_eq!(desk.run(&["registry", "init"]).exit, 0);
    assert_snapshot!(desk.run(&["publish", "--dry-run"]), @r"
    exit: 1
    ----- stdout -----
    version           result                                                digest        commit      author
    support.intent@1  would be published                                    9ddbcb2c77ca  [COMMIT]  ada@example.com
    support.intent@2  would be refused: breaks what its namespace promises  e7003f010746  [COMMIT]  ada@example.com
    support.intent@3  would be refused: breaks what its namespace promises  91f635696d00  [COMMIT]  ada@example.com
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT])
    ");
    assert_snapshot!(desk.run(&["publish"]), @r#"
    exit: 1
    ----- stdout -----
    version           result     digest        commit      author
    support.intent@1  published  9ddbcb2c77ca  [COMMIT]  ada@example.com
    support.intent@2  refused    -             [COMMIT]  ada@example.com
    support.intent@3  refused    -             [COMMIT]  ada@example.com
    1 published, 2 refused
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT])
    warning: `support.intent@2` breaks what its namespace promises (level `full`): 2 changes:
      - back to support.intent@1: inputs: customer.age: `minimum`: 0 → 18
      - back to support.intent@1: output: the answer: value "other" allowed
      (hint: change it so that callers need no change; or say in its file what they have to do, as `breaking: {2: …}`; for a version that is long committed, name it in `[policy.compatibility]` under `accepted`)
    warning: `support.intent@3` comes from `support.intent@2`, which is not published (hint: publish that version first)
    "#);
}

#[test]
fn an_accepted_break_passes_and_is_kept() {
    let desk = Desk::new("");
    desk.break_it("breaking:\n  3: know the label legal\n");
    assert_snapshot!(desk.run(&["gate", "--base", "main"]), @r#"
    exit: 0
    ----- stdout -----
    gate against main
      1 prompt checked: 0 errors, 0 warnings
      support.intent@2 → 3: breaking
        breaking inputs: customer.age: `minimum`: 0 → 16
        breaking output: the answer: value "legal" allowed
        metadata metadata: `breaking` changed

    note: `support.intent@3` breaks what its namespace promises (level `backward`): in place of support.intent@2: inputs: customer.age: `minimum`: 0 → 16; in place of support.intent@2: output: the answer: value "legal" allowed (its file says: know the label legal)
    note: `support.intent@3` names no eval file: how it behaves was not measured

    gate passed
    ----- stderr -----
    "#);
    desk.0.commit("Ask for adults");
    assert_eq!(desk.run(&["registry", "init"]).exit, 0);
    let published = desk.run(&["publish"]);
    assert!(published.exit == 0 && published.stdout.ends_with("3 published\n"), "{published}");
    let record = std::fs::read(desk.0.path(".promptops/registry/prompts/support.intent/0000000003.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["breaking"]["reason"], "know the label legal");
    assert_eq!(record["breaking"]["breaks"].as_array().unwrap().len(), 2);
    assert_snapshot!(desk.run(&["compat", "support.intent@2", "support.intent@3", "--published"]), @r#"
    exit: 1
    ----- stdout -----
    support.intent@2 → support.intent@3  in place of the older one
      breaking    inputs: customer.age: `minimum`: 0 → 16
      breaking    output: the answer: value "legal" allowed
      metadata    metadata: `breaking` changed

    not compatible: 2 changes break level `backward` of the policy's default
    accepted by the version itself: know the label legal
    ----- stderr -----
    "#);
    assert_eq!(desk.run(&["registry", "verify"]).exit, 0);
}

#[test]
fn a_removed_prompt_is_let_go_by_name() {
    let desk = Desk::new("");
    std::fs::remove_file(desk.0.path(INTENT)).unwrap();
    desk.0.write("prompts/support/other.yaml", support::GREETING.replace("support.greeting", "support.other"));
    let refused = desk.run(&["gate", "--base", "main"]);
    assert!(refused.stdout.contains("`support.intent` is removed (`--allow-removal support.intent` lets it pass)"), "{refused}");
    assert_eq!((refused.exit, desk.run(&["gate", "--base", "main", "--allow-removal", "support.intent"]).exit), (1, 0));
}

#[test]
fn known_inputs_prove_that_an_optional_variable_changes_nothing_for_others() {
    let project = Project::committed();
    project.write(
        "evals/greeting.yaml",
        "\
prompt: support.greeting
dataset: names.csv
metrics:
  - {name: warm, scorer: {type: contains, value: welcome}, margin: 0.1}
",
    );
    project.write("evals/names.csv", "name\nAda\nGrace\n");
    project.replace("prompts/support/greeting.yaml", "version: 1", "version: 2\nparent: 1\nevals: [evals/greeting.yaml]");
    project.replace(
        "prompts/support/greeting.yaml",
        "  name: {type: string}",
        "  name: {type: string}\n  mood: {type: string, default: \"\"}",
    );
    project.replace(
        "prompts/support/greeting.yaml",
        "greets {{ name }}.",
        "greets {{ name }}{% if mood %} in a {{ mood }} way{% endif %}.",
    );
    assert_snapshot!(project.run(["compat", "support.greeting@1", "support.greeting@2"]), @r"
    exit: 0
    ----- stdout -----
    support.greeting@1 → support.greeting@2  in place of the older one
      compatible  text: the wording changed; the 2 known inputs render byte for byte as before
      compatible  inputs: optional variable `mood` added; the 2 known inputs render byte for byte as before
      metadata    metadata: `evals` changed

    compatible: level `backward` of the policy's default
    ----- stderr -----
    ");
}
