//! SQL in an answer: whether it can be parsed, and which tables it names.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fancy_regex::Regex;
use serde_json::{Value, json};
use sqlparser::ast::{FromTable, ObjectName, Query, Statement, TableFactor, TableObject, TableWithJoins, Visit, Visitor};
use sqlparser::dialect::{
    AnsiDialect, BigQueryDialect, ClickHouseDialect, DatabricksDialect, Dialect, DuckDbDialect, GenericDialect, HiveDialect,
    MsSqlDialect, MySqlDialect, OracleDialect, PostgreSqlDialect, RedshiftSqlDialect, SQLiteDialect, SnowflakeDialect,
    SparkSqlDialect,
};
use sqlparser::parser::Parser;

use crate::spec::fields::Fields;

/// The longest statement that is read, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// The dialects, by their names.
const DIALECTS: [(&str, &(dyn Dialect + Sync)); 15] = [
    ("generic", &GenericDialect {}),
    ("ansi", &AnsiDialect {}),
    ("bigquery", &BigQueryDialect {}),
    ("clickhouse", &ClickHouseDialect {}),
    ("databricks", &DatabricksDialect {}),
    ("duckdb", &DuckDbDialect {}),
    ("hive", &HiveDialect {}),
    ("mssql", &MsSqlDialect {}),
    ("mysql", &MySqlDialect {}),
    ("oracle", &OracleDialect {}),
    ("postgresql", &PostgreSqlDialect {}),
    ("redshift", &RedshiftSqlDialect {}),
    ("snowflake", &SnowflakeDialect),
    ("spark", &SparkSqlDialect),
    ("sqlite", &SQLiteDialect {}),
];

/// Returns the names of the dialects; the first is the usual one.
pub(crate) fn dialects() -> [&'static str; DIALECTS.len()] {
    DIALECTS.map(|(name, _)| name)
}

/// What SQL must be.
#[derive(Debug, Clone)]
pub(super) struct Expectation {
    /// Its place among the dialects.
    dialect: usize,
    /// The only tables that may be named; any where none are.
    tables: Vec<String>,
    /// The same as promptfoo writes them, `verb::schema::table`, where it is judged as promptfoo does.
    patterns: Option<Vec<Regex>>,
}

impl Expectation {
    pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let dialect = fields.choice("dialect", &dialects()).unwrap_or(0);
        let span = fields.span();
        let tables = fields.texts("tables").unwrap_or_default();
        let like = fields.choice("like", &["promptfoo"]);
        let patterns = match like {
            None => None,
            Some(_) => {
                let compiled = tables.iter().map(|table| Regex::new(&format!("(?i)^(?:{table})$")));
                match compiled.collect::<Result<Vec<_>, _>>() {
                    Ok(patterns) => Some(patterns),
                    Err(error) => {
                        fields.findings.error(span, format!("`tables` are no regular expressions: {error}"));
                        return None;
                    }
                }
            }
        };
        Some(Self { dialect, tables, patterns })
    }

    /// Says why a text is not what is expected.
    pub(super) fn fault(&self, sql: &str) -> Option<String> {
        let (name, dialect) = DIALECTS[self.dialect];
        if sql.len() > MAX_BYTES {
            return Some("it is too long to be read as SQL".to_owned());
        }
        if self.patterns.is_some() && looks_wrong(sql.trim(), name) {
            return Some(format!("it looks like a mistake in {name}"));
        }
        let statements = match Parser::parse_sql(dialect, sql) {
            Ok(statements) if statements.is_empty() => return Some("there is no statement".to_owned()),
            Ok(statements) => statements,
            Err(error) => {
                return Some(format!("it is no {name}: {}", error.to_string().trim_start_matches("sql parser error: ")));
            }
        };
        if self.tables.is_empty() {
            return None;
        }
        let mut named = Named::default();
        for statement in &statements {
            named.of(statement);
        }
        let stranger = named.tables.iter().find(|table| !self.allows(table))?;
        Some(format!("it names the table `{}`", stranger.full_name()))
    }

    fn allows(&self, table: &Table) -> bool {
        match &self.patterns {
            Some(patterns) => {
                let schema = if table.schema.is_empty() { "null" } else { &table.schema };
                let written = format!("{}::{schema}::{}", table.verb, table.name);
                // One that takes too long to match does not allow anything.
                patterns.iter().any(|pattern| pattern.is_match(&written).unwrap_or(false))
            }
            None => self.tables.iter().any(|allowed| {
                allowed.eq_ignore_ascii_case(&table.full_name())
                    || (!allowed.contains('.') && allowed.eq_ignore_ascii_case(&table.name))
            }),
        }
    }

    pub(super) fn describe(&self, kind: &str) -> Value {
        let like = self.patterns.is_some().then_some("promptfoo");
        json!({"type": kind, "dialect": DIALECTS[self.dialect].0, "tables": self.tables, "like": like})
    }
}

