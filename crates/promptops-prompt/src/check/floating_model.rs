//! `floating-model`: the model is named so that the provider cannot replace it underneath.

use super::{Check, FileView, FoundBy};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "floating-model",
    severity: Severity::Warning,
    summary: "The model is a dated snapshot, not an alias that the provider moves.",
    why: "The provider can replace what stands behind an alias on any day. The prompt then behaves differently with no \
          version, no evaluation and no approval in between.",
    fix: "Name the snapshot that was evaluated. Which one that is, only you know.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o
tags: [support]
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
};

/// Families whose names without a date are moving aliases. Sources: the providers' model pages, as of 2026.
const FAMILIES: [&str; 7] = ["gpt-", "chatgpt-", "o1", "o3", "o4", "claude-", "gemini-"];

pub(super) fn check(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    let Some(model) = &view.draft.model else { return };
    if !is_floating(&model.value) {
        return;
    }
    findings.push(
        Finding::new(
            CHECK.id,
            CHECK.severity,
            &view.draft.path,
            model.span.clone(),
            format!("the model name `{}` is an alias that can change", model.value),
        )
        .hint("name the dated snapshot, so that a change of model is a change of version"),
    );
}

/// Tells whether a model's name is an alias. Names of unknown families are taken as they are, unless they end in `latest`.
fn is_floating(model: &str) -> bool {
    if model == "latest" || model.ends_with("-latest") || model.ends_with(":latest") {
        return true;
    }
    // Bedrock ends a name in `:0` and begins it with a region; elsewhere what stands after a colon is a name of its own.
    let name = model.strip_suffix(":0").unwrap_or(model);
    let name = name.rsplit(['/', ':']).next().unwrap_or(name);
    let name = name.rsplit_once("anthropic.").map_or(name, |(_, name)| name);
    // Weights that anybody may hold cannot be replaced underneath.
    !name.starts_with("gpt-oss") && FAMILIES.iter().any(|family| name.starts_with(family)) && !has_date(name)
}

/// Finds `20241022`, `2024-08-06`, or a trailing snapshot number of three or more digits as in `gemini-1.5-pro-002`.
fn has_date(name: &str) -> bool {
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    name.split(['-', '@']).any(|part| digits_only(part) && part.len() >= 3)
}

#[cfg(test)]
mod tests {
    use super::is_floating;

    #[test]
    fn tells_aliases_from_snapshots() {
        for alias in [
            "gpt-4o",
            "claude-3-5-sonnet",
            "claude-3-5-sonnet-latest",
            "gemini-1.5-pro",
            "o3-mini",
            "openai/gpt-4.1",
            "llama3:latest",
            "us.anthropic.claude-3-7-sonnet-v1:0",
        ] {
            assert!(is_floating(alias), "{alias}");
        }
        for pinned in [
            "gpt-4o-2024-08-06",
            "gpt-3.5-turbo-0613",
            "claude-3-5-sonnet-20241022",
            "gemini-1.5-pro-002",
            "offline-large-2026-01",
            "our-fine-tune-7",
            "eu.anthropic.claude-3-5-sonnet-20241022-v2:0",
            "openai/gpt-oss-120b",
            "ft:gpt-4o-2024-08-06:acme::abc123",
            "llama-3.1-70b-instruct",
        ] {
            assert!(!is_floating(pinned), "{pinned}");
        }
    }
}
