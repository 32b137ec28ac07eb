//! `regex`: the answer matches a regular expression.

use regex::RegexBuilder;
use serde_json::{Value, json};

use super::{Building, Judged, Judgement, Score, Scorer, Settings, excerpt};
use crate::spec::fields::Fields;

/// The largest compiled expression, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Passes an answer in which the expression matches somewhere; `^` and `$` bind it to the ends.
///
/// The syntax is that of the `regex` crate: linear time, without look-around and back-references.
#[derive(Debug, Clone)]
pub struct Regex {
    pattern: regex::Regex,
}

impl Regex {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let pattern = fields.required_text("pattern")?;
        match RegexBuilder::new(&pattern.value).size_limit(MAX_COMPILED_BYTES).build() {
            Ok(pattern) => Some(Self { pattern }),
            Err(error) => {
                // The last line says what is wrong; those above draw the pattern again.
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                fields.findings.error(pattern.span, format!("`pattern` is no regular expression: {reason}"));
                None
            }
        }
    }
}

impl Settings for Regex {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Regex {
    fn judge(&self, answer: &str) -> Score {
        if self.pattern.is_match(answer) {
            Score::pass()
        } else {
            Score::fail(format!("`{}` does not match `{}`", self.pattern, excerpt(answer)))
        }
    }
}

impl Scorer for Regex {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "regex", "pattern": self.pattern.as_str()})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn matches_anywhere_unless_bound() {
        let passes = |text: &str, answer: &str| judge(scorer(text, None).unwrap().as_ref(), answer, &case(json!({}))).passed;
        assert!(passes("{type: regex, pattern: '[A-Z]{3}-[0-9]+'}", "Ticket ABC-17 is open"));
        assert!(!passes("{type: regex, pattern: '^[A-Z]{3}-[0-9]+$'}", "Ticket ABC-17 is open"));
        assert!(passes("{type: regex, pattern: '(?i)^yes'}", "YES, of course"));
    }

    #[test]
    fn a_bad_or_huge_expression_is_a_finding() {
        assert!(scorer("{type: regex, pattern: 'a('}", None).unwrap_err().starts_with("`pattern` is no regular expression: "));
        assert!(scorer("{type: regex, pattern: '(?=a)b'}", None).unwrap_err().contains("look-around"));
        assert!(scorer("{type: regex, pattern: '(\\w{999}){999}'}", None).is_err());
        assert_eq!(scorer("{type: regex}", None).unwrap_err(), "the scorer lacks `pattern`");
    }
}
