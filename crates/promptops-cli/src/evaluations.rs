//! Evaluations of a project's prompts: eval files, datasets, providers and recordings, brought together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use promptops_eval::client::retry::RetryPolicy;
use promptops_eval::client::{ClientError, ErrorClass};
use promptops_eval::compare::plan::ASSUMED_DISCORDANCE;
use promptops_eval::dataset::{Columns, Dataset, DatasetError, Format, Source};
use promptops_eval::recording::{self, Recording, Redaction, Replay};
use promptops_eval::report::{self, v1, v1::Report};
use promptops_eval::run::{Budget, Progress, Purse, Served, Settings};
use promptops_eval::scorer::Judges;
use promptops_eval::{EvalError, Prepared, Spec, Subject, Surroundings};
use promptops_prompt::finding::{Finding, Severity};
use promptops_prompt::{Closure, PromptId, PromptRef, RenderError};
use promptops_registry::{Registry, RegistryError};
use promptops_telemetry::price::PriceSource;

use crate::closure::closure;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::http::told_to_end;
use crate::output::{a_a_report, eval_plan, human};
use crate::project::Project;
use crate::proposal::{Proposal, Version};
use crate::providers::{prices, redaction, routes};
use crate::{registry_access, status_view};

/// Options of every command that asks a model.
#[derive(Debug, Clone, Args)]
pub struct EvalOptions {
    /// When recorded answers are used [default: auto; in CI, where the variable CI is set: only].
    #[arg(long, value_enum, value_name = "WHEN")]
    pub replay: Option<ReplayChoice>,
    /// Ask this OpenAI-compatible address, whatever promptops.toml says [e.g. http://127.0.0.1:8089/v1].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Calls under way at the same time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub concurrency: u16,
    /// Seconds that one call may take.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    pub timeout: u64,
    /// Ask cases in random order and stop as soon as the verdict stands, as `early_stop: true` in the eval file does.
    #[arg(long)]
    pub early_stop: bool,
    /// Take answers out of the recordings that this run did not ask for, such as those of older versions.
    #[arg(long)]
    pub prune_recordings: bool,
    /// Stop after this many calls for each eval file; what was answered is kept.
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// Stop after about this many US dollars for each eval file; needs prices (`promptops prices import`).
    #[arg(long, value_name = "USD", value_parser = amount)]
    pub max_usd: Option<f64>,
    /// Whether what earlier runs came to is neither used nor kept.
    #[arg(skip)]
    pub without_results: bool,
}

/// Reads a positive amount of money.
fn amount(text: &str) -> Result<f64, String> {
    let amount: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if amount > 0.0 && amount.is_finite() { Ok(amount) } else { Err(format!("`{text}` is not a positive amount")) }
}

impl EvalOptions {
    /// Returns when recorded answers are used. A pipeline asks no model unless it is told to: that would cost money with every
    /// push, and give other answers than those that were reviewed.
    pub fn replay(&self, context: &Context) -> ReplayChoice {
        self.replay.unwrap_or_else(|| if context.is_in_pipeline() { ReplayChoice::Only } else { ReplayChoice::Auto })
    }
}

/// When recorded answers are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayChoice {
    /// Never, and record nothing.
    Off,
    /// Where there are some; ask for the others and record them.
    Auto,
    /// Always; a missing one is an error. Needs neither network nor key.
    Only,
}

impl From<ReplayChoice> for Replay {
    fn from(choice: ReplayChoice) -> Self {
        match choice {
            ReplayChoice::Off => Self::Off,
            ReplayChoice::Auto => Self::Auto,
            ReplayChoice::Only => Self::Only,
        }
    }
}

/// What became of one eval file.
#[derive(Debug)]
pub struct Evaluated {
    /// What was found.
    pub report: Report,
    /// How the answers were come by.
    pub served: Served,
    /// Whether the parent's result was kept from an earlier run.
    pub parent_is_kept: bool,
}

impl Evaluated {
    /// Says how the answers were come by.
    pub fn notice(&self) -> String {
        let (Served { sent, replayed, .. }, kept) =
            (self.served, if self.parent_is_kept { ", the parent's result kept" } else { "" });
        format!("{}: {sent} calls sent, {replayed} answers replayed{kept}", self.report.eval)
    }
}

/// Problems in an eval file or a dataset, ready to be shown.
#[derive(Debug)]
pub struct Problems {
    /// The findings.
    pub findings: Vec<Finding>,
    /// The text of the eval file, by path.
    pub texts: HashMap<String, String>,
}

