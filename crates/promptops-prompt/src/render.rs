//! Rendering: a closure and the values of its variables become messages.
//!
//! Templates are Jinja2 as minijinja reads it: undefined variables are errors, nothing is escaped, a trailing newline stays,
//! and both the work and the size of the output are bounded, so that no template hangs or fills the memory.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use crate::content::Closure;
use crate::digest::Digest;
use crate::id::PromptRef;
use crate::prompt::{Body, Message, Role};
use crate::template;

pub use minijinja::Value as TemplateValue;

/// Steps of the template engine that each template may take. 64 bytes that it makes count as one, so it makes 64 MB at most.
pub const MAX_FUEL: u64 = 1_000_000;
/// Bytes that one rendering may produce, all messages together.
pub const MAX_OUTPUT_BYTES: usize = 4 << 20;

/// Says why a prompt could not be rendered, and so what the reader can do.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Variables without a default were not given.
    #[error("required variables are missing: {}", quoted(.0))]
    MissingInputs(Vec<String>),
    /// Variables were given that the prompt does not declare.
    #[error("variables are not declared in `inputs`: {}", quoted(.0))]
    UnknownInputs(Vec<String>),
    /// A value is not of the type or not in the enum that `inputs` states.
    #[error("variable `{name}` must be {expected}, got {found}")]
    InputType {
        /// The variable.
        name: String,
        /// What its schema states.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The template is not valid, or failed on these values.
    #[error("{place}: {message}")]
    Template {
        /// The template and the line in it.
        place: String,
        /// What the engine says.
        message: String,
    },
    /// The template did more work than [`MAX_FUEL`] steps.
    #[error("{place}: the template takes more than {MAX_FUEL} steps; is there an endless loop?")]
    TooMuchWork {
        /// The template.
        place: String,
    },
    /// The output is larger than [`MAX_OUTPUT_BYTES`].
    #[error("{place}: the output is larger than {MAX_OUTPUT_BYTES} bytes")]
    TooLarge {
        /// The template.
        place: String,
    },
    /// The closure lacks an include.
    #[error("include `{0}` is not in the closure")]
    MissingInclude(PromptRef),
    /// An included prompt has messages instead of a template.
    #[error("include `{0}` has messages; only a prompt with a `template` can be included")]
    IncludeHasMessages(PromptRef),
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A rendered prompt, ready for a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The messages in order. A prompt with a `template` gives one user message.
    pub messages: Vec<Message>,
}

impl Rendered {
    /// Returns the digest of the messages, for telling equal inputs apart from changed ones without keeping them.
    pub fn digest(&self) -> Digest {
        let messages = self.messages.iter().map(|message| serde_json::json!([message.role.name(), message.content]));
        Digest::of_json(&Value::Array(messages.collect()))
    }
}

#[derive(Debug)]
struct Input {
    default: Option<TemplateValue>,
    types: Vec<String>,
    allowed: Option<Vec<Value>>,
}

/// Compiled templates of one closure. Cheap to call, shareable between threads.
#[derive(Debug)]
pub struct Renderer {
    environment: Environment<'static>,
    names: Vec<(Role, String)>,
    inputs: BTreeMap<String, Input>,
}

/// Returns the syntax of templates: Jinja2's, with the trailing newline kept, since white space is behaviour.
pub(crate) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the default delimiters are valid")
}

fn to_template_value(value: &Value) -> TemplateValue {
    TemplateValue::from(Serde(value))
}

/// Returns the template environment that every template of PromptOps is compiled in.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // The engine formats every value through `fmt`; a text, which most values are, can be written as it is.
    environment.set_formatter(|output, state, value| match value.as_str() {
        Some(text) => output.write_str(text).map_err(minijinja::Error::from),
        None => escape_formatter(output, state, value),
    });
    environment.set_syntax(syntax());
    environment.set_fuel(Some(MAX_FUEL));
    environment.set_debug(false);
    environment
}

impl Renderer {
    /// Compiles the templates of `closure`.
    ///
    /// # Errors
    /// [`RenderError::MissingInclude`], [`RenderError::IncludeHasMessages`], or [`RenderError::Template`] for a syntax error.
    pub fn new(closure: &Closure) -> Result<Self, RenderError> {
        let mut environment = environment();
        if let Some((reference, _)) = closure.missing().into_iter().next() {
            return Err(RenderError::MissingInclude(reference));
        }
        for (reference, content) in &closure.includes {
            let Body::Template(template) = &content.body else {
                return Err(RenderError::IncludeHasMessages(reference.clone()));
            };
            add(&mut environment, reference.to_string(), template)?;
        }
        let mut names = Vec::new();
        match &closure.root.body {
            Body::Template(template) => {
                add(&mut environment, "template".to_owned(), template)?;
                names.push((Role::User, "template".to_owned()));
            }
            Body::Messages(messages) => {
                for (index, message) in messages.iter().enumerate() {
                    let name = format!("messages[{index}]");
                    add(&mut environment, name.clone(), &message.content)?;
                    names.push((message.role, name));
                }
            }
        }
        let inputs = closure.root.inputs.iter().map(|(name, schema)| (name.clone(), Input::new(schema))).collect();
        Ok(Self { environment, names, inputs })
    }

