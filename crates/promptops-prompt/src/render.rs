//! Rendering: a closure and the values of its variables become messages.
//!
//! Templates are Jinja2 as minijinja reads it: undefined variables are errors, nothing is escaped, a trailing newline stays,
//! and both the work and the size of the output are bounded, so that no template hangs or fills the memory.

mod program;
mod view;

use minijinja::syntax::SyntaxConfig;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use crate::content::Closure;
use crate::digest::Digest;
use crate::id::PromptRef;
use crate::prompt::{Body, Message, Role};
use crate::template;
use crate::template_value::{Mappings, Names, TemplateValue, mapping};

pub(crate) use program::{Condition, Fact, Operand, Place, Program, Root, Step};
pub use view::{Seen, View};

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
    name: String,
    default: Option<DefaultValue>,
    /// Empty when every type will do.
    types: Vec<Type>,
    /// The allowed values, each as it is compared and as it is shown.
    allowed: Option<Vec<(TemplateValue, Value)>>,
}

/// The value of a variable that is not given one.
#[derive(Debug)]
struct DefaultValue {
    json: Value,
    converted: TemplateValue,
}

/// A type of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    String,
    Number,
    Integer,
    Boolean,
    Array,
    Object,
    Null,
}

/// Compiled templates of one closure. Cheap to call, shareable between threads.
#[derive(Debug)]
pub struct Renderer {
    environment: Environment<'static>,
    templates: Vec<(Role, String)>,
    program: Program,
    /// How long the last rendering was, in bytes, all messages together: about what the next one will be.
    last_bytes: AtomicUsize,
    /// The names of `inputs`, in the same order.
    names: Names,
    inputs: Vec<Input>,
}

/// Returns the syntax of templates: Jinja2's, with the trailing newline kept, since white space is behaviour.
pub(crate) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the default delimiters are valid")
}

/// Writes a value as the engine does, which formats every one through `fmt`; texts and integers, which most values are, can
/// be written as they are.
fn format(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &TemplateValue) -> Result<(), minijinja::Error> {
    if let Some(text) = value.as_str() {
        return Ok(output.write_str(text)?);
    }
    if value.is_integer()
        && let Ok(number) = i64::try_from(value.clone())
    {
        return Ok(output.write_str(itoa::Buffer::new().format(number))?);
    }
    escape_formatter(output, state, value)
}

