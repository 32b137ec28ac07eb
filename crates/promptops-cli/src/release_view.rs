//! Plans and releases as people see them.

use promptops_registry::plan::{PlannedAction, PlannedChange};
use promptops_registry::policy::Demand;
use promptops_registry::{Plan, Registry, Release};

use crate::commands::diff as diff_text;
use crate::failure::Outcome;
use crate::printer::{BOLD, DIM, GREEN, Printer, RED, YELLOW};
use crate::registry_access::failure;

/// Returns what a plan would do, prompt by prompt, and what is missing.
pub async fn plan(plan: &Plan, registry: &Registry, printer: &Printer, with_text: bool) -> Outcome<String> {
    let base = plan.base.as_ref().map_or("nothing deployed".to_owned(), |base| format!("release {}", base.sequence));
    let mut text = format!("{} from {base}\n", printer.paint(BOLD, &format!("Plan for {}", plan.environment)));
    if plan.changes.is_empty() {
        text.push_str("  nothing to change: the environment is as wanted\n");
        return Ok(text);
    }
    for change in &plan.changes {
        text.push('\n');
        text.push_str(&headline(change, printer));
        if !change.differences.is_empty() {
            text.push_str(&indented(&diff_text::summary(&change.differences, printer)));
        }
        for state in &change.demands {
            let (sign, style) = if state.is_met { ("✓", GREEN) } else { ("✗", RED) };
            let people: Vec<&str> = state.people.iter().map(String::as_str).collect();
            let mut line = match (&state.demand, people.is_empty()) {
                (Demand::Approval { .. }, false) => format!("{} ({})", state.demand, people.join(", ")),
                _ => state.demand.to_string(),
            };
            if !state.is_met && !state.reasons.is_empty() {
                line.push_str(&format!(": {}", state.reasons.join("; ")));
            }
            text.push_str(&format!("    {} {line}\n", printer.paint(style, sign)));
        }
        if !change.dependants.is_empty() {
            let names: Vec<String> = change.dependants.iter().map(ToString::to_string).collect();
            text.push_str(&format!("    included by {} (which keeps its pinned version)\n", names.join(", ")));
        }
        if with_text {
            text.push_str(&changed_text(change, registry, printer).await?);
        }
    }
    let unmet = plan.unmet().len();
    text.push_str(&match unmet {
        0 => format!("\n{}\n", printer.paint(GREEN, "Nothing is missing: this can be deployed.")),
        1 => format!("\n{}\n", printer.paint(YELLOW, "A deploy would be refused: 1 demand is not met.")),
        count => format!("\n{}\n", printer.paint(YELLOW, &format!("A deploy would be refused: {count} demands are not met."))),
    });
    Ok(text)
}

fn headline(change: &PlannedChange, printer: &Printer) -> String {
    let version = |pin: &Option<promptops_prompt::lock::LockedPrompt>| {
        pin.as_ref().map_or_else(String::new, |pin| format!("@{}", pin.version))
    };
    match change.action {
        PlannedAction::Added => format!("  {} {}{}\n", printer.paint(GREEN, "+"), change.id, version(&change.to)),
        PlannedAction::Removed => format!("  {} {}{}\n", printer.paint(RED, "-"), change.id, version(&change.from)),
        PlannedAction::Changed => {
            let class = change.class().map_or_else(String::new, |class| format!("  {class}"));
            let (from, to) = (version(&change.from), version(&change.to));
            format!("  {} {}{from} → {to}{}\n", printer.paint(YELLOW, "~"), change.id, printer.paint(DIM, &class))
        }
    }
}

async fn changed_text(change: &PlannedChange, registry: &Registry, printer: &Printer) -> Outcome<String> {
    let (Some(from), Some(to)) = (&change.from, &change.to) else { return Ok(String::new()) };
    let old = registry.content(&from.digest).await.map_err(failure)?;
    let new = registry.content(&to.digest).await.map_err(failure)?;
    if old.body == new.body {
        return Ok(String::new());
    }
    Ok(format!("\n{}", indented(&diff_text::text(&old, &new, printer))))
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {}\n", line.trim_start_matches("  ")) })
        .collect()
}

/// Returns one line about a release.
pub fn release(release: &Release) -> String {
    let origin = match (release.action, release.based_on) {
        (promptops_registry::environment::ReleaseAction::Rollback, Some(source)) => format!("rollback to {source}"),
        _ => "deploy".to_owned(),
    };
    let reason = release.reason.as_ref().map_or_else(String::new, |reason| format!("  {reason}"));
    let time = release.time.format("%Y-%m-%dT%H:%M:%SZ");
    format!("{:>4}  {time}  {origin}  {}{reason}", release.sequence, release.actor)
}
