//! What can go wrong between an id and a prompt, by what the reader can do about it.

use std::error::Error as StdError;
use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use promptops_prompt::id::NameError;
use promptops_prompt::lock::ProofError;
use promptops_prompt::{Digest, PromptId, RenderError, Version};

/// The setting that names the environment to follow.
pub(crate) const FOLLOWED: &str = "the environment to follow";

/// A failure to load or render a prompt.
///
/// The variants say what can be done; [`Error::hint`] says it in words, [`Error::code`] names the variant for programs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The id or version is not one. Fix the call.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Neither bundle nor lock nor registry nor folder is configured. Configure one.
    #[error("no source of prompts is configured, and none was found from `{}`", base_dir.display())]
    NoSource {
        /// Where the search began.
        base_dir: PathBuf,
    },
    /// A setting names something that cannot be used. Fix the setting.
    #[error("{setting} cannot be used: `{place}`")]
    Setting {
        /// What was set, as `the lock`.
        setting: &'static str,
        /// The path or URL as given.
        place: String,
        /// Why it cannot be used.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The source has no prompt of this name. Fix the name, or publish and pin it.
    #[error("{} has no prompt `{id}`", place)]
    NotFound {
        /// What was asked for.
        id: PromptId,
        /// The source that was searched.
        place: String,
        /// Names like it, the closest first.
        close: Vec<String>,
    },
    /// The prompt is known, but not in a version that may be loaded here. Pin it.
    #[error("{}", not_pinned(id, *version, *pinned))]
    NotPinned {
        /// The prompt.
        id: PromptId,
        /// The version that was asked for, if one was.
        version: Option<Version>,
        /// The version that is pinned, if one is.
        pinned: Option<Version>,
    },
    /// Stored bytes are not those that were pinned. Do not run them; find out who changed them.
    #[error("{place} has digest `{found}`, not the pinned `{expected}`")]
    Integrity {
        /// The object.
        place: String,
        /// The digest that was pinned.
        expected: Digest,
        /// The digest that the bytes have.
        found: Digest,
    },
    /// A lock or bundle was altered after it was made: it does not fit the proof that what it pins was logged. Do not run it; make
    /// it again, and find out who changed it.
    #[error("{place} does not fit its log proof")]
    Altered {
        /// The lock or bundle.
        place: String,
        /// What does not fit.
        source: ProofError,
    },
    /// A stored object is not what this software writes. Find out who else writes there.
    #[error("{place} is not readable")]
    Corrupt {
        /// The object.
        place: String,
        /// What is wrong with it.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The source lacks an object that should be in it. Publish it, or look in the right place.
    #[error("{place} lacks `{key}`")]
    Missing {
        /// The registry or bundle.
        place: String,
        /// The object.
        key: String,
    },
    /// The registry did not answer, and no cache has what was asked for. Try again.
    #[error("the registry did not answer: `{place}`")]
    Unavailable {
        /// URL of the registry.
        place: String,
        /// Its account of the failure.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// What is known of the followed environment is older than it may be, and the registry does not answer. Try again.
    #[error("environment `{environment}` was last seen {}, at release {release}, and could not be refreshed: {reason}", seen(*checked))]
    Stale {
        /// The environment.
        environment: String,
        /// The number of the release that is known.
        release: u64,
        /// When it was last seen to be the latest, UTC; none for that of a lock or a bundle.
        checked: Option<DateTime<Utc>>,
        /// What the last attempt came to.
        reason: String,
    },
    /// The prompt's file has problems. Fix the file.
    #[error("`{}` is not a valid prompt: {}", path.display(), problems.join("; "))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, one text each.
        problems: Vec<String>,
    },
    /// The prompt has several messages, so it has no single text. Ask for its messages.
    #[error("prompt `{id}` has {messages} messages, so it does not render to one text")]
    SeveralMessages {
        /// The prompt.
        id: PromptId,
        /// How many messages it has.
        messages: usize,
    },
    /// The template did not render with these values. Fix the values or the template.
    #[error("prompt `{id}@{version}` did not render")]
    Render {
        /// The prompt.
        id: PromptId,
        /// Its version.
        version: Version,
        /// What is wrong.
        source: RenderError,
    },
}

fn seen(checked: Option<DateTime<Utc>>) -> String {
    checked.map_or_else(|| "when it was locked".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn not_pinned(id: &PromptId, version: Option<Version>, pinned: Option<Version>) -> String {
    match (version, pinned) {
        (Some(version), Some(pinned)) => format!("version {version} of prompt `{id}` is not the pinned version {pinned}"),
        (Some(version), None) => format!("version {version} of prompt `{id}` is not pinned"),
        (None, _) => format!("no version of prompt `{id}` is pinned, and none was asked for"),
    }
}

impl Error {
    /// Returns the name of the variant that every SDK shares, as `not-found`; see `spec/vectors/load.json`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "invalid-name",
            Self::NoSource { .. } => "no-source",
            Self::Setting { .. } => "invalid-setting",
            Self::NotFound { .. } => "not-found",
            Self::NotPinned { .. } => "not-pinned",
            Self::Integrity { .. } | Self::Altered { .. } => "integrity",
            Self::Corrupt { .. } => "corrupt",
            Self::Missing { .. } => "missing",
            Self::Unavailable { .. } => "unavailable",
            Self::Stale { .. } => "stale",
            Self::Invalid { .. } => "invalid-prompt",
            Self::SeveralMessages { .. } | Self::Render { .. } => "render",
        }
    }

    /// Returns what to do next, as one sentence for a `hint:` line.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Name(NameError::Unpinned(_)) => "write `id@version`",
            Self::Name(_) => "the id stands in the first line of the prompt's file",
            Self::NoSource { .. } => {
                "set PROMPTOPS_BUNDLE or PROMPTOPS_LOCK, run `promptops lock` beside the application, or set \
                 PROMPTOPS_PROMPTS to a folder of prompts while developing"
            }
            Self::Setting { setting: FOLLOWED, .. } => {
                "name an environment that `promptops deploy` has released to, and the registry that it is in"
            }
            Self::Setting { .. } => "check the path or URL; relative ones start from the working directory",
            Self::NotFound { close, .. } if !close.is_empty() => {
                let names: Vec<String> = close.iter().map(|name| format!("`{name}`")).collect();
                return Some(format!("did you mean {}?", names.join(" or ")));
            }
            Self::NotFound { .. } => "publish the prompt and pin it with `promptops lock`",
            Self::NotPinned { version: None, .. } => "pin it with `promptops lock`, or ask for a version",
            Self::NotPinned { .. } => "pin that version with `promptops lock`, or set PROMPTOPS_STRICT=0 while developing",
            Self::Altered { .. } => {
                "do not use it: make it again with `promptops lock` or `promptops bundle`, and find out who changed it"
            }
            Self::Integrity { .. } => "do not use it: find out what changed it, with `promptops registry verify`",
            Self::Corrupt { .. } => "run `promptops registry verify`, or bundle again",
            Self::Missing { .. } => "check that this is the registry the lock was made from",
            Self::Unavailable { .. } => "check the network and the credentials, or ship a bundle with the application",
            Self::Stale { .. } => {
                "check the network and the credentials, or let what is known be served: PROMPTOPS_REFUSE_STALE=0"
            }
            Self::Invalid { .. } => "run `promptops check` to see the place and the fix of each problem",
            Self::SeveralMessages { .. } => "use `messages` instead of `render`",
            Self::Render { source, .. } => return render_hint(source).map(str::to_owned),
        };
        Some(hint.to_owned())
    }

    /// Returns the whole message: this error and its causes, joined by `: `.
    #[must_use]
    pub fn full_message(&self) -> String {
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some providers print their causes themselves.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        message
    }
}

