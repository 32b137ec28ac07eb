//! A dashboard of Grafana over Prometheus, CloudWatch or Athena. Which source of that kind is a variable of the dashboard.

use std::collections::BTreeSet;

use promptops_registry::EnvironmentName;
use serde_json::{Value, json};

use crate::watched_prompts::WatchedPrompt;

/// Where the numbers come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// The metrics of a server that records.
    #[default]
    Prometheus,
    /// What the EMF sink writes.
    Cloudwatch,
    /// The lake.
    Athena,
}

/// What the dashboard is made from.
pub struct Dashboard<'a> {
    /// Where the numbers come from.
    pub source: Source,
    /// The prompts.
    pub prompts: &'a [WatchedPrompt],
    /// The environments.
    pub environments: &'a BTreeSet<EnvironmentName>,
    /// The namespace of the metrics in CloudWatch.
    pub metrics: &'a str,
    /// The table in Athena, with its database.
    pub table: &'a str,
}

/// What a graph shows.
#[derive(Clone, Copy)]
enum Shown {
    Calls,
    Errors,
    Latency,
    Tokens,
    Cost,
    ByVersion,
}

/// One line or one group of lines of a graph.
struct Line {
    name: String,
    query: Value,
}

impl Source {
    /// Names the plugin.
    fn plugin(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Cloudwatch => "cloudwatch",
            Self::Athena => "grafana-athena-datasource",
        }
    }
}

