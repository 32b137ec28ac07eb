//! `promptops compat ID@2 ID@3`: whether a version can take the place of another, and why not.

use clap::Args;
use promptops_prompt::change::{Change, Class, Part, Rule, classify_metadata};
use promptops_prompt::compatibility::{Break, Comparison, Direction, Level, Predecessors, breaks, compare};
use promptops_prompt::{Closure, Metadata, PromptRef};
use promptops_registry::compatibility::{Acceptance, begins_line};
use promptops_registry::{Policy, Registry};
use serde::Serialize;

use super::diff::line;
use super::list::Format;
use crate::closure::closure;
use crate::compatibility::{self, ExampleV1, example, known_inputs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::printer::{BOLD, DIM, GREEN, Printer, RED};
use crate::project::Project;
use crate::proposal::Proposal;
use crate::registry_access::{failure, open, policy_at};

/// Tell whether a version can take the place of another one, as its namespace demands, and why not.
///
/// Versions are taken from the working tree, else from Git; with `--published` from the registry. Exits with 0 when the
/// newer version is compatible at the level, and with 1 when it breaks something, accepted or not.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The older version, as `customer-support.intent-classifier@2`.
    old: PromptRef,
    /// The newer version.
    new: PromptRef,
    /// Give the rule and the reason for every class, and an example where one can be made.
    #[arg(long)]
    explain: bool,
    /// What has to hold: none, backward, backward-transitive, full or full-transitive [default: as the policy says].
    #[arg(long, value_name = "LEVEL")]
    level: Option<Level>,
    /// Hold the newer version against every version that the older one came from as well.
    #[arg(long)]
    transitive: bool,
    /// Take the versions from the registry.
    #[arg(long)]
    published: bool,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// The revision whose policy holds [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
}

/// The answer as JSON. Fields are added under the same version, never changed or removed.
#[derive(Debug, Serialize)]
struct CompatV1 {
    version: u32,
    old: PromptRef,
    new: PromptRef,
    level: Level,
    compatible: bool,
    /// Who accepts what breaks.
    accepted_by: Option<Acceptance>,
    /// What callers or consumers have to do, where the version says so.
    reason: Option<String>,
    comparisons: Vec<ComparisonV1>,
    breaks: Vec<Break>,
}

#[derive(Debug, Serialize)]
struct ComparisonV1 {
    /// The version that is there.
    from: PromptRef,
    /// The version that takes its place.
    to: PromptRef,
    direction: Direction,
    changes: Vec<ExplainedV1>,
}

#[derive(Debug, Serialize)]
struct ExplainedV1 {
    part: Part,
    class: Class,
    reason: String,
    rule: Rule,
    /// Where, from the root of the prompt.
    node: String,
    /// Who depends on it.
    affects: &'static str,
    /// Why the rule gives the class.
    why: &'static str,
    example: Option<ExampleV1>,
}

/// A version, wherever it was found.
struct Found {
    parent: Option<PromptRef>,
    metadata: Metadata,
    begins_line: bool,
    closure: Closure,
}

/// Where versions come from.
enum Source<'a> {
    Git(Box<Proposal>),
    Registry(&'a Context, Box<Registry>),
}

impl Source<'_> {
    fn find(&self, reference: &PromptRef, policy: &Policy) -> Outcome<Found> {
        match self {
            Self::Git(proposal) => {
                let prompt = proposal.find(reference).ok_or_else(|| {
                    Failure::new(Exit::NotFound, format!("neither the working tree nor a commit has `{reference}`"))
                        .hint("`promptops history ID` lists the versions of a prompt; `--published` looks in the registry")
                })?;
                Ok(Found {
                    parent: prompt.parent.clone(),
                    metadata: prompt.metadata.clone(),
                    begins_line: compatibility::begins_line(prompt, policy),
                    closure: closure(reference, &|reference| proposal.find(reference))?,
                })
            }
            Self::Registry(context, registry) => {
                let (record, closure) = context.block_on(registry.closure(reference))?.map_err(failure)?;
                let begins_line = begins_line(&record, policy);
                Ok(Found { parent: record.parent, metadata: record.metadata, begins_line, closure })
            }
        }
    }
}

/// Compares them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let policy = policy_at(&project, arguments.rules.as_deref())?;
    let source = if arguments.published {
        Source::Registry(context, Box::new(context.block_on(open(context, &project))??))
    } else {
        Source::Git(Box::new(Proposal::read(&project, None)?))
    };
    let rule = policy.compatibility(&arguments.new.id);
    let level = arguments.level.unwrap_or(rule.level);
    let level = if arguments.transitive { level.transitive() } else { level };
    let new = source.find(&arguments.new, &policy)?;
    let old = source.find(&arguments.old, &policy)?;
    let pairs = pairs(arguments, &source, &policy, level, old)?;
    let mut answer = CompatV1 {
        version: 1,
        old: arguments.old.clone(),
        new: arguments.new.clone(),
        level,
        compatible: true,
        accepted_by: None,
        reason: new.metadata.breaking.get(&arguments.new.version).cloned(),
        comparisons: Vec::new(),
        breaks: Vec::new(),
    };
    for (reference, earlier) in &pairs {
        add(&mut answer, &project, (reference, earlier), &new);
    }
    answer.compatible = answer.breaks.is_empty();
    if !answer.compatible {
        let declared = answer.reason.is_some().then_some(Acceptance::Version);
        answer.accepted_by = declared.or(policy.accepts_break(&arguments.new).then_some(Acceptance::Policy));
    }
    let stated = match (arguments.level, rule.prefix) {
        (Some(_), _) => String::new(),
        (None, Some(prefix)) => format!(" of namespace `{prefix}`"),
        (None, None) => " of the policy's default".to_owned(),
    };
    match arguments.format {
        Format::Human => context.printer.answer(&human(&answer, arguments.explain, &stated, &context.printer)),
        Format::Json => {
            let text = serde_json::to_string_pretty(&answer).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
    }
    Ok(if answer.compatible { Exit::Success } else { Exit::Refused })
}

