//! Tests of promptfoo: inline and in files, with what `defaultTest` and scenarios add to them.

use serde_json::{Map, Value};

use super::asserts::{self, Assert};
use super::csv_tests;
use super::reader::{At, Document, Place, Reader, ending, is_code};
use super::rubric::Grader;

/// One test, or the part of one that `defaultTest` and scenarios give.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) place: Place,
    pub(super) description: Option<String>,
    pub(super) vars: Vars,
    pub(super) asserts: Vec<Assert>,
    pub(super) threshold: Option<f64>,
    pub(super) options: Options,
    /// The only prompts that it is put to.
    pub(super) prompts: Option<Vec<String>>,
    /// The only providers that it is put to.
    pub(super) providers: Option<Vec<String>>,
    pub(super) metadata: Map<String, Value>,
}

/// Variables in the order in which they were first named, which is the order of their combinations.
pub(super) type Vars = Map<String, Value>;

/// What `options` of a test says.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) prefix: Option<String>,
    pub(super) suffix: Option<String>,
    pub(super) repeat: Option<u32>,
    pub(super) keeps_lists: Option<bool>,
    pub(super) without_default_asserts: Option<bool>,
    /// Which model judges by rubrics, and how it is asked.
    pub(super) grader: Grader,
}

impl Test {
    pub(super) fn empty(place: Place) -> Self {
        Self {
            place,
            description: None,
            vars: Vars::new(),
            asserts: Vec::new(),
            threshold: None,
            options: Options::default(),
            prompts: None,
            providers: None,
            metadata: Map::new(),
        }
    }

    /// Adds what a more general test says and this one does not. Its asserts come first.
    pub(super) fn onto(mut self, general: &Self, with_asserts: bool) -> Self {
        let mut vars = general.vars.clone();
        vars.extend(self.vars);
        self.vars = vars;
        let mut metadata = general.metadata.clone();
        metadata.extend(self.metadata);
        self.metadata = metadata;
        if with_asserts {
            self.asserts = general.asserts.iter().cloned().chain(self.asserts).collect();
        }
        self.threshold = self.threshold.or(general.threshold);
        self.prompts = self.prompts.or_else(|| general.prompts.clone());
        self.providers = self.providers.or_else(|| general.providers.clone());
        self.description = self.description.or_else(|| general.description.clone());
        let (own, other) = (self.options, &general.options);
        self.options = Options {
            prefix: own.prefix.or_else(|| other.prefix.clone()),
            suffix: own.suffix.or_else(|| other.suffix.clone()),
            repeat: own.repeat.or(other.repeat),
            keeps_lists: own.keeps_lists.or(other.keeps_lists),
            without_default_asserts: own.without_default_asserts.or(other.without_default_asserts),
            grader: own.grader.or(&other.grader),
        };
        self
    }
}

/// Reads `tests`.
pub(super) fn read(list: At<'_>, reader: &mut Reader<'_>) -> Vec<Test> {
    if let Some(reference) = list.text() {
        return from_files(reference, &list.place(), reader);
    }
    let Some(items) = list.items() else {
        return one_or_generator(list, reader);
    };
    items
        .into_iter()
        .flat_map(|item| match item.text() {
            Some(reference) => from_files(reference, &item.place(), reader),
            None => one_or_generator(item, reader),
        })
        .collect()
}

fn one_or_generator(at: At<'_>, reader: &mut Reader<'_>) -> Vec<Test> {
    match at.get("path") {
        Some(path) => {
            if let Some(config) = at.get("config") {
                reader.error(&config.place(), "`config` of a file of tests is for code, which is not run");
            }
            let reference = reader.text("`path`", path).map(str::to_owned);
            reference.map(|reference| from_files(&reference, &path.place(), reader)).unwrap_or_default()
        }
        None => read_test(at, reader).into_iter().collect(),
    }
}

fn from_files(reference: &str, place: &Place, reader: &mut Reader<'_>) -> Vec<Test> {
    let remote = ["huggingface://", "az://", "http://", "https://", "s3://"];
    if remote.iter().any(|scheme| reference.starts_with(scheme)) {
        reader.error(place, format!("tests from `{reference}` are not in the configuration; download them first"));
        return Vec::new();
    }
    let path = reference.strip_prefix("file://").unwrap_or(reference);
    if is_code(path) {
        reader.code(place, &format!("`{path}`, which makes tests,"));
        return Vec::new();
    }
    let paths = reader.matching(path, place);
    paths.iter().flat_map(|path| from_file(path, place, reader)).collect()
}

