//! The table in `spec/invocation.md` is the one in the code.

use std::fmt::Write as _;
use std::path::Path;

use promptops_telemetry::otlp::{ATTRIBUTES, Convention, Member, PARAMETERS};

const HEAD: &str = "| Member | OpenTelemetry | OpenInference | OpenLLMetry |\n|---|---|---|---|\n";

/// The rows of the table.
fn rows() -> String {
    let mut rows = String::new();
    for member in Member::ALL {
        let cell = |conventions: &[Convention]| {
            let names = ATTRIBUTES.iter().filter(|(of, convention, _)| *of == member && conventions.contains(convention));
            let named: Vec<String> = names
                .map(|(_, convention, attribute)| {
                    let mark = match convention {
                        Convention::OpenTelemetryLater => "⁺",
                        Convention::OpenTelemetryEarlier => "⁻",
                        _ => "",
                    };
                    format!("`{attribute}`{mark}")
                })
                .collect();
            named.join(", ")
        };
        let mut opentelemetry =
            cell(&[Convention::OpenTelemetry, Convention::OpenTelemetryLater, Convention::OpenTelemetryEarlier]);
        if member == Member::ParametersHash {
            let names: Vec<String> = PARAMETERS.iter().map(|name| format!("`{name}`")).collect();
            opentelemetry = format!("of `gen_ai.request.` with {}", names.join(", "));
        }
        let (openinference, openllmetry) = (cell(&[Convention::OpenInference]), cell(&[Convention::OpenLlmetry]));
        if opentelemetry.len() + openinference.len() + openllmetry.len() > 0 {
            writeln!(rows, "| `{}` | {opentelemetry} | {openinference} | {openllmetry} |", member.name()).unwrap();
        }
    }
    rows
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment to write what it expects")]
fn the_documented_names_are_those_that_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/invocation.md");
    let spec = std::fs::read_to_string(&path).unwrap();
    let (before, after) = spec.split_once(HEAD).unwrap();
    let table: String = after.lines().take_while(|line| line.starts_with('|')).flat_map(|line| [line, "\n"]).collect();
    let rest = after.lines().skip_while(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    if std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, format!("{before}{HEAD}{}{rest}\n", rows())).unwrap();
        return;
    }
    assert_eq!(table, rows(), "run `PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-telemetry --features otlp`");
}
