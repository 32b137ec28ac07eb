//! `promptops publish`: versions from Git get their place in the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::DateTime;
use clap::Args;
use promptops_prompt::draft::Draft;
use promptops_prompt::status::StatusRecord;
use promptops_prompt::{PromptId, PromptRef};
use promptops_registry::publish::{Outcome as Published, Publication};
use promptops_registry::record::Provenance;
use promptops_registry::{ErrorKind, Policy, Registry, RegistryError, Submission};
use promptops_store::Repository;

use super::evidence::record_files;
use crate::base_revision::BaseRevision;
use crate::checks::git_failure;
use crate::ci_run::ci_run;
use crate::closure::direct_includes;
use crate::compatibility::judge_committed;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inventory_access::keep_index;
use crate::output::table::{Align, Table};
use crate::printer::{DIM, GREEN, RED, YELLOW};
use crate::project::Project;
use crate::prompt_history::{CommittedVersion, PromptHistory};
use crate::registry_access::{Rules, failure, listed, open, reasons, source_repository};
use crate::status_view;

/// Refusals that are explained one by one. What refuses thousands is mostly one mistake.
const MAX_EXPLAINED: usize = 20;

/// Publish every version that the registry lacks, of every prompt at HEAD, in the order of lineage and includes.
///
/// What is published is what is committed; the content of a published version never changes again.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only these prompts, with what they come from and include.
    #[arg(value_name = "ID")]
    ids: Vec<PromptId>,
    /// Store the statements of this file or folder as well, once the versions are published.
    #[arg(long, value_name = "PATH")]
    evidence: Vec<PathBuf>,
    /// The revision whose policy holds [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
    /// Say what would be published, and publish nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What became of one version.
struct Row {
    reference: PromptRef,
    result: Result<Publication, RegistryError>,
}

/// Publishes them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    refuse_uncommitted(&project)?;
    let history = PromptHistory::read(&project, "HEAD", None)?;
    let order = order(&history, &selected(&project, &arguments.ids)?);
    let rules = Rules::read(context, &project, arguments.rules.as_deref())?;
    let source = source_repository(&project)?;
    if arguments.dry_run {
        return context.block_on(dry_run(context, &project, &history, &order, rules.authority().policy))?;
    }
    let actor = context.actor(&project)?;
    context.block_on(async {
        let registry = open(context, &project).await?;
        let run = ci_run(&context.environment);
        let provenances: Vec<Provenance> = order.iter().map(|version| provenance(version, &source, run.clone())).collect();
        let submissions: Vec<Submission<'_>> = order
            .iter()
            .zip(&provenances)
            .map(|(version, provenance)| Submission { prompt: &version.prompt, provenance })
            .collect();
        let policy = rules.authority().policy;
        let results = registry.publish_all(&submissions, policy, &actor, context.now()).await.map_err(failure)?;
        let references = order.iter().map(|version| version.prompt.reference());
        let rows: Vec<Row> = references.zip(results).map(|(reference, result)| Row { reference, result }).collect();
        keep_index(&registry, context).await;
        let exit = show(&rows, &history, context);
        status_view::warn(context, &included_statuses(&registry, &rows, &history).await?);
        if exit == Exit::Success {
            record_files(&registry, &arguments.evidence, &actor, context).await?;
        }
        Ok(exit)
    })?
}

/// Refuses while prompt files differ from the last commit: what is published must be found again in Git.
fn refuse_uncommitted(project: &Project) -> Outcome<()> {
    let repository = Repository::discover(&project.root).map_err(git_failure)?;
    let head = repository.head().map_err(git_failure)?;
    let folder = repository.relative(&project.prompts_folder()).map_err(git_failure)?;
    let mut differing = Vec::new();
    for extension in ["yaml", "yml"] {
        differing.extend(repository.differing_files(head, &folder, extension).map_err(git_failure)?);
    }
    if differing.is_empty() {
        return Ok(());
    }
    let files: Vec<String> = differing.iter().map(|file| format!("\n  - {file}")).collect();
    Err(Failure::new(Exit::Refused, format!("these files differ from the last commit:{}", files.concat()))
        .hint("commit them first: what is published must be found again in Git"))
}

/// Returns the prompts to publish: those named, or all that stand at HEAD.
fn selected(project: &Project, ids: &[PromptId]) -> Outcome<BTreeSet<PromptId>> {
    let files = BaseRevision::open(project, "HEAD")?.prompt_files()?;
    let standing: BTreeSet<PromptId> =
        files.iter().filter_map(|file| Draft::parse(&file.path, &file.text).0.prompt()).map(|prompt| prompt.id).collect();
    if let Some(unknown) = ids.iter().find(|id| !standing.contains(*id)) {
        return Err(Failure::new(Exit::NotFound, format!("HEAD has no prompt `{unknown}` that can be read"))
            .hint("run `promptops check`"));
    }
    Ok(if ids.is_empty() { standing } else { ids.iter().cloned().collect() })
}

/// Returns every version of the prompts with all that they come from and include, each after what it needs.
fn order<'a>(history: &'a PromptHistory, ids: &BTreeSet<PromptId>) -> Vec<&'a CommittedVersion> {
    let mut ordered = Vec::new();
    let mut seen = BTreeSet::new();
    for version in history.versions().filter(|version| ids.contains(&version.prompt.id)) {
        // Depth first with a stack of its own: lineage can be long.
        let mut stack = vec![(version, false)];
        while let Some((version, are_needs_done)) = stack.pop() {
            if are_needs_done {
                ordered.push(version);
                continue;
            }
            if !seen.insert(version.prompt.reference()) {
                continue;
            }
            stack.push((version, true));
            let needs = version.prompt.parent.iter().cloned().chain(direct_includes(&version.prompt));
            stack.extend(needs.filter_map(|need| history.get(&need)).map(|need| (need, false)));
        }
    }
    ordered
}

