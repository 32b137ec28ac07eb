//! The loader: one source, one cache, one place to record.

use std::collections::HashMap;
use std::io::stdout;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use promptops_prompt::id::NameError;
use promptops_prompt::{PromptId, Version};
use promptops_telemetry::sink::{EmfSink, JsonlSink, Sink};

use crate::call::Recorder;
use crate::environment::settings_from_env;
use crate::error::Error;
use crate::prompt::Prompt;
use crate::settings::Settings;
use crate::source::{FileStamp, Source};
use crate::warning::{Warning, Warnings};

/// CloudWatch namespace of the metrics.
const EMF_NAMESPACE: &str = "PromptOps";

/// Loads prompts from one source and keeps them.
///
/// Make one for the life of the process and share it: it is safe to use from any thread. A prompt is read, verified and
/// compiled on its first load; after that a load is a look-up. What a lock pins does not change while the loader lives. A
/// prompt from a folder of files is read again when its file, or that of an include, has changed.
///
/// Everything here blocks. The network is used only for a remote registry, and only for what is not in the cache on disk.
pub struct Loader {
    source: Source,
    kept: RwLock<HashMap<String, Vec<Kept>>>,
    recorder: Arc<Recorder>,
    warnings: Arc<Warnings>,
}

/// A prompt in the cache, under the version that was asked for.
struct Kept {
    asked: Option<u32>,
    prompt: Arc<Prompt>,
    files: Vec<FileStamp>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Loader").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Loader {
    /// Opens the source that `settings` name. Reads the lock or the bundle's index, and no prompt yet.
    ///
    /// # Errors
    /// [`Error::NoSource`] when none is set, [`Error::Setting`] when lock, bundle or registry URL cannot be used.
    pub fn from_settings(settings: &Settings) -> Result<Self, Error> {
        let warnings = Arc::new(Warnings::new(Arc::clone(&settings.warn)));
        let source = Source::open(settings)?;
        let recorder = Recorder {
            sinks: open_sinks(settings, &warnings),
            environment: settings.environment.clone().or_else(|| source.environment().map(str::to_owned)),
            service: settings.service.clone(),
            runtime: settings.runtime.clone(),
            clock: Arc::clone(&settings.clock),
            warnings: Arc::clone(&warnings),
            failures: AtomicU64::new(0),
        };
        Ok(Self { source, kept: RwLock::default(), recorder: Arc::new(recorder), warnings })
    }

    /// Opens the source that the environment names, see [`settings_from_env`].
    ///
    /// # Errors
    /// As [`Loader::from_settings`].
    pub fn from_env() -> Result<Self, Error> {
        Self::from_settings(&settings_from_env())
    }

    /// Loads a prompt: the pinned version, or the one that is named. [`Settings`] says which versions may load.
    ///
    /// # Errors
    /// See [`Error`]. A failure is not kept: the next call tries again.
    pub fn load(&self, id: &str, version: Option<u32>) -> Result<Arc<Prompt>, Error> {
        if let Some(prompt) = self.kept(id, version) {
            return Ok(prompt);
        }
        let prompt_id: PromptId = id.parse()?;
        let asked = match version {
            Some(number) => Some(Version::new(number).ok_or_else(|| NameError::Version(number.to_string()))?),
            None => None,
        };
        let loaded = self.source.load(&prompt_id, asked, &self.warnings)?;
        let files = loaded.files.clone();
        let prompt = Arc::new(Prompt::new(loaded, Arc::clone(&self.recorder))?);
        Ok(self.keep(id, Kept { asked: version, prompt, files }))
    }

    /// Returns a prompt that was loaded before, if it is still current. Never blocks on a disk or the network, except
    /// for looking at the time of the file when prompts come from a folder.
    pub fn kept(&self, id: &str, version: Option<u32>) -> Option<Arc<Prompt>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(id)?.iter().find(|kept| kept.asked == version)?;
        found.files.iter().all(FileStamp::is_current).then(|| Arc::clone(&found.prompt))
    }

    /// Keeps a prompt. Of several threads that loaded the same content, the first wins and all return its prompt.
    fn keep(&self, id: &str, new: Kept) -> Arc<Prompt> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let versions = kept.entry(id.to_owned()).or_default();
        let same = |old: &&mut Kept| old.asked == new.asked;
        let Some(old) = versions.iter_mut().find(same) else {
            // A version that was already loaded by its number is the same object when it is loaded by its pin.
            let known = versions.iter().find(|other| is_same(&other.prompt, &new.prompt)).map(|other| Arc::clone(&other.prompt));
            let prompt = known.unwrap_or_else(|| Arc::clone(&new.prompt));
            versions.push(Kept { prompt: Arc::clone(&prompt), ..new });
            return prompt;
        };
        if old.files == new.files && is_same(&old.prompt, &new.prompt) {
            return Arc::clone(&old.prompt);
        }
        let prompt = Arc::clone(&new.prompt);
        *old = new;
        prompt
    }

    /// Hands every record that was taken to the operating system.
    pub fn flush(&self) {
        for sink in &self.recorder.sinks {
            sink.flush();
        }
    }

    /// Returns how many invocations could not be recorded.
    pub fn dropped(&self) -> u64 {
        self.recorder.dropped()
    }
}

/// Says whether two prompts are the same in content and in what is said about it.
fn is_same(left: &Prompt, right: &Prompt) -> bool {
    left.prompt_id() == right.prompt_id()
        && left.prompt_version() == right.prompt_version()
        && left.digest() == right.digest()
        && left.parent() == right.parent()
        && left.metadata() == right.metadata()
}

/// Opens the sinks that `settings` name. One that cannot be opened is a warning: recording never breaks the caller.
fn open_sinks(settings: &Settings, warnings: &Warnings) -> Vec<Arc<dyn Sink>> {
    let mut sinks = settings.sinks.clone();
    if let Some(path) = &settings.invocations {
        let path = settings.base_dir.join(path);
        match JsonlSink::open(&path) {
            Ok(sink) => sinks.push(Arc::new(sink)),
            Err(error) => warnings.say(Warning::Sink { path, reason: error.to_string() }),
        }
    }
    if settings.emf {
        let clock = Arc::clone(&settings.clock);
        match EmfSink::new(stdout(), EMF_NAMESPACE, move || clock()) {
            Ok(sink) => sinks.push(Arc::new(sink)),
            Err(error) => warnings.say(Warning::Sink { path: Path::new("stdout").into(), reason: error.to_string() }),
        }
    }
    sinks
}
