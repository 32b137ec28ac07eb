//! What a template uses: variables and includes, with their places.
//!
//! minijinja's parser gives the syntax tree. It is an unstable interface of that crate, so only this file and the one below it know
//! it.

mod program;

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use minijinja::machinery::{Span, Token, ast, parse, tokenize};

use crate::id::{NameError, PromptRef};
use crate::render;

pub(crate) use program::program;

/// What one template uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateUse {
    /// Every variable that the template itself does not set, with the place of its first use.
    pub variables: Vec<(String, Range<usize>)>,
    /// Every include, in order.
    pub includes: Vec<Include>,
    /// Tags that reach for other templates in a way that cannot be pinned: `extends`, `import`, `from`, with their places.
    pub unsupported: Vec<(&'static str, Range<usize>)>,
}

/// One `{% include %}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// What it names: a pinned reference, or why it is none.
    pub target: Result<PromptRef, IncludeError>,
    /// The place of the tag in the template.
    pub place: Range<usize>,
    /// What it names as it is written, with the place of that text, quotes included; none when it is computed.
    pub name: Option<(String, Range<usize>)>,
}

/// Why an include is not pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IncludeError {
    /// The name is computed when the template is rendered.
    #[error("the name of an include must be written out as a text")]
    Computed,
    /// The name is not `id@version`.
    #[error(transparent)]
    Name(NameError),
    /// `ignore missing` would hide a lost include.
    #[error("`ignore missing` would hide a lost include")]
    IgnoreMissing,
}

/// A syntax error of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong, as a fragment.
    pub message: String,
    /// The place in the template.
    pub place: Range<usize>,
}

/// The most steps (operators, names, filters, brackets) of one expression, those of its deepest element counted in.
pub const MAX_STEPS: usize = 500;
/// The most `elif` of one `if`.
pub const MAX_BRANCHES: usize = 100;
/// The most `set` and `with` of one template.
pub const MAX_ASSIGNMENTS: usize = 100;
/// A line must be shorter, in characters; the engine counts columns no further.
pub const MAX_LINE_CHARS: usize = 65_535;

/// Names that every template has.
const GLOBALS: [&str; 4] = ["range", "dict", "debug", "self"];

/// Reads what `template` uses.
///
/// # Errors
/// [`SyntaxError`] when it is not a Jinja template.
pub fn analyse(template: &str) -> Result<TemplateUse, SyntaxError> {
    // Most templates are plain text with a variable or two; one without any tag needs no parser.
    if !template.contains("{{") && !template.contains("{%") && !template.contains("{#") {
        return Ok(TemplateUse::default());
    }
    within_bounds(template)?;
    let tree = parse(template, "template", render::syntax()).map_err(|error| syntax_error(template, &error))?;
    let mut walk = Walk { scopes: vec![GLOBALS.into_iter().collect()], seen: BTreeSet::new(), found: TemplateUse::default() };
    walk.statement(&tree);
    Ok(walk.found)
}

/// Refuses what the engine would follow with one call inside another until the stack is full, which ends the whole process. Its
/// parser bounds brackets and blocks itself, but neither chains of operators nor of `elif`, nor values that assignments put
/// one into another.
///
/// # Errors
/// [`SyntaxError`] at the first place beyond [`MAX_STEPS`], [`MAX_BRANCHES`], [`MAX_ASSIGNMENTS`] or [`MAX_LINE_CHARS`].
pub(crate) fn within_bounds(template: &str) -> Result<(), SyntaxError> {
    let refuse = |place: Range<usize>, message: String| Err(SyntaxError { message, place });
    let mut start = 0;
    for line in template.split_inclusive('\n') {
        if line.len() >= MAX_LINE_CHARS && line.chars().count() >= MAX_LINE_CHARS {
            return refuse(
                start..start + line.trim_end().len(),
                format!("a line has {MAX_LINE_CHARS} characters or more; break it"),
            );
        }
        start += line.len();
    }
    if is_surely_within_bounds(template) { Ok(()) } else { tokens_within_bounds(template) }
}

