//! YAML 1.2 as a tree with byte spans, bounded in size, depth and aliases.
//!
//! A tree instead of a deserializer, so that one wrong type does not hide the other problems of a file.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;
/// The most nodes that a file may have after its aliases are expanded.
pub const MAX_NODES: usize = 100_000;
/// The largest whole number that every JSON reader keeps exactly.
const MAX_EXACT_INTEGER: u64 = 1 << 53;

/// A value with the place where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// The bytes of the file that it takes.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A text, number, truth value or null.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Pairs in the written order, without duplicate keys.
    Mapping(Vec<(Node, Node)>),
}

/// A scalar as written.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text after YAML's own unescaping and folding.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// How a scalar was written, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be a number, a truth value or null.
    Plain,
    /// In quotes: a text.
    Quoted,
    /// `|`: a text whose lines stand in the file as they are, indented.
    Literal,
    /// `>`: a text whose lines were joined.
    Folded,
}

/// Why a file could not be read as a tree, or what is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which kind.
    pub kind: ProblemKind,
    /// Where.
    pub span: Range<usize>,
    /// What, as a fragment.
    pub message: String,
    /// Another place that belongs to it.
    pub related: Option<Range<usize>>,
    /// Lines that can go without changing what the file says.
    pub superfluous: Option<Range<usize>>,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// Not YAML.
    Syntax,
    /// Larger, deeper or with more aliases than is read.
    Limit,
    /// A key stands twice in a mapping.
    DuplicateKey,
    /// A value that JSON does not have.
    Value,
}

/// Reads one document. Problems are collected; without a tree there is at least one.
pub fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_FILE_BYTES} are read", text.len());
        return (None, vec![problem(ProblemKind::Limit, 0..0, &message)]);
    }
    let mut builder = Builder::new(text);
    match builder.read() {
        Ok(node) => (node, builder.problems),
        Err(problem) => {
            builder.problems.push(problem);
            (None, builder.problems)
        }
    }
}

struct Builder<'text> {
    parser: Parser<'text, saphyr_parser::StrInput<'text>>,
    places: Places<'text>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'text> Builder<'text> {
    fn new(text: &'text str) -> Self {
        Self {
            parser: Parser::new_from_str(text),
            places: Places::new(text),
            anchors: HashMap::new(),
            nodes: 0,
            problems: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<Option<Node>, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    let span = self.places.span(span);
                    return Err(problem(ProblemKind::Syntax, span, "a second document starts here; a file holds one prompt"));
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'text>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let start = self.places.byte(error.marker().line(), error.marker().col());
                // The parser has a bound of its own, which it meets before the depth of a value is known here.
                if error.info() == "recursion limit exceeded" {
                    return Err(problem(ProblemKind::Limit, start..start, &too_deep()));
                }
                Err(problem(ProblemKind::Syntax, start..start, error.info()))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node, Problem> {
        let start = self.places.span(span);
        if depth > MAX_DEPTH {
            return Err(problem(ProblemKind::Limit, start, &too_deep()));
        }
        self.count(1, &start)?;
        let before = self.nodes;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text_by_tag = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let style = match style {
                    ScalarStyle::Plain if !is_text_by_tag => Style::Plain,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                    _ => Style::Quoted,
                };
                (Node { span: start, kind: Kind::Scalar(Scalar { text: text.into_owned(), style }) }, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(start, depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(start, depth)?, anchor),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(problem(ProblemKind::Syntax, start, "the alias names an anchor that is not complete before it"));
                };
                let (mut node, size) = (node.clone(), *size);
                self.count(size, &start)?;
                node.span = start;
                return Ok(node);
            }
            _ => return Err(problem(ProblemKind::Syntax, start, "a value is expected here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    /// Counts nodes before they are made, so that nested aliases cannot fill the memory.
    fn count(&mut self, more: usize, span: &Range<usize>) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values after aliases are expanded");
            return Err(problem(ProblemKind::Limit, span.clone(), &message));
        }
        Ok(())
    }

    fn sequence(&mut self, start: Range<usize>, depth: usize) -> Result<Node, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let span = self.places.enclose(start, end, items.last());
                    return Ok(Node { span, kind: Kind::Sequence(items) });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, start: Range<usize>, depth: usize) -> Result<Node, Problem> {
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        let mut seen = Keys::default();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let span = self.places.enclose(start, span, pairs.last().map(|(_, value)| value));
                return Ok(Node { span, kind: Kind::Mapping(pairs) });
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Kind::Scalar(Scalar { text, .. }) = &key.kind else {
                self.problems.push(problem(ProblemKind::Value, key.span, "a key is a text, not a list or a mapping"));
                continue;
            };
            if matches!(&key.kind, Kind::Scalar(scalar) if scalar.style == Style::Plain && scalar.text == "<<") {
                let message = "`<<` merges mappings in YAML 1.1 only; write the values out, or the key in quotes";
                self.problems.push(problem(ProblemKind::Value, key.span, message));
                continue;
            }
            match seen.first(text, &pairs) {
                Some((first, first_value)) => {
                    let text_of = |node: &Node| &self.places.text[node.span.clone()];
                    let is_same = text_of(first_value) == text_of(&value);
                    let lines = is_same.then(|| whole_lines(self.places.text, key.span.start..value.span.end)).flatten();
                    self.problems.push(Problem {
                        related: Some(first.span.clone()),
                        // Who wrote a comment there must look himself where it belongs.
                        superfluous: lines.filter(|lines| !self.places.text[lines.clone()].contains('#')),
                        ..problem(ProblemKind::DuplicateKey, key.span, &format!("the key `{text}` stands twice"))
                    });
                }
                None => {
                    seen.add(text, pairs.len());
                    pairs.push((key, value));
                }
            }
        }
    }
}

