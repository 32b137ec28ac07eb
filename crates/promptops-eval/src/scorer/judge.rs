//! `judge`: a model says how good the answer is, by a governed prompt.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use promptops_prompt::PromptRef;
use promptops_prompt::yaml::Kind;
use serde_json::{Value, json};

use super::calibration::{self, Agreement};
use super::judging::{Judge, JudgeSettings, field, reason, shown};
use super::label::Labels;
use super::{Ask, Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unjudged, contains_json};
use crate::dataset::{Case, Dataset, DatasetError, inputs};
use crate::spec::fields::Fields;

/// Labelled answers that are judged at the same time. What asks the model keeps its own limits.
const CALIBRATING: usize = 16;
/// Labels that judges use, and what they are worth; an `enum` of one of these pairs needs no `scores`.
const KNOWN: [[(&str, f64); 2]; 6] = [
    [("pass", 1.0), ("fail", 0.0)],
    [("yes", 1.0), ("no", 0.0)],
    [("true", 1.0), ("false", 0.0)],
    [("good", 1.0), ("bad", 0.0)],
    [("correct", 1.0), ("incorrect", 0.0)],
    [("acceptable", 1.0), ("unacceptable", 0.0)],
];

/// Grades an answer by what a judge says: a label that `scores` gives a worth, or a number in `range`.
///
/// The judge is a version of a prompt with the variable `answer`. It is also given `question` (the last message of the user),
/// `conversation` (all messages), `reference` (from `expected` or `value`) and columns, if it declares them. It answers a label or
/// number, or JSON with `verdict` or `score` and, if it likes, `reason`. Anything else judges nothing.
///
/// With `like: promptfoo` it answers as judges of promptfoo do: the first object in what it says counts, with `pass` (true where it
/// is absent) and `score` (1 or 0 where it is absent), and an answer passes that has both `pass` and the `min_score`.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeScorerSettings {
    judge: JudgeSettings,
    scale: Option<Scale>,
    calibration: Option<calibration::Settings>,
}

/// How a judge's words become grades.
#[derive(Debug, Clone, PartialEq)]
enum Scale {
    Labels(Vec<(String, f64)>),
    Range(f64, f64),
    /// `pass` and `score`, which is at least so much.
    LikePromptfoo(Option<f64>),
}

impl JudgeScorerSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let judge = JudgeSettings::read(fields);
        let calibration = calibration::Settings::read(fields);
        let is_like_promptfoo = fields.choice("like", &["promptfoo"]).is_some();
        let min_score = fields.number("min_score");
        if let Some(min_score) = min_score.as_ref().filter(|_| !is_like_promptfoo) {
            fields.findings.error(min_score.span.clone(), "`min_score` goes with `like: promptfoo`; elsewhere it is `threshold`");
        }
        let scale = match (fields.node("scores").is_some(), fields.node("range").is_some(), is_like_promptfoo) {
            (true, false, false) => Some(Scale::Labels(scores(fields)?)),
            (false, true, false) => Some(range(fields)?),
            (false, false, true) => Some(Scale::LikePromptfoo(min_score.map(|score| score.value))),
            (false, false, false) => None,
            _ => {
                fields.findings.error(fields.span(), "the scorer takes one of `scores`, `range` and `like`");
                None
            }
        };
        Some(Self { judge: judge?, scale, calibration })
    }
}

/// Reads `scores`: a mapping of labels to grades.
fn scores(fields: &mut Fields<'_, '_>) -> Option<Vec<(String, f64)>> {
    let node = fields.required("scores")?;
    let mut scores = Vec::new();
    if let Kind::Mapping(pairs) = &node.kind {
        for (label, grade) in pairs {
            let grade = grade.to_json(&mut Vec::new()).as_f64().filter(|grade| (0.0..=1.0).contains(grade))?;
            scores.push((label.key_text().to_owned(), grade));
        }
    }
    let is_useful = scores.len() > 1 && Labels::new(scores.iter().map(|(label, _)| label.clone()).collect()).is_ok();
    if !is_useful {
        fields.findings.error(node.span.clone(), "`scores` is a mapping of at least two labels to grades from 0 to 1");
        return None;
    }
    Some(scores)
}

