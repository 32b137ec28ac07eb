//! `promptops package glue-zip`: SDK and prompts in one ZIP that Python imports from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use promptops_prompt::Digest;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::packages::archive::{Archive, Entry};
use crate::packages::options::{OutputOptions, PromptOptions, SdkOptions};
use crate::packages::prompts::PackagedPrompts;
use crate::packages::report::Report;
use crate::packages::{PACKAGED_BUNDLE, ZIP_LOADER, limits};

/// Build one ZIP for `--extra-py-files` of Glue and `--py-files` of Spark: the SDK with its native part, and the prompts.
///
/// Driver and executors import it from the ZIP. Since no system loads a shared library out of a ZIP, the first import on a machine
/// writes it into a folder of its own user, whole or not at all, and checks its SHA-256 on every import; where no folder can be
/// written to, it is loaded from memory. The same lock and the same wheel give the same bytes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to write it.
    #[arg(short, long, default_value = "promptops-glue.zip", value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    prompts: PromptOptions,
    #[command(flatten)]
    sdk: SdkOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// Builds it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let wheel = arguments.sdk.wheel(context)?;
    let older = limits::check_glue(&wheel.native)?;
    let prompts = if arguments.sdk.no_prompts { None } else { Some(PackagedPrompts::read(&arguments.prompts, context)?) };
    let mut additions = BTreeMap::new();
    let mut digests = BTreeMap::new();
    let (folder, native) = wheel.native_name().rsplit_once('/').unwrap_or(("", wheel.native_name()));
    digests.insert(native.to_owned(), Digest::of(wheel.native_bytes()).hex());
    if let Some(prompts) = &prompts {
        digests.insert(PACKAGED_BUNDLE.to_owned(), prompts.digest().hex());
        additions.insert(format!("{folder}/{PACKAGED_BUNDLE}"), prompts.bytes.clone());
    }
    let manifest = serde_json::to_vec(&digests).map_err(|error| Failure::from_error(Exit::Io, error))?;
    additions.insert(format!("{folder}/packaged.json"), manifest);
    additions.insert(format!("{folder}/_promptops.py"), ZIP_LOADER.as_bytes().to_vec());
    let files: BTreeMap<String, Entry> =
        wheel.installed(additions).into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
    let archive = Archive::of(&files);
    let file = arguments.out.display().to_string();
    let name = arguments.out.file_name().unwrap_or_default().to_string_lossy();
    let report = Report::new("glue-zip", &file, &archive, &wheel.native)
        .prompts(prompts.as_ref())
        .sdk(&wheel)
        .next(format!("upload it, and give the job --extra-py-files s3://BUCKET/{name}"))
        .warn(older);
    arguments.output.finish(&[(&arguments.out, &archive.bytes)], report, context)
}
