//! `promptops lsp`: the protocol spoken to the binary.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use serde_json::{Value, json};
use support::editor::Editor;
use support::{GREETING, Project};

const PATH: &str = "prompts/support/reply.yaml";

/// Line 8 has characters of one, two and four bytes in UTF-8 and of one and two units in UTF-16.
const REPLY: &str = "\
id: support.reply
version: 1
owner: suport-team
model: gpt-4o-2024-08-06
tags: [support]
inputs:
  message: {type: string, description: What the customer wrote}
template: |
  {% include \"support.tone@2\" %} 😀 ü {{ mesage }} and {{ message }}
";

const TONE: &str = "\
id: support.tone
version: 2
parent: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs:
  mood: {type: string, default: warm}
template: |
  Be {{ mood }} and brief.
";

fn project() -> Project {
    let project = Project::new();
    project.write("owners.yaml", "teams: {support-team: {members: []}}\n");
    project.write("prompts/support/tone.yaml", TONE);
    project
}

/// The place of the end of a part of a line.
fn after(text: &str, part: &str) -> (usize, usize) {
    let at = text.find(part).unwrap_or_else(|| panic!("no {part:?}")) + part.len();
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    (text[..at].matches('\n').count(), text[start..at].encode_utf16().count())
}

/// Applies the edits of a code action.
fn apply(text: &str, edits: &Value) -> String {
    let byte = |place: &Value| {
        let (line, units) = (place["line"].as_u64().unwrap() as usize, place["character"].as_u64().unwrap() as usize);
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut counted = 0;
        let found = text[start..].char_indices().find(|(_, character)| {
            let is_there = counted >= units;
            counted += character.len_utf16();
            is_there
        });
        found.map_or(text.len(), |(at, _)| start + at)
    };
    let mut edits: Vec<(usize, usize, &str)> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| (byte(&edit["range"]["start"]), byte(&edit["range"]["end"]), edit["newText"].as_str().unwrap()))
        .collect();
    edits.sort_unstable();
    edits.iter().rev().fold(text.to_owned(), |mut text, (start, end, new)| {
        text.replace_range(start..end, new);
        text
    })
}

fn short(diagnostics: &[Value]) -> String {
    let line = |one: &Value| {
        let (start, end) = (&one["range"]["start"], &one["range"]["end"]);
        format!(
            "{}:{}-{}:{} {} {}: {}\n",
            start["line"],
            start["character"],
            end["line"],
            end["character"],
            one["severity"],
            one["code"].as_str().unwrap(),
            one["message"].as_str().unwrap().lines().next().unwrap()
        )
    };
    diagnostics.iter().map(line).collect()
}

fn actions(editor: &mut Editor, place: (usize, usize)) -> Vec<Value> {
    let position = json!({"line": place.0, "character": place.1});
    let params = json!({
        "textDocument": {"uri": editor.uri(PATH)}, "range": {"start": position, "end": position}, "context": {"diagnostics": []}
    });
    editor.ask("textDocument/codeAction", params).as_array().unwrap().clone()
}

