//! `Loader`, and the loader of the process that `loadPrompt` uses.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Result, Task};
use napi_derive::napi;
use promptops::{Destination, Settings, settings_from_env};

use crate::error::{Answer, Failure, answer};
use crate::prompt::Prompt;

/// The loader of `loadPrompt`: made on its first call or by `configure`. Worker threads share it.
static PROCESS: RwLock<Option<Arc<Opened>>> = RwLock::new(None);

/// A loader, and what it has warned of and JavaScript has not heard yet.
struct Opened {
    loader: promptops::Loader,
    warnings: Arc<Mutex<Vec<String>>>,
}

/// What is given from JavaScript instead of by the environment.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct Given {
    pub bundle: Option<String>,
    pub lock: Option<String>,
    pub registry: Option<String>,
    pub prompts: Option<String>,
    pub follow: Option<String>,
    pub refresh_seconds: Option<f64>,
    pub max_stale_seconds: Option<f64>,
    pub refuse_stale: Option<bool>,
    pub strict: Option<bool>,
    pub cache: Option<String>,
    pub environment: Option<String>,
    pub service: Option<String>,
    pub invocations: Option<String>,
    pub emf: Option<bool>,
    /// Checked by [`unknown_destination`].
    pub sink: Option<Vec<String>>,
    pub spill: Option<String>,
}

impl Given {
    fn open(self) -> std::result::Result<Arc<Opened>, promptops::Error> {
        let warnings = Arc::new(Mutex::new(Vec::new()));
        let settings = self.settings(&warnings);
        Ok(Arc::new(Opened { loader: promptops::Loader::from_settings(&settings)?, warnings }))
    }

    /// Puts what was given over what the environment says.
    fn settings(self, warnings: &Arc<Mutex<Vec<String>>>) -> Settings {
        let mut settings = settings_from_env();
        let heard = Arc::clone(warnings);
        settings.warn = Arc::new(move |warning| locked(&heard, |heard| heard.push(warning.to_string())));
        if self.bundle.is_some() || self.lock.is_some() || self.registry.is_some() || self.prompts.is_some() {
            settings.bundle = self.bundle.map(PathBuf::from);
            settings.lock = self.lock.map(PathBuf::from);
            settings.registry = self.registry;
            settings.folder = self.prompts.map(PathBuf::from);
            settings.follow = None;
        }
        // That they are spans of time was seen to in `lib/loader.js`.
        let seconds = |value: Option<f64>| value.and_then(|value| Duration::try_from_secs_f64(value).ok());
        settings.follow = self.follow.or(settings.follow);
        settings.refresh = seconds(self.refresh_seconds).unwrap_or(settings.refresh);
        settings.max_stale = seconds(self.max_stale_seconds).unwrap_or(settings.max_stale);
        settings.refuse_stale = self.refuse_stale.unwrap_or(settings.refuse_stale);
        settings.strict = self.strict.or(settings.strict);
        settings.cache_dir = self.cache.map(PathBuf::from).or(settings.cache_dir);
        settings.environment = self.environment.or(settings.environment);
        settings.service = self.service.or(settings.service);
        settings.invocations = self.invocations.map(PathBuf::from).or(settings.invocations);
        settings.emf = self.emf.unwrap_or(settings.emf);
        let destinations = self.sink.map(|sink| sink.iter().filter_map(|text| text.parse().ok()).collect());
        settings.destinations = destinations.unwrap_or(settings.destinations);
        settings.spill = self.spill.map(PathBuf::from).or(settings.spill);
        settings
    }
}

fn locked<T>(warnings: &Mutex<Vec<String>>, act: impl FnOnce(&mut Vec<String>) -> T) -> T {
    act(&mut warnings.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Looks at the loader of the process. The lock is held for no longer than that.
fn read_process<T>(look: impl FnOnce(&Arc<Opened>) -> T) -> Option<T> {
    PROCESS.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look)
}

fn replace_process(opened: Arc<Opened>) -> Arc<Opened> {
    *PROCESS.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&opened));
    opened
}

/// A source of prompts: one of its own, or whatever is that of the process at the time.
#[derive(Clone)]
enum Source {
    Own(Arc<Opened>),
    Process,
}

impl Source {
    /// Looks at the loader, if there is one yet.
    fn read<T>(&self, look: impl FnOnce(&Arc<Opened>) -> T) -> Option<T> {
        match self {
            Self::Own(opened) => Some(look(opened)),
            Self::Process => read_process(look),
        }
    }

    /// Loads what is not in memory. Blocks on disks and the network.
    fn load(&self, id: &str, asked: &Asked) -> std::result::Result<Arc<promptops::Prompt>, promptops::Error> {
        let opened = match self.read(Arc::clone) {
            Some(opened) => opened,
            None => replace_process(Given::default().open()?),
        };
        match (asked.version, &asked.key) {
            (None, Some(key)) => opened.loader.load_for(id, key),
            (version, _) => opened.loader.load(id, version),
        }
    }
}

