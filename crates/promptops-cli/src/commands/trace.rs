//! `promptops trace ID`: from an answer back to the version that it came from, and to who let that go live.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use clap::Args;
use promptops_prompt::digest::Digest;
use promptops_prompt::evidence::APPROVAL_PREDICATE;
use promptops_prompt::{Body, Content, PromptId, PromptRef, Version};
use promptops_registry::record::{Published, VersionRecord};
use promptops_registry::{EnvironmentName, Registry, Release};
use promptops_telemetry::Invocation;
use promptops_telemetry::v1::InvocationV1;
use serde::Serialize;
use serde_json::Value;

use super::list::Format;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::found_invocation::{find, prompt_name};
use crate::lake_access;
use crate::output::visible::one_line;
use crate::printer::BOLD;
use crate::registry_access::{failure, open};
use crate::release_view;

/// Trace an answer back to the exact version of the prompt, its text, its owner, the release that made it live, and who approved it.
///
/// What the record or the registry does not know is said with the reason, and the rest is shown.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An invocation's id or the beginning of it, the provider's id of the answer, or that of a trace.
    id: String,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// What is known of the way from an answer back to its prompt.
#[derive(Debug, Serialize)]
struct TraceV1 {
    version: u32,
    invocation: InvocationV1,
    /// What was published, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<TracedPromptV1>,
    /// What was live in the environment when the call began.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<TracedReleaseV1>,
    /// Approvals and evals about that content, the oldest first.
    statements: Vec<TracedStatementV1>,
    /// What is not known, and why.
    unknown: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TracedPromptV1 {
    reference: PromptRef,
    digest: Digest,
    /// Whether the record names the digest that is published under this version; none where it names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest_is_recorded: Option<bool>,
    owner: String,
    published: Published,
    commit: Option<String>,
    author: String,
    source: String,
    path: String,
    /// What reached the model and its callers.
    content: Value,
}

#[derive(Debug, Serialize)]
struct TracedReleaseV1 {
    release: Release,
    /// The version that it pinned; another than the recorded one where a rollout or an explicit version decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned: Option<PromptRef>,
    /// The version on trial beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<PromptRef>,
}

#[derive(Debug, Serialize)]
struct TracedStatementV1 {
    kind: &'static str,
    #[serde(with = "rfc3339")]
    recorded: DateTime<Utc>,
    by: String,
    predicate: Value,
    is_signed: bool,
}

mod rfc3339 {
    use chrono::{DateTime, SecondsFormat, Utc};

    pub(super) fn serialize<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// Traces it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let (trace, content) = context.block_on(async {
        let record = find(&lake, &arguments.id).await?;
        let mut trace = TraceV1 {
            version: 1,
            invocation: InvocationV1::from(&record),
            prompt: None,
            release: None,
            statements: Vec::new(),
            unknown: Vec::new(),
        };
        let content = match open(context, &project).await {
            Ok(registry) => look_up(&registry, &record, &mut trace).await?,
            Err(problem) => {
                trace.unknown.push(format!("the registry cannot be asked: {:#}", problem.error));
                None
            }
        };
        Ok::<_, Failure>((trace, content))
    })??;
    match arguments.format {
        Format::Human => show(&trace, content.as_ref(), context),
        Format::Json => {
            let text = serde_json::to_string_pretty(&trace).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
    }
    Ok(Exit::Success)
}

/// Asks the registry for everything about the record's prompt, and returns the content.
async fn look_up(registry: &Registry, record: &Invocation, trace: &mut TraceV1) -> Outcome<Option<Content>> {
    let id = record.prompt_id.as_deref().map(PromptId::from_str);
    let Some(Ok(id)) = id else {
        trace.unknown.push("which prompt it was: the record names none".to_owned());
        return Ok(None);
    };
    look_up_release(registry, record, &id, trace).await?;
    let Some(version) = record.prompt_version.and_then(Version::new) else {
        trace.unknown.push("which version it was: the record names none".to_owned());
        return Ok(None);
    };
    let reference = id.at(version);
    let Some(published) = registry.find_version(&reference).await.map_err(failure)? else {
        trace.unknown.push(format!("`{reference}` is not published in `{}`, so nothing proves its text", registry.url()));
        return Ok(None);
    };
    let content = registry.content(&published.digest).await.map_err(failure)?;
    let recorded = record.prompt_digest.as_deref();
    if recorded.is_none() {
        trace.unknown.push("whether this text was used: the record has no digest to compare".to_owned());
    }
    let owner = owner_at(registry, &published, record.time).await?;
    trace.prompt = Some(TracedPromptV1 {
        digest: published.digest,
        digest_is_recorded: recorded.map(|recorded| recorded == published.digest.to_string()),
        owner,
        commit: published.provenance.commit.clone(),
        author: published.provenance.author.clone(),
        source: published.provenance.source.clone(),
        path: published.provenance.path.clone(),
        content: serde_json::from_slice(&content.to_bytes()).map_err(|error| Failure::from_error(Exit::Corrupt, error))?,
        published: published.published.clone(),
        reference,
    });
    let statements = registry.statements(&published.digest).await.map_err(failure)?;
    trace.statements = statements
        .into_iter()
        .map(|stored| TracedStatementV1 {
            kind: if stored.statement.predicate_type == APPROVAL_PREDICATE { "approval" } else { "eval" },
            recorded: stored.recorded.time,
            by: stored.recorded.by,
            is_signed: stored.signature.is_some(),
            predicate: stored.statement.predicate,
        })
        .collect();
    Ok(Some(content))
}

