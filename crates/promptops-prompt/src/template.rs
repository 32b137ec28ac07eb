//! What a template uses: variables and includes, with their places.
//!
//! minijinja's parser gives the syntax tree. It is an unstable interface of that crate, so only this file knows it.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use minijinja::machinery::{Span, ast, parse};

use crate::id::{NameError, PromptRef};
use crate::render;

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

/// Names that every template has.
const GLOBALS: [&str; 5] = ["range", "dict", "namespace", "debug", "self"];

/// Reads what `template` uses.
///
/// # Errors
/// [`SyntaxError`] when it is not a Jinja template.
pub fn analyse(template: &str) -> Result<TemplateUse, SyntaxError> {
    // Most templates are plain text with a variable or two; one without any tag needs no parser.
    if !template.contains("{{") && !template.contains("{%") && !template.contains("{#") {
        return Ok(TemplateUse::default());
    }
    let tree = parse(template, "template", render::syntax()).map_err(|error| syntax_error(template, &error))?;
    let mut walk = Walk { scopes: vec![GLOBALS.into_iter().collect()], seen: BTreeSet::new(), found: TemplateUse::default() };
    walk.statement(&tree);
    Ok(walk.found)
}

fn syntax_error(template: &str, error: &minijinja::Error) -> SyntaxError {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let place = error.range().unwrap_or_else(|| {
        let line = error.line().unwrap_or(1).saturating_sub(1);
        let start: usize = template.split_inclusive('\n').take(line).map(str::len).sum();
        start..start + template[start..].lines().next().map_or(0, str::len)
    });
    SyntaxError { message, place: place.start.min(template.len())..place.end.min(template.len()) }
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
        self.found.includes.push(Include { target, place });
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
    fn names_the_place_of_a_syntax_error() {
        let template = "one\ntwo {% if %}\nthree";
        let error = analyse(template).unwrap_err();
        assert!(template[error.place.clone()].contains("%}") || error.place.start > 4, "{error:?}");
        assert!(error.message.contains("unexpected"), "{error:?}");
    }
}
