//! Big or boundary-crossing libraries are built once: two copies cost minutes, and their types do not fit each other.

use std::collections::BTreeMap;

use super::Finding;

const SINGLE: &[&str] = &["arrow", "object_store", "parquet", "schemars"];

/// Lists every library of which the lock file holds two versions and should hold one.
pub(super) fn check(lock: &str) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in locked_packages(lock) {
        versions.entry(name).or_default().push(version);
    }
    let mut findings = Vec::new();
    for name in SINGLE {
        let copies = versions.get(name).map_or(&[][..], Vec::as_slice);
        if copies.len() > 1 {
            let reason = format!("one copy of `{name}` is built, and there are {}: {}", copies.len(), copies.join(", "));
            findings.push(Finding::new("Cargo.lock", reason));
        }
    }
    findings
}

/// Cargo writes the name of each package on one line and its version on the next.
fn locked_packages(lock: &str) -> impl Iterator<Item = (&str, &str)> {
    lock.split("[[package]]").skip(1).filter_map(|package| Some((value(package, "name")?, value(package, "version")?)))
}

fn value<'lock>(package: &'lock str, key: &str) -> Option<&'lock str> {
    package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "version = 4\n\n[[package]]\nname = \"arrow\"\nversion = \"59.3.2\"\ndependencies = [\n \"arrow-array\",\n]\n\n[[package]]\nname = \"arrow-array\"\nversion = \"59.3.2\"\n";

    #[test]
    fn accepts_one_copy() {
        assert_eq!(check(ONE), []);
    }

    #[test]
    fn names_both_versions_of_two_copies() {
        let two = format!("{ONE}\n[[package]]\nname = \"arrow\"\nversion = \"58.0.0\"\n");
        assert_eq!(check(&two), [Finding::new("Cargo.lock", "one copy of `arrow` is built, and there are 2: 59.3.2, 58.0.0")]);
    }

    #[test]
    fn allows_two_copies_of_others() {
        let two = format!("{ONE}\n[[package]]\nname = \"arrow-array\"\nversion = \"58.0.0\"\n");
        assert_eq!(check(&two), []);
    }
}
