//! `numeric`: the answer is a number close enough to the expected one.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::expected::Expected;
use super::{Building, Judged, Judgement, Score, Scorer, Settings, Unjudged, UnjudgedClass, excerpt};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// A decimal number, with commas between thousands if it has them all.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?";
    Regex::new(pattern).expect("the pattern is constant and tested")
});

/// Which number of an answer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    /// The answer as a whole is one.
    Whole,
    First,
    Last,
}

/// Passes an answer whose number differs from the expected one by at most `absolute`, or by at most `relative` times the
/// expected one, whichever allows more. Without either the numbers must be equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Numeric {
    expected: Expected,
    absolute: f64,
    relative: f64,
    pick: Pick,
}

impl Numeric {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let absolute = tolerance(fields, "absolute");
        let relative = tolerance(fields, "relative");
        let pick = match fields.choice("pick", &["first", "last"]) {
            Some(0) => Pick::First,
            Some(_) => Pick::Last,
            None => Pick::Whole,
        };
        let expected = Expected::read(fields, "a number", |fields| fields.number("value").map(|number| number.value.into()))?;
        Some(Self { expected, absolute, relative, pick })
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let text = self.expected.some_text(case)?;
        let expected = number(&text).ok_or_else(|| Unjudged {
            class: UnjudgedClass::Reference,
            message: format!("the expected value `{}` is no number", excerpt(&text)),
        })?;
        let found = match self.pick {
            Pick::Whole => number(answer),
            Pick::First => numbers(answer).next(),
            Pick::Last => numbers(answer).last(),
        };
        let Some(found) = found else {
            let what = if self.pick == Pick::Whole { "no number" } else { "no number in it" };
            return Ok(Score::fail(format!("expected {expected}, got {what}: `{}`", excerpt(answer))));
        };
        let allowed = self.absolute.max(self.relative * expected.abs());
        Ok(if (found - expected).abs() <= allowed {
            Score::pass()
        } else {
            Score::fail(format!("expected {expected}, got {found}"))
        })
    }
}

fn tolerance(fields: &mut Fields<'_, '_>, key: &'static str) -> f64 {
    let Some(number) = fields.number(key) else { return 0.0 };
    if !(number.value.is_finite() && number.value >= 0.0) {
        fields.findings.error(number.span, format!("`{key}` is a tolerance from 0 on, not {}", number.value));
    }
    number.value
}

/// Reads a text that is a finite number and nothing else; commas may stand between thousands.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let whole = NUMBER.find(text).filter(|found| found.len() == text.len())?;
    parse(whole.as_str())
}

/// Returns the numbers in a text. What looks like a sign right behind a letter or a digit is none: `10-12` is a range.
fn numbers(text: &str) -> impl Iterator<Item = f64> {
    NUMBER.find_iter(text).filter_map(move |found| {
        let is_joined = text[..found.start()].chars().next_back().is_some_and(char::is_alphanumeric);
        parse(if is_joined { found.as_str().trim_start_matches(['-', '+']) } else { found.as_str() })
    })
}

fn parse(text: &str) -> Option<f64> {
    text.replace(',', "").parse().ok().filter(|number: &f64| number.is_finite())
}

impl Settings for Numeric {
    fn columns(&self) -> Vec<&str> {
        self.expected.columns()
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for Numeric {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let pick = match self.pick {
            Pick::Whole => Value::Null,
            Pick::First => "first".into(),
            Pick::Last => "last".into(),
        };
        let expected = self.expected.describe();
        json!({"type": "numeric", "expected": expected, "absolute": self.absolute, "relative": self.relative, "pick": pick})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{number, numbers};
    use crate::scorer::tests::{answer, case, judge_answer, scorer};

    fn passes(text: &str, said: &str) -> Option<bool> {
        let case = case(json!({"n": 200, "cell": "1,200.50", "words": "many"}));
        judge_answer(scorer(text, None).unwrap().as_ref(), &answer(said), &case).ok().map(|score| score.passed)
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, value) in [("7", 7.0), (" -3.50\n", -3.5), ("1,234,567.8", 1_234_567.8), ("2e3", 2000.0), ("+.5", 0.5)] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", "seven", "7 apples", "NaN", "inf", "1e999", "1,23", "--1", "."] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(numbers("From 3 to 1,200.5, that is -7.").collect::<Vec<_>>(), [3.0, 1200.5, -7.0]);
        let found = |text: &str| numbers(text).collect::<Vec<_>>();
        assert_eq!(found("The range is 10-12, (-3) or 1,000-2,000."), [10.0, 12.0, -3.0, 1000.0, 2000.0]);
        assert_eq!(found("GPT-4 says 3+4 is -7, not - 7"), [4.0, 3.0, 4.0, -7.0, 7.0]);
    }

    #[test]
    fn tolerances_are_absolute_or_relative() {
        assert_eq!(passes("{type: numeric, expected: n}", "200.0"), Some(true));
        assert_eq!(passes("{type: numeric, expected: n}", "201"), Some(false));
        assert_eq!(passes("{type: numeric, expected: n, absolute: 1}", "201"), Some(true));
        assert_eq!(passes("{type: numeric, expected: n, relative: 0.01}", "198"), Some(true));
        assert_eq!(passes("{type: numeric, expected: n, relative: 0.01, absolute: 1}", "197.9"), Some(false));
        assert_eq!(passes("{type: numeric, expected: cell}", "1200.5"), Some(true));
        assert_eq!(passes("{type: numeric, value: 0, relative: 0.1}", "0.001"), Some(false));
    }

    #[test]
    fn a_number_in_a_sentence_counts_when_asked_for() {
        assert_eq!(passes("{type: numeric, value: 7}", "It is 7."), Some(false));
        assert_eq!(passes("{type: numeric, value: 7, pick: first}", "7 of 12"), Some(true));
        assert_eq!(passes("{type: numeric, value: 12, pick: last}", "7 of 12."), Some(true));
        assert_eq!(passes("{type: numeric, value: 12, pick: last}", "The range is 10-12"), Some(true));
        assert_eq!(passes("{type: numeric, value: 12, pick: last}", "none"), Some(false));
    }

    #[test]
    fn what_is_expected_must_be_a_number() {
        assert_eq!(passes("{type: numeric, expected: words}", "7"), None);
        let error = scorer("{type: numeric, value: 7, absolute: -1}", None).unwrap_err();
        assert_eq!(error, "`absolute` is a tolerance from 0 on, not -1");
        assert_eq!(
            scorer("{type: numeric, value: 7, pick: middle}", None).unwrap_err(),
            "`pick` is `first` or `last`, not `middle`"
        );
    }
}
