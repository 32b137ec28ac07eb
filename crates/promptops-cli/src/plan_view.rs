//! Plans and comparisons as people see them, in three verbosities.
//!
//! The shortest names what needs attention and counts the rest; the usual one shows each change with the lines of text that
//! changed; the longest hides nothing. Whatever is left out is said to be.

use std::collections::BTreeMap;

use clap::Args;
use promptops_prompt::PromptId;
use promptops_prompt::change::{Change, Class, worst};
use promptops_prompt::lock::LockedPrompt;
use promptops_registry::approval::DemandState;
use promptops_registry::comparison::PinChange;
use promptops_registry::environment::pinned;
use promptops_registry::plan::{PlannedAction, PlannedChange};
use promptops_registry::policy::Demand;
use promptops_registry::status::PlannedStatus;
use promptops_registry::{Plan, Registry};

use crate::callers::Callers;
use crate::commands::diff as diff_text;
use crate::failure::Outcome;
use crate::printer::{BOLD, DIM, GREEN, Printer, RED, YELLOW};
use crate::registry_access::failure;

/// How much is shown.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Verbosity {
    /// Count the changes, and name only those that break something or are refused.
    #[arg(long, conflicts_with = "full")]
    pub summary: bool,
    /// Hide nothing: whole texts, digests, who published, and what does not change.
    #[arg(long)]
    pub full: bool,
    /// Do not show texts word by word.
    #[arg(long)]
    pub no_text: bool,
}

/// Why a plan holds what it holds, as far as the command line says it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Why each version is wanted, by its prompt.
    pub because: BTreeMap<PromptId, String>,
}

/// Shows plans and comparisons.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Where contents are read.
    pub registry: &'a Registry,
    /// Decides about colour.
    pub printer: &'a Printer,
    /// How much is shown.
    pub verbosity: Verbosity,
    /// Whether, and from what, reasons are given.
    pub explained: Option<&'a Wanted>,
    /// Who called the prompts lately, as far as it is known.
    pub callers: &'a Callers,
}

/// What a plan and a comparison have in common.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    id: &'a PromptId,
    action: PlannedAction,
    from: Option<&'a LockedPrompt>,
    to: Option<&'a LockedPrompt>,
    differences: &'a [Change],
}

impl<'a> Step<'a> {
    fn planned(change: &'a PlannedChange) -> Self {
        let PlannedChange { id, action, from, to, differences, .. } = change;
        Self { id, action: *action, from: from.as_ref(), to: to.as_ref(), differences }
    }

    fn compared(change: &'a PinChange) -> Self {
        let PinChange { id, action, from, to, differences } = change;
        Self { id, action: *action, from: from.as_ref(), to: to.as_ref(), differences }
    }
}

