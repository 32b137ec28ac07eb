//! `set`: several scorers as one, each with its weight.

use futures::FutureExt as _;
use futures::future::join_all;
use promptops_prompt::PromptRef;
use promptops_prompt::yaml::Kind;
use serde_json::{Value, json};

use super::{Building, Grading, Judged, Judgement, Score, Scorer, ScorerSpec, Settings, Unit, Unjudged};
use crate::spec::fields::Fields;

/// Grades an answer by the weighted mean of the grades that its members give. Without a threshold an answer passes that passes
/// every member of positive weight.
#[derive(Debug, Clone)]
pub struct Set {
    members: Vec<Member>,
}

#[derive(Debug, Clone)]
struct Member {
    spec: ScorerSpec,
    weight: f64,
}

impl Set {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let node = fields.required("of")?;
        let Kind::Sequence(items) = &node.kind else {
            fields.findings.error(node.span.clone(), format!("`of` is a list of scorers, not {}", node.type_name()));
            return None;
        };
        let mut members = Vec::new();
        for item in items {
            let Some((spec, weight)) = ScorerSpec::read_weighted(item, fields.findings) else { continue };
            if spec.unit().less_is_better() {
                let message = format!("`{}` in a set needs a `threshold`: a quantity and a share have no mean", spec.kind());
                fields.findings.error(item.span.clone(), message);
            }
            members.push(Member { spec, weight });
        }
        if members.iter().all(|member| member.weight == 0.0) && members.len() == items.len() {
            fields.findings.error(node.span.clone(), "`of` has no scorer that counts");
        }
        Some(Self { members })
    }
}

impl Settings for Set {
    fn columns(&self) -> Vec<&str> {
        self.members.iter().flat_map(|member| member.spec.columns()).collect()
    }

    fn judges(&self) -> Vec<&PromptRef> {
        self.members.iter().flat_map(|member| member.spec.judges()).collect()
    }

    fn grading(&self) -> Grading {
        Grading::Share
    }

    fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        let mut members = Vec::new();
        for member in &self.members {
            let scorer = member.spec.build(building).map_err(|message| format!("`{}`: {message}", member.spec.kind()))?;
            members.push(Built { kind: member.spec.kind(), scorer, weight: member.weight });
        }
        Ok(Box::new(SetScorer { members }))
    }
}

#[derive(Debug)]
struct SetScorer {
    members: Vec<Built>,
}

#[derive(Debug)]
struct Built {
    kind: &'static str,
    scorer: Box<dyn Scorer>,
    weight: f64,
}

impl SetScorer {
    fn mean(&self, scores: Vec<Result<Score, Unjudged>>) -> Result<Score, Unjudged> {
        let (mut sum, mut weights, mut passed, mut notes) = (0.0, 0.0, true, Vec::new());
        for (member, score) in self.members.iter().zip(scores) {
            let score = score.map_err(|error| Unjudged { message: format!("`{}`: {}", member.kind, error.message), ..error })?;
            sum += member.weight * score.value;
            weights += member.weight;
            passed &= score.passed || member.weight == 0.0;
            if !score.passed {
                notes.push(format!("`{}`: {}", member.kind, score.note.unwrap_or_else(|| score.value.to_string())));
            }
        }
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok(Score { value: sum / weights, passed, note, classified: None })
    }
}

impl Scorer for SetScorer {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let judgements: Vec<Judgement<'a>> = self.members.iter().map(|member| member.scorer.score(judged)).collect();
        if judgements.iter().all(|judgement| matches!(judgement, Judgement::Ready(_))) {
            let ready = judgements.into_iter().filter_map(|judgement| match judgement {
                Judgement::Ready(score) => Some(score),
                Judgement::Pending(_) => None,
            });
            return self.mean(ready.collect()).into();
        }
        let scores = join_all(judgements.into_iter().map(Judgement::settle));
        Judgement::Pending(scores.map(|scores| self.mean(scores)).boxed())
    }

    fn describe(&self) -> Value {
        let members: Vec<Value> = self.members.iter().map(|member| json!([member.weight, member.scorer.describe()])).collect();
        json!({"type": "set", "of": members})
    }

    fn unit(&self) -> Unit {
        Unit::Share
    }

    fn needs_rival(&self) -> bool {
        self.members.iter().any(|member| member.scorer.needs_rival())
    }

    fn runs_program(&self) -> bool {
        self.members.iter().any(|member| member.scorer.runs_program())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    const SET: &str = "type: set, of: [{type: contains, value: sorry, weight: 3}, {type: regex, pattern: '^We', not: true}]";

    #[test]
    fn grades_are_weighted() {
        let case = case(json!({}));
        let set = scorer(&format!("{{{SET}}}"), None).unwrap();
        let score = |text: &str| judge(set.as_ref(), text, &case);
        assert_eq!((score("so sorry").value, score("so sorry").passed), (1.0, true));
        assert_eq!((score("We are sorry").value, score("We are sorry").passed), (0.75, false));
        assert_eq!(score("We are sorry").note.unwrap(), "`regex`: `regex` must not hold, but does");
        assert_eq!(score("We are").value, 0.0);
        let lenient = scorer(&format!("{{{SET}, threshold: 0.7}}"), None).unwrap();
        assert!(judge(lenient.as_ref(), "We are sorry", &case).passed);
        let nested = scorer(&format!("{{type: set, of: [{{{SET}}}, {{type: latency, threshold: 5}}]}}"), None).unwrap();
        assert_eq!(judge(nested.as_ref(), "We are sorry", &case).value, 0.875);
    }

    #[test]
    fn a_member_of_no_weight_is_only_told() {
        let set = scorer("{type: set, of: [{type: contains, value: a}, {type: json-valid, weight: 0}]}", None).unwrap();
        let score = judge(set.as_ref(), "a", &case(json!({})));
        assert_eq!((score.value, score.passed), (1.0, true));
        assert_eq!(score.note.unwrap(), "`json-valid`: not JSON: `a`");
    }

    #[test]
    fn what_one_member_cannot_judge_the_set_cannot() {
        let set = scorer("{type: set, of: [{type: contains, value: a}, {type: tokens, threshold: 9}]}", None).unwrap();
        let unjudged = judge_answer(set.as_ref(), &answer("a"), &case(json!({}))).unwrap_err();
        assert_eq!(unjudged.message, "`tokens`: the provider does not count tokens");
    }

    #[test]
    fn sets_that_make_no_sense_are_findings() {
        let refused = |text: &str| scorer(text, None).unwrap_err();
        assert_eq!(refused("{type: set}"), "the scorer lacks `of`");
        assert_eq!(refused("{type: set, of: []}"), "`of` has no scorer that counts");
        assert_eq!(
            refused("{type: set, of: [{type: latency}]}"),
            "`latency` in a set needs a `threshold`: a quantity and a share have no mean"
        );
        assert_eq!(refused("{type: set, of: [{type: json-valid, weight: -1}]}"), "`weight` is a number from 0 on, not -1");
        assert_eq!(refused("{type: json-valid, weight: 2}"), "the scorer has no field `weight`");
    }
}
