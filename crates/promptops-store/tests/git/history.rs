//! Every content a folder ever had.

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::process::Stdio;

use promptops_store::HistoryEntry;

use crate::scratch::Scratch;

fn history(scratch: &Scratch, folder: &str) -> Vec<HistoryEntry> {
    let repository = scratch.open();
    let head = repository.head().expect("there is a commit");
    repository.history(head, folder, "yaml", &|_| true).expect("the history can be read")
}

/// One line for each entry: summary of the commit, path and content.
fn lines(entries: &[HistoryEntry]) -> Vec<String> {
    let line =
        |entry: &HistoryEntry| format!("{}: {} = {}", entry.commit.summary, entry.path, String::from_utf8_lossy(&entry.bytes));
    entries.iter().map(line).collect()
}

#[test]
fn each_version_comes_with_the_commit_that_brought_it() {
    let mut scratch = Scratch::new();
    scratch.commit("start", &[("readme.md", "x")]);
    let first = scratch.commit("v1", &[("app/prompts/b.yaml", "b1"), ("app/prompts/a.yaml", "a1")]);
    let time_s = scratch.time_s();
    scratch.commit("elsewhere", &[("app/code.py", "x"), ("prompts/other.yaml", "x"), ("app/prompts/notes.md", "x")]);
    scratch.commit("v2", &[("app/prompts/a.yaml", "a2")]);
    let entries = history(&scratch, "app/prompts");
    assert_eq!(lines(&entries), ["v1: app/prompts/a.yaml = a1", "v1: app/prompts/b.yaml = b1", "v2: app/prompts/a.yaml = a2"]);
    assert_eq!(entries[0].commit.id.to_string(), first);
    assert_eq!(entries[0].commit.author_name, "Ada Lovelace");
    assert_eq!(entries[0].commit.author_time_s, time_s);
    assert_eq!(entries[2].blob.to_string(), scratch.git(&["rev-parse", "HEAD:app/prompts/a.yaml"]));
}

#[test]
fn a_moved_file_appears_under_its_new_path() {
    let mut scratch = Scratch::new();
    scratch.commit("v1", &[("prompts/a.yaml", "1")]);
    scratch.git(&["mv", "prompts/a.yaml", "prompts/b.yaml"]);
    scratch.commit("rename", &[]);
    scratch.git(&["mv", "prompts", "moved"]);
    std::fs::create_dir(scratch.path().join("prompts")).unwrap();
    scratch.git(&["mv", "moved", "prompts/deep"]);
    scratch.commit("move the folder", &[]);
    scratch.commit("v2", &[("prompts/deep/b.yaml", "2")]);
    let entries = history(&scratch, "prompts");
    assert_eq!(
        lines(&entries),
        [
            "v1: prompts/a.yaml = 1",
            "rename: prompts/b.yaml = 1",
            "move the folder: prompts/deep/b.yaml = 1",
            "v2: prompts/deep/b.yaml = 2"
        ]
    );
    assert!(entries[..3].iter().all(|entry| entry.blob == entries[0].blob));
}

#[test]
fn deleting_and_going_back_bring_nothing_new() {
    let mut scratch = Scratch::new();
    scratch.commit("v1", &[("prompts/a.yaml", "1")]);
    scratch.commit("v2", &[("prompts/a.yaml", "2")]);
    scratch.commit("revert", &[("prompts/a.yaml", "1")]);
    scratch.git(&["rm", "--quiet", "-r", "prompts"]);
    scratch.commit("delete", &[]);
    scratch.commit("restore", &[("prompts/a.yaml", "2")]);
    scratch.commit("v3", &[("prompts/a.yaml", "3")]);
    let expected = ["v1: prompts/a.yaml = 1", "v2: prompts/a.yaml = 2", "v3: prompts/a.yaml = 3"];
    assert_eq!(lines(&history(&scratch, "prompts")), expected);
}

#[test]
fn a_merge_brings_only_what_no_branch_had() {
    let mut scratch = Scratch::new();
    scratch.commit("base", &[("p/a.yaml", "1"), ("p/b.yaml", "1")]);
    scratch.git(&["switch", "--quiet", "--create", "side"]);
    scratch.commit("side a", &[("p/a.yaml", "side")]);
    scratch.git(&["switch", "--quiet", "main"]);
    scratch.commit("main b", &[("p/b.yaml", "main")]);
    scratch.git(&["switch", "--quiet", "side"]);
    scratch.commit("side c", &[("p/c.yaml", "side")]);
    scratch.git(&["switch", "--quiet", "main"]);
    scratch.merge("side");
    scratch.git(&["switch", "--quiet", "--create", "clash"]);
    scratch.commit("clash", &[("p/a.yaml", "theirs")]);
    scratch.git(&["switch", "--quiet", "main"]);
    scratch.commit("ours", &[("p/a.yaml", "ours")]);
    scratch.git(&["merge", "--quiet", "--strategy=ours", "--no-commit", "clash"]);
    scratch.commit("resolve", &[("p/a.yaml", "both")]);
    assert_eq!(
        lines(&history(&scratch, "p")),
        [
            "base: p/a.yaml = 1",
            "base: p/b.yaml = 1",
            "side a: p/a.yaml = side",
            "main b: p/b.yaml = main",
            "side c: p/c.yaml = side",
            "clash: p/a.yaml = theirs",
            "ours: p/a.yaml = ours",
            "resolve: p/a.yaml = both",
        ]
    );
}