impl Problems {
    /// Shows them as `promptops check` does.
    pub fn render(&self, is_coloured: bool) -> String {
        self.findings.iter().map(|finding| human::render(finding, &self.texts, is_coloured) + "\n\n").collect()
    }
}

/// Why an evaluation has no report.
#[derive(Debug)]
pub enum Stopped {
    /// What the user wrote must be corrected.
    Problems(Problems),
    /// Something failed.
    Failure(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Stopped {
    /// Returns the failure that ends the command, after the problems have been shown.
    pub fn into_failure(self, context: &Context) -> Failure {
        match self {
            Self::Failure(failure) => failure,
            Self::Problems(problems) => {
                context.printer.warning(format!("the eval cannot run\n{}", problems.render(false).trim_end()));
                let paths: Vec<&str> = problems.findings.iter().map(|finding| finding.primary.location.path.as_str()).collect();
                Failure::new(Exit::Refused, format!("`{}` has problems to correct", paths.first().unwrap_or(&"the eval")))
            }
        }
    }
}

/// Runs the eval file at `path` (from the project's root) over a candidate and its baseline.
pub fn run(
    context: &Context,
    project: &Project,
    options: &EvalOptions,
    path: &str,
    proposal: &Proposal,
    candidate: &Version,
    baseline: Option<&Version>,
) -> Result<Evaluated, Stopped> {
    let file = EvalFile::read(context, (project, proposal), options, path, &candidate.prompt.id)?;
    let (subject, baseline) = (subject_of(candidate)?, baseline.map(subject_of).transpose()?);
    let replay = options.replay(context);
    let mut prepared = file.prepare(&subject)?;
    // What lies in the folder of a pipeline may have come with the proposal.
    let keeps_results = !options.without_results && !context.is_in_pipeline();
    if keeps_results && replay != ReplayChoice::Off && !options.prune_recordings {
        prepared = prepared.keeping_results(&results_folder(project));
    }
    if let Some(standing) = standing(proposal, &file.dataset)? {
        prepared = prepared.holding_to(standing);
    }
    let recording = open_recording(project, path, replay, file.redaction.clone())?;
    let subjects = [Some(&subject), baseline.as_ref()].into_iter().flatten();
    let models = file.models(subjects);
    let prices = prices(project, options, &models, context.now().date_naive())?;
    let evaluation = ask(context, project, options, &recording, &models, path, async |settings| {
        prepared.evaluate(&subject, baseline.as_ref(), settings).await
    })?;
    // What was answered is kept, whatever became of the rest.
    let report = evaluation.and_then(|evaluation| {
        let report = report::build(&prepared, &subject, baseline.as_ref(), &evaluation, &recording)?;
        Ok((report, evaluation.served, evaluation.parent_is_kept))
    });
    if options.prune_recordings && report.is_ok() {
        let pruned = recording.prune();
        context.printer.notice(format!("{path}: {pruned} recorded answers pruned"));
    }
    recording.save().map_err(failure)?;
    let (mut report, served, parent_is_kept) = report.map_err(failure)?;
    // A digest that somebody wrote by hand and that is none is left out with what it is of.
    report.prices = prices
        .source
        .and_then(|PriceSource { source, date, digest }| Some(v1::Prices { source, date, digest: digest.parse().ok()? }));
    Ok(Evaluated { report, served, parent_is_kept })
}

/// Holds a version against itself: its run, split at random, so often.
pub fn compare_with_itself(
    context: &Context,
    project: &Project,
    options: &EvalOptions,
    path: &str,
    proposal: &Proposal,
    (version, comparisons): (&Version, u32),
) -> Result<a_a_report::AaV1, Stopped> {
    let file = EvalFile::read(context, (project, proposal), options, path, &version.prompt.id)?;
    let subject = subject_of(version)?;
    let prepared = file.prepare(&subject)?;
    let recording = open_recording(project, path, options.replay(context), file.redaction.clone())?;
    let models = file.models([&subject].into_iter());
    let measured = ask(context, project, options, &recording, &models, path, async |settings| {
        prepared.compare_with_itself(&subject, comparisons, settings).await
    })?;
    recording.save().map_err(failure)?;
    let (alarms, served) = measured.map_err(failure)?;
    context.printer.notice(format!("{path}: {} calls sent, {} answers replayed", served.sent, served.replayed));
    Ok(a_a_report::AaV1::new(&file.spec, version.prompt.reference(), &alarms))
}

/// Works out what an eval file can show, without asking a model.
pub fn plan(
    context: &Context,
    project: &Project,
    options: &EvalOptions,
    path: &str,
    proposal: &Proposal,
    (candidate, baseline): (&Version, Option<&Version>),
    discordance: Option<f64>,
) -> Result<eval_plan::PlanV1, Stopped> {
    let file = EvalFile::read(context, (project, proposal), options, path, &candidate.prompt.id)?;
    let (subject, baseline) = (subject_of(candidate)?, baseline.map(subject_of).transpose()?);
    let prepared = file.prepare(&subject)?;
    let recording = open_recording(project, path, ReplayChoice::Only, file.redaction.clone())?;
    // Whoever states how often versions differ is not overruled by two that are there.
    let baseline = baseline.filter(|_| discordance.is_none());
    let assumed = discordance.unwrap_or(ASSUMED_DISCORDANCE);
    let only = EvalOptions { replay: Some(ReplayChoice::Only), ..options.clone() };
    let plans = ask(context, project, &only, &recording, &[], path, async |settings| {
        prepared.plan(&subject, baseline.as_ref(), assumed, settings).await
    })?;
    Ok(eval_plan::PlanV1::new(&file.spec, &file.dataset, candidate.prompt.reference(), assumed, &plans.map_err(failure)?))
}

/// An eval file with its dataset and its judges.
struct EvalFile {
    spec: Spec,
    dataset: Dataset,
    judges: Judges,
    folder: PathBuf,
    texts: HashMap<String, String>,
    redaction: Redaction,
}

impl EvalFile {
    fn read(
        context: &Context,
        (project, proposal): (&Project, &Proposal),
        options: &EvalOptions,
        path: &str,
        id: &PromptId,
    ) -> Result<Self, Stopped> {
        let (mut spec, text) = read_spec(project, path, id)?;
        spec.early_stop |= options.early_stop;
        let texts = HashMap::from([(path.to_owned(), text)]);
        freeze(context, project, &spec)?;
        let dataset = read_dataset(project, &spec, &texts)?;
        let judges = judges(context, project, proposal, &spec)?;
        let file = project.root.join(path);
        let folder = file.parent().unwrap_or(&project.root).to_owned();
        Ok(Self { spec, dataset, judges, folder, texts, redaction: redaction(context, project)? })
    }

    /// Returns the models of these versions and of the judges.
    fn models<'a>(&'a self, subjects: impl Iterator<Item = &'a Subject>) -> Vec<&'a str> {
        let asked = subjects.chain(self.judges.values().map(Arc::as_ref));
        asked.map(|subject| subject.content.model.as_str()).collect()
    }

    fn prepare(&self, subject: &Subject) -> Result<Prepared<'_>, Stopped> {
        let surroundings = Surroundings { folder: &self.folder, judges: &self.judges, redaction: &self.redaction };
        Prepared::new(&self.spec, &self.dataset, subject, &surroundings).map_err(|error| match error {
            EvalError::Findings(findings) => Stopped::Problems(Problems { findings, texts: self.texts.clone() }),
            other => Stopped::Failure(failure(other)),
        })
    }
}

/// Asks by the options of the command, and shows how far it is.
fn ask<T>(
    context: &Context,
    project: &Project,
    options: &EvalOptions,
    recording: &Recording,
    models: &[&str],
    path: &str,
    what: impl AsyncFnOnce(&Settings<'_>) -> Result<T, EvalError>,
) -> Result<Result<T, EvalError>, Stopped> {
    let is_replayed = options.replay(context) == ReplayChoice::Only;
    let client = if is_replayed { None } else { Some(routes(context, project, options, models)?) };
    let prices = prices(project, options, models, context.now().date_naive())?;
    let bar = progress_bar(context, path);
    let settings = Settings {
        client: client.as_ref().map(|client| client as _),
        recording,
        retry: RetryPolicy::default(),
        concurrency: options.concurrency.into(),
        prices: &prices.by_model,
        purse: &Purse::new(Budget { calls: options.max_calls, usd: options.max_usd }),
        progress: &|progress: Progress| show(&bar, progress),
    };
    // Whoever is told to end drops what is under way, and with it the programs that were started: they would run on without anybody
    // who counts their time.
    let result = context.block_on(async {
        tokio::select! {
            result = what(&settings) => Some(result),
            () = told_to_end() => None,
        }
    });
    bar.finish_and_clear();
    result?.ok_or_else(|| {
        let interrupted = Failure::new(Exit::Inconclusive, "the run was told to end before there was a verdict");
        interrupted.hint("run again: answers so far are recorded, unless recordings are off").into()
    })
}

/// Returns the folder in which results of runs are kept; it may be deleted at any time.
fn results_folder(project: &Project) -> PathBuf {
    project.root.join(".promptops/cache/eval")
}

fn open_recording(project: &Project, path: &str, replay: ReplayChoice, redaction: Redaction) -> Outcome<Recording> {
    Recording::open(&recording::path_for(&project.root.join(path)), replay.into(), redaction).map_err(failure)
}

/// Shows how far a run is, and what it costs: spent, and about what it will have been in the end.
fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total as u64);
    bar.set_position(progress.done as u64);
    let mut message = String::new();
    if progress.spent_usd > 0.0 && progress.done > 0 {
        let estimate = progress.spent_usd * progress.total as f64 / progress.done as f64;
        message = format!("${:.4} of about ${estimate:.4} ", progress.spent_usd);
    }
    if progress.failed > 0 {
        message.push_str(&format!("{} failed", progress.failed));
    }
    bar.set_message(message);
}

