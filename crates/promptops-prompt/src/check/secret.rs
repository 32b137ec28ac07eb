//! `secret`: no key or password stands in a prompt.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use regex::{Regex, RegexSet};

use super::{Check, FileView, FoundBy};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "secret",
    severity: Severity::Error,
    summary: "No key, token or password stands in a prompt.",
    why: "A prompt is read by everybody who can read the repository, is sent to a provider with every call, and stays in \
          Git after it is removed. Findings, logs and reports show the place and never the secret.",
    fix: "Revoke the secret, since Git keeps it. Pass what a prompt needs as an input at run time; mostly it needs no \
          secret at all. A made-up example that only looks like one is let pass by a suppression with its reason.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  The report is at postgres://admin:tr0ub4dor@db.internal/prod.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {report: {type: string}}
template: |
  The report is at {{ report }}.
",
};

/// What is looked for: the name, and the pattern. The shapes are the providers' own documented prefixes.
const PATTERNS: [(&str, &str); 15] = [
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("an Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    (OPENAI, r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,}"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("a signed token (JWT)", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("a password in a URL", r"\b[a-z][a-z0-9+.-]*://[^/\s:@{}]+:[^/\s:@{}]+@"),
    (BEARER, r"\bBearer\s+([A-Za-z0-9_.~+/-]{16,})"),
    // The name may be the end of another, as in `DB_PASSWORD`, and stand in quotes, which YAML may have escaped.
    (
        ASSIGNED,
        r#"(?:\b|_)(?i-u:password|passwd|pwd|secret(?:[_-]?access)?(?:[_-]?key)?|api[_-]?key|(?:access|auth)[_-]?token)(?:\\?["'])?\s*[:=]\s*(?:\\?["'])?([^\s"'{}<>,;\\]{8,})"#,
    ),
];

const ASSIGNED: &str = "a password or key";
const BEARER: &str = "a bearer token";
const OPENAI: &str = "an OpenAI key";

/// The patterns that need a second look, since prose also has the word "password", and `sk-` begins names of libraries.
const LIKE_PROSE: [&str; 3] = [ASSIGNED, BEARER, OPENAI];

/// All patterns as one, which tells several times faster than the set that nothing is there.
static ANY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&PATTERNS.map(|(_, pattern)| format!("(?:{})", quick(pattern))).join("|"))
        .expect("the patterns are fixed and tested")
});
static SET: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(PATTERNS.map(|(_, pattern)| quick(pattern))).expect("the patterns are fixed and tested"));
static SINGLE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    PATTERNS.iter().map(|(_, pattern)| Regex::new(&quick(pattern)).expect("the patterns are fixed and tested")).collect()
});

/// Texts in lower case of which one stands in everything that a pattern finds, in any case. To look for these alone is many times
/// faster than for [`ANY`], and most prompts have none.
const TRACES: [&str; 31] = [
    "akia",
    "asia",
    "sk-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "hooks.slack.com",
    "aiza",
    "k_live_",
    "hf_",
    "eyj",
    "-----begin",
    "://",
    "bearer",
    "passw",
    "pwd",
    "secret",
    "apikey",
    "api_key",
    "api-key",
    "accesstoken",
    "authtoken",
    "access_token",
    "access-token",
    "auth_token",
    "auth-token",
];

/// Nothing on processors that this search has no instructions for; then [`ANY`] alone tells.
static TRACE: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(TRACES));

/// Tells whether a text has a trace of a secret.
fn has_trace(text: &str) -> bool {
    // Looking in lower case at once is quicker than a search that takes letters for both cases.
    TRACE.as_ref().is_none_or(|trace| trace.find(text.to_ascii_lowercase()).is_some())
}

/// Takes the borders of words by ASCII: with those of Unicode one letter beyond it makes the search of a file several times slower.
fn quick(pattern: &str) -> String {
    pattern.replace(r"\b", r"(?-u:\b)")
}

pub(super) fn check(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    for (range, name) in secrets(view.text) {
        findings.push(
            Finding::new(CHECK.id, CHECK.severity, &view.draft.path, range, format!("{name} stands in the prompt"))
                .hint("revoke it, since Git keeps it; pass what a prompt needs as an input at run time"),
        );
    }
}

