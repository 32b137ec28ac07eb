//! Evidence: the report as a statement that the registry's policy can demand.

use promptops_prompt::evidence::{EVAL_PREDICATE, Statement};
use serde_json::{Value, json};

use crate::report::v1::Report;

/// Returns an in-toto Statement about the evaluated version: its verdict with the figures and digests behind it.
///
/// It is about the digest of the content, includes and all, so a changed byte voids it (G5). Inputs and answers stay out.
pub fn statement(report: &Report) -> Statement {
    let metrics: Vec<Value> = report
        .metrics
        .iter()
        .map(|metric| {
            json!({
                "name": metric.name,
                "verdict": metric.verdict,
                "candidate": metric.candidate.estimate,
                "parent": metric.parent.as_ref().map(|parent| parent.estimate),
                "difference": metric.difference.as_ref().map(|difference| difference.estimate),
                "interval": metric.difference.as_ref().map(|difference| difference.interval),
                "margin": metric.margin,
                "minimum": metric.minimum,
                "minimum_detectable_effect": metric.minimum_detectable_effect,
            })
        })
        .collect();
    let models: Vec<Value> = report
        .candidate
        .answered_by
        .iter()
        .map(|model| json!({"model": model.model, "fingerprint": model.fingerprint, "note": model.note}))
        .collect();
    let predicate = json!({
        "verdict": report.verdict,
        "eval": report.eval,
        "dataset": {"path": report.dataset.path, "digest": report.dataset.digest},
        "scorers": report.scorers,
        "cases": report.dataset.cases,
        "repeats": report.dataset.repeats,
        "level": report.level,
        "parameters": report.candidate.parameters,
        "answered_by": models,
        "comparability_key": report.candidate.comparability_key,
        "parent": report.parent.as_ref().map(|parent| json!({"name": parent.prompt, "digest": parent.digest})),
        "must_pass": {"cases": report.must_pass.cases, "failed": report.must_pass.failed.len()},
        "metrics": metrics,
    });
    Statement::new(report.candidate.prompt.clone(), report.candidate.digest, EVAL_PREDICATE, predicate)
}
