//! `promptops export` and `promptops owners codeowners`: what other tools read about prompts.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::{GREETING, Project, Run};

const OWNERS: &str = "\
people:
  ada: {name: Ada Lovelace, email: ada@example.com, github: ada}
  bob: {name: Bob, email: bob@example.com}
teams:
  support-team: {members: [ada, bob], github: acme/support, channel: '#support'}
  sales-team: {members: [bob]}
";

/// Two prompts of two teams, the first in two versions, and a release.
fn project() -> Project {
    let project = Project::committed();
    project.write("owners.yaml", OWNERS);
    let pitch = GREETING.replace("support.greeting", "sales.pitch").replace("support-team", "sales-team");
    project.write("prompts/sales/pitch.yaml", pitch);
    project.commit("Pitch");
    let second = GREETING.replace("version: 1", "version: 2\nparent: 1\npurpose: Greet").replace("warm", "kind");
    project.write("prompts/support/greeting.yaml", second);
    project.commit("Greet kindly");
    project
}

fn published() -> Project {
    let project = project();
    for arguments in [
        &["registry", "init"][..],
        &["publish"],
        &["plan", "--env", "prod", "support.greeting@1", "--out", "plan.json"],
        &["deploy", "plan.json", "--reason", "first"],
    ] {
        let run = project.run(arguments);
        assert_eq!(run.exit, 0, "{run}");
    }
    project
}

fn run(project: &Project, arguments: &[&str]) -> Run {
    let redactions = project.redactions().pattern(r"\b20\d\d-\d\d-\d\dT[\d:.]+Z", "[TIME]");
    Run::new(project.promptops(arguments).output().unwrap(), &redactions)
}

#[test]
fn events_for_a_catalog_come_one_a_line_oldest_first() {
    let project = published();
    let exported = run(&project, &["export", "--openlineage", "--name", "acme"]);
    assert_eq!((exported.exit, exported.stderr.as_str()), (0, ""), "{exported}");
    let events: Vec<serde_json::Value> = exported.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let jobs: Vec<&str> = events.iter().map(|event| event["job"]["name"].as_str().unwrap()).collect();
    assert_eq!(jobs, ["gate.sales.pitch", "gate.support.greeting", "gate.support.greeting", "release.prod"]);
    assert!(events.iter().all(|event| event["job"]["namespace"] == "promptops/acme"));
    assert_eq!(events[3]["run"]["facets"]["promptOps_release"]["reason"], "first");
    assert_eq!(run(&project, &["export", "--openlineage", "--name", "acme"]).stdout, exported.stdout);
    assert_eq!(run(&project, &["export", "--openlineage", "--since", "2100-01-01"]).stdout, "");
    let of_one = run(&project, &["export", "--openlineage", "--owner", "sales-team"]);
    assert_eq!(of_one.stdout.matches("\"gate.").count(), 1, "{of_one}");

    let written = run(&project, &["export", "--openlineage", "--out", "events"]);
    assert_eq!(written.stderr, "4 files written to events\n", "{written}");
    let names: Vec<String> =
        project.files("events").iter().map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(
        names,
        [
            "publish-sales.pitch@1.json",
            "publish-support.greeting@1.json",
            "publish-support.greeting@2.json",
            "release-prod-1.json"
        ]
    );
}

#[test]
fn a_contract_says_who_answers_for_a_prompt_and_what_it_takes() {
    let project = published();
    assert_snapshot!(run(&project, &["export", "--odcs", "--name", "acme", "--owner", "support-team"]), @r##"
    exit: 0
    ----- stdout -----
    ---
    apiVersion: "v3.1.0"
    kind: "DataContract"
    id: "promptops://acme/support.greeting"
    name: "support.greeting"
    version: "2"
    status: "active"
    contractCreatedTs: "[TIME]"
    domain: "support"
    tags:
      - "support"
    description:
      purpose: "Greet"
    servers:
      - server: "registry"
        type: "custom"
        location: "file://.promptops/registry"
    schema:
      - name: "inputs"
        logicalType: "object"
        physicalType: "variables of the template"
        properties:
          - name: "name"
            logicalType: "string"
            required: true
    team:
      name: "support-team"
      members:
        - username: "ada@example.com"
          role: "member"
          name: "Ada Lovelace"
        - username: "bob@example.com"
          role: "member"
          name: "Bob"
    support:
      - channel: "#support"
        scope: "interactive"
    customProperties:
      - property: "promptopsDigest"
        value: "sha256:d94af8beba5c7749490ea4b91b13fab4ba077a6578611249062445336155205c"
      - property: "promptopsModel"
        value: "gpt-4o-2024-08-06"
      - property: "promptopsAuthor"
        value: "ada@example.com"
      - property: "promptopsParent"
        value: "support.greeting@1"
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT])
    "##);
    assert_eq!(run(&project, &["export", "--odcs", "--out", "contracts"]).exit, 0);
    assert_eq!(project.files("contracts").len(), 2);
}

