//! Calibration of a judge: the same answers judged by people and by the judge.

use std::path::Path;

use promptops_stats::{Calibration, Proportion, cohens_kappa};

use super::{Score, Unjudged};
use crate::dataset::{Columns, Dataset, DatasetError, Format, Source};
use crate::spec::fields::Fields;
use crate::subject::Subject;

/// The labelled answers, as an eval file names them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Beside the eval file: a dataset with the columns `answer` and [`Settings::human`], and one for each further variable of the
    /// judge.
    dataset: String,
    /// The column with what people said.
    pub(crate) human: String,
}

/// One answer judged twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Whether people find the answer good enough.
    pub human: bool,
    /// What the judge finds.
    pub judged: Result<Score, Unjudged>,
}

/// How well a judge agrees with people.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// How often it was right about good and about bad answers.
    pub calibration: Calibration,
    /// Cohen's kappa; none where all are judged alike.
    pub kappa: Option<f64>,
    /// Answers about which the judge said nothing of use.
    pub unjudged: u64,
}

impl Settings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let node = fields.node("calibration")?;
        let mut fields = Fields::of(node, "the calibration", fields.findings)?;
        let (dataset, human) = (fields.required_text("dataset"), fields.text("human"));
        fields.finish();
        let human = human.map_or_else(|| "human".to_owned(), |human| human.value);
        Some(Self { dataset: dataset?.value, human })
    }

    /// Reads the labelled answers.
    pub(crate) fn read_dataset(&self, folder: &Path, judge: &Subject) -> Result<Dataset, String> {
        let Some(format) = Format::of_path(&self.dataset) else {
            return Err(format!("the calibration `{}` is no dataset", self.dataset));
        };
        let needs_column = |schema: &serde_json::Value| schema.get("default").is_none();
        let variables = judge.content.inputs.iter().filter(|(_, schema)| needs_column(schema)).map(|(name, _)| name.clone());
        let needed = variables.chain(["answer".to_owned(), self.human.clone()]).collect();
        let columns = Columns { needed, ..Columns::default() };
        Dataset::read(&self.dataset, format, Source::File(folder.join(&self.dataset)), &columns).map_err(|error| match error {
            DatasetError::Findings(findings) => match findings.first() {
                Some(first) => format!("the calibration `{}`: {}", self.dataset, first.message),
                None => format!("the calibration `{}` has problems", self.dataset),
            },
            other => format!("the calibration `{}` cannot be read: {}", self.dataset, crate::error::chain(&other)),
        })
    }

    /// Looks for labels that say nothing, and for a side without any: of neither an error rate could be told.
    pub(crate) fn check(&self, labelled: &Dataset, human: impl Fn(&str) -> Option<f64>) -> Result<(), String> {
        let (mut good, mut bad) = (0_u64, 0_u64);
        for case in labelled.rows() {
            let case = case.map_err(|error| error.to_string())?;
            let text = case.text(&self.human).unwrap_or_default();
            match human(&text) {
                Some(grade) if grade >= 0.5 => good += 1,
                Some(_) => bad += 1,
                None => {
                    let (path, line, column) = (&self.dataset, case.head.line, &self.human);
                    return Err(format!("the calibration `{path}`, line {line}: column `{column}` is no verdict: `{text}`"));
                }
            }
        }
        if good == 0 || bad == 0 {
            let path = &self.dataset;
            return Err(format!("the calibration `{path}` needs answers that people find good and such that they find bad"));
        }
        Ok(())
    }
}

impl Calibrated {
    /// Counts agreements. Nothing where the judge said nothing of use about any good or about any bad answer.
    pub fn of(agreements: &[Agreement]) -> Option<Self> {
        let judged: Vec<(bool, bool)> =
            agreements.iter().filter_map(|one| Some((one.human, one.judged.as_ref().ok()?.passed))).collect();
        let share = |human: bool| {
            let side = judged.iter().filter(|(by_human, _)| *by_human == human);
            let right = side.clone().filter(|(_, by_judge)| *by_judge == human).count() as u64;
            Proportion::new(right, side.count() as u64).ok()
        };
        let calibration = Calibration { good: share(true)?, bad: share(false)? };
        let ratings = |pick: fn(&(bool, bool)) -> bool| judged.iter().map(|pair| u32::from(pick(pair))).collect::<Vec<_>>();
        let kappa = cohens_kappa(&ratings(|pair| pair.0), &ratings(|pair| pair.1)).ok();
        Some(Self { calibration, kappa, unjudged: (agreements.len() - judged.len()) as u64 })
    }
}

/// Reads a verdict of people who were asked for yes or no.
pub(crate) fn yes_or_no(text: &str) -> Option<f64> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "good" | "pass" => Some(1.0),
        "false" | "no" | "0" | "bad" | "fail" => Some(0.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::UnjudgedClass;

    fn agreement(human: bool, judge: Option<bool>) -> Agreement {
        let judged = match judge {
            Some(true) => Ok(Score::pass()),
            Some(false) => Ok(Score::fail("")),
            None => Err(Unjudged { class: UnjudgedClass::JudgeAnswer, message: String::new() }),
        };
        Agreement { human, judged }
    }

    #[test]
    fn errors_are_counted_on_both_sides() {
        let mut list = vec![agreement(true, Some(true)); 9];
        list.push(agreement(true, Some(false)));
        list.extend(vec![agreement(false, Some(false)); 6]);
        list.extend(vec![agreement(false, Some(true)); 4]);
        list.push(agreement(false, None));
        let found = Calibrated::of(&list).unwrap();
        assert_eq!((found.calibration.good.share(), found.calibration.bad.share(), found.unjudged), (0.9, 0.6, 1));
        // Agreement 15 of 20; by chance (10 × 13 + 10 × 7) / 400 = 0.5.
        assert!((found.kappa.unwrap() - 0.5).abs() < 1e-12);
        // 0.8 judged good of which some are not: (0.8 + 0.6 - 1) / (0.9 + 0.6 - 1).
        let (estimate, interval) = found.calibration.corrected(Proportion::new(160, 200).unwrap(), 0.9).unwrap();
        assert!((estimate - 0.8).abs() < 1e-12 && interval.low < 0.65 && interval.high > 0.9, "{interval:?}");
        assert_eq!(Calibrated::of(&[agreement(true, Some(true)), agreement(false, None)]), None);
    }
}