/// What is asked for, beside the id.
struct Asked {
    version: Option<u32>,
    key: Option<String>,
}

#[napi]
pub struct Loader {
    source: Source,
}

#[napi]
impl Loader {
    /// Opens a source of its own.
    #[napi]
    pub fn open(given: Given) -> Answer<Loader> {
        answer(given.open().map(|opened| Self { source: Source::Own(opened) }))
    }

    /// Returns the one of the process, which `configure` sets.
    #[napi]
    pub fn of_process() -> Self {
        Self { source: Source::Process }
    }

    /// Sets the one of the process.
    #[napi]
    pub fn configure(given: Given) -> Option<Failure> {
        given.open().map(replace_process).err().map(Failure::from)
    }

    /// Returns the key of a prompt that was loaded before, if it is still current.
    #[napi]
    pub fn kept(&self, id: String, version: Option<u32>, key: Option<String>) -> Option<f64> {
        let prompt = self.source.read(|opened| match (version, &key) {
            (None, Some(key)) => opened.loader.kept_for(&id, key),
            (version, _) => opened.loader.kept(&id, version),
        })??;
        Some(Prompt::new(prompt).key())
    }

    #[napi]
    pub fn load(&self, id: String, version: Option<u32>, key: Option<String>) -> Answer<Prompt> {
        answer(self.source.load(&id, &Asked { version, key }).map(Prompt::new))
    }

    /// Loads on a thread of Node's pool.
    #[napi]
    pub fn load_async(&self, id: String, version: Option<u32>, key: Option<String>) -> AsyncTask<Load> {
        AsyncTask::new(Load { source: self.source.clone(), id, asked: Asked { version, key } })
    }

    /// Asks for the next release of a followed environment on a thread of Node's pool.
    #[napi]
    pub fn refresh(&self) -> AsyncTask<Refresh> {
        AsyncTask::new(Refresh { source: self.source.clone() })
    }

    #[napi(getter)]
    pub fn environment(&self) -> Option<String> {
        self.source.read(|opened| opened.loader.release())?.map(|release| release.environment)
    }

    #[napi(getter)]
    pub fn release(&self) -> Option<f64> {
        // Exact up to 2^53 releases.
        self.source.read(|opened| opened.loader.release())?.map(|release| release.sequence as f64)
    }

    /// Returns what was warned of since it was last asked.
    #[napi]
    pub fn take_warnings(&self) -> Vec<String> {
        self.source.read(|opened| locked(&opened.warnings, std::mem::take)).unwrap_or_default()
    }

    #[napi]
    pub fn flush(&self) {
        if let Some(opened) = self.source.read(Arc::clone) {
            opened.loader.flush();
        }
    }

    /// Flushes on a thread of Node's pool.
    #[napi]
    pub fn flush_async(&self) -> AsyncTask<Flush> {
        AsyncTask::new(Flush { source: self.source.clone() })
    }

    #[napi(getter)]
    pub fn dropped(&self) -> f64 {
        // Exact up to 2^53 lost records.
        self.source.read(|opened| opened.loader.dropped()).unwrap_or_default() as f64
    }
}

/// Says why the first text that names no place for invocations does not.
#[napi]
pub fn unknown_destination(sink: Vec<String>) -> Option<String> {
    sink.iter().find_map(|text| text.parse::<Destination>().err()).map(|unknown| unknown.to_string())
}

/// Has every loader of the process deliver what it holds; the process is about to end.
#[napi]
pub fn end() {
    promptops::end();
}

pub struct Refresh {
    source: Source,
}

impl Task for Refresh {
    type Output = std::result::Result<bool, promptops::Error>;
    type JsValue = Answer<bool>;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(match self.source.read(Arc::clone) {
            Some(opened) => opened.loader.refresh(),
            None => Ok(false),
        })
    }

    fn resolve(&mut self, _env: Env, refreshed: Self::Output) -> Result<Self::JsValue> {
        Ok(answer(refreshed))
    }
}

pub struct Flush {
    source: Source,
}

impl Task for Flush {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        if let Some(opened) = self.source.read(Arc::clone) {
            opened.loader.flush();
        }
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

pub struct Load {
    source: Source,
    id: String,
    asked: Asked,
}

impl Task for Load {
    type Output = std::result::Result<Arc<promptops::Prompt>, promptops::Error>;
    type JsValue = Answer<Prompt>;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(self.source.load(&self.id, &self.asked))
    }

    fn resolve(&mut self, _env: Env, loaded: Self::Output) -> Result<Self::JsValue> {
        Ok(answer(loaded.map(Prompt::new)))
    }
}
