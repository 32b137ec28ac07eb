//! The providers of a project: clients for the models that an evaluation asks, and what they cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use futures::future::{BoxFuture, FutureExt as _};
use promptops_eval::client::command::{self, CommandClient};
use promptops_eval::client::http::{self, AwsAccess, AwsKeys, Credential, HttpClient};
use promptops_eval::client::pace::{Limits, Paced};
use promptops_eval::client::routes::{Routes, serves};
use promptops_eval::client::{Api, ClientError, ModelClient};
use promptops_eval::recording::Redaction;
use promptops_store::{AwsKeySource, StoreOptions};
use promptops_telemetry::price::{Price, PriceSource, PriceTable};

use crate::context::Context;
use crate::evaluations::EvalOptions;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::{CONFIG_FILE, Project, ProviderConfig, ProviderKind};

/// Returns clients for the providers that serve these models. What no provider serves is an error only when it is asked.
pub fn routes(context: &Context, project: &Project, options: &EvalOptions, models: &[&str]) -> Outcome<Routes> {
    let mut routes = Routes::default();
    let mut added: Vec<&str> = Vec::new();
    // What `--url` serves besides comes last, for it serves every model.
    let (named, others): (Vec<&str>, Vec<&str>) = models.iter().copied().partition(|model| provider(project, model).is_some());
    for model in named.into_iter().chain(others) {
        let found = provider(project, model);
        let name = found.map_or("", |(name, _)| name);
        if found.is_none() && options.url.is_none() || added.contains(&name) {
            continue;
        }
        let config = found.map(|(_, config)| config);
        let client = client(context, project, options, name, config)?;
        let paced = Paced::new(client, limits(options, config));
        // Both versions of a prompt go the same way, so that they share the limits of their provider.
        let patterns = config.map_or_else(|| vec!["*".to_owned()], |config| config.models.clone());
        routes.add(&patterns, Box::new(paced));
        added.push(name);
    }
    Ok(routes)
}

/// Returns what is blotted out of what models and programs say: what the project's patterns match, and the keys of its providers, which
/// programs find in their environment.
///
/// # Errors
/// The first pattern that is none.
pub fn redaction(context: &Context, project: &Project) -> Outcome<Redaction> {
    let patterns = Redaction::new(&project.config.recordings.redact).map_err(|(pattern, error)| {
        Failure::from_error(Exit::Usage, error).hint(format!("correct `{pattern}` under `[recordings]` in {CONFIG_FILE}"))
    })?;
    let of_providers = project.config.providers.values().filter_map(|config| config.api_key_env.as_deref());
    let names = of_providers.chain(["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"]);
    Ok(names.filter_map(|name| context.variable(name)).fold(patterns, Redaction::and_secret))
}

/// Returns the provider that serves a model, and its name.
pub fn provider<'a>(project: &'a Project, model: &str) -> Option<(&'a str, &'a ProviderConfig)> {
    let serves_model = |config: &ProviderConfig| config.models.iter().any(|pattern| serves(pattern, model));
    project.config.providers.iter().find(|(_, config)| serves_model(config)).map(|(name, config)| (name.as_str(), config))
}

fn limits(options: &EvalOptions, config: Option<&ProviderConfig>) -> Limits {
    let own = config.and_then(|config| config.concurrency);
    Limits {
        concurrency: Some(own.unwrap_or(options.concurrency).min(options.concurrency).into()),
        requests_per_minute: config.and_then(|config| config.requests_per_minute),
        tokens_per_minute: config.and_then(|config| config.tokens_per_minute),
    }
}