/// Finds what promptfoo takes for a mistake although it parses: an identifier in the place of a comma, a quote that is not closed.
fn looks_wrong(sql: &str, dialect: &str) -> bool {
    const STANDARD: &str = "(?:all|distinct)";
    const MYSQL: &str = "(?:all|distinct(?:row)?|high_priority|straight_join|sql_(?:big_result|buffer_result|cache|calc_found_rows|no_cache|small_result))";
    let modifiers = if dialect == "mysql" { MYSQL } else { STANDARD };
    let name = "[A-Za-z_][A-Za-z0-9_]*";
    let pattern = format!(r"(?i)\bselect\s+(?:{modifiers}\s+)*(?!{modifiers}\b){name}\s+{name}\s+from\b");
    let lacks_comma = Regex::new(&pattern).and_then(|pattern| pattern.is_match(&without_quoted(sql, dialect)));
    let is_series = dialect == "mysql" && sql.to_ascii_lowercase().replace(' ', "").contains("generate_series(");
    sql.matches('`').count() % 2 == 1 || is_series || lacks_comma.unwrap_or(false)
}

/// Returns a statement without its comments, and with `?` for what stands in quotes.
fn without_quoted(sql: &str, dialect: &str) -> String {
    let has_brackets = matches!(dialect, "mssql" | "sqlite");
    let mut plain = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let comment_end = |rest: &str| rest.find(['\r', '\n']).unwrap_or(rest.len());
        let (end, stands_for) = match first {
            '\'' | '"' | '`' => (quoted_end(rest, first), " ? "),
            '[' if has_brackets => (quoted_end(rest, ']'), " ? "),
            '#' => (comment_end(rest), " "),
            '-' if rest.starts_with("--") => (comment_end(rest), " "),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), " "),
            _ => {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        plain.push_str(stands_for);
        rest = &rest[end..];
    }
    plain
}

/// Finds where what is quoted ends; a quote is doubled or, but for brackets, has a backslash before it inside.
fn quoted_end(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && quote != ']' {
            characters.next();
        } else if character == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => drop(characters.next()),
                _ => return at + 1,
            }
        }
    }
    text.len()
}

/// A table that a statement names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Table {
    verb: &'static str,
    /// Empty where none is stated.
    schema: String,
    name: String,
}

impl Table {
    fn new(verb: &'static str, name: &ObjectName) -> Self {
        let mut parts: Vec<String> =
            name.0.iter().map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone())).collect();
        let name = parts.pop().unwrap_or_default();
        Self { verb, schema: parts.join("."), name }
    }

    fn full_name(&self) -> String {
        if self.schema.is_empty() { self.name.clone() } else { format!("{}.{}", self.schema, self.name) }
    }
}

/// The tables that statements name; what a query names for itself is none.
#[derive(Debug, Default)]
struct Named {
    tables: BTreeSet<Table>,
    relations: Vec<ObjectName>,
    own: BTreeSet<String>,
}

impl Named {
    fn of(&mut self, statement: &Statement) {
        let (verb, targets) = targets(statement);
        self.relations.clear();
        self.own.clear();
        let _ = statement.visit(self);
        let mut tables: Vec<Table> = targets.iter().map(|name| Table::new(verb, name)).collect();
        let others = self.relations.iter().filter(|name| !targets.contains(name));
        tables.extend(
            others
                .map(|name| Table::new("select", name))
                .filter(|table| !self.own.contains(&table.full_name().to_ascii_lowercase())),
        );
        self.tables.extend(tables);
    }
}

impl Visitor for Named {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.relations.push(relation.clone());
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.own.extend(tables.map(|table| table.alias.name.value.to_ascii_lowercase()));
        ControlFlow::Continue(())
    }
}

/// Returns what a statement changes, and how.
fn targets(statement: &Statement) -> (&'static str, Vec<ObjectName>) {
    let of = |tables: &[TableWithJoins]| -> Vec<ObjectName> {
        let name = |table: &TableWithJoins| match &table.relation {
            TableFactor::Table { name, .. } => Some(name.clone()),
            _ => None,
        };
        tables.iter().filter_map(name).collect()
    };
    match statement {
        Statement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => ("insert", vec![name.clone()]),
            _ => ("insert", Vec::new()),
        },
        Statement::Update(update) => ("update", of(std::slice::from_ref(&update.table))),
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            ("delete", of(from))
        }
        Statement::CreateTable(table) => ("create", vec![table.name.clone()]),
        Statement::AlterTable(table) => ("alter", vec![table.name.clone()]),
        Statement::Drop { names, .. } => ("drop", names.clone()),
        Statement::Truncate(truncate) => ("truncate", truncate.table_names.iter().map(|table| table.name.clone()).collect()),
        _ => ("select", Vec::new()),
    }
}
