//! Nunjucks templates, as far as our Jinja renders them to the same text; everything else is refused by name.
//!
//! The two languages share their delimiters and much of their syntax, and differ in what values come to: Nunjucks prints a list
//! as JavaScript does, takes an empty list for true, compares across types and prints nothing for what is not there. So a
//! template is taken over as it stands, with a list of what it does to its variables, and [`Translated::check`] holds
//! the values of every case against that list.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Value};

/// A template that can be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Translated {
    /// The template for our engine.
    pub(super) text: String,
    /// What it does to which value.
    pub(super) uses: Vec<Use>,
    /// Where variables are named, in order.
    names: Vec<Range<usize>>,
}

/// One thing that a template does to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// The variable.
    pub(super) root: String,
    /// The way from the variable to the value.
    path: Vec<Step>,
    kind: UseKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// Every item of a list.
    Any,
}

/// What is done, named by what the value must be so that both engines do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UseKind {
    /// Printed: a text, or a number that both write alike.
    Printed,
    /// Given to a filter for texts, or compared with one.
    Text,
    /// Compared with a number.
    Number,
    /// Asked for its truth: not an empty list or mapping.
    Tested,
    /// Looped over, or counted: a list.
    List,
    /// Joined: a list of texts.
    Texts,
    /// Given a default: there.
    Present,
}

/// Why a template cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) message: String,
    /// The bytes of the template that are meant.
    pub(super) range: Range<usize>,
}

impl Translated {
    /// Returns the names of the variables, each once, in the order of their first use.
    pub(super) fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for used in &self.uses {
            if !names.contains(&used.root.as_str()) {
                names.push(&used.root);
            }
        }
        names
    }

    /// Gives variables other names.
    pub(super) fn renamed(mut self, new: impl Fn(&str) -> String) -> Self {
        for range in std::mem::take(&mut self.names).into_iter().rev() {
            let name = new(&self.text[range.clone()]);
            self.text.replace_range(range, &name);
        }
        for used in &mut self.uses {
            used.root = new(&used.root);
        }
        self
    }

    /// Says which value the two engines would treat differently. A variable that a case does not have prints as nothing in
    /// both, because it is declared with an empty text as its default.
    pub(super) fn check(&self, values: &Map<String, Value>) -> Result<(), String> {
        for used in &self.uses {
            match values.get(&used.root) {
                None if used.path.is_empty() && used.kind != UseKind::Present => {}
                None if used.kind == UseKind::List && used.path.is_empty() => {}
                None => return Err(format!("`{}` is not given, and the template needs it to be", used.name())),
                Some(value) => used.check(value, &used.path)?,
            }
        }
        Ok(())
    }
}

impl Use {
    fn name(&self) -> String {
        let mut name = self.root.clone();
        for step in &self.path {
            match step {
                Step::Key(key) => name.push_str(&format!(".{key}")),
                Step::Index(index) => name.push_str(&format!("[{index}]")),
                Step::Any => name.push_str("[…]"),
            }
        }
        name
    }

    fn check(&self, value: &Value, path: &[Step]) -> Result<(), String> {
        let Some((step, rest)) = path.split_first() else { return self.check_end(value) };
        let missing = || format!("`{}` is not there: Nunjucks prints nothing, where our templates stop", self.name());
        match (step, value) {
            (Step::Key(key), Value::Object(map)) => self.check(map.get(key).ok_or_else(missing)?, rest),
            (Step::Index(index), Value::Array(items)) => self.check(items.get(*index).ok_or_else(missing)?, rest),
            (Step::Any, Value::Array(items)) => items.iter().try_for_each(|item| self.check(item, rest)),
            // What is looped over is told by the loop itself.
            (Step::Any, _) => Ok(()),
            _ => Err(missing()),
        }
    }

    fn check_end(&self, value: &Value) -> Result<(), String> {
        let (is_equal, what) = match self.kind {
            UseKind::Printed => (prints_alike(value), "is printed, and JavaScript writes it in another way"),
            UseKind::Text => (value.is_string(), "is no text, and JavaScript would make it one"),
            UseKind::Number => (value.is_number(), "is no number, and JavaScript would make it one"),
            UseKind::Tested => {
                let is_empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
                (!is_empty, "is empty, which is true in JavaScript")
            }
            UseKind::List => (value.is_array(), "is no list"),
            UseKind::Texts => {
                let texts = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
                (texts, "is no list of texts")
            }
            UseKind::Present => (true, ""),
        };
        if is_equal { Ok(()) } else { Err(format!("`{}` {what}", self.name())) }
    }
}

