//! What a command gets from the outside: printer, working directory, environment, clock.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::cli::GlobalOptions;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::project::Project;

/// The rim between the process and the commands.
#[derive(Debug)]
pub struct Context {
    /// Where output goes.
    pub printer: Printer,
    /// The folder that relative paths are meant from.
    pub directory: PathBuf,
    /// The environment of the process.
    pub environment: BTreeMap<String, String>,
    /// Where this program lies, links followed; none where the system does not say.
    pub program: Option<PathBuf>,
    registry: Option<String>,
}

impl Context {
    /// Reads the working directory and the environment.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the binary reads its surroundings")]
    pub fn new(options: &GlobalOptions) -> Outcome<Self> {
        // A variable that is not text cannot be one of ours.
        let environment: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect();
        let no_color = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let printer = Printer::new(options.color, no_color, options.quiet);
        let directory = match &options.directory {
            Some(directory) => enter(directory).map_err(|error| Failure::io("enter", directory, error))?,
            None => std::env::current_dir().map_err(|error| Failure::io("read", Path::new("."), error))?,
        };
        let program = std::env::current_exe().ok();
        Ok(Self { printer, directory, environment, program, registry: options.registry.clone() })
    }

    /// Returns the time, UTC.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the binary reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Returns the value of an environment variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the characters of a line on the terminal: `COLUMNS` where it is set, else as the terminal says. None where
    /// stdout is no terminal, so that whoever reads it gets everything.
    #[cfg(feature = "lake")]
    pub fn terminal_width(&self) -> Option<usize> {
        let set = self.variable("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
        set.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into()))
    }

    /// Tells whether a pipeline runs the command, which looks at what somebody proposes.
    pub fn is_in_pipeline(&self) -> bool {
        self.variable("CI").is_some_and(|value| !matches!(value, "false" | "0"))
    }

    /// Finds the project that the working directory belongs to.
    pub fn project(&self) -> Outcome<Project> {
        Project::find(&self.directory)
    }

    /// Returns the URL of the registry: `--registry`, else `PROMPTOPS_REGISTRY`, else `promptops.toml`, else the default.
    pub fn registry_url(&self, project: &Project) -> String {
        self.chosen_registry().unwrap_or_else(|| project.config.registry.url.clone())
    }

    /// Returns the URL of the registry that was chosen for this run: `--registry`, else `PROMPTOPS_REGISTRY`.
    pub fn chosen_registry(&self) -> Option<String> {
        self.registry.clone().or_else(|| self.variable("PROMPTOPS_REGISTRY").map(str::to_owned))
    }

    /// Returns who acts, for records: `PROMPTOPS_ACTOR`, else git's `user.email` in the project.
    pub fn actor(&self, project: &Project) -> Outcome<String> {
        if let Some(actor) = self.variable("PROMPTOPS_ACTOR") {
            return Ok(actor.to_owned());
        }
        let output = std::process::Command::new("git").args(["config", "user.email"]).current_dir(&project.root).output();
        match output {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            _ => Err(Failure::new(Exit::Usage, "cannot tell who you are")
                .hint("set PROMPTOPS_ACTOR, or `git config user.email`, to an e-mail address of owners.yaml")),
        }
    }

    /// Runs asynchronous work to its end; what it spawns runs on all cores.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> Outcome<T> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::io("start the runtime for", &self.directory, error))?;
        Ok(runtime.block_on(work))
    }
}

fn enter(directory: &Path) -> std::io::Result<PathBuf> {
    let directory = directory.canonicalize()?;
    if directory.is_dir() { Ok(directory) } else { Err(std::io::ErrorKind::NotADirectory.into()) }
}
