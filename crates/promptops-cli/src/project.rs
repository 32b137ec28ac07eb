//! The project: the folder with `promptops.toml`, and what that file says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promptops_telemetry::price::Price;
use serde::Deserialize;

use crate::check_levels::CheckLevels;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::text_file;

/// The name of the configuration file.
pub const CONFIG_FILE: &str = "promptops.toml";

/// A folder with prompts and its configuration.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder that holds `promptops.toml`, absolute.
    pub root: PathBuf,
    /// What the file says.
    pub config: Config,
}

/// `promptops.toml`. The tables `environments` and `policy` belong to the registry, which reads them itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where prompts are written.
    pub prompts: PromptsConfig,
    /// How much the findings of the checks matter.
    pub checks: CheckLevels,
    /// Where prompts are published.
    pub registry: RegistryConfig,
    /// Where invocations are stored.
    pub lake: LakeConfig,
    /// Which endpoint serves which models.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// What tokens cost.
    pub prices: PricesConfig,
    /// How answers are recorded.
    pub recordings: RecordingsConfig,
    /// Read by the registry.
    pub environments: toml::Table,
    /// Read by the registry.
    pub policy: toml::Table,
}

/// `[prompts]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptsConfig {
    /// The folder of prompt files, from the project's root.
    pub path: String,
}

impl Default for PromptsConfig {
    fn default() -> Self {
        Self { path: "prompts".to_owned() }
    }
}

/// `[registry]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// Its URL; a relative `file://` path is meant from the project's root.
    pub url: String,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self { url: "file://.promptops/registry".to_owned() }
    }
}

/// `[lake]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LakeConfig {
    /// Its URL; a relative `file://` path is meant from the project's root.
    pub url: String,
    /// How many days invocations are kept; for ever without it.
    pub retention_days: Option<u32>,
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self { url: "file://.promptops/lake".to_owned(), retention_days: None }
    }
}

/// `[prices]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PricesConfig {
    /// The table that `promptops prices import` writes, from the project's root.
    pub path: String,
}

impl Default for PricesConfig {
    fn default() -> Self {
        Self { path: "prices.json".to_owned() }
    }
}

/// `[recordings]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingsConfig {
    /// Regular expressions; what matches in an answer is blotted out before it is recorded or judged.
    pub redact: Vec<String>,
}

/// `[providers.<name>]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// The form in which it is asked.
    pub kind: ProviderKind,
    /// Which models it serves; a trailing `*` stands for any ending.
    pub models: Vec<String>,
    /// The base URL; otherwise the vendor's own.
    #[serde(default)]
    pub url: Option<String>,
    /// The environment variable that holds the key. At Bedrock it is a key of Bedrock; without it requests are signed.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// The version of Anthropic's API; otherwise the latest that is known.
    #[serde(default)]
    pub api_version: Option<String>,
    /// The region of Bedrock; otherwise that of the AWS settings.
    #[serde(default)]
    pub region: Option<String>,
    /// The program and its arguments, of a `command`.
    #[serde(default)]
    pub command: Vec<String>,
    /// Whether answers are streamed, which tells the time to the first token.
    #[serde(default)]
    pub stream: bool,
    /// Calls under way at the same time, where the provider bears fewer than `--concurrency`.
    #[serde(default)]
    pub concurrency: Option<u16>,
    /// Calls a minute that the provider allows.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute that the provider allows.
    #[serde(default)]
    pub tokens_per_minute: Option<u32>,
    /// What tokens cost, by model; wins over the table of prices.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
}

/// The form in which a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// OpenAI's chat completions, and whatever is compatible with them.
    #[serde(rename = "openai")]
    OpenAi,
    /// OpenAI's responses.
    #[serde(rename = "openai-responses")]
    OpenAiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Amazon Bedrock's converse.
    Bedrock,
    /// A program.
    Command,
}

impl Project {
    /// Finds the project that `directory` belongs to: the nearest folder upwards with `promptops.toml`, else with a `prompts`
    /// folder and the default configuration.
    pub fn find(directory: &Path) -> Outcome<Self> {
        for folder in directory.ancestors() {
            let file = folder.join(CONFIG_FILE);
            match text_file::read(&file) {
                Ok(text) => return Self::read(folder, &text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::io("read", &file, error)),
            }
        }
        let default = Config::default();
        match directory.ancestors().find(|folder| folder.join(&default.prompts.path).is_dir()) {
            Some(root) => Ok(Self { root: root.to_owned(), config: default }),
            None => Err(Failure::new(
                Exit::NotFound,
                format!("no `{CONFIG_FILE}` and no `prompts` folder in `{}` or above", directory.display()),
            )
            .hint("go to the folder of your prompts, or name it with `--directory`")),
        }
    }

    /// Takes a folder for the root of a project, whether or not it has a configuration.
    pub fn at(root: &Path) -> Outcome<Self> {
        let file = root.join(CONFIG_FILE);
        match text_file::read(&file) {
            Ok(text) => Self::read(root, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { root: root.to_owned(), config: Config::default() })
            }
            Err(error) => Err(Failure::io("read", &file, error)),
        }
    }

    fn read(root: &Path, text: &str) -> Outcome<Self> {
        let config = toml::from_str(text).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("`{}` is not valid\n{}", root.join(CONFIG_FILE).display(), error.to_string().trim_end()),
            )
        })?;
        Ok(Self { root: root.to_owned(), config })
    }

    /// Returns the folder of what may be deleted at any time.
    pub fn cache_folder(&self) -> PathBuf {
        self.root.join(".promptops").join("cache")
    }

    /// Returns the folder of prompt files.
    pub fn prompts_folder(&self) -> PathBuf {
        self.root.join(&self.config.prompts.path)
    }
}
