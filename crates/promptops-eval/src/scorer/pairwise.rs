//! `pairwise`: a model says which of two answers is better, the candidate's or its parent's.

use futures::FutureExt as _;
use futures::future::try_join;
use promptops_prompt::PromptRef;
use serde_json::{Value, json};

use super::judging::{Judge, JudgeSettings, field, reason, shown};
use super::label::Labels;
use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unjudged, excerpt};
use crate::spec::fields::Fields;

/// What a judge says for the first answer, the second, and neither, unless the eval file says otherwise.
const WORDS: [&str; 3] = ["first", "second", "tie"];

/// Grades the candidate's answer against that of its parent to the same case: 1 where the judge prefers it, 0 where it prefers the
/// parent's, 0.5 where it prefers neither. The parent itself has 0.5, so the difference of the two means is what is won or lost.
///
/// The judge, a version of a prompt with the variables `first` and `second`, is asked twice, the second time with the answers
/// swapped. Where it contradicts itself it is a tie: it went by the order. Equal answers are a tie without asking.
#[derive(Debug, Clone, PartialEq)]
pub struct PairwiseSettings {
    judge: JudgeSettings,
    words: [String; 3],
}

impl PairwiseSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let words = [fields.text("first"), fields.text("second"), fields.text("tie")];
        let mut words =
            words.into_iter().zip(WORDS).map(|(stated, word)| stated.map_or_else(|| word.to_owned(), |word| word.value));
        let words = std::array::from_fn(|_| words.next().unwrap_or_default());
        if let Err(message) = Labels::new(words.to_vec()) {
            fields.findings.error(fields.span(), message);
        }
        Some(Self { judge: JudgeSettings::read(fields)?, words })
    }
}

impl Settings for PairwiseSettings {
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
        let judge = self.judge.build(building, &["first", "second"])?;
        Ok(Box::new(Pairwise { judge, words: Labels::new(self.words.to_vec())? }))
    }
}

#[derive(Debug)]
struct Pairwise {
    judge: Judge,
    words: Labels,
}

/// Which answer the judge prefers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Preferred {
    Candidate,
    Parent,
    Neither,
}

impl Pairwise {
    async fn judge(&self, judged: &Judged<'_>, rival: &str) -> Result<Score, Unjudged> {
        let answer = judged.answer.text.as_str();
        let ask = async |first: &str, second: &str, order: [Preferred; 2]| {
            let said = self.judge.ask(judged, vec![("first", first), ("second", second)]).await?;
            let word = field(&said, "verdict").and_then(|text| self.words.find(text));
            let words = self.words.names().join("`, `");
            match word {
                Some(2) => Ok((Preferred::Neither, said)),
                Some(index) => Ok((order[index], said)),
                None => Err(self.judge.nonsense(&shown(&said), &format!("is none of `{words}`"))),
            }
        };
        let (one, other) = try_join(
            ask(rival, answer, [Preferred::Parent, Preferred::Candidate]),
            ask(answer, rival, [Preferred::Candidate, Preferred::Parent]),
        )
        .await?;
        let why = reason(&one.1).map(|reason| format!(": `{}`", excerpt(reason))).unwrap_or_default();
        Ok(match (one.0, other.0) {
            (Preferred::Candidate, Preferred::Candidate) => Score::graded(1.0, format!("the judge prefers it{why}")),
            (Preferred::Parent, Preferred::Parent) => Score::graded(0.0, format!("the judge prefers the parent's answer{why}")),
            (Preferred::Neither, Preferred::Neither) => tie("the judge prefers neither answer"),
            _ => tie("the judge contradicts itself when the answers are swapped"),
        })
    }
}

fn tie(why: &str) -> Score {
    Score::graded(0.5, why)
}

impl Scorer for Pairwise {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        match judged.rival {
            None => tie("there is no other answer to compare with").into(),
            Some(rival) if rival.text == judged.answer.text => tie("both answers are the same").into(),
            Some(rival) => Judgement::Pending(self.judge(judged, &rival.text).boxed()),
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "pairwise", "judge": self.judge.describe(), "words": self.words.names()})
    }

    fn needs_rival(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::Bench;
    use crate::scorer::{Score, Unjudged, UnjudgedClass};

    const TEXT: &str = "{type: pairwise, prompt: quality.better@1}";

    /// Judges `new` against `old`, with a judge that is given both orders.
    async fn judge(text: &str, says: fn(&str) -> &'static str) -> Result<Score, Unjudged> {
        let bench = Bench::default().rival("old").judge(
            "quality.better@1",
            &["question", "first", "second"],
            "{{ question }}: {{ first }} or {{ second }}",
            json!(null),
        );
        let scorer = bench.scorer(text).unwrap();
        bench.answered("new").judge_with(scorer.as_ref(), json!({}), move |asked| Ok(says(asked).to_owned())).await
    }

    #[tokio::test]
    async fn a_preference_holds_in_both_orders() {
        let new = judge(TEXT, |asked| if asked == "hi: old or new" { "second" } else { "First" }).await.unwrap();
        assert_eq!((new.value, new.passed, new.note.as_deref()), (1.0, true, Some("the judge prefers it")));
        let old =
            judge(TEXT, |asked| if asked == "hi: old or new" { "first" } else { "{\"verdict\": \"second\"}" }).await.unwrap();
        assert_eq!((old.value, old.passed), (0.0, false));
    }

    #[tokio::test]
    async fn a_judge_that_goes_by_the_order_finds_a_tie() {
        for says in [(|_| "first") as fn(&str) -> &'static str, |_| "second"] {
            let score = judge(TEXT, says).await.unwrap();
            assert_eq!((score.value, score.passed), (0.5, true));
            assert_eq!(score.note.as_deref(), Some("the judge contradicts itself when the answers are swapped"));
        }
        assert_eq!(judge(TEXT, |_| "tie").await.unwrap().note.as_deref(), Some("the judge prefers neither answer"));
        let words = "{type: pairwise, prompt: quality.better@1, first: A, second: B, tie: C}";
        assert_eq!(judge(words, |asked| if asked == "hi: old or new" { "B" } else { "A" }).await.unwrap().value, 1.0);
    }

    #[tokio::test]
    async fn nonsense_in_either_order_is_an_error() {
        let unjudged = judge(TEXT, |asked| if asked == "hi: old or new" { "second" } else { "both" }).await.unwrap_err();
        assert_eq!(unjudged.class, UnjudgedClass::JudgeAnswer);
        assert_eq!(unjudged.message, "the judge `quality.better@1` answered `both`, which is none of `first`, `second`, `tie`");
    }

    #[tokio::test]
    async fn without_another_answer_nobody_is_asked() {
        let bench = Bench::default().judge("quality.better@1", &["first", "second"], "{{ first }}{{ second }}", json!(null));
        let scorer = bench.scorer(TEXT).unwrap();
        let alone = bench.judge_with(scorer.as_ref(), json!({}), |_| Err("asked".into())).await.unwrap();
        assert_eq!(alone.value, 0.5);
        let same = bench.rival("hello").judge_with(scorer.as_ref(), json!({}), |_| Err("asked".into())).await.unwrap();
        assert_eq!((same.value, same.note.as_deref()), (0.5, Some("both answers are the same")));
    }

    #[test]
    fn a_judge_must_see_both_answers() {
        let bench = Bench::default().judge("quality.better@1", &["first"], "{{ first }}", json!(null));
        let error = bench.scorer(TEXT).unwrap_err();
        assert_eq!(error, "the judge `quality.better@1` has no variable `second`, so it would not see what it judges");
    }
}