fn client(
    context: &Context,
    project: &Project,
    options: &EvalOptions,
    name: &str,
    config: Option<&ProviderConfig>,
) -> Outcome<Box<dyn ModelClient>> {
    let timeout = Duration::from_secs(options.timeout);
    let kind = config.map_or(ProviderKind::OpenAi, |config| config.kind);
    let api = match kind {
        ProviderKind::OpenAi => Api::OpenaiChat,
        ProviderKind::OpenAiResponses => Api::OpenaiResponses,
        ProviderKind::Anthropic => Api::Anthropic,
        ProviderKind::Bedrock => Api::Bedrock,
        ProviderKind::Command => {
            let command = config.map(|config| config.command.clone()).unwrap_or_default();
            if command.is_empty() {
                return Err(Failure::new(Exit::Usage, format!("the provider `{name}` has no `command`"))
                    .hint("name the program and its arguments, as `command = [\"python3\", \"model.py\"]`"));
            }
            let settings = command::Settings { command, directory: project.root.clone(), timeout };
            let client = CommandClient::new(settings).map_err(refused)?;
            return Ok(Box::new(client.redacting(&redaction(context, project)?)));
        }
    };
    let key = config.and_then(|config| context.variable(config.api_key_env.as_deref()?)).map(str::to_owned);
    // A key of Bedrock needs none of AWS.
    let aws = if api == Api::Bedrock && key.is_none() { Some(aws(context, project)?) } else { None };
    let of_settings = || context.variable("AWS_REGION").or_else(|| context.variable("AWS_DEFAULT_REGION"));
    let of_aws = || aws.as_ref().and_then(AwsKeySource::region).or_else(of_settings).map(str::to_owned);
    let region = config.and_then(|config| config.region.clone()).or_else(of_aws);
    let url = match (options.url.clone().or_else(|| config?.url.clone()), api) {
        (Some(url), _) => url,
        (None, Api::Anthropic) => "https://api.anthropic.com/v1".to_owned(),
        (None, Api::Bedrock) => format!("https://bedrock-runtime.{}.amazonaws.com", region_of(name, region.as_deref())?),
        (None, _) => "https://api.openai.com/v1".to_owned(),
    };
    let credential = match (key, aws) {
        (Some(key), _) => Credential::Key(key),
        (None, Some(source)) => Credential::Aws(AwsAccess {
            region: region_of(name, region.as_deref())?.to_owned(),
            keys: Arc::new(Keys(source)),
            clock: now,
        }),
        (None, None) => Credential::None,
    };
    let stream = config.is_some_and(|config| config.stream);
    let api_version = config.and_then(|config| config.api_version.clone());
    let settings = http::Settings { api, url, credential, timeout, stream, api_version };
    let client = HttpClient::new(settings).map_err(refused)?;
    Ok(Box::new(client.redacting(&redaction(context, project)?)))
}

fn refused(error: ClientError) -> Failure {
    let hint = error.hint();
    Failure::from_error(Exit::Usage, error).hint(hint)
}

fn region_of<'a>(name: &str, region: Option<&'a str>) -> Outcome<&'a str> {
    region.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("the region of the provider `{name}` is not known"))
            .hint(format!("add `region` to `[providers.{name}]`, or set AWS_REGION"))
    })
}

/// Finds the keys of AWS, by the same chain as those of stores.
fn aws(context: &Context, project: &Project) -> Outcome<AwsKeySource> {
    let options = StoreOptions { base_dir: project.root.clone(), settings: context.environment.clone() };
    AwsKeySource::open(&options).map_err(|error| Failure::from_error(Exit::Usage, error))
}

struct Keys(AwsKeySource);

impl http::AwsKeySource for Keys {
    fn keys(&self) -> BoxFuture<'_, Result<AwsKeys, String>> {
        async {
            let keys = self.0.keys().await?;
            let (access_key_id, secret_access_key) = (keys.access_key_id, keys.secret_access_key);
            Ok(AwsKeys { access_key_id, secret_access_key, session_token: keys.session_token })
        }
        .boxed()
    }
}

#[expect(clippy::disallowed_methods, reason = "a signature holds the time at which it was made")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The prices of the models of an evaluation, and where they come from.
#[derive(Debug, Default)]
pub struct Prices {
    /// By the model that is asked for.
    pub by_model: BTreeMap<String, Price>,
    /// Where the newest of them that is from the table comes from.
    pub source: Option<PriceSource>,
}

/// Returns what these models cost on a day: by `[providers.<name>.prices]`, else by the table. A limit in dollars without a price would
/// never stop anything, so it is refused.
pub fn prices(project: &Project, options: &EvalOptions, models: &[&str], day: NaiveDate) -> Outcome<Prices> {
    let table = price_table(project)?;
    let mut prices = Prices::default();
    let mut newest = None;
    for model in models {
        let own = provider(project, model).and_then(|(_, config)| config.prices.get(*model));
        let stated = table.as_ref().and_then(|table| table.price(None, model, day));
        if own.is_none() {
            newest = newest.max(stated.map(|stated| stated.from));
        }
        match own.or(stated.map(|stated| stated.price)) {
            Some(price) => drop(prices.by_model.insert((*model).to_owned(), price.clone())),
            None if options.max_usd.is_some() => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("the price of `{model}` is not known, so `--max-usd` cannot hold"),
                )
                .hint(format!(
                    "`promptops prices import` takes over LiteLLM's table; or add `[providers.<name>.prices.\"{model}\"]` with \
                     `input` and `output` to promptops.toml"
                )));
            }
            None => {}
        }
    }
    prices.source = newest.and_then(|from| table.as_ref()?.source(from).cloned());
    Ok(prices)
}

/// Reads the table of prices, where the project has one.
pub fn price_table(project: &Project) -> Outcome<Option<PriceTable>> {
    let path = project.root.join(&project.config.prices.path);
    match std::fs::read(&path) {
        Ok(bytes) => PriceTable::from_json(&bytes).map(Some).map_err(|error| {
            Failure::from_error(Exit::Corrupt, error)
                .hint(format!("restore `{}` from Git, or write it with `promptops prices import`", path.display()))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io("read the table of prices", &path, error)),
    }
}
