//! Programs of the Go module proxy and the npm registry, installed once by name and version.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::folder;
use crate::checkout::Checkout;
use crate::python::remove_folder;
use crate::step::quietly;

/// Builds a program of a Go module, or finds the one built before. Building takes a minute or two.
pub(super) fn go_program(checkout: &Checkout, module: &str, version: &str) -> Result<PathBuf> {
    let name = module.rsplit('/').next().unwrap_or(module);
    let installed = folder(checkout).join("programs").join(format!("{name}-{version}"));
    let program = installed.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if program.is_file() {
        return Ok(program);
    }
    ensure_there(checkout, "go", "version")?;
    // Go puts the program there when it is whole.
    let mut install = checkout.command("go");
    install.args(["install", "-trimpath", "-ldflags=-s -w", &format!("{module}@{version}")]);
    // No C compiler is asked for, and no other version of Go fetched.
    install.env("GOBIN", &installed).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
    quietly(&mut install).with_context(|| format!("cannot build `{module}`; go fetches it from its module proxy"))?;
    ensure!(program.is_file(), "go built `{module}` and left no `{}`", program.display());
    Ok(program)
}

/// Installs a package of npm, or finds the one installed before; returns the package's own folder.
pub(crate) fn npm_package(checkout: &Checkout, package: &str, version: &str) -> Result<PathBuf> {
    let installed = npm_packages(checkout, &format!("{package}-{version}"), &[&format!("{package}@{version}")])?;
    Ok(package_folder(&installed, package))
}

/// Installs packages of npm into a folder of this name, or finds those installed there before; returns the folder.
pub(super) fn npm_packages(checkout: &Checkout, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let installed = folder(checkout).join("programs").join(name);
    if installed.join("node_modules").is_dir() {
        return Ok(installed);
    }
    ensure_there(checkout, "node", "--version")?;
    ensure_there(checkout, "npm", "--version")?;
    // Installed beside and renamed, so that one left half-done is not taken for the whole.
    let unfinished = installed.with_extension("unfinished");
    remove_folder(&unfinished)?;
    remove_folder(&installed)?;
    std::fs::create_dir_all(&unfinished).with_context(|| format!("cannot make `{}`", unfinished.display()))?;
    let mut install = checkout.command("npm");
    install.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"]);
    install.arg(&unfinished).args(packages);
    quietly(&mut install).with_context(|| format!("cannot install `{name}`; npm fetches it from its registry"))?;
    std::fs::rename(&unfinished, &installed).with_context(|| format!("cannot name `{}`", installed.display()))?;
    Ok(installed)
}

/// Builds a program whose sources are a module of Go in this repository; returns where it is.
pub(super) fn own_go_program(checkout: &Checkout, sources: &str, name: &str) -> Result<PathBuf> {
    ensure_there(checkout, "go", "version")?;
    let program = folder(checkout).join("programs").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    // Go knows by itself what it has built before.
    let mut build = checkout.command("go");
    build.args(["build", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(checkout.root.join(sources));
    build.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=readonly");
    quietly(&mut build).with_context(|| format!("cannot build `{sources}`; go fetches what it needs from its module proxy"))?;
    Ok(program)
}

/// Unpacks a package of Debian, or finds the one unpacked before; returns its folder. Nothing of the system is changed, and no service started.
pub(super) fn debian_package(checkout: &Checkout, package: &str) -> Result<PathBuf> {
    let unpacked = folder(checkout).join("programs").join(format!("debian-{package}"));
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    ensure_there(checkout, "apt-get", "--version")?;
    ensure_there(checkout, "dpkg-deb", "--version")?;
    // Unpacked beside and renamed, so that one left half-done is not taken for the whole.
    let unfinished = unpacked.with_extension("unfinished");
    remove_folder(&unfinished)?;
    std::fs::create_dir_all(&unfinished).with_context(|| format!("cannot make `{}`", unfinished.display()))?;
    let download = || quietly(checkout.command("apt-get").args(["download", "--quiet", package]).current_dir(&unfinished));
    if download().is_err() {
        // A machine that never asked has no list of packages.
        quietly(checkout.command("apt-get").args(["update", "--quiet"]))
            .context("apt-get cannot update its lists; that takes root")?;
        download().with_context(|| format!("cannot download the package `{package}` of Debian"))?;
    }
    let files = std::fs::read_dir(&unfinished)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    let [file] = files.as_slice() else { bail!("apt-get left {} files of `{package}`", files.len()) };
    quietly(checkout.command("dpkg-deb").arg("--extract").arg(file).arg(&unfinished))
        .with_context(|| format!("cannot unpack `{}`", file.display()))?;
    std::fs::remove_file(file)?;
    std::fs::rename(&unfinished, &unpacked).with_context(|| format!("cannot name `{}`", unpacked.display()))?;
    Ok(unpacked)
}

fn package_folder(installed: &Path, package: &str) -> PathBuf {
    installed.join("node_modules").join(package)
}

fn ensure_there(checkout: &Checkout, program: &str, version: &str) -> Result<()> {
    match checkout.command(program).arg(version).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => bail!("`{program}` ended with {}", output.status),
        Err(error) => bail!("`{program}` is not installed ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(folder: &Path) -> Checkout {
        Checkout { root: folder.to_owned(), target: folder.join("target") }
    }

    #[test]
    fn finds_what_was_installed_before() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = checkout(folder.path());
        let programs = super::folder(&checkout).join("programs");
        let program = programs.join("server-v1/server").with_extension(std::env::consts::EXE_EXTENSION);
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, "").unwrap();
        assert_eq!(go_program(&checkout, "example.org/cmd/server", "v1").unwrap(), program);
        let package = programs.join("emulator-2.0.0/node_modules/emulator");
        std::fs::create_dir_all(&package).unwrap();
        assert_eq!(npm_package(&checkout, "emulator", "2.0.0").unwrap(), package);
    }

    #[test]
    fn names_the_tool_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = ensure_there(&checkout(folder.path()), "no-such-tool", "version").unwrap_err();
        assert!(error.to_string().starts_with("`no-such-tool` is not installed"), "{error}");
    }
}
