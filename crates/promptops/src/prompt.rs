//! A loaded prompt: whole, verified, compiled, and frozen.

use std::collections::BTreeMap;
use std::sync::Arc;

use promptops_prompt::digest::canonical_json;
use promptops_prompt::render::{Rendering, View};
use promptops_prompt::rollout::Arm;
use promptops_prompt::template_value::TemplateValue;
use promptops_prompt::{Body, Digest, Message, Metadata, PromptRef, RenderError, Rendered, Renderer};
use promptops_telemetry::{Invocation, content_hash};
use serde_json::{Map, Value};

use crate::call::{Call, Recorder};
use crate::error::Error;
use crate::source::Loaded;

/// One version of a prompt, ready to render.
///
/// It never changes, so threads share it freely, and it stays what it was when a newer version is published or its file
/// is edited.
pub struct Prompt {
    prompt: promptops_prompt::Prompt,
    digest: Digest,
    renderer: Renderer,
    labels: Vec<String>,
    parameters_hash: Option<String>,
    tools_hash: Option<String>,
    arm: Option<Arm>,
    recorder: Arc<Recorder>,
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digest = self.digest.to_string();
        out.debug_struct("Prompt").field("id", &self.id()).field("version", &self.version()).field("digest", &digest).finish()
    }
}

impl Prompt {
    pub(crate) fn new(loaded: Loaded, recorder: Arc<Recorder>) -> Result<Self, Error> {
        let Loaded { prompt, digest, closure, arm, .. } = loaded;
        let renderer = Renderer::new(&closure).map_err(|source| render_error(&prompt, source))?;
        let hash = |value: &Value| content_hash(&String::from_utf8_lossy(&canonical_json(value)));
        let parameters = (!prompt.parameters.is_empty()).then(|| Value::Object(prompt.parameters.clone()));
        Ok(Self {
            labels: labels(prompt.output.as_ref()),
            parameters_hash: parameters.as_ref().map(hash),
            tools_hash: prompt.tools.as_ref().map(hash),
            prompt,
            digest,
            renderer,
            arm,
            recorder,
        })
    }

    /// Returns the name.
    pub fn id(&self) -> &str {
        self.prompt.id.as_str()
    }

    /// Returns the version, from 1.
    pub fn version(&self) -> u32 {
        self.prompt.version.number()
    }

    /// Returns `id@version`.
    pub fn reference(&self) -> PromptRef {
        self.prompt.reference()
    }

    /// Returns the version that this one came from.
    pub fn parent(&self) -> Option<&PromptRef> {
        self.prompt.parent.as_ref()
    }

    /// Returns the digest of the content, which covers everything included (G1).
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the team or person that answers for the prompt.
    pub fn owner(&self) -> &str {
        &self.prompt.metadata.owner
    }

    /// Returns what the prompt is for.
    pub fn purpose(&self) -> Option<&str> {
        self.prompt.metadata.purpose.as_deref()
    }

    /// Returns the model that the prompt was written for, as the provider takes it.
    pub fn model(&self) -> &str {
        &self.prompt.model
    }

    /// Returns the parameters of the call, as `temperature`.
    pub fn parameters(&self) -> &Map<String, Value> {
        &self.prompt.parameters
    }

    /// Returns the tags, in the written order.
    pub fn tags(&self) -> &[String] {
        &self.prompt.metadata.tags
    }

    /// Returns the template: that of a prompt with `template`, or of the only message. A prompt with several messages
    /// has no single template; see [`Prompt::body`].
    pub fn template(&self) -> Option<&str> {
        match &self.prompt.body {
            Body::Template(template) => Some(template),
            Body::Messages(messages) => match messages.as_slice() {
                [only] => Some(&only.content),
                _ => None,
            },
        }
    }

    /// Returns the template or the messages before rendering.
    pub fn body(&self) -> &Body {
        &self.prompt.body
    }

    /// Returns the JSON Schema of each variable.
    pub fn inputs(&self) -> &BTreeMap<String, Value> {
        &self.prompt.inputs
    }

    /// Returns the JSON Schema of the answer.
    pub fn output(&self) -> Option<&Value> {
        self.prompt.output.as_ref()
    }

    /// Returns the tools offered to the model, as the provider takes them.
    pub fn tools(&self) -> Option<&Value> {
        self.prompt.tools.as_ref()
    }

    /// Returns for which side of a rollout it was loaded; nothing where none is under way, or the version was asked for by its
    /// number.
    pub fn arm(&self) -> Option<Arm> {
        self.arm
    }

    /// Returns owner, purpose, tags, metrics and dates.
    pub fn metadata(&self) -> &Metadata {
        &self.prompt.metadata
    }

