//! The table of Amazon Athena, whose partitions are projected: nobody has to tell it of new folders.

use promptops_telemetry::columns::{COLUMNS, ColumnType};
use serde_json::{Map, Value, json};

use super::{Dialect, LakeTable, Statement, Statements};

const DIALECT: Dialect = Dialect::Athena;
/// The folders, which are columns too.
pub(super) const FOLDERS: [(&str, ColumnType, &str); 2] =
    [("day", ColumnType::Text, "day of the folder, UTC"), ("hour", ColumnType::Version, "hour of the folder, UTC, 0 to 23")];
/// What the database is for.
const DATABASE_PURPOSE: &str = "Invocations of prompts, recorded by PromptOps";

/// Returns the statements that make database and table.
pub(super) fn table(table: &LakeTable) -> Vec<Statement> {
    let LakeTable { database, table: name, .. } = table;
    let mut statements = vec![Statement {
        name: database.clone(),
        purpose: "the database".to_owned(),
        sql: format!("CREATE DATABASE IF NOT EXISTS `{database}`\nCOMMENT {}", DIALECT.text(DATABASE_PURPOSE)),
    }];
    if table.replaces {
        statements.push(Statement {
            name: format!("drop-{name}"),
            purpose: "drops what the catalog says of the table; the files stay".to_owned(),
            sql: format!("DROP TABLE IF EXISTS `{database}`.`{name}`"),
        });
    }
    let column = |name: &str, holds: ColumnType, meaning: &str| {
        format!("  `{name}` {} COMMENT {}", DIALECT.column_type(holds), DIALECT.text(meaning))
    };
    let columns: Vec<String> = COLUMNS.iter().map(|one| column(one.name, one.holds, one.meaning)).collect();
    let folders: Vec<String> = FOLDERS.iter().map(|(name, holds, meaning)| column(name, *holds, meaning)).collect();
    let properties: Vec<String> =
        properties(table).iter().map(|(key, value)| format!("  {} = {}", DIALECT.text(key), DIALECT.text(value))).collect();
    let sql = format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`{name}` (\n{}\n)\nPARTITIONED BY (\n{}\n)\nSTORED AS PARQUET\n\
         LOCATION {}\nTBLPROPERTIES (\n{}\n)",
        columns.join(",\n"),
        folders.join(",\n"),
        DIALECT.text(&format!("{}/", table.folder())),
        properties.join(",\n"),
    );
    statements.push(Statement { name: name.clone(), purpose: "the table of invocations".to_owned(), sql });
    statements
}

/// Returns the properties of the table: folders are computed from their names, never looked up in the catalog.
fn properties(table: &LakeTable) -> Vec<(String, String)> {
    let folder = table.folder();
    [
        ("projection.enabled", "true".to_owned()),
        ("projection.day.type", "date".to_owned()),
        ("projection.day.format", "yyyy-MM-dd".to_owned()),
        // A clock may be ahead by some hours.
        ("projection.day.range", format!("NOW-{}DAYS,NOW+1DAYS", table.days)),
        ("projection.day.interval", "1".to_owned()),
        ("projection.day.interval.unit", "DAYS".to_owned()),
        ("projection.hour.type", "integer".to_owned()),
        ("projection.hour.range", "0,23".to_owned()),
        ("projection.hour.digits", "2".to_owned()),
        ("storage.location.template", format!("{folder}/day=${{day}}/hour=${{hour}}/")),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Returns the table for Glue's API, whose names CloudFormation takes over.
fn glue_columns<'a>(columns: impl Iterator<Item = (&'a str, ColumnType, &'a str)>) -> Vec<(&'a str, &'static str, &'a str)> {
    columns.map(|(name, holds, meaning)| (name, DIALECT.column_type(holds), meaning)).collect()
}

fn record_columns() -> Vec<(&'static str, &'static str, &'static str)> {
    glue_columns(COLUMNS.iter().map(|one| (one.name, one.holds, one.meaning)))
}

const INPUT_FORMAT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat";
const OUTPUT_FORMAT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat";
const SERDE: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";

/// Returns a template of CloudFormation with database, table, and a saved query for each view and query.
pub fn cloudformation(table: &LakeTable, statements: &Statements) -> Value {
    let columns = |columns: Vec<(&str, &str, &str)>| -> Vec<Value> {
        columns.iter().map(|(name, kind, meaning)| json!({"Name": name, "Type": kind, "Comment": meaning})).collect()
    };
    let mut parameters: Map<String, Value> = Map::from_iter([("EXTERNAL".to_owned(), "TRUE".into())]);
    parameters.insert("classification".to_owned(), "parquet".into());
    parameters.extend(properties(table).into_iter().map(|(key, value)| (key, value.into())));
    let mut resources = Map::new();
    resources.insert(
        "Database".to_owned(),
        json!({
            "Type": "AWS::Glue::Database",
            "Properties": {
                "CatalogId": {"Ref": "AWS::AccountId"},
                "DatabaseInput": {"Name": table.database, "Description": DATABASE_PURPOSE},
            },
        }),
    );
    resources.insert(
        "Table".to_owned(),
        json!({
            "Type": "AWS::Glue::Table",
            "Properties": {
                "CatalogId": {"Ref": "AWS::AccountId"},
                "DatabaseName": {"Ref": "Database"},
                "TableInput": {
                    "Name": table.table,
                    "TableType": "EXTERNAL_TABLE",
                    "Parameters": parameters,
                    "PartitionKeys": columns(glue_columns(FOLDERS.into_iter())),
                    "StorageDescriptor": {
                        "Columns": columns(record_columns()),
                        "Location": format!("{}/", table.folder()),
                        "InputFormat": INPUT_FORMAT,
                        "OutputFormat": OUTPUT_FORMAT,
                        "SerdeInfo": {"SerializationLibrary": SERDE},
                    },
                },
            },
        }),
    );
    for (name, statement) in saved(statements) {
        let resource = json!({
            "Type": "AWS::Athena::NamedQuery",
            "Properties": {
                "Name": name,
                "Description": statement.purpose,
                "Database": {"Ref": "Database"},
                "WorkGroup": {"Ref": "WorkGroup"},
                "QueryString": statement.sql,
            },
        });
        resources.insert(camel(&name), resource);
    }
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The lake of PromptOps in Athena: database, table, views and saved queries. Written by `promptops generate athena-ddl`.",
        "Parameters": {
            "WorkGroup": {"Type": "String", "Default": "primary", "Description": "The workgroup of Athena that holds the saved queries."},
        },
        "Resources": resources,
        "Outputs": {
            "Database": {"Description": "The database in the catalog.", "Value": {"Ref": "Database"}},
            "Table": {"Description": "The table of invocations.", "Value": {"Ref": "Table"}},
        },
    })
}