#[test]
fn only_wanted_contents_are_kept_and_each_is_asked_once() {
    let mut scratch = Scratch::new();
    scratch.commit("v1", &[("a.yaml", "id: x\n1"), ("b.yaml", "id: y"), ("copy.yaml", "id: y")]);
    scratch.git(&["mv", "a.yaml", "moved.yaml"]);
    scratch.commit("move", &[]);
    scratch.commit("v2", &[("moved.yaml", "id: x\n2")]);
    let repository = scratch.open();
    let asked = std::cell::RefCell::new(Vec::new());
    let wanted = |bytes: &[u8]| {
        asked.borrow_mut().push(String::from_utf8_lossy(bytes).into_owned());
        bytes.starts_with(b"id: x")
    };
    let entries = repository.history(repository.head().unwrap(), "", "yaml", &wanted).unwrap();
    assert_eq!(lines(&entries), ["v1: a.yaml = id: x\n1", "move: moved.yaml = id: x\n1", "v2: moved.yaml = id: x\n2"]);
    assert_eq!(asked.into_inner(), ["id: x\n1", "id: y", "id: x\n2"]);
}

/// Clocks are wrong at times: the parent was committed "after" its child.
#[test]
fn ancestors_come_first_whatever_the_clocks_said() {
    let mut scratch = Scratch::new();
    scratch.commit("one", &[("a.yaml", "1")]);
    scratch.write("a.yaml", "2");
    scratch.git(&["add", "--all"]);
    let mut late = crate::scratch::command(&scratch.path(), scratch.time_s() + 1_000_000);
    assert!(late.args(["commit", "--quiet", "--message", "two"]).status().unwrap().success());
    scratch.commit("three", &[("a.yaml", "3")]);
    assert_eq!(lines(&history(&scratch, "")), ["one: a.yaml = 1", "two: a.yaml = 2", "three: a.yaml = 3"]);
}

#[test]
fn a_folder_that_never_was_has_no_history() {
    let mut scratch = Scratch::new();
    scratch.commit("one", &[("a.yaml", "1")]);
    assert!(history(&scratch, "prompts").is_empty());
    assert!(history(&scratch, "a.yaml").is_empty());
}

/// A repository of 500 commits on four lines of work that merge now and then, in a pack.
fn busy_repository() -> Scratch {
    let scratch = Scratch::new();
    let stream: String = (0..500).map(|commit| fast_import(commit, scratch.time_s() + i64::from(commit))).collect();
    let mut input = tempfile::tempfile().expect("a temporary file");
    input.write_all(stream.as_bytes()).expect("the stream can be written");
    input.rewind().expect("the stream can be read");
    scratch.git_with(&["fast-import", "--quiet"], Stdio::from(input));
    scratch.git(&["symbolic-ref", "HEAD", "refs/heads/b3"]);
    scratch
}

/// One commit as `git fast-import` reads it.
fn fast_import(commit: u32, time_s: i64) -> String {
    let data = |text: &str| format!("data {}\n{text}\n", text.len());
    let message = data(&format!("commit {commit}"));
    // Commit 0 is the root of all four lines; later each takes in its neighbour.
    let parents = match commit {
        1..4 => "from :1\n".to_owned(),
        21.. if commit.is_multiple_of(11) => format!("merge :{}\n", commit - 2),
        _ => String::new(),
    };
    let (branch, mark, file) = (commit * 7 % 4, commit + 1, commit * 13 % 17);
    let (team, source) = (file % 3, commit % 40);
    let content = data(&format!("id: prompt-{file}\nversion: {}\n", commit / 5));
    let deletion = if commit % 50 == 49 { format!("D prompts/team-1/p{}.yaml\n", commit % 17) } else { String::new() };
    format!(
        "commit refs/heads/b{branch}\nmark :{mark}\ncommitter C <c@example.com> {time_s} +0000\n{message}{parents}\
         M 100644 inline prompts/team-{team}/p{file}.yaml\n{content}\
         M 100644 inline src/f{source}.py\n{message}{deletion}\n"
    )
}

#[test]
fn a_busy_history_is_what_git_itself_tells() {
    let scratch = busy_repository();
    let entries = history(&scratch, "prompts");

    // Git's own account, by another way: what each commit has, whole, in an order that puts ancestors first.
    let mut seen = BTreeSet::new();
    let mut first_in = Vec::new();
    for commit in scratch.git(&["rev-list", "--reverse", "--date-order", "HEAD"]).lines() {
        for line in scratch.git(&["ls-tree", "-r", commit, "prompts/"]).lines() {
            let (_, rest) = line.split_once(" blob ").unwrap();
            let (blob, path) = rest.split_once('\t').unwrap();
            if seen.insert((path.to_owned(), blob.to_owned())) {
                first_in.push((commit.to_owned(), path.to_owned(), blob.to_owned()));
            }
        }
    }
    let told: Vec<_> =
        entries.iter().map(|entry| (entry.commit.id.to_string(), entry.path.clone(), entry.blob.to_string())).collect();
    assert!(told.len() > 300, "the history is busy: {}", told.len());
    assert_eq!(told, first_in);
}
