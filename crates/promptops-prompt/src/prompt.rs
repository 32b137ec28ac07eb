//! The prompt as a value: what a version is, apart from where it was written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{PromptId, PromptRef, Version};

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The instructions of the operator.
    System,
    /// Newer name of `system` at some providers; kept as written.
    Developer,
    /// The person, or the program that stands for one.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::System, Self::Developer, Self::User, Self::Assistant];

    /// Returns the name as written in prompts and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    /// Returns the role called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// One message: a role and a template (before rendering) or a text (after it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// What is rendered: one template, or messages of which each is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// One text. Renders to one user message.
    Template(String),
    /// A conversation.
    Messages(Vec<Message>),
}

impl Body {
    /// Returns every template in the body, in order.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::Template(template) => (Some(template.as_str()), &[][..]),
            Self::Messages(messages) => (None, messages.as_slice()),
        };
        one.into_iter().chain(many.iter().map(|message| message.content.as_str()))
    }
}

/// What may change without a new version: nothing in it reaches the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who answers for the prompt: a team or a person of `owners.yaml`.
    pub owner: String,
    /// What the prompt is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Words to find and govern it by, in the written order.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Free numbers about the prompt, as `baseline_accuracy`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metrics: Map<String, Value>,
    /// Paths of eval files from the project's root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evals: Vec<String>,
    /// The versions that break callers or consumers on purpose, each with what they have to do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub breaking: BTreeMap<Version, String>,
    /// The day it was first written, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The day it was last changed, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
}

/// One version of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// Its name.
    pub id: PromptId,
    /// Its version.
    pub version: Version,
    /// The version it came from; none only for a first version that is no fork.
    pub parent: Option<PromptRef>,
    /// The model it was written for.
    pub model: String,
    /// Parameters of the call, as `temperature`.
    pub parameters: Map<String, Value>,
    /// JSON Schema of each variable; `default` makes it optional.
    pub inputs: BTreeMap<String, Value>,
    /// JSON Schema of the answer.
    pub output: Option<Value>,
    /// Tools offered to the model, as the provider takes them.
    pub tools: Option<Value>,
    /// What is rendered.
    pub body: Body,
    /// What is said about it.
    pub metadata: Metadata,
}

impl Prompt {
    /// Returns `id@version`.
    pub fn reference(&self) -> PromptRef {
        self.id.at(self.version)
    }

    /// Returns what the version says of breaking its callers or consumers on purpose: nothing, unless `breaking` names this
    /// very version. What it says of earlier ones is history.
    pub fn breaking(&self) -> Option<&str> {
        self.metadata.breaking.get(&self.version).map(String::as_str)
    }
}