/// Returns the template environment that every template of PromptOps is compiled in.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(format);
    environment.set_syntax(syntax());
    environment.set_fuel(Some(MAX_FUEL));
    // With it a loop could put a value into itself until dropping it fills the stack, which no fuel bounds.
    environment.remove_global("namespace");
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
        let mut templates = Vec::new();
        let texts: Vec<&str> = closure.root.body.templates().collect();
        match &closure.root.body {
            Body::Template(template) => {
                add(&mut environment, "template".to_owned(), template)?;
                templates.push((Role::User, "template".to_owned()));
            }
            Body::Messages(messages) => {
                for (index, message) in messages.iter().enumerate() {
                    let name = format!("messages[{index}]");
                    add(&mut environment, name.clone(), &message.content)?;
                    templates.push((message.role, name));
                }
            }
        }
        let names: Vec<&str> = closure.root.inputs.keys().map(String::as_str).collect();
        let includes = closure.includes.iter().map(|(name, content)| (name.to_string(), content.body.templates()));
        let includes = includes.filter_map(|(name, mut templates)| Some((name, templates.next()?))).collect();
        let program = template::program(&texts, &names, &includes);
        let names = Names::of_sorted(names.into_iter());
        let inputs = closure.root.inputs.iter().map(|(name, schema)| Input::new(name, schema)).collect();
        Ok(Self { environment, templates, program, last_bytes: AtomicUsize::new(0), names, inputs })
    }

    /// Renders with JSON values.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render(&self, inputs: &serde_json::Map<String, Value>) -> Result<Rendered, RenderError> {
        if let Some(rendered) = self.json_in_place(inputs) {
            return Ok(rendered);
        }
        let mut mappings = Mappings::default();
        self.render_values(inputs.iter().map(|(name, value)| (name, mappings.json(value))))
    }

    /// Renders with values of the template engine.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render_values<N: AsRef<str>>(
        &self,
        values: impl IntoIterator<Item = (N, TemplateValue)>,
    ) -> Result<Rendered, RenderError> {
        let mut rendering = self.rendering();
        for (name, value) in values {
            rendering.set(name.as_ref(), value);
        }
        rendering.finish()
    }

    /// Begins a rendering that is given its values one by one: the quick way for bindings.
    pub fn rendering(&self) -> Rendering<'_> {
        Rendering { renderer: self, values: vec![None; self.inputs.len()], unknown: Vec::new() }
    }

    /// Returns the names of the variables, in the order in which [`Renderer::render_in_place`] takes them.
    pub fn input_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.inputs.iter().map(|input| input.name.as_str())
    }

    /// Returns the names of the fields that the templates look up in records, for [`Renderer::render_in_place`].
    pub fn field_names(&self) -> &[Box<str>] {
        &self.program.names
    }

    /// Renders values where they are, copying nothing but what is written.
    ///
    /// `values` has one for each of [`Renderer::input_names`], defaults filled in; `names` are [`Renderer::field_names`] as these
    /// values look them up. Returns none where the values are better converted and rendered with [`Renderer::rendering`]: when they
    /// do not fit `inputs`, or the templates do with them what only the template engine can.
    pub fn render_in_place<V: View>(&self, values: &[V], names: &[V::Name]) -> Option<Rendered> {
        let fits = self.inputs.iter().zip(values).all(|(input, value)| input.surely_takes(value.look()));
        if !fits || self.inputs.len() != values.len() {
            return None;
        }
        let mut messages = Vec::with_capacity(self.templates.len());
        let mut room = MAX_OUTPUT_BYTES;
        let expected = self.last_bytes.load(Ordering::Relaxed) / self.templates.len().max(1);
        for (index, (role, _)) in self.templates.iter().enumerate() {
            let mut content = String::with_capacity(expected);
            self.program.run(index, values, names, &mut content)?;
            room = room.checked_sub(content.len())?;
            messages.push(Message { role: *role, content });
        }
        self.last_bytes.store(MAX_OUTPUT_BYTES - room, Ordering::Relaxed);
        Some(Rendered { messages })
    }

    fn json_in_place(&self, inputs: &serde_json::Map<String, Value>) -> Option<Rendered> {
        let mut given = 0;
        let mut values = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let value = inputs.get(&input.name);
            given += usize::from(value.is_some());
            values.push(value.or(input.default.as_ref().map(|default| &default.json))?);
        }
        if given < inputs.len() {
            return None;
        }
        self.render_in_place(&values, &self.program.names)
    }

    fn by_engine(&self, values: Vec<TemplateValue>) -> Result<Rendered, RenderError> {
        let context = mapping(self.names.clone(), values);
        let mut messages = Vec::with_capacity(self.templates.len());
        let mut room = MAX_OUTPUT_BYTES;
        for (role, name) in &self.templates {
            let content = self.render_template(name, &context, room)?;
            room -= content.len();
            messages.push(Message { role: *role, content });
        }
        Ok(Rendered { messages })
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

/// A rendering that is being given its values.
#[derive(Debug)]
pub struct Rendering<'a> {
    renderer: &'a Renderer,
    /// One for each input, in its place.
    values: Vec<Option<TemplateValue>>,
    unknown: Vec<String>,
}

impl Rendering<'_> {
    /// Gives a variable its value. When it had one, the new one counts.
    pub fn set(&mut self, name: &str, value: TemplateValue) {
        match self.renderer.names.position(name).and_then(|index| self.values.get_mut(index)) {
            Some(place) => *place = Some(value),
            None => self.unknown.push(name.to_owned()),
        }
    }

    /// Renders with the values given, and with defaults for the others.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn finish(self) -> Result<Rendered, RenderError> {
        let renderer = self.renderer;
        let values = self.complete()?;
        if let Some(rendered) = renderer.render_in_place(&values, &renderer.program.names) {
            return Ok(rendered);
        }
        renderer.by_engine(values)
    }

    /// Fills in defaults and refuses what does not fit `inputs`.
    fn complete(mut self) -> Result<Vec<TemplateValue>, RenderError> {
        if !self.unknown.is_empty() {
            self.unknown.sort();
            self.unknown.dedup();
            return Err(RenderError::UnknownInputs(self.unknown));
        }
        let mut missing = Vec::new();
        for (input, place) in self.renderer.inputs.iter().zip(&mut self.values) {
            match (&*place, &input.default) {
                (Some(value), _) => input.check(value)?,
                (None, Some(default)) => *place = Some(default.converted.clone()),
                (None, None) => missing.push(input.name.clone()),
            }
        }
        if missing.is_empty() {
            // Every place has a value; this way the memory is kept.
            Ok(self.values.into_iter().map(Option::unwrap_or_default).collect())
        } else {
            Err(RenderError::MissingInputs(missing))
        }
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
    fn new(name: &str, schema: &Value) -> Self {
        let types: Vec<Option<Type>> = match schema.get("type") {
            Some(Value::String(name)) => vec![Type::named(name)],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(Type::named).collect(),
            _ => Vec::new(),
        };
        let mut mappings = Mappings::default();
        Self {
            name: name.to_owned(),
            default: schema.get("default").map(|json| DefaultValue { json: json.clone(), converted: mappings.json(json) }),
            // A type that is unknown here may be any.
            types: types.into_iter().collect::<Option<_>>().unwrap_or_default(),
            allowed: schema
                .get("enum")
                .and_then(Value::as_array)
                .map(|all| all.iter().map(|one| (mappings.json(one), one.clone())).collect()),
        }
    }

    /// Says that [`Input::check`] would accept a value, as far as that is seen.
    fn surely_takes(&self, seen: Seen<'_>) -> bool {
        let is_of_type = self.types.is_empty() || self.types.iter().any(|expected| expected.surely_holds(seen));
        let is_allowed = self.allowed.as_ref().is_none_or(|allowed| match seen {
            Seen::Text(text) => allowed.iter().any(|(_, one)| one.as_str() == Some(text)),
            _ => false,
        });
        is_of_type && is_allowed
    }

    /// Checks `type` and `enum`, which is what callers get wrong; the other keywords are for tools that know the schema.
    fn check(&self, value: &TemplateValue) -> Result<(), RenderError> {
        if !self.types.is_empty() && !self.types.iter().any(|expected| expected.holds(value)) {
            let expected = self.types.iter().map(|expected| expected.name()).collect::<Vec<_>>().join(" or ");
            return Err(RenderError::InputType { name: self.name.clone(), expected, found: value.kind().to_string() });
        }
        let Some(allowed) = &self.allowed else { return Ok(()) };
        if allowed.iter().any(|(one, _)| one == value) {
            return Ok(());
        }
        let choices: Vec<String> = allowed.iter().map(|(_, shown)| shown.to_string()).collect();
        Err(RenderError::InputType {
            name: self.name.clone(),
            expected: format!("one of {}", choices.join(", ")),
            found: format!("`{value}`"),
        })
    }
}

