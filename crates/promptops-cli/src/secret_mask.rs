//! Keeps the secrets that stand in a file out of everything that is printed about it.

use std::collections::HashMap;

use promptops_prompt::check;
use promptops_prompt::finding::Finding;

/// What stands for a secret in a message.
const MASK: &str = "***";

/// Masks every secret of the files that have findings: in the texts, which are shown around a place and keep their length, and
/// in the words of the findings. A fix that would write a secret is dropped, since masked it would write something else.
pub fn mask(findings: &mut [Finding], texts: &mut HashMap<String, String>) {
    let mut secrets_by_path: HashMap<String, Vec<String>> = HashMap::new();
    for finding in findings {
        let path = &finding.primary.location.path;
        if !secrets_by_path.contains_key(path) {
            let secrets = texts.get_mut(path).map(mask_text).unwrap_or_default();
            secrets_by_path.insert(path.clone(), secrets);
        }
        mask_finding(finding, &secrets_by_path[&finding.primary.location.path]);
    }
}

/// Overwrites the secrets of a text wherever they stand, byte for byte, and returns them, the longest first.
pub fn mask_text(text: &mut String) -> Vec<String> {
    let mut secrets: Vec<String> = check::secrets(text).into_iter().map(|(range, _)| text[range].to_owned()).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in &secrets {
        *text = text.replace(secret, &"*".repeat(secret.len()));
    }
    secrets
}

fn mask_finding(finding: &mut Finding, secrets: &[String]) {
    finding.fixes.retain_mut(|fix| {
        let edits = fix.edits.iter_mut().map(|edit| &mut edit.replacement);
        let masked = edits.chain([&mut fix.title]).filter_map(|words| mask_words(words, secrets).then_some(()));
        masked.count() == 0
    });
    let labels = std::iter::once(&mut finding.primary).chain(&mut finding.related).map(|label| &mut label.text);
    for words in labels.chain([&mut finding.message]).chain(&mut finding.hint) {
        mask_words(words, secrets);
    }
}

/// Masks the known secrets, and what is a secret in itself; tells whether there was one.
fn mask_words(words: &mut String, secrets: &[String]) -> bool {
    let is_known = |secret: &&String| words.contains(secret.as_str());
    let mut present: Vec<String> = secrets.iter().filter(is_known).cloned().collect();
    present.extend(check::secrets(words).into_iter().map(|(range, _)| words[range].to_owned()));
    for secret in &present {
        *words = words.replace(secret, MASK);
    }
    !present.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptops_prompt::finding::{Edit, Severity};

    #[test]
    fn masks_texts_words_and_fixes() {
        let text = "password: tr0ub4dor&3\nowner: tr0ub4dor&3\n";
        let mut texts = HashMap::from([("a.yaml".to_owned(), text.to_owned())]);
        let finding = Finding::new("unknown-owner", Severity::Error, "a.yaml", 29..40, "`tr0ub4dor&3` is not known")
            .label("tr0ub4dor&3")
            .related("b.yaml", 0..0, "not tr0ub4dor&3")
            .hint("write tr0ub4dor&3")
            .fix("rename", vec![Edit::new(0..1, "x: tr0ub4dor&3")]);
        let mut findings = [finding];
        mask(&mut findings, &mut texts);
        assert_eq!(texts["a.yaml"], "password: ***********\nowner: ***********\n");
        assert!(findings[0].fixes.is_empty());
        let shown = format!("{findings:?}");
        assert!(!shown.contains("tr0ub4dor"), "{shown}");
        assert!(findings[0].message.contains("`***` is not known"));
    }

    #[test]
    fn leaves_everything_else_as_it_is() {
        let text = "owner: nobody\n".to_owned();
        let mut texts = HashMap::from([("a.yaml".to_owned(), text.clone())]);
        let finding = Finding::new("unknown-owner", Severity::Error, "a.yaml", 7..13, "no `nobody`")
            .fix("rename", vec![Edit::new(7..13, "ann")]);
        let mut findings = [finding.clone()];
        mask(&mut findings, &mut texts);
        assert_eq!((findings, &texts["a.yaml"]), ([finding], &text));
    }
}
