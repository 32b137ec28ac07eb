//! The OpenTelemetry Collector, made by its own builder of no more parts than the tests relay through.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::{folder, install};
use crate::checkout::Checkout;
use crate::python::remove_folder;
use crate::step::quietly;

/// The variable by which tests are told where it is.
pub(super) const VARIABLE: &str = "PROMPTOPS_TEST_OTELCOL";

const BUILDER: &str = "go.opentelemetry.io/collector/cmd/builder";
const VERSION: &str = "v0.165.0";

/// What the builder is told; it writes, tidies and compiles a module in a folder.
fn manifest(output: &str) -> String {
    let part = |kind: &str, name: &str| format!("  - gomod: go.opentelemetry.io/collector/{kind}/{name} {VERSION}\n");
    [
        format!("dist:\n  name: otelcol\n  output_path: {output:?}\n"),
        format!("receivers:\n{}", part("receiver", "otlpreceiver")),
        format!("processors:\n{}", part("processor", "batchprocessor")),
        format!("exporters:\n{}{}", part("exporter", "otlpexporter"), part("exporter", "otlphttpexporter")),
    ]
    .concat()
}

/// Builds it, or finds the one built before. Building takes about a minute.
pub(super) fn program(checkout: &Checkout) -> Result<PathBuf> {
    let installed = folder(checkout).join("programs").join(format!("otelcol-{VERSION}"));
    let program = installed.join("otelcol").with_extension(std::env::consts::EXE_EXTENSION);
    if program.is_file() {
        return Ok(program);
    }
    let builder = install::go_program(checkout, BUILDER, VERSION)?;
    // Built beside and renamed, so that one left half-done is not taken for the whole.
    let unfinished = installed.with_extension("unfinished");
    remove_folder(&unfinished)?;
    remove_folder(&installed)?;
    std::fs::create_dir_all(&unfinished).with_context(|| format!("cannot make `{}`", unfinished.display()))?;
    let path = unfinished.join("builder.yaml");
    std::fs::write(&path, manifest(&unfinished.to_string_lossy()))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    let mut build = checkout.command(builder);
    build.arg("--config").arg(&path).current_dir(&unfinished);
    build.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
    quietly(&mut build).context("cannot build the OpenTelemetry Collector; go fetches its parts from its module proxy")?;
    std::fs::rename(&unfinished, &installed).with_context(|| format!("cannot name `{}`", installed.display()))?;
    ensure!(program.is_file(), "the builder left no `{}`", program.display());
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_every_part_once() {
        let manifest = manifest("/out");
        let parts: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("  - gomod: ")).collect();
        assert_eq!(parts.len(), 4, "{manifest}");
        for (index, part) in parts.iter().enumerate() {
            assert!(part.starts_with("go.opentelemetry.io/collector/") && part.ends_with(VERSION), "{part}");
            assert!(!parts[..index].contains(part), "{part}");
        }
        assert!(manifest.contains("  output_path: \"/out\"\n"), "{manifest}");
    }
}
