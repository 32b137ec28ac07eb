//! The pages of the checks are what their data says.
//!
//! `PROMPTOPS_UPDATE_EXPECTED=1` writes them, to be reviewed.

#![expect(clippy::disallowed_methods, reason = "a test is told by the environment to update")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use promptops_prompt::check::{self, CHECKS, Check, Example};

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

#[test]
fn every_check_has_its_page() {
    let mut pages: BTreeMap<String, String> =
        CHECKS.iter().map(|check| (format!("checks/{}.md", check.id), check.page())).collect();
    pages.insert("checks.md".to_owned(), check::index_page());
    let folder = reference().join("checks");
    if std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        pages.iter().for_each(|(path, page)| fs::write(reference().join(path), page).unwrap());
    }
    let advice = "write it with PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-prompt --test check_pages";
    for (path, page) in &pages {
        let written = fs::read_to_string(reference().join(path)).unwrap_or_default();
        assert!(written == *page, "`docs/reference/{path}` is not what the check says: {advice}");
    }
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(pages.contains_key(&format!("checks/{name}")), "`docs/reference/checks/{name}` is the page of no check");
    }
}

#[test]
fn the_data_of_every_check_is_whole() {
    let mut ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CHECKS.len(), "an id stands twice");
    for check in CHECKS {
        for prose in [check.summary, check.why, check.fix] {
            assert!(prose.len() > 15 && prose.ends_with('.') && !prose.contains("  "), "{}: {prose}", check.id);
        }
        for example in [check.bad, check.good] {
            assert!(!Example::parse(example).files.is_empty(), "{}", check.id);
        }
    }
}

#[test]
fn a_misspelt_id_has_near_ones() {
    assert_eq!(Check::near("secrets"), ["secret"]);
    assert_eq!(Check::near("undeclared-variables"), ["undeclared-variable"]);
    assert_eq!(Check::near("floating"), ["floating-model"]);
    assert_eq!(Check::near("zzzzzzzzzz"), Vec::<&str>::new());
    assert_eq!(Check::find("secret").map(|check| check.id), Some("secret"));
}