/// Returns who owned the version at a time: metadata may change without a new version.
async fn owner_at(registry: &Registry, published: &VersionRecord, time: DateTime<Utc>) -> Outcome<String> {
    let changes = registry.metadata_changes(published).await.map_err(failure)?;
    let last = changes.into_iter().rfind(|change| change.published.time <= time);
    Ok(last.map_or_else(|| published.metadata.owner.clone(), |change| change.metadata.owner))
}

async fn look_up_release(registry: &Registry, record: &Invocation, id: &PromptId, trace: &mut TraceV1) -> Outcome<()> {
    let Some(environment) = record.environment.as_deref() else {
        trace.unknown.push("which release made it live: the record names no environment".to_owned());
        return Ok(());
    };
    let Ok(environment) = EnvironmentName::from_str(environment) else {
        trace.unknown.push(format!("which release made it live: `{}` is no name of an environment", one_line(environment)));
        return Ok(());
    };
    // An environment without a release, or none so early.
    let release = match registry.at(&environment, record.time).await {
        Ok(release) => release,
        Err(problem) => {
            trace.unknown.push(format!("which release made it live: {problem}"));
            return Ok(());
        }
    };
    let pin = registry.pin(&release, id).await.map_err(failure)?;
    if pin.is_none() {
        trace.unknown.push(format!("how it went live: release {} of `{environment}` does not pin `{id}`", release.sequence));
    }
    trace.release = Some(TracedReleaseV1 {
        pinned: pin.as_ref().map(|pin| id.at(pin.version)),
        candidate: pin.as_ref().and_then(|pin| Some(id.at(pin.rollout.as_ref()?.version))),
        release,
    });
    Ok(())
}

fn show(trace: &TraceV1, content: Option<&Content>, context: &Context) {
    let printer = &context.printer;
    let title = |text: &str| printer.line(printer.paint(BOLD, text));
    let field = |name: &str, value: &str| printer.line(format!("  {name:<12} {value}"));
    let record = trace.invocation.clone().into_invocation(|_| promptops_telemetry::Uuid::nil());
    title("answer");
    field("invocation", &record.invocation_id.to_string());
    field("time", &record.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    field("prompt", &prompt_name(&record).map_or_else(|| "unknown".to_owned(), |name| one_line(&name)));
    for (name, value) in [("environment", &record.environment), ("arm", &record.arm), ("service", &record.service)] {
        if let Some(value) = value {
            field(name, &one_line(value));
        }
    }
    if let Some(prompt) = &trace.prompt {
        title("version");
        field("digest", &prompt.digest.to_string());
        let held = match prompt.digest_is_recorded {
            Some(true) => "yes: this is what the caller had",
            Some(false) => "NO: the caller had another content under this name",
            None => "not known",
        };
        field("as recorded", held);
        field("owner", &one_line(&prompt.owner));
        field(
            "published",
            &format!("{} by {}", prompt.published.time.format("%Y-%m-%dT%H:%M:%SZ"), one_line(&prompt.published.by)),
        );
        let commit = prompt.commit.as_deref().map_or("no commit", |commit| commit.get(..10).unwrap_or(commit));
        field("written", &one_line(&format!("by {} in {} ({commit} of {})", prompt.author, prompt.path, prompt.source)));
    }
    if let Some(release) = &trace.release {
        title("release");
        printer.line(format!("  {} of {}", release_view::release(&release.release).trim(), release.release.environment));
        if let Some(pinned) = &release.pinned {
            let candidate =
                release.candidate.as_ref().map_or_else(String::new, |candidate| format!(", with {candidate} on trial"));
            field("pinned", &format!("{pinned}{candidate}"));
        }
    }
    if !trace.statements.is_empty() {
        title("approvals and evidence");
        trace.statements.iter().for_each(|statement| printer.line(format!("  {}", said(statement))));
    }
    if let Some(content) = content {
        title("text");
        text_of(content).lines().for_each(|line| printer.line(format!("  {}", one_line(line))));
    }
    if !trace.unknown.is_empty() {
        title("not known");
        trace.unknown.iter().for_each(|reason| printer.line(format!("  {reason}")));
    }
}

fn said(statement: &TracedStatementV1) -> String {
    let text = |name: &str| one_line(statement.predicate.get(name).and_then(Value::as_str).unwrap_or("unknown"));
    let time = statement.recorded.format("%Y-%m-%dT%H:%M:%SZ");
    match statement.kind {
        "approval" => {
            let (who, group, environment) = (text("approver"), text("group"), text("environment"));
            format!("{time}  approved for {environment} by {who} of {group}, until {}", text("expires"))
        }
        _ => format!("{time}  eval {}: {}, recorded by {}", text("eval"), text("verdict"), one_line(&statement.by)),
    }
}

fn text_of(content: &Content) -> String {
    match &content.body {
        Body::Template(template) => template.clone(),
        Body::Messages(messages) => {
            let parts: Vec<String> =
                messages.iter().map(|message| format!("[{}]\n{}", message.role.name(), message.content)).collect();
            parts.join("\n")
        }
    }
}
