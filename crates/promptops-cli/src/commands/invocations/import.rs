//! `promptops invocations import`: records from files into the lake.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use promptops_lake::Lake;
use promptops_telemetry::Invocation;
use promptops_telemetry::import::{ColumnMapping, Import, ImportError, Rejected};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access;
use crate::text_file;

/// Bring records into the lake: JSON lines of the loader's sink, or CSV with a column mapping.
///
/// A record is counted once, however often its file is imported. Rows that cannot be read are named and left out.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The files; `.csv` is CSV, everything else JSON lines. Of a folder, as of the loader's spool, every file that ends in `.jsonl`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A TOML file that says which column is which field of the record (for CSV).
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Refuse the import when a row cannot be read, instead of leaving it out.
    #[arg(long)]
    strict: bool,
}

/// Records that are handed to the lake at a time, so that a large file does not lie in memory.
const BATCH: usize = 20_000;

#[derive(Debug, Default)]
struct Imported {
    written: u64,
    duplicates: u64,
}

/// Imports the files one by one.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let mapping = mapping(arguments, context)?;
    let mut rejected_rows = 0;
    for file in &files(arguments, context)? {
        let path = context.directory.join(file);
        if arguments.strict {
            refuse_bad_rows(file, &path, &mapping)?;
        }
        let (imported, rejected) = import(file, &path, &mapping, &lake, context)?;
        for row in &rejected.first {
            context.printer.warning(format!("{}:{}: {}", file.display(), row.line, row.reason));
        }
        if rejected.count > rejected.first.len() as u64 {
            context.printer.warning(format!("… and {} more rows", rejected.count - rejected.first.len() as u64));
        }
        rejected_rows += rejected.count;
        context.printer.line(format!(
            "{}: {} imported, {} already there, {} left out",
            file.display(),
            imported.written,
            imported.duplicates,
            rejected.count
        ));
    }
    Ok(if rejected_rows > 0 { Exit::Refused } else { Exit::Success })
}

/// Returns the files, with those of folders in place of the folders. Files that a process still writes to have another name.
fn files(arguments: &Arguments, context: &Context) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in &arguments.files {
        let path = context.directory.join(file);
        if !path.is_dir() {
            files.push(file.clone());
            continue;
        }
        let unreadable = |error| Failure::io("read", &path, error);
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(unreadable)? {
            let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
            if name.extension().is_some_and(|extension| extension == "jsonl") {
                inside.push(file.join(name));
            }
        }
        if inside.is_empty() {
            context.printer.warning(format!("no file of the folder ends in `.jsonl`: `{}`", file.display()));
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn mapping(arguments: &Arguments, context: &Context) -> Outcome<ColumnMapping> {
    let Some(file) = &arguments.mapping else { return Ok(ColumnMapping::same_names()) };
    let path = context.directory.join(file);
    let text = text_file::read(&path).map_err(|error| Failure::io("read", &path, error))?;
    ColumnMapping::parse(&text).map_err(|error| Failure {
        error: anyhow::Error::new(error).context(format!("`{}` is not a mapping", file.display())),
        hint: None,
        exit: Exit::Usage,
    })
}

fn open(name: &Path, path: &Path, mapping: &ColumnMapping) -> Outcome<Import<BufReader<File>>> {
    let reader = BufReader::new(File::open(path).map_err(|error| Failure::io("read", path, error))?);
    let source = name.file_name().map_or_else(|| name.display().to_string(), |name| name.to_string_lossy().into_owned());
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if is_csv {
        Import::csv(reader, mapping, &source).map_err(|error| failure(name, error))
    } else {
        Ok(Import::jsonl(reader, &source))
    }
}

fn refuse_bad_rows(name: &Path, path: &Path, mapping: &ColumnMapping) -> Outcome<()> {
    let mut import = open(name, path, mapping)?;
    for row in import.by_ref() {
        row.map_err(|error| failure(name, error))?;
    }
    match import.rejected().first.first() {
        None => Ok(()),
        Some(row) => {
            let place = format!("{}:{}: {}", name.display(), row.line, row.reason);
            let message = match import.rejected().count {
                1 => format!("1 row cannot be read: {place}"),
                count => format!("{count} rows cannot be read; the first is {place}"),
            };
            Err(Failure::new(Exit::Refused, message)
                .hint("correct what is wrong, or import without `--strict` to leave it out; nothing of this file was imported"))
        }
    }
}

fn import(name: &Path, path: &Path, mapping: &ColumnMapping, lake: &Lake, context: &Context) -> Outcome<(Imported, Rejected)> {
    let mut import = open(name, path, mapping)?;
    let mut total = Imported::default();
    let mut batch: Vec<Invocation> = Vec::with_capacity(BATCH);
    loop {
        let row = import.next().transpose().map_err(|error| failure(name, error))?;
        let is_last = row.is_none();
        batch.extend(row);
        if batch.len() >= BATCH || (is_last && !batch.is_empty()) {
            let appended = context.block_on(lake.append(&batch))?.map_err(lake_access::failure)?;
            total.written += appended.written;
            total.duplicates += appended.duplicates;
            batch.clear();
        }
        if is_last {
            return Ok((total, import.rejected().clone()));
        }
    }
}

fn failure(name: &Path, error: ImportError) -> Failure {
    let exit = if matches!(error, ImportError::Read { .. }) { Exit::Io } else { Exit::Usage };
    let hint = match &error {
        ImportError::NoTime { .. } => Some("write a mapping and name it with `--mapping`; examples/llmdrift has one"),
        _ => None,
    };
    let failure =
        Failure { error: anyhow::Error::new(error).context(format!("cannot import `{}`", name.display())), hint: None, exit };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