/// Reads `range`: the worst and the best number.
fn range(fields: &mut Fields<'_, '_>) -> Option<Scale> {
    let json = fields.json("range")?;
    let ends: Option<Vec<f64>> = json.value.as_array().map(|ends| ends.iter().filter_map(Value::as_f64).collect());
    match ends.as_deref() {
        Some([worst, best]) if worst != best => Some(Scale::Range(*worst, *best)),
        _ => {
            fields.findings.error(json.span, "`range` is a list of two numbers, that of the worst answer and that of the best");
            None
        }
    }
}

impl Settings for JudgeScorerSettings {
    fn columns(&self) -> Vec<&str> {
        self.judge.columns()
    }

    fn grading(&self) -> Grading {
        Grading::Share
    }

    fn judges(&self) -> Vec<&PromptRef> {
        vec![&self.judge.prompt]
    }

    fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        let judge = self.judge.build(building, &["answer"])?;
        let scale = match &self.scale {
            Some(scale) => scale.clone(),
            None => known(&judge).ok_or_else(|| {
                let prompt = &self.judge.prompt;
                format!(
                    "the scorer needs `scores` or `range`, for the `output` of the judge `{prompt}` does not tell good from bad"
                )
            })?,
        };
        let labels = match &scale {
            Scale::Labels(scores) => Some(Labels::new(scores.iter().map(|(label, _)| label.clone()).collect())?),
            Scale::Range(..) | Scale::LikePromptfoo(_) => None,
        };
        let mut scorer = JudgeScorer { judge, scale, labels, labelled: None };
        if let Some(calibration) = &self.calibration {
            let labelled = calibration.read_dataset(building.folder, scorer.judge.subject())?;
            calibration.check(&labelled, |text| scorer.human(text))?;
            scorer.labelled = Some((calibration.clone(), labelled));
        }
        Ok(Box::new(scorer))
    }
}

/// Returns what the labels of a judge's `output` are worth, where they are of a kind that everybody reads alike.
fn known(judge: &Judge) -> Option<Scale> {
    let output = judge.subject().content.output.as_ref()?;
    let labels = output.get("enum").or_else(|| output.pointer("/properties/verdict/enum"))?.as_array()?;
    let pair = KNOWN.iter().find(|pair| {
        labels.len() == 2 && pair.iter().all(|(name, _)| labels.iter().any(|label| label.as_str() == Some(*name)))
    })?;
    Some(Scale::Labels(pair.iter().map(|(name, grade)| ((*name).to_owned(), *grade)).collect()))
}

/// Returns the first object in what a judge said.
fn object(said: &Value) -> Option<Value> {
    match said {
        Value::Object(_) => Some(said.clone()),
        Value::String(text) => contains_json::objects(text).into_iter().next(),
        _ => None,
    }
}