/// Tells whether both engines write a value alike.
fn prints_alike(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Number(number) if number.is_i64() || number.is_u64() => true,
        // Beyond these JavaScript writes an exponent.
        Value::Number(number) => number.as_f64().is_some_and(|number| (1e-6..1e15).contains(&number.abs())),
        // A truth value is `true` there and `True` here.
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Tells whether a text has anything that a template engine would act on.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
}

/// Takes a template over.
pub(super) fn translate(template: &str) -> Result<Translated, Refused> {
    let mut translator = Translator { uses: Vec::new(), names: Vec::new(), scopes: Vec::new(), open: Vec::new() };
    let mut at = 0;
    while let Some((start, opening)) = next_tag(template, at) {
        let closing = match opening {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let inside = start + 2;
        let Some(length) = tag_end(&template[inside..], closing) else {
            return Err(refused(format!("`{opening}` is not closed"), start..start + 2));
        };
        let end = inside + length;
        let (mut from, mut to) = (inside, end);
        if template[from..to].starts_with('-') {
            from += 1;
        }
        if to > from && template[from..to].ends_with('-') {
            to -= 1;
        }
        at = end + 2;
        match opening {
            "{{" => {
                let mut parser = Parser::new(template, from..to)?;
                translator.printed(&mut parser)?;
            }
            "{%" if translator.tag(template, from..to)? => {
                at = skip_raw(template, at).ok_or_else(|| refused("`{% raw %}` is not closed".to_owned(), start..at))?;
            }
            _ => {}
        }
    }
    match translator.open.pop() {
        Some((name, range)) => Err(refused(format!("`{{% {name} %}}` is not closed"), range)),
        None => Ok(Translated { text: template.to_owned(), uses: translator.uses, names: translator.names }),
    }
}

fn refused(message: String, range: Range<usize>) -> Refused {
    Refused { message, range }
}

fn next_tag(template: &str, from: usize) -> Option<(usize, &'static str)> {
    let find = |opening: &'static str| template[from..].find(opening).map(|at| (from + at, opening));
    ["{{", "{%", "{#"].into_iter().filter_map(find).min()
}

/// Returns where a tag's closing stands, outside of quotes.
fn tag_end(text: &str, closing: &str) -> Option<usize> {
    if closing == "#}" {
        return text.find(closing);
    }
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if character == '"' || character == '\'' => quote = Some(character),
            None if text[at..].starts_with(closing) => return Some(at),
            None => {}
        }
    }
    None
}

/// Returns the place behind the tag that ends a raw block.
fn skip_raw(template: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let start = at + template[at..].find("{%")?;
        let end = start + template[start..].find("%}")?;
        if template[start + 2..end].trim_matches(['-', ' ', '\t', '\n']) == "endraw" {
            return Some(end + 2);
        }
        at = start + 2;
    }
}

/// A name and the way to its value: a loop's variable stands for the items of a list.
#[derive(Debug, Clone)]
struct Binding {
    root: String,
    path: Vec<Step>,
}

struct Translator {
    uses: Vec<Use>,
    names: Vec<Range<usize>>,
    scopes: Vec<HashMap<String, Binding>>,
    open: Vec<(&'static str, Range<usize>)>,
}

impl Translator {
    fn printed(&mut self, parser: &mut Parser<'_>) -> Result<(), Refused> {
        self.choice(parser, UseKind::Printed)?;
        parser.end()
    }

