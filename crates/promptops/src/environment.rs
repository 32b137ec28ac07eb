//! The one place where the environment of the process enters.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `PROMPTOPS_BUNDLE` | path of a bundle |
//! | `PROMPTOPS_LOCK` | path of a lock file |
//! | `PROMPTOPS_REGISTRY` | URL of the registry, instead of the lock's own |
//! | `PROMPTOPS_API_KEY` | key for a registry behind a server (`https://…`) |
//! | `PROMPTOPS_CA_FILE` | PEM file of the certificates that such a server is trusted by, in place of the system's |
//! | `PROMPTOPS_ALLOW_HTTP` | `true`: the key may travel in clear to a server at `http://…` |
//! | `PROMPTOPS_PROMPTS` | folder of prompt files, for development |
//! | `PROMPTOPS_FOLLOW` | environment of the registry whose releases are followed |
//! | `PROMPTOPS_REFRESH_SECONDS` | after how long the registry is asked for its next release; 60 |
//! | `PROMPTOPS_MAX_STALE_SECONDS` | how old what is known of it may be before a load waits for the registry; 600 |
//! | `PROMPTOPS_REFUSE_STALE` | `1`: a load fails when it is older and the registry does not answer |
//! | `PROMPTOPS_STRICT` | `1`: only pinned versions load; `0`: others load with a warning |
//! | `PROMPTOPS_CACHE` | folder for what came from a remote registry |
//! | `PROMPTOPS_ENVIRONMENT`, `PROMPTOPS_SERVICE` | recorded with every invocation |
//! | `PROMPTOPS_INVOCATIONS` | file that invocations are appended to |
//! | `PROMPTOPS_EMF` | `1`: invocations go to standard output as CloudWatch metrics |
//! | `PROMPTOPS_SINK` | where invocations are sent besides, as a list; see [`Destination`] |
//! | `PROMPTOPS_SPILL` | folder that keeps what a server does not take, until it does |
//! | `PROMPTOPS_SPOOL_BYTES` | the most bytes that this folder and each `spool:` keep; 1 GB |
//! | `PROMPTOPS_FLUSH_SECONDS` | how long flushing, and the end of the process, wait for each sink at most; 5 |
//!
//! Where none of them names a source, the bundle that was packaged with the SDK is taken, if there is one
//! ([`settings_from_env_beside`]), else one is searched for.
//!
//! Also read: `OTEL_SERVICE_NAME` and `AWS_LAMBDA_FUNCTION_NAME` for the service, `XDG_CACHE_HOME` and `HOME` for the
//! cache, and what a registry in a cloud or behind a server needs ([`StoreOptions::is_setting`]): every `AWS_…`, `GOOGLE_…` and
//! `AZURE_…` variable, those that say where files with credentials are, and `HTTPS_PROXY` and `NO_PROXY`; for `otlp` also every
//! `OTEL_…` variable. An empty variable counts as unset.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use promptops_store::StoreOptions;

use crate::destination::Destination;
use crate::settings::Settings;
use crate::warning::Warning;

/// The name of the bundle that `promptops package` puts beside the SDK.
const PACKAGED_BUNDLE: &str = "prompts.bundle";

/// Reads [`Settings`] from the environment, the working directory and the system's clock.
///
/// Without a variable that names a source, the source is searched for, see [`Settings::discover_source`]. Warnings go to
/// standard error. Call it again to see changes.
#[must_use]
pub fn settings_from_env() -> Settings {
    settings_from_env_beside(None)
}

/// Reads [`Settings`] as [`settings_from_env`] does, for an SDK that lies in a folder of its own: without a variable that names a
/// source, the bundle `prompts.bundle` in this folder is the source, where `promptops package` has put one there.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "an SDK is where the environment, folder and clock of a process enter")]
pub fn settings_from_env_beside(sdk: Option<&Path>) -> Settings {
    let base_dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mut settings = Settings::new(base_dir, Arc::new(chrono::Utc::now));
    settings.warn = Arc::new(warn_on_stderr);
    apply(&mut settings, |name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    settings.store_settings = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| StoreOptions::is_setting(name))
        .collect();
    settings.otel_settings = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("OTEL_"))
        .collect();
    if !settings.has_source() {
        settings.bundle = sdk.map(|folder| folder.join(PACKAGED_BUNDLE)).filter(|bundle| bundle.is_file());
    }
    settings.discover_source();
    settings
}