fn progress_bar(context: &Context, path: &str) -> ProgressBar {
    if !context.printer.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta} left {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(path.to_owned());
    bar
}

/// Reads an eval file; without the `evals/` folder's help, the name must be right.
fn read_spec(project: &Project, path: &str, id: &PromptId) -> Result<(Spec, String), Stopped> {
    let file = project.root.join(path);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Failure::io("read the eval file", &file, error).hint(format!("`evals` of `{id}` names it, from the project's root"))
    })?;
    let (spec, findings) = Spec::parse(path, &text);
    match spec {
        Some(spec) => Ok((spec, text)),
        None => Err(Stopped::Problems(Problems { findings, texts: HashMap::from([(path.to_owned(), text)]) })),
    }
}

/// Freezes the slice of the lake that an eval file asks for, unless it is frozen already.
fn freeze(context: &Context, project: &Project, spec: &Spec) -> Outcome<()> {
    let file = project.root.join(spec.dataset_path());
    match &spec.slice {
        Some(slice) if !file.exists() => freeze_slice(context, project, slice, &file),
        _ => Ok(()),
    }
}

#[cfg(feature = "lake")]
use crate::lake_slices::freeze as freeze_slice;

#[cfg(not(feature = "lake"))]
fn freeze_slice(_: &Context, _: &Project, _: &promptops_eval::spec::LakeSlice, file: &Path) -> Outcome<()> {
    let message =
        format!("the slice `{}` is not frozen yet, and this build of promptops has no lake to take it from", file.display());
    Err(Failure::new(Exit::Usage, message).hint("freeze it with a build that has the feature `lake`"))
}