impl Dashboard<'_> {
    /// Returns the dashboard as Grafana imports it.
    pub fn to_json(&self) -> Value {
        let graphs = [
            (Shown::Calls, "Calls", "short"),
            (Shown::Errors, "Errors", "short"),
            (Shown::Latency, "Latency", "ms"),
            (Shown::Tokens, "Tokens", "short"),
            (Shown::Cost, "Cost", "currencyUSD"),
            (Shown::ByVersion, "Calls by version", "short"),
        ];
        let mut panels = vec![
            json!({
                "id": 1, "type": "text", "title": "Prompts", "gridPos": {"h": 8, "w": 24, "x": 0, "y": 0},
                "options": {"mode": "markdown", "content": self.list()},
            }),
            // A row is drawn once for each prompt that is chosen, with the graphs that follow it.
            json!({
                "id": 2, "type": "row", "title": "$prompt", "collapsed": false, "repeat": "prompt", "panels": [],
                "gridPos": {"h": 1, "w": 24, "x": 0, "y": 8},
            }),
        ];
        for (place, (shown, title, unit)) in graphs.into_iter().enumerate() {
            let unit = if matches!((self.source, shown), (Source::Prometheus, Shown::Latency)) { "s" } else { unit };
            let (left, top) = (place % 3 * 8, 9 + place / 3 * 8);
            panels.push(json!({
                "id": place + 3, "type": "timeseries", "title": title, "datasource": self.datasource(),
                "gridPos": {"h": 8, "w": 8, "x": left, "y": top},
                "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "auto"}}, "overrides": []},
                "options": {
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
                    "tooltip": {"mode": "multi", "sort": "none"},
                },
                "targets": self.targets(shown),
            }));
        }
        json!({
            "uid": format!("promptops-{}", self.source.plugin().trim_end_matches("-datasource")),
            "title": format!("Prompts ({})", self.source.plugin().trim_end_matches("-datasource")),
            "description": "Written by `promptops generate grafana`: generate it again when prompts come or go.",
            "tags": ["promptops"],
            "timezone": "utc",
            "editable": true,
            "graphTooltip": 1,
            "schemaVersion": 39,
            "refresh": "1m",
            "time": {"from": "now-24h", "to": "now"},
            "templating": {"list": self.variables()},
            "annotations": {"list": []},
            "panels": panels,
        })
    }

    fn datasource(&self) -> Value {
        json!({"type": self.source.plugin(), "uid": "${datasource}"})
    }

    fn variables(&self) -> Vec<Value> {
        let mut variables = vec![json!({
            "name": "datasource", "label": "Source", "type": "datasource", "query": self.source.plugin(), "hide": 0, "multi": false,
            "includeAll": false, "refresh": 1, "regex": "", "skipUrlSync": false,
        })];
        if self.source == Source::Cloudwatch {
            variables.push(json!({
                "name": "region", "label": "Region", "type": "textbox", "query": "default", "hide": 0, "skipUrlSync": false,
                "current": {"selected": true, "text": "default", "value": "default"},
                "options": [{"selected": true, "text": "default", "value": "default"}],
            }));
        }
        let environments: Vec<&str> = self.environments.iter().map(EnvironmentName::as_str).collect();
        variables.push(chosen("environment", "Environment", &environments, false));
        let prompts: Vec<&str> = self.prompts.iter().map(|prompt| prompt.id.as_str()).collect();
        variables.push(chosen("prompt", "Prompt", &prompts, true));
        variables
    }

    /// Lists the prompts with their owners.
    fn list(&self) -> String {
        let mut text = "| Prompt | Owner | Purpose | Tags |\n|---|---|---|---|\n".to_owned();
        for prompt in self.prompts {
            let cells = [
                prompt.id.as_str().to_owned(),
                cell(&prompt.owner),
                cell(prompt.purpose.as_deref().unwrap_or_default()),
                cell(&prompt.tags.join(", ")),
            ];
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }

    fn targets(&self, shown: Shown) -> Vec<Value> {
        let lines = match self.source {
            Source::Prometheus => prometheus(shown),
            Source::Cloudwatch => self.cloudwatch(shown),
            Source::Athena => vec![self.athena(shown)],
        };
        ('A'..='Z')
            .zip(lines)
            .map(|(letter, Line { name, mut query })| {
                query["refId"] = letter.to_string().into();
                query["datasource"] = self.datasource();
                match self.source {
                    Source::Prometheus => query["legendFormat"] = name.into(),
                    Source::Cloudwatch => query["label"] = name.into(),
                    Source::Athena => {}
                }
                query
            })
            .collect()
    }

    fn cloudwatch(&self, shown: Shown) -> Vec<Line> {
        let line = |name: &str, metric: &str, statistic: &str, period: &str| Line {
            name: name.to_owned(),
            query: json!({
                "queryMode": "Metrics", "metricQueryType": 0, "metricEditorMode": 0, "id": "", "expression": "", "region": "$region",
                "namespace": self.metrics, "metricName": metric, "statistic": statistic, "period": period, "matchExact": true,
                "dimensions": {"prompt_id": "$prompt", "environment": "$environment"},
            }),
        };
        match shown {
            Shown::Calls => vec![line("calls", "Invocations", "Sum", "")],
            Shown::Errors => vec![line("errors", "Errors", "Sum", "")],
            Shown::Latency => ["p50", "p95", "p99"].map(|percentile| line(percentile, "Latency", percentile, "")).into(),
            Shown::Tokens => vec![line("input", "InputTokens", "Sum", ""), line("output", "OutputTokens", "Sum", "")],
            Shown::Cost => vec![line("an hour", "CostUSD", "Sum", "3600")],
            Shown::ByVersion => {
                // A star stands for every version there is.
                let mut versions = line("version ${PROP('Dim.prompt_version')}", "Invocations", "Sum", "");
                versions.query["dimensions"]["prompt_version"] = "*".into();
                vec![versions]
            }
        }
    }

    /// One query for each graph: every number is a column. Folders are chosen by the days that are looked at.
    fn athena(&self, shown: Shown) -> Line {
        let (columns, series) = match shown {
            Shown::Calls => ("count(*) AS calls", ""),
            Shown::Errors => ("count_if(status = 'error') AS errors", ""),
            Shown::Latency => (
                "approx_percentile(latency_ms, 0.5) AS p50, approx_percentile(latency_ms, 0.95) AS p95, approx_percentile(latency_ms, 0.99) AS p99",
                "",
            ),
            Shown::Tokens => ("sum(input_tokens) AS input, sum(output_tokens) AS output", ""),
            Shown::Cost => ("sum(cost_usd) AS an_hour", ""),
            Shown::ByVersion => {
                ("count(*) AS calls", ", concat('version ', coalesce(CAST(prompt_version AS varchar), 'unknown')) AS version")
            }
        };
        let moment =
            |bound: &str| format!("CAST(from_iso8601_timestamp('${{{bound}:date:iso}}') AT TIME ZONE 'UTC' AS timestamp)");
        let groups = if series.is_empty() { "1" } else { "1, 2" };
        let sql = format!(
            "SELECT date_trunc('hour', time) AS time{series}, {columns}\nFROM {}\nWHERE day BETWEEN '${{__from:date:YYYY-MM-DD}}' AND \
             '${{__to:date:YYYY-MM-DD}}'\n  AND time BETWEEN {} AND {}\n  AND environment = '$environment' AND prompt_id = '$prompt'\n\
             GROUP BY {groups}\nORDER BY 1",
            self.table,
            moment("__from"),
            moment("__to"),
        );
        let place = json!({"region": "__default", "catalog": "__default", "database": "__default"});
        Line { name: String::new(), query: json!({"rawSQL": sql, "format": 0, "connectionArgs": place}) }
    }
}

