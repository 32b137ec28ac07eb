//! What `spec/invocation.md` says is what the code does.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;

use promptops_telemetry::columns::COLUMNS;
use promptops_telemetry::v1::{self, InvocationV1};

fn spec() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/invocation.md")).unwrap()
}

#[test]
fn the_example_is_a_record_as_it_is_written() {
    let spec = spec();
    let example = spec.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap();
    let wire: InvocationV1 = serde_json::from_str(example).unwrap();
    let record = wire.into_invocation(|_| unreachable!("the example names its id"));
    assert_eq!(v1::to_line(&record), example);
    assert_eq!(record.invocation_id.get_version_num(), 7);
    let (seconds, nanoseconds) = record.invocation_id.get_timestamp().unwrap().to_unix();
    assert_eq!((i64::try_from(seconds).unwrap(), nanoseconds), (record.time.timestamp(), 0));
}

#[test]
fn the_table_lists_every_member_and_no_other() {
    let spec = spec();
    let table = spec.split("## Members").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed: BTreeSet<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    // The type has no other list of its members than its source.
    let source = include_str!("../src/v1.rs");
    let fields = source.split("pub struct InvocationV1<Text = String> {").nth(1).unwrap().split("\n}").next().unwrap();
    let mut members: BTreeSet<&str> =
        fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next()).collect();
    assert_eq!(listed, members);
    // And so does the table: the number of the schema alone is no column.
    members.remove("schema_version");
    let columns: BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(columns, members);
    assert_eq!(columns.len(), COLUMNS.len(), "a name stands twice");
}