fn read_dataset(project: &Project, spec: &Spec, texts: &HashMap<String, String>) -> Result<Dataset, Stopped> {
    let path = spec.dataset_path();
    let problem = |message: String| {
        let finding = Finding::new("eval-file", Severity::Error, &spec.path, spec.dataset.span.clone(), message);
        Stopped::Problems(Problems { findings: vec![finding], texts: texts.clone() })
    };
    let Some(format) = Format::of_path(&path) else {
        return Err(problem(format!("the dataset `{path}` has no ending that names its format")));
    };
    let file = project.root.join(&path);
    Dataset::read(&path, format, Source::File(file), &spec.columns()).map_err(|error| match error {
        DatasetError::Findings(findings) => Stopped::Problems(Problems { findings, texts: HashMap::new() }),
        DatasetError::Io(error) => problem(format!("the dataset `{path}` cannot be read: {error}")),
        changed @ DatasetError::Changed { .. } => Stopped::Failure(failure(changed.into())),
    })
}

/// Tells of each case whether it stood at the base already, where the dataset did and all of its cases stand yet. Where some went away or
/// changed, what the base measured by is not there to be held to, and the gate says so.
fn standing(proposal: &Proposal, dataset: &Dataset) -> Result<Option<Vec<bool>>, Stopped> {
    let Some(before) = proposal.base_file(&dataset.path)? else { return Ok(None) };
    // A file that cannot be read at the base, or has changed under our hands, is told elsewhere.
    let before = Dataset::read(&dataset.path, dataset.format, Source::of_bytes(&before), &Columns::default());
    let standing = before.and_then(|before| Ok((dataset.standing(&before)?, before.len()))).ok();
    Ok(standing.filter(|(standing, all)| standing.iter().filter(|stood| **stood).count() == *all).map(|(standing, _)| standing))
}

