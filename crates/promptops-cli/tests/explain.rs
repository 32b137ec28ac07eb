//! `promptops explain`.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use promptops_prompt::check::CHECKS;
use support::Project;

#[test]
fn a_check_says_why_it_is_there_and_what_to_do() {
    assert_snapshot!(Project::empty().run(["explain", "unpinned-include"]), @r#"
    exit: 0
    ----- stdout -----
    error[unpinned-include]: An include names `id@version`, so that the text cannot change underneath.

    Why
      A version is what was evaluated and approved. If an include followed the newest text, every
      prompt that uses it would change without a review.

    What it finds
      # prompts/tone.yaml
      id: tone
      version: 1
      owner: support-team
      model: gpt-4o-2024-08-06
      tags: [support]
      template: Be warm and brief.

      # prompts/greeting.yaml
      id: greeting
      version: 1
      owner: support-team
      model: gpt-4o-2024-08-06
      tags: [support]
      template: |
        {% include "tone" %} Greet the customer.

    What it lets pass
      # prompts/tone.yaml
      id: tone
      version: 1
      owner: support-team
      model: gpt-4o-2024-08-06
      tags: [support]
      template: Be warm and brief.

      # prompts/greeting.yaml
      id: greeting
      version: 1
      owner: support-team
      model: gpt-4o-2024-08-06
      tags: [support]
      template: |
        {% include "tone@1" %} Greet the customer.

    What to do
      Name the version that was tested. `promptops check --fix` writes the version that the project
      holds.

      `promptops check --fix` mends it where there is one way to.

    https://github.com/promptops/promptops/blob/main/docs/reference/checks/unpinned-include.md
    ----- stderr -----
    "#);
}

#[test]
fn every_check_is_listed_and_can_be_explained() {
    let project = Project::empty();
    let list = project.run(["explain"]);
    assert_eq!((list.exit, list.stdout.lines().count()), (0, CHECKS.len()), "{list}");
    for (line, check) in list.stdout.lines().zip(CHECKS) {
        assert!(line.starts_with(check.id) && line.ends_with(check.summary), "{line}");
        let run = project.run(["explain", check.id]);
        assert_eq!(run.exit, 0, "{run}");
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 145), "{run}");
    }
}

#[test]
fn an_unknown_check_has_near_ones() {
    assert_snapshot!(Project::empty().run(["explain", "secrets"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no check `secrets`
    hint: did you mean `secret`? `promptops explain` lists all checks
    "#);
    assert_snapshot!(Project::empty().run(["explain", "include"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no check `include`
    hint: did you mean `include-cycle` or `include-input` or `unknown-include`? `promptops explain` lists all checks
    "#);
    assert_snapshot!(Project::empty().run(["explain", "zzzzzzzzzzzzz"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no check `zzzzzzzzzzzzz`
    hint: `promptops explain` lists all checks
    "#);
}
