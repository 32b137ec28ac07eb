//! The formats of findings that other programs read, held against what those programs demand.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use serde_json::Value;
use support::Project;

/// A project with an error that has a fix, a suppressed finding, a known one, and characters of two units in UTF-16.
fn flawed() -> Project {
    let project = Project::new();
    project.write(
        "prompts/legacy.yaml",
        "id: legacy\nversion: 1\nowner: support-team\nmodel: gpt-4o\ntags: [support]\ntemplate: Write one old sentence.\n",
    );
    assert_eq!(project.run(["check", "--write-baseline"]).exit, 0);
    project.write(
        "prompts/support/rou ting.yaml",
        "id: support.routing\nversion: 2\nowner: support-team\nmodel: gpt-4o # promptops: allow floating-model -- \"newest\" <on purpose>\n\
         tags: [support]\ninputs: {message: {type: string}}\ntemplate: |\n  😀 {{ mesage }} | “{{ message }}” & <b>.\n",
    );
    project
}

fn sarif(project: &Project) -> Value {
    let run = project.run(["check", "--format", "sarif"]);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"))
}

#[test]
fn sarif_fulfils_its_schema() {
    // The pattern of a language holds a bracket that nothing opens, which not every engine takes as a character.
    let text = include_str!("schemas/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}\\\\]?$");
    let schema: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for project in [Project::new(), flawed()] {
        let document = sarif(&project);
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut wrong = sarif(&flawed());
    wrong["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!validator.is_valid(&wrong), "the schema refuses what is wrong");
}

#[test]
fn sarif_says_all_there_is_to_say() {
    let document = sarif(&flawed());
    let run = &document["runs"][0];
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["help"]["markdown"].as_str().unwrap().contains("## What to do"));
    }
    assert_snapshot!(serde_json::to_string_pretty(results).unwrap(), @r#"
    [
      {
        "ruleId": "id-path",
        "level": "error",
        "message": {
          "text": "the id `support.routing` does not fit the path\nmove the file"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "prompts/support/rou%20ting.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 1,
                "startColumn": 5,
                "endLine": 1,
                "endColumn": 20
              }
            },
            "message": {
              "text": "belongs in `support/routing.yaml`"
            }
          }
        ],
        "partialFingerprints": {
          "promptops/v1": "d355327592b6acefc4adb013:1"
        },
        "ruleIndex": 8
      },
      {
        "ruleId": "lineage",
        "level": "error",
        "message": {
          "text": "version 2 names no parent\nwrite `parent: 1`, or the version that it came from"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "prompts/support/rou%20ting.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 2,
                "startColumn": 10,
                "endLine": 2,
                "endColumn": 11
              }
            }
          }
        ],
        "partialFingerprints": {
          "promptops/v1": "f2c22f76649cb674c8ca9db7:1"
        },
        "ruleIndex": 9,
        "fixes": [
          {
            "description": {
              "text": "write `parent: 1`"
            },
            "artifactChanges": [
              {
                "artifactLocation": {
                  "uri": "prompts/support/rou%20ting.yaml",
                  "uriBaseId": "%SRCROOT%"
                },
                "replacements": [
                  {
                    "deletedRegion": {
                      "startLine": 3,
                      "startColumn": 1,
                      "endLine": 3,
                      "endColumn": 1
                    },
                    "insertedContent": {
                      "text": "parent: 1\n"
                    }
                  }
                ]
              }
            ]
          }
        ]
      },
      {
        "ruleId": "undeclared-variable",
        "level": "error",
        "message": {
          "text": "the variable `mesage` is not declared\ndid you mean `message`?"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "prompts/support/rou%20ting.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 8,
                "startColumn": 9,
                "endLine": 8,
                "endColumn": 15
              }
            }
          }
        ],
        "partialFingerprints": {
          "promptops/v1": "eaa9fd3003a03f8db19d63e9:1"
        },
        "ruleIndex": 13,
        "fixes": [
          {
            "description": {
              "text": "write `message`"
            },
            "artifactChanges": [
              {
                "artifactLocation": {
                  "uri": "prompts/support/rou%20ting.yaml",
                  "uriBaseId": "%SRCROOT%"
                },
                "replacements": [
                  {
                    "deletedRegion": {
                      "startLine": 8,
                      "startColumn": 9,
                      "endLine": 8,
                      "endColumn": 15
                    },
                    "insertedContent": {
                      "text": "message"
                    }
                  }
                ]
              }
            ]
          },
          {
            "description": {
              "text": "declare `mesage` as a text"
            },
            "artifactChanges": [
              {
                "artifactLocation": {
                  "uri": "prompts/support/rou%20ting.yaml",
                  "uriBaseId": "%SRCROOT%"
                },
                "replacements": [
                  {
                    "deletedRegion": {
                      "startLine": 6,
                      "startColumn": 10,
                      "endLine": 6,
                      "endColumn": 10
                    },
                    "insertedContent": {
                      "text": "mesage: {type: string}, "
                    }
                  }
                ]
              }
            ]
          }
        ]
      },
      {
        "ruleId": "floating-model",
        "level": "warning",
        "message": {
          "text": "the model name `gpt-4o` is an alias that can change\nname the dated snapshot, so that a change of model is a change of version"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "prompts/support/rou%20ting.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 4,
                "startColumn": 8,
                "endLine": 4,
                "endColumn": 14
              }
            }
          }
        ],
        "partialFingerprints": {
          "promptops/v1": "1dcc86ad6245d7cd50af225d:1"
        },
        "ruleIndex": 25,
        "suppressions": [
          {
            "kind": "inSource",
            "justification": "\"newest\" <on purpose>"
          }
        ]
      },
      {
        "ruleId": "floating-model",
        "level": "warning",
        "message": {
          "text": "the model name `gpt-4o` is an alias that can change\nname the dated snapshot, so that a change of model is a change of version"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "prompts/legacy.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 4,
                "startColumn": 8,
                "endLine": 4,
                "endColumn": 14
              }
            }
          }
        ],
        "partialFingerprints": {
          "promptops/v1": "783bf9a8d3bcc36ebd53dddb:1"
        },
        "ruleIndex": 25,
        "suppressions": [
          {
            "kind": "external",
            "justification": "it is in the baseline"
          }
        ]
      }
    ]
    "#);
}

