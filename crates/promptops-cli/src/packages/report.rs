//! What is said of a package, for people and for programs.

use serde::Serialize;

use crate::commands::lock;
use crate::packages::archive::Archive;
use crate::packages::limits::{LAMBDA_BYTES_UNZIPPED, LAMBDA_BYTES_ZIPPED, megabytes};
use crate::packages::native_part::NativePart;
use crate::packages::prompts::PackagedPrompts;
use crate::packages::wheel::Wheel;

/// Everything about a package.
#[derive(Debug)]
pub struct Report {
    document: ReportV1,
    /// What to do with the package: a command, or an argument.
    next: String,
    /// What may be wrong with it.
    pub warnings: Vec<String>,
}

/// The document. Fields are added under the same version, never changed or removed.
#[derive(Debug, Serialize)]
struct ReportV1 {
    version: u32,
    /// Which package it is, as `lambda-layer`.
    package: &'static str,
    file: String,
    /// False with `--dry-run`.
    written: bool,
    digest: String,
    bytes_zipped: u64,
    bytes_unzipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitsV1>,
    /// None where the prompts were left out.
    prompts: Option<PromptsV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk: Option<SdkV1>,
    architecture: &'static str,
    /// The oldest GNU C library that it runs with.
    glibc: Option<String>,
    compatible_runtimes: Vec<String>,
    entries: Vec<EntryV1>,
}

#[derive(Debug, Serialize)]
struct LimitsV1 {
    bytes_zipped: u64,
    bytes_unzipped: u64,
}

#[derive(Debug, Serialize)]
struct PromptsV1 {
    count: usize,
    release: Option<String>,
    digest: String,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct SdkV1 {
    version: String,
    tag: String,
    origin: String,
}

#[derive(Debug, Serialize)]
struct EntryV1 {
    name: String,
    bytes: u64,
    bytes_zipped: u64,
}

impl Report {
    /// Says what a package is.
    pub fn new(package: &'static str, file: &str, archive: &Archive, native: &NativePart) -> Self {
        let entry = |entry: &crate::packages::archive::ArchivedEntry| EntryV1 {
            name: entry.name.clone(),
            bytes: entry.bytes,
            bytes_zipped: entry.bytes_zipped,
        };
        let document = ReportV1 {
            version: 1,
            package,
            file: file.to_owned(),
            written: false,
            digest: archive.digest().to_string(),
            bytes_zipped: archive.bytes.len() as u64,
            bytes_unzipped: archive.bytes_unzipped(),
            limits: None,
            prompts: None,
            sdk: None,
            architecture: native.architecture.name(),
            glibc: native.glibc.map(|glibc| glibc.to_string()),
            compatible_runtimes: Vec::new(),
            entries: archive.entries.iter().map(entry).collect(),
        };
        Self { document, next: String::new(), warnings: Vec::new() }
    }

    /// Says which prompts are in it.
    #[must_use]
    pub fn prompts(mut self, prompts: Option<&PackagedPrompts>) -> Self {
        self.document.prompts = prompts.map(|prompts| PromptsV1 {
            count: prompts.count,
            release: prompts.release.clone(),
            digest: prompts.digest().to_string(),
            bytes: prompts.bytes.len() as u64,
        });
        self
    }

    /// Says which SDK is in it.
    #[must_use]
    pub fn sdk(mut self, wheel: &Wheel) -> Self {
        let tag = wheel.tags[0].clone();
        let origin = wheel.origin.display().to_string();
        self.document.sdk = Some(SdkV1 { version: wheel.version.clone(), tag, origin });
        self
    }

    /// Says that it is held against Lambda's limits.
    #[must_use]
    pub fn lambda_limits(mut self) -> Self {
        self.document.limits = Some(LimitsV1 { bytes_zipped: LAMBDA_BYTES_ZIPPED, bytes_unzipped: LAMBDA_BYTES_UNZIPPED });
        self
    }

    /// Says in which runtimes it runs.
    #[must_use]
    pub fn runtimes(mut self, runtimes: Vec<String>) -> Self {
        self.document.compatible_runtimes = runtimes;
        self
    }

    /// Says what to do with it.
    #[must_use]
    pub fn next(mut self, next: String) -> Self {
        self.next = next;
        self
    }

    /// Says what may be wrong with it.
    #[must_use]
    pub fn warn(mut self, warning: Option<String>) -> Self {
        self.warnings.extend(warning);
        self
    }

    /// Returns it for programs.
    pub fn json(&mut self, written: bool) -> impl Serialize + '_ {
        self.document.written = written;
        &self.document
    }

    /// Returns it for people.
    pub fn human(&self, written: bool) -> String {
        let one = &self.document;
        let limit = |limit: fn(&LimitsV1) -> u64| {
            one.limits.as_ref().map_or_else(String::new, |limits| format!(" of {}", megabytes(limit(limits))))
        };
        let mut lines = vec![
            (if written { "wrote" } else { "would write" }, one.file.clone()),
            ("zipped", format!("{}{}", megabytes(one.bytes_zipped), limit(|limits| limits.bytes_zipped))),
            ("unzipped", format!("{}{}", megabytes(one.bytes_unzipped), limit(|limits| limits.bytes_unzipped))),
        ];
        let prompts = one.prompts.as_ref().map_or_else(
            || "none".to_owned(),
            |prompts| {
                let release = prompts.release.as_ref().map_or_else(String::new, |release| format!(" of {release}"));
                format!("{}{release}, {}", lock::prompts(prompts.count), megabytes(prompts.bytes))
            },
        );
        lines.push(("prompts", prompts));
        if let Some(sdk) = &one.sdk {
            lines.push(("sdk", format!("promptops {} ({}) from {}", sdk.version, sdk.tag, sdk.origin)));
        }
        let glibc = one.glibc.as_ref().map_or_else(String::new, |glibc| format!(", glibc {glibc} or later"));
        lines.push(("runs on", format!("Linux on {}{glibc}", one.architecture)));
        if !one.compatible_runtimes.is_empty() {
            lines.push(("runtimes", one.compatible_runtimes.join(" ")));
        }
        lines.push(("digest", one.digest.clone()));
        lines.push(("next", self.next.clone()));
        lines.iter().map(|(name, value)| format!("{name:<11}  {value}\n")).collect()
    }
}