#[test]
fn findings_appear_while_typing_at_their_places() {
    let project = project();
    let mut editor = Editor::greeted(&project);
    editor.open(PATH, REPLY);
    let diagnostics = editor.diagnostics(PATH);
    assert_snapshot!(short(&diagnostics), @r#"
    2:7-2:18 1 unknown-owner: the owner `suport-team` is not in `owners.yaml`
    8:13-8:29 1 include-input: `support.tone@2` uses the variable `mood`, which is not declared here
    8:41-8:47 1 undeclared-variable: the variable `mesage` is not declared
    "#);
    assert_snapshot!(serde_json::to_string_pretty(&diagnostics[1]).unwrap(), @r#"
    {
      "range": {
        "start": {
          "line": 8,
          "character": 13
        },
        "end": {
          "line": 8,
          "character": 29
        }
      },
      "severity": 1,
      "code": "include-input",
      "codeDescription": {
        "href": "https://github.com/promptops/promptops/blob/main/docs/reference/checks/include-input.md"
      },
      "source": "promptops",
      "message": "`support.tone@2` uses the variable `mood`, which is not declared here\ndeclare it: `inputs: {mood: {type: string}}`"
    }
    "#);
    // They are those of the command.
    project.write(PATH, REPLY);
    let json: Value = serde_json::from_str(&project.run(["check", "--format", "json"]).stdout).unwrap();
    let checks =
        |list: &[Value], field: &str| -> Vec<String> { list.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect() };
    assert_eq!(checks(json["findings"].as_array().unwrap(), "check"), checks(&diagnostics, "code"));
    // What is mended goes.
    editor.retype(PATH, &REPLY.replace("mesage", "message").replace("suport", "support"));
    assert_snapshot!(short(&editor.diagnostics(PATH)), @"8:13-8:29 1 include-input: `support.tone@2` uses the variable `mood`, which is not declared here");
    editor.retype(PATH, &REPLY.replace("{{ mesage", "{{ ").replace("suport", "support"));
    assert_snapshot!(short(&editor.diagnostics(PATH)), @"8:42-8:44 1 template-syntax: `template` is not a valid template: unexpected end of variable block");
}

#[test]
fn a_change_of_a_part_is_applied_where_the_editor_counts() {
    let project = project();
    let mut editor = Editor::greeted(&project);
    editor.open(PATH, &REPLY.replace('\n', "\r\n"));
    assert_eq!(editor.diagnostics(PATH).len(), 3);
    let (line, column) = after(REPLY, "ü {{ me");
    let mut change = |start: (usize, usize), end: (usize, usize), text: &str| {
        let range = json!({"start": {"line": start.0, "character": start.1}, "end": {"line": end.0, "character": end.1}});
        let changes = json!([{"range": range, "text": text}]);
        let document = json!({"uri": editor.uri(PATH), "version": 3});
        editor.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    };
    change((line, column), (line, column), "s");
    change((2, 9), (2, 9), "p");
    loop {
        let left = short(&editor.diagnostics(PATH));
        if !left.contains("undeclared-variable") && !left.contains("unknown-owner") {
            assert!(left.contains("include-input"), "{left}");
            break;
        }
    }
}

#[test]
fn what_is_under_the_pointer_is_explained() {
    let project = project();
    let mut editor = Editor::greeted(&project);
    let text = REPLY.replace("model:", "# promptops: allow floating-model -- why not\nmodel:");
    editor.open(PATH, &text);
    let mut hover = |part: &str| {
        let shown = editor.ask_at("textDocument/hover", PATH, after(&text, part));
        format!("{}\n[{}]", shown["contents"]["value"].as_str().unwrap_or("nothing"), shown["range"])
    };
    assert_snapshot!(hover("and {{ mess"), @r#"
    **message**: input, required

    ```json
    {
      "type": "string",
      "description": "What the customer wrote"
    }
    ```
    [{"start":{"line":9,"character":58},"end":{"line":9,"character":65}}]
    "#);
    assert_snapshot!(hover("{% include \"support.to"), @r#"
    **support.tone@2**

    ```jinja
    Be {{ mood }} and brief.
    ```

    ---

    **[include-input](https://github.com/promptops/promptops/blob/main/docs/reference/checks/include-input.md)**: A prompt declares the variables that its includes need.

    An included text reads its variables from the prompt around it. Callers see the inputs of that prompt alone, so it must declare them, with its own defaults.

    Declare the variable, with the schema that the included prompt gives it. An editor offers to declare it as a text.
    [{"start":{"line":9,"character":13},"end":{"line":9,"character":29}}]
    "#);
    assert_snapshot!(hover("owner: sup"), @r#"
    **[unknown-owner](https://github.com/promptops/promptops/blob/main/docs/reference/checks/unknown-owner.md)**: The owner is a team or a person of `owners.yaml`.

    When a prompt misbehaves, somebody must be found. A name that is in no list is nobody. Checked when there is an `owners.yaml`.

    Correct the name, or add the team or person. An editor offers the name that is closest.
    [{"start":{"line":2,"character":7},"end":{"line":2,"character":18}}]
    "#);
    assert_snapshot!(hover("allow floating-mo"), @r#"
    **[unused-suppression](https://github.com/promptops/promptops/blob/main/docs/reference/checks/unused-suppression.md)**: Every suppression suppresses something.

    One that is left over hides the next mistake at its place, and says something of the file that is no longer true.

    Remove the comment, or the name of the check from it. `promptops check --fix` does.

    ---

    **[floating-model](https://github.com/promptops/promptops/blob/main/docs/reference/checks/floating-model.md)**: The model is a dated snapshot, not an alias that the provider moves.

    The provider can replace what stands behind an alias on any day. The prompt then behaves differently with no version, no evaluation and no approval in between.

    Name the snapshot that was evaluated. Which one that is, only you know.
    [{"start":{"line":3,"character":19},"end":{"line":3,"character":33}}]
    "#);
    assert_snapshot!(hover("tags: [sup"), @r#"
    nothing
    [null]
    "#);
}

#[test]
fn an_include_of_an_older_version_is_shown_from_git() {
    let project = Project::committed();
    project.replace("prompts/support/greeting.yaml", "version: 1\n", "version: 2\nparent: 1\n");
    project.replace("prompts/support/greeting.yaml", "one warm sentence", "two sentences");
    let text = REPLY.replace("support.tone@2", "support.greeting@1");
    let mut editor = Editor::greeted(&project);
    editor.open(PATH, &text);
    let shown = editor.ask_at("textDocument/hover", PATH, after(&text, "support.gree"));
    assert!(shown["contents"]["value"].as_str().unwrap().contains("Write one warm sentence"), "{shown}");
}

#[test]
fn what_may_come_next_is_offered() {
    let project = project();
    let mut editor = Editor::greeted(&project);
    editor.open(PATH, REPLY);
    let mut complete = |text: String, part: &str| {
        editor.retype(PATH, &text);
        let offered = editor.ask_at("textDocument/completion", PATH, after(&text, part));
        let labels = offered.as_array().map(|items| {
            let shown =
                |item: &Value| format!("{} {}", item["textEdit"]["newText"], item["textEdit"]["range"]["start"]["character"]);
            items.iter().map(shown).collect::<Vec<_>>().join(", ")
        });
        labels.unwrap_or_else(|| "nothing".to_owned())
    };
    let typed = |line: &str| REPLY.replace("template: |\n", &format!("template: |\n  {line}\n"));
    assert_snapshot!(complete(typed("{% include \"sup"), "{% include \"sup"), @r#""support.greeting@1" 14, "support.tone@2" 14"#);
    assert_snapshot!(complete(typed("{% include 'support.tone@"), "{% include 'support.tone@"), @r#""support.greeting@1" 14, "support.tone@2" 14, "support.tone@1" 14"#);
    assert_snapshot!(complete(typed("😀 {{ me"), "😀 {{ me"), @r#""message" 8"#);
    assert_snapshot!(complete(typed("{% if me"), "{% if me"), @r#""message" 8"#);
    assert_snapshot!(complete(typed("{{ message.fo"), "{{ message.fo"), @"nothing");
    assert_snapshot!(complete(typed("only a tex"), "only a tex"), @"nothing");
    assert_snapshot!(complete(REPLY.replace("suport-team", "s"), "owner: s"), @r#""support-team" 7"#);
    assert_snapshot!(complete(REPLY.replace("tags:", "pur\ntags:"), "\npur"), @r#""parent" 0, "purpose" 0, "parameters" 0, "output" 0, "tools" 0, "messages" 0, "metrics" 0, "evals" 0, "breaking" 0, "created" 0, "updated" 0"#);
    let checks = complete(REPLY.replace("tags:", "# promptops: allow secret, fl\ntags:"), "secret, fl");
    assert!(checks.contains("\"floating-model\" 27") && !checks.contains("missing-field"), "{checks}");
    // A text that cannot be read while it is typed keeps what was declared.
    assert_snapshot!(complete(REPLY.replace("template: |", "x: [\ntemplate: |").replace("{{ mesage", "{{ m"), "{{ m"), @r#""message" 41"#);
}

#[test]
fn what_is_named_is_found() {
    let project = project();
    project.write("evals/reply.yaml", "");
    let mut editor = Editor::greeted(&project);
    let text = format!("{REPLY}parent: support.tone@1\nevals: [evals/reply.yaml]\n");
    editor.open(PATH, &text);
    let root = project.root().to_string_lossy().into_owned();
    let mut find = |part: &str| {
        let found = editor.ask_at("textDocument/definition", PATH, after(&text, part));
        found.to_string().replace(&root, "[PROJECT]")
    };
    assert_snapshot!(find("{% include \"support.to"), @r#"{"uri":"file://[PROJECT]/prompts/support/tone.yaml","range":{"start":{"line":0,"character":4},"end":{"line":0,"character":16}}}"#);
    assert_snapshot!(find("and {{ mess"), @r#"{"uri":"file://[PROJECT]/prompts/support/reply.yaml","range":{"start":{"line":6,"character":2},"end":{"line":6,"character":9}}}"#);
    assert_snapshot!(find("parent: supp"), @r#"{"uri":"file://[PROJECT]/prompts/support/tone.yaml","range":{"start":{"line":0,"character":4},"end":{"line":0,"character":16}}}"#);
    assert_snapshot!(find("evals: [ev"), @r#"{"uri":"file://[PROJECT]/evals/reply.yaml","range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}}}"#);
    assert_snapshot!(find("ü {{ mes"), @"null");
}

#[test]
fn findings_can_be_mended_and_suppressed() {
    let project = project();
    let mut editor = Editor::greeted(&project);
    let text = REPLY.replace("version: 1", "version: \"1\"").replace("gpt-4o-2024-08-06", "gpt-4o");
    editor.open(PATH, &text);
    let titles = |actions: &[Value]| {
        let title = |action: &Value| format!("{} {} {}\n", action["kind"], action["isPreferred"], action["title"]);
        actions.iter().map(title).collect::<String>()
    };
    let at_variable = actions(&mut editor, after(&text, "ü {{ mes"));
    assert_snapshot!(titles(&at_variable), @r#"
    "quickfix" false "write `message`"
    "quickfix" false "declare `mesage` as a text"
    "quickfix" false "suppress `undeclared-variable` here, and write why"
    "source.fixAll" null "mend everything that everybody would mend in the same way"
    "#);
    let uri = editor.uri(PATH);
    let mended = apply(&text, &at_variable[0]["edit"]["changes"][&uri]);
    assert!(mended.contains("😀 ü {{ message }} and"), "{mended}");
    let all = at_variable.iter().find(|action| action["kind"] == "source.fixAll").unwrap();
    assert!(apply(&text, &all["edit"]["changes"][&uri]).contains("version: 1\n"));

    let at_model = actions(&mut editor, after(&text, "model: gpt"));
    assert_snapshot!(titles(&at_model), @r#"
    "quickfix" false "suppress `floating-model` here, and write why"
    "source.fixAll" null "mend everything that everybody would mend in the same way"
    "#);
    let suppressed = apply(&text, &at_model[0]["edit"]["changes"][&uri]);
    assert!(suppressed.contains("\n# promptops: allow floating-model -- \nmodel: gpt-4o\n"), "{suppressed}");
    // Until there is a reason, it is demanded.
    editor.retype(PATH, &suppressed);
    let found = short(&editor.diagnostics(PATH));
    assert!(found.contains("suppression-form: the suppression gives no reason"), "{found}");
    editor.retype(PATH, &suppressed.replace("-- \n", "-- the demo shows the newest\n"));
    let found = short(&editor.diagnostics(PATH));
    assert!(!found.contains("suppression-form") && !found.contains("floating-model"), "{found}");
}

#[test]
fn a_version_that_stands_at_the_base_is_counted_up() {
    let project = Project::committed();
    let mut editor = Editor::new(&project, &["--base", "HEAD"]);
    editor.ask("initialize", json!({"capabilities": {}}));
    editor.tell("initialized", json!({}));
    let path = "prompts/support/greeting.yaml";
    let text = GREETING.replace("one warm", "two warm");
    editor.open(path, &text);
    assert_eq!(
        short(&editor.diagnostics(path)),
        "1:9-1:10 1 immutable-version: the content of `support.greeting@1` changed under the same version\n"
    );
    let range = json!({"start": {"line": 1, "character": 9}, "end": {"line": 1, "character": 9}});
    let params =
        json!({"textDocument": {"uri": editor.uri(path)}, "range": range, "context": {"diagnostics": [], "only": ["quickfix"]}});
    let actions = editor.ask("textDocument/codeAction", params);
    let mended = apply(&text, &actions[0]["edit"]["changes"][&editor.uri(path)]);
    assert!(mended.contains("version: 2\nparent: 1\nowner"), "{mended}");
    editor.retype(path, &mended);
    assert_eq!(short(&editor.diagnostics(path)), "");
}

#[test]
fn what_the_base_holds_is_read_once_for_each_commit() {
    let project = Project::committed();
    let path = "prompts/support/greeting.yaml";
    let blob = project.git(["rev-parse", &format!("HEAD:{path}")]);
    let mut editor = Editor::new(&project, &["--base", "HEAD"]);
    editor.ask("initialize", json!({"capabilities": {}}));
    editor.tell("initialized", json!({}));
    let text = GREETING.replace("one warm", "two warm");
    let changed = "1:9-1:10 1 immutable-version: the content of `support.greeting@1` changed under the same version\n";
    editor.open(path, &text);
    assert_eq!(short(&editor.diagnostics(path)), changed);
    // Nobody could read the file of the commit again.
    let (folder, rest) = blob.trim().split_at(2);
    let object = project.path(&format!(".git/objects/{folder}/{rest}"));
    let kept = std::fs::read(&object).unwrap();
    std::fs::remove_file(&object).unwrap();
    editor.retype(path, GREETING);
    assert_eq!(short(&editor.diagnostics(path)), "");
    editor.retype(path, &text);
    assert_eq!(short(&editor.diagnostics(path)), changed);
    // Once the revision names another commit, that one counts.
    std::fs::write(&object, kept).unwrap();
    project.write(path, &text);
    project.commit("Greet twice");
    editor.tell("textDocument/didSave", json!({"textDocument": {"uri": editor.uri(path)}}));
    assert_eq!(short(&editor.diagnostics(path)), "");
    editor.retype(path, GREETING);
    assert_eq!(short(&editor.diagnostics(path)), changed);
}

#[test]
fn of_files_that_are_no_prompts_nothing_is_said() {
    let project = project();
    let mut editor = Editor::greeted(&project);
    editor.open("compose.yaml", "ser\nowner: s\n");
    assert_eq!(editor.diagnostics("compose.yaml").len(), 0);
    for place in [(0, 3), (1, 8)] {
        assert_eq!(editor.ask_at("textDocument/completion", "compose.yaml", place), Value::Null);
    }
    // People and teams are looked at as they are typed.
    editor.open("owners.yaml", "teams: {support-team: {members: [nobody]}}\n");
    assert_eq!(short(&editor.diagnostics("owners.yaml")).split(' ').nth(2), Some("owners-file:"));
}

#[test]
fn other_files_are_shown_and_looked_at_when_they_change() {
    let project = project();
    project.write("prompts/support/tone.yaml", TONE.replace("owner: support-team", "owner: nobody"));
    let mut editor = Editor::greeted(&project);
    editor.open("prompts/support/greeting.yaml", GREETING);
    assert_eq!(editor.diagnostics("prompts/support/tone.yaml").len(), 1);
    project.write("prompts/support/tone.yaml", TONE);
    editor.tell("workspace/didChangeWatchedFiles", json!({"changes": []}));
    assert_eq!(editor.diagnostics("prompts/support/tone.yaml").len(), 0);
    // A configuration that is wrong is said once.
    project.write("promptops.toml", "[checks]\nsecrets = \"off\"\n");
    editor.tell("workspace/didChangeWatchedFiles", json!({"changes": []}));
    let shown = editor.next_of("window/showMessage");
    assert!(shown["message"].as_str().unwrap().contains("did you mean `secret`?"), "{shown}");
}

#[test]
fn garbage_is_answered_where_it_can_be() {
    let project = project();
    let mut editor = Editor::new(&project, &[]);
    let early = editor.ask_raw("textDocument/hover", json!({}));
    assert_eq!(early["error"]["code"], -32002);
    editor.send("{\"jsonrpc\": \"2.0\", ");
    assert_eq!(editor.next()["error"]["code"], -32700);
    editor.send("[]");
    assert_eq!(editor.next()["error"]["code"], -32700);
    editor.ask("initialize", json!("not what is expected"));
    assert_eq!(editor.ask_raw("textDocument/hover", json!({"textDocument": 7}))["error"]["code"], -32602);
    assert_eq!(editor.ask_raw("textDocument/codeAction", json!(null))["error"]["code"], -32602);
    assert_eq!(editor.ask_raw("textDocument/flyToTheMoon", json!({}))["error"]["code"], -32601);
    editor.tell("textDocument/didOpen", json!({"textDocument": null}));
    editor.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": "file:///nowhere.yaml", "version": 1}, "contentChanges": []}),
    );
    editor.tell("noise", json!([1, 2, 3]));
    let nowhere = json!({"textDocument": {"uri": "untitled:1"}, "position": {"line": 4_000_000_000_u32, "character": 7}});
    assert_eq!(editor.ask("textDocument/hover", nowhere), Value::Null);
    editor.open(PATH, "\u{0}\u{1}: [{{%%}}\n\t- {");
    assert!(!editor.diagnostics(PATH).is_empty());
    for method in ["hover", "completion", "definition"] {
        for place in [(0, 0), (0, 5), (1, 3), (99, 99)] {
            editor.ask_at(&format!("textDocument/{method}"), PATH, place);
        }
    }
    editor.ask("shutdown", json!(null));
    editor.tell("exit", json!(null));
    assert_snapshot!(editor.end(&project), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    "#);
}

#[test]
fn what_is_no_protocol_ends_with_a_reason() {
    let project = project();
    let mut editor = Editor::new(&project, &[]);
    editor.send_raw(b"GET / HTTP/1.1\r\n\r\n");
    assert_snapshot!(editor.end(&project), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: what comes in is no Language Server Protocol: a line of the header has no colon
    hint: this command is started by an editor; see docs/guides/editors.md
    "#);
    let mut editor = Editor::new(&project, &[]);
    editor.send_raw(b"Content-Length: 999999999999999\r\n\r\n");
    assert_eq!(editor.end(&project).exit, 2);
    assert_eq!(Editor::greeted(&project).end(&project).exit, 1, "an editor that goes without a farewell");
}