/// Reads `pass` and `score` as promptfoo does; where it takes what is neither for a grade, this gives none.
fn pass_and_score(said: &Value) -> Option<(bool, f64)> {
    let (pass, score) = (said.get("pass").unwrap_or(&Value::Null), said.get("score").unwrap_or(&Value::Null));
    if pass.is_null() && score.is_null() {
        return None;
    }
    let passed = match pass {
        Value::Null => true,
        Value::Bool(passed) => *passed,
        other => ["true", "yes", "pass", "y"].contains(&shown(other).to_lowercase().as_str()),
    };
    let value = match score {
        Value::Null => f64::from(u8::from(passed)),
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (0.0..=1.0).contains(&value).then_some((passed, value))
}

#[derive(Debug)]
struct JudgeScorer {
    judge: Judge,
    scale: Scale,
    labels: Option<Labels>,
    /// Answers that people have judged.
    labelled: Option<(calibration::Settings, Dataset)>,
}

impl JudgeScorer {
    async fn judge(&self, judged: &Judged<'_>) -> Result<Score, Unjudged> {
        self.read(&self.judge.ask(judged, vec![("answer", &judged.answer.text)]).await?)
    }

    fn read(&self, said: &Value) -> Result<Score, Unjudged> {
        let nonsense = || self.judge.nonsense(&shown(said), &self.wanted());
        let said_by = |said: &Value| match reason(said) {
            Some(reason) => format!("the judge says `{}`", super::excerpt(reason)),
            None => format!("the judge says `{}`", super::excerpt(&shown(said))),
        };
        if let Scale::LikePromptfoo(min_score) = self.scale {
            let said = object(said).ok_or_else(nonsense)?;
            let (passed, value) = pass_and_score(&said).ok_or_else(nonsense)?;
            let passed = passed && min_score.is_none_or(|least| value >= least);
            return Ok(Score { value, passed, note: Some(said_by(&said)), classified: None });
        }
        Ok(Score::graded(self.grade(said).ok_or_else(nonsense)?, said_by(said)))
    }

    fn grade(&self, said: &Value) -> Option<f64> {
        match (&self.scale, &self.labels) {
            (Scale::Labels(scores), Some(labels)) => Some(scores[labels.find(field(said, "verdict")?)?].1),
            (Scale::Range(worst, best), _) => {
                let number = match said {
                    Value::Object(fields) => fields.get("score")?.as_f64()?,
                    other => other.as_f64()?,
                };
                let grade = (number - worst) / (best - worst);
                (0.0..=1.0).contains(&grade).then_some(grade)
            }
            (Scale::LikePromptfoo(_), _) => pass_and_score(&object(said)?).map(|(passed, _)| f64::from(u8::from(passed))),
            (Scale::Labels(_), None) => None,
        }
    }

    fn wanted(&self) -> String {
        match &self.scale {
            Scale::Labels(scores) => {
                let labels = scores.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>().join("`, `");
                format!("is none of `{labels}`")
            }
            Scale::Range(worst, best) => format!("is no number from {worst} to {best}"),
            Scale::LikePromptfoo(_) => "has no object with `pass`, or with a `score` from 0 to 1".to_owned(),
        }
    }

    /// Reads what a person said in the judge's own scale, or as yes or no.
    fn human(&self, text: &str) -> Option<f64> {
        let value = serde_json::from_str(text.trim()).unwrap_or_else(|_| Value::String(text.trim().to_owned()));
        self.grade(&Value::String(text.to_owned())).or_else(|| self.grade(&value)).or_else(|| calibration::yes_or_no(text))
    }
}

impl Scorer for JudgeScorer {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        Judgement::Pending(self.judge(judged).boxed())
    }

    fn describe(&self) -> Value {
        let scale = match &self.scale {
            Scale::Labels(scores) => json!({"scores": scores}),
            Scale::Range(worst, best) => json!({"range": [worst, best]}),
            Scale::LikePromptfoo(min_score) => json!({"like": "promptfoo", "min_score": min_score}),
        };
        json!({"type": "judge", "judge": self.judge.describe(), "scale": scale})
    }

    fn calibrate<'a>(&'a self, asks: Option<&'a dyn Ask>) -> Option<BoxFuture<'a, Result<Vec<Agreement>, DatasetError>>> {
        let (settings, labelled) = self.labelled.as_ref()?;
        Some(self.agree(settings, labelled, asks).boxed())
    }
}

