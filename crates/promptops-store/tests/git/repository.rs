//! Finding a repository, commits in it, and files in them.

use std::process::Stdio;

use promptops_store::{GitError, MAX_BLOB_BYTES, Repository};

use crate::scratch::{Scratch, command};

fn names(files: &[promptops_store::CommittedFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn a_repository_is_found_from_any_folder_in_it() {
    let mut scratch = Scratch::new();
    scratch.commit("first", &[("services/chat/prompts/a.yaml", "a")]);
    let root = scratch.path();
    for folder in ["", "services", "services/chat/prompts"] {
        assert_eq!(Repository::discover(&root.join(folder)).unwrap().root(), root);
    }
    let repository = scratch.open();
    assert_eq!(repository.relative(&root).unwrap(), "");
    assert_eq!(repository.relative(&root.join("services/chat/../chat/prompts")).unwrap(), "services/chat/prompts");
    assert_eq!(repository.relative(&root.join("not/there")).unwrap(), "not/there");
    for outside in ["/", "/tmp", "relative"] {
        let error = repository.relative(outside.as_ref()).unwrap_err();
        assert!(matches!(error, GitError::InvalidPath { .. }), "{error:?}");
    }
}

#[test]
fn a_linked_working_tree_has_its_own_root_and_head() {
    let mut scratch = Scratch::new();
    scratch.commit("first", &[("a.yaml", "1")]);
    let elsewhere = tempfile::tempdir().unwrap();
    let linked = elsewhere.path().canonicalize().unwrap().join("linked");
    scratch.git(&["worktree", "add", "--quiet", "-b", "side", linked.to_str().unwrap()]);
    scratch.commit("second", &[("a.yaml", "2")]);
    let repository = Repository::discover(&linked).unwrap();
    assert_eq!(repository.root(), linked);
    assert_eq!(repository.commit(repository.head().unwrap()).unwrap().summary, "first");
    assert_eq!(repository.commit(repository.resolve("main").unwrap()).unwrap().summary, "second");
}

#[test]
fn what_is_no_usable_repository_is_said() {
    let dir = tempfile::tempdir().unwrap();
    for folder in [dir.path().to_owned(), dir.path().join("absent")] {
        let error = Repository::discover(&folder).unwrap_err();
        assert!(matches!(error, GitError::NotARepository { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("not in a Git repository: `{}`", folder.display()));
    }
    command(dir.path(), 0).args(["init", "--quiet", "--bare"]).status().unwrap();
    let error = Repository::discover(dir.path()).unwrap_err();
    assert!(matches!(error, GitError::NoWorkingTree { .. }), "{error:?}");

    let scratch = Scratch::new();
    let repository = scratch.open();
    for revision in ["HEAD", "HEAD~1"] {
        let error = repository.resolve(revision).unwrap_err();
        assert!(matches!(error, GitError::NoCommits { .. }), "{error:?}");
    }
    assert!(matches!(repository.head(), Err(GitError::NoCommits { .. })));
    assert!(matches!(repository.resolve("main"), Err(GitError::UnknownRevision { .. })));
}

#[test]
fn revisions_are_written_as_git_writes_them() {
    let mut scratch = Scratch::new();
    let first = scratch.commit("first", &[("a.yaml", "1")]);
    scratch.git(&["tag", "--annotate", "--message", "tagged", "v1"]);
    let second = scratch.commit("second", &[("a.yaml", "2")]);
    scratch.git(&["update-ref", "refs/remotes/origin/main", &first]);
    let repository = scratch.open();
    for (revision, expected) in [
        ("HEAD", &second),
        ("main", &second),
        ("HEAD~1", &first),
        ("v1", &first),
        ("origin/main", &first),
        (&first[..10], &first),
        ("main^{commit}", &second),
    ] {
        assert_eq!(repository.resolve(revision).unwrap().to_string(), *expected, "{revision}");
    }
    for revision in ["nope", "HEAD~5", "", "main:a.yaml", "--all", "ffffffffff"] {
        let error = repository.resolve(revision).unwrap_err();
        assert!(matches!(error, GitError::UnknownRevision { shallow: false, .. }), "{revision}: {error:?}");
    }
}

#[test]
fn a_commit_says_who_when_and_what() {
    let mut scratch = Scratch::new();
    let id = scratch.commit("Sharpen the labels\nof billing\n\nBecause they overlapped.", &[]);
    let repository = scratch.open();
    let commit = repository.commit(repository.head().unwrap()).unwrap();
    assert_eq!(commit.id.to_string(), id);
    assert_eq!(commit.author_name, "Ada Lovelace");
    assert_eq!(commit.author_email, "ada@example.com");
    assert_eq!(commit.author_time_s, scratch.time_s(), "the zone of the author does not shift it");
    assert_eq!(commit.summary, "Sharpen the labels of billing");
}

#[test]
fn files_are_read_as_a_commit_has_them() {
    let mut scratch = Scratch::new();
    scratch.commit(
        "first",
        &[
            ("prompts/b.yaml", "b1"),
            ("prompts/a/x.yaml", "x1"),
            ("prompts/readme.md", "no"),
            ("prompts/yaml", "no"),
            ("prompts/ü.yaml", "umlaut"),
            ("promptsish/c.yaml", "no"),
            ("top.yaml", "t"),
        ],
    );
    std::os::unix::fs::symlink("b.yaml", scratch.path().join("prompts/link.yaml")).unwrap();
    std::fs::remove_file(scratch.path().join("prompts/a/x.yaml")).unwrap();
    scratch.commit("second", &[("prompts/b.yaml", "b2")]);
    scratch.write("prompts/b.yaml", "not committed");
    let repository = scratch.open();
    let (first, second) = (repository.resolve("HEAD~1").unwrap(), repository.head().unwrap());

    let files = repository.files_at(first, "prompts", "yaml").unwrap();
    assert_eq!(names(&files), ["prompts/a/x.yaml", "prompts/b.yaml", "prompts/ü.yaml"]);
    assert_eq!(files[1].bytes, "b1");
    assert_eq!(files[1].blob.to_string(), scratch.git(&["rev-parse", "HEAD~1:prompts/b.yaml"]));
    let files = repository.files_at(second, "prompts/", "yaml").unwrap();
    assert_eq!(names(&files), ["prompts/b.yaml", "prompts/ü.yaml"]);
    assert_eq!(files[0].bytes, "b2");
    assert_eq!(repository.files_at(second, "", "yaml").unwrap().len(), 4);
    assert!(repository.files_at(second, "prompts/a", "yaml").unwrap().is_empty(), "it was deleted");
    assert!(repository.files_at(second, "top.yaml", "yaml").unwrap().is_empty(), "it is a file");

    assert_eq!(repository.file_at(first, "prompts/a/x.yaml").unwrap().unwrap().bytes, "x1");
    for path in ["prompts/a/x.yaml", "prompts", "prompts/link.yaml", ""] {
        assert_eq!(repository.file_at(second, path).unwrap(), None, "{path}");
    }
    for path in ["../prompts", "/prompts", "prompts//a", "./prompts", "prompts/.."] {
        let error = repository.files_at(first, path, "yaml").unwrap_err();
        assert!(matches!(error, GitError::InvalidPath { .. }), "{path}: {error:?}");
    }
}

#[test]
fn a_huge_file_is_refused_by_name() {
    let mut scratch = Scratch::new();
    let huge = "x".repeat(usize::try_from(MAX_BLOB_BYTES).unwrap() + 1);
    scratch.commit("first", &[("prompts/huge.yaml", &huge), ("prompts/a.yaml", "a")]);
    let repository = scratch.open();
    let head = repository.head().unwrap();
    let error = repository.files_at(head, "prompts", "yaml").unwrap_err();
    assert!(error.to_string().ends_with("limit of 16777216 bytes: `prompts/huge.yaml`"), "{error}");
    let history = repository.history(head, "prompts", "yaml", &|_| true).unwrap();
    assert_eq!(history.len(), 1, "history passes over it");
    assert_eq!(history[0].path, "prompts/a.yaml");
}

#[test]
fn differing_files_are_the_changed_the_new_and_the_deleted() {
    let mut scratch = Scratch::new();
    let files = [("p/same.yaml", "1"), ("p/changed.yaml", "1"), ("p/d/deleted.yaml", "1"), ("q/outside.yaml", "1")];
    scratch.commit("first", &files);
    let repository = scratch.open();
    let head = repository.head().unwrap();
    assert!(repository.differing_files(head, "", "yaml").unwrap().is_empty());
    scratch.write("p/changed.yaml", "2");
    scratch.write("p/d/e/new.yaml", "2");
    scratch.write("p/other.md", "2");
    scratch.write("q/outside.yaml", "2");
    std::fs::remove_file(scratch.path().join("p/d/deleted.yaml")).unwrap();
    let differing = repository.differing_files(head, "p", "yaml").unwrap();
    assert_eq!(differing, ["p/changed.yaml", "p/d/deleted.yaml", "p/d/e/new.yaml"]);
    assert_eq!(repository.differing_files(head, "not/there", "yaml").unwrap(), Vec::<String>::new());
    assert_eq!(repository.differing_files(head, "", "yaml").unwrap().len(), 4);
}

#[test]
fn the_merge_base_is_where_two_commits_parted() {
    let mut scratch = Scratch::new();
    let base = scratch.commit("base", &[("a", "1")]);
    scratch.git(&["switch", "--quiet", "--create", "side"]);
    scratch.commit("side", &[("b", "1")]);
    scratch.git(&["switch", "--quiet", "main"]);
    scratch.commit("main", &[("c", "1")]);
    scratch.git(&["switch", "--quiet", "--orphan", "stranger"]);
    scratch.commit("stranger", &[("d", "1")]);
    let repository = scratch.open();
    let commit = |name| repository.resolve(name).unwrap();
    let found = repository.merge_base(commit("main"), commit("side")).unwrap();
    assert_eq!(found.map(|id| id.to_string()), Some(base));
    assert_eq!(repository.merge_base(commit("main"), commit("main")).unwrap(), Some(commit("main")));
    assert_eq!(repository.merge_base(commit("main"), commit("stranger")).unwrap(), None);
}

#[test]
fn a_shallow_clone_reads_files_but_tells_no_history() {
    let mut scratch = Scratch::new();
    scratch.commit("first", &[("p/a.yaml", "1")]);
    scratch.commit("second", &[("p/a.yaml", "2")]);
    let dir = tempfile::tempdir().unwrap();
    let source = format!("file://{}", scratch.path().display());
    let cloned =
        command(dir.path(), 0).args(["clone", "--quiet", "--depth=1", &source, "clone"]).stderr(Stdio::null()).status().unwrap();
    assert!(cloned.success());
    let repository = Repository::discover(&dir.path().join("clone")).unwrap();
    let head = repository.head().unwrap();
    assert!(repository.is_shallow());
    assert_eq!(repository.files_at(head, "p", "yaml").unwrap()[0].bytes, "2");
    let error = repository.history(head, "p", "yaml", &|_| true).unwrap_err();
    assert!(matches!(error, GitError::Shallow { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("git fetch --unshallow"));
    let error = repository.resolve("HEAD~1").unwrap_err();
    assert!(matches!(error, GitError::UnknownRevision { shallow: true, .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("git fetch --unshallow"));
}

#[test]
fn a_damaged_repository_is_named() {
    let mut scratch = Scratch::new();
    scratch.commit("first", &[("p/a.yaml", "1")]);
    let blob = scratch.git(&["rev-parse", "HEAD:p/a.yaml"]);
    let object = scratch.path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(object).unwrap();
    let repository = scratch.open();
    let head = repository.head().unwrap();
    for error in
        [repository.files_at(head, "p", "yaml").unwrap_err(), repository.history(head, "p", "yaml", &|_| true).unwrap_err()]
    {
        assert!(matches!(error, GitError::Unreadable { .. }), "{error:?}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(&blob), "{cause}");
        assert!(error.hint().unwrap().contains("git fsck"));
    }
}

#[test]
fn a_repository_can_be_sent_to_a_worker() {
    let mut scratch = Scratch::new();
    let first = scratch.commit("first", &[]);
    let repository = scratch.open();
    let head = std::thread::spawn(move || repository.head().unwrap().to_string()).join().unwrap();
    assert_eq!(head, first);
}

const REPOSITORY_VARIABLE: &str = "PROMPTOPS_TEST_REPOSITORY";

/// Not a test of its own: what `the_users_surroundings_change_no_answer` runs again, in other surroundings.
#[test]
fn answers() {
    #[expect(clippy::disallowed_methods, reason = "set by the parent process alone")]
    let Some(path) = std::env::var_os(REPOSITORY_VARIABLE) else { return };
    let repository = Repository::discover(path.as_ref()).unwrap();
    let head = repository.head().unwrap();
    let files = repository.files_at(head, "p", "yaml").unwrap();
    let history = repository.history(head, "p", "yaml", &|_| true).unwrap();
    let differing = repository.differing_files(head, "", "yaml").unwrap();
    println!("answers: {head} {files:?} {history:?} {differing:?} {}", repository.root().display());
}

/// A hook, for one, runs with variables that point Git to the repository it is for.
#[test]
fn the_users_surroundings_change_no_answer() {
    let mut scratch = Scratch::new();
    scratch.commit("first", &[("p/a.yaml", "1")]);
    scratch.commit("second", &[("p/a.yaml", "2")]);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".gitconfig"), "[core]\n bare = true\n worktree = /\n[broken\n").unwrap();
    let ask = |surroundings: &[(&str, &str)]| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "repository::answers", "--nocapture"])
            .env(REPOSITORY_VARIABLE, scratch.path())
            .envs(surroundings.iter().copied())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let answer = printed.lines().find_map(|line| line.split_once("answers: "));
        answer.map(|(_, answer)| answer.to_owned()).unwrap_or_else(|| String::from_utf8(output.stderr).unwrap())
    };
    let plain = ask(&[]);
    assert!(plain.contains("second"), "{plain}");
    for surroundings in [
        &[("HOME", home.path().to_str().unwrap()), ("XDG_CONFIG_HOME", "/nowhere")][..],
        &[("GIT_DIR", "/nowhere"), ("GIT_WORK_TREE", "/"), ("GIT_INDEX_FILE", "/nowhere")],
        &[("GIT_OBJECT_DIRECTORY", "/nowhere"), ("GIT_COMMON_DIR", "/nowhere")],
        &[("GIT_CEILING_DIRECTORIES", "/"), ("GIT_SHALLOW_FILE", "/nowhere"), ("GIT_NAMESPACE", "elsewhere")],
        &[("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "core.bare"), ("GIT_CONFIG_VALUE_0", "true")],
        &[("GIT_CONFIG_GLOBAL", "/nowhere"), ("GIT_CONFIG_SYSTEM", "/nowhere"), ("GIT_REPLACE_REF_BASE", "refs/heads/")],
    ] {
        assert_eq!(ask(surroundings), plain, "{surroundings:?}");
    }
}
