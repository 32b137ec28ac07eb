//! The lake as a table of other engines: statements, views and saved queries, made from the columns of the record and from the
//! prompts that exist.

mod athena;
mod dialect;
mod saved_queries;
mod spark;
mod trino;
mod views;

use std::collections::BTreeMap;

use promptops_telemetry::price::Price;

pub use athena::{camel, cloudformation, literal, terraform};
pub use dialect::Dialect;

/// Where the lake is, and what it is called in the catalog of the engine.
#[derive(Debug, Clone)]
pub struct LakeTable {
    /// The URL of the lake, without a slash at its end.
    pub location: String,
    /// The catalog, which Trino alone names.
    pub catalog: String,
    /// The database, or the schema as Trino calls it.
    pub database: String,
    /// The table.
    pub table: String,
    /// How many days back the engine looks for folders.
    pub days: u32,
    /// Whether a table of the name is dropped first; the files stay.
    pub replaces: bool,
}

/// What is known of the prompts besides their records.
#[derive(Debug, Clone, Default)]
pub struct KnownPrompts {
    /// The owner of each prompt.
    pub owners: BTreeMap<String, String>,
    /// The price of each model that they are written for, US dollars for a million tokens.
    pub prices: BTreeMap<String, Price>,
}

/// A statement that makes something, or a query that is kept under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it makes or answers, as a name: `invocations`, `cost-by-owner`.
    pub name: String,
    /// The same for people.
    pub purpose: String,
    /// The statement, without a semicolon.
    pub sql: String,
}

/// Everything that is generated for one engine.
#[derive(Debug, Clone)]
pub struct Statements {
    /// They make database and table.
    pub table: Vec<Statement>,
    /// They make the views, each after those it needs.
    pub views: Vec<Statement>,
    /// The saved queries.
    pub queries: Vec<Statement>,
}

impl LakeTable {
    /// Returns the statements for an engine.
    pub fn statements(&self, dialect: Dialect, known: &KnownPrompts) -> Statements {
        let table = match dialect {
            Dialect::Athena => athena::table(self),
            Dialect::Trino => trino::table(self),
            Dialect::Spark => spark::table(self),
        };
        Statements { table, views: views::views(self, dialect, known), queries: saved_queries::queries(self, dialect) }
    }

    /// Returns the URL of the table's folder, without a slash at its end.
    fn folder(&self) -> String {
        format!("{}/{}", self.location, promptops_telemetry::columns::TABLE)
    }

    /// Returns the name of the table, or of a view beside it, as statements write it.
    fn name(&self, dialect: Dialect, view: &str) -> String {
        match dialect {
            Dialect::Athena => format!("{}.{view}", self.database),
            Dialect::Trino => format!("{}.{}.{view}", self.catalog, self.database),
            // A temporary view belongs to a session, and to no database.
            Dialect::Spark => view.to_owned(),
        }
    }
}

impl Statements {
    /// Writes everything as one script.
    pub fn script(&self) -> String {
        let mut text = String::new();
        for statement in self.table.iter().chain(&self.views).chain(&self.queries) {
            text.push_str(&format!("-- {}: {}\n{};\n\n", statement.name, statement.purpose, statement.sql));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// Writes each statement as a file, numbered in the order in which they run.
    pub fn files(&self) -> Vec<(String, String)> {
        let file = |folder: &str, number: usize, statement: &Statement| {
            let text = format!("-- {}\n{};\n", statement.purpose, statement.sql);
            (format!("{folder}/{:02}-{}.sql", number + 1, statement.name.replace('_', "-")), text)
        };
        let makes = self.table.iter().chain(&self.views).enumerate().map(|(number, one)| file("table", number, one));
        let asks = self.queries.iter().enumerate().map(|(number, one)| file("queries", number, one));
        makes.chain(asks).collect()
    }
}