#[test]
fn an_export_needs_a_kind() {
    let project = published();
    assert_snapshot!(run(&project, &["export"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      <--openlineage|--odcs>

    Usage: promptops export <--openlineage|--odcs>

    For more information, try '--help'.
    "#);
    assert_snapshot!(run(&project, &["export", "--odcs", "--since", "7d"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the argument '--odcs' cannot be used with '--since <TIME>'

    Usage: promptops export <--openlineage|--odcs>

    For more information, try '--help'.
    "#);
}

#[test]
fn code_owners_follow_the_owners_of_prompts() {
    let project = project();
    assert_snapshot!(run(&project, &["owners", "codeowners"]), @r#"
    exit: 0
    ----- stdout -----
    # BEGIN promptops: written by `promptops owners codeowners --write`; edit owners.yaml or the prompts instead
    /prompts/sales/ bob@example.com
    /prompts/support/ @acme/support
    # END promptops
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["owners", "codeowners", "--check"]), @r#"
    exit: 1
    ----- stdout -----
    + # BEGIN promptops: written by `promptops owners codeowners --write`; edit owners.yaml or the prompts instead
    + /prompts/sales/ bob@example.com
    + /prompts/support/ @acme/support
    + # END promptops
    ----- stderr -----
    .github/CODEOWNERS is not up to date; write it with `promptops owners codeowners --write`
    "#);
    assert_snapshot!(run(&project, &["owners", "codeowners", "--write"]), @r#"
    exit: 0
    ----- stdout -----
    wrote .github/CODEOWNERS
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["owners", "codeowners", "--check"]), @r#"
    exit: 0
    ----- stdout -----
    .github/CODEOWNERS is up to date
    ----- stderr -----
    "#);

    project.write("CODEOWNERS", "* @everyone\n");
    std::fs::remove_file(project.path(".github/CODEOWNERS")).unwrap();
    assert_eq!(run(&project, &["owners", "codeowners", "--write"]).stdout, "wrote CODEOWNERS\n");
    project.replace("prompts/sales/pitch.yaml", "sales-team", "support-team");
    assert_snapshot!(run(&project, &["owners", "codeowners", "--check"]), @r#"
    exit: 1
    ----- stdout -----
    - /prompts/sales/ bob@example.com
    - /prompts/support/ @acme/support
    + /prompts/ @acme/support
    ----- stderr -----
    CODEOWNERS is not up to date; write it with `promptops owners codeowners --write`
    "#);
    assert_eq!(run(&project, &["owners", "codeowners", "--write"]).exit, 0);
    let text = String::from_utf8(std::fs::read(project.path("CODEOWNERS")).unwrap()).unwrap();
    assert!(text.starts_with("* @everyone\n\n# BEGIN promptops") && text.contains("/prompts/ @acme/support\n"), "{text}");
}

#[test]
fn an_owner_without_a_name_on_github_is_said() {
    let project = project();
    project.replace("owners.yaml", "bob: {name: Bob, email: bob@example.com}", "bob: {name: Bob}");
    assert_snapshot!(run(&project, &["owners", "codeowners"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: GitHub has no name for these owners:
      - sales-team
    hint: give each a `github` in `owners.yaml`, or an `email` to the person
    "#);
    project.write("prompts/support/greeting.yaml", "id: support.greeting\n");
    assert_snapshot!(run(&project, &["owners", "codeowners", "--check"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: these files are no valid prompts:
      - prompts/support/greeting.yaml
    hint: `promptops check` shows what is wrong with them
    "#);
    std::fs::remove_file(project.path("owners.yaml")).unwrap();
    assert_snapshot!(run(&project, &["owners", "codeowners"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no `owners.yaml`, which says who owners are
    "#);
    project.write("owners.yaml", OWNERS.replace("acme/support", "support"));
    assert_snapshot!(run(&project, &["owners", "codeowners"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `owners.yaml` is not valid: `github` must be a team as `acme/support`, not `support`
    hint: `promptops check` shows the place
    "#);
    project.write("owners.yaml", OWNERS);
    project.write("prompts/support/greeting.yaml", GREETING);
    project.write("CODEOWNERS", "# END promptops\n");
    assert_snapshot!(run(&project, &["owners", "codeowners", "--write"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the comments `# BEGIN promptops` and `# END promptops` do not enclose a part: `CODEOWNERS`
    hint: restore both comments, or remove both with what is between
    "#);
}
