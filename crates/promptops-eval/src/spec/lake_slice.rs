//! A dataset that is a slice of the lake: recorded invocations, chosen once and frozen beside the eval file.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use promptops_prompt::{Digest, PromptId, Version};
use serde_json::{Value, json};

use super::fields::Fields;

/// The most invocations that a slice takes.
pub const MAX_INVOCATIONS: usize = 100_000;
/// How many it takes unless the eval file says otherwise.
const INVOCATIONS: usize = 500;

/// Which invocations make the cases: the latest that fit and whose input was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct LakeSlice {
    /// Only those of this prompt; that of the eval file unless stated.
    pub prompt: PromptId,
    /// Only those of this version.
    pub version: Option<Version>,
    /// Only those of this environment.
    pub environment: Option<String>,
    /// Only at or after this time, UTC.
    pub since: Option<DateTime<Utc>>,
    /// Only before this time, UTC.
    pub until: Option<DateTime<Utc>>,
    /// At most so many.
    pub limit: usize,
}

impl LakeSlice {
    /// Reads the mapping; `prompt` is that of the eval file.
    pub(super) fn read(fields: &mut Fields<'_, '_>, prompt: Option<&PromptId>) -> Option<Self> {
        let from = fields.required("from").and_then(|_| fields.choice("from", &["lake"]));
        let own = fields.text("prompt").map(|text| match text.value.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                fields.findings.error(text.span, format!("`prompt` is no id of a prompt: {error}"));
                None
            }
        });
        let number = fields.count("version");
        let version = number.and_then(|number| Version::new(u32::try_from(number).ok()?));
        if number.is_some() && version.is_none() {
            fields.findings.error(fields.span(), "`version` is a whole number from 1 on");
        }
        let environment = fields.text("environment").map(|text| text.value);
        let (since, until) = (time(fields, "since"), time(fields, "until"));
        let limit = fields.count("limit").unwrap_or(INVOCATIONS);
        if !(1..=MAX_INVOCATIONS).contains(&limit) {
            let message = format!("`limit` is a whole number from 1 to {MAX_INVOCATIONS}, not {limit}");
            fields.findings.error(fields.span(), message);
        }
        from?;
        let prompt = match own {
            Some(own) => own?,
            None => prompt?.clone(),
        };
        Some(Self { prompt, version, environment, since, until, limit })
    }

    /// Returns the path of the frozen slice from the folder of the eval file with this name. Another choice has another path, so
    /// what was frozen is never taken for something else.
    pub(super) fn path(&self, name: &str) -> String {
        let digest = Digest::of_json(&self.to_json()).to_string();
        let short = digest.trim_start_matches("sha256:").get(..12).unwrap_or_default();
        format!("slices/{name}-{short}.jsonl")
    }

    fn to_json(&self) -> Value {
        json!({
            "prompt": self.prompt.as_str(),
            "version": self.version.map(|version| version.to_string()),
            "environment": self.environment,
            "since": self.since,
            "until": self.until,
            "limit": self.limit,
        })
    }
}

/// Reads a day, which begins at midnight UTC, or a moment with its offset.
fn time(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<DateTime<Utc>> {
    let text = fields.text(key)?;
    let day = NaiveDate::parse_from_str(&text.value, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let moment = || DateTime::parse_from_rfc3339(&text.value).map(|time| time.with_timezone(&Utc));
    match day.or_else(|_| moment()) {
        Ok(time) => Some(time),
        Err(_) => {
            let message =
                format!("`{key}` is a day such as 2026-05-01 or a time such as 2026-05-01T12:00:00Z, not `{}`", text.value);
            fields.findings.error(text.span, message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::Spec;

    fn spec(dataset: &str) -> Result<Spec, Vec<String>> {
        let text = format!(
            "prompt: a.b\ndataset: {dataset}\ncase: invocation_id\ninputs: {{message: input}}\nmetrics:\n  - {{name: m, scorer: {{type: label, expected: label}}, margin: 0.1}}\n"
        );
        let (spec, findings) = Spec::parse("evals/e.yaml", &text);
        spec.ok_or_else(|| findings.into_iter().map(|finding| finding.message).collect())
    }

    #[test]
    fn another_choice_has_another_file() {
        let path = |dataset: &str| {
            let spec = spec(dataset).unwrap();
            assert!(spec.slice.is_some());
            spec.dataset_path()
        };
        let latest = path("{from: lake}");
        assert!(latest.starts_with("evals/slices/e-") && latest.ends_with(".jsonl"), "{latest}");
        assert_eq!(latest, path("{from: lake, prompt: a.b, limit: 500}"));
        let choices = [
            "{from: lake, prompt: a.c}",
            "{from: lake, version: 2}",
            "{from: lake, since: 2026-05-01}",
            "{from: lake, limit: 9}",
        ];
        for choice in choices {
            assert_ne!(latest, path(choice), "{choice}");
        }
        assert_eq!(path("{from: lake, since: 2026-05-01}"), path("{from: lake, since: '2026-05-01T02:00:00+02:00'}"));
        assert!(spec("d.csv").unwrap().slice.is_none());
    }

    #[test]
    fn what_chooses_nothing_is_told() {
        let refused = |dataset: &str| spec(dataset).unwrap_err();
        assert_eq!(
            refused("{from: lake, since: May}"),
            ["`since` is a day such as 2026-05-01 or a time such as 2026-05-01T12:00:00Z, not `May`",]
        );
        assert_eq!(refused("{from: lake, limit: 0}"), ["`limit` is a whole number from 1 to 100000, not 0"]);
        assert_eq!(refused("{from: lake, version: 0}"), ["`version` is a whole number from 1 on"]);
        assert_eq!(refused("{from: pond}"), ["`from` is `lake`, not `pond`"]);
        assert_eq!(refused("{prompt: a.b}"), ["the dataset lacks `from`"]);
    }
}
