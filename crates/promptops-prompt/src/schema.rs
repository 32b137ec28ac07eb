//! The JSON Schema of prompt files, for editors.
//!
//! The types here say the form of a file in the words of JSON Schema; [`crate::draft`] is what reads files. A test holds the
//! two together: what the reader accepts the schema accepts, and what the schema refuses the reader refuses.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::Value;

/// One prompt in one version.
#[derive(JsonSchema)]
#[schemars(title = "PromptOps prompt", deny_unknown_fields, extend("anyOf" = [{"required": ["template"]}, {"required": ["messages"]}]))]
#[expect(dead_code, reason = "the type exists for its schema alone")]
struct PromptFile {
    /// The name: lower-case letters, digits and `-`, in parts joined by `.`. It is the file's path below the prompts folder.
    #[schemars(regex(pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$"), length(max = 200))]
    id: String,
    /// The version: 1, 2, 3 … A change of content is a new version.
    #[schemars(range(min = 1))]
    version: u32,
    /// The version that this one came from, or `other.prompt@3` for a fork. Needed from version 2.
    parent: Option<Parent>,
    /// Who answers for the prompt: a team or person of `owners.yaml`.
    #[schemars(length(min = 1))]
    owner: String,
    /// What the prompt is for.
    #[schemars(length(min = 1))]
    purpose: Option<String>,
    /// The model, best as a dated snapshot.
    #[schemars(length(min = 1))]
    model: String,
    /// Parameters of the call, as `temperature` and `max_tokens`.
    parameters: Option<BTreeMap<String, Value>>,
    /// Words to find and govern the prompt by.
    tags: Vec<String>,
    /// The variables of the template: a JSON Schema each; `default` makes one optional.
    inputs: Option<BTreeMap<String, InputSchema>>,
    /// JSON Schema of the answer.
    output: Option<InputSchema>,
    /// Tools offered to the model, as the provider takes them.
    tools: Option<Value>,
    /// One text, as a Jinja2 template. Renders to one user message.
    #[schemars(length(min = 1))]
    template: Option<String>,
    /// A conversation; each content is a Jinja2 template.
    #[schemars(length(min = 1))]
    messages: Option<Vec<MessageFile>>,
    /// Free numbers about the prompt, as `baseline_accuracy`.
    metrics: Option<BTreeMap<String, Value>>,
    /// Eval files, from the project's root.
    evals: Option<Vec<String>>,
    /// Versions that break callers or consumers on purpose, each with what they have to do.
    #[schemars(extend("propertyNames" = {"pattern": "^[1-9][0-9]*$"}))]
    breaking: Option<BTreeMap<String, String>>,
    /// The day it was first written.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    created: Option<String>,
    /// The day it was last changed.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    updated: Option<String>,
}

/// A version of the same prompt, or a pinned other one.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
enum Parent {
    /// An older version of this prompt.
    Version(#[schemars(range(min = 1))] u32),
    /// The prompt it was forked from.
    Fork(#[schemars(regex(pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*@[1-9][0-9]*$"))] String),
}

/// A JSON Schema.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
enum InputSchema {
    /// The usual form.
    Object(BTreeMap<String, Value>),
    /// `true` takes everything.
    Truth(bool),
    /// Nothing said.
    Nothing(()),
}

/// One message.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema alone")]
struct MessageFile {
    /// Who speaks.
    role: RoleFile,
    /// What is said, as a Jinja2 template.
    #[schemars(length(min = 1))]
    content: String,
}

/// Who speaks.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the type exists for its schema alone")]
enum RoleFile {
    /// The instructions of the operator.
    System,
    /// Newer name of `system` at some providers.
    Developer,
    /// The person, or the program that stands for one.
    User,
    /// The model.
    Assistant,
}

/// Returns the JSON Schema (draft 2020-12) of prompt files.
pub fn prompt_file() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PromptFile>()
}
