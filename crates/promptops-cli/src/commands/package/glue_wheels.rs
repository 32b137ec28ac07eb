//! `promptops package glue-wheels`: a wheel of the SDK with the prompts in it, for pip inside a Glue job.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::packages::archive::{Archive, Entry};
use crate::packages::limits;
use crate::packages::options::{OutputOptions, PromptOptions, SdkOptions};
use crate::packages::prompts::PackagedPrompts;
use crate::packages::report::Report;

/// Build wheels for `--additional-python-modules` of Glue, which pip installs there without a network.
///
/// Of a name that ends with `.zip` a ZIP of wheels is made, which Glue 5.0 and later take; of any other name a folder, whose wheel
/// older versions take by its own URL. The prompts are inside of the wheel, whose build tag is the digest of their bundle.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The ZIP, or the folder, to write them to.
    #[arg(short, long, default_value = "promptops.gluewheels.zip", value_name = "PATH")]
    out: PathBuf,
    #[command(flatten)]
    prompts: PromptOptions,
    #[command(flatten)]
    sdk: SdkOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// Builds them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let wheel = arguments.sdk.wheel(context)?;
    let older = limits::check_glue(&wheel.native)?;
    let prompts = if arguments.sdk.no_prompts { None } else { Some(PackagedPrompts::read(&arguments.prompts, context)?) };
    // A build tag begins with a digit.
    let build = prompts.as_ref().map(|prompts| format!("0{}", &prompts.digest().hex()[..12]));
    let contents = wheel.rebuilt(prompts.as_ref(), build.as_deref());
    let name = wheel.file_name(build.as_deref());
    let contents: BTreeMap<String, Entry> = contents.into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
    let built = Archive::of(&contents);
    let requirements = format!("promptops=={}\n", wheel.version);
    let file = arguments.out.display().to_string();
    let finish = |report: Report| report.prompts(prompts.as_ref()).sdk(&wheel).warn(older);
    if arguments.out.extension().is_some_and(|extension| extension == "zip") {
        let files = BTreeMap::from([
            (format!("wheels/{name}"), built.bytes.into()),
            ("wheels/requirements.txt".to_owned(), requirements.into_bytes().into()),
        ]);
        let archive = Archive::of(&files);
        let zip = arguments.out.file_name().unwrap_or_default().to_string_lossy();
        let next = format!(
            "upload it, and give the job --additional-python-modules s3://BUCKET/{zip} --python-modules-installer-option --no-index"
        );
        let report = finish(Report::new("glue-wheels", &file, &archive, &wheel.native).next(next));
        return arguments.output.finish(&[(&arguments.out, &archive.bytes)], report, context);
    }
    let next = format!("upload it, and give the job --additional-python-modules s3://BUCKET/{name}");
    let report = finish(Report::new("glue-wheels", &file, &built, &wheel.native).next(next));
    let files = [(arguments.out.join(&name), built.bytes), (arguments.out.join("requirements.txt"), requirements.into_bytes())];
    let files: Vec<_> = files.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice())).collect();
    arguments.output.finish(&files, report, context)
}