    /// Renders to one text.
    ///
    /// # Errors
    /// [`Error::SeveralMessages`] for a prompt with more than one message, [`Error::Render`] when a value is missing, not
    /// declared or of the wrong type, or the template fails on it.
    pub fn render(&self, values: &Map<String, Value>) -> Result<String, Error> {
        self.single(self.rendered(values)?)
    }

    /// Renders to messages. A prompt with a `template` gives one user message.
    ///
    /// # Errors
    /// [`Error::Render`], as [`Prompt::render`].
    pub fn messages(&self, values: &Map<String, Value>) -> Result<Vec<Message>, Error> {
        Ok(self.rendered(values)?.messages)
    }

    /// Renders with JSON values to messages that know their digest.
    ///
    /// # Errors
    /// [`Error::Render`], as [`Prompt::render`].
    pub fn rendered(&self, values: &Map<String, Value>) -> Result<Rendered, Error> {
        self.renderer.render(values).map_err(|source| render_error(&self.prompt, source))
    }

    /// Renders with values of the template engine: the quick way for values that are used again.
    ///
    /// # Errors
    /// [`Error::Render`], as [`Prompt::render`].
    pub fn rendered_values<N: AsRef<str>>(
        &self,
        values: impl IntoIterator<Item = (N, TemplateValue)>,
    ) -> Result<Rendered, Error> {
        self.renderer.render_values(values).map_err(|source| render_error(&self.prompt, source))
    }

    /// Returns the names of the variables, in the order in which [`Prompt::render_in_place`] takes their values.
    pub fn input_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.renderer.input_names()
    }

    /// Returns the names of the fields that the templates look up in records, for [`Prompt::render_in_place`].
    pub fn field_names(&self) -> &[Box<str>] {
        self.renderer.field_names()
    }

    /// Renders values where they are: the quickest way for bindings; see [`Renderer::render_in_place`]. Returns none where they
    /// have to be converted, for [`Prompt::rendering`].
    pub fn render_in_place<V: View>(&self, values: &[V], names: &[V::Name]) -> Option<Rendered> {
        self.renderer.render_in_place(values, names)
    }

    /// Begins a rendering that is given its values one by one, for [`Prompt::finish`].
    pub fn rendering(&self) -> Rendering<'_> {
        self.renderer.rendering()
    }

    /// Renders with the values that a rendering begun by this prompt was given.
    ///
    /// # Errors
    /// [`Error::Render`], as [`Prompt::render`].
    pub fn finish(&self, rendering: Rendering<'_>) -> Result<Rendered, Error> {
        rendering.finish().map_err(|source| render_error(&self.prompt, source))
    }

    /// Takes the only message out of what was rendered.
    ///
    /// # Errors
    /// [`Error::SeveralMessages`] when there is more than one.
    pub fn single(&self, rendered: Rendered) -> Result<String, Error> {
        let count = rendered.messages.len();
        match (rendered.messages.into_iter().next(), count) {
            (Some(only), 1) => Ok(only.content),
            _ => Err(Error::SeveralMessages { id: self.prompt.id.clone(), messages: count }),
        }
    }

    /// Begins a call of the model: latency runs from here.
    pub fn invocation(self: &Arc<Self>) -> Call {
        Call::begin(Arc::clone(self), &self.recorder)
    }

    /// Begins a call of the model that is part of another call: its record has `outer` as the parent, and is of the same
    /// session, agent and trace. So the run of an agent is a tree.
    pub fn invocation_within(self: &Arc<Self>, outer: &Invocation) -> Call {
        Call::within(outer, Arc::clone(self), &self.recorder)
    }

    /// Says whether two prompts are the same in content, in what is said about it, and in what they were loaded for.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.prompt.id == other.prompt.id
            && self.prompt.version == other.prompt.version
            && self.digest == other.digest
            && self.prompt.parent == other.prompt.parent
            && self.prompt.metadata == other.prompt.metadata
            && self.arm == other.arm
    }

    /// Returns the answers that `output` allows, when it names them.
    pub(crate) fn labels(&self) -> &[String] {
        &self.labels
    }

    pub(crate) fn parameters_hash(&self) -> Option<&str> {
        self.parameters_hash.as_deref()
    }

    pub(crate) fn tools_hash(&self) -> Option<&str> {
        self.tools_hash.as_deref()
    }
}

fn render_error(prompt: &promptops_prompt::Prompt, source: RenderError) -> Error {
    Error::Render { id: prompt.id.clone(), version: prompt.version, source }
}

/// Reads the `enum` of an output schema; a text stands for itself, any other value for its JSON.
fn labels(output: Option<&Value>) -> Vec<String> {
    let allowed = output.and_then(|schema| schema.get("enum")).and_then(Value::as_array);
    let label = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    allowed.into_iter().flatten().map(label).collect()
}