fn subject_of(version: &Version) -> Result<Subject, Stopped> {
    compiled(&version.prompt.reference(), &version.closure)
}

fn compiled(reference: &PromptRef, closure: &Closure) -> Result<Subject, Stopped> {
    Subject::new(reference.clone(), closure).map_err(|error: RenderError| {
        let failure = Failure::new(Exit::Refused, format!("cannot compile `{reference}`: {error}"));
        Stopped::Failure(failure.hint("`promptops check` shows the place"))
    })
}

/// Returns the judges that an eval file names and that there are, in the project, its history or its registry; the eval says which are
/// missing.
fn judges(context: &Context, project: &Project, proposal: &Proposal, spec: &Spec) -> Result<Judges, Stopped> {
    let mut judges = Judges::new();
    let mut elsewhere = Vec::new();
    for reference in spec.judges().into_keys() {
        if proposal.find(reference).is_none() {
            elsewhere.push(reference);
            continue;
        }
        let closure = closure(reference, &|reference| proposal.find(reference))?;
        judges.insert(reference.clone(), Arc::new(compiled(reference, &closure)?));
    }
    if elsewhere.is_empty() {
        return Ok(judges);
    }
    for (reference, closure) in context.block_on(published(context, project, &elsewhere))?? {
        let judge = compiled(&reference, &closure)?;
        judges.insert(reference, Arc::new(judge));
    }
    Ok(judges)
}

/// Returns those of some versions that the project's registry has, with their includes, held against their digests.
async fn published(context: &Context, project: &Project, references: &[&PromptRef]) -> Outcome<Vec<(PromptRef, Closure)>> {
    let store = registry_access::store(context, project)?;
    let registry = match Registry::open(store).await {
        Ok(registry) => registry,
        // A project may do without one.
        Err(RegistryError::NotInitialised { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(unreached(references, registry_access::failure(error))),
    };
    let mut found = Vec::new();
    for reference in references {
        let version =
            registry.find_version(reference).await.map_err(|error| unreached(references, registry_access::failure(error)))?;
        if version.is_some() {
            let (_, closure) = registry.closure(reference).await.map_err(registry_access::failure)?;
            found.push(((*reference).clone(), closure));
        }
    }
    let statuses =
        registry.statuses(found.iter().map(|(reference, _)| reference.clone())).await.map_err(registry_access::failure)?;
    status_view::warn(context, &statuses);
    Ok(found)
}

/// Says what a registry that cannot be read was asked for.
fn unreached(references: &[&PromptRef], failure: Failure) -> Failure {
    let names: Vec<String> = references.iter().map(|reference| format!("`{reference}`")).collect();
    failure.hint(format!("the registry is asked for judges that the project and its history do not have: {}", names.join(", ")))
}

/// Turns an error of the evaluation into a failure of the command.
fn failure(error: EvalError) -> Failure {
    let exit = match &error {
        EvalError::Findings(_) | EvalError::Render { .. } | EvalError::CannotSplit { .. } => Exit::Refused,
        EvalError::MissingRecordings { .. } => Exit::NotFound,
        EvalError::Client { source, .. } => client_exit(source),
        EvalError::Budget { .. } | EvalError::Uncounted { .. } => Exit::Inconclusive,
        EvalError::RecordingInUse { .. } => Exit::Conflict,
        EvalError::CorruptRecording { .. } => Exit::Corrupt,
        EvalError::RecordingFile { .. } | EvalError::Dataset(_) | EvalError::Spool { .. } | EvalError::Statistics { .. } => {
            Exit::Io
        }
    };
    let hint = error.hint();
    let failure = Failure::from_error(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn client_exit(error: &ClientError) -> Exit {
    match error.class() {
        ErrorClass::NotFound => Exit::NotFound,
        _ => Exit::Unavailable,
    }
}

/// Writes a file beside the answer, whole or not at all; the folder is made where it is missing.
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Outcome<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, error))?;
    }
    // Under another name first, so that what stood there stays whole until all of the new is on the disk.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let staged = path.with_file_name(name);
    let written = std::fs::write(&staged, content).and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        // Nothing half-written stays behind where it can be helped.
        let _ = std::fs::remove_file(&staged);
    }
    written.map_err(|error| Failure::io("write", path, error))
}