fn render_hint(error: &RenderError) -> Option<&'static str> {
    match error {
        RenderError::UnknownInputs(_) => Some("declare the variable in the prompt's `inputs`, or leave it out"),
        RenderError::MissingInputs(_) => Some("give each variable a value, or a `default` in the prompt's `inputs`"),
        RenderError::InputType { .. } => Some("the prompt's `inputs` state the type"),
        _ => None,
    }
}

/// Returns at most three of `names` that are like `wanted`, the closest first.
pub(crate) fn close_names<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> =
        names.into_iter().map(|name| (likeness(wanted, name), name)).filter(|(likeness, _)| *likeness >= 0.7).collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(right.1)));
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Likeness from 0 to 1: of the whole names, or of their last parts when the folder was forgotten or mistaken.
fn likeness(wanted: &str, name: &str) -> f64 {
    let last = |id: &str| id.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::normalized_damerau_levenshtein(wanted, name);
    let part = strsim::normalized_damerau_levenshtein(&last(wanted), &last(name));
    whole.max(part * 0.95)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_find_typing_errors_and_forgotten_folders() {
        let names = ["customer-support.intent-classifier", "customer-support.reply", "shared.tone"];
        let close = |wanted| close_names(wanted, names);
        assert_eq!(close("customer-support.intent-clasifier"), ["customer-support.intent-classifier"]);
        assert_eq!(close("intent-classifier"), ["customer-support.intent-classifier"]);
        assert_eq!(close("tone"), ["shared.tone"]);
        assert_eq!(close("billing"), Vec::<String>::new());
    }

    #[test]
    fn messages_say_what_and_hints_say_how() {
        let error = Error::NotPinned { id: "a.b".parse().unwrap(), version: Version::new(3), pinned: Version::new(2) };
        assert_eq!(error.to_string(), "version 3 of prompt `a.b` is not the pinned version 2");
        assert_eq!(error.code(), "not-pinned");
        assert!(error.hint().unwrap().contains("promptops lock"));
        let source = RenderError::MissingInputs(vec!["message".into()]);
        let error = Error::Render { id: "a".parse().unwrap(), version: Version::FIRST, source };
        assert_eq!(error.full_message(), "prompt `a@1` did not render: required variables are missing: `message`");
    }
}