fn tokens_within_bounds(template: &str) -> Result<(), SyntaxError> {
    let refuse = |place: Range<usize>, message: String| Err(SyntaxError { message, place });
    let mut open = vec![Steps::default()];
    let mut branches: Vec<usize> = Vec::new();
    let mut is_tag_name = false;
    let mut assignments = 0;
    for token in tokenize(template, false, render::syntax()) {
        // What is no token is told by the parser.
        let Ok((token, span)) = token else { return Ok(()) };
        match (&token, is_tag_name) {
            (Token::Ident("if"), true) => branches.push(0),
            (Token::Ident("elif"), true) => branches.iter_mut().last().into_iter().for_each(|count| *count += 1),
            (Token::Ident("endif"), true) => drop(branches.pop()),
            (Token::Ident("set" | "with"), true) => assignments += 1,
            _ => {}
        }
        is_tag_name = matches!(token, Token::BlockStart);
        if branches.last().is_some_and(|count| *count > MAX_BRANCHES) {
            return refuse(place(span), format!("one `if` has more than {MAX_BRANCHES} `elif`; look the value up in a mapping"));
        }
        if assignments > MAX_ASSIGNMENTS {
            return refuse(
                place(span),
                format!("the template has more than {MAX_ASSIGNMENTS} `set` and `with`; pass values as inputs"),
            );
        }
        Steps::count(&mut open, &token);
        if open.last().is_some_and(|steps| steps.depth() > MAX_STEPS) {
            let message = format!("an expression has more than {MAX_STEPS} steps; take parts of it out with `{{% set %}}`");
            return refuse(place(span), message);
        }
    }
    Ok(())
}

/// Tells quickly, without reading tokens, that a template is as most are: a hundred tags at most, each shorter than a chain of
/// steps could be. A tag that is hard to see the end of (a `}}` in a text, a mapping) is left to the tokens, and so are comments and
/// `raw`, in which tags are none.
fn is_surely_within_bounds(template: &str) -> bool {
    if template.contains("raw") {
        return false;
    }
    let bytes = template.as_bytes();
    let (mut at, mut tags) = (0, 0);
    while let Some(found) = template[at..].find('{') {
        at += found + 1;
        let end = match bytes.get(at) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => return false,
            _ => continue,
        };
        let Some(length) = template[at + 1..].find(end) else { return false };
        let tag = &bytes[at + 1..at + 1 + length];
        let quotes = tag.iter().filter(|byte| **byte == b'"').count();
        let is_plain = quotes % 2 == 0 && !tag.iter().any(|byte| matches!(byte, b'\'' | b'\\' | b'{'));
        tags += 1;
        // Each step takes a byte at least, each branch and each assignment a tag.
        if !is_plain || length >= MAX_STEPS || tags > MAX_BRANCHES.min(MAX_ASSIGNMENTS) {
            return false;
        }
        at += 1 + length + end.len();
    }
    true
}

/// The steps between two brackets: no tree of an expression is deeper than it has steps, those of its deepest element added.
#[derive(Default)]
struct Steps {
    /// Since the last comma.
    here: usize,
    /// In the deepest brackets since the last comma.
    inner: usize,
    /// Up to the last comma.
    before: usize,
}

impl Steps {
    fn depth(&self) -> usize {
        self.before.max(self.here + self.inner)
    }

    fn count(open: &mut Vec<Self>, token: &Token<'_>) {
        let is_outermost = open.len() == 1;
        match (token, open.last_mut()) {
            (Token::TemplateData(_), _) | (_, None) => {}
            (Token::VariableStart | Token::BlockStart | Token::VariableEnd | Token::BlockEnd, _) => *open = vec![Self::default()],
            (Token::ParenOpen | Token::BracketOpen | Token::BraceOpen, Some(steps)) => {
                steps.here += 1;
                open.push(Self::default());
            }
            (Token::ParenClose | Token::BracketClose | Token::BraceClose, Some(steps)) if !is_outermost => {
                let depth = steps.depth();
                open.pop();
                open.iter_mut().last().into_iter().for_each(|around| around.inner = around.inner.max(depth));
            }
            (Token::Comma, Some(steps)) => *steps = Self { before: steps.depth(), ..Self::default() },
            (_, Some(steps)) => steps.here += 1,
        }
    }
}

fn syntax_error(template: &str, error: &minijinja::Error) -> SyntaxError {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let place = error.range().unwrap_or_else(|| {
        let line = error.line().unwrap_or(1).saturating_sub(1);
        let start: usize = template.split_inclusive('\n').take(line).map(str::len).sum();
        start..start + template[start..].lines().next().map_or(0, str::len)
    });
    // The engine counts one byte for whatever letter it does not know.
    let (start, end) = (template.floor_char_boundary(place.start), template.ceil_char_boundary(place.end));
    SyntaxError { message, place: start..end.max(start) }
}