impl Type {
    const ALL: [Self; 7] = [Self::String, Self::Number, Self::Integer, Self::Boolean, Self::Array, Self::Object, Self::Null];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
            Self::Null => "null",
        }
    }

    fn surely_holds(self, seen: Seen<'_>) -> bool {
        match self {
            Self::String => matches!(seen, Seen::Text(_)),
            Self::Number => matches!(seen, Seen::Integer(_) | Seen::Float(_)),
            Self::Integer => matches!(seen, Seen::Integer(_)),
            Self::Boolean => matches!(seen, Seen::Truth(_)),
            Self::Array => matches!(seen, Seen::List(_)),
            Self::Object => matches!(seen, Seen::Mapping(_)),
            Self::Null => seen == Seen::Nothing,
        }
    }

    fn holds(self, value: &TemplateValue) -> bool {
        match self {
            Self::String => value.kind() == ValueKind::String,
            Self::Number => value.kind() == ValueKind::Number,
            Self::Integer => value.is_integer() || f64::try_from(value.clone()).is_ok_and(|number| number.fract() == 0.0),
            Self::Boolean => value.kind() == ValueKind::Bool,
            Self::Array => matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable),
            Self::Object => value.kind() == ValueKind::Map,
            Self::Null => value.kind() == ValueKind::None,
        }
    }
}

#[cfg(test)]
mod program_tests;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use minijinja::value::Serde;
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
    fn writes_values_as_the_engine_does() {
        let values = json!([0, -7, 1.0, 2.5, 1e300, true, null, u64::MAX, i64::MIN, i64::MAX, "a", ["b", 1], {"c": 2}]);
        let text = "{% for v in values %}{{ v }} {% endfor %}{{ 9223372036854775807 * 4 }}";
        let own = Environment::new().render_str(text, minijinja::context!(values => Serde(&values))).unwrap();
        assert_eq!(render(&template(text, json!({"values": {}})), json!({ "values": values })).unwrap(), own);
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
    fn refuses_what_would_nest_values_without_end() {
        let nested = "{% set l = [l] %}\n".repeat(101);
        let error = Renderer::new(&template(&format!("{{% set l = 1 %}}{nested}"), json!({}))).unwrap_err();
        assert!(error.to_string().contains("more than 100 `set`"), "{error}");
        let in_loop = "{% set n = namespace(x=1) %}{% for i in range(9000) %}{% set n.x = [n.x] %}{% endfor %}";
        let error = render(&template(in_loop, json!({})), json!({})).unwrap_err();
        assert!(error.to_string().contains("namespace"), "{error}");
        let deepest =
            format!("{{% set l = 1 %}}{}x", format!("{{% set l = {}l{} %}}\n", "[".repeat(60), "]".repeat(60)).repeat(99));
        assert!(render(&template(&deepest, json!({})), json!({})).is_ok());
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