    /// Reads a tag; true when a raw block begins.
    fn tag(&mut self, template: &str, range: Range<usize>) -> Result<bool, Refused> {
        let mut parser = Parser::new(template, range.clone())?;
        let (name, place) = parser.name().ok_or_else(|| refused("a tag has no name".to_owned(), range.clone()))?;
        match name.as_str() {
            "if" => {
                self.alternatives(&mut parser)?;
                self.open.push(("if", place));
            }
            "elif" if self.is_open("if") => self.alternatives(&mut parser)?,
            "else" if self.is_open("if") || self.is_open("for") => {}
            "endif" if self.is_open("if") => drop(self.open.pop()),
            "for" => {
                let (variable, _) = parser.name().ok_or_else(|| refused("`for` names no variable".to_owned(), place.clone()))?;
                if !parser.takes("in") {
                    let message = "`for` over keys and values differs between Nunjucks and Jinja".to_owned();
                    return Err(refused(message, place));
                }
                let binding = self.path(&mut parser)?;
                self.record(&binding, UseKind::List);
                let mut path = binding.path;
                path.push(Step::Any);
                self.scopes.push(HashMap::from([(variable, Binding { root: binding.root, path })]));
                self.open.push(("for", place));
            }
            "endfor" if self.is_open("for") => {
                self.open.pop();
                self.scopes.pop();
            }
            "raw" => {
                parser.end()?;
                return Ok(true);
            }
            "elif" | "else" | "endif" | "endfor" => {
                return Err(refused(format!("`{{% {name} %}}` has no beginning"), place));
            }
            other => return Err(refused(format!("the tag `{{% {other} %}}` is not taken over"), place)),
        }
        parser.end()?;
        Ok(false)
    }

    fn is_open(&self, name: &str) -> bool {
        self.open.last().is_some_and(|(open, _)| *open == name)
    }

    /// `a if b else c`, in both languages.
    fn choice(&mut self, parser: &mut Parser<'_>, kind: UseKind) -> Result<(), Refused> {
        self.filtered(parser, kind)?;
        if parser.takes("if") {
            self.alternatives(parser)?;
            if !parser.takes("else") {
                return Err(parser.unexpected("`if` without `else` prints nothing in Nunjucks and stops in Jinja"));
            }
            self.choice(parser, kind)?;
        }
        Ok(())
    }

    fn alternatives(&mut self, parser: &mut Parser<'_>) -> Result<(), Refused> {
        self.conjunction(parser)?;
        while parser.takes("or") {
            self.conjunction(parser)?;
        }
        Ok(())
    }

    fn conjunction(&mut self, parser: &mut Parser<'_>) -> Result<(), Refused> {
        self.condition(parser)?;
        while parser.takes("and") {
            self.condition(parser)?;
        }
        Ok(())
    }

    fn condition(&mut self, parser: &mut Parser<'_>) -> Result<(), Refused> {
        if parser.takes("not") {
            return self.condition(parser);
        }
        if parser.takes("(") {
            self.alternatives(parser)?;
            return parser.expect(")");
        }
        let before = self.uses.len();
        let left = self.filtered(parser, UseKind::Tested)?;
        let is_comparison = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|operator| parser.takes(operator));
        let Some(operator) = is_comparison else { return Ok(()) };
        let middle = self.uses.len();
        let right = self.filtered(parser, UseKind::Tested)?;
        let kind = match (left, right) {
            (Operand::Value, Operand::Text) | (Operand::Text, Operand::Value) if matches!(operator, "==" | "!=") => UseKind::Text,
            (Operand::Value, Operand::Number) | (Operand::Number, Operand::Value) => UseKind::Number,
            _ => return Err(parser.unexpected("only a variable and a literal are compared alike in both languages")),
        };
        // The compared value is the last thing recorded on its side.
        let side = if matches!(left, Operand::Value) { before..middle } else { middle..self.uses.len() };
        if let Some(compared) = self.uses[side].last_mut().filter(|used| used.kind == UseKind::Tested) {
            compared.kind = kind;
        }
        Ok(())
    }