fn from_file(path: &str, place: &Place, reader: &mut Reader<'_>) -> Vec<Test> {
    let tests = match ending(path).as_str() {
        "csv" => {
            let Some((path, text)) = reader.open(path, place) else { return Vec::new() };
            csv_tests::read(&path, &text, reader)
        }
        "jsonl" => {
            let Some((path, text)) = reader.open(path, place) else { return Vec::new() };
            json_lines(&path, &text, reader)
        }
        "yaml" | "yml" | "json" => {
            let Some(document) = reader.document(path, place) else { return Vec::new() };
            let root = document.root();
            let items = root.items().unwrap_or_else(|| vec![root]);
            items.into_iter().filter_map(|item| read_test(item, reader)).collect()
        }
        other => {
            reader.error(place, format!("tests are read from CSV, JSON, JSON Lines and YAML, not from `.{other}` files"));
            Vec::new()
        }
    };
    let number = |(index, mut test): (usize, Test)| {
        test.description = test.description.or_else(|| Some(format!("Row #{}", index + 1)));
        test
    };
    tests.into_iter().enumerate().map(number).collect()
}

fn json_lines(path: &std::rc::Rc<str>, text: &str, reader: &mut Reader<'_>) -> Vec<Test> {
    let mut tests = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let span = start..start + line.trim_end().len();
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        if let Err(error) = serde_json::from_str::<Value>(line) {
            reader.error(&Place { path: path.clone(), span }, format!("the line is no JSON: {error}"));
            continue;
        }
        let (node, _) = promptops_prompt::yaml::parse(line);
        if let Some(mut node) = node {
            shift(&mut node, span.start);
            let document = Document { path: path.clone(), node };
            tests.extend(read_test(document.root(), reader));
        }
    }
    tests
}

/// Moves the places of a node that was read out of the middle of a file.
fn shift(node: &mut promptops_prompt::yaml::Node, by: usize) {
    use promptops_prompt::yaml::Kind;
    node.span = node.span.start + by..node.span.end + by;
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Kind::Mapping(pairs) => pairs.iter_mut().for_each(|(key, value)| {
            shift(key, by);
            shift(value, by);
        }),
    }
}

/// Reads `defaultTest`, a test without a description.
pub(super) fn read_default(at: At<'_>, reader: &mut Reader<'_>) -> Option<Test> {
    match at.text() {
        Some(reference) if reference.starts_with("file://") => {
            let document = reader.document(reference, &at.place())?;
            read_test(document.root(), reader)
        }
        _ => read_test(at, reader),
    }
}

/// Reads one test.
pub(super) fn read_test(at: At<'_>, reader: &mut Reader<'_>) -> Option<Test> {
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("a test is a mapping, not {}", at.node.type_name()));
        return None;
    };
    let mut test = Test::empty(at.place());
    for (key, place, value) in pairs {
        match key {
            "description" => test.description = reader.text("`description`", value).map(str::to_owned),
            "vars" => test.vars = vars(value, reader),
            "assert" => test.asserts = asserts::read_list(value, reader),
            "threshold" => test.threshold = reader.number("`threshold`", value),
            "options" => test.options = options(value, reader),
            "prompts" => test.prompts = Some(reader.texts("an item of `prompts`", value)),
            "providers" => test.providers = Some(reader.texts("an item of `providers`", value)),
            "metadata" => match reader.value(value) {
                Value::Object(metadata) => test.metadata = metadata,
                _ => reader.error(&value.place(), format!("`metadata` is a mapping, not {}", value.node.type_name())),
            },
            "provider" => {
                let hint = "choose among the configuration's providers with `providers`";
                reader.error_with_hint(&place, "a provider of one test is not taken over", hint);
            }
            "providerOutput" => reader.error(&place, "`providerOutput`, an answer that was not given, is not taken over"),
            "assertScoringFunction" => reader.code(&place, "`assertScoringFunction`"),
            "<<" => reader.error(&place, "merge keys (`<<`) are not taken over"),
            other => reader.error(&place, format!("a test has no field `{other}`")),
        }
    }
    Some(test)
}

