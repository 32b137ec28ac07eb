//! The Python environments of the tasks: made once, kept while their requirements stay the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout::{Checkout, read_stdout};
use crate::step::quietly;

/// How the native part of an SDK is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Built fast, for tests and the demo.
    Dev,
    /// Runs fast, for measuring.
    Release,
}

/// A Python environment of its own.
pub(crate) struct Python {
    folder: PathBuf,
    /// Whether it has zig, which links for the C library of old systems, so that wheels are as those that are released.
    has_zig: bool,
}

impl Python {
    /// Makes the environment of tests.
    pub(crate) fn for_tests(checkout: &Checkout) -> Result<Self> {
        let python = Self::prepare(checkout, "venv", "sdks/python/requirements-test.txt")?;
        Ok(Self { has_zig: cfg!(target_os = "linux"), ..python })
    }

    /// Makes an environment of another CPython for the tests of the SDK, with the packages that are tested on all of them.
    pub(crate) fn of_other(checkout: &Checkout, other: &Interpreter) -> Result<Self> {
        let name = format!("venv-{}", other.title().replace(' ', "-"));
        Self::prepare_with(checkout, other, &name, "sdks/python/requirements-clients.txt")
    }

    /// Makes the environment in which packages are tried out: what runs them, and not the SDK.
    pub(crate) fn for_packages(checkout: &Checkout) -> Result<Self> {
        Self::prepare(checkout, "packages-venv", "tests/packages/requirements.txt")
    }

    /// Makes the environment of the demo.
    pub(crate) fn for_demo(checkout: &Checkout) -> Result<Self> {
        Self::prepare(checkout, "demo-venv", "xtask/requirements-demo.txt")
    }

    /// Makes the environment of measurements, which holds the tools measured next to PromptOps.
    pub(crate) fn for_bench(checkout: &Checkout) -> Result<Self> {
        Self::prepare(checkout, "bench-venv", "bench/requirements.txt")
    }

    /// Makes an environment with the requirements in it, or keeps the one made from the same requirements before.
    fn prepare(checkout: &Checkout, name: &str, requirements: &str) -> Result<Self> {
        Self::prepare_with(checkout, &base_interpreter(checkout)?, name, requirements)
    }

    fn prepare_with(checkout: &Checkout, base: &Interpreter, name: &str, requirements: &str) -> Result<Self> {
        let python = Self { folder: checkout.scratch().join(name), has_zig: false };
        let wanted =
            std::fs::read_to_string(checkout.root.join(requirements)).with_context(|| format!("cannot read `{requirements}`"))?;
        let wanted = format!("{}\n{wanted}", base.version);
        let stamp = python.folder.join("made-from.txt");
        if std::fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted) {
            return Ok(python);
        }
        remove_folder(&python.folder)?;
        quietly(checkout.command(&base.path).args(["-m", "venv"]).arg(&python.folder))
            .context("cannot make a Python environment; on Debian and Ubuntu it takes the package python3-venv")?;
        quietly(pip(checkout, &python).args(["install", "--requirement", requirements]))
            .context("cannot install the requirements; pip fetches them from its package index")?;
        // Last, so that an environment left half-made is made anew.
        std::fs::write(&stamp, wanted).with_context(|| format!("cannot write `{}`", stamp.display()))?;
        Ok(python)
    }

    /// The folder of the interpreter and of the programs installed next to it.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" })
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// Builds the wheel of the Python SDK as users get it, and installs it.
    pub(crate) fn install_sdk(&self, checkout: &Checkout, profile: Profile) -> Result<()> {
        let wheels = checkout.scratch().join("wheels");
        remove_folder(&wheels)?;
        // Old systems are linked for by zig, where there is one.
        let system =
            if self.has_zig { &["--zig", "--compatibility", "manylinux2014"][..] } else { &["--compatibility", "linux"] };
        let release = if profile == Profile::Release { &["--release"][..] } else { &[] };
        self.build_wheel(checkout, "sdks/python/Cargo.toml", &wheels, &[system, release].concat())?;
        let wheel = self.wheel(checkout)?;
        self.install(checkout, &wheel)
    }

    /// Installs a wheel of the SDK.
    pub(crate) fn install(&self, checkout: &Checkout, wheel: &Path) -> Result<()> {
        // The version stays the same from one build to the next: pip would keep the old one.
        quietly(pip(checkout, self).args(["install", "--force-reinstall", "--no-deps"]).arg(wheel))
            .context("cannot install the wheel")
    }

    /// Builds the wheel of the command for this system, fast, and without the lake: DataFusion would be built once more, for minutes,
    /// and how pip brings a program does not depend on what it can do.
    pub(crate) fn build_command(&self, checkout: &Checkout) -> Result<()> {
        let wheels = checkout.scratch().join("command-wheels");
        remove_folder(&wheels)?;
        self.build_wheel(
            checkout,
            "crates/promptops-cli/Cargo.toml",
            &wheels,
            &["--compatibility", "linux", "--no-default-features"],
        )
    }

    /// Returns the wheel that [`Python::build_command`] built last.
    pub(crate) fn command_wheel(&self, checkout: &Checkout) -> Result<PathBuf> {
        only_file(&checkout.scratch().join("command-wheels"))
    }

    fn build_wheel(&self, checkout: &Checkout, manifest: &str, wheels: &Path, options: &[&str]) -> Result<()> {
        let mut build = checkout.command_that_builds(self.program("maturin"));
        build.args(["build", "--locked", "--manifest-path", manifest, "--out"]).arg(wheels);
        build.arg("--interpreter").arg(self.program("python")).args(options);
        // maturin asks the first interpreter on the path for zig.
        let path = std::env::var_os("PATH").unwrap_or_default();
        build.env("PATH", std::env::join_paths([self.programs()].into_iter().chain(std::env::split_paths(&path)))?);
        // It takes minutes the first time: cargo's progress is shown as it comes.
        let status = build.status().context("cannot start maturin")?;
        ensure!(status.success(), "maturin ended with {status}");
        Ok(())
    }

    /// Returns the wheel that [`Python::install_sdk`] built last.
    pub(crate) fn wheel(&self, checkout: &Checkout) -> Result<PathBuf> {
        only_file(&checkout.scratch().join("wheels"))
    }
}

