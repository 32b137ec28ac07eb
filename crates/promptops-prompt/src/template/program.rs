//! From the syntax tree of a template to a program that needs no engine, where the template is as most are.

use std::collections::BTreeMap;

use minijinja::machinery::{ast, parse};
use minijinja::value::ValueKind;

use crate::id::PromptRef;
use crate::render::{self, Condition, Fact, Operand, Place, Program, Root, Step};

/// A program must be smaller, in steps and in bytes of its texts: includes are written out wherever they are.
const MAX_STEPS: usize = 4096;
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Loops, conditions, operators and includes in one another; the engine bounds them as well, and sees to what is deeper.
const MAX_NESTED: usize = 16;

/// Makes the program of a prompt with these `templates`, the names of its variables in order, and the templates it may include.
pub(crate) fn program(templates: &[&str], inputs: &[&str], includes: &BTreeMap<String, &str>) -> Program {
    let mut program = Program::default();
    let mut size = Size { steps: MAX_STEPS, text_bytes: MAX_TEXT_BYTES };
    for template in templates {
        let mut compiler =
            Compiler { inputs, includes, loops: Vec::new(), nested: 0, names: &mut program.names, size: &mut size };
        let steps = compiler.template(template);
        program.templates.push(steps);
    }
    program
}

/// What a program may still take.
struct Size {
    steps: usize,
    text_bytes: usize,
}

struct Compiler<'c> {
    inputs: &'c [&'c str],
    includes: &'c BTreeMap<String, &'c str>,
    /// The names that the loops around give to their items, the outermost first.
    loops: Vec<String>,
    nested: usize,
    names: &'c mut Vec<Box<str>>,
    size: &'c mut Size,
}

/// What a name or a path stands for.
enum Named {
    At(Place),
    /// `loop`, of the loop of this depth.
    Loop(usize),
}