impl View<'_> {
    /// Returns what a plan would do, prompt by prompt, and whether it could be deployed.
    pub async fn plan(&self, plan: &Plan) -> Outcome<String> {
        Ok(format!("{}{}", self.saved_plan(plan).await?, self.verdict(plan)))
    }

    /// The same without a verdict: what was missing when a plan was saved says nothing of now.
    pub async fn saved_plan(&self, plan: &Plan) -> Outcome<String> {
        let base = plan.base.as_ref().map_or("nothing deployed".to_owned(), |base| format!("release {}", base.sequence));
        let title = format!("{} from {base}", self.printer.paint(BOLD, &format!("Plan for {}", plan.environment)));
        let steps: Vec<Step<'_>> = plan.changes.iter().map(Step::planned).collect();
        if self.verbosity.summary {
            return Ok(format!("{title}: {}\n{}", counts(&steps), self.attention(plan)));
        }
        let mut text = format!("{title}\n");
        if plan.changes.is_empty() {
            text.push_str("  nothing to change: the environment is as wanted\n");
        }
        for change in &plan.changes {
            text.push_str(&self.planned_change(plan, change).await?);
        }
        if self.verbosity.full || self.explained.is_some() {
            text.push_str(&self.unchanged(plan).await?);
        }
        if !plan.changes.is_empty() {
            text.push_str(&format!("\n{}\n", counts(&steps)));
        }
        Ok(text)
    }

    /// Returns where two releases differ.
    pub async fn comparison(&self, title: &str, changes: &[PinChange]) -> Outcome<String> {
        let steps: Vec<Step<'_>> = changes.iter().map(Step::compared).collect();
        let title = self.printer.paint(BOLD, title);
        if changes.is_empty() {
            return Ok(format!("{title}: no difference\n"));
        }
        if self.verbosity.summary {
            let breaking = steps.iter().filter(|step| worst(step.differences) == Some(Class::Breaking));
            let breaking: String = breaking.map(|step| self.headline(*step)).collect();
            return Ok(format!("{title}: {}\n{breaking}", counts(&steps)));
        }
        let mut text = format!("{title}\n");
        for step in &steps {
            text.push_str(&format!("\n{}{}", self.headline(*step), self.differences(step.differences)));
            text.push_str(&self.provenance(*step).await?);
            text.push_str(&self.text(*step).await?);
        }
        text.push_str(&format!("\n{}\n", counts(&steps)));
        Ok(text)
    }

    /// What a summary names: changes that break something, demands that are not met, versions that are withdrawn.
    fn attention(&self, plan: &Plan) -> String {
        let mut text = String::new();
        for change in plan.changes.iter().filter(|change| change.class() == Some(Class::Breaking)) {
            text.push_str(&self.headline(Step::planned(change)));
        }
        for unmet in plan.unmet() {
            text.push_str(&format!("  {} {unmet}\n", self.printer.paint(RED, "✗")));
        }
        for status in plan.withdrawn().values() {
            text.push_str(&format!("  {} {status}\n", self.printer.paint(RED, "✗")));
        }
        text
    }

    async fn planned_change(&self, plan: &Plan, change: &PlannedChange) -> Outcome<String> {
        let step = Step::planned(change);
        let mut text = format!("\n{}", self.headline(step));
        if let Some(wanted) = self.explained {
            text.push_str(&self.why_wanted(plan, change, wanted));
        }
        text.push_str(&self.differences(&change.differences));
        for state in &change.demands {
            text.push_str(&self.demand(state, None));
        }
        // With a rollout it has to be said which of the two versions a demand is on.
        let candidate = change.candidate().map(|candidate| candidate.to_string());
        for state in &change.candidate_demands {
            text.push_str(&self.demand(state, candidate.as_deref()));
        }
        for planned in &change.statuses {
            text.push_str(&self.status(plan, planned));
        }
        if !change.dependants.is_empty() {
            let names: Vec<String> = change.dependants.iter().map(ToString::to_string).collect();
            text.push_str(&format!("    included by {} (which keeps its pinned version)\n", names.join(", ")));
        }
        if let Some(callers) = self.callers.of(&change.id) {
            text.push_str(&format!("    called lately by {callers}\n"));
        }
        text.push_str(&self.provenance(step).await?);
        text.push_str(&self.text(step).await?);
        Ok(text)
    }

    fn headline(&self, step: Step<'_>) -> String {
        let version = |pin: Option<&LockedPrompt>| pin.map_or_else(String::new, ToString::to_string);
        let (from, to, id, printer) = (version(step.from), version(step.to), step.id, self.printer);
        match step.action {
            PlannedAction::Added => format!("  {} {id}{to}\n", printer.paint(GREEN, "+")),
            PlannedAction::Removed => format!("  {} {id}{from}\n", printer.paint(RED, "-")),
            PlannedAction::Changed => {
                let class = worst(step.differences).map_or_else(String::new, |class| format!("  {class}"));
                format!("  {} {id}{from} → {to}{}\n", printer.paint(YELLOW, "~"), printer.paint(DIM, &class))
            }
        }
    }

    fn differences(&self, differences: &[Change]) -> String {
        if differences.is_empty() {
            return String::new();
        }
        let summary = diff_text::summary(differences, self.printer);
        summary.lines().map(|line| format!("    {}\n", line.trim_start())).collect()
    }

    fn demand(&self, state: &DemandState, of: Option<&str>) -> String {
        let (sign, style) = if state.is_met { ("✓", GREEN) } else { ("✗", RED) };
        let people: Vec<&str> = state.people.iter().map(String::as_str).collect();
        let mut line = match (&state.demand, people.is_empty()) {
            (Demand::Approval { .. }, false) => format!("{} ({})", state.demand, people.join(", ")),
            _ => state.demand.to_string(),
        };
        if !state.is_met && !state.reasons.is_empty() {
            line.push_str(&format!(": {}", state.reasons.join("; ")));
        }
        if let Some(of) = of {
            line.push_str(&format!(" [{of}]"));
        }
        let mut text = format!("    {} {line}\n", self.printer.paint(style, sign));
        if self.explained.is_some() {
            text.push_str(&self.because(&state.because));
        }
        if self.verbosity.full {
            state.shown_by.iter().for_each(|object| text.push_str(&format!("      shown by {object}\n")));
        }
        text
    }

    fn status(&self, plan: &Plan, planned: &PlannedStatus) -> String {
        let (sign, style) = if planned.is_refused { ("✗", RED) } else { ("!", YELLOW) };
        let mut text = format!("    {} {}\n", self.printer.paint(style, sign), planned.status);
        if self.explained.is_some() {
            let environment = &plan.environment;
            text.push_str(&self.because(&match (planned.is_refused, planned.status.is_withdrawn(plan.created)) {
                (true, _) => format!("it is withdrawn, and {environment} does not run it yet"),
                (false, true) => format!("it is withdrawn, but {environment} runs it already"),
                (false, false) => "its day has not come, so it may be deployed".to_owned(),
            }));
        }
        text
    }

    /// Says why a change is in the plan, and how its class came about.
    fn why_wanted(&self, plan: &Plan, change: &PlannedChange, wanted: &Wanted) -> String {
        let asked = wanted.because.get(&change.id).map_or("the plan says so", String::as_str);
        let environment = &plan.environment;
        let present = match &change.from {
            Some(pin) => format!("{environment} runs {}{pin}", change.id),
            None => format!("{environment} does not run the prompt"),
        };
        let mut text = self.because(&format!("{asked}; {present}"));
        if let (Some(class), 2..) = (change.class(), change.differences.len()) {
            text.push_str(&self.because(&format!("{class} is the worst of {} differences", change.differences.len())));
        }
        text
    }

    fn because(&self, reason: &str) -> String {
        format!("      {}\n", self.printer.paint(DIM, &format!("because {reason}")))
    }

    /// Says by whom and from what the versions were published, where nothing is to be hidden.
    async fn provenance(&self, step: Step<'_>) -> Outcome<String> {
        if !self.verbosity.full {
            return Ok(String::new());
        }
        let mut text = String::new();
        let mut shown = Vec::new();
        for pin in [step.from, step.to].into_iter().flatten().flat_map(LockedPrompt::arms) {
            if shown.contains(&pin) {
                continue;
            }
            shown.push(pin.clone());
            let record = self.registry.version(&pinned(step.id, &pin)).await.map_err(failure)?;
            let commit = record.provenance.commit.as_deref().unwrap_or("no commit");
            let time = record.published.time.format("%Y-%m-%dT%H:%M:%SZ");
            let (by, author) = (&record.published.by, &record.provenance.author);
            text.push_str(&format!("    @{}  {}\n", pin.version, pin.digest));
            text.push_str(&format!("      by {author}, published {time} by {by} from {commit}\n"));
        }
        Ok(text)
    }

    /// Returns the text of a prompt: what changed of it, or all of it.
    async fn text(&self, step: Step<'_>) -> Outcome<String> {
        if self.verbosity.no_text {
            return Ok(String::new());
        }
        let content = async |pin: &LockedPrompt| self.registry.content(&pin.digest).await.map_err(failure);
        let text = match (step.from, step.to) {
            (Some(from), Some(to)) => {
                // Of a rollout beside the version that is live the text that is tried is the news.
                let arms: Vec<LockedPrompt> = to.arms().collect();
                let new = arms.iter().find(|arm| !from.has(arm.version)).unwrap_or(&arms[0]);
                let (old, new) = (content(from).await?, content(new).await?);
                match (old.body == new.body, self.verbosity.full) {
                    (true, _) => return Ok(String::new()),
                    (false, true) => diff_text::text(&old, &new, self.printer),
                    (false, false) => diff_text::changed_text(&old, &new, self.printer),
                }
            }
            (None, Some(to)) if self.verbosity.full => diff_text::whole(&content(to).await?),
            _ => return Ok(String::new()),
        };
        Ok(format!("\n{}", indented(&text)))
    }

    /// Says what stays as it is: by name where nothing is to be hidden, else how much.
    async fn unchanged(&self, plan: &Plan) -> Outcome<String> {
        let Some(base) = &plan.base else { return Ok(String::new()) };
        let release = self.registry.release(&plan.environment, base.sequence).await.map_err(failure)?;
        let mut pins = self.registry.pins(&release).await.map_err(failure)?.prompts;
        for change in &plan.changes {
            pins.remove(&change.id);
        }
        if !self.verbosity.full {
            return Ok(format!("\n  unchanged: {} (--full names them)\n", pins.len()));
        }
        let references = pins.iter().flat_map(|(id, pin)| pin.arms().map(move |arm| pinned(id, &arm)));
        let statuses = self.registry.statuses(references).await.map_err(failure)?;
        let mut text = format!("\n  unchanged: {}\n", pins.len());
        for (id, pin) in &pins {
            let of_prompt = statuses.iter().filter(|status| pin.arms().any(|arm| pinned(id, &arm) == status.reference()));
            let status: String = of_prompt.map(|status| format!("  {} {status}", self.printer.paint(YELLOW, "!"))).collect();
            text.push_str(&format!("    {id}{pin}{status}\n"));
        }
        Ok(text)
    }

    fn verdict(&self, plan: &Plan) -> String {
        if plan.changes.is_empty() {
            return String::new();
        }
        let (unmet, withdrawn) = (plan.unmet().len(), plan.withdrawn().len());
        let mut reasons = Vec::new();
        match unmet {
            0 => {}
            1 => reasons.push("1 demand is not met".to_owned()),
            count => reasons.push(format!("{count} demands are not met")),
        }
        match withdrawn {
            0 => {}
            1 => reasons.push("1 version is withdrawn".to_owned()),
            count => reasons.push(format!("{count} versions are withdrawn")),
        }
        let (style, text) = match reasons.is_empty() {
            true => (GREEN, "Nothing is missing: this can be deployed.".to_owned()),
            false => (YELLOW, format!("A deploy would be refused: {}.", reasons.join(", "))),
        };
        format!("{}\n", self.printer.paint(style, &text))
    }
}

/// Counts what is added, changed and removed, the changed by their class.
fn counts(steps: &[Step<'_>]) -> String {
    if steps.is_empty() {
        return "nothing to change".to_owned();
    }
    let count = |action| steps.iter().filter(|step| step.action == action).count();
    let classes = [Class::Breaking, Class::Behavioural, Class::Compatible, Class::Metadata].map(|class| {
        let count = steps.iter().filter(|step| worst(step.differences) == Some(class)).count();
        (count > 0).then(|| format!("{count} {class}"))
    });
    let classes: Vec<String> = classes.into_iter().flatten().collect();
    let classes = if classes.is_empty() { String::new() } else { format!(" ({})", classes.join(", ")) };
    let (added, changed, removed) = (count(PlannedAction::Added), count(PlannedAction::Changed), count(PlannedAction::Removed));
    format!("{added} added, {changed} changed{classes}, {removed} removed")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