    /// A literal or a path with its filters.
    fn filtered(&mut self, parser: &mut Parser<'_>, kind: UseKind) -> Result<Operand, Refused> {
        let (operand, binding) = match parser.literal()? {
            Some(operand) => (operand, None),
            None => (Operand::Value, Some(self.path(parser)?)),
        };
        let mut kind = kind;
        let mut is_list = false;
        let mut filters = 0;
        while parser.takes("|") {
            let (name, place) = parser.name().ok_or_else(|| parser.unexpected("a filter has no name"))?;
            let arguments = parser.arguments()?;
            let needs = match (name.as_str(), arguments) {
                ("upper" | "lower" | "trim" | "capitalize" | "safe", 0) | ("replace", 2) => UseKind::Text,
                ("join", 0 | 1) => UseKind::Texts,
                ("length", 0) => UseKind::List,
                ("default", 1) if filters == 0 => UseKind::Present,
                _ => {
                    let message = format!("the filter `{name}` with {arguments} arguments is not taken over");
                    return Err(refused(message, place));
                }
            };
            if filters == 0 && needs == UseKind::Present {
                if let Some(binding) = &binding {
                    self.record(binding, UseKind::Present);
                }
            } else if filters == 0 || is_list {
                if is_list && needs != UseKind::Text {
                    return Err(refused(format!("the filter `{name}` follows another on a list"), place));
                }
                if !is_list {
                    kind = needs;
                }
            }
            is_list = matches!(needs, UseKind::List | UseKind::Texts);
            filters += 1;
        }
        if let Some(binding) = &binding {
            self.record(binding, kind);
        }
        Ok(operand)
    }

    fn path(&mut self, parser: &mut Parser<'_>) -> Result<Binding, Refused> {
        let Some((name, place)) = parser.name() else { return Err(parser.unexpected("a value is expected")) };
        if name == "env" {
            return Err(refused("`env` reads the environment, which is not data of the configuration".to_owned(), place));
        }
        if name == "loop" && !self.scopes.is_empty() {
            let known = ["index", "index0", "first", "last", "length", "revindex", "revindex0"];
            return match parser.member()? {
                Some(Step::Key(key)) if known.contains(&key.as_str()) => Ok(Binding { root: String::new(), path: Vec::new() }),
                _ => Err(refused("this part of `loop` is not taken over".to_owned(), place)),
            };
        }
        let bound = self.scopes.iter().rev().find_map(|scope| scope.get(&name)).cloned();
        if bound.is_none() {
            self.names.push(place.clone());
        }
        let mut binding = bound.unwrap_or(Binding { root: name, path: Vec::new() });
        while let Some(step) = parser.member()? {
            binding.path.push(step);
        }
        if parser.peek("(") {
            return Err(refused(format!("the call of `{}` is not taken over", binding.root), place));
        }
        Ok(binding)
    }

    /// Notes a use. The counter of a loop is no variable.
    fn record(&mut self, binding: &Binding, kind: UseKind) {
        if !binding.root.is_empty() {
            self.uses.push(Use { root: binding.root.clone(), path: binding.path.clone(), kind });
        }
    }
}

/// What stands on one side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Value,
    Text,
    Number,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

/// The inside of one tag.
struct Parser<'t> {
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
    whole: Range<usize>,
    template: std::marker::PhantomData<&'t str>,
}

const SIGNS: [&str; 17] = ["===", "!==", "==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", "|", ".", ":", "="];

