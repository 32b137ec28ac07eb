//! The content of a version: canonical JSON of what reaches the model and its callers. Its SHA-256 is the digest (G1).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::digest::{Digest, canonical_json};
use crate::id::PromptRef;
use crate::prompt::{Body, Message, Prompt, Role};

/// What reaches the model and its callers, and nothing else.
///
/// Equal contents have equal bytes, so the digest of the bytes names the content. Path, owner, tags, dates and metrics
/// never enter. Templates enter byte for byte: white space is behaviour.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The model.
    pub model: String,
    /// Parameters of the call.
    pub parameters: Map<String, Value>,
    /// JSON Schema of each variable.
    pub inputs: BTreeMap<String, Value>,
    /// JSON Schema of the answer.
    pub output: Option<Value>,
    /// Tools offered to the model.
    pub tools: Option<Value>,
    /// What is rendered.
    pub body: Body,
    /// Every direct include with the digest of its content, so that a digest covers the whole closure.
    pub includes: BTreeMap<PromptRef, Digest>,
}

/// Says why stored bytes are not a content.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The bytes are not JSON.
    #[error("the content is not JSON")]
    Json(#[source] serde_json::Error),
    /// A field is missing or of another type.
    #[error("the content's field `{0}` is missing or malformed")]
    Field(&'static str),
    /// The bytes have another digest than they were asked for by.
    #[error("the content has digest `{found}`, not `{expected}`")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What the bytes have.
        found: Digest,
    },
}

impl Content {
    /// Takes what reaches the model out of `prompt`; `includes` are its direct includes with their digests.
    pub fn new(prompt: &Prompt, includes: BTreeMap<PromptRef, Digest>) -> Self {
        Self {
            model: prompt.model.clone(),
            parameters: prompt.parameters.clone(),
            inputs: prompt.inputs.clone(),
            output: prompt.output.clone(),
            tools: prompt.tools.clone(),
            body: prompt.body.clone(),
            includes,
        }
    }

    /// Returns the digest that names this content (G1). Includes enter by their digests, so it covers the closure.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// Returns the digest of inputs and output: what callers depend on.
    pub fn interface_digest(&self) -> Digest {
        let full = self.to_json();
        let part: Map<String, Value> =
            ["inputs", "output"].into_iter().filter_map(|key| Some((key.to_owned(), full.get(key)?.clone()))).collect();
        Digest::of_json(&Value::Object(part))
    }

    /// Returns the digest of the prompt's own text, model and parameters, without what its includes say.
    pub fn own_digest(&self) -> Digest {
        let mut own = self.to_json();
        own.remove("includes");
        Digest::of_json(&Value::Object(own))
    }

    /// Returns the canonical bytes that are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(&Value::Object(self.to_json()))
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut json = Map::new();
        json.insert("model".into(), self.model.clone().into());
        if !self.parameters.is_empty() {
            json.insert("parameters".into(), Value::Object(self.parameters.clone()));
        }
        if !self.inputs.is_empty() {
            json.insert("inputs".into(), Value::Object(self.inputs.clone().into_iter().collect()));
        }
        if let Some(output) = &self.output {
            json.insert("output".into(), output.clone());
        }
        if let Some(tools) = &self.tools {
            json.insert("tools".into(), tools.clone());
        }
        match &self.body {
            Body::Template(template) => json.insert("template".into(), template.clone().into()),
            Body::Messages(messages) => json.insert("messages".into(), messages.iter().map(message_to_json).collect()),
        };
        if !self.includes.is_empty() {
            let includes = self.includes.iter().map(|(reference, digest)| (reference.to_string(), digest.to_string().into()));
            json.insert("includes".into(), Value::Object(includes.collect()));
        }
        json
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`ContentError::Json`] or [`ContentError::Field`] when they are not a content.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        let mut json: Map<String, Value> = serde_json::from_slice(bytes).map_err(ContentError::Json)?;
        let body = match (json.remove("template"), json.remove("messages")) {
            (Some(Value::String(template)), None) => Body::Template(template),
            (None, Some(Value::Array(messages))) => {
                let messages: Option<Vec<Message>> = messages.iter().map(message_from_json).collect();
                Body::Messages(messages.ok_or(ContentError::Field("messages"))?)
            }
            _ => return Err(ContentError::Field("template")),
        };
        Ok(Self {
            model: match json.remove("model") {
                Some(Value::String(model)) => model,
                _ => return Err(ContentError::Field("model")),
            },
            parameters: object(json.remove("parameters"), "parameters")?,
            inputs: object(json.remove("inputs"), "inputs")?.into_iter().collect(),
            output: json.remove("output"),
            tools: json.remove("tools"),
            body,
            includes: object(json.remove("includes"), "includes")?
                .into_iter()
                .map(|(reference, digest)| Some((reference.parse().ok()?, digest.as_str()?.parse().ok()?)))
                .collect::<Option<_>>()
                .ok_or(ContentError::Field("includes"))?,
        })
    }

    /// Reads stored bytes and refuses them unless their digest is `expected`.
    ///
    /// # Errors
    /// [`ContentError::Digest`] when a byte was changed, otherwise as [`Content::from_bytes`].
    pub fn from_verified_bytes(bytes: &[u8], expected: Digest) -> Result<Self, ContentError> {
        let found = Digest::of(bytes);
        if found != expected {
            return Err(ContentError::Digest { expected, found });
        }
        Self::from_bytes(bytes)
    }
}

fn message_to_json(message: &Message) -> Value {
    serde_json::json!({"role": message.role.name(), "content": message.content})
}

fn message_from_json(json: &Value) -> Option<Message> {
    let role = Role::from_name(json.get("role")?.as_str()?)?;
    Some(Message { role, content: json.get("content")?.as_str()?.to_owned() })
}

fn object(value: Option<Value>, field: &'static str) -> Result<Map<String, Value>, ContentError> {
    match value {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(ContentError::Field(field)),
    }
}

/// A content with everything it includes, directly or not: all that is needed to render it.
#[derive(Debug, Clone, PartialEq)]
pub struct Closure {
    /// The prompt itself.
    pub root: Content,
    /// Everything included, by reference.
    pub includes: BTreeMap<PromptRef, Content>,
}

impl Closure {
    /// Returns a closure of a content without includes.
    pub fn of(root: Content) -> Self {
        Self { root, includes: BTreeMap::new() }
    }

    /// Returns what the closure lacks: references with digests that no member resolves.
    pub fn missing(&self) -> Vec<(PromptRef, Digest)> {
        let mut missing = Vec::new();
        for content in std::iter::once(&self.root).chain(self.includes.values()) {
            for (reference, digest) in &content.includes {
                if !self.includes.contains_key(reference) {
                    missing.push((reference.clone(), *digest));
                }
            }
        }
        missing.sort();
        missing.dedup();
        missing
    }
}