    /// Renders with JSON values.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render(&self, inputs: &serde_json::Map<String, Value>) -> Result<Rendered, RenderError> {
        self.render_values(inputs.iter().map(|(name, value)| (name.clone(), to_template_value(value))).collect())
    }

    /// Renders with values of the template engine: the quick way for bindings.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render_values(&self, mut values: BTreeMap<String, TemplateValue>) -> Result<Rendered, RenderError> {
        self.complete(&mut values)?;
        let context = TemplateValue::from(values);
        let mut messages = Vec::with_capacity(self.names.len());
        let mut room = MAX_OUTPUT_BYTES;
        for (role, name) in &self.names {
            let content = self.render_template(name, &context, room)?;
            room -= content.len();
            messages.push(Message { role: *role, content });
        }
        Ok(Rendered { messages })
    }

    /// Fills in defaults and refuses what does not fit `inputs`.
    fn complete(&self, values: &mut BTreeMap<String, TemplateValue>) -> Result<(), RenderError> {
        let unknown: Vec<String> = values.keys().filter(|name| !self.inputs.contains_key(*name)).cloned().collect();
        if !unknown.is_empty() {
            return Err(RenderError::UnknownInputs(unknown));
        }
        let mut missing = Vec::new();
        for (name, input) in &self.inputs {
            match (values.get(name), &input.default) {
                (Some(value), _) => input.check(name, value)?,
                (None, Some(default)) => {
                    values.insert(name.clone(), default.clone());
                }
                (None, None) => missing.push(name.clone()),
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(RenderError::MissingInputs(missing)) }
    }

    fn render_template(&self, name: &str, context: &TemplateValue, room: usize) -> Result<String, RenderError> {
        let template = self.environment.get_template(name).expect("every name was added when the closure was compiled");
        // The engine charges its fuel for every byte, so that what is made and then refused as too large is bounded as well.
        let output = template.render(context).map_err(|error| template_error(name, &error))?;
        if output.len() > room {
            return Err(RenderError::TooLarge { place: name.to_owned() });
        }
        Ok(output)
    }
}

fn add(environment: &mut Environment<'static>, name: String, template: &str) -> Result<(), RenderError> {
    if let Err(error) = template::within_bounds(template) {
        let line = template[..error.place.start].matches('\n').count() + 1;
        return Err(RenderError::Template { place: format!("{name}, line {line}"), message: error.message });
    }
    let owned = template.to_owned();
    environment.add_template_owned(name.clone(), owned).map_err(|error| template_error(&name, &error))
}

/// Says where and why a template failed, without the engine's own layout.
fn template_error(name: &str, error: &minijinja::Error) -> RenderError {
    let place = match (error.name().unwrap_or(name), error.line()) {
        (name, Some(line)) => format!("{name}, line {line}"),
        (name, None) => name.to_owned(),
    };
    if error.kind() == ErrorKind::OutOfFuel {
        return RenderError::TooMuchWork { place };
    }
    let mut message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<minijinja::Error>() {
            if cause.kind() == ErrorKind::OutOfFuel {
                return RenderError::TooMuchWork { place };
            }
            message = cause.detail().map_or_else(|| cause.kind().to_string(), str::to_owned);
        }
        source = cause.source();
    }
    if error.kind() == ErrorKind::UndefinedError && error.detail().is_none() {
        message = "a value is undefined here; is the name right, and does the value have this field?".to_owned();
    }
    RenderError::Template { place, message }
}