/// Returns the lines that `span` takes, their ends included, if nothing else stands on them.
pub(crate) fn whole_lines(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at + 1);
    let is_alone = text[start..span.start].trim().is_empty() && text[span.end..end].trim().is_empty();
    is_alone.then_some(start..end)
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}

/// The keys of a mapping, for finding the same one twice. A small mapping is searched; only a large one is worth an index.
#[derive(Default)]
struct Keys {
    index: HashMap<String, usize>,
}

const SMALL_MAPPING: usize = 24;

impl Keys {
    fn first<'pairs>(&self, text: &str, pairs: &'pairs [(Node, Node)]) -> Option<&'pairs (Node, Node)> {
        let in_head = pairs.iter().take(SMALL_MAPPING).find(|(key, _)| key.key_text() == text);
        in_head.or_else(|| self.index.get(text).map(|at| &pairs[*at]))
    }

    fn add(&mut self, text: &str, at: usize) {
        if at >= SMALL_MAPPING {
            self.index.insert(text.to_owned(), at);
        }
    }
}

fn problem(kind: ProblemKind, span: Range<usize>, message: &str) -> Problem {
    Problem { kind, span, message: message.to_owned(), related: None, superfluous: None }
}

/// Turns places in characters into bytes.
struct Places<'text> {
    text: &'text str,
    /// The byte of every [`STRIDE`]th character; empty for ASCII, where a character is a byte.
    strides: Vec<usize>,
}

/// So many characters are at most walked to find a place.
const STRIDE: usize = 64;

impl<'text> Places<'text> {
    fn new(text: &'text str) -> Self {
        let strides = if text.is_ascii() { Vec::new() } else { text.char_indices().step_by(STRIDE).map(|(at, _)| at).collect() };
        Self { text, strides }
    }

    /// Finds a line and a column, both in characters, in one walk through the text: for the one error that ends the reading.
    fn byte(&self, line: usize, column: usize) -> usize {
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        self.text[start..].char_indices().nth(column).map_or(self.text.len(), |(at, _)| start + at)
    }

    fn marker(&self, marker: saphyr_parser::Marker) -> usize {
        let index = marker.index();
        if self.strides.is_empty() {
            return index.min(self.text.len());
        }
        let Some(&start) = self.strides.get(index / STRIDE) else { return self.text.len() };
        self.text[start..].char_indices().nth(index % STRIDE).map_or(self.text.len(), |(at, _)| start + at)
    }

    fn span(&self, span: Span) -> Range<usize> {
        let start = self.marker(span.start);
        let end = self.marker(span.end).max(start);
        // What else Unicode counts as white space belongs to the text of a scalar.
        let trimmed = self.text[start..end].trim_end_matches([' ', '\t', '\r', '\n']).len();
        start..start + trimmed
    }

