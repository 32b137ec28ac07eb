//! `promptops lsp`: the checks while somebody types.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::language_server;

/// Serve editors over standard input and output, by the Language Server Protocol.
///
/// Shows the findings of `promptops check` while somebody types, explains them, mends them, completes prompts, versions and
/// variables, and goes to what is included. `docs/guides/editors.md` says how editors are set up.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Compare with this revision, as `promptops check --base` does [e.g. origin/main].
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Taken for editors that say so; there is no other way to talk.
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves until the editor ends.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    language_server::serve(&context.directory, arguments.base.as_deref())
}