impl JudgeScorer {
    /// Lets the judge judge every labelled answer, with what its columns hold.
    async fn agree(
        &self,
        settings: &calibration::Settings,
        labelled: &Dataset,
        asks: Option<&dyn Ask>,
    ) -> Result<Vec<Agreement>, DatasetError> {
        let declared = &self.judge.subject().content.inputs;
        let columns: BTreeMap<String, String> =
            declared.keys().filter(|name| labelled.columns.contains(name)).map(|name| (name.clone(), name.clone())).collect();
        let agree = async |case: Result<Case, DatasetError>| {
            let case = case?;
            let human = self.human(&case.text(&settings.human).unwrap_or_default()).is_some_and(|grade| grade >= 0.5);
            let variables = inputs(&case, labelled.format, &columns, declared);
            let judged = self.judge.ask_with(&variables, asks, 0).await.and_then(|said| self.read(&said));
            Ok(Agreement { human, judged })
        };
        stream::iter(labelled.rows()).map(agree).buffered(CALIBRATING).try_collect().await
    }
}

#[cfg(test)]
mod tests {
    use promptops_stats::Calibration;
    use serde_json::json;

    use crate::scorer::calibration::Calibrated;
    use crate::scorer::tests::Bench;
    use crate::scorer::{Score, Unjudged, UnjudgedClass};

    /// A judge that reads `{{question}} | {{answer}} | {{reference}}` and answers by the output given.
    fn bench(output: serde_json::Value) -> Bench {
        let template = "{{ question }} | {{ answer }} | {{ reference }}";
        Bench::default().judge("quality.helpful@2", &["question", "answer", "reference"], template, output)
    }

    const TEXT: &str = "{type: judge, prompt: quality.helpful@2, expected: want}";

    /// Judges the answer `hello` to the question `hi`, with the judge saying this.
    async fn judge(text: &str, output: serde_json::Value, says: &str) -> Result<Score, Unjudged> {
        let bench = bench(output);
        let scorer = bench.scorer(text).unwrap();
        let says = says.to_owned();
        bench
            .judge_with(scorer.as_ref(), json!({"want": "a greeting"}), move |asked| {
                assert_eq!(asked, "hi | hello | a greeting");
                Ok(says.clone())
            })
            .await
    }

