//! `promptops generate cloudwatch`: dashboards and alarms over the metrics of the EMF sink.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::generated_files::{GeneratedFile, OutputArguments};
use crate::monitoring::cloudwatch::{Monitoring, cloudformation, json_files, terraform};
use crate::monitoring::{LimitArguments, say_missing};
use crate::watched_prompts::{WatchedArguments, watched};

/// Write dashboards and alarms of CloudWatch over the metrics that `PROMPTOPS_EMF=1` makes an application write.
///
/// There is a dashboard for each environment and namespace. Alarms are about errors, latency, cost and silence, for each prompt in each
/// environment, from what `metrics` in its file says: `baseline_error_share`, `baseline_latency_p95_ms`, `cost_per_call_usd`,
/// `calls_per_hour`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write the dashboards; without this and `--alarms`, both.
    #[arg(long)]
    dashboards: bool,
    /// Write the alarms; without this and `--dashboards`, both.
    #[arg(long)]
    alarms: bool,
    /// As what they are written.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// The namespace of the metrics.
    #[arg(long, value_name = "NAMESPACE", default_value = "PromptOps", value_parser = namespace)]
    namespace: String,
    /// The region that dashboards written as JSON show [default: AWS_REGION].
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    #[command(flatten)]
    which: WatchedArguments,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Templates of CloudFormation.
    #[default]
    Cloudformation,
    /// A module of Terraform, in its JSON form.
    Terraform,
    /// What the API takes: bodies for `put-dashboard`, a list for `put-metric-alarm`.
    Json,
}

/// Writes them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let (prompts, environments) = watched(&arguments.which, context, &project)?;
    let both = arguments.dashboards == arguments.alarms;
    let mut monitoring = Monitoring::default();
    if arguments.dashboards || both {
        monitoring = monitoring.with_dashboards(&prompts, &environments, &arguments.namespace, &arguments.limits);
    }
    if arguments.alarms || both {
        monitoring = monitoring.with_alarms(&prompts, &arguments.namespace, &arguments.limits);
        say_missing(&prompts, &arguments.limits, context);
    }
    let files = match arguments.format {
        Format::Cloudformation => cloudformation(&monitoring),
        Format::Terraform => vec![GeneratedFile::json("main.tf.json", &terraform(&monitoring))],
        Format::Json => {
            let region = arguments.region.as_deref().or_else(|| context.variable("AWS_REGION"));
            let region = match region {
                Some(region) => region,
                None if monitoring.dashboards.is_empty() => "",
                None => {
                    return Err(Failure::new(Exit::Usage, "a dashboard written as JSON names the region of its metrics")
                        .hint("give `--region`, or set AWS_REGION"));
                }
            };
            json_files(&monitoring, region)
        }
    };
    arguments.output.put(&files, context)
}

/// Accepts a namespace that stands in texts without being escaped.
fn namespace(text: &str) -> Result<String, String> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || ".-_/#:".contains(character);
    if text.is_empty() || text.len() > 256 || text.starts_with(':') || !text.chars().all(is_allowed) {
        return Err("a namespace has 1 to 256 characters of `A-Z a-z 0-9 . - _ / # :`".to_owned());
    }
    Ok(text.to_owned())
}