    /// A flow collection ends at its bracket, a block collection with its last item.
    fn enclose(&self, start: Range<usize>, end: Span, last: Option<&Node>) -> Range<usize> {
        let end = match last {
            Some(last) if self.marker(end.start) == self.marker(end.end) => last.span.end,
            _ => self.marker(end.end),
        };
        start.start..end.max(start.end)
    }
}

impl Node {
    /// Returns the value of `key` in a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Mapping(pairs) = &self.kind else { return None };
        pairs.iter().find(|(name, _)| name.key_text() == key).map(|(_, value)| value)
    }

    /// Returns the text of a key.
    pub fn key_text(&self) -> &str {
        match &self.kind {
            Kind::Scalar(scalar) => &scalar.text,
            _ => "",
        }
    }

    /// Names what the value is, for messages.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
            Kind::Scalar(scalar) => match scalar.resolve() {
                Ok(Value::Null) => "nothing",
                Ok(Value::Bool(_)) => "a truth value",
                Ok(Value::Number(_)) | Err(_) => "a number",
                Ok(_) => "a text",
            },
        }
    }

    /// Returns the text if the value is one (a plain `1` is a number, not a text).
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.is_text() => Some(&scalar.text),
            _ => None,
        }
    }

    /// Returns the value as JSON; what JSON does not have is collected and left out as null.
    pub fn to_json(&self, problems: &mut Vec<Problem>) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.resolve().unwrap_or_else(|message| {
                problems.push(problem(ProblemKind::Value, self.span.clone(), &message));
                Value::Null
            }),
            Kind::Sequence(items) => Value::Array(items.iter().map(|item| item.to_json(problems)).collect()),
            Kind::Mapping(pairs) => Value::Object(
                pairs.iter().map(|(key, value)| (key.key_text().to_owned(), value.to_json(problems))).collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Scalar {
    /// Tells whether the scalar is a text, without making one.
    fn is_text(&self) -> bool {
        let can_be_another = |first: u8| first.is_ascii_digit() || b"-+.~nNtTfF".contains(&first);
        match self.text.as_bytes().first() {
            Some(first) if self.style == Style::Plain && can_be_another(*first) => matches!(self.resolve(), Ok(Value::String(_))),
            Some(_) => true,
            None => self.style != Style::Plain,
        }
    }

    /// Resolves a scalar by the core schema of YAML 1.2: only `true`, `false`, `null`, `~` and numbers are not texts.
    pub fn resolve(&self) -> Result<Value, String> {
        if self.style != Style::Plain {
            return Ok(Value::String(self.text.clone()));
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
            "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
            _ => {}
        }
        let first = self.text.as_bytes()[0];
        if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
            return Ok(Value::String(self.text.clone()));
        }
        number(&self.text)
    }
}

