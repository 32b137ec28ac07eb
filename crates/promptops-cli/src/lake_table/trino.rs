//! The table of Trino's Hive connector, with the same projected folders as Athena's.

use promptops_telemetry::columns::COLUMNS;

use super::{Dialect, LakeTable, Statement};

const DIALECT: Dialect = Dialect::Trino;

/// Returns the statements that make schema and table.
pub(super) fn table(table: &LakeTable) -> Vec<Statement> {
    let name = table.name(DIALECT, &table.table);
    let schema = format!("{}.{}", table.catalog, table.database);
    let mut statements = vec![Statement {
        name: table.database.clone(),
        purpose: "the schema".to_owned(),
        sql: format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
    }];
    if table.replaces {
        statements.push(Statement {
            name: format!("drop-{}", table.table),
            purpose: "drops what the catalog says of the table; the files stay".to_owned(),
            sql: format!("DROP TABLE IF EXISTS {name}"),
        });
    }
    let mut columns: Vec<String> = COLUMNS
        .iter()
        .map(|one| format!("  {} {} COMMENT {}", one.name, DIALECT.column_type(one.holds), DIALECT.text(one.meaning)))
        .collect();
    columns.push(format!(
        "  day varchar WITH (\n    partition_projection_type = 'date',\n    partition_projection_format = 'yyyy-MM-dd',\n    \
         partition_projection_range = ARRAY['NOW-{}DAYS', 'NOW+1DAYS'],\n    partition_projection_interval = 1,\n    \
         partition_projection_interval_unit = 'DAYS'\n  )",
        table.days
    ));
    columns.push(
        "  hour integer WITH (\n    partition_projection_type = 'integer',\n    partition_projection_range = ARRAY['0', '23'],\n    \
         partition_projection_digits = 2\n  )"
            .to_owned(),
    );
    let folder = table.folder();
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {name} (\n{}\n)\nWITH (\n  format = 'PARQUET',\n  external_location = {},\n  \
         partitioned_by = ARRAY['day', 'hour'],\n  partition_projection_enabled = true,\n  \
         partition_projection_location_template = {}\n)",
        columns.join(",\n"),
        DIALECT.text(&format!("{folder}/")),
        DIALECT.text(&format!("{folder}/day=${{day}}/hour=${{hour}}/")),
    );
    statements.push(Statement { name: table.table.clone(), purpose: "the table of invocations".to_owned(), sql });
    statements
}
