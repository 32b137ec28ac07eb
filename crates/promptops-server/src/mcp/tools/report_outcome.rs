//! `report_outcome`: what came of an invocation that `prompts/get` began.

use std::collections::BTreeMap;

use promptops_telemetry::Uuid;
use rmcp::model::{Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, ToolFailure, described};
use crate::mcp::invocations::{OPEN_TIME, Report};
use crate::mcp::visitor::cut;

pub(super) const NAME: &str = "report_outcome";

/// Scores of one report.
const MAX_SCORES: usize = 50;
/// The largest count: JSON carries exactly what a double does.
const MAX_COUNT: u64 = (1 << 53) - 1;

#[derive(Deserialize)]
pub(super) struct Arguments {
    invocation: String,
    error_type: Option<String>,
    label: Option<String>,
    valid: Option<bool>,
    refusal: Option<bool>,
    #[serde(default)]
    scores: BTreeMap<String, f64>,
    model: Option<String>,
    finish_reason: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    latency_ms: Option<f64>,
    cost_usd: Option<f64>,
}

pub(super) fn tool() -> (&'static str, Tool) {
    let description = "Report what came of a prompt that you got: scores, the label that the answer chose, an error, tokens, cost. \
        Once for each invocation; `prompts/get` gives its id as `_meta` \"promptops/invocation\".";
    let text = |about: &str| json!({"type": "string", "maxLength": 200, "description": about});
    let count = |about: &str| json!({"type": "integer", "minimum": 0, "maximum": MAX_COUNT, "description": about});
    let number = |about: &str| json!({"type": "number", "minimum": 0, "description": about});
    let input = json!({
        "type": "object",
        "properties": {
            "invocation": {"type": "string", "format": "uuid", "maxLength": 60, "description": "The id of the invocation"},
            "scores": {
                "type": "object", "maxProperties": MAX_SCORES, "additionalProperties": {"type": "number"},
                "propertyNames": {"minLength": 1, "maxLength": 100},
                "description": "Numbers by name, as {\"helpful\": 1}",
            },
            "label": text("The class that the answer chose, or how it ended, as `resolved`"),
            "valid": {"type": "boolean", "description": "Whether the answer is as the prompt's output schema says"},
            "refusal": {"type": "boolean", "description": "Whether the model refused"},
            "error_type": text("Why there was no answer, as `timeout`; leave it out when there was one"),
            "model": text("The model that answered"),
            "finish_reason": text("Why the model stopped, as `stop`"),
            "input_tokens": count("Tokens of the input"),
            "output_tokens": count("Tokens of the output"),
            "latency_ms": number("Milliseconds from request to answer; else the time since the prompt was got"),
            "cost_usd": number("US dollars"),
        },
        "required": ["invocation"],
        "additionalProperties": false,
    });
    let annotations = ToolAnnotations::new().read_only(false).destructive(false).open_world(false);
    (NAME, described(NAME, "Report an outcome", description, input, annotations))
}

pub(super) fn run(call: &Call<'_>, arguments: Arguments) -> Result<Value, ToolFailure> {
    let unknown = || {
        let minutes = OPEN_TIME.as_secs() / 60;
        ToolFailure::Said(format!(
            "no invocation `{}` of yours is open: `prompts/get` begins one, and it ends with the first report, with the session, or \
             after {minutes} minutes",
            cut(&arguments.invocation)
        ))
    };
    let id: Uuid = arguments.invocation.parse().map_err(|_| unknown())?;
    let text = |text: &Option<String>| text.as_deref().map(cut).filter(|text| !text.is_empty());
    let report = Report {
        error_type: text(&arguments.error_type),
        label: text(&arguments.label),
        valid: arguments.valid,
        refusal: arguments.refusal,
        scores: arguments.scores.iter().map(|(name, score)| (cut(name), *score)).collect(),
        model: text(&arguments.model),
        finish_reason: text(&arguments.finish_reason),
        input_tokens: arguments.input_tokens,
        output_tokens: arguments.output_tokens,
        latency_ms: arguments.latency_ms,
        cost_usd: arguments.cost_usd,
    };
    let recorded = call.agents.invocations.report(&id, &call.visitor.principal, report).ok_or_else(unknown)?;
    Ok(json!({
        "invocation": id.to_string(),
        "prompt": recorded.prompt_id,
        "version": recorded.prompt_version,
        "status": recorded.status.as_str(),
        "scores": recorded.scores,
    }))
}
