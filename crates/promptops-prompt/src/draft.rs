//! A prompt as somebody wrote it: every field with its place, whatever is wrong collected.
//!
//! A draft may lack fields or hold wrong ones; the checks still look at all the rest. [`Draft::prompt`] gives the
//! [`Prompt`] when nothing that a version needs is missing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::finding::{Edit, Finding, Severity};
use crate::id::{PromptId, PromptRef, Version};
use crate::prompt::{Body, Message, Metadata, Prompt, Role};
use crate::suppression::{self, Suppression};
use crate::yaml::{self, Kind, Node, Problem, ProblemKind, ScalarPlaces};

/// The fields of a prompt file, in the order of the documentation.
pub const FIELDS: [&str; 18] = [
    "id",
    "version",
    "parent",
    "owner",
    "purpose",
    "model",
    "parameters",
    "tags",
    "inputs",
    "output",
    "tools",
    "messages",
    "template",
    "metrics",
    "evals",
    "breaking",
    "created",
    "updated",
];

/// A value with the bytes of the file it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Range<usize>,
}

/// One template of the body, with what is needed to point into it.
#[derive(Debug, Clone)]
pub struct TemplateText {
    /// Who speaks.
    pub role: Role,
    /// The name used in messages: `template` or `messages[0]`.
    pub name: String,
    /// The scalar that holds the template.
    node: Node,
    places: OnceLock<ScalarPlaces>,
}

impl TemplateText {
    /// Returns the template.
    pub fn text(&self) -> &str {
        self.node.key_text()
    }

    /// Returns the bytes of the file that the whole template takes.
    pub fn span(&self) -> Range<usize> {
        self.node.span.clone()
    }

    /// Returns the bytes of `file`, which must be the one it was read from, that a part of the template takes, as closely as its
    /// YAML style allows.
    pub fn place(&self, file: &str, part: Range<usize>) -> Range<usize> {
        self.places.get_or_init(|| ScalarPlaces::new(file, &self.node)).place(part)
    }
}

/// A prompt file, read.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The path from the project's root.
    pub path: String,
    /// `id`.
    pub id: Option<Spanned<PromptId>>,
    /// `version`.
    pub version: Option<Spanned<Version>>,
    /// `parent`, with a bare number read as a version of the same prompt.
    pub parent: Option<Spanned<PromptRef>>,
    /// Whether there is a `parent` at all, right or wrong.
    pub names_parent: bool,
    /// `owner`.
    pub owner: Option<Spanned<String>>,
    /// `purpose`.
    pub purpose: Option<String>,
    /// `model`.
    pub model: Option<Spanned<String>>,
    /// `parameters`.
    pub parameters: Map<String, Value>,
    /// `tags`.
    pub tags: Option<Spanned<Vec<String>>>,
    /// `inputs`: the name with its place, and the schema.
    pub inputs: Vec<(Spanned<String>, Value)>,
    /// For each of `inputs` the lines that declare it, where nothing else stands on them and others are left.
    pub input_lines: Vec<Option<Range<usize>>>,
    /// `output`.
    pub output: Option<Spanned<Value>>,
    /// `tools`.
    pub tools: Option<Value>,
    /// `template` or `messages`, as the templates they hold.
    pub templates: Vec<TemplateText>,
    /// Whether the body is `messages`.
    pub has_messages: bool,
    /// `metrics`.
    pub metrics: Map<String, Value>,
    /// `evals`.
    pub evals: Vec<Spanned<String>>,
    /// `breaking`.
    pub breaking: BTreeMap<Version, String>,
    /// `created`.
    pub created: Option<String>,
    /// `updated`.
    pub updated: Option<String>,
    /// The comments that let findings pass.
    pub suppressions: Vec<Suppression>,
    /// Where a field can be put in before all others.
    pub first_field: Option<LineStart>,
    /// Where a field can be put in after `version`.
    pub after_version: Option<LineStart>,
    /// Where a variable can be declared.
    pub declare_at: Option<DeclarePlace>,
    is_complete: bool,
}

