//! `promptops drift`: two windows of invocations, compared signal by signal.

use clap::Args;
use promptops_drift::{Comparison, DriftError, Options, Outcome as SignalOutcome, Signal, Unit, v1};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access::{self, FilterArguments};
use crate::output::table::{Align, Table};
use crate::printer::{DIM, GREEN, RED};
use crate::time_argument::TimeArgument;

/// Compare two windows of recorded invocations: what changed, by how much, and how sure that is.
///
/// The windows are `[--baseline-since, --baseline-until)` and `[--since, --until)`. Without drift, some signal is called changed
/// with probability at most `--alpha`. Exit code 1 when a signal changed.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The current window begins here.
    #[arg(long, default_value = "24h", value_name = "TIME")]
    since: TimeArgument,
    /// The current window ends here [default: now].
    #[arg(long, value_name = "TIME")]
    until: Option<TimeArgument>,
    /// The baseline begins here [default: the beginning].
    #[arg(long, value_name = "TIME")]
    baseline_since: Option<TimeArgument>,
    /// The baseline ends here [default: where the current window begins].
    #[arg(long, value_name = "TIME")]
    baseline_until: Option<TimeArgument>,
    /// The model of the baseline, when it differs from `--model`.
    #[arg(long, value_name = "NAME")]
    baseline_model: Option<String>,
    /// Probability of one or more false calls among all signals.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    alpha: f64,
    /// Show it as JSON (versioned).
    #[arg(long)]
    json: bool,
    /// Which invocations.
    #[command(flatten)]
    filter: FilterArguments,
}

/// Compares the windows and shows every signal.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let now = context.now();
    let resolve = |time: Option<TimeArgument>| time.map(|time| time.resolve(now));
    let since = arguments.since.resolve(now);
    let current = arguments.filter.within(Some(since), resolve(arguments.until));
    let baseline_until = resolve(arguments.baseline_until).or(Some(since));
    let mut baseline = arguments.filter.within(resolve(arguments.baseline_since), baseline_until);
    if let Some(model) = &arguments.baseline_model {
        baseline.model = Some(model.clone());
    }
    let windows = async { Ok((lake.scan(&baseline).await?, lake.scan(&current).await?)) };
    let (baseline, current) = context.block_on(windows)?.map_err(lake_access::failure)?;
    let options = Options { alpha: arguments.alpha, ..Options::default() };
    let comparison = promptops_drift::compare(&baseline, &current, &options).map_err(failure)?;
    if arguments.json {
        let document = v1::ComparisonV1::from(&comparison);
        let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
        context.printer.line(text);
    } else {
        show(&comparison, context);
    }
    Ok(if comparison.changed().next().is_some() { Exit::Refused } else { Exit::Success })
}

fn failure(error: DriftError) -> Failure {
    match &error {
        DriftError::EmptyWindow(_) => Failure::from_error(Exit::Inconclusive, error)
            .hint("widen the window, or drop a filter; `promptops stats --by day` shows what there is"),
        DriftError::Alpha(_) => Failure::from_error(Exit::Usage, error),
        _ => Failure::from_error(Exit::Io, error),
    }
}

fn show(comparison: &Comparison, context: &Context) {
    let printer = &context.printer;
    for (name, window) in [("baseline", &comparison.baseline), ("current", &comparison.current)] {
        let time = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M").to_string();
        printer.line(format!("{name:<9} {} calls, {} – {} UTC", window.rows, time(window.first), time(window.last)));
    }
    let columns = [("signal", Align::Left), ("baseline", Align::Right), ("current", Align::Right), ("difference", Align::Right)];
    let mut table = Table::new(&[&columns[..], &[("interval", Align::Left), ("", Align::Left)]].concat());
    for signal in &comparison.signals {
        let unit = signal.name.unit();
        let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| number(value, unit));
        let (outcome, style) = match signal.outcome {
            SignalOutcome::Changed => ("changed", RED),
            SignalOutcome::NotShown => ("no change shown", GREEN),
            SignalOutcome::Insufficient(_) => ("too few calls to say", DIM),
        };
        table.row(vec![
            name(signal),
            value(signal.baseline.value),
            value(signal.current.value),
            signal.difference.map_or_else(|| "-".to_owned(), |difference| signed(difference, unit)),
            interval(signal),
            printer.paint(style, outcome),
        ]);
    }
    printer.line("");
    printer.answer(&table.render(printer));
    printer.line("");
    for entry in comparison.ledger_changes() {
        let shares = entry.values.iter().map(|value| {
            let shown = value.value.as_deref().unwrap_or("(not recorded)");
            format!("{shown} {:.0} % → {:.0} %", value.baseline_share * 100.0, value.current_share * 100.0)
        });
        printer.line(format!("{} differs: {}", entry.field.as_str(), shares.collect::<Vec<_>>().join(", ")));
    }
    let changed = comparison.changed().count();
    printer.line(match changed {
        0 => format!(
            "no signal of {} changed (chance of a false call at most {:.0} %)",
            comparison.tested,
            comparison.alpha * 100.0
        ),
        _ => format!(
            "{changed} of {} signals changed (chance of any false call at most {:.0} %)",
            comparison.tested,
            comparison.alpha * 100.0
        ),
    });
}

fn name(signal: &Signal) -> String {
    match signal.name.subject() {
        Some(subject) => format!("{} `{subject}`", signal.name.kind()),
        None => signal.name.kind().to_owned(),
    }
}

fn interval(signal: &Signal) -> String {
    let unit = signal.name.unit();
    match &signal.interval {
        Some(interval) => {
            format!("{} … {} at {:.1} %", signed(interval.low, unit), signed(interval.high, unit), interval.level * 100.0)
        }
        None => "-".to_owned(),
    }
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.1} %", value * 100.0),
        Unit::Dollars => format!("{value:.6}"),
        Unit::Score => format!("{value:.3}"),
        _ => format!("{value:.1}"),
    }
}

fn signed(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:+.1} pp", value * 100.0),
        Unit::Dollars => format!("{value:+.6}"),
        Unit::Score => format!("{value:+.3}"),
        _ => format!("{value:+.1}"),
    }
}