fn number(text: &str) -> Result<Value, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(format!("`{text}` has no place in JSON; write a number"));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        // `from_str_radix` takes a sign, which the core schema does not have here.
        let digits = text.strip_prefix(prefix).filter(|digits| !digits.is_empty());
        if let Some(digits) = digits.filter(|digits| digits.chars().all(|digit| digit.is_digit(radix))) {
            let value = i64::from_str_radix(digits, radix).map_err(|_| inexact(text))?;
            return exact(value.unsigned_abs(), Value::from(value), text);
        }
    }
    let is_integer = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if is_integer {
        let value = text.strip_prefix('+').unwrap_or(text).parse::<i64>().map_err(|_| inexact(text))?;
        return exact(value.unsigned_abs(), Value::from(value), text);
    }
    let looks_like_float = unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'))
        && unsigned.bytes().filter(|byte| *byte == b'.').count() <= 1;
    match text.parse::<f64>() {
        Ok(value) if looks_like_float => float(value, text),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Canonical JSON writes `1.0` as `1`, so they are one value from the start: a file and its published content must render, and
/// compare, the same.
fn float(value: f64, text: &str) -> Result<Value, String> {
    if value.fract() == 0.0 {
        return if value.abs() < MAX_EXACT_INTEGER as f64 { Ok(Value::from(value as i64)) } else { Err(inexact(text)) };
    }
    Number::from_f64(value).map(Value::Number).ok_or_else(|| format!("`{text}` is too large for a number"))
}

fn exact(magnitude: u64, value: Value, text: &str) -> Result<Value, String> {
    if magnitude <= MAX_EXACT_INTEGER { Ok(value) } else { Err(inexact(text)) }
}

fn inexact(text: &str) -> String {
    format!("`{text}` is larger than 2^53 and would lose digits as JSON; write it in quotes")
}

/// Where the bytes of a scalar's text stand in the file.
///
/// Exact for literal blocks and for plain or quoted texts that stand in the file as they are; otherwise the whole scalar.
#[derive(Debug, Clone)]
pub struct ScalarPlaces {
    whole: Range<usize>,
    map: PlaceMap,
}

#[derive(Debug, Clone)]
enum PlaceMap {
    /// Not known more closely.
    Whole,
    /// The text stands there as it is, from this byte on.
    Same(usize),
    /// For each line: its first byte in the text, the same byte in the file, and its length.
    Lines(Vec<(usize, usize, usize)>),
}

impl ScalarPlaces {
    /// Looks where the lines of `node` stand in `file`, once for all the places that are asked for.
    pub fn new(file: &str, node: &Node) -> Self {
        let whole = node.span.clone();
        let map = match &node.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Literal => literal_lines(file, whole.start, &scalar.text),
            Kind::Scalar(scalar) if scalar.style != Style::Folded && !scalar.text.is_empty() => {
                file[whole.clone()].find(&scalar.text).map(|offset| PlaceMap::Same(whole.start + offset))
            }
            _ => None,
        };
        Self { whole, map: map.unwrap_or(PlaceMap::Whole) }
    }

    /// Returns where `range` of the text stands.
    pub fn place(&self, range: Range<usize>) -> Range<usize> {
        match &self.map {
            PlaceMap::Whole => self.whole.clone(),
            PlaceMap::Same(start) => start + range.start..start + range.end.max(range.start),
            PlaceMap::Lines(lines) => {
                let at = |byte: usize| {
                    let line = lines.partition_point(|(first, _, _)| *first <= byte).saturating_sub(1);
                    lines.get(line).map_or(self.whole.start, |(first, place, length)| place + (byte - first).min(*length))
                };
                let start = at(range.start);
                start..at(range.end).max(start)
            }
        }
    }
}

