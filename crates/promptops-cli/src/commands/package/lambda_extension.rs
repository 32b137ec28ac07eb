//! `promptops package lambda-extension`: prompts on loopback, for functions in any language.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::packages::archive::{Archive, Entry};
use crate::packages::native_part::{AMAZON_LINUX_2, AMAZON_LINUX_2023, NativePart};
use crate::packages::options::{OutputOptions, PromptOptions};
use crate::packages::prompts::PackagedPrompts;
use crate::packages::report::Report;
use crate::packages::{PACKAGED_BUNDLE, limits};

/// The name of the extension's program, beside this one.
const PROGRAM: &str = "promptops-lambda-extension";

/// Build a layer for Lambda with an extension that serves the prompts of a lock on loopback, to functions in any language.
///
/// A function with this layer asks `http://127.0.0.1:2774/v1/prompts/ID` for a prompt, and posts `{"inputs": {…}}` to
/// `…/ID/render` for messages. It needs no SDK, no setting, no network and no registry. The same lock and the same program give the
/// same bytes; a layer that Lambda would not take is refused.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to write it.
    #[arg(short, long, default_value = "promptops-extension.zip", value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    prompts: PromptOptions,
    /// The program of the extension, built for Linux [default: `promptops-lambda-extension` beside this program].
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    #[command(flatten)]
    output: OutputOptions,
}

/// Builds it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let path = match &arguments.program {
        Some(program) => context.directory.join(program),
        None => context.program.as_ref().map(|program| program.with_file_name(PROGRAM)).unwrap_or_default(),
    };
    let program = std::fs::read(&path).map_err(|error| {
        Failure::io("read the program of the extension", &path, error)
            .hint(format!("build it with `cargo build --release -p {PROGRAM}`, and name it with `--program`"))
    })?;
    let native = NativePart::read(&program).map_err(|reason| {
        Failure::new(Exit::Usage, format!("`{}` cannot run in Lambda: it {reason}", path.display()))
            .hint("build it on Linux, or for a target of Linux")
    })?;
    if !native.runs_with(AMAZON_LINUX_2023) {
        let glibc = native.glibc.map_or_else(String::new, |glibc| glibc.to_string());
        let message = format!("`{}` needs glibc {glibc}, and Lambda has {AMAZON_LINUX_2023}", path.display());
        return Err(Failure::new(Exit::Refused, message).hint("build it for an older C library, as with `cargo zigbuild`"));
    }
    let prompts = PackagedPrompts::read(&arguments.prompts, context)?;
    let files = BTreeMap::from([
        ("extensions/promptops".to_owned(), Entry { bytes: program, is_program: true }),
        (format!("promptops/{PACKAGED_BUNDLE}"), prompts.bytes.clone().into()),
    ]);
    let archive = Archive::of(&files);
    limits::check_layer(&archive)?;
    let file = arguments.out.display().to_string();
    let architecture = native.architecture.name();
    let older = (!native.runs_with(AMAZON_LINUX_2)).then(|| {
        format!("runtimes on Amazon Linux 2 cannot start it: their glibc is {AMAZON_LINUX_2}; those on Amazon Linux 2023 can")
    });
    let report = Report::new("lambda-extension", &file, &archive, &native)
        .prompts(Some(&prompts))
        .lambda_limits()
        .next(format!(
            "aws lambda publish-layer-version --layer-name promptops-extension --zip-file fileb://{file} \
             --compatible-architectures {architecture}"
        ))
        .warn(older);
    arguments.output.finish(&[(&arguments.out, &archive.bytes)], report, context)
}
