//! `promptops schema`: JSON Schemas for editors, and of the record.

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Print the JSON Schema of prompt files or eval files, so that editors complete and check them, or of the invocation record.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which files the schema is of.
    #[arg(value_enum, default_value_t = Of::Prompt, value_name = "FILES")]
    of: Of,
}

/// Files that have a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    /// Prompt files.
    Prompt,
    /// Eval files.
    Eval,
    /// Records of invocations: one line of a JSON Lines file.
    Invocation,
}

/// Prints the schema.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let schema = match arguments.of {
        Of::Prompt => promptops_prompt::schema::prompt_file().to_value(),
        Of::Eval => promptops_eval::spec::schema(),
        Of::Invocation => promptops_telemetry::schema::record(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::from_error(Exit::Io, error))?;
    context.printer.line(text);
    Ok(Exit::Success)
}