/// Returns a module of Terraform in its JSON form, with the same.
pub fn terraform(table: &LakeTable, statements: &Statements) -> Value {
    let columns = |columns: Vec<(&str, &str, &str)>| -> Vec<Value> {
        columns.iter().map(|(name, kind, meaning)| json!({"name": name, "type": kind, "comment": meaning})).collect()
    };
    let mut parameters: Map<String, Value> = Map::from_iter([("EXTERNAL".to_owned(), "TRUE".into())]);
    parameters.insert("classification".to_owned(), "parquet".into());
    parameters.extend(properties(table).into_iter().map(|(key, value)| (key, literal(&value).into())));
    let queries: Map<String, Value> = saved(statements)
        .map(|(name, statement)| {
            let query = json!({
                "name": name,
                "description": literal(&statement.purpose),
                "workgroup": "${var.workgroup}",
                "database": "${aws_glue_catalog_database.promptops.name}",
                "query": literal(&statement.sql),
            });
            (name.replace('-', "_"), query)
        })
        .collect();
    json!({
        "terraform": {"required_version": ">= 1.5", "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}},
        "variable": {
            "workgroup": {"type": "string", "default": "primary", "description": "The workgroup of Athena that holds the saved queries."},
        },
        "resource": {
            "aws_glue_catalog_database": {"promptops": {"name": table.database, "description": DATABASE_PURPOSE}},
            "aws_glue_catalog_table": {
                "invocations": {
                    "name": table.table,
                    "database_name": "${aws_glue_catalog_database.promptops.name}",
                    "table_type": "EXTERNAL_TABLE",
                    "parameters": parameters,
                    "partition_keys": columns(glue_columns(FOLDERS.into_iter())),
                    "storage_descriptor": {
                        "location": literal(&format!("{}/", table.folder())),
                        "input_format": INPUT_FORMAT,
                        "output_format": OUTPUT_FORMAT,
                        "ser_de_info": {"serialization_library": SERDE},
                        "columns": columns(record_columns()),
                    },
                },
            },
            "aws_athena_named_query": queries,
        },
        "output": {
            "database": {"description": "The database in the catalog.", "value": "${aws_glue_catalog_database.promptops.name}"},
            "table": {"description": "The table of invocations.", "value": "${aws_glue_catalog_table.invocations.name}"},
        },
    })
}

/// Returns what is kept as a saved query: the queries, and the statements of views, which CloudFormation and Terraform cannot run.
fn saved(statements: &Statements) -> impl Iterator<Item = (String, &Statement)> {
    let views = statements.views.iter().map(|view| (format!("view-{}", view.name.replace('_', "-")), view));
    views.chain(statements.queries.iter().map(|query| (query.name.clone(), query)))
}

/// Writes a text in which Terraform finds nothing to fill in.
pub fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// Turns `cost-by-owner` into `CostByOwner`: names of resources are letters and digits.
pub fn camel(name: &str) -> String {
    name.split(|character: char| !character.is_ascii_alphanumeric())
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_filled_in_where_a_text_has_the_signs_for_it() {
        assert_eq!(literal("day=${day}, 20%{x}, $x"), "day=$${day}, 20%%{x}, $x");
    }

    #[test]
    fn resources_are_named_by_words() {
        assert_eq!(camel("cost-by-owner"), "CostByOwner");
        assert_eq!(camel("view-invocations-2"), "ViewInvocations2");
    }
}
