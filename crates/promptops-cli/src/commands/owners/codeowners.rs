//! `promptops owners codeowners`: GitHub's CODEOWNERS from the owners of prompts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use promptops_prompt::draft::Draft;
use promptops_prompt::owners::Owners;
use promptops_store::Repository;

use crate::checks::{OWNERS_FILE, owners_of};
use crate::code_owners::{block, differences, rules, with_block};
use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::text_file;
use crate::working_tree::WorkingTree;

/// Where GitHub looks for the file, in its order.
const PLACES: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/// Write GitHub's CODEOWNERS for prompt files, from the owners of prompts and `owners.yaml`.
///
/// A team or person is named by `github` in `owners.yaml`, else by `email`; a team without `github` by its members. A folder
/// whose prompts have one owner is one rule. The rules stand between two comments, and the rest of the file stays as it is.
/// Without `--write` and `--check` they are printed.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write the rules into the file.
    #[arg(long)]
    write: bool,
    /// Tell whether the file has the rules, and write nothing; exit code 1 when it has not.
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// The file [default: where GitHub looks, `.github/CODEOWNERS` if there is none].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Writes, checks or prints them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let root = Repository::discover(&project.root).map_or_else(|_| project.root.clone(), |found| found.root().to_owned());
    let wanted = block(&rules(&owned_files(&project, &root)?));
    if !arguments.write && !arguments.check {
        context.printer.answer(&wanted);
        return Ok(Exit::Success);
    }
    let file = match &arguments.file {
        Some(file) => context.directory.join(file),
        None => {
            PLACES.map(|place| root.join(place)).into_iter().find(|file| file.is_file()).unwrap_or_else(|| root.join(PLACES[0]))
        }
    };
    let shown = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
    let text = match text_file::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::io("read", &file, error)),
    };
    let updated = with_block(&text, &wanted).map_err(|reason| {
        Failure::new(Exit::Usage, format!("{reason}: `{shown}`"))
            .hint("restore both comments, or remove both with what is between")
    })?;
    if updated == text {
        context.printer.line(format!("{shown} is up to date"));
        return Ok(Exit::Success);
    }
    if arguments.check {
        differences(&text, &updated).iter().for_each(|line| context.printer.line(line));
        context.printer.notice(format!("{shown} is not up to date; write it with `promptops owners codeowners --write`"));
        return Ok(Exit::Refused);
    }
    write_file(&file, &updated)?;
    context.printer.line(format!("wrote {shown}"));
    Ok(Exit::Success)
}

/// Returns every prompt file, by its path from the root of the repository, with who owns it as CODEOWNERS names them.
fn owned_files(project: &Project, root: &Path) -> Outcome<BTreeMap<String, Vec<String>>> {
    let owners: Owners = owners_of(project)?
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no `{OWNERS_FILE}`, which says who owners are")))?;
    let tree = WorkingTree::read(project)?;
    let (mut files, mut unreadable, mut unnamed) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
    for file in &tree.files {
        let Some(prompt) = Draft::parse(&file.path, &file.text).0.prompt() else {
            unreadable.push(file.path.as_str());
            continue;
        };
        let named = owners.code_owners(&prompt.metadata.owner);
        if named.is_empty() {
            unnamed.insert(prompt.metadata.owner);
            continue;
        }
        let below = project.root.strip_prefix(root).unwrap_or(Path::new(""));
        files.insert(below.join(&file.path).to_string_lossy().replace('\\', "/"), named);
    }
    let list = |names: &mut dyn Iterator<Item = String>| names.map(|name| format!("\n  - {name}")).collect::<String>();
    if !unreadable.is_empty() {
        let files = list(&mut unreadable.iter().map(|path| (*path).to_owned()));
        return Err(Failure::new(Exit::Refused, format!("these files are no valid prompts:{files}"))
            .hint("`promptops check` shows what is wrong with them"));
    }
    if !unnamed.is_empty() {
        let names = list(&mut unnamed.into_iter());
        return Err(Failure::new(Exit::Refused, format!("GitHub has no name for these owners:{names}"))
            .hint(format!("give each a `github` in `{OWNERS_FILE}`, or an `email` to the person")));
    }
    Ok(files)
}