#[test]
fn a_place_in_sarif_is_a_place_in_the_repository() {
    let project = Project::empty();
    project.git(["init", "--quiet", "--initial-branch=main"]);
    project.write("apps/desk/promptops.toml", "");
    project.write("apps/desk/prompts/a.yaml", "id: a\nversion: 1\nowner: t\nmodel: gpt-4o\ntags: []\ntemplate: x\n");
    let run = project.run(["-C", "apps/desk", "check", "--format", "sarif"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let place = &document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(place["uri"], "apps/desk/prompts/a.yaml");
    let github = project.run(["-C", "apps/desk", "check", "--format", "github"]).stdout;
    assert!(github.starts_with("::warning file=apps/desk/prompts/a.yaml,line=4,col=8,endColumn=14,"), "{github}");
}

#[test]
fn a_fingerprint_stays_when_lines_move() {
    let project = flawed();
    let fingerprints = |document: &Value| -> Vec<String> {
        let results = document["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["partialFingerprints"]["promptops/v1"].as_str().unwrap().to_owned()).collect()
    };
    let before = fingerprints(&sarif(&project));
    project.replace("prompts/support/rou ting.yaml", "tags:", "\n# moved\ntags:");
    assert_eq!(fingerprints(&sarif(&project)), before);
}

#[test]
fn junit_names_what_fails() {
    assert_snapshot!(flawed().run(["check", "--format", "junit"]), @r#"
    exit: 1
    ----- stdout -----
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="promptops check" tests="5" skipped="0" failures="3" errors="0">
        <testsuite name="prompts/legacy.yaml" tests="1" skipped="0" errors="0" failures="0">
            <testcase name="no findings" classname="prompts/legacy.yaml"/>
        </testsuite>
        <testsuite name="prompts/support/greeting.yaml" tests="1" skipped="0" errors="0" failures="0">
            <testcase name="no findings" classname="prompts/support/greeting.yaml"/>
        </testsuite>
        <testsuite name="prompts/support/rou ting.yaml" tests="3" skipped="0" errors="0" failures="3">
            <testcase name="id-path at 1:5" classname="prompts/support/rou ting.yaml">
                <failure message="the id `support.routing` does not fit the path" type="id-path">prompts/support/rou ting.yaml:1:5: the id `support.routing` does not fit the path
    hint: move the file</failure>
            </testcase>
            <testcase name="lineage at 2:10" classname="prompts/support/rou ting.yaml">
                <failure message="version 2 names no parent" type="lineage">prompts/support/rou ting.yaml:2:10: version 2 names no parent
    hint: write `parent: 1`, or the version that it came from</failure>
            </testcase>
            <testcase name="undeclared-variable at 8:8" classname="prompts/support/rou ting.yaml">
                <failure message="the variable `mesage` is not declared" type="undeclared-variable">prompts/support/rou ting.yaml:8:8: the variable `mesage` is not declared
    hint: did you mean `message`?</failure>
            </testcase>
        </testsuite>
    </testsuites>
    ----- stderr -----
    "#);
    let denied = flawed();
    denied.replace("prompts/support/rou ting.yaml", "# promptops: allow floating-model -- \"newest\" <on purpose>", "");
    let counts = |run: support::Run| run.stdout.lines().nth(1).unwrap().to_owned();
    assert_ne!(
        counts(denied.run(["check", "--format", "junit"])),
        counts(denied.run(["check", "--format", "junit", "--deny-warnings"]))
    );
}

#[test]
fn github_and_markdown() {
    assert_snapshot!(flawed().run(["check", "--format", "github"]), @r#"
    exit: 1
    ----- stdout -----
    ::error file=prompts/support/rou ting.yaml,line=1,col=5,endColumn=20,title=promptops%3A id-path::the id `support.routing` does not fit the path%0Ahint: move the file
    ::error file=prompts/support/rou ting.yaml,line=2,col=10,endColumn=11,title=promptops%3A lineage::version 2 names no parent%0Ahint: write `parent: 1`, or the version that it came from
    ::error file=prompts/support/rou ting.yaml,line=8,col=8,endColumn=14,title=promptops%3A undeclared-variable::the variable `mesage` is not declared%0Ahint: did you mean `message`?
    ----- stderr -----
    3 prompts checked: 3 errors (1 suppressed, 1 in the baseline)
    "#);
    assert_snapshot!(flawed().run(["check", "--format", "markdown"]), @r#"
    exit: 1
    ----- stdout -----
    3 prompts checked: 3 errors (1 suppressed, 1 in the baseline)

    | | Check | Place | What |
    |---|---|---|---|
    | error | [id-path](https://github.com/promptops/promptops/blob/main/docs/reference/checks/id-path.md) | `prompts/support/rou ting.yaml:1` | the id `support.routing` does not fit the path<br>move the file |
    | error | [lineage](https://github.com/promptops/promptops/blob/main/docs/reference/checks/lineage.md) | `prompts/support/rou ting.yaml:2` | version 2 names no parent<br>write `parent: 1`, or the version that it came from |
    | error | [undeclared-variable](https://github.com/promptops/promptops/blob/main/docs/reference/checks/undeclared-variable.md) | `prompts/support/rou ting.yaml:8` | the variable `mesage` is not declared<br>did you mean `message`? |
    ----- stderr -----
    "#);
}

#[test]
fn no_format_shows_a_secret() {
    let project = flawed();
    let secret = "tr0ub4dor9x";
    project.write(
        "prompts/leak.yaml",
        format!("id: leak\nversion: 2\nowner: t\nownr: a\nmodel: m\ntags: []\ntemplate: \"postgres://admin:{secret}@db/prod\"\n"),
    );
    project.write("owners.yaml", "teams: {support-team: {members: []}}\n");
    for format in ["human", "json", "sarif", "junit", "github", "markdown"] {
        let run = project.run(["check", "--format", format]);
        assert!(run.stdout.contains("leak.yaml"), "{run}");
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{format} shows it: {run}");
    }
    let diff = project.run(["check", "--fix", "--dry-run"]);
    assert!(diff.stdout.contains("+parent: 1") && !diff.stdout.contains(secret), "{diff}");
}