fn place(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

struct Walk<'template> {
    scopes: Vec<HashSet<&'template str>>,
    seen: BTreeSet<&'template str>,
    found: TemplateUse,
}

impl<'template> Walk<'template> {
    fn assign(&mut self, target: &ast::Expr<'template>) {
        match target {
            ast::Expr::Var(variable) => self.declare(variable.id),
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.assign(item)),
            ast::Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.assign(item)),
            // `{% set ns.field = … %}` reads `ns`.
            other => self.expression(other),
        }
    }

    fn declare(&mut self, name: &'template str) {
        self.scopes.last_mut().expect("the outermost scope is never left").insert(name);
    }

    fn scoped(&mut self, names: &[&'template str], body: &[ast::Stmt<'template>]) {
        self.scopes.push(names.iter().copied().collect());
        self.statements(body);
        self.scopes.pop();
    }

    fn statements(&mut self, statements: &[ast::Stmt<'template>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &ast::Stmt<'template>) {
        match statement {
            ast::Stmt::Template(template) => self.statements(&template.children),
            ast::Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            ast::Stmt::EmitRaw(_) | ast::Stmt::Continue(_) | ast::Stmt::Break(_) => {}
            ast::Stmt::ForLoop(for_loop) => self.for_loop(for_loop),
            ast::Stmt::IfCond(condition) => {
                self.expression(&condition.expr);
                // Jinja's `if` opens no scope: what is set inside stays.
                self.statements(&condition.true_body);
                self.statements(&condition.false_body);
            }
            ast::Stmt::WithBlock(with) => {
                with.assignments.iter().for_each(|(_, value)| self.expression(value));
                self.scopes.push(HashSet::new());
                with.assignments.iter().for_each(|(target, _)| self.assign(target));
                self.statements(&with.body);
                self.scopes.pop();
            }
            ast::Stmt::Set(set) => {
                self.expression(&set.expr);
                self.assign(&set.target);
            }
            ast::Stmt::SetBlock(set) => {
                self.optional(set.filter.as_ref());
                self.scoped(&[], &set.body);
                self.assign(&set.target);
            }
            ast::Stmt::AutoEscape(escape) => {
                self.expression(&escape.enabled);
                self.scoped(&[], &escape.body);
            }
            ast::Stmt::FilterBlock(filter) => {
                self.expression(&filter.filter);
                self.scoped(&[], &filter.body);
            }
            ast::Stmt::Block(block) => self.scoped(&["super"], &block.body),
            ast::Stmt::Extends(extends) => self.found.unsupported.push(("extends", place(extends.span()))),
            ast::Stmt::Import(import) => {
                self.found.unsupported.push(("import", place(import.span())));
                self.assign(&import.name);
            }
            ast::Stmt::FromImport(import) => {
                self.found.unsupported.push(("from", place(import.span())));
                import.names.iter().for_each(|(name, alias)| self.assign(alias.as_ref().unwrap_or(name)));
            }
            ast::Stmt::Include(include) => self.include(include, place(include.span())),
            ast::Stmt::Macro(definition) => {
                self.declare(definition.name);
                self.macro_body(definition);
            }
            ast::Stmt::CallBlock(block) => {
                self.call(&block.call);
                self.macro_body(&block.macro_decl);
            }
            ast::Stmt::Do(statement) => self.call(&statement.call),
        }
    }

    fn for_loop(&mut self, for_loop: &ast::ForLoop<'template>) {
        self.expression(&for_loop.iter);
        self.scopes.push(["loop"].into());
        self.assign(&for_loop.target);
        self.optional(for_loop.filter_expr.as_ref());
        self.statements(&for_loop.body);
        self.scopes.pop();
        self.scoped(&[], &for_loop.else_body);
    }

    fn macro_body(&mut self, definition: &ast::Macro<'template>) {
        self.scopes.push(["caller", "varargs", "kwargs"].into());
        definition.defaults.iter().for_each(|default| self.expression(default));
        definition.args.iter().for_each(|argument| self.assign(argument));
        self.statements(&definition.body);
        self.scopes.pop();
    }

    fn include(&mut self, include: &ast::Include<'template>, place: Range<usize>) {
        let target = match &include.name {
            _ if include.ignore_missing => Err(IncludeError::IgnoreMissing),
            ast::Expr::Const(name) => match name.value.as_str() {
                Some(text) => text.parse().map_err(IncludeError::Name),
                None => Err(IncludeError::Computed),
            },
            computed => {
                self.expression(computed);
                Err(IncludeError::Computed)
            }
        };
        let name = match &include.name {
            ast::Expr::Const(name) => name.value.as_str().map(|text| (text.to_owned(), self::place(name.span()))),
            _ => None,
        };
        self.found.includes.push(Include { target, place, name });
    }

    fn optional(&mut self, expression: Option<&ast::Expr<'template>>) {
        if let Some(expression) = expression {
            self.expression(expression);
        }
    }

    fn call(&mut self, call: &ast::Call<'template>) {
        self.expression(&call.expr);
        self.arguments(&call.args);
    }

    fn arguments(&mut self, arguments: &[ast::CallArg<'template>]) {
        for argument in arguments {
            match argument {
                ast::CallArg::Pos(value)
                | ast::CallArg::Kwarg(_, value)
                | ast::CallArg::PosSplat(value)
                | ast::CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }

    fn expression(&mut self, expression: &ast::Expr<'template>) {
        match expression {
            ast::Expr::Var(variable) => {
                let is_set = self.scopes.iter().any(|scope| scope.contains(variable.id));
                if !is_set && self.seen.insert(variable.id) {
                    self.found.variables.push((variable.id.to_owned(), place(variable.span())));
                }
            }
            ast::Expr::Const(_) => {}
            ast::Expr::UnaryOp(operation) => self.expression(&operation.expr),
            ast::Expr::BinOp(operation) => {
                self.expression(&operation.left);
                self.expression(&operation.right);
            }
            ast::Expr::Compare(comparison) => {
                self.expression(&comparison.expr);
                comparison.ops.iter().for_each(|operation| self.expression(&operation.expr));
            }
            ast::Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.expression(&choice.true_expr);
                self.optional(choice.false_expr.as_ref());
            }
            ast::Expr::Filter(filter) => {
                self.optional(filter.expr.as_ref());
                self.arguments(&filter.args);
            }
            ast::Expr::Test(test) => {
                self.expression(&test.expr);
                self.arguments(&test.args);
            }
            ast::Expr::GetAttr(access) => self.expression(&access.expr),
            ast::Expr::GetItem(access) => {
                self.expression(&access.expr);
                self.expression(&access.subscript_expr);
            }
            ast::Expr::Slice(slice) => {
                self.expression(&slice.expr);
                [&slice.start, &slice.stop, &slice.step].into_iter().for_each(|bound| self.optional(bound.as_ref()));
            }
            ast::Expr::Call(call) => self.call(call),
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            ast::Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            ast::Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.expression(item)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(template: &str) -> Vec<String> {
        analyse(template).unwrap().variables.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn finds_what_the_template_does_not_set_itself() {
        assert_eq!(
            variables("{% for m in history %}{{ loop.index }} {{ m.role }}{% else %}{{ none }}{% endfor %}{{ m }}"),
            ["history", "m"]
        );
        assert_eq!(variables("{% set x = a %}{{ x }}{% if b %}{% set y = 1 %}{% endif %}{{ y }}"), ["a", "b"]);
        assert_eq!(variables("{{ items[start:stop] | join(sep) }}{{ range(n) }}"), ["items", "start", "stop", "sep", "n"]);
        assert_eq!(variables("{% macro m(a, b=c) %}{{ a }}{{ d }}{% endmacro %}{{ m(e) }}"), ["c", "d", "e"]);
        assert_eq!(variables("{% with a = b %}{{ a }}{% endwith %}{{ a }}"), ["b", "a"]);
        assert_eq!(variables("no tags { at } all"), Vec::<String>::new());
    }

    #[test]
    fn points_at_the_first_use() {
        let template = "Hello {{ user.name }}, {{ user }}";
        let found = analyse(template).unwrap();
        assert_eq!(&template[found.variables[0].1.clone()], "user");
        assert_eq!(found.variables[0].1.start, 9);
    }

    #[test]
    fn reads_includes() {
        let found = analyse(
            "{% include \"shared.tone@3\" %}{% include 'shared.tone' %}{% include x %}{% include 'a@1' ignore missing %}",
        )
        .unwrap();
        let shown: Vec<String> = found
            .includes
            .iter()
            .map(|include| include.target.as_ref().map_or_else(ToString::to_string, ToString::to_string))
            .collect();
        assert_eq!(
            shown,
            [
                "shared.tone@3",
                "a pinned reference is `id@version`; got `shared.tone`",
                "the name of an include must be written out as a text",
                "`ignore missing` would hide a lost include",
            ]
        );
        assert_eq!(analyse("{% extends 'a@1' %}").unwrap().unsupported[0].0, "extends");
    }

    #[test]
    fn points_at_a_whole_letter() {
        let template = "{{ x\u{2028} }}";
        assert_eq!(&template[analyse(template).unwrap_err().place], "\u{2028}");
    }

    proptest::proptest! {
        /// Whatever is let through without looking at its tokens is let through by them as well: pieces that open, close and hide
        /// tags, around chains that are long enough to be refused.
        #[test]
        fn a_quick_look_lets_nothing_through_that_tokens_refuse(pieces in proptest::collection::vec(0..14_usize, 0..12)) {
            let chain = "+a".repeat(MAX_STEPS);
            let branches = format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(MAX_BRANCHES + 1));
            let parts = [
                "{{ a", "}}", "{% if a", "%}", "{#", "#}", "{% raw %}", "{% endraw %}", "\"", "'", "{", " a ", &chain, &branches,
            ];
            let template: String = pieces.into_iter().map(|piece| parts[piece]).collect();
            proptest::prop_assert!(!is_surely_within_bounds(&template) || tokens_within_bounds(&template).is_ok(), "{}", template);
        }
    }

    #[test]
    fn most_templates_need_no_look_at_their_tokens() {
        for template in [
            "plain",
            "{{ a }} {",
            "{% include \"a.b@1\" %}{% if x == \"}\" %}{% endif %}",
            "{% for a in b %}{{ a.c }}{% endfor %}",
        ] {
            assert!(is_surely_within_bounds(template), "{template}");
        }
        for template in ["{{ '}}' }}", "{{ {1: {2: 3}} }}", "{# {{ #}", "{% raw %}{{{% endraw %}", "{{ \"}}\" }}", "{{ a"] {
            assert!(!is_surely_within_bounds(template), "{template}");
        }
    }

    #[test]
    fn refuses_what_would_fill_the_stack() {
        let many = 20_000;
        let chains = ["+ 1", "~ 1", "and 1", "** 1", ".a", "| string", "()", "[0]", "is none", "if 1", "if 1 else 1"];
        let chains = chains.iter().map(|chain| format!("{{{{ 1 {} }}}}", format!("{chain}\n").repeat(many)));
        let heads = ["not ", "- ", "(", "[", "{1:", "f(", "1 + (", "[1, -", "a[-"];
        let heads = heads.iter().map(|head| format!("{{% set x = {}1 %}}", format!("{head}\n").repeat(many)));
        let branches = [format!("{{% if a %}}{}{{% endif %}}", "{%- elif a %}\n".repeat(many))];
        let blocks =
            ["{% if a %}", "{% for a in b %}", "{% with %}", "{% filter upper %}"].map(|block| format!("{block}\n").repeat(many));
        for template in chains.chain(heads).chain(branches).chain(blocks) {
            let error = analyse(&template).unwrap_err();
            assert!(template.get(error.place.clone()).is_some(), "{error:?}");
        }
        assert!(analyse(&format!("{{{{ x }}}}{}{{#", "x".repeat(70_000))).unwrap_err().message.contains("break it"));
    }

    #[test]
    fn takes_what_people_write() {
        let list: Vec<String> = (0..5000).map(|number| format!("{{'a': -{number} + 1, 'b': [x[{number}].y | f, 2]}}")).collect();
        let branches =
            format!("{{% if a == 0 %}}{}{{% endif %}}", (1..90).map(|n| format!("{{% elif a == {n} %}}{n}")).collect::<String>());
        let sums = vec!["a"; 240].join(" + ");
        let lines = "{{ a }}\n".repeat(20_000);
        let ifs = "{% if a %}1{% elif a %}2{% endif %}\n".repeat(1_000);
        for template in [format!("{{% set l = [{}] %}}", list.join(",\n")), branches, format!("{{{{ {sums} }}}}"), lines, ifs] {
            analyse(&template).unwrap();
        }
    }

    #[test]
    fn names_the_place_of_a_syntax_error() {
        let template = "one\ntwo {% if %}\nthree";
        let error = analyse(template).unwrap_err();
        assert!(template[error.place.clone()].contains("%}") || error.place.start > 4, "{error:?}");
        assert!(error.message.contains("unexpected"), "{error:?}");
    }
}
