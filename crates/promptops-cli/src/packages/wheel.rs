//! The SDK for Python, taken from a wheel, or put together again from where it is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::packages::PACKAGED_BUNDLE;
use crate::packages::archive;
use crate::packages::native_part::NativePart;
use crate::packages::prompts::PackagedPrompts;

/// The folder of the package in a wheel.
const PACKAGE: &str = "promptops/";
/// What installers add to a wheel's metadata, which is no part of the SDK.
const INSTALLERS_NOTES: [&str; 4] = ["INSTALLER", "REQUESTED", "direct_url.json", "RECORD"];
/// The package that brings the command, which no runtime needs.
const COMMAND_PACKAGE: &str = "promptops-cli";
/// The oldest and newest minor version of Python 3 that Lambda has a runtime for.
const LAMBDA_PYTHONS: std::ops::RangeInclusive<u32> = 10..=14;

/// A wheel of the SDK.
#[derive(Debug)]
pub struct Wheel {
    /// Its files by their names in the wheel, without the list of them (`RECORD`).
    files: BTreeMap<String, Vec<u8>>,
    /// Its version.
    pub version: String,
    /// Which interpreters and systems it says it is for, as `cp310-abi3-manylinux_2_17_x86_64`.
    pub tags: Vec<String>,
    /// Where it was taken from.
    pub origin: PathBuf,
    /// Its native part.
    pub native: NativePart,
    /// The name of the native part in the wheel.
    native_name: String,
}

impl Wheel {
    /// Reads the wheel that is named, else the SDK that is found beside the running program.
    pub fn find(named: Option<&Path>, program: Option<&Path>) -> Outcome<Self> {
        if let Some(path) = named {
            return Self::from_files(archive::read(path, "wheel")?, path);
        }
        let folder = program.and_then(Path::parent);
        if let Some(metadata) = folder.and_then(installed_metadata) {
            return Self::from_installation(&metadata);
        }
        if let Some(path) = folder.and_then(wheel_in) {
            return Self::from_files(archive::read(&path, "wheel")?, &path);
        }
        let searched = folder.map_or_else(String::new, |folder| format!("; `{}` was searched", folder.display()));
        Err(Failure::new(Exit::NotFound, format!("no wheel of the SDK is named, and none lies beside this program{searched}"))
            .hint(format!("name one with `--wheel`; {}", how_to_get_one(env!("CARGO_PKG_VERSION")))))
    }

    fn from_files(mut files: BTreeMap<String, Vec<u8>>, origin: &Path) -> Outcome<Self> {
        let wrong = |reason: &str| {
            let message = format!("`{}` is not a wheel of the SDK: {reason}", origin.display());
            Failure::new(Exit::Usage, message).hint(how_to_get_one(env!("CARGO_PKG_VERSION")))
        };
        let metadata_name = files
            .keys()
            .find(|name| name.starts_with("promptops-") && name.ends_with(".dist-info/METADATA"))
            .cloned()
            .ok_or_else(|| wrong("it does not say that it is `promptops`"))?;
        let folder = metadata_name.trim_end_matches("METADATA").to_owned();
        let text = |name: &str| files.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let metadata = text(&metadata_name);
        let version = field(&metadata, "Version").next().ok_or_else(|| wrong("its METADATA has no version"))?.to_owned();
        let tags: Vec<String> = field(&text(&format!("{folder}WHEEL")), "Tag").map(str::to_owned).collect();
        if tags.is_empty() {
            return Err(wrong("its WHEEL file has no tag"));
        }
        let native_name = files.keys().find(|name| is_native(name)).cloned().ok_or_else(|| wrong("it has no native part"))?;
        let native = NativePart::read(&files[&native_name]).map_err(|reason| wrong(&format!("its native part {reason}")))?;
        files.insert(metadata_name, without_command(&metadata).into_bytes());
        for note in INSTALLERS_NOTES {
            files.remove(&format!("{folder}{note}"));
        }
        Ok(Self { files, version, tags, origin: origin.to_owned(), native, native_name })
    }

    /// Puts a wheel together from the files that its installation lists.
    fn from_installation(metadata: &Path) -> Outcome<Self> {
        let record = metadata.join("RECORD");
        let list = std::fs::read_to_string(&record).map_err(|error| Failure::io("read", &record, error))?;
        let site = metadata.parent().unwrap_or(metadata);
        let mut files = BTreeMap::new();
        for line in list.lines() {
            // Names have no comma: the SDK's own are plain, and what else is listed is left out.
            let name = line.split(',').next().unwrap_or_default();
            let is_own = name.starts_with(PACKAGE) || name.contains(".dist-info/");
            if is_own && !name.contains("__pycache__") && !name.contains("..") {
                let path = site.join(name);
                files.insert(name.to_owned(), std::fs::read(&path).map_err(|error| Failure::io("read", &path, error))?);
            }
        }
        Self::from_files(files, &site.join("promptops"))
    }

    /// Returns the files as they are installed, with the list of them, and with `additions`, by names in the wheel.
    pub fn installed(&self, additions: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files.clone();
        files.extend(additions);
        let name = format!("{}RECORD", self.metadata_folder());
        let record = record(&files, &name);
        files.insert(name, record.into_bytes());
        files
    }