/// Finds keys, tokens and passwords in any text: the bytes of each and what it is. No two overlap.
///
/// Whoever prints a part of a text hides these first: a key must not get into a log because something beside it is wrong.
pub fn secrets(text: &str) -> Vec<(Range<usize>, &'static str)> {
    // By where they begin, so that an overlap is found without looking at all of them.
    let mut found: BTreeMap<usize, (Range<usize>, &'static str)> = BTreeMap::new();
    if !has_trace(text) || !ANY.is_match(text) {
        return Vec::new();
    }
    for index in SET.matches(text) {
        let name = PATTERNS[index].0;
        for captures in SINGLE[index].captures_iter(text) {
            let Some(secret) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            let overlaps = found.range(..secret.end()).next_back().is_some_and(|(_, (range, _))| secret.start() < range.end);
            if overlaps || (LIKE_PROSE.contains(&name) && !looks_random(secret.as_str())) {
                continue;
            }
            found.insert(secret.start(), (secret.range(), name));
        }
    }
    found.into_values().collect()
}

/// Tells a made-up or generated secret from a word: letters with digits, and many different characters.
fn looks_random(text: &str) -> bool {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let mut letters: Vec<u8> = text.bytes().collect();
    letters.sort_unstable();
    letters.dedup();
    has_digit && has_letter && letters.len() >= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&'static str> {
        secrets(text).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn finds_the_documented_shapes() {
        // Written in halves, so that no scanner takes this file for a leak.
        assert_eq!(found(&["use AKIA", "IOSFODNN7EXAMPLE now"].concat()), ["an AWS access key"]);
        assert_eq!(found(&["key ghp", "_0123456789abcdefghijklmnopqrstuvwxyz"].concat()), ["a GitHub token"]);
        assert_eq!(found(&["sk-ant", "-api03-abcdefghijklmnopqrstuvwxyz"].concat()), ["an Anthropic key"]);
        assert_eq!(found(&["-----BEGIN RSA", " PRIVATE KEY-----"].concat()), ["a private key"]);
        assert_eq!(found("postgres://admin:hunter2@db/prod"), ["a password in a URL"]);
        let assigned = ["password: tr0ub4dor&3", "DB_PASSWORD=tr0ub4dor&3", r#"{"api_key": "q8w7e6r5t4"}"#];
        for text in assigned.into_iter().chain([r#"\"client_secret\": \"q8w7e6r5t4\""#, "AWS_SECRET_ACCESS_KEY=q8w7e6r5t4/x"]) {
            assert_eq!(found(text), ["a password or key"], "{text}");
        }
        assert_eq!(found("Authorization: Bearer q8w7e6r5t4y3u2i1o0"), ["a bearer token"]);
    }

    #[test]
    fn whatever_a_pattern_finds_has_a_trace() {
        // One of every branch of every pattern, each written in halves.
        let shapes = [
            ("AK", "IA"),
            ("AS", "IA"),
            ("sk-an", "t-"),
            ("s", "k-"),
            ("sk-pro", "j-"),
            ("sk-svcacc", "t-"),
            ("gh", "p_"),
            ("gh", "o_"),
            ("gh", "u_"),
            ("gh", "s_"),
            ("gh", "r_"),
            ("github_pa", "t_"),
            ("glpa", "t-"),
            ("xox", "a-"),
            ("xox", "b-"),
            ("xox", "e-"),
            ("xox", "p-"),
            ("xox", "r-"),
            ("xox", "s-"),
            ("AI", "za"),
            ("rk_liv", "e_"),
            ("sk_liv", "e_"),
            ("h", "f_"),
            ("Bearer ", ""),
        ];
        let assigned = [
            "PASSWORD",
            "passwd",
            "Pwd",
            "secret",
            "secret_key",
            "secretAccessKey",
            "secret-access-key",
            "apikey",
            "API_KEY",
            "api-key",
        ];
        let tokens = ["accessToken", "access_token", "ACCESS-TOKEN", "authtoken", "auth_token", "Auth-Token"];
        let bodies = shapes.iter().map(|(one, other)| format!("{one}{other}A1B2C3D4E5F6G7H8"));
        let bodies = bodies
            .flat_map(|text| [text.clone(), format!("{text}I9J0K1L2M3N4O5P6Q7R"), format!("{text}i9j0k1l2m3n4o5p6q7r8s9t0")]);
        let named = assigned.iter().chain(&tokens).map(|name| format!("{name} = q8w7e6r5t4"));
        let others = [
            "-----BEGIN EC ".to_owned() + "PRIVATE KEY-----",
            "hooks.slack.".to_owned() + "com/services/T0/B0/A1B2C3D4E5F6G7H8",
            "ey".to_owned() + "JhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2",
            "mysql://root:hunter2@db".to_owned(),
        ];
        let mut found_by: Vec<bool> = vec![false; PATTERNS.len()];
        for text in bodies.chain(named).chain(others) {
            for pattern in SET.matches(&text) {
                found_by[pattern] = true;
                assert!(has_trace(&text), "{text}");
            }
        }
        assert!(found_by.iter().all(|found| *found), "{found_by:?}");
        // Letters beyond ASCII that the same letters in other case stand for would be without a trace.
        assert_eq!(found("acce\u{17f}s_to\u{212a}en = q8w7e6r5t4"), Vec::<&str>::new());
    }

    #[test]
    fn leaves_prose_alone() {
        for prose in [
            "Never ask for a password: explain that we cannot see it.",
            "The secret: listening well.",
            "use sk-learn-text-classification-models",
            "{\"password\": \"<the password>\"}",
            "a Bearer of good-news-for-everyone",
            "Your api_key: {{ key }}",
            "see https://example.com:8080/a@b",
            "task-force-desk-research-and-development",
        ] {
            assert_eq!(found(prose), Vec::<&str>::new(), "{prose}");
        }
    }
}