/// Puts what `variable` knows into `settings`.
fn apply(settings: &mut Settings, variable: impl Fn(&'static str) -> Option<String>) {
    let path = |name| variable(name).map(PathBuf::from);
    let switch = |name| match variable(name).as_deref() {
        None => None,
        Some("1" | "true" | "yes" | "on") => Some(true),
        Some("0" | "false" | "no" | "off") => Some(false),
        Some(value) => {
            (settings.warn)(&Warning::Variable { name, value: value.to_owned() });
            None
        }
    };
    let seconds = |name| {
        let value = variable(name)?;
        let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if seconds.is_none() {
            (settings.warn)(&Warning::Variable { name, value });
        }
        seconds
    };
    let function = variable("AWS_LAMBDA_FUNCTION_NAME");
    let (refresh, max_stale) = (seconds("PROMPTOPS_REFRESH_SECONDS"), seconds("PROMPTOPS_MAX_STALE_SECONDS"));
    let refuse_stale = switch("PROMPTOPS_REFUSE_STALE").unwrap_or(false);
    let strict = switch("PROMPTOPS_STRICT");
    let emf = switch("PROMPTOPS_EMF").unwrap_or(false);
    let flush_limit = seconds("PROMPTOPS_FLUSH_SECONDS");
    let destinations = variable("PROMPTOPS_SINK").map(|list| Destination::list(&list)).transpose();
    let destinations = destinations.unwrap_or_else(|unknown| {
        (settings.warn)(&Warning::Variable { name: "PROMPTOPS_SINK", value: unknown.0 });
        None
    });
    let spool_bytes = variable("PROMPTOPS_SPOOL_BYTES").and_then(|value| {
        let bytes = value.parse().ok();
        if bytes.is_none() {
            (settings.warn)(&Warning::Variable { name: "PROMPTOPS_SPOOL_BYTES", value });
        }
        bytes
    });
    settings.destinations = destinations.unwrap_or_default();
    settings.spool_bytes = spool_bytes.unwrap_or(settings.spool_bytes);
    settings.flush_limit = flush_limit.unwrap_or(settings.flush_limit);
    settings.spill = path("PROMPTOPS_SPILL");
    settings.refresh = refresh.unwrap_or(settings.refresh);
    settings.max_stale = max_stale.unwrap_or(settings.max_stale);
    settings.refuse_stale = refuse_stale;
    settings.follow = variable("PROMPTOPS_FOLLOW");
    settings.strict = strict;
    settings.emf = emf;
    settings.bundle = path("PROMPTOPS_BUNDLE");
    settings.lock = path("PROMPTOPS_LOCK");
    settings.registry = variable("PROMPTOPS_REGISTRY");
    settings.folder = path("PROMPTOPS_PROMPTS");
    settings.invocations = path("PROMPTOPS_INVOCATIONS");
    settings.environment = variable("PROMPTOPS_ENVIRONMENT");
    settings.runtime = Some(if function.is_some() { "lambda" } else { "process" }.to_owned());
    // In Lambda only /tmp can be written, and it lives as long as the execution environment.
    let in_lambda = function.is_some().then(|| PathBuf::from("/tmp/promptops"));
    settings.cache_dir = path("PROMPTOPS_CACHE")
        .or(in_lambda)
        .or_else(|| path("XDG_CACHE_HOME").map(|home| home.join("promptops")))
        .or_else(|| path("HOME").map(|home| home.join(".cache/promptops")));
    settings.service = variable("PROMPTOPS_SERVICE").or_else(|| variable("OTEL_SERVICE_NAME")).or(function);
}

fn warn_on_stderr(warning: &Warning) {
    // A closed standard error must not break the caller.
    let _ = writeln!(std::io::stderr(), "promptops: warning: {warning}");
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use chrono::DateTime;

    use super::*;

    fn applied(variables: &[(&'static str, &str)]) -> (Settings, Vec<Warning>) {
        let variables: HashMap<_, _> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let warnings = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&warnings);
        let mut settings = Settings::new("/app", Arc::new(|| DateTime::UNIX_EPOCH));
        settings.warn = Arc::new(move |warning| heard.lock().unwrap().push(warning.clone()));
        apply(&mut settings, |name| variables.get(name).cloned());
        let warnings = warnings.lock().unwrap().clone();
        (settings, warnings)
    }

    #[test]
    fn every_variable_has_its_setting() {
        let (settings, warnings) = applied(&[
            ("PROMPTOPS_BUNDLE", "a.bundle"),
            ("PROMPTOPS_LOCK", "promptops.lock"),
            ("PROMPTOPS_REGISTRY", "s3://bucket/prefix"),
            ("PROMPTOPS_PROMPTS", "prompts"),
            ("PROMPTOPS_FOLLOW", "prod"),
            ("PROMPTOPS_REFRESH_SECONDS", "0.5"),
            ("PROMPTOPS_MAX_STALE_SECONDS", "30"),
            ("PROMPTOPS_REFUSE_STALE", "yes"),
            ("PROMPTOPS_STRICT", "0"),
            ("PROMPTOPS_CACHE", "/cache"),
            ("PROMPTOPS_ENVIRONMENT", "prod"),
            ("PROMPTOPS_SERVICE", "router"),
            ("PROMPTOPS_INVOCATIONS", "calls.jsonl"),
            ("PROMPTOPS_EMF", "1"),
            ("PROMPTOPS_SINK", "otlp,https://prompts.example.com"),
            ("PROMPTOPS_SPILL", "spill"),
            ("PROMPTOPS_SPOOL_BYTES", "1000"),
            ("PROMPTOPS_FLUSH_SECONDS", "2"),
        ]);
        let server = Destination::Server("https://prompts.example.com".into());
        assert_eq!(settings.destinations, [Destination::Otlp(None), server]);
        assert_eq!((settings.spill, settings.spool_bytes), (Some("spill".into()), 1000));
        assert_eq!(settings.flush_limit, Duration::from_secs(2));
        assert_eq!(settings.bundle, Some("a.bundle".into()));
        assert_eq!(settings.lock, Some("promptops.lock".into()));
        assert_eq!(settings.registry.as_deref(), Some("s3://bucket/prefix"));
        assert_eq!(settings.folder, Some("prompts".into()));
        assert_eq!((settings.follow.as_deref(), settings.refuse_stale), (Some("prod"), true));
        assert_eq!((settings.refresh, settings.max_stale), (Duration::from_millis(500), Duration::from_secs(30)));
        assert_eq!((settings.strict, settings.emf), (Some(false), true));
        assert_eq!(settings.cache_dir, Some("/cache".into()));
        assert_eq!((settings.environment.as_deref(), settings.service.as_deref()), (Some("prod"), Some("router")));
        assert_eq!(settings.invocations, Some("calls.jsonl".into()));
        assert_eq!(settings.runtime.as_deref(), Some("process"));
        assert_eq!(warnings, []);
    }

    #[test]
    fn lambda_is_recognised() {
        let (settings, _) = applied(&[("AWS_LAMBDA_FUNCTION_NAME", "route"), ("HOME", "/home/me")]);
        assert_eq!((settings.runtime.as_deref(), settings.service.as_deref()), (Some("lambda"), Some("route")));
        assert_eq!(settings.cache_dir, Some("/tmp/promptops".into()));
        let (settings, _) = applied(&[("OTEL_SERVICE_NAME", "router"), ("HOME", "/home/me")]);
        assert_eq!(settings.service.as_deref(), Some("router"));
        assert_eq!(settings.cache_dir, Some("/home/me/.cache/promptops".into()));
    }

    #[test]
    fn a_switch_without_meaning_is_ignored_aloud() {
        let (settings, warnings) = applied(&[("PROMPTOPS_STRICT", "perhaps")]);
        assert_eq!(settings.strict, None);
        assert_eq!(warnings, [Warning::Variable { name: "PROMPTOPS_STRICT", value: "perhaps".into() }]);
        for value in ["soon", "-1", "1e30", "NaN"] {
            let (settings, warnings) = applied(&[("PROMPTOPS_REFRESH_SECONDS", value)]);
            assert_eq!(settings.refresh, Duration::from_secs(60));
            assert_eq!(warnings, [Warning::Variable { name: "PROMPTOPS_REFRESH_SECONDS", value: value.into() }]);
        }
    }

    #[test]
    fn a_packaged_bundle_is_taken_before_a_source_is_searched_for() {
        let folder = tempfile::tempdir().unwrap();
        assert_ne!(settings_from_env_beside(Some(folder.path())).bundle, Some(folder.path().join(PACKAGED_BUNDLE)));
        std::fs::write(folder.path().join(PACKAGED_BUNDLE), "").unwrap();
        let settings = settings_from_env_beside(Some(folder.path()));
        assert_eq!((settings.bundle, settings.folder), (Some(folder.path().join(PACKAGED_BUNDLE)), None));
    }
}
