//! `promptops import promptfoo`: a configuration of promptfoo as prompts, eval files and datasets.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_eval::promptfoo::{Imported, Target};
use promptops_prompt::PromptId;

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::promptfoo;

/// Turn a configuration of promptfoo into prompts, eval files and datasets that run alike.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration, as promptfooconfig.yaml.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who owns the prompts: a team or person of owners.yaml.
    #[arg(long, value_name = "OWNER")]
    owner: String,
    /// The first part of the prompts' ids [default: the name of the file's folder].
    #[arg(long, value_name = "ID")]
    namespace: Option<PromptId>,
    /// The root of the project [default: the one that the working directory belongs to, else the working directory].
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// How much worse a later version may be, of every metric, from 0 to 1.
    #[arg(long, default_value_t = 0.05, value_parser = margin, value_name = "SHARE")]
    margin: f64,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Reads a margin.
fn margin(text: &str) -> Result<f64, String> {
    let margin: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if margin > 0.0 && margin < 1.0 { Ok(margin) } else { Err("a margin lies between 0 and 1, both excluded".to_owned()) }
}

/// Writes the files, or none of them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let file = context.directory.join(&arguments.file);
    let suite = promptfoo::read(context, &arguments.file)?;
    let project = match &arguments.into {
        Some(folder) => Project::at(&context.directory.join(folder))?,
        None => context.project().or_else(|_| Project::at(&context.directory))?,
    };
    let namespace = match &arguments.namespace {
        Some(namespace) => namespace.clone(),
        None => promptfoo::namespace(&file),
    };
    let target = Target {
        namespace: &namespace,
        owner: &arguments.owner,
        margin: arguments.margin,
        prompts_folder: &project.config.prompts.path,
    };
    let imported = suite.write(&target).map_err(|message| Failure::new(Exit::Usage, message))?;
    let new = missing(&imported, &project.root)?;
    for (path, text) in &new {
        if !arguments.dry_run {
            write_file(&project.root.join(path), text)?;
        }
        context.printer.line(path);
    }
    let unchanged = imported.files.len() - new.len();
    let (done, kept) = (
        if arguments.dry_run { "would be written" } else { "written" },
        if unchanged == 0 { String::new() } else { format!(", {unchanged} there already") },
    );
    context.printer.notice(format!("{} files {done}{kept}", new.len()));
    for prompt in &imported.prompts {
        context.printer.notice(format!("{} from {}: {} cases", prompt.id, prompt.provider, prompt.cases));
    }
    for judge in &imported.judges {
        context.printer.notice(format!("{} from {}: judges by rubrics", judge.id, judge.provider));
    }
    let models = promptfoo::unserved(&project, &suite);
    if !models.is_empty() {
        let list = models.join("`, `");
        context.printer.warning(format!("no provider of promptops.toml serves `{list}`; `promptops eval` needs one"));
    }
    Ok(Exit::Success)
}

/// Returns the files that are not there yet. One that is there with another text stops the import before anything is written.
fn missing<'i>(imported: &'i Imported, root: &Path) -> Outcome<Vec<&'i (String, String)>> {
    let (mut missing, mut others) = (Vec::new(), Vec::new());
    for file in &imported.files {
        match std::fs::read_to_string(root.join(&file.0)) {
            Ok(text) if text == file.1 => {}
            Ok(_) => others.push(file.0.as_str()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing.push(file),
            Err(error) => return Err(Failure::io("read", &root.join(&file.0), error)),
        }
    }
    if others.is_empty() {
        return Ok(missing);
    }
    let message = format!("`{}` is there already, with another content", others.join("`, `"));
    Err(Failure::new(Exit::Conflict, message).hint("choose another `--namespace`, or remove the files; nothing was written"))
}