/// The start of a line of the outermost mapping, where another line can be put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineStart {
    byte: usize,
    is_crlf: bool,
}

impl LineStart {
    /// Returns the line at whose start `byte` is; none within a line, or at the end of a text that does not end its last line.
    fn at(text: &str, byte: usize) -> Option<Self> {
        let before = text[..byte].trim_start_matches('\u{feff}');
        if !before.is_empty() && !before.ends_with('\n') {
            return None;
        }
        Some(Self { byte, is_crlf: text.find('\n').is_some_and(|end| text[..end].ends_with('\r')) })
    }

    /// Returns the change that puts a line in.
    pub fn insert(self, line: &str) -> Edit {
        Edit::new(self.byte..self.byte, format!("{line}{}", if self.is_crlf { "\r\n" } else { "\n" }))
    }
}

/// Where a variable can be declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeclarePlace {
    /// In `inputs`, before its first line, which is indented by so many spaces.
    Line(LineStart, usize),
    /// In `inputs` in braces: after the opening one.
    Braces {
        /// The byte after the brace.
        at: usize,
        /// Whether something follows.
        has_others: bool,
    },
    /// In an `inputs` of its own at the start of a line.
    Field(LineStart),
}

impl DeclarePlace {
    /// Returns the change that declares a text.
    pub fn declare(&self, name: &str) -> Edit {
        let declaration = format!("{name}: {{type: string}}");
        match self {
            Self::Line(line, indentation) => line.insert(&format!("{:indentation$}{declaration}", "")),
            Self::Braces { at, has_others: true } => Edit::new(*at..*at, format!("{declaration}, ")),
            Self::Braces { at, has_others: false } => Edit::new(*at..*at, declaration),
            Self::Field(line) => line.insert(&format!("inputs: {{{declaration}}}")),
        }
    }
}

impl Draft {
    /// Reads a prompt file. `path` is from the project's root, with `/`.
    ///
    /// Everything that is wrong with the file's form is in the findings; what could be read is in the draft.
    pub fn parse(path: &str, text: &str) -> (Self, Vec<Finding>) {
        let (node, problems) = yaml::parse(text);
        let mut reader = Reader { path, text, findings: Vec::new() };
        problems.iter().for_each(|problem| reader.problem(problem));
        let mut draft = Self { path: path.to_owned(), ..Self::default() };
        match node {
            Some(node) => {
                reader.draft(&node, &mut draft);
                draft.is_complete = !reader.findings.iter().any(|finding| finding.severity == Severity::Error);
                // Says nothing of the prompt itself, so it comes after that is known to be complete or not.
                draft.suppressions = suppression::read(path, text, &node, &mut reader.findings);
            }
            None if problems.is_empty() => {
                let finding = reader.finding("missing-field", 0..0, "the file is empty".to_owned());
                reader.findings.push(finding.hint(REQUIRED_HINT));
            }
            None => {}
        }
        (draft, reader.findings)
    }

    /// Tells whether the file was read without an error, so that it holds a version.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the version that the file holds, if it was read without an error.
    pub fn prompt(&self) -> Option<Prompt> {
        if !self.is_complete {
            return None;
        }
        let body = if self.has_messages {
            let message = |text: &TemplateText| Message { role: text.role, content: text.text().to_owned() };
            Body::Messages(self.templates.iter().map(message).collect())
        } else {
            Body::Template(self.templates.first()?.text().to_owned())
        };
        Some(Prompt {
            id: self.id.as_ref()?.value.clone(),
            version: self.version.as_ref()?.value,
            parent: self.parent.as_ref().map(|parent| parent.value.clone()),
            model: self.model.as_ref()?.value.clone(),
            parameters: self.parameters.clone(),
            inputs: self.inputs.iter().map(|(name, schema)| (name.value.clone(), schema.clone())).collect::<BTreeMap<_, _>>(),
            output: self.output.as_ref().map(|output| output.value.clone()),
            tools: self.tools.clone(),
            body,
            metadata: Metadata {
                owner: self.owner.as_ref()?.value.clone(),
                purpose: self.purpose.clone(),
                tags: self.tags.as_ref()?.value.clone(),
                metrics: self.metrics.clone(),
                evals: self.evals.iter().map(|eval| eval.value.clone()).collect(),
                breaking: self.breaking.clone(),
                created: self.created.clone(),
                updated: self.updated.clone(),
            },
        })
    }
}

