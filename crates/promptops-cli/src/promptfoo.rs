//! Configurations of promptfoo on the disk: read with their files, and run without being imported.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use promptops_eval::client::routes::serves;
use promptops_eval::promptfoo::{self, Files, Suite, Target};
use promptops_prompt::finding::Severity;
use promptops_prompt::{Digest, PromptId};

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::human;
use crate::project::Project;
use crate::text_file;

/// The files beside a configuration.
struct Beside {
    folder: PathBuf,
}

impl Files for Beside {
    fn read(&self, path: &str) -> io::Result<String> {
        text_file::read(&self.folder.join(path))
    }

    fn matching(&self, pattern: &str) -> io::Result<Vec<String>> {
        let whole = self.folder.join(pattern);
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
        let found = glob::glob(&whole.to_string_lossy()).map_err(|error| invalid(error.to_string()))?;
        let mut paths = Vec::new();
        for path in found {
            let path = path.map_err(io::Error::from)?;
            let shown = path.strip_prefix(&self.folder).unwrap_or(&path);
            paths.push(shown.to_string_lossy().into_owned());
        }
        paths.sort();
        Ok(paths)
    }
}

/// Reads a configuration. Whatever is found is shown; an error among it ends the command.
pub fn read(context: &Context, file: &Path) -> Outcome<Suite> {
    let path = context.directory.join(file);
    let text = text_file::read(&path).map_err(|error| Failure::io("read the configuration", &path, error))?;
    let folder = path.parent().unwrap_or(&path).to_owned();
    let shown = file.to_string_lossy();
    let read = promptfoo::read(&shown, &text, &Beside { folder });
    let texts: HashMap<String, String> = read.texts.into_iter().collect();
    for finding in &read.findings {
        context.printer.finding(&human::render(finding, &texts, context.printer.stderr_is_coloured()));
    }
    let errors = read.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    read.suite.ok_or_else(|| {
        let problems = if errors == 1 { "1 problem".to_owned() } else { format!("{errors} problems") };
        Failure::new(Exit::Refused, format!("`{shown}` has {problems}"))
            .hint("`docs/guides/promptfoo.md` says what is read and what is refused")
    })
}

/// Returns the namespace that a configuration's place suggests.
pub fn namespace(file: &Path) -> PromptId {
    let folder = file.canonicalize().ok();
    let name =
        folder.as_deref().and_then(Path::parent).and_then(Path::file_name).map(|name| name.to_string_lossy().to_lowercase());
    let slug: String =
        name.unwrap_or_default().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let trimmed = slug.trim_matches('-');
    trimmed.parse().unwrap_or_else(|_| "imported".parse().expect("`imported` is an id"))
}

/// Returns the models that no provider of the project serves.
pub fn unserved(project: &Project, suite: &Suite) -> Vec<String> {
    let is_served = |model: &String| {
        let mut patterns = project.config.providers.values().flat_map(|provider| &provider.models);
        patterns.any(|pattern| serves(pattern, model))
    };
    suite.models().into_iter().filter(|model| !is_served(model)).collect()
}

/// Makes a project out of a configuration, in the folder of what may be deleted at any time, and returns it with the prompts to
/// evaluate, each with one of its eval files. The providers are those of the project around, where there is one.
pub fn project(context: &Context, file: &Path) -> Outcome<(Project, Vec<(PromptId, String)>)> {
    let suite = read(context, file)?;
    let around = context.project().or_else(|_| Project::at(&context.directory))?;
    let path = context.directory.join(file);
    let target = Target { namespace: &namespace(&path), owner: "promptfoo", margin: 0.05, prompts_folder: "prompts" };
    let imported = suite.write(&target).map_err(|message| Failure::new(Exit::Usage, message))?;
    let whole = path.canonicalize().unwrap_or(path);
    let digest = Digest::of(whole.to_string_lossy().as_bytes()).to_string();
    let name = digest.trim_start_matches("sha256:").get(..16).unwrap_or("configuration");
    let root = around.cache_folder().join("promptfoo").join(name);
    // What an earlier run wrote goes; what it recorded stays.
    for folder in ["prompts"] {
        match std::fs::remove_dir_all(root.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Failure::io("clear", &root.join(folder), error)),
            _ => {}
        }
    }
    for (path, text) in &imported.files {
        write_file(&root.join(path), text)?;
    }
    let mut config = around.config;
    config.prompts = crate::project::PromptsConfig::default();
    let selected = imported.prompts.into_iter().flat_map(|prompt| {
        let id = prompt.id;
        prompt.evals.into_iter().map(move |eval| (id.clone(), eval))
    });
    Ok((Project { root, config }, selected.collect()))
}