/// Returns the versions that the newer one is held against: the older one first, then what it came from where that counts.
fn pairs(
    arguments: &Arguments,
    source: &Source<'_>,
    policy: &Policy,
    level: Level,
    old: Found,
) -> Outcome<Vec<(PromptRef, Found)>> {
    let mut predecessors = Predecessors::new(&arguments.new, Some(&arguments.old), None, level);
    let mut old = Some(old);
    let mut pairs = Vec::new();
    while let Some(reference) = predecessors.take_next() {
        // The first is the older version itself.
        let found = match old.take() {
            Some(old) => old,
            None => source.find(&reference, policy)?,
        };
        predecessors.found(found.parent.as_ref(), found.begins_line);
        pairs.push((reference, found));
    }
    // Two prompts, a version and a newer one of which nothing is demanded, or the wrong order: these two and nothing else.
    if let Some(old) = old {
        pairs.push((arguments.old.clone(), old));
    }
    Ok(pairs)
}

fn add(answer: &mut CompatV1, project: &Project, (reference, old): (&PromptRef, &Found), new: &Found) {
    let known = known_inputs(project, &new.metadata.evals, &old.closure.root);
    // What is not demanded is shown all the same, and breaks nothing.
    let shown = if answer.level == Level::None { Level::Backward } else { answer.level };
    let mut comparisons = compare(&old.closure, &new.closure, shown, &known);
    if let Some(Comparison { changes, .. }) = comparisons.first_mut() {
        changes.extend(classify_metadata(&old.metadata, &new.metadata));
    }
    if answer.level != Level::None {
        answer.breaks.extend(breaks(reference, &comparisons));
    }
    for comparison in comparisons {
        let (this, that) = ((reference, &old.closure), (&answer.new, &new.closure));
        let (from, to) = if comparison.direction == Direction::Forth { (this, that) } else { (that, this) };
        let explained = |change: Change| ExplainedV1 {
            part: change.part,
            class: change.class,
            rule: change.rule,
            affects: change.affects(),
            why: change.rule.why(change.part),
            example: example(&change, from, to),
            reason: change.reason,
            node: change.node,
        };
        let changes = comparison.changes.into_iter().map(explained).collect();
        let direction = comparison.direction;
        answer.comparisons.push(ComparisonV1 { from: from.0.clone(), to: to.0.clone(), direction, changes });
    }
}

fn human(answer: &CompatV1, explain: bool, stated: &str, printer: &Printer) -> String {
    let mut text = String::new();
    for comparison in &answer.comparisons {
        let what = match comparison.direction {
            Direction::Forth => "in place of the older one",
            Direction::Back => "back again, as after a rollback",
        };
        let head = format!("{} → {}", comparison.from, comparison.to);
        text.push_str(&format!("{}  {}\n", printer.paint(BOLD, &head), printer.paint(DIM, what)));
        if comparison.changes.is_empty() {
            text.push_str("  nothing changed\n");
        }
        for explained in &comparison.changes {
            text.push_str(&line(explained.class, explained.part, &explained.reason, printer));
            text.push('\n');
            if explain {
                text.push_str(&explanation(explained));
            }
        }
        text.push('\n');
    }
    let count = answer.breaks.len();
    let level = format!("level `{}`{stated}", answer.level);
    text.push_str(&match (answer.level, count) {
        (Level::None, _) => format!("{}: {level}\n", printer.paint(GREEN, "nothing is demanded")),
        (_, 0) => format!("{}: {level}\n", printer.paint(GREEN, "compatible")),
        (_, 1) => format!("{}: 1 change breaks {level}\n", printer.paint(RED, "not compatible")),
        (_, _) => format!("{}: {count} changes break {level}\n", printer.paint(RED, "not compatible")),
    });
    match (answer.accepted_by, &answer.reason) {
        (Some(Acceptance::Version), Some(reason)) => text.push_str(&format!("accepted by the version itself: {reason}\n")),
        (Some(_), _) => text.push_str("accepted by the policy\n"),
        (None, _) => {}
    }
    text
}

/// The rule, where it applies, who depends on it, and an example.
fn explanation(explained: &ExplainedV1) -> String {
    let mut lines = vec![
        format!("rule     {}: {}", explained.rule, explained.why),
        format!("where    {}", explained.node),
        format!("affects  {}", explained.affects),
    ];
    if let Some(example) = &explained.example {
        let (accepted, refused) = (&example.accepted_by, &example.refused_by);
        lines.push(format!("example  {}", example.value));
        lines.push(format!("         accepted by {accepted}, refused by {refused}"));
    } else if explained.class == Class::Breaking {
        lines.push("example  none found".to_owned());
    }
    lines.into_iter().map(|line| format!("                {line}\n")).collect()
}