fn vars(at: At<'_>, reader: &mut Reader<'_>) -> Vars {
    if at.text().is_some() || at.items().is_some() {
        let mut vars = Vars::new();
        for pattern in reader.texts("an item of `vars`", at) {
            if pattern.starts_with("file://") {
                let hint = "write the path alone: promptfoo takes `file://` for a part of it here, and finds nothing";
                reader.error_with_hint(&at.place(), format!("`{pattern}` names no file of variables"), hint);
                continue;
            }
            for path in reader.matching(&pattern, &at.place()) {
                match reader.document(&path, &at.place()).map(|document| self::vars(document.root(), reader)) {
                    Some(read) => vars.extend(read),
                    None => return vars,
                }
            }
        }
        return vars;
    }
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("`vars` is a mapping, not {}", at.node.type_name()));
        return Vars::new();
    };
    let mut vars = Vars::new();
    for (name, place, value) in pairs {
        if name == "<<" {
            reader.error(&place, "merge keys (`<<`) are not taken over");
            continue;
        }
        let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|character| character.is_alphanumeric() || character == '_');
        if !is_name {
            reader.note(&place, format!("`{name}` is no name that a template can use"));
        }
        if name == "_conversation" {
            reader.error(&place, "`_conversation` makes tests depend on each other, which is not taken over");
        }
        refuse_code(value, reader);
        vars.insert(name.to_owned(), reader.value(value));
    }
    vars
}

/// Refuses every file of code that a variable names.
fn refuse_code(at: At<'_>, reader: &mut Reader<'_>) {
    for item in at.items().unwrap_or_else(|| vec![at]) {
        if let Some(text) = item.text()
            && ((text.starts_with("file://") && is_code(text)) || text.starts_with("package:"))
        {
            reader.code(&item.place(), &format!("`{text}`"));
        }
    }
}

fn options(at: At<'_>, reader: &mut Reader<'_>) -> Options {
    let mut options = Options::default();
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("`options` is a mapping, not {}", at.node.type_name()));
        return options;
    };
    for (key, place, value) in pairs {
        match key {
            "prefix" => options.prefix = reader.text("`prefix`", value).map(str::to_owned),
            "suffix" => options.suffix = reader.text("`suffix`", value).map(str::to_owned),
            "repeat" => options.repeat = repeat(value, reader),
            "rubricPrompt" => options.grader.read_prompt(value, reader),
            "provider" => options.grader.read_provider(value, reader),
            "disableVarExpansion" => options.keeps_lists = Some(reader.flag("`disableVarExpansion`", value)),
            "disableDefaultAsserts" => {
                options.without_default_asserts = Some(reader.flag("`disableDefaultAsserts`", value));
            }
            "disableConversationVar" | "runSerially" => reader.note(&place, format!("`{key}` has no effect")),
            "transform" | "postprocess" | "transformVars" => reader.code(&place, &format!("`{key}`")),
            "storeOutputAs" => {
                reader.error(&place, "`storeOutputAs` makes tests depend on each other, which is not taken over");
            }
            other => reader.error(&place, format!("`{other}` of `options` is not taken over")),
        }
    }
    options
}

/// Reads a number of repeats.
pub(super) fn repeat(at: At<'_>, reader: &mut Reader<'_>) -> Option<u32> {
    let number = reader.number("`repeat`", at)?;
    let is_good = number.fract() == 0.0 && (1.0..=f64::from(crate::spec::MAX_REPEATS)).contains(&number);
    if !is_good {
        reader.error(&at.place(), format!("`repeat` is a whole number from 1 to {}", crate::spec::MAX_REPEATS));
        return None;
    }
    Some(number as u32)
}

/// Reads `scenarios`: every part of a scenario with every one of its tests.
pub(super) fn read_scenarios(list: At<'_>, reader: &mut Reader<'_>) -> Vec<Test> {
    let Some(items) = list.items() else {
        reader.error(&list.place(), format!("`scenarios` is a list, not {}", list.node.type_name()));
        return Vec::new();
    };
    items
        .into_iter()
        .flat_map(|item| match item.text() {
            Some(reference) => match reader.document(reference, &item.place()) {
                Some(document) => {
                    let root = document.root();
                    let items = root.items().unwrap_or_else(|| vec![root]);
                    items.into_iter().flat_map(|item| scenario(item, reader)).collect()
                }
                None => Vec::new(),
            },
            None => scenario(item, reader),
        })
        .collect()
}

fn scenario(at: At<'_>, reader: &mut Reader<'_>) -> Vec<Test> {
    let (mut parts, mut tests) = (Vec::new(), None);
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("a scenario is a mapping, not {}", at.node.type_name()));
        return Vec::new();
    };
    for (key, place, value) in pairs {
        match key {
            "description" => {}
            "config" => parts = read(value, reader),
            "tests" => tests = Some(read(value, reader)),
            other => reader.error(&place, format!("a scenario has no field `{other}`")),
        }
    }
    let tests = tests.unwrap_or_else(|| vec![Test::empty(at.place())]);
    parts.iter().flat_map(|part| tests.iter().map(|test| test.clone().onto(part, true))).collect()
}