impl<'t> Parser<'t> {
    fn new(template: &'t str, range: Range<usize>) -> Result<Self, Refused> {
        let mut tokens = Vec::new();
        let mut at = range.start;
        while let Some(character) = template[at..range.end].chars().next() {
            if character.is_whitespace() {
                at += character.len_utf8();
                continue;
            }
            let rest = &template[at..range.end];
            let (token, length) = if character == '"' || character == '\'' {
                let end = rest[1..].find(character).ok_or_else(|| refused("a text is not closed".to_owned(), at..range.end))?;
                let text = &rest[1..=end];
                if text.contains('\\') {
                    return Err(refused("escapes in texts of templates are not taken over".to_owned(), at..at + end + 2));
                }
                (Token::Text(text.to_owned()), end + 2)
            } else if character.is_ascii_digit() {
                let length = rest.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(rest.len());
                (Token::Number(rest[..length].to_owned()), length)
            } else if character.is_alphabetic() || character == '_' {
                let length = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
                (Token::Name(rest[..length].to_owned()), length)
            } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                (Token::Sign(sign), sign.len())
            } else {
                let message = format!("the operator `{character}` is not taken over");
                return Err(refused(message, at..at + character.len_utf8()));
            };
            tokens.push((token, at..at + length));
            at += length;
        }
        Ok(Self { tokens, next: 0, whole: range, template: std::marker::PhantomData })
    }

    fn here(&self) -> Range<usize> {
        self.tokens.get(self.next).map_or_else(|| self.whole.clone(), |(_, range)| range.clone())
    }

    fn unexpected(&self, message: &str) -> Refused {
        refused(message.to_owned(), self.here())
    }

    fn peek(&self, what: &str) -> bool {
        match self.tokens.get(self.next) {
            Some((Token::Name(name), _)) => name == what,
            Some((Token::Sign(sign), _)) => *sign == what,
            _ => false,
        }
    }

    fn takes(&mut self, what: &str) -> bool {
        let is_next = self.peek(what);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, what: &str) -> Result<(), Refused> {
        if self.takes(what) { Ok(()) } else { Err(self.unexpected(&format!("`{what}` is expected"))) }
    }

    fn name(&mut self) -> Option<(String, Range<usize>)> {
        match self.tokens.get(self.next) {
            Some((Token::Name(name), range)) => {
                self.next += 1;
                Some((name.clone(), range.clone()))
            }
            _ => None,
        }
    }

    fn literal(&mut self) -> Result<Option<Operand>, Refused> {
        let operand = match self.tokens.get(self.next) {
            Some((Token::Text(_), _)) => Operand::Text,
            Some((Token::Number(_), _)) => Operand::Number,
            Some((Token::Name(name), _)) if name == "true" || name == "false" => Operand::Other,
            Some((Token::Name(name), _)) if name == "none" || name == "null" || name == "undefined" => {
                return Err(self.unexpected("`none` is not taken over"));
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(operand))
    }

    /// Returns one step from a value to a part of it.
    fn member(&mut self) -> Result<Option<Step>, Refused> {
        if self.takes(".") {
            let (name, _) = self.name().ok_or_else(|| self.unexpected("a name is expected after `.`"))?;
            return Ok(Some(Step::Key(name)));
        }
        if self.takes("[") {
            let step = match self.tokens.get(self.next) {
                Some((Token::Text(key), _)) => Step::Key(key.clone()),
                Some((Token::Number(number), _)) => {
                    Step::Index(number.parse().map_err(|_| self.unexpected("an index is a whole number"))?)
                }
                _ => return Err(self.unexpected("only a text or a number stands in `[…]`")),
            };
            self.next += 1;
            self.expect("]")?;
            return Ok(Some(step));
        }
        Ok(None)
    }

    /// Returns how many literal arguments follow.
    fn arguments(&mut self) -> Result<usize, Refused> {
        if !self.takes("(") {
            return Ok(0);
        }
        let mut count = 0;
        while !self.takes(")") {
            if count > 0 {
                self.expect(",")?;
            }
            match self.literal()? {
                Some(_) => count += 1,
                None => return Err(self.unexpected("only literals are given to filters")),
            }
        }
        Ok(count)
    }

    fn end(&self) -> Result<(), Refused> {
        if self.next == self.tokens.len() {
            return Ok(());
        }
        let what = match &self.tokens[self.next].0 {
            Token::Name(name) | Token::Number(name) => name.clone(),
            Token::Text(text) => format!("\"{text}\""),
            Token::Sign(sign) => (*sign).to_owned(),
        };
        Err(self.unexpected(&format!("`{what}` is not taken over here")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(template: &str, values: Value) -> Result<(), String> {
        let translated = translate(template).map_err(|refused| refused.message)?;
        translated.check(values.as_object().unwrap())
    }

    #[test]
    fn what_both_languages_share_is_taken_over() {
        let values = json!({"name": "A", "n": 2, "list": ["a", "b"], "user": {"tags": [{"id": 1}]}, "on": true});
        for template in [
            "plain, with } and { and %}",
            "{{ name }} {{- n -}} {{ 'x' }}",
            "{{ name | upper | trim }}{{ list | join(', ') }}{{ list | length }}",
            "{% if on and not missing %}a{% elif name == 'A' or n > 1 %}b{% else %}c{% endif %}",
            "{% for item in list %}{{ loop.index }}. {{ item }}{% endfor %}",
            "{% for tag in user.tags %}{{ tag.id }}{% endfor %}{{ user.tags[0]['id'] }}",
            "{# a comment with {{ anything | at_all }} #}{% raw %}{{ untouched | x }}{% endraw %}",
            "{{ 'yes' if on else name }}{{ missing }}",
        ] {
            assert_eq!(check(template, values.clone()), Ok(()), "{template}");
        }
        let uses = translate("{{ b }}{% for x in a %}{{ x }}{{ b }}{% endfor %}").unwrap();
        assert_eq!(uses.variables(), ["b", "a"]);
    }

    #[test]
    fn variables_take_other_names() {
        let template = "{{ a }} a {% if a.b == 'a' %}{{ b | upper }}{% endif %}{% for a in list %}{{ a }}{% endfor %}";
        let translated = translate(template).unwrap().renamed(|name| if name == "a" { "other".into() } else { name.into() });
        let renamed = "{{ other }} a {% if other.b == 'a' %}{{ b | upper }}{% endif %}{% for a in list %}{{ a }}{% endfor %}";
        assert_eq!((translated.text.as_str(), translated.variables()), (renamed, vec!["other", "b", "list"]));
    }

    #[test]
    fn what_differs_is_refused_by_name() {
        for (template, message) in [
            ("{{ x | dump }}", "the filter `dump` with 0 arguments is not taken over"),
            ("{{ env.KEY }}", "`env` reads the environment, which is not data of the configuration"),
            ("{{ x + 1 }}", "the operator `+` is not taken over"),
            ("{{ f(x) }}", "the call of `f` is not taken over"),
            ("{% set a = 1 %}", "the tag `{% set %}` is not taken over"),
            ("{% include 'a.txt' %}", "the tag `{% include %}` is not taken over"),
            ("{% for k, v in map %}{% endfor %}", "`for` over keys and values differs between Nunjucks and Jinja"),
            ("{% if a === b %}{% endif %}", "`===` is not taken over here"),
            ("{% if a == b %}{% endif %}", "only a variable and a literal are compared alike in both languages"),
            ("{% if a %}", "`{% if %}` is not closed"),
            ("{% endif %}", "`{% endif %}` has no beginning"),
            ("{{ a ", "`{{` is not closed"),
            ("{{ a if b }}", "`if` without `else` prints nothing in Nunjucks and stops in Jinja"),
            ("{{ 'a\\n' }}", "escapes in texts of templates are not taken over"),
        ] {
            assert_eq!(translate(template).unwrap_err().message, message, "{template}");
        }
        let place = translate("Hello {{ name | dump }}").unwrap_err().range;
        assert_eq!(place, 16..20);
    }

    #[test]
    fn values_that_the_engines_treat_differently_are_refused() {
        for (template, values, message) in [
            ("{{ a }}", json!({"a": [1]}), "`a` is printed, and JavaScript writes it in another way"),
            ("{{ a }}", json!({"a": true}), "`a` is printed, and JavaScript writes it in another way"),
            ("{{ a.b }}", json!({"a": {}}), "`a.b` is not there: Nunjucks prints nothing, where our templates stop"),
            ("{% if a %}x{% endif %}", json!({"a": []}), "`a` is empty, which is true in JavaScript"),
            ("{% if a == '1' %}x{% endif %}", json!({"a": 1}), "`a` is no text, and JavaScript would make it one"),
            ("{% if 2 > a %}x{% endif %}", json!({"a": "1"}), "`a` is no number, and JavaScript would make it one"),
            ("{{ a | upper }}", json!({"a": 1}), "`a` is no text, and JavaScript would make it one"),
            ("{% for i in a %}{{ i }}{% endfor %}", json!({"a": "xy"}), "`a` is no list"),
            (
                "{% for i in a %}{{ i }}{% endfor %}",
                json!({"a": [[1]]}),
                "`a[…]` is printed, and JavaScript writes it in another way",
            ),
            ("{{ a | default('x') }}", json!({}), "`a` is not given, and the template needs it to be"),
            ("{{ a }}", json!({"a": 1e-9}), "`a` is printed, and JavaScript writes it in another way"),
        ] {
            assert_eq!(check(template, values.clone()), Err(message.to_owned()), "{template} {values}");
        }
    }
}
