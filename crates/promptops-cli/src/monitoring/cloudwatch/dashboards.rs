//! Dashboards, within CloudWatch's limits: 500 widgets, 500 metrics in a widget, 2,500 in a dashboard.

use serde_json::{Value, json};

use super::{Dashboard, REGION};
use crate::monitoring::{LimitArguments, Limits};
use crate::watched_prompts::WatchedPrompt;

const MAX_WIDGETS: usize = 500;
/// Widgets above those of prompts: the heading, and four that compare.
const COMMON_WIDGETS: usize = 5;
/// Widgets of a prompt: its heading, and six graphs.
const PROMPT_WIDGETS: usize = 7;
/// Prompts in one dashboard. With 14 metrics for each the widgets are the first limit.
const MAX_PROMPTS: usize = (MAX_WIDGETS - COMMON_WIDGETS) / PROMPT_WIDGETS;
/// The width of a dashboard.
const WIDTH: u32 = 24;
/// The height of a graph.
const HEIGHT: u32 = 6;
/// The height of a prompt's heading.
const HEADING: u32 = 2;

/// Returns the dashboards of an environment: one for each namespace, more where it has many prompts.
pub(super) fn dashboards(prompts: &[WatchedPrompt], environment: &str, metrics: &str, limits: &LimitArguments) -> Vec<Dashboard> {
    let here: Vec<&WatchedPrompt> =
        prompts.iter().filter(|prompt| prompt.environments.iter().any(|name| name.as_str() == environment)).collect();
    // Prompts are sorted by id, so those of a namespace stand together.
    here.chunk_by(|one, other| one.namespace() == other.namespace())
        .flat_map(|namespace| namespace.chunks(MAX_PROMPTS).enumerate())
        .map(|(part, prompts)| {
            let name = prompts.first().map_or("", |prompt| prompt.namespace());
            let part = if part == 0 { String::new() } else { format!("-{}", part + 1) };
            let drawing = Drawing { environment, metrics };
            Dashboard { name: format!("promptops-{environment}-{name}{part}"), body: drawing.body(name, prompts, limits) }
        })
        .collect()
}

struct Drawing<'a> {
    environment: &'a str,
    metrics: &'a str,
}

impl Drawing<'_> {
    fn body(&self, namespace: &str, prompts: &[&WatchedPrompt], limits: &LimitArguments) -> Value {
        let heading = format!(
            "# {namespace} in {}\nPrompts recorded by PromptOps. Written by `promptops generate cloudwatch`: generate it again when prompts come or go.",
            self.environment
        );
        let mut widgets = vec![text(0, HEADING, &heading)];
        let mut top = HEADING;
        let each = |metric: &str| -> Vec<Value> {
            prompts.iter().map(|prompt| self.metric(metric, prompt, json!({"label": prompt.id.as_str()}))).collect()
        };
        let compared = [
            ("Calls", "Invocations", "Sum"),
            ("Errors", "Errors", "Sum"),
            ("Latency p95, ms", "Latency", "p95"),
            ("Cost, USD", "CostUSD", "Sum"),
        ];
        for (place, (title, metric, statistic)) in (0..).zip(compared) {
            widgets.push(graph((place * 6, top), 6, title, each(metric), statistic, None));
        }
        top += HEIGHT;
        for prompt in prompts {
            self.prompt(prompt, &limits.of(&prompt.baseline), top, &mut widgets);
            top += HEADING + 2 * HEIGHT;
        }
        json!({"start": "-P1D", "periodOverride": "inherit", "widgets": widgets})
    }

    fn prompt(&self, prompt: &WatchedPrompt, limits: &Limits, top: u32, widgets: &mut Vec<Value>) {
        let purpose = prompt.purpose.as_deref().map(|purpose| format!("{}. ", markdown(purpose))).unwrap_or_default();
        let heading = format!(
            "## {}\n{purpose}Owner: {}. Model: {}. Tags: {}.",
            prompt.id,
            markdown(&prompt.owner),
            markdown(&prompt.model),
            markdown(&prompt.tags.join(", ")),
        );
        widgets.push(text(top, HEADING, &heading));
        let top = top + HEADING;
        let one = |name: &str, options: Value| self.metric(name, prompt, options);
        let statistic = |statistic: &str| one("Latency", json!({"stat": statistic, "label": statistic}));
        let calls = vec![
            one("Invocations", json!({"label": "calls"})),
            one("Errors", json!({"label": "errors", "color": "#d62728", "yAxis": "right"})),
        ];
        let tokens = vec![one("InputTokens", json!({"label": "input"})), one("OutputTokens", json!({"label": "output"}))];
        let latency = ["p50", "p95", "p99"].map(statistic).into();
        widgets.push(graph((0, top), 6, "Calls and errors", calls, "Sum", None));
        widgets.push(graph((6, top), 6, "Latency, ms", latency, "p95", limits.latency_p95_ms));
        widgets.push(graph((12, top), 6, "Tokens", tokens, "Sum", None));
        let mut cost = graph(
            (18, top),
            6,
            "Cost of an hour, USD",
            vec![one("CostUSD", json!({"label": "cost"}))],
            "Sum",
            limits.cost_per_hour_usd,
        );
        cost["properties"]["period"] = 3600.into();
        widgets.push(cost);
        let top = top + HEIGHT;
        widgets.push(graph((0, top), 12, "Calls by version", vec![self.by_version(prompt, "Invocations", "Sum")], "Sum", None));
        widgets.push(graph(
            (12, top),
            12,
            "Latency p95 by version, ms",
            vec![self.by_version(prompt, "Latency", "p95")],
            "p95",
            None,
        ));
    }

    fn metric(&self, name: &str, prompt: &WatchedPrompt, options: Value) -> Value {
        json!([self.metrics, name, "prompt_id", prompt.id.as_str(), "environment", self.environment, options])
    }

    /// A search, because versions come without a new dashboard.
    fn by_version(&self, prompt: &WatchedPrompt, name: &str, statistic: &str) -> Value {
        let search = format!(
            "SEARCH('{{{},environment,prompt_id,prompt_version}} MetricName=\"{name}\" prompt_id=\"{}\" environment=\"{}\"', '{statistic}')",
            self.metrics, prompt.id, self.environment
        );
        json!([{"expression": search, "id": "versions", "label": "version ${PROP('Dim.prompt_version')}"}])
    }
}

fn text(top: u32, height: u32, markdown: &str) -> Value {
    json!({"type": "text", "x": 0, "y": top, "width": WIDTH, "height": height, "properties": {"markdown": markdown}})
}

fn graph((left, top): (u32, u32), width: u32, title: &str, metrics: Vec<Value>, statistic: &str, limit: Option<f64>) -> Value {
    let mut graph = json!({
        "type": "metric", "x": left, "y": top, "width": width, "height": HEIGHT,
        "properties": {
            "title": title, "view": "timeSeries", "stacked": false, "region": REGION, "stat": statistic, "period": 300,
            "metrics": metrics, "yAxis": {"left": {"min": 0}},
        },
    });
    if let Some(limit) = limit {
        graph["properties"]["annotations"] = json!({"horizontal": [{"label": "alarm", "value": limit, "color": "#d62728"}]});
    }
    graph
}

/// Takes from a text what Markdown would read.
fn markdown(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|').then_some('\\');
            escape.into_iter().chain([if character.is_control() { ' ' } else { character }])
        })
        .collect()
}
