//! The rules of GitHub's CODEOWNERS for prompt files, and the part of the file that they stand in.

use std::collections::{BTreeMap, BTreeSet};

/// Begins the part of the file that is written here.
const BEGIN: &str =
    "# BEGIN promptops: written by `promptops owners codeowners --write`; edit owners.yaml or the prompts instead";
/// Ends it.
const END: &str = "# END promptops";

/// Returns the rules for files with their owners, sorted by path. A folder whose files have the same owners is one rule.
pub fn rules(files: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut rules = Vec::new();
    let all: Vec<(&str, &[String])> = files.iter().map(|(path, owners)| (path.as_str(), owners.as_slice())).collect();
    add_rules("", &all, &mut rules);
    rules
}

/// Adds the rules for the files below a folder; `""` is the root, which never is a rule: it holds other files, too.
fn add_rules(folder: &str, files: &[(&str, &[String])], rules: &mut Vec<String>) {
    let Some((_, owners)) = files.first() else { return };
    if !folder.is_empty() && files.iter().all(|(_, others)| others == owners) {
        rules.push(rule(folder, owners));
        return;
    }
    let mut folders: BTreeMap<&str, Vec<(&str, &[String])>> = BTreeMap::new();
    for (path, owners) in files {
        match path[folder.len()..].split_once('/') {
            Some((name, _)) => folders.entry(&path[..folder.len() + name.len() + 1]).or_default().push((path, owners)),
            None => rules.push(rule(path, owners)),
        }
    }
    for (folder, files) in folders {
        add_rules(folder, &files, rules);
    }
}

fn rule(path: &str, owners: &[String]) -> String {
    // A pattern ends at the first space that is not escaped.
    format!("/{} {}", path.replace(' ', "\\ "), owners.join(" "))
}

/// Returns the part of the file that holds these rules, with a final newline.
pub fn block(rules: &[String]) -> String {
    let mut text = format!("{BEGIN}\n");
    rules.iter().for_each(|rule| text.push_str(&format!("{rule}\n")));
    text.push_str(END);
    text.push('\n');
    text
}

/// Returns the text of a file with its part replaced, or with one at its end, where it has the last word.
///
/// # Errors
/// When one of the two comments is missing, or they are in the wrong order.
pub fn with_block(text: &str, block: &str) -> Result<String, &'static str> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_begin = |line: &&str| line.trim_end().starts_with("# BEGIN promptops");
    let is_end = |line: &&str| line.trim_end() == END;
    let (begin, end) = (lines.iter().position(is_begin), lines.iter().position(is_end));
    match (begin, end) {
        (None, None) if text.is_empty() => Ok(block.to_owned()),
        (None, None) => Ok(format!("{}\n\n{block}", text.trim_end())),
        (Some(begin), Some(end)) if begin < end => Ok([&lines[..begin].concat(), block, &lines[end + 1..].concat()].concat()),
        _ => Err("the comments `# BEGIN promptops` and `# END promptops` do not enclose a part"),
    }
}

/// Returns the lines that one text lacks and that it has too much, as `+` and `-`.
pub fn differences(text: &str, updated: &str) -> Vec<String> {
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (text.lines().collect(), updated.lines().collect());
    let removed = text.lines().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let added = updated.lines().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    removed.chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        files.iter().map(|(path, owners)| ((*path).to_owned(), owners.iter().map(ToString::to_string).collect())).collect()
    }

    #[test]
    fn a_folder_with_one_owner_is_one_rule() {
        let files = files(&[
            ("prompts/a/x.yaml", &["@acme/a"]),
            ("prompts/a/deep/y.yaml", &["@acme/a"]),
            ("prompts/b/x.yaml", &["@acme/b"]),
            ("prompts/b/y.yaml", &["@ana", "bo@example.com"]),
            ("prompts/b-side/my prompt.yaml", &["@acme/b"]),
            ("prompts/z.yaml", &["@acme/a"]),
        ]);
        assert_eq!(
            rules(&files),
            [
                "/prompts/z.yaml @acme/a",
                "/prompts/a/ @acme/a",
                "/prompts/b-side/ @acme/b",
                "/prompts/b/x.yaml @acme/b",
                "/prompts/b/y.yaml @ana bo@example.com",
            ]
        );
        let one = files.into_keys().map(|path| (path, vec!["@acme/a".to_owned()])).collect();
        assert_eq!(rules(&one), ["/prompts/ @acme/a"]);
        assert_eq!(rules(&BTreeMap::from([("my prompt.yaml".to_owned(), vec!["@a".to_owned()])])), ["/my\\ prompt.yaml @a"]);
        assert!(rules(&BTreeMap::new()).is_empty());
    }

    #[test]
    fn what_others_wrote_stays() {
        let (one, other) = (block(&["/prompts/ @a".to_owned()]), block(&["/prompts/ @b".to_owned()]));
        let file = with_block("* @everyone\n", &one).unwrap();
        assert_eq!(file, format!("* @everyone\n\n{one}"));
        let file = format!("{file}/docs/ @writers\n");
        let updated = with_block(&file, &other).unwrap();
        assert_eq!(updated, format!("* @everyone\n\n{other}/docs/ @writers\n"));
        assert_eq!(with_block(&updated, &other).unwrap(), updated);
        assert_eq!(differences(&file, &updated), ["- /prompts/ @a", "+ /prompts/ @b"]);
        assert_eq!(with_block("", &one).unwrap(), one);
        for broken in ["# END promptops\n", "# BEGIN promptops\n", "# END promptops\n# BEGIN promptops\n"] {
            assert!(with_block(broken, &one).is_err(), "{broken}");
        }
    }
}