    /// Returns the files of a wheel with the prompts in it and this build tag.
    pub fn rebuilt(&self, prompts: Option<&PackagedPrompts>, build: Option<&str>) -> BTreeMap<String, Vec<u8>> {
        let mut additions = BTreeMap::new();
        if let Some(prompts) = prompts {
            additions.insert(format!("{PACKAGE}{PACKAGED_BUNDLE}"), prompts.bytes.clone());
        }
        if let Some(build) = build {
            let name = format!("{}WHEEL", self.metadata_folder());
            let text = String::from_utf8_lossy(&self.files[&name]).into_owned();
            // Fields end at the first empty line, where there is one.
            let text = format!("{}\nBuild: {build}\n", text.trim_end());
            additions.insert(name, text.into_bytes());
        }
        self.installed(additions)
    }

    /// Returns the native part.
    pub fn native_bytes(&self) -> &[u8] {
        &self.files[&self.native_name]
    }

    /// Returns the folder of metadata in the wheel, with its slash.
    pub fn metadata_folder(&self) -> String {
        format!("promptops-{}.dist-info/", self.version)
    }

    /// Returns the name of the native part in the wheel.
    pub fn native_name(&self) -> &str {
        &self.native_name
    }

    /// Returns the name of the file with this build tag.
    pub fn file_name(&self, build: Option<&str>) -> String {
        let build = build.map(|build| format!("-{build}")).unwrap_or_default();
        // The platforms of one wheel are one tag each in its metadata, and joined with dots in its name.
        let mut parts = self.tags[0].splitn(3, '-');
        let (python, abi) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let platforms: Vec<&str> = self.tags.iter().filter_map(|tag| tag.splitn(3, '-').nth(2)).collect();
        format!("promptops-{}{build}-{python}-{abi}-{}.whl", self.version, platforms.join("."))
    }

    /// Returns the runtimes of Lambda that it runs on, by its tag and by the C library that it needs.
    pub fn lambda_runtimes(&self) -> Vec<String> {
        let mut parts = self.tags[0].split('-');
        let first: u32 = parts.next().and_then(|tag| tag.strip_prefix("cp3")).and_then(|minor| minor.parse().ok()).unwrap_or(0);
        let is_stable = parts.next() == Some("abi3");
        let runs = |minor: &u32| {
            let glibc = if *minor < 12 { super::native_part::AMAZON_LINUX_2 } else { super::native_part::AMAZON_LINUX_2023 };
            (*minor == first || is_stable && *minor > first) && self.native.runs_with(glibc)
        };
        LAMBDA_PYTHONS.filter(runs).map(|minor| format!("python3.{minor}")).collect()
    }
}

/// Says how to come by a wheel.
fn how_to_get_one(version: &str) -> String {
    format!("`pip download --no-deps --only-binary :all: --platform manylinux2014_x86_64 promptops=={version}` fetches one")
}

/// Finds the metadata of the SDK that is installed in the Python environment to which a folder of programs belongs.
fn installed_metadata(programs: &Path) -> Option<PathBuf> {
    let libraries = programs.parent()?.join("lib");
    let mut pythons: Vec<PathBuf> = std::fs::read_dir(libraries).ok()?.flatten().map(|entry| entry.path()).collect();
    pythons.sort();
    let sites = pythons.into_iter().map(|python| python.join("site-packages"));
    sites.flat_map(|site| std::fs::read_dir(site).into_iter().flatten().flatten()).map(|entry| entry.path()).find(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("promptops-") && name.ends_with(".dist-info")
    })
}

/// Finds a wheel of this version in a folder.
fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let start = format!("promptops-{}-", env!("CARGO_PKG_VERSION"));
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut wheels: Vec<PathBuf> = files
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with(&start) && name.ends_with(".whl") && name.contains("linux")
        })
        .collect();
    wheels.sort();
    wheels.into_iter().next()
}

fn is_native(name: &str) -> bool {
    let stem = name.strip_prefix(PACKAGE).unwrap_or_default();
    stem.starts_with("_promptops.") && [".so", ".pyd", ".dylib"].iter().any(|ending| stem.ends_with(ending))
}

/// Returns the values of a field of a metadata file.
fn field<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let head = text.lines().take_while(|line| !line.is_empty());
    head.filter_map(move |line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

/// Removes the demand for the command: a runtime has no use for it, and no registry to fetch it from.
fn without_command(metadata: &str) -> String {
    let demands = |line: &str| line.strip_prefix("Requires-Dist:").is_some_and(|rest| rest.trim().starts_with(COMMAND_PACKAGE));
    metadata.split_inclusive('\n').filter(|line| !demands(line)).collect()
}

/// Writes the list of files that a wheel ends with: name, SHA-256 and size.
fn record(files: &BTreeMap<String, Vec<u8>>, own_name: &str) -> String {
    let mut text = String::new();
    for (name, bytes) in files.iter().filter(|(name, _)| *name != own_name) {
        text.push_str(&format!("{name},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)), bytes.len()));
    }
    text + &format!("{own_name},,\n")
}
