//! `promptops check --fix`.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::{GREETING, Project};

/// Files with much to mend, comments everywhere.
fn flawed() -> Project {
    let project = Project::new();
    project.write(
        "prompts/support/routing.yaml",
        "# Routing. Keep me.\nid: Support.Routing # loud\nversion: \"2\"   # quoted\nownr: support-team\nmodel: gpt-4o-2024-08-06 # pinned\n\
         tags: support  # one\nmodel: gpt-4o-2024-08-06\ninputs:\n  # what came in\n  message: {type: string}\n\
         template: |\n  # a heading\n  {% include \"support.tone\" %} {{ message }}\n",
    );
    project.write(
        "prompts/support/tone.yaml",
        "version: 3\r\nparent: 2\r\nowner: support-team\r\nmodel: gpt-4o-2024-08-06\r\ntags: []\r\ntemplate: Be warm.\r\n",
    );
    project
}

fn read(project: &Project, path: &str) -> String {
    std::fs::read_to_string(project.path(path)).unwrap()
}

#[test]
fn a_dry_run_shows_what_would_change_and_changes_nothing() {
    let project = flawed();
    let before = project.files("prompts");
    assert_snapshot!(project.run(["check", "--fix", "--dry-run"]), @r#"
    exit: 1
    ----- stdout -----
    --- a/prompts/support/routing.yaml
    +++ b/prompts/support/routing.yaml
    @@ -1,13 +1,13 @@
     # Routing. Keep me.
    -id: Support.Routing # loud
    -version: "2"   # quoted
    -ownr: support-team
    +id: support.routing # loud
    +version: 2
    +parent: 1
    +owner: support-team
     model: gpt-4o-2024-08-06 # pinned
    -tags: support  # one
    -model: gpt-4o-2024-08-06
    +tags: [support]  # one
     inputs:
       # what came in
       message: {type: string}
     template: |
       # a heading
    -  {% include "support.tone" %} {{ message }}
    +  {% include "support.tone@3" %} {{ message }}
    --- a/prompts/support/tone.yaml
    +++ b/prompts/support/tone.yaml
    @@ -1,3 +1,4 @@
    +id: support.tone
     version: 3
     parent: 2
     owner: support-team
    ----- stderr -----
    8 findings would be mended in 2 files
    "#);
    assert_eq!(project.files("prompts"), before);
}

#[test]
fn what_is_mended_keeps_its_comments_and_line_ends() {
    let project = flawed();
    assert_snapshot!(project.run(["check", "--fix"]), @r#"
    exit: 0
    ----- stdout -----
    3 prompts checked: no findings
    ----- stderr -----
    prompts/support/routing.yaml: write `id: support.routing`, which the path says (id-format)
    prompts/support/routing.yaml: write `2` (wrong-type)
    prompts/support/routing.yaml: rename to `owner` (unknown-field)
    prompts/support/routing.yaml: write `[support]` (wrong-type)
    prompts/support/routing.yaml: remove the second, which says the same (duplicate-key)
    prompts/support/routing.yaml: write `parent: 1` (lineage)
    prompts/support/routing.yaml: include `support.tone@3` (unpinned-include)
    prompts/support/tone.yaml: write `id: support.tone`, which the path says (missing-field)
    8 findings were mended in 2 files
    "#);
    assert_snapshot!(read(&project, "prompts/support/routing.yaml"), @r#"
    # Routing. Keep me.
    id: support.routing # loud
    version: 2
    parent: 1
    owner: support-team
    model: gpt-4o-2024-08-06 # pinned
    tags: [support]  # one
    inputs:
      # what came in
      message: {type: string}
    template: |
      # a heading
      {% include "support.tone@3" %} {{ message }}
    "#);
    assert_eq!(
        read(&project, "prompts/support/tone.yaml"),
        "id: support.tone\r\nversion: 3\r\nparent: 2\r\nowner: support-team\r\nmodel: gpt-4o-2024-08-06\r\ntags: []\r\ntemplate: Be warm.\r\n"
    );
    assert_snapshot!(project.run(["check", "--fix"]), @r#"
    exit: 0
    ----- stdout -----
    3 prompts checked: no findings
    ----- stderr -----
    there is nothing to mend
    "#);
    assert_eq!(project.run(["check", "--fix", "--dry-run"]).exit, 0);
}

#[test]
fn a_changed_version_is_counted_up() {
    let project = Project::committed();
    project.replace("prompts/support/greeting.yaml", "version: 1\n", "version: 1 # the first\n");
    project.replace("prompts/support/greeting.yaml", "one warm", "two warm");
    let run = project.run(["check", "--base", "HEAD", "--fix"]);
    assert_eq!(run.exit, 0, "{run}");
    let text = read(&project, "prompts/support/greeting.yaml");
    assert!(text.contains("version: 2 # the first\nparent: 1\nowner:"), "{text}");
}

#[test]
fn what_is_only_suggested_is_left() {
    let project = Project::new();
    project.write("prompts/support/greeting.yaml", GREETING.replace("{{ name }}", "{{ nmae }}"));
    let run = project.run(["check", "--fix"]);
    assert_eq!(run.exit, 1, "{run}");
    assert!(read(&project, "prompts/support/greeting.yaml").contains("{{ nmae }}"));
    assert!(run.stderr.contains("there is nothing to mend"), "{run}");
}

#[cfg(unix)]
#[test]
fn permissions_stay_and_nothing_else_appears() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = flawed();
    let path = project.path("prompts/support/routing.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    project.run(["check", "--fix"]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(project.files("prompts").len(), 3);
}

#[test]
fn fix_and_baseline_are_told_apart() {
    assert_snapshot!(flawed().run(["check", "--fix", "--write-baseline"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the argument '--fix' cannot be used with '--write-baseline'

    Usage: promptops check --fix

    For more information, try '--help'.
    "#);
    assert_eq!(flawed().run(["check", "--dry-run"]).exit, 2);
}