fn provenance(version: &CommittedVersion, source: &str, run: Option<String>) -> Provenance {
    let commit = &version.commit;
    Provenance {
        commit: Some(commit.id.to_string()),
        author: commit.author_email.clone(),
        time: DateTime::from_timestamp(commit.author_time_s, 0).unwrap_or(DateTime::UNIX_EPOCH),
        source: source.to_owned(),
        path: version.path.clone(),
        run,
    }
}

/// Returns what is said of the versions that newly published ones include themselves.
async fn included_statuses(registry: &Registry, rows: &[Row], history: &PromptHistory) -> Outcome<Vec<StatusRecord>> {
    let is_new = |row: &&Row| row.result.as_ref().is_ok_and(|publication| publication.outcome == Published::New);
    let new = rows.iter().filter(is_new).filter_map(|row| history.get(&row.reference));
    registry.statuses(new.flat_map(|version| direct_includes(&version.prompt))).await.map_err(failure)
}

/// Shows what became of each version, and returns the exit code of the first that was refused.
fn show(rows: &[Row], history: &PromptHistory, context: &Context) -> Exit {
    let printer = &context.printer;
    let mut table = table();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let (word, style) = match &row.result {
            Ok(Publication { outcome: Published::New, .. }) => ("published", GREEN),
            Ok(Publication { outcome: Published::MetadataChanged(_), .. }) => ("metadata recorded", YELLOW),
            Ok(Publication { outcome: Published::Already, .. }) => ("already there", DIM),
            Err(_) => ("refused", RED),
        };
        *counts.entry(word).or_default() += 1;
        if word == "already there" {
            continue;
        }
        let digest = row.result.as_ref().map_or_else(|_| "-".to_owned(), |published| published.digest.short());
        table.row(cells(&row.reference, printer.paint(style, word), digest, history));
    }
    if counts.keys().any(|word| *word != "already there") {
        printer.answer(&table.render(printer));
    }
    let summary: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    printer.line(if summary.is_empty() { "there is nothing to publish".to_owned() } else { summary.join(", ") });
    let refusals: Vec<&RegistryError> = rows.iter().filter_map(|row| row.result.as_ref().err()).collect();
    for error in refusals.iter().take(MAX_EXPLAINED) {
        let hint = error.hint().map_or_else(String::new, |hint| format!(" (hint: {hint})"));
        let reasons = reasons(error);
        let colon = if reasons.is_empty() { "" } else { ":" };
        printer.warning(format!("{error}{colon}{}{}{hint}", listed(&reasons), if reasons.is_empty() { "" } else { "\n " }));
    }
    if refusals.len() > MAX_EXPLAINED {
        printer.warning(format!("{} more are refused; the first {MAX_EXPLAINED} are explained", refusals.len() - MAX_EXPLAINED));
    }
    match refusals.first().map(|error| error.kind()) {
        None => Exit::Success,
        Some(ErrorKind::Conflict) => Exit::Conflict,
        Some(ErrorKind::NotFound) => Exit::NotFound,
        Some(_) => Exit::Refused,
    }
}

fn table() -> Table {
    Table::new(&[
        ("version", Align::Left),
        ("result", Align::Left),
        ("digest", Align::Left),
        ("commit", Align::Left),
        ("author", Align::Left),
    ])
}

fn cells(reference: &PromptRef, result: String, digest: String, history: &PromptHistory) -> Vec<String> {
    let commit = history.get(reference).map(|version| &version.commit);
    let (commit, author) = commit.map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |commit| (commit.id.to_string()[..10].to_owned(), commit.author_email.clone()),
    );
    vec![reference.to_string(), result, digest, commit, author]
}

async fn dry_run(
    context: &Context,
    project: &Project,
    history: &PromptHistory,
    order: &[&CommittedVersion],
    policy: &Policy,
) -> Outcome<Exit> {
    let registry: Registry = open(context, project).await?;
    let printer = &context.printer;
    let mut table = table();
    let mut refusal = None;
    for version in order {
        let reference = version.prompt.reference();
        let digest = history.digest(&reference)?;
        let (word, style) = match registry.find_version(&reference).await.map_err(failure)? {
            None => {
                let judged = judge_committed(history, &version.prompt, policy)?;
                if judged.breaks.is_empty() {
                    ("would be published", GREEN)
                } else if judged.accepted_by.is_some() {
                    ("would be published, an accepted break", YELLOW)
                } else {
                    refusal = refusal.or(Some(Exit::Refused));
                    ("would be refused: breaks what its namespace promises", RED)
                }
            }
            Some(record) if record.digest != digest => {
                refusal = Some(Exit::Conflict);
                ("would be refused: published with other content", RED)
            }
            Some(record) if registry.metadata(&record).await.map_err(failure)? != version.prompt.metadata => {
                ("metadata would be recorded", YELLOW)
            }
            Some(_) => ("already there", DIM),
        };
        table.row(cells(&reference, printer.paint(style, word), digest.short(), history));
    }
    printer.answer(&table.render(printer));
    Ok(refusal.unwrap_or(Exit::Success))
}
