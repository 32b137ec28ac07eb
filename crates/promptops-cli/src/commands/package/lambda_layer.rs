//! `promptops package lambda-layer`: SDK and prompts, for functions in Python.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::packages::archive::{Archive, Entry};
use crate::packages::native_part::AMAZON_LINUX_2;
use crate::packages::options::{OutputOptions, PromptOptions, SdkOptions};
use crate::packages::prompts::PackagedPrompts;
use crate::packages::report::Report;
use crate::packages::{PACKAGED_BUNDLE, limits};

/// Build a layer for Lambda: the SDK for Python, and the prompts of a lock with all that they include.
///
/// A function with this layer calls `load_prompt` and needs no setting, no network and no registry: the SDK finds the prompts that
/// lie beside it. The same lock and the same wheel give the same bytes. A layer that Lambda would not take is refused: 50 MB zipped,
/// 250 MB unzipped, a native part for another system.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to write it.
    #[arg(short, long, default_value = "promptops-layer.zip", value_name = "FILE")]
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
    let runtimes = wheel.lambda_runtimes();
    if runtimes.is_empty() {
        let glibc = wheel.native.glibc.map_or_else(String::new, |glibc| format!(" and needs glibc {glibc}"));
        let message = format!("no runtime of Lambda runs this wheel: it is for {}{glibc}", wheel.tags[0]);
        return Err(Failure::new(Exit::Refused, message).hint("take a wheel for manylinux2014 and for the stable ABI (abi3)"));
    }
    let prompts = if arguments.sdk.no_prompts { None } else { Some(PackagedPrompts::read(&arguments.prompts, context)?) };
    let bundle = prompts.iter().map(|prompts| (format!("promptops/{PACKAGED_BUNDLE}"), prompts.bytes.clone())).collect();
    let files: BTreeMap<String, Entry> =
        wheel.installed(bundle).into_iter().map(|(name, bytes)| (format!("python/{name}"), bytes.into())).collect();
    let archive = Archive::of(&files);
    limits::check_layer(&archive)?;
    let file = arguments.out.display().to_string();
    let architecture = wheel.native.architecture.name();
    let older = (!wheel.native.runs_with(AMAZON_LINUX_2)).then(|| {
        "python3.10 and python3.11 are left out: they run on Amazon Linux 2, whose C library is too old for this wheel".to_owned()
    });
    let report = Report::new("lambda-layer", &file, &archive, &wheel.native)
        .prompts(prompts.as_ref())
        .sdk(&wheel)
        .lambda_limits()
        .next(format!(
            "aws lambda publish-layer-version --layer-name promptops --zip-file fileb://{file} --compatible-architectures \
             {architecture} --compatible-runtimes {}",
            runtimes.join(" ")
        ))
        .runtimes(runtimes)
        .warn(older);
    arguments.output.finish(&[(&arguments.out, &archive.bytes)], report, context)
}
