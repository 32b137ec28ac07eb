//! `promptops lake compact`: what servers recorded into its hours.

use clap::Args;

use super::counted;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::lake_access;

/// Put what servers recorded into its hours now: sorted, each record once, in few files.
///
/// `promptops serve --record` does so by itself, for hours that are over. All commands see records before; Athena, Trino and Spark,
/// which read the folder, see them from then on. May run at any time, beside servers, and be interrupted.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave to later what a server would leave: the present hour, and late records until there are more of them.
    #[arg(long)]
    due: bool,
}

/// Compacts the lake.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let settings = arguments.due.then(promptops_lake::CompactSettings::default);
    let done = context.block_on(lake.compact(context.now(), settings))?.map_err(lake_access::failure)?;
    let printer = &context.printer;
    printer.line(format!(
        "{} put into {} of {}; {} waiting",
        counted(done.records, "invocation"),
        counted(done.files, "file"),
        counted(done.hours, "hour"),
        counted(done.waiting, "invocation")
    ));
    if done.ahead > 0 {
        printer.warning(format!("{} of them have a time more than a day ahead: a clock is wrong somewhere", done.ahead));
    }
    if done.newer > 0 {
        let files = counted(done.newer, "file");
        printer.warning(format!("{files} with columns of a later version were left alone; update promptops here"));
    }
    Ok(Exit::Success)
}
