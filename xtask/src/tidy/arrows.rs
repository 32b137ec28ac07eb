//! Arrows between crates point down only, and heavy libraries stay in the one crate that wraps them.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Finding;

/// The crates from the top to the bottom. A crate may depend on those of lower rows, never on its own row.
///
/// Its tests may use a neighbour of its row, as those of the loader read what the registry wrote: that makes no cycle
/// and ships nothing. They too never look up.
const ROWS: &[&[&str]] = &[
    &["promptops-cli"],
    &["promptops-lambda-extension", "promptops-server"],
    &[
        "promptops",
        "promptops-drift",
        "promptops-eval",
        "promptops-forge",
        "promptops-lake",
        "promptops-offline-model",
        "promptops-registry",
    ],
    &["promptops-store", "promptops-telemetry"],
    &["promptops-prompt", "promptops-stats"],
];

/// Bindings hand the loader to another language: they stand on it alone, and nothing stands on them.
const BINDINGS: &[&str] = &["promptops-node", "promptops-python"];

/// The loader that bindings wrap.
const LOADER: &str = "promptops";

/// The tasks drive the built product and link none of it, so that they build in seconds.
const TASKS: &str = "xtask";

/// Libraries that only the named crates may use in what they ship; a library's family (`gix-date`) counts as the library.
///
/// Development dependencies are free: a test may open a server of its own.
const WRAPPED: &[(&str, &[&str])] = &[
    ("anyhow", &["promptops-cli", "xtask"]),
    ("axum", &["promptops-offline-model", "promptops-server"]),
    ("datafusion", &["promptops-lake"]),
    ("gix", &["promptops-store"]),
    ("reqwest", &["promptops-eval", "promptops-forge", "promptops-store"]),
];

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In what ships, or in the build script of what ships.
    Shipped,
    /// In tests, examples and benchmarks only.
    Development,
}

pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A crate of the workspace and what it names.
pub(super) struct Package {
    pub(super) name: String,
    /// From the root.
    pub(super) manifest: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// Reads the workspace's crates from the output of `cargo metadata`.
pub(super) fn packages(metadata: &str, root: &Path) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata).context("`cargo metadata` printed no JSON")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    packages.iter().map(|package| read_package(package, root)).collect()
}

fn read_package(package: &Value, root: &Path) -> Result<Package> {
    let name = package["name"].as_str().context("a package has no name")?.to_owned();
    let manifest = Path::new(package["manifest_path"].as_str().context("a package has no manifest")?);
    let manifest = manifest.strip_prefix(root).unwrap_or(manifest).to_string_lossy().replace('\\', "/");
    let mut dependencies = Vec::new();
    for dependency in package["dependencies"].as_array().context("a package lists no dependencies")? {
        let name = dependency["name"].as_str().context("a dependency has no name")?.to_owned();
        let kind = match dependency["kind"].as_str() {
            Some("dev") => Kind::Development,
            _ => Kind::Shipped,
        };
        dependencies.push(Dependency { name, kind });
    }
    Ok(Package { name, manifest, dependencies })
}

/// Lists every arrow that points sideways or up, and every wrapped library named outside its wrapper.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        if !is_known(&package.name) {
            let reason =
                format!("crate `{}` has no place among the arrows; give it one in xtask/src/tidy/arrows.rs", package.name);
            findings.push(Finding::new(&package.manifest, reason));
            continue;
        }
        for dependency in &package.dependencies {
            let reason = if packages.iter().any(|other| other.name == dependency.name) {
                broken_arrow(&package.name, dependency)
            } else {
                unwrapped(&package.name, dependency)
            };
            findings.extend(reason.map(|reason| Finding::new(&package.manifest, reason)));
        }
    }
    findings
}

fn is_known(name: &str) -> bool {
    row(name).is_some() || BINDINGS.contains(&name) || name == TASKS
}

fn row(name: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&name))
}

/// Says why one crate of the workspace may not depend on another, when it may not.
fn broken_arrow(from: &str, dependency: &Dependency) -> Option<String> {
    let to = dependency.name.as_str();
    if from == TASKS {
        return Some(format!("`{TASKS}` may depend on no crate of the workspace, and names `{to}`"));
    }
    if BINDINGS.contains(&to) {
        return Some(format!("nothing may depend on a binding, and `{from}` names `{to}`"));
    }
    if BINDINGS.contains(&from) {
        return (to != LOADER).then(|| format!("a binding stands on `{LOADER}` alone, and `{from}` names `{to}`"));
    }
    let (from_row, to_row) = (row(from)?, row(to)?);
    let is_neighbour_of_tests = from_row == to_row && dependency.kind == Kind::Development;
    if from_row < to_row || is_neighbour_of_tests {
        return None;
    }
    let direction = if from_row == to_row { "sideways" } else { "up" };
    Some(format!("arrows point down only, and `{from}` → `{to}` points {direction}"))
}

/// Says why a crate may not name a library, when it may not.
fn unwrapped(package: &str, dependency: &Dependency) -> Option<String> {
    let (library, wrappers) = WRAPPED.iter().find(|(library, _)| is_of_family(&dependency.name, library))?;
    if dependency.kind == Kind::Development || wrappers.contains(&package) {
        return None;
    }
    Some(format!("only `{}` may name `{library}`, and `{package}` names `{}`", wrappers.join("` and `"), dependency.name))
}