fn pip(checkout: &Checkout, python: &Python) -> Command {
    let mut command = checkout.command(python.program("python"));
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]);
    command
}

/// A CPython of the machine.
pub(crate) struct Interpreter {
    path: PathBuf,
    /// Its two numbers, and where it is.
    version: String,
}

impl Interpreter {
    /// Its name in what is printed, as `CPython 3.12`.
    pub(crate) fn title(&self) -> String {
        let numbers: Vec<&str> = self.version.split_whitespace().take(2).collect();
        format!("CPython {}", numbers.join("."))
    }

    fn numbers(&self) -> Vec<u32> {
        self.version.split_whitespace().map_while(|word| word.parse().ok()).collect()
    }
}

/// Finds the interpreter that environments are made from: `PYTHON`, else `python3`.
fn base_interpreter(checkout: &Checkout) -> Result<Interpreter> {
    let path = std::env::var_os("PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let base = ask(checkout, path).context("no Python; 3.10 or later is needed")?;
    if base.numbers() < FIRST_NUMBERS.to_vec() {
        bail!("Python 3.10 or later is needed, and `{}` is {}", base.path.display(), base.version);
    }
    Ok(base)
}

/// The oldest CPython that the SDK runs on.
const FIRST_NUMBERS: [u32; 2] = [3, 10];

/// Asks an interpreter which one it is.
fn ask(checkout: &Checkout, path: PathBuf) -> Result<Interpreter> {
    let script = "import sys; assert sys.implementation.name == 'cpython'; print(*sys.version_info[:2], sys.executable)";
    let answer = read_stdout(checkout.command(&path).args(["-c", script]))?;
    Ok(Interpreter { path, version: answer.trim().to_owned() })
}

/// Finds the other CPythons of the machine that the SDK runs on, one of each version: those on the path, and pyenv's.
pub(crate) fn other_interpreters(checkout: &Checkout) -> Vec<Interpreter> {
    let mut seen: Vec<Vec<u32>> = base_interpreter(checkout).iter().map(Interpreter::numbers).collect();
    let mut found = Vec::new();
    let on_path = (FIRST_NUMBERS[1]..30).map(|minor| PathBuf::from(format!("python3.{minor}")));
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv"));
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or(home);
    let versions = pyenv.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let of_pyenv = versions.into_iter().flatten().flatten().map(|version| version.path().join("bin").join("python"));
    for path in on_path.chain(of_pyenv) {
        // Names that no program has are most of them, and no failure.
        let Ok(interpreter) = ask(checkout, path) else { continue };
        let numbers = interpreter.numbers();
        if numbers >= FIRST_NUMBERS.to_vec() && !seen.contains(&numbers) {
            seen.push(numbers);
            found.push(interpreter);
        }
    }
    found.sort_by_key(Interpreter::numbers);
    found
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        _ => bail!("`{}` should hold one file", folder.display()),
    }
}

/// Removes a folder; that there is none is fine.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}
