//! `promptops list`, `search`, `lineage` and `registry reindex`: what is published, found and connected.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::{Project, Run};

const TONE: &str = "\
id: shared.tone
version: 1
owner: support-team
purpose: How we speak to customers
model: gpt-4o-2024-08-06
tags: [shared]
template: Be kind and brief.
";

const REFUND: &str = "\
id: billing.refund
version: 1
owner: billing-team
purpose: Say whether a refund is due, and why
model: claude-3-5-sonnet-20241022
tags: [billing, customers]
inputs:
  claim: {type: string}
template: |
  {% include \"shared.tone@1\" %}
  Decide whether money goes back: {{ claim }}
";

/// Three prompts in five versions: a shared text, what includes it in two versions, and a fork of that in two.
fn published() -> Project {
    let project = Project::committed();
    project.write("prompts/shared/tone.yaml", TONE);
    project.write("prompts/billing/refund.yaml", REFUND);
    project.commit("Decide on refunds");
    project.write("prompts/billing/refund.yaml", REFUND.replace("version: 1", "version: 2\nparent: 1").replace("Decide", "Say"));
    project.commit("Say it");
    let fork = REFUND
        .replace("id: billing.refund\nversion: 1", "id: sales.discount\nversion: 1\nparent: billing.refund@1")
        .replace("billing-team", "sales-team")
        .replace("[billing, customers]", "[customers]")
        .replace("Say whether a refund is due, and why", "Say whether a discount, \"goodwill\" included, is due");
    project.write("prompts/sales/discount.yaml", &fork);
    project.commit("Decide on discounts");
    project.write(
        "prompts/sales/discount.yaml",
        fork.replace("version: 1\nparent: billing.refund@1", "version: 2\nparent: 1").replace("money", "a part of the price"),
    );
    project.commit("Only a part");
    assert_eq!(project.run(["registry", "init"]).exit, 0);
    let published = project.run(["publish"]);
    assert_eq!((published.exit, published.stderr.contains("warning")), (0, false), "{published}");
    project
}

/// Runs the binary, with the day of the run out of the way.
fn run(project: &Project, arguments: &[&str]) -> Run {
    let redactions = project
        .redactions()
        .pattern(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]")
        // What is published at the same time is logged in more or fewer batches.
        .pattern(r"batch \d+", "batch [N]")
        // The day that stands alone, not the one in the name of a model.
        .pattern(r" 20\d\d-\d\d-\d\d\b", " YYYY-MM-DD");
    Run::new(project.promptops(arguments).output().unwrap(), &redactions)
}

#[test]
fn what_is_published_is_listed_with_what_holds_for_it() {
    let project = published();
    assert_snapshot!(run(&project, &["list"]), @r#"
    exit: 0
    ----- stdout -----
    prompt            latest  versions  digest        owner         model                       published   tags
    billing.refund         2         2  d652cd378c44  billing-team  claude-3-5-sonnet-20241022  YYYY-MM-DD  billing, customers
    sales.discount         2         2  5cbe7dd96ac9  sales-team    claude-3-5-sonnet-20241022  YYYY-MM-DD  customers
    shared.tone            1         1  ae7ff6fe8107  support-team  gpt-4o-2024-08-06           YYYY-MM-DD  shared
    support.greeting       1         1  ddf0c33d2171  support-team  gpt-4o-2024-08-06           YYYY-MM-DD  support
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["list", "--format", "csv"]), @r#"
    exit: 0
    ----- stdout -----
    id,latest,versions,live,owner,model,tags,purpose,digest,author,published,published_by,parent,status
    billing.refund,2,2,,billing-team,claude-3-5-sonnet-20241022,billing customers,"Say whether a refund is due, and why",sha256:d652cd378c4483996f08f76563fe572e122ab22dfa15f45ebfa8a077baeec7af,ada@example.com,[TIME],ada@example.com,billing.refund@1,
    sales.discount,2,2,,sales-team,claude-3-5-sonnet-20241022,customers,"Say whether a discount, ""goodwill"" included, is due",sha256:5cbe7dd96ac99db921fcacaf39576f07df957034614b49eea1024b67f82da5cd,ada@example.com,[TIME],ada@example.com,sales.discount@1,
    shared.tone,1,1,,support-team,gpt-4o-2024-08-06,shared,How we speak to customers,sha256:ae7ff6fe81077acc9081cd331da1016c2059a2a361a1677143f8c7fad32c8835,ada@example.com,[TIME],ada@example.com,,
    support.greeting,1,1,,support-team,gpt-4o-2024-08-06,support,,sha256:ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7,ada@example.com,[TIME],ada@example.com,,
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["list", "--format", "json", "--owner", "billing-team"]), @r#"
    exit: 0
    ----- stdout -----
    {
      "version": 1,
      "prompts": [
        {
          "id": "billing.refund",
          "versions": [
            1,
            2
          ],
          "latest": {
            "version": 2,
            "digest": "sha256:d652cd378c4483996f08f76563fe572e122ab22dfa15f45ebfa8a077baeec7af",
            "parent": "billing.refund@1",
            "includes": [
              "shared.tone@1"
            ],
            "owner": "billing-team",
            "model": "claude-3-5-sonnet-20241022",
            "tags": [
              "billing",
              "customers"
            ],
            "purpose": "Say whether a refund is due, and why",
            "evals": [],
            "author": "ada@example.com",
            "commit": "[COMMIT]",
            "published": "[TIME]",
            "published_by": "ada@example.com"
          }
        }
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn filters_restrict_a_list_together() {
    let project = published();
    let ids = |arguments: &[&str]| {
        let run = run(&project, &[&["list", "--format", "csv"], arguments].concat());
        assert_eq!(run.exit, 0, "{run}");
        run.stdout.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(&[]), "billing.refund sales.discount shared.tone support.greeting");
    assert_eq!(ids(&["--tag", "customers"]), "billing.refund sales.discount");
    assert_eq!(ids(&["--tag", "customers", "--tag", "billing"]), "billing.refund");
    assert_eq!(ids(&["--tag", "customers", "--owner", "sales-team"]), "sales.discount");
    assert_eq!(ids(&["--model", "gpt-4o-*"]), "shared.tone support.greeting");
    assert_eq!(ids(&["--model", "gpt-4o"]), "");
    assert_eq!(ids(&["--stale", "1d"]), "");
    assert_eq!(ids(&["--stale", "0d", "--tag", "shared"]), "shared.tone");
    assert_snapshot!(run(&project, &["list", "--owner", "nobody"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    no published prompt fits
    "#);
    assert_snapshot!(run(&project, &["list", "--env", "prod"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: nothing is deployed to environment `prod`
    hint: run `promptops plan`, then `promptops deploy`
    "#);

    assert_eq!(run(&project, &["plan", "--env", "prod", "billing.refund@1", "--out", "plan.json"]).exit, 0);
    assert_eq!(run(&project, &["deploy", "plan.json"]).exit, 0);
    assert_snapshot!(run(&project, &["list", "--env", "prod"]), @r#"
    exit: 0
    ----- stdout -----
    prompt          latest  versions  live  digest        owner         model                       published   tags
    billing.refund       2         2     1  d652cd378c44  billing-team  claude-3-5-sonnet-20241022  YYYY-MM-DD  billing, customers
    ----- stderr -----
    "#);
}

#[test]
fn what_is_withdrawn_is_marked_in_lists() {
    let project = published();
    let version = ["deprecate", "shared.tone@1", "--date", "2099-12-31", "--reason", "too brief"];
    let deprecated = run(&project, &version);
    assert_eq!(deprecated.exit, 0, "{deprecated}");
    assert_snapshot!(run(&project, &["list"]), @r#"
    exit: 0
    ----- stdout -----
    prompt            latest  versions  status      digest        owner         model                       published   tags
    billing.refund         2         2  in use      d652cd378c44  billing-team  claude-3-5-sonnet-20241022  YYYY-MM-DD  billing, customers
    sales.discount         2         2  in use      5cbe7dd96ac9  sales-team    claude-3-5-sonnet-20241022  YYYY-MM-DD  customers
    shared.tone            1         1  deprecated  ae7ff6fe8107  support-team  gpt-4o-2024-08-06           YYYY-MM-DD  shared
    support.greeting       1         1  in use      ddf0c33d2171  support-team  gpt-4o-2024-08-06           YYYY-MM-DD  support
    ----- stderr -----
    "#);
    let only = run(&project, &["list", "--deprecated", "--format", "csv"]).stdout;
    let rows: Vec<&str> = only.lines().skip(1).collect();
    assert!(rows.len() == 1 && rows[0].starts_with("shared.tone,") && rows[0].ends_with(",deprecated"), "{only}");
    let json = run(&project, &["list", "--deprecated", "--format", "json"]).stdout;
    let list: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        list["prompts"][0]["latest"]["status"],
        serde_json::json!({"state": "deprecated", "date": "2099-12-31", "replacement": null, "reason": "too brief"})
    );
    let contract = run(&project, &["export", "--odcs", "--deprecated"]).stdout;
    assert!(contract.contains("status: \"deprecated\""), "{contract}");
}

#[cfg(feature = "lake")]
#[test]
fn what_nobody_calls_is_found_in_the_recorded_invocations() {
    let project = published();
    project.write("calls.csv", "asked,prompt\n2026-05-01T08:00:00Z,billing.refund\n2026-05-20T08:00:00Z,shared.tone\n");
    project.write("mapping.toml", "[columns]\ntime = { column = \"asked\" }\nprompt_id = { column = \"prompt\" }\n");
    let without_calls = run(&project, &["list", "--format", "csv", "--unused-since", "2026-05-01", "--owner", "billing-team"]);
    assert!(without_calls.stdout.contains("billing.refund,2,2,"), "{without_calls}");
    assert!(without_calls.stderr.contains("so every prompt counts as unused"), "{without_calls}");
    let imported = run(&project, &["invocations", "import", "calls.csv", "--mapping", "mapping.toml"]);
    assert_eq!(imported.exit, 0, "{imported}");
    let unused = |since: &str| {
        let run = run(&project, &["list", "--format", "csv", "--unused-since", since]);
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run}");
        run.stdout.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(unused("2026-05-01"), "sales.discount support.greeting");
    assert_eq!(unused("2026-05-02"), "billing.refund sales.discount support.greeting");
}

#[test]
fn words_are_found_where_they_count_most() {
    let project = published();
    assert_snapshot!(run(&project, &["search", "refund"]), @r#"
    exit: 0
    ----- stdout -----
    prompt            owner         found in  purpose or line
    billing.refund@2  billing-team  id        Say whether a refund is due, and why
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["search", "customers", "SPEAK"]), @r#"
    exit: 0
    ----- stdout -----
    prompt         owner         found in  purpose or line
    shared.tone@1  support-team  purpose   How we speak to customers
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["search", "kind"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    no published prompt fits; `--text` searches what the prompts say as well
    "#);
    assert_snapshot!(run(&project, &["search", "kind", "--text"]), @r#"
    exit: 0
    ----- stdout -----
    prompt         owner         found in  purpose or line
    shared.tone@1  support-team  text      Be kind and brief.
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["search", "whether", "--format", "csv"]), @r#"
    exit: 0
    ----- stdout -----
    id,latest,versions,live,owner,model,tags,purpose,digest,author,published,published_by,parent,status,score,found_in
    billing.refund,2,2,,billing-team,claude-3-5-sonnet-20241022,billing customers,"Say whether a refund is due, and why",sha256:d652cd378c4483996f08f76563fe572e122ab22dfa15f45ebfa8a077baeec7af,ada@example.com,[TIME],ada@example.com,billing.refund@1,,15,purpose
    sales.discount,2,2,,sales-team,claude-3-5-sonnet-20241022,customers,"Say whether a discount, ""goodwill"" included, is due",sha256:5cbe7dd96ac99db921fcacaf39576f07df957034614b49eea1024b67f82da5cd,ada@example.com,[TIME],ada@example.com,sales.discount@1,,15,purpose
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["search", "discount", "--format", "json"]), @r#"
    exit: 0
    ----- stdout -----
    {
      "version": 1,
      "hits": [
        {
          "score": 40,
          "found_in": [
            "id"
          ],
          "line": null,
          "prompt": {
            "id": "sales.discount",
            "versions": [
              1,
              2
            ],
            "latest": {
              "version": 2,
              "digest": "sha256:5cbe7dd96ac99db921fcacaf39576f07df957034614b49eea1024b67f82da5cd",
              "parent": "sales.discount@1",
              "includes": [
                "shared.tone@1"
              ],
              "owner": "sales-team",
              "model": "claude-3-5-sonnet-20241022",
              "tags": [
                "customers"
              ],
              "purpose": "Say whether a discount, \"goodwill\" included, is due",
              "evals": [],
              "author": "ada@example.com",
              "commit": "[COMMIT]",
              "published": "[TIME]",
              "published_by": "ada@example.com"
            }
          }
        }
      ]
    }
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["search", " "]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no word to search for
    "#);
}

#[test]
fn a_lineage_is_shown_as_a_tree_and_as_graphs() {
    let project = published();
    assert_snapshot!(run(&project, &["lineage", "billing.refund"]), @r#"
    exit: 0
    ----- stdout -----
    billing.refund  owner billing-team, model claude-3-5-sonnet-20241022
    ├─ @1  e2b68c477aba  published YYYY-MM-DD, written by ada@example.com
    │  ├─ includes shared.tone@1
    │  └─ forked to sales.discount@1
    │     └─ became sales.discount@2
    └─ @2  d652cd378c44  published YYYY-MM-DD, written by ada@example.com
       ├─ from @1
       └─ includes shared.tone@1
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["lineage", "sales.discount@2"]), @r#"
    exit: 0
    ----- stdout -----
    sales.discount  owner sales-team, model claude-3-5-sonnet-20241022
    └─ @2  5cbe7dd96ac9  published YYYY-MM-DD, written by ada@example.com
       ├─ from @1
       │  └─ from billing.refund@1
       └─ includes shared.tone@1
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["lineage", "shared.tone"]), @r#"
    exit: 0
    ----- stdout -----
    shared.tone  owner support-team, model gpt-4o-2024-08-06
    └─ @1  ae7ff6fe8107  published YYYY-MM-DD, written by ada@example.com
       ├─ included by billing.refund@1
       ├─ included by billing.refund@2
       ├─ included by sales.discount@1
       └─ included by sales.discount@2
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["lineage", "billing.refund@1", "--format", "dot"]), @r#"
    exit: 0
    ----- stdout -----
    digraph lineage {
      rankdir=LR;
      node [shape=box];
      subgraph cluster_0 {
        label="billing.refund";
        "billing.refund@1" [label="@1", style=bold];
        "billing.refund@2" [label="@2"];
      }
      subgraph cluster_1 {
        label="sales.discount";
        "sales.discount@1" [label="@1"];
        "sales.discount@2" [label="@2"];
      }
      subgraph cluster_2 {
        label="shared.tone";
        "shared.tone@1" [label="@1"];
      }
      "billing.refund@1" -> "shared.tone@1" [style=dashed];
      "billing.refund@2" -> "billing.refund@1";
      "sales.discount@1" -> "billing.refund@1";
      "sales.discount@2" -> "sales.discount@1";
    }
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["lineage", "billing.refund@1", "--format", "mermaid"]), @r#"
    exit: 0
    ----- stdout -----
    graph LR
      subgraph p0["billing.refund"]
        v0["@1"]
        v1["@2"]
      end
      subgraph p1["sales.discount"]
        v2["@1"]
        v3["@2"]
      end
      subgraph p2["shared.tone"]
        v4["@1"]
      end
      v0 -.-> v4
      v1 --> v0
      v2 --> v0
      v3 --> v2
      style v0 stroke-width:3px
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["lineage", "billing.refund@2", "--format", "json"]), @r#"
    exit: 0
    ----- stdout -----
    {
      "version": 1,
      "of": [
        "billing.refund@2"
      ],
      "versions": [
        {
          "id": "billing.refund",
          "version": 1,
          "digest": "sha256:e2b68c477abacff55f61f5c06e28fdae227288966bd9a7c1aaf667efb0f9c5d9",
          "owner": "billing-team",
          "model": "claude-3-5-sonnet-20241022",
          "author": "ada@example.com",
          "commit": "[COMMIT]",
          "published": "[TIME]",
          "published_by": "ada@example.com"
        },
        {
          "id": "billing.refund",
          "version": 2,
          "digest": "sha256:d652cd378c4483996f08f76563fe572e122ab22dfa15f45ebfa8a077baeec7af",
          "owner": "billing-team",
          "model": "claude-3-5-sonnet-20241022",
          "author": "ada@example.com",
          "commit": "[COMMIT]",
          "published": "[TIME]",
          "published_by": "ada@example.com"
        },
        {
          "id": "shared.tone",
          "version": 1,
          "digest": "sha256:ae7ff6fe81077acc9081cd331da1016c2059a2a361a1677143f8c7fad32c8835",
          "owner": "support-team",
          "model": "gpt-4o-2024-08-06",
          "author": "ada@example.com",
          "commit": "[COMMIT]",
          "published": "[TIME]",
          "published_by": "ada@example.com"
        }
      ],
      "edges": [
        {
          "from": "billing.refund@2",
          "to": "billing.refund@1",
          "relation": "parent"
        },
        {
          "from": "billing.refund@2",
          "to": "shared.tone@1",
          "relation": "include"
        }
      ]
    }
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["lineage", "billing.refund@7"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: the registry has no version `billing.refund@7`
    hint: run `promptops publish`, or `promptops list` to see what is published
    "#);
    assert_snapshot!(run(&project, &["lineage", "Billing"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'Billing' for '<ID[@VERSION]>': an id is lower-case letters, digits and `-`, in parts joined by `.`; got `Billing`

    For more information, try '--help'.
    "#);
}

#[test]
fn an_index_is_built_anew_and_a_damaged_one_is_said() {
    let project = published();
    let list = run(&project, &["list"]).stdout;
    assert_snapshot!(run(&project, &["registry", "reindex", "--dry-run"]), @r#"
    exit: 0
    ----- stdout -----
    would read every version at file://.promptops/registry and write an index of them
    ----- stderr -----
    "#);
    assert!(project.files(".promptops/registry/index").is_empty());
    assert_snapshot!(run(&project, &["registry", "reindex"]), @r#"
    exit: 0
    ----- stdout -----
    wrote snapshot 1 of the index: 4 prompts, up to batch [N] of the audit log
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["registry", "reindex"]), @r#"
    exit: 0
    ----- stdout -----
    the index is as it should be; nothing was written
    ----- stderr -----
    "#);
    assert_eq!(run(&project, &["list"]).stdout, list);

    let shards = ".promptops/registry/index/shards";
    for (path, bytes) in project.files(shards) {
        std::fs::write(path, &bytes[1..]).unwrap();
    }
    let damaged = run(&project, &["list"]);
    assert_eq!((damaged.exit, &damaged.stdout), (0, &list), "what is listed is right all the same");
    let said = damaged.stderr.split('`').next().unwrap();
    assert_eq!(said, "warning: the index cannot be used, so every object is read (a shard of the index was altered: ");
    let verified = run(&project, &["registry", "verify"]);
    assert_eq!(verified.exit, 0, "{verified}");
    assert!(verified.stdout.contains("index index/shards/"), "{verified}");
    assert!(verified.stdout.contains("to do: run `promptops registry reindex`"), "{verified}");
    assert_eq!(run(&project, &["registry", "reindex"]).exit, 0);
    assert_eq!(run(&project, &["list"]).stderr, "");
    assert!(run(&project, &["registry", "verify"]).stdout.contains(" 0 problems"));
}