impl Compiler<'_> {
    fn template(&mut self, template: &str) -> Option<Vec<Step>> {
        let tree = parse(template, "template", render::syntax()).ok()?;
        let ast::Stmt::Template(template) = &tree else { return None };
        self.statements(&template.children)
    }

    fn statements(&mut self, statements: &[ast::Stmt<'_>]) -> Option<Vec<Step>> {
        self.nested += 1;
        if self.nested > MAX_NESTED {
            return None;
        }
        let mut steps = Vec::with_capacity(statements.len());
        for statement in statements {
            self.size.steps = self.size.steps.checked_sub(1)?;
            self.statement(statement, &mut steps)?;
        }
        self.nested -= 1;
        Some(steps)
    }

    fn statement(&mut self, statement: &ast::Stmt<'_>, steps: &mut Vec<Step>) -> Option<()> {
        match statement {
            ast::Stmt::EmitRaw(text) => {
                self.size.text_bytes = self.size.text_bytes.checked_sub(text.raw.len())?;
                steps.push(Step::Text(text.raw.into()));
            }
            ast::Stmt::EmitExpr(emit) => steps.push(self.write(&emit.expr)?),
            ast::Stmt::ForLoop(for_loop) => steps.push(self.for_loop(for_loop)?),
            ast::Stmt::IfCond(condition) => steps.push(Step::If {
                condition: self.condition(&condition.expr)?,
                then: self.statements(&condition.true_body)?,
                otherwise: self.statements(&condition.false_body)?,
            }),
            ast::Stmt::Include(include) if !include.ignore_missing => {
                let ast::Expr::Const(name) = &include.name else { return None };
                let name: PromptRef = name.value.as_str()?.parse().ok()?;
                // An included template sees all that is seen where it is included.
                let included = self.includes.get(&name.to_string()).copied()?;
                steps.append(&mut self.template(included)?);
            }
            _ => return None,
        }
        Some(())
    }

    fn for_loop(&mut self, for_loop: &ast::ForLoop<'_>) -> Option<Step> {
        let ast::Expr::Var(item) = &for_loop.target else { return None };
        if for_loop.filter_expr.is_some() || for_loop.recursive {
            return None;
        }
        let list = self.place(&for_loop.iter)?;
        self.loops.push(item.id.to_owned());
        let body = self.statements(&for_loop.body)?;
        self.loops.pop();
        Some(Step::Each { list, body, otherwise: self.statements(&for_loop.else_body)? })
    }

    fn write(&mut self, expression: &ast::Expr<'_>) -> Option<Step> {
        if let ast::Expr::IfExpr(choice) = expression {
            return Some(Step::If {
                condition: self.condition(&choice.test_expr)?,
                then: vec![self.write(&choice.true_expr)?],
                otherwise: vec![self.write(choice.false_expr.as_ref()?)?],
            });
        }
        Some(Step::Write(self.operand(expression)?))
    }

    fn condition(&mut self, expression: &ast::Expr<'_>) -> Option<Condition> {
        self.nested += 1;
        if self.nested > MAX_NESTED {
            return None;
        }
        let condition = match expression {
            ast::Expr::UnaryOp(operation) if matches!(operation.op, ast::UnaryOpKind::Not) => {
                Condition::Not(Box::new(self.condition(&operation.expr)?))
            }
            ast::Expr::BinOp(operation) => self.operation(operation)?,
            ast::Expr::Test(test) if test.name == "none" && test.args.is_empty() => Condition::Nothing(self.place(&test.expr)?),
            other => Condition::Holds(self.operand(other)?),
        };
        self.nested -= 1;
        Some(condition)
    }

    fn operation(&mut self, operation: &ast::BinOp<'_>) -> Option<Condition> {
        let (left, right) = (&operation.left, &operation.right);
        let not = |condition| Condition::Not(Box::new(condition));
        Some(match operation.op {
            ast::BinOpKind::ScAnd => Condition::Both(Box::new(self.condition(left)?), Box::new(self.condition(right)?)),
            ast::BinOpKind::ScOr => Condition::Either(Box::new(self.condition(left)?), Box::new(self.condition(right)?)),
            ast::BinOpKind::Eq => Condition::Equal(self.operand(left)?, self.operand(right)?),
            ast::BinOpKind::Ne => not(Condition::Equal(self.operand(left)?, self.operand(right)?)),
            ast::BinOpKind::Lt => Condition::Less(self.operand(left)?, self.operand(right)?),
            ast::BinOpKind::Gt => Condition::Less(self.operand(right)?, self.operand(left)?),
            ast::BinOpKind::Gte => not(Condition::Less(self.operand(left)?, self.operand(right)?)),
            ast::BinOpKind::Lte => not(Condition::Less(self.operand(right)?, self.operand(left)?)),
            _ => return None,
        })
    }

    fn operand(&mut self, expression: &ast::Expr<'_>) -> Option<Operand> {
        match expression {
            ast::Expr::Const(constant) => match constant.value.kind() {
                ValueKind::String => Some(Operand::Text(constant.value.as_str()?.into())),
                ValueKind::Bool => Some(Operand::Truth(constant.value.is_true())),
                ValueKind::Number if constant.value.is_integer() => constant.value.as_i64().map(Operand::Integer),
                _ => None,
            },
            ast::Expr::Filter(filter) if matches!(filter.name, "length" | "count") && filter.args.is_empty() => {
                Some(Operand::Length(self.place(filter.expr.as_ref()?)?))
            }
            ast::Expr::GetAttr(attribute) => match self.named(&attribute.expr)? {
                Named::Loop(depth) => Some(Operand::Turn(depth, fact(attribute.name)?)),
                Named::At(place) => Some(Operand::At(self.field(place, attribute.name))),
            },
            other => self.place(other).map(Operand::At),
        }
    }

    fn place(&mut self, expression: &ast::Expr<'_>) -> Option<Place> {
        match self.named(expression)? {
            Named::At(place) => Some(place),
            Named::Loop(_) => None,
        }
    }

    fn named(&mut self, expression: &ast::Expr<'_>) -> Option<Named> {
        match expression {
            ast::Expr::Var(variable) => self.variable(variable.id),
            ast::Expr::GetAttr(attribute) => {
                let place = self.place(&attribute.expr)?;
                Some(Named::At(self.field(place, attribute.name)))
            }
            ast::Expr::GetItem(item) => {
                let ast::Expr::Const(name) = &item.subscript_expr else { return None };
                let place = self.place(&item.expr)?;
                Some(Named::At(self.field(place, name.value.as_str()?)))
            }
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Option<Named> {
        let place = |root| Named::At(Place { root, fields: Vec::new() });
        if name == "loop" {
            return self.loops.len().checked_sub(1).map(Named::Loop);
        }
        if let Some(depth) = self.loops.iter().rposition(|item| item == name) {
            return Some(place(Root::Item(depth)));
        }
        self.inputs.iter().position(|input| *input == name).map(|index| place(Root::Input(index)))
    }

    fn field(&mut self, mut place: Place, name: &str) -> Place {
        let known = self.names.iter().position(|known| **known == *name);
        place.fields.push(known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        }));
        place
    }
}

fn fact(name: &str) -> Option<Fact> {
    Some(match name {
        "index" => Fact::Index,
        "index0" => Fact::Index0,
        "revindex" => Fact::Revindex,
        "revindex0" => Fact::Revindex0,
        "length" => Fact::Length,
        "first" => Fact::First,
        "last" => Fact::Last,
        _ => return None,
    })
}