fn is_of_family(name: &str, library: &str) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a workspace from `crate: dependency dependency` lines; a trailing `?` marks a development dependency.
    fn workspace(lines: &[&str]) -> Vec<Package> {
        let read = |line: &&str| {
            let (name, dependencies) = line.split_once(':').unwrap();
            Package {
                name: name.to_owned(),
                manifest: format!("crates/{name}/Cargo.toml"),
                dependencies: dependencies
                    .split_whitespace()
                    .map(|word| Dependency {
                        name: word.trim_end_matches('?').to_owned(),
                        kind: if word.ends_with('?') { Kind::Development } else { Kind::Shipped },
                    })
                    .collect(),
            }
        };
        lines.iter().map(read).collect()
    }

    fn reasons(lines: &[&str]) -> Vec<String> {
        check(&workspace(lines)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn accepts_arrows_that_point_down() {
        let found = reasons(&[
            "promptops-cli: promptops-server promptops-lake promptops-stats anyhow",
            "promptops-server: promptops-registry promptops axum",
            "promptops-lake: promptops-store promptops-telemetry datafusion",
            "promptops-registry: promptops-store promptops-prompt",
            "promptops: promptops-prompt",
            "promptops-store: promptops-prompt gix object_store",
            "promptops-telemetry: promptops-prompt",
            "promptops-python: promptops pyo3",
            "promptops-prompt:",
            "promptops-stats:",
            "xtask: anyhow serde_json",
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn refuses_an_arrow_up() {
        assert_eq!(
            reasons(&["promptops-store: promptops-registry", "promptops-registry:"]),
            ["crates/promptops-store/Cargo.toml: arrows point down only, and `promptops-store` → `promptops-registry` points up"]
        );
    }

    #[test]
    fn refuses_an_arrow_sideways_in_every_row() {
        for row in ROWS.iter().filter(|row| row.len() > 1) {
            let line = format!("{}: {}", row[0], row[1]);
            let other = format!("{}:", row[1]);
            let found = reasons(&[&line, &other]);
            assert_eq!(found.len(), 1, "{line}");
            assert!(found[0].ends_with("points sideways"), "{}", found[0]);
        }
    }

    #[test]
    fn lets_tests_look_sideways_and_never_up() {
        assert_eq!(reasons(&["promptops-eval: promptops-offline-model?", "promptops-offline-model:"]).len(), 0);
        assert_eq!(reasons(&["promptops-store: promptops-registry?", "promptops-registry:"]).len(), 1);
    }

    #[test]
    fn keeps_bindings_on_the_loader_alone() {
        assert_eq!(
            reasons(&["promptops-python: promptops-registry", "promptops-registry:"]),
            [
                "crates/promptops-python/Cargo.toml: a binding stands on `promptops` alone, and `promptops-python` names `promptops-registry`"
            ]
        );
        assert_eq!(
            reasons(&["promptops-cli: promptops-python", "promptops-python: promptops", "promptops:"]),
            ["crates/promptops-cli/Cargo.toml: nothing may depend on a binding, and `promptops-cli` names `promptops-python`"]
        );
    }

    #[test]
    fn keeps_the_tasks_free_of_the_workspace() {
        assert_eq!(
            reasons(&["xtask: promptops-stats", "promptops-stats:"]),
            ["crates/xtask/Cargo.toml: `xtask` may depend on no crate of the workspace, and names `promptops-stats`"]
        );
    }

    #[test]
    fn keeps_wrapped_libraries_in_their_wrappers() {
        for (library, wrappers) in WRAPPED {
            let family = format!("{library}-extra");
            for name in [library, family.as_str()] {
                assert_eq!(reasons(&[&format!("promptops-drift: {name}")]).len(), 1, "{name}");
                assert_eq!(reasons(&[&format!("promptops-drift: {name}?")]).len(), 0, "{name} in tests");
                for wrapper in *wrappers {
                    assert_eq!(reasons(&[&format!("{wrapper}: {name}")]).len(), 0, "{wrapper}: {name}");
                }
            }
        }
        assert_eq!(reasons(&["promptops-drift: gixel axumatic"]).len(), 0);
    }

    #[test]
    fn asks_for_a_place_for_a_new_crate() {
        let found = reasons(&["promptops-novel:"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`promptops-novel` has no place"), "{}", found[0]);
    }

    #[test]
    fn reads_what_cargo_prints() {
        let metadata = r#"{"packages": [{"name": "promptops-prompt", "manifest_path": "/repo/crates/promptops-prompt/Cargo.toml",
            "dependencies": [{"name": "promptops-stats", "kind": null}, {"name": "insta", "kind": "dev"}, {"name": "cc", "kind": "build"}]},
            {"name": "promptops-stats", "manifest_path": "/repo/crates/promptops-stats/Cargo.toml", "dependencies": []}]}"#;
        let packages = packages(metadata, Path::new("/repo")).unwrap();
        let kinds: Vec<(&str, Kind)> = packages[0].dependencies.iter().map(|d| (d.name.as_str(), d.kind)).collect();
        assert_eq!(kinds, [("promptops-stats", Kind::Shipped), ("insta", Kind::Development), ("cc", Kind::Shipped)]);
        let found = check(&packages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/promptops-prompt/Cargo.toml");
    }
}