impl Input {
    fn new(schema: &Value) -> Self {
        let types = match schema.get("type") {
            Some(Value::String(name)) => vec![name.clone()],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Self {
            default: schema.get("default").map(to_template_value),
            types,
            allowed: schema.get("enum").and_then(Value::as_array).cloned(),
        }
    }

    /// Checks `type` and `enum`, which is what callers get wrong; the other keywords are for tools that know the schema.
    fn check(&self, name: &str, value: &TemplateValue) -> Result<(), RenderError> {
        if !self.types.is_empty() && !self.types.iter().any(|expected| has_type(value, expected)) {
            let expected = self.types.join(" or ");
            return Err(RenderError::InputType { name: name.to_owned(), expected, found: value.kind().to_string() });
        }
        let Some(allowed) = &self.allowed else { return Ok(()) };
        if allowed.iter().any(|one| to_template_value(one) == *value) {
            return Ok(());
        }
        let choices: Vec<Cow<'_, str>> = allowed.iter().map(|one| one.to_string().into()).collect();
        Err(RenderError::InputType {
            name: name.to_owned(),
            expected: format!("one of {}", choices.join(", ")),
            found: format!("`{value}`"),
        })
    }
}

fn has_type(value: &TemplateValue, expected: &str) -> bool {
    use minijinja::value::ValueKind;
    match expected {
        "string" => value.kind() == ValueKind::String,
        "number" => value.kind() == ValueKind::Number,
        "integer" => value.is_integer() || f64::try_from(value.clone()).is_ok_and(|number| number.fract() == 0.0),
        "boolean" => value.kind() == ValueKind::Bool,
        "array" => matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable),
        "object" => value.kind() == ValueKind::Map,
        "null" => value.kind() == ValueKind::None,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::content::Content;

    fn content(body: Body, inputs: Value) -> Content {
        Content {
            model: "m".into(),
            parameters: serde_json::Map::new(),
            inputs: inputs.as_object().unwrap().clone().into_iter().collect(),
            output: None,
            tools: None,
            body,
            includes: BTreeMap::new(),
        }
    }

    fn template(text: &str, inputs: Value) -> Closure {
        Closure::of(content(Body::Template(text.into()), inputs))
    }

    fn render(closure: &Closure, values: Value) -> Result<String, RenderError> {
        let rendered = Renderer::new(closure)?.render(values.as_object().unwrap())?;
        Ok(rendered.messages.into_iter().map(|message| message.content).collect())
    }

    #[test]
    fn keeps_white_space_and_escapes_nothing() {
        let closure = template("  <{{ x }}>\n\n", json!({"x": {}}));
        assert_eq!(render(&closure, json!({"x": "a & \"b\""})).unwrap(), "  <a & \"b\">\n\n");
    }

    #[test]
    fn fills_in_defaults_and_names_every_missing_variable() {
        let closure = template("{{ a }}{{ b }}{{ c }}", json!({"a": {}, "b": {"default": "B"}, "c": {}}));
        assert_eq!(render(&closure, json!({"a": 1, "c": 2})).unwrap(), "1B2");
        assert_eq!(render(&closure, json!({})).unwrap_err().to_string(), "required variables are missing: `a`, `c`");
        assert_eq!(
            render(&closure, json!({"a": 1, "c": 2, "d": 3})).unwrap_err().to_string(),
            "variables are not declared in `inputs`: `d`"
        );
    }

    #[test]
    fn refuses_a_value_of_another_type() {
        let closure = template("{{ n }}", json!({"n": {"type": "integer", "enum": [1, 2]}}));
        assert_eq!(render(&closure, json!({"n": 2})).unwrap(), "2");
        assert_eq!(render(&closure, json!({"n": "2"})).unwrap_err().to_string(), "variable `n` must be integer, got string");
        assert_eq!(render(&closure, json!({"n": 3})).unwrap_err().to_string(), "variable `n` must be one of 1, 2, got `3`");
    }

    #[test]
    fn includes_see_the_variables_of_the_prompt() {
        let tone: PromptRef = "shared.tone@3".parse().unwrap();
        let shared = content(Body::Template("Be {{ mood }}.".into()), json!({"mood": {}}));
        let mut root = content(
            Body::Messages(vec![
                Message { role: Role::System, content: "{% include \"shared.tone@3\" %}".into() },
                Message { role: Role::User, content: "{{ mood }}?".into() },
            ]),
            json!({"mood": {"type": "string"}}),
        );
        root.includes.insert(tone.clone(), shared.digest());
        let closure = Closure { root, includes: [(tone, shared)].into() };
        let rendered = Renderer::new(&closure).unwrap().render(json!({"mood": "kind"}).as_object().unwrap()).unwrap();
        assert_eq!(rendered.messages[0], Message { role: Role::System, content: "Be kind.".into() });
        assert_eq!(rendered.messages[1], Message { role: Role::User, content: "kind?".into() });
        let lacking = Closure { includes: BTreeMap::new(), ..closure };
        assert_eq!(Renderer::new(&lacking).unwrap_err().to_string(), "include `shared.tone@3` is not in the closure");
    }

    #[test]
    fn stops_what_would_not_end() {
        let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{% set c = a %}{% endfor %}{% endfor %}";
        assert!(matches!(render(&template(endless, json!({})), json!({})), Err(RenderError::TooMuchWork { .. })));
        let itself = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
        assert!(matches!(render(&template(itself, json!({})), json!({})), Err(RenderError::Template { .. })));
    }

    #[test]
    fn refuses_a_template_that_would_fill_the_stack() {
        let chain = format!("one\n{{{{ 1{} }}}}", " + 1".repeat(15_000));
        let error = Renderer::new(&template(&chain, json!({}))).unwrap_err();
        assert!(error.to_string().starts_with("template, line 2: an expression has more than 500 steps"), "{error}");
    }

    #[test]
    fn stops_an_output_that_is_too_large() {
        let large = "{% for a in range(9000) %}{{ x }}{% endfor %}";
        let closure = template(large, json!({"x": {}}));
        assert!(matches!(render(&closure, json!({"x": "y".repeat(1000)})), Err(RenderError::TooLarge { .. })));
    }

    #[test]
    fn names_the_place_of_a_failure() {
        let error = render(&template("one\n{{ user.name.first }}", json!({"user": {}})), json!({"user": {}})).unwrap_err();
        assert!(error.to_string().starts_with("template, line 2: "), "{error}");
        let error = Renderer::new(&template("a\nb {% if %}", json!({}))).unwrap_err();
        assert!(error.to_string().starts_with("template, line 2: "), "{error}");
    }
}
