//! What `promptops generate` writes: to stdout, into a folder, or nowhere, to tell whether a folder has it.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::text_file;

/// Where generated files go.
#[derive(Debug, Clone, Args)]
pub struct OutputArguments {
    /// Write files into this folder instead of to stdout. Other files there stay.
    #[arg(short, long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Tell whether the folder has what would be written, and write nothing; exit code 1 when it has not.
    #[arg(long, requires = "out")]
    pub check: bool,
}

/// A generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Its path in the folder, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl GeneratedFile {
    /// Returns a file of JSON as people read it.
    pub fn json(path: impl Into<String>, value: &serde_json::Value) -> Self {
        Self { path: path.into(), text: format!("{value:#}\n") }
    }
}

impl OutputArguments {
    /// Writes, prints or compares the files.
    ///
    /// # Errors
    /// [`Exit::Usage`] when there are several and no folder for them.
    pub fn put(&self, files: &[GeneratedFile], context: &Context) -> Outcome<Exit> {
        let Some(out) = &self.out else {
            let [file] = files else {
                let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
                return Err(Failure::new(Exit::Usage, format!("these are {} files: `{}`", files.len(), names.join("`, `")))
                    .hint("name a folder for them with `--out`"));
            };
            context.printer.answer(&file.text);
            return Ok(Exit::Success);
        };
        let folder = context.directory.join(out);
        if self.check {
            return check(files, &folder, out, context);
        }
        for file in files {
            write_file(&folder.join(&file.path), &file.text)?;
            context.printer.line(format!("wrote {}", out.join(&file.path).display()));
        }
        Ok(Exit::Success)
    }
}

fn check(files: &[GeneratedFile], folder: &Path, shown: &Path, context: &Context) -> Outcome<Exit> {
    let mut exit = Exit::Success;
    for file in files {
        let path = folder.join(&file.path);
        let state = match text_file::read(&path) {
            Ok(text) if text == file.text => "is up to date",
            Ok(_) => "differs",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is missing",
            Err(error) => return Err(Failure::io("read", &path, error)),
        };
        if state != "is up to date" {
            exit = Exit::Refused;
        }
        context.printer.line(format!("{} {state}", shown.join(&file.path).display()));
    }
    if exit == Exit::Refused {
        context.printer.notice("the same command without `--check` writes what is generated now");
    }
    Ok(exit)
}