const REQUIRED_HINT: &str = "required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`";

struct Reader<'file> {
    path: &'file str,
    text: &'file str,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn finding(&self, check: &str, span: Range<usize>, message: String) -> Finding {
        Finding::new(check, Severity::Error, self.path, span, message)
    }

    fn error(&mut self, check: &str, span: Range<usize>, message: impl Into<String>) {
        let finding = self.finding(check, span, message.into());
        self.findings.push(finding);
    }

    fn problem(&mut self, problem: &Problem) {
        let check = match problem.kind {
            ProblemKind::Syntax => "yaml-syntax",
            ProblemKind::Limit => "file-limit",
            ProblemKind::DuplicateKey => "duplicate-key",
            ProblemKind::Value => "wrong-type",
        };
        let mut finding = self.finding(check, problem.span.clone(), problem.message.clone());
        if let Some(related) = &problem.related {
            finding = finding.related(self.path, related.clone(), "first here");
        }
        if let Some(lines) = &problem.superfluous {
            finding = finding.fix("remove the second, which says the same", vec![Edit::new(lines.clone(), "")]);
        }
        self.findings.push(finding);
    }

    fn draft(&mut self, root: &Node, draft: &mut Draft) {
        let Kind::Mapping(pairs) = &root.kind else {
            self.error("wrong-type", root.span.clone(), format!("a prompt is a mapping, not {}", root.type_name()));
            return;
        };
        let is_block = !self.text[root.span.start..].starts_with('{');
        if let (true, Some((first, _))) = (is_block, pairs.first()) {
            draft.first_field = LineStart::at(self.text, first.span.start);
        }
        for (key, value) in pairs {
            self.field(root, key, value, draft);
            match key.key_text() {
                "version" => draft.after_version = self.line_after(key, value),
                "template" | "messages" if is_block && draft.declare_at.is_none() => {
                    draft.declare_at = LineStart::at(self.text, key.span.start).map(DeclarePlace::Field);
                }
                "inputs" => {
                    draft.declare_at = self.declare_place(value);
                    draft.input_lines = self.input_lines(value);
                }
                _ => {}
            }
        }
        self.require(root, draft);
    }

    /// Returns the start of the line after a pair that takes one line at the left margin.
    fn line_after(&self, key: &Node, value: &Node) -> Option<LineStart> {
        LineStart::at(self.text, key.span.start)?;
        let end = value.span.end + self.text[value.span.end..].find('\n')? + 1;
        (!self.text[key.span.start..value.span.end].contains('\n')).then(|| LineStart::at(self.text, end)).flatten()
    }

    fn input_lines(&self, inputs: &Node) -> Vec<Option<Range<usize>>> {
        let Kind::Mapping(pairs) = &inputs.kind else { return Vec::new() };
        let lines = |(key, value): &(Node, Node)| {
            let lines = yaml::whole_lines(self.text, key.span.start..value.span.end.max(key.span.end))?;
            (pairs.len() > 1).then_some(lines)
        };
        pairs.iter().map(lines).collect()
    }

    fn declare_place(&self, inputs: &Node) -> Option<DeclarePlace> {
        let Kind::Mapping(pairs) = &inputs.kind else { return None };
        if self.text[inputs.span.start..].starts_with('{') {
            return Some(DeclarePlace::Braces { at: inputs.span.start + 1, has_others: !pairs.is_empty() });
        }
        let (first, _) = pairs.first()?;
        let line = self.text[..first.span.start].rfind('\n')? + 1;
        let indentation = &self.text[line..first.span.start];
        let is_alone = indentation.bytes().all(|byte| byte == b' ');
        is_alone.then(|| Some(DeclarePlace::Line(LineStart::at(self.text, line)?, indentation.len()))).flatten()
    }

    fn field(&mut self, root: &Node, key: &Node, value: &Node, draft: &mut Draft) {
        match key.key_text() {
            "id" => draft.id = self.parsed(value, "id", "`id`"),
            "version" => draft.version = self.version(value),
            "parent" => {} // Read last, since a bare number means a version of `id`.
            "owner" => draft.owner = self.text(value, "`owner`"),
            "purpose" => draft.purpose = self.text(value, "`purpose`").map(|text| text.value),
            "model" => draft.model = self.text(value, "`model`"),
            "parameters" => draft.parameters = self.object(value, "`parameters`"),
            "tags" => draft.tags = self.tags(value),
            "inputs" => draft.inputs = self.inputs(value),
            "output" => {
                draft.output = self.schema(value, "`output`").map(|schema| Spanned { value: schema, span: value.span.clone() })
            }
            "tools" => draft.tools = Some(self.json(value)),
            "template" => self.template(value, draft),
            "messages" => self.messages(key, value, draft),
            "metrics" => draft.metrics = self.object(value, "`metrics`"),
            "evals" => draft.evals = self.texts(value, "`evals`").unwrap_or_default(),
            "breaking" => draft.breaking = self.breaking(value),
            "created" => draft.created = self.date(value, "`created`"),
            "updated" => draft.updated = self.date(value, "`updated`"),
            unknown => self.unknown(root, key, unknown),
        }
    }

    fn require(&mut self, root: &Node, draft: &mut Draft) {
        if let Some(parent) = root.get("parent") {
            draft.names_parent = true;
            draft.parent = self.parent(parent, draft.id.as_ref().map(|id| &id.value));
        }
        let missing: Vec<&str> =
            ["id", "version", "owner", "model", "tags"].into_iter().filter(|field| root.get(field).is_none()).collect();
        for field in missing {
            let mut finding = self.finding("missing-field", 0..0, format!("the field `{field}` is missing"));
            if let (Some(first), "tags") = (draft.first_field, field) {
                finding = finding.suggest("write an empty list of tags", vec![first.insert("tags: []")]);
            }
            let why = match field {
                "owner" => "name the team or person who answers for this prompt",
                _ => REQUIRED_HINT,
            };
            self.findings.push(finding.hint(why));
        }
        match (root.get("template"), root.get("messages")) {
            (None, None) => {
                let finding = self.finding("missing-field", 0..0, "the field `template` or `messages` is missing".to_owned());
                self.findings.push(finding.hint(REQUIRED_HINT));
            }
            (Some(template), Some(messages)) => {
                let finding = self.finding(
                    "wrong-type",
                    messages.span.clone(),
                    "a prompt has `template` or `messages`, not both".to_owned(),
                );
                self.findings.push(finding.related(self.path, template.span.clone(), "the other"));
            }
            _ => {}
        }
    }

    fn unknown(&mut self, root: &Node, key: &Node, name: &str) {
        let mut finding = self.finding("unknown-field", key.span.clone(), format!("the field `{name}` is not known"));
        finding.severity = Severity::Warning;
        let close = FIELDS.into_iter().map(|field| (strsim::damerau_levenshtein(field, name), field)).min();
        self.findings.push(match close {
            Some((distance, field)) if distance <= 2 => {
                let finding = finding.hint(format!("did you mean `{field}`?"));
                // Renamed to what is there, it would stand there twice.
                match self.source(key).filter(|_| root.get(field).is_none()) {
                    Some(_) => finding.fix(format!("rename to `{field}`"), vec![Edit::new(key.span.clone(), field)]),
                    None => finding,
                }
            }
            _ => finding.hint(format!("known fields are {}", FIELDS.map(|field| format!("`{field}`")).join(", "))),
        });
    }

    fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        self.wrong_and_mended(node, what, wanted, None);
    }

    /// Says that a value has another type, and what to write where one can tell.
    fn wrong_and_mended(&mut self, node: &Node, what: &str, wanted: &str, mended: Option<String>) {
        let message = format!("{what} must be {wanted}, not {}", node.type_name());
        let finding = self.finding("wrong-type", node.span.clone(), message);
        self.findings.push(match mended {
            Some(mended) => finding.fix(format!("write `{mended}`"), vec![Edit::new(node.span.clone(), mended)]),
            None => finding,
        });
    }

    /// Returns what stands in the file for a scalar that can be replaced there: on one line, with neither a tag nor an anchor, and
    /// neither in a block nor behind an alias.
    fn source(&self, node: &Node) -> Option<&str> {
        let source = self.text.get(node.span.clone()).filter(|source| !source.contains('\n'))?;
        let is_itself = source.starts_with(['"', '\'']) || source == node.key_text();
        let before = &self.text[..node.span.start];
        let before = before[before.rfind('\n').map_or(0, |end| end + 1)..].trim_end_matches([' ', '\t']);
        // The content of a block has nothing before it on its line, and neither have keys.
        let is_key_or_block = before.is_empty() || before == "\u{feff}";
        let is_plain_key = is_key_or_block && self.text[node.span.end..].trim_start_matches([' ', '\t']).starts_with(':');
        (!source.is_empty() && is_itself && (is_plain_key || before.ends_with([':', '-', '[', ',', '{']))).then_some(source)
    }

    fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        match node.as_text() {
            Some(text) if !text.trim().is_empty() => Some(Spanned { value: text.to_owned(), span: node.span.clone() }),
            Some(_) => {
                self.error("wrong-type", node.span.clone(), format!("{what} is empty"));
                None
            }
            None => {
                // `version: 7` is a number, `owner: 7` most likely a name.
                let is_written_here = |source: &&str| node.type_name() == "a number" && *source == node.key_text();
                let mended = self.source(node).filter(is_written_here).map(|source| format!("\"{source}\""));
                self.wrong_and_mended(node, what, "a text", mended);
                None
            }
        }
    }

    fn parsed<T: std::str::FromStr<Err = crate::id::NameError>>(
        &mut self,
        node: &Node,
        check: &str,
        what: &str,
    ) -> Option<Spanned<T>> {
        let text = self.text(node, what)?;
        match text.value.parse() {
            Ok(value) => Some(Spanned { value, span: text.span }),
            Err(error) => {
                self.error(if check == "id" { "id-format" } else { check }, text.span, error.to_string());
                None
            }
        }
    }

    fn version(&mut self, node: &Node) -> Option<Spanned<Version>> {
        match self.json(node).as_u64().and_then(|number| u32::try_from(number).ok()).and_then(Version::new) {
            Some(value) => Some(Spanned { value, span: node.span.clone() }),
            None => {
                let shown =
                    if node.key_text().is_empty() { node.type_name().to_owned() } else { format!("`{}`", node.key_text()) };
                let message = format!("`version` must be a whole number from 1, not {shown}");
                let finding = self.finding("wrong-type", node.span.clone(), message);
                let mended = self.without_quotes(finding, node);
                self.findings.push(mended);
                None
            }
        }
    }

    fn parent(&mut self, node: &Node, id: Option<&PromptId>) -> Option<Spanned<PromptRef>> {
        if let Some(number) = self.json(node).as_u64() {
            let version = u32::try_from(number).ok().and_then(Version::new);
            return match (version, id) {
                (Some(version), Some(id)) => Some(Spanned { value: id.at(version), span: node.span.clone() }),
                (None, _) => {
                    self.error("wrong-type", node.span.clone(), "`parent` must be a version from 1, or `other.prompt@3`");
                    None
                }
                (Some(_), None) => None,
            };
        }
        match node.as_text().map(str::parse) {
            Some(Ok(value)) => Some(Spanned { value, span: node.span.clone() }),
            Some(Err(_)) | None => {
                let message = "`parent` must be a version from 1, or `other.prompt@3`";
                let finding = self.finding("wrong-type", node.span.clone(), message.to_owned());
                let mended = self.without_quotes(finding, node);
                self.findings.push(mended);
                None
            }
        }
    }

    /// Adds the change that takes the quotes off a version.
    fn without_quotes(&self, finding: Finding, node: &Node) -> Finding {
        match self.source(node).and_then(|_| node.as_text()?.trim().parse::<Version>().ok()) {
            Some(version) => {
                let written = version.to_string();
                finding.fix(format!("write `{written}`"), vec![Edit::new(node.span.clone(), written)])
            }
            None => finding,
        }
    }

    fn texts(&mut self, node: &Node, what: &str) -> Option<Vec<Spanned<String>>> {
        let Kind::Sequence(items) = &node.kind else {
            // Within brackets a plain text ends at a comma or a bracket.
            let fits = |source: &&str| {
                let is_quoted = source.starts_with(['"', '\'']);
                node.as_text().is_some() && (is_quoted || !source.contains([',', '[', ']', '{', '}', ':', '#']))
            };
            let mended = self.source(node).filter(fits).map(|source| format!("[{source}]"));
            self.wrong_and_mended(node, what, "a list of texts", mended);
            return None;
        };
        Some(items.iter().filter_map(|item| self.text(item, &format!("an entry of {what}"))).collect())
    }

    fn tags(&mut self, node: &Node) -> Option<Spanned<Vec<String>>> {
        let tags = self.texts(node, "`tags`")?;
        Some(Spanned { value: tags.into_iter().map(|tag| tag.value).collect(), span: node.span.clone() })
    }

    fn json(&mut self, node: &Node) -> Value {
        let mut problems = Vec::new();
        let value = node.to_json(&mut problems);
        problems.iter().for_each(|problem| self.problem(problem));
        value
    }

    fn object(&mut self, node: &Node, what: &str) -> Map<String, Value> {
        match self.json(node) {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            _ => {
                self.wrong(node, what, "a mapping");
                Map::new()
            }
        }
    }

    fn schema(&mut self, node: &Node, what: &str) -> Option<Value> {
        match self.json(node) {
            schema @ (Value::Object(_) | Value::Bool(_)) => Some(schema),
            Value::Null => Some(Value::Object(Map::new())),
            _ => {
                self.wrong(node, what, "a JSON Schema");
                None
            }
        }
    }

    fn inputs(&mut self, node: &Node) -> Vec<(Spanned<String>, Value)> {
        let Kind::Mapping(pairs) = &node.kind else {
            self.wrong(node, "`inputs`", "a mapping of variable to JSON Schema");
            return Vec::new();
        };
        let mut inputs = Vec::new();
        for (key, value) in pairs {
            let name = key.key_text();
            let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_name {
                self.error("wrong-type", key.span.clone(), format!("`{name}` is no variable name; use letters, digits and `_`"));
            }
            // With a wrong schema the variable is still declared.
            let schema = self.schema(value, &format!("input `{name}`")).unwrap_or(Value::Bool(true));
            inputs.push((Spanned { value: name.to_owned(), span: key.span.clone() }, schema));
        }
        inputs
    }

    fn breaking(&mut self, node: &Node) -> BTreeMap<Version, String> {
        let Kind::Mapping(pairs) = &node.kind else {
            self.wrong(node, "`breaking`", "a mapping of versions to what callers have to do");
            return BTreeMap::new();
        };
        let mut versions = BTreeMap::new();
        for (key, value) in pairs {
            let reason = self.text(value, "a reason in `breaking`");
            match (key.key_text().parse(), reason) {
                (Ok(version), Some(reason)) => {
                    versions.insert(version, reason.value);
                }
                (Ok(_), None) => {}
                (Err(_), _) => {
                    let message = format!("`breaking` names versions, as `3`, not `{}`", key.key_text());
                    self.error("wrong-type", key.span.clone(), message);
                }
            }
        }
        versions
    }

    fn date(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        if chrono::NaiveDate::parse_from_str(&text.value, "%Y-%m-%d").is_err() {
            self.error("wrong-type", text.span, format!("{what} must be a day as `2026-04-15`, not `{}`", text.value));
            return None;
        }
        Some(text.value)
    }

    fn template(&mut self, node: &Node, draft: &mut Draft) {
        if self.template_text(node, "`template`") {
            draft.templates.push(TemplateText {
                role: Role::User,
                name: "template".to_owned(),
                node: node.clone(),
                places: OnceLock::new(),
            });
        }
    }

    fn template_text(&mut self, node: &Node, what: &str) -> bool {
        match node.as_text() {
            Some(text) if !text.trim().is_empty() => true,
            Some(_) => {
                self.error("empty-template", node.span.clone(), format!("{what} is empty"));
                false
            }
            None => {
                self.wrong(node, what, "a text");
                false
            }
        }
    }

    fn messages(&mut self, key: &Node, node: &Node, draft: &mut Draft) {
        draft.has_messages = true;
        let Kind::Sequence(items) = &node.kind else {
            self.wrong(node, "`messages`", "a list of `role` and `content`");
            return;
        };
        if items.is_empty() {
            self.error("empty-template", key.span.clone(), "`messages` is empty");
        }
        for (index, item) in items.iter().enumerate() {
            self.message(index, item, draft);
        }
    }

    fn message(&mut self, index: usize, item: &Node, draft: &mut Draft) {
        let name = format!("messages[{index}]");
        let Kind::Mapping(pairs) = &item.kind else {
            self.wrong(item, &format!("`{name}`"), "a mapping of `role` and `content`");
            return;
        };
        for (key, _) in pairs.iter().filter(|(key, _)| !matches!(key.key_text(), "role" | "content")) {
            let message = format!("a message has `role` and `content`, not `{}`", key.key_text());
            let finding = self.finding("unknown-field", key.span.clone(), message);
            let is_close = |field: &&str| strsim::damerau_levenshtein(field, key.key_text()) <= 2 && item.get(field).is_none();
            self.findings.push(match ["role", "content"].into_iter().find(is_close).filter(|_| self.source(key).is_some()) {
                Some(field) => finding.fix(format!("rename to `{field}`"), vec![Edit::new(key.span.clone(), field)]),
                None => finding,
            });
        }
        let role = match item.get("role") {
            Some(node) => node.as_text().and_then(Role::from_name).or_else(|| {
                let known = Role::ALL.map(|role| format!("`{}`", role.name())).join(", ");
                self.error("wrong-type", node.span.clone(), format!("`role` must be one of {known}"));
                None
            }),
            None => {
                self.error("missing-field", item.span.clone(), format!("`{name}` has no `role`"));
                None
            }
        };
        match item.get("content") {
            Some(node) if self.template_text(node, "`content`") => {
                // A message whose role is wrong is still checked as a template.
                draft.templates.push(TemplateText {
                    role: role.unwrap_or(Role::User),
                    name,
                    node: node.clone(),
                    places: OnceLock::new(),
                });
            }
            Some(_) => {}
            None => self.error("missing-field", item.span.clone(), format!("`{name}` has no `content`")),
        }
    }
}