fn prometheus(shown: Shown) -> Vec<Line> {
    let of = "environment=\"$environment\",prompt_id=~\"$prompt\"";
    let line = |name: &str, expr: String| Line {
        name: name.to_owned(),
        query: json!({"expr": expr, "range": true, "editorMode": "code"}),
    };
    let increase = |metric: &str, more: &str| format!("sum(increase({metric}{{{of}{more}}}[$__rate_interval]))");
    match shown {
        Shown::Calls => vec![line("calls", increase("promptops_invocations_total", ""))],
        Shown::Errors => vec![line("errors", increase("promptops_invocations_total", ",status=\"error\""))],
        Shown::Latency => [0.5, 0.95, 0.99]
            .map(|share| {
                let buckets = format!("promptops_invocation_latency_seconds_bucket{{{of}}}");
                line(
                    &format!("p{}", share * 100.0),
                    format!("histogram_quantile({share}, sum by (le) (rate({buckets}[$__rate_interval])))"),
                )
            })
            .into(),
        Shown::Tokens => vec![
            line("input", increase("promptops_invocation_input_tokens_total", "")),
            line("output", increase("promptops_invocation_output_tokens_total", "")),
        ],
        Shown::Cost => {
            vec![line("an hour", format!("sum(increase(promptops_invocation_cost_usd_total{{{of}}}[1h]))"))]
        }
        Shown::ByVersion => vec![line(
            "version {{prompt_version}}",
            format!("sum by (prompt_version) (increase(promptops_invocations_total{{{of}}}[$__rate_interval]))"),
        )],
    }
}

/// A variable whose values are known: those that exist.
fn chosen(name: &str, label: &str, values: &[&str], several: bool) -> Value {
    let option = |value: &str, selected: bool| json!({"selected": selected, "text": value, "value": value});
    let options: Vec<Value> = values.iter().enumerate().map(|(place, value)| option(value, place == 0)).collect();
    let first = values.first().copied().unwrap_or_default();
    let current = if several { json!({"selected": true, "text": [first], "value": [first]}) } else { option(first, true) };
    json!({
        "name": name, "label": label, "type": "custom", "query": values.join(","), "hide": 0, "multi": several, "includeAll": several,
        "skipUrlSync": false, "current": current, "options": options,
    })
}

/// Writes a text into a cell of a table.
fn cell(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = matches!(character, '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>').then_some('\\');
            escape.into_iter().chain([if character.is_control() { ' ' } else { character }])
        })
        .collect()
}