    #[tokio::test]
    async fn labels_are_worth_what_is_stated_or_known() {
        let known = json!({"enum": ["yes", "no"]});
        let yes = judge(TEXT, known.clone(), " yes\n").await.unwrap();
        assert_eq!((yes.value, yes.passed, yes.note.as_deref()), (1.0, true, Some("the judge says `yes`")));
        assert!(!judge(TEXT, known, "no").await.unwrap().passed);
        let stated = "{type: judge, prompt: quality.helpful@2, expected: want, scores: {great: 1, fair: 0.5, poor: 0}}";
        assert_eq!(judge(stated, json!(null), "Fair.").await.unwrap().value, 0.5);
        let object = judge(stated, json!(null), r#"{"verdict": "poor", "reason": "too short"}"#).await.unwrap();
        assert_eq!((object.value, object.note.as_deref()), (0.0, Some("the judge says `too short`")));
    }

    #[tokio::test]
    async fn numbers_are_placed_in_their_range() {
        let text = "{type: judge, prompt: quality.helpful@2, expected: want, range: [1, 5], threshold: 0.7}";
        assert_eq!(judge(text, json!(null), "4").await.unwrap().value, 1.0);
        assert_eq!(judge(text, json!(null), r#"{"score": 3}"#).await.unwrap().value, 0.0);
        let graded = "{type: judge, prompt: quality.helpful@2, expected: want, range: [1, 5]}";
        assert_eq!(judge(graded, json!(null), r#"{"score": 3}"#).await.unwrap().value, 0.5);
        let unjudged = judge(graded, json!(null), "9").await.unwrap_err();
        assert_eq!(unjudged.message, "the judge `quality.helpful@2` answered `9`, which is no number from 1 to 5");
    }

    #[tokio::test]
    async fn a_judge_of_promptfoo_says_pass_and_score() {
        let text = "{type: judge, prompt: quality.helpful@2, expected: want, like: promptfoo}";
        for (says, expected) in [
            (r#"{"reason": "kind", "pass": true, "score": 0.7}"#, (0.7, true)),
            ("Let me see.\n```json\n{\"pass\": false, \"score\": 0.9}\n```", (0.9, false)),
            (r#"{"pass": "Yes"}"#, (1.0, true)),
            (r#"{"pass": "maybe"}"#, (0.0, false)),
            (r#"{"score": "0.2"} {"pass": false}"#, (0.2, true)),
        ] {
            let score = judge(text, json!(null), says).await.unwrap();
            assert_eq!((score.value, score.passed), expected, "{says}");
        }
        let least = text.replace('}', ", min_score: 0.8}");
        let score = judge(&least, json!(null), r#"{"reason": "curt", "pass": true, "score": 0.7}"#).await.unwrap();
        assert_eq!((score.value, score.passed, score.note.as_deref()), (0.7, false, Some("the judge says `curt`")));
        let turned = judge(&text.replace('}', ", not: true}"), json!(null), r#"{"pass": true, "score": 0.6}"#).await.unwrap();
        assert_eq!((turned.value, turned.passed), (0.4, false));
        for says in ["fine", "{}", r#"{"pass": true, "score": 8}"#, r#"{"score": "high"}"#, "[1]"] {
            let unjudged = judge(text, json!(null), says).await.unwrap_err();
            assert_eq!(unjudged.class, UnjudgedClass::JudgeAnswer, "{says}");
        }
        let bench = bench(json!(null));
        let refused = bench.scorer(&TEXT.replace('}', ", range: [1, 5], min_score: 2}")).unwrap_err();
        assert_eq!(refused, "`min_score` goes with `like: promptfoo`; elsewhere it is `threshold`");
        let refused = bench.scorer(&text.replace('}', ", range: [1, 5]}")).unwrap_err();
        assert_eq!(refused, "the scorer takes one of `scores`, `range` and `like`");
    }

    #[tokio::test]
    async fn nonsense_is_an_error_and_never_a_verdict() {
        for says in ["", "yes and no", "I would say yes", "{\"verdict\": 1}", "<html>"] {
            let unjudged = judge(TEXT, json!({"enum": ["yes", "no"]}), says).await.unwrap_err();
            assert_eq!(unjudged.class, UnjudgedClass::JudgeAnswer, "{says}");
        }
        let unjudged = judge(TEXT, json!({"enum": ["yes", "no"]}), "maybe").await.unwrap_err();
        assert_eq!(unjudged.message, "the judge `quality.helpful@2` answered `maybe`, which is not what its `output` says");
        let negated = TEXT.replace('}', ", not: true}");
        assert!(judge(&negated, json!({"enum": ["yes", "no"]}), "maybe").await.is_err());
    }

    #[tokio::test]
    async fn a_judge_that_cannot_be_asked_is_an_error() {
        let bench = bench(json!({"enum": ["yes", "no"]}));
        let scorer = bench.scorer(TEXT).unwrap();
        let unjudged = bench.judge_with(scorer.as_ref(), json!({"want": "x"}), |_| Err("busy".into())).await.unwrap_err();
        assert_eq!(unjudged.class, UnjudgedClass::JudgeCall);
        assert_eq!(unjudged.message, "the judge `quality.helpful@2` could not be asked: server: busy");
        let empty = bench.judge_with(scorer.as_ref(), json!({"want": ""}), |_| Ok("yes".into())).await.unwrap_err();
        assert_eq!(empty.class, UnjudgedClass::Reference);
    }

    #[test]
    fn judges_that_do_not_fit_are_told() {
        let bench = bench(json!({"enum": ["a", "b"]}));
        let refused = |text: &str| bench.scorer(text).unwrap_err();
        assert!(refused("{type: judge, prompt: quality.helpful}").starts_with("`prompt` is no version of a prompt: "));
        assert_eq!(
            refused("{type: judge, prompt: quality.other@1}"),
            "there is no judge `quality.other@1`, neither in the project, nor in its history, nor in its registry"
        );
        assert!(refused(TEXT).contains("needs `scores` or `range`"), "{}", refused(TEXT));
        let no_reference = refused("{type: judge, prompt: quality.helpful@2, range: [1, 5]}");
        assert_eq!(no_reference, "the variable `reference` of the judge `quality.helpful@2` has neither a column nor a default");
        let unknown = refused("{type: judge, prompt: quality.helpful@2, expected: want, range: [1, 5], inputs: {tone: want}}");
        assert_eq!(unknown, "the judge `quality.helpful@2` has no variable `tone`");
        for bad in
            ["range: [1]", "range: [2, 2]", "scores: {a: 1}", "scores: {a: 1, A.: 0}", "range: [1, 2], scores: {a: 1, b: 0}"]
        {
            assert!(bench.scorer(&TEXT.replace('}', &format!(", {bad}}}"))).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_judge_is_held_against_people() {
        let mut rows = "question,answer,reference,human\n".to_owned();
        for index in 0..40 {
            // The judge passes whatever says "sure", also when people do not: 15 of 20 good ones and 4 of 20 bad ones.
            let (human, sure) = (index < 20, if index < 20 { index < 15 } else { index < 24 });
            rows.push_str(&format!("q{index},{},r,{}\n", if sure { "sure" } else { "hm" }, if human { "yes" } else { "false" }));
        }
        let bench = bench(json!({"enum": ["yes", "no"]}));
        std::fs::write(bench.folder().join("labels.csv"), &rows).unwrap();
        let text = TEXT.replace('}', ", calibration: {dataset: labels.csv}}");
        let scorer = bench.scorer(&text).unwrap();
        let says = |asked: &str| Ok(if asked.contains("| sure |") { "yes".to_owned() } else { "no".to_owned() });
        let agreements = bench.calibrate(scorer.as_ref(), says).await.unwrap();
        let share = |right, of| promptops_stats::Proportion::new(right, of).unwrap();
        let found = Calibrated::of(&agreements).unwrap();
        assert_eq!(found.calibration, Calibration { good: share(15, 20), bad: share(16, 20) });
        assert_eq!(found.unjudged, 0);
        // Turned around, good is bad for people too.
        let negated = bench.scorer(&text.replace("}}", "}, not: true}")).unwrap();
        let found = Calibrated::of(&bench.calibrate(negated.as_ref(), says).await.unwrap()).unwrap();
        assert_eq!(found.calibration, Calibration { good: share(16, 20), bad: share(15, 20) });
    }

    #[test]
    fn a_calibration_that_shows_nothing_is_refused() {
        let bench = bench(json!({"enum": ["yes", "no"]}));
        let refused = |rows: &str| {
            std::fs::write(bench.folder().join("labels.csv"), rows).unwrap();
            bench.scorer(&TEXT.replace('}', ", calibration: {dataset: labels.csv}}")).unwrap_err()
        };
        let header = "question,answer,reference,human\n";
        let one_sided = refused(&format!("{header}q,a,r,yes\n"));
        let needs = "the calibration `labels.csv` needs answers that people find good and such that they find bad";
        assert_eq!(one_sided, needs);
        let unclear = refused(&format!("{header}q,a,r,yes\nq,b,r,perhaps\n"));
        assert_eq!(unclear, "the calibration `labels.csv`, line 3: column `human` is no verdict: `perhaps`");
        let lacking = refused("answer,human\na,yes\n");
        assert!(lacking.contains("the header lacks `question`, `reference`"), "{lacking}");
        let missing = bench.scorer(&TEXT.replace('}', ", calibration: {dataset: none.csv}}")).unwrap_err();
        assert!(missing.starts_with("the calibration `none.csv` cannot be read: "), "{missing}");
    }
}