/// Follows the lines of a literal block: the block's first line comes after the line of its `|`. Nothing when the text does not
/// stand there, as behind an alias.
fn literal_lines(file: &str, start: usize, text: &str) -> Option<PlaceMap> {
    // The span of a literal block starts at its `|`, or, for some parsers, at its first line.
    let starts_at_bar = file[start..].starts_with('|');
    let mut at =
        if starts_at_bar { start + file[start..].find('\n')? + 1 } else { file[..start].rfind('\n').map_or(0, |at| at + 1) };
    let mut first = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        let source = file.get(at..)?.split_inclusive('\n').next().unwrap_or("");
        let bare_source = source.strip_suffix('\n').unwrap_or(source);
        let bare_source = bare_source.strip_suffix('\r').unwrap_or(bare_source);
        let indent = bare_source.strip_suffix(bare)?;
        if !indent.bytes().all(|byte| byte == b' ') {
            return None;
        }
        lines.push((first, at + indent.len(), bare.len()));
        first += line.len();
        at += source.len();
    }
    Some(PlaceMap::Lines(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        let (node, mut problems) = parse(text);
        let value = node.unwrap().to_json(&mut problems);
        assert_eq!(problems, []);
        value
    }

    fn problems(text: &str) -> Vec<String> {
        let (node, mut problems) = parse(text);
        if let Some(node) = node {
            node.to_json(&mut problems);
        }
        problems
            .into_iter()
            .map(|problem| format!("{:?} {}..{}: {}", problem.kind, problem.span.start, problem.span.end, problem.message))
            .collect()
    }

    #[test]
    fn reads_the_core_schema() {
        let value = json("a: 1\nb: -2.5\nc: yes\nd: true\ne: 2026-04-15\nf: ~\ng: '1'\nh: 0x10\ni: 1e3\nj: 1.2.3\nl: 0.94\n");
        let expected = serde_json::json!({"a": 1, "b": -2.5, "c": "yes", "d": true, "e": "2026-04-15", "f": null, "g": "1",
            "h": 16, "i": 1000, "j": "1.2.3", "l": 0.94});
        assert_eq!(value, expected);
    }

    #[test]
    fn collects_duplicate_keys_and_values_without_json() {
        assert_eq!(
            problems("a: 1\na: 2\nb: .inf\nc: 9007199254740993\n"),
            [
                "DuplicateKey 5..6: the key `a` stands twice",
                "Value 13..17: `.inf` has no place in JSON; write a number",
                "Value 21..37: `9007199254740993` is larger than 2^53 and would lose digits as JSON; write it in quotes",
            ]
        );
    }

    #[test]
    fn refuses_an_alias_bomb_without_making_it() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let found = problems(&bomb);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("Limit ") && found[0].ends_with("more than 100000 values after aliases are expanded"),
            "{found:?}"
        );
    }

    #[test]
    fn refuses_what_is_too_deep_too_large_or_more_than_one() {
        assert!(problems(&"[".repeat(100))[0].starts_with("Limit 65..66: nested deeper"), "{:?}", problems(&"[".repeat(100)));
        assert!(problems(&"a".repeat(MAX_FILE_BYTES + 1))[0].starts_with("Limit 0..0: the file has"));
        assert!(problems("a: 1\n---\nb: 2\n")[0].contains("a second document starts here"));
        assert!(problems("a: &x [*x]\n")[0].contains("not complete before it"));
    }

    #[test]
    fn equal_numbers_are_equal_values() {
        assert_eq!(json("[1.0, 1e0, 0x1, +1, 1.]"), serde_json::json!([1, 1, 1, 1, 1]));
        assert_eq!(json("[-0.0, -0, 0.0]"), serde_json::json!([0, 0, 0]));
        assert_eq!(json("[0x-5, 0o9, 0x, -0x1]"), serde_json::json!(["0x-5", "0o9", "0x", "-0x1"]));
        for lossy in ["1e17", "0xFFFFFFFFFFFFFFFFFF", "-1e300", "9007199254740993.0"] {
            assert!(problems(lossy)[0].contains("is larger than 2^53"), "{lossy}: {:?}", problems(lossy));
        }
    }

    #[test]
    fn refuses_what_yaml_1_1_would_have_merged() {
        assert!(problems("a: &a {x: 1}\nb: {<<: *a}\n")[0].starts_with("Value 17..19: `<<` merges"));
        assert_eq!(json("{'<<': 1}"), serde_json::json!({"<<": 1}));
    }

    #[test]
    fn an_alias_is_no_place_inside_a_text() {
        let file = "a: &a |\n  {{ x }}\nb: *a\nc: 1\n";
        let node = parse(file).0.unwrap();
        let aliased = node.get("b").unwrap();
        assert_eq!(&file[ScalarPlaces::new(file, aliased).place(3..4)], "*a");
    }

    #[test]
    fn places_survive_marks_line_ends_and_tabs() {
        for prefix in ["", "\u{feff}", "# ü\r\n", "# ü\n\n"] {
            for end in ["\n", "\r\n"] {
                let lines = ["k: |", "  one\t{{ ü }}", "", "  {{ x }}", "z: \"ä {{ y }}\""];
                let file = format!("{prefix}{}{end}", lines.join(end));
                let node = parse(&file).0.unwrap();
                for (key, needle) in [("k", "{{ ü }}"), ("k", "{{ x }}"), ("z", "{{ y }}")] {
                    let value = node.get(key).unwrap();
                    let start = value.as_text().unwrap().find(needle).unwrap();
                    let place = ScalarPlaces::new(&file, value).place(start..start + needle.len());
                    assert_eq!(&file[place], needle, "{key} in {file:?}");
                }
            }
        }
    }

    #[test]
    fn finds_places_in_scalars() {
        let file = "é: 1\ntext: |\n  one\n    {{ ü }}\n\n  {{ x }}\nplain: see {{ y }}\nquoted: \"see {{ z }}\"\n";
        let (node, _) = parse(file);
        let node = node.unwrap();
        for (key, needle) in [("text", "{{ ü }}"), ("text", "{{ x }}"), ("plain", "{{ y }}"), ("quoted", "{{ z }}")] {
            let value = node.get(key).unwrap();
            let start = value.as_text().unwrap().find(needle).unwrap();
            let place = ScalarPlaces::new(file, value).place(start..start + needle.len());
            assert_eq!(&file[place], needle, "{key}");
        }
    }
}
