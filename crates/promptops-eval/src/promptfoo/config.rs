//! The root of a configuration.

use std::collections::BTreeMap;

use promptops_prompt::finding::{self, Finding};

use super::cases::{self, Test};
use super::prompts::{self, Prompt};
use super::providers::{self, Provider};
use super::reader::{At, Files, Reader};
use super::suite::{self, Suite};

/// What came of a configuration.
#[derive(Debug)]
pub struct Read {
    /// The suite, where nothing stands against it.
    pub suite: Option<Suite>,
    /// What was found; without a suite at least one error.
    pub findings: Vec<Finding>,
    /// The texts of the files with findings, by path.
    pub texts: BTreeMap<String, String>,
}

/// A configuration with its files.
pub(super) struct Config {
    pub(super) description: Option<String>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) providers: Vec<Provider>,
    /// Tests and scenarios.
    pub(super) tests: Vec<Test>,
    pub(super) default: Option<Test>,
    pub(super) repeat: u32,
}

/// Reads a configuration. `path` is how it is shown to people; the files that it names are read through `files`.
pub fn read(path: &str, text: &str, files: &dyn Files) -> Read {
    let mut reader = Reader::new(files);
    let path = reader.keep(path, text);
    let document = reader.parse(path, text);
    let config = document.as_ref().and_then(|document| root(document.root(), &mut reader));
    let suite = config.filter(|_| !reader.has_errors()).and_then(|config| suite::build(&config, &mut reader));
    let suite = suite.filter(|_| !reader.has_errors());
    let (mut findings, texts) = reader.finish();
    finding::sort(&mut findings);
    Read { suite, findings, texts }
}

/// Keys that steer what promptfoo shows, writes and sends, and change no result.
const WITHOUT_EFFECT: [&str; 9] = [
    "$schema",
    "tags",
    "metadata",
    "outputPath",
    "sharing",
    "writeLatestResults",
    "commandLineOptions",
    "env",
    "assertionTemplates",
];

fn root(at: At<'_>, reader: &mut Reader<'_>) -> Option<Config> {
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("a configuration is a mapping, not {}", at.node.type_name()));
        return None;
    };
    let mut config =
        Config { description: None, prompts: Vec::new(), providers: Vec::new(), tests: Vec::new(), default: None, repeat: 1 };
    let mut scenarios = None;
    for (key, place, value) in pairs {
        match key {
            "description" => config.description = reader.text("`description`", value).map(str::to_owned),
            "prompts" => config.prompts = prompts::read(value, reader),
            "providers" | "targets" => config.providers = providers::read(value, reader),
            "tests" if value.is_null() => {}
            "tests" => config.tests = cases::read(value, reader),
            "defaultTest" => config.default = cases::read_default(value, reader),
            "scenarios" => scenarios = Some(cases::read_scenarios(value, reader)),
            "evaluateOptions" => config.repeat = evaluate_options(value, reader),
            "extensions" => reader.code(&place, "`extensions`"),
            "nunjucksFilters" => reader.code(&place, "`nunjucksFilters`"),
            "redteam" => reader.error(&place, "`redteam` makes its tests when it is run, which is not taken over"),
            "tracing" => reader.error(&place, "`tracing` is not taken over"),
            "derivedMetrics" => {
                let hint = "compute it from the metrics of the report";
                reader.error_with_hint(&place, "`derivedMetrics` are formulas, which are not taken over", hint);
            }
            "<<" => reader.error(&place, "merge keys (`<<`) are not taken over"),
            name if WITHOUT_EFFECT.contains(&name) => {
                if name != "$schema" {
                    reader.note(&place, format!("`{name}` has no effect here"));
                }
            }
            other => reader.error(&place, format!("a configuration has no field `{other}`")),
        }
    }
    for (key, is_there) in [("prompts", !config.prompts.is_empty()), ("providers", !config.providers.is_empty())] {
        if !is_there && at.get(key).is_none() && !(key == "providers" && at.get("targets").is_some()) {
            reader.error(&at.place(), format!("the configuration lacks `{key}`"));
        }
    }
    // Without any test a prompt is asked once.
    if config.tests.is_empty() && scenarios.is_none() {
        config.tests.push(Test::empty(at.place()));
    }
    config.tests.extend(scenarios.unwrap_or_default());
    Some(config)
}

fn evaluate_options(at: At<'_>, reader: &mut Reader<'_>) -> u32 {
    let mut repeat = 1;
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("`evaluateOptions` is a mapping, not {}", at.node.type_name()));
        return repeat;
    };
    for (key, place, value) in pairs {
        match key {
            "repeat" => repeat = cases::repeat(value, reader).unwrap_or(1),
            "cache" | "delay" | "maxConcurrency" | "timeoutMs" | "maxEvalTimeMs" | "showProgressBar" | "generateSuggestions" => {
                reader.note(&place, format!("`{key}` has no effect: options of the command say how calls are sent"));
            }
            other => reader.error(&place, format!("`{other}` of `evaluateOptions` is not taken over")),
        }
    }
    repeat
}
