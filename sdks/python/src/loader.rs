//! `Loader`, and the loader of the process that `load_prompt` uses.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use promptops::{Destination, Settings, settings_from_env_beside};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

use crate::error;
use crate::prompt::Prompt;

/// The loader of `load_prompt`: made on its first call or by `configure`.
static PROCESS: RwLock<Option<Arc<promptops::Loader>>> = RwLock::new(None);

#[pyclass(frozen, module = "promptops")]
pub(crate) struct Loader {
    loader: Arc<promptops::Loader>,
}

/// What is given from Python instead of by the environment.
#[derive(Default)]
struct Given {
    bundle: Option<PathBuf>,
    lock: Option<PathBuf>,
    registry: Option<String>,
    prompts: Option<PathBuf>,
    follow: Option<String>,
    refresh_seconds: Option<f64>,
    max_stale_seconds: Option<f64>,
    refuse_stale: Option<bool>,
    strict: Option<bool>,
    cache: Option<PathBuf>,
    environment: Option<String>,
    service: Option<String>,
    invocations: Option<PathBuf>,
    emf: Option<bool>,
    sink: Option<Vec<Destination>>,
    spill: Option<PathBuf>,
}

impl Given {
    fn open(self, py: Python<'_>) -> PyResult<promptops::Loader> {
        let settings = self.settings(own_folder(py).as_deref())?;
        if !settings.destinations.is_empty() {
            py.import("promptops._exit")?.call_method0("prepare")?;
        }
        py.detach(|| promptops::Loader::from_settings(&settings)).map_err(|error| error::to_python(py, &error))
    }

    /// Puts what was given over what the environment says.
    fn settings(self, own_folder: Option<&Path>) -> PyResult<Settings> {
        let mut settings = settings_from_env_beside(own_folder);
        settings.warn = Arc::new(error::warn);
        if self.bundle.is_some() || self.lock.is_some() || self.registry.is_some() || self.prompts.is_some() {
            settings.bundle = self.bundle;
            settings.lock = self.lock;
            settings.registry = self.registry;
            settings.folder = self.prompts;
            settings.follow = None;
        }
        settings.follow = self.follow.or(settings.follow);
        settings.refresh = seconds("refresh_seconds", self.refresh_seconds)?.unwrap_or(settings.refresh);
        settings.max_stale = seconds("max_stale_seconds", self.max_stale_seconds)?.unwrap_or(settings.max_stale);
        settings.refuse_stale = self.refuse_stale.unwrap_or(settings.refuse_stale);
        settings.strict = self.strict.or(settings.strict);
        settings.cache_dir = self.cache.or(settings.cache_dir);
        settings.environment = self.environment.or(settings.environment);
        settings.service = self.service.or(settings.service);
        settings.invocations = self.invocations.or(settings.invocations);
        settings.emf = self.emf.unwrap_or(settings.emf);
        settings.destinations = self.sink.unwrap_or(settings.destinations);
        settings.spill = self.spill.or(settings.spill);
        Ok(settings)
    }
}

/// Reads a span of time.
fn seconds(name: &str, value: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    let span = Duration::try_from_secs_f64(value);
    span.map(Some).map_err(|_| PyValueError::new_err(format!("`{name}` is a number of seconds, not {value}")))
}

/// Reads where invocations go: a text that lists it, or a list of texts.
fn destinations(sink: &Bound<'_, PyAny>) -> PyResult<Vec<Destination>> {
    let listed = match sink.cast::<PyString>() {
        Ok(text) => Destination::list(&text.to_cow()?),
        Err(_) => sink.extract::<Vec<String>>()?.iter().map(|text| text.parse()).collect(),
    };
    listed.map_err(|unknown| PyValueError::new_err(unknown.to_string()))
}

/// Reads the key of a rollout: a text, or a number that serves as one.
fn rollout_key(key: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = key.cast::<PyString>() {
        return Ok(text.to_cow()?.into_owned());
    }
    if key.cast::<PyInt>().is_ok() && key.cast::<PyBool>().is_err() {
        return Ok(key.str()?.to_cow()?.into_owned());
    }
    let kind = key.get_type();
    Err(PyTypeError::new_err(format!("the key of a rollout is a str or an int, not {}", kind.name()?)))
}

/// What is asked for, beside the id.
struct Asked {
    version: Option<u32>,
    key: Option<String>,
}

impl Asked {
    fn new(version: Option<u32>, key: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(Self { version, key: key.map(rollout_key).transpose()? })
    }

    fn kept(&self, loader: &promptops::Loader, id: &str) -> Option<Arc<promptops::Prompt>> {
        match (self.version, &self.key) {
            (None, Some(key)) => loader.kept_for(id, key),
            (version, _) => loader.kept(id, version),
        }
    }

    fn load(&self, loader: &promptops::Loader, id: &str) -> Result<Arc<promptops::Prompt>, promptops::Error> {
        match (self.version, &self.key) {
            (None, Some(key)) => loader.load_for(id, key),
            (version, _) => loader.load(id, version),
        }
    }
}

/// Returns the folder where this native part lies, beside which a bundle may have been packaged.
fn own_folder(py: Python<'_>) -> Option<PathBuf> {
    let file: PathBuf = py.import("promptops._promptops").ok()?.getattr("__file__").ok()?.extract().ok()?;
    file.parent().map(Path::to_owned)
}

#[pymethods]
impl Loader {
    #[new]
    #[pyo3(signature = (*, bundle=None, lock=None, registry=None, prompts=None, follow=None, refresh_seconds=None, max_stale_seconds=None, refuse_stale=None, strict=None, cache=None, environment=None, service=None, invocations=None, emf=None, sink=None, spill=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments")]
    fn new(
        py: Python<'_>,
        bundle: Option<PathBuf>,
        lock: Option<PathBuf>,
        registry: Option<String>,
        prompts: Option<PathBuf>,
        follow: Option<String>,
        refresh_seconds: Option<f64>,
        max_stale_seconds: Option<f64>,
        refuse_stale: Option<bool>,
        strict: Option<bool>,
        cache: Option<PathBuf>,
        environment: Option<String>,
        service: Option<String>,
        invocations: Option<PathBuf>,
        emf: Option<bool>,
        sink: Option<Bound<'_, PyAny>>,
        spill: Option<PathBuf>,
    ) -> PyResult<Self> {
        let given = Given {
            bundle,
            lock,
            registry,
            prompts,
            follow,
            refresh_seconds,
            max_stale_seconds,
            refuse_stale,
            strict,
            cache,
            environment,
            service,
            invocations,
            emf,
            sink: sink.as_ref().map(destinations).transpose()?,
            spill,
        };
        Ok(Self { loader: Arc::new(given.open(py)?) })
    }

    #[pyo3(signature = (id, version=None, *, key=None))]
    fn load_prompt(&self, py: Python<'_>, id: &str, version: Option<u32>, key: Option<&Bound<'_, PyAny>>) -> PyResult<Prompt> {
        let asked = Asked::new(version, key)?;
        match asked.kept(&self.loader, id) {
            Some(prompt) => Ok(Prompt::new(prompt)),
            None => load(py, &self.loader, id, &asked),
        }
    }

    fn refresh(&self, py: Python<'_>) -> PyResult<bool> {
        py.detach(|| self.loader.refresh()).map_err(|error| error::to_python(py, &error))
    }

    #[getter]
    fn environment(&self) -> Option<String> {
        self.loader.release().map(|release| release.environment)
    }

    #[getter]
    fn release(&self) -> Option<u64> {
        self.loader.release().map(|release| release.sequence)
    }

    /// Returns a coroutine, see `python/promptops/_asyncio.py`.
    #[pyo3(signature = (id, version=None, *, key=None))]
    fn load_prompt_async<'py>(
        slf: Bound<'py, Self>,
        id: &str,
        version: Option<u32>,
        key: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kept = Asked::new(version, key.as_ref())?.kept(&slf.get().loader, id).map(Prompt::new);
        load_later(&slf.getattr("load_prompt")?, kept, id, version, key)
    }

    fn flush(&self, py: Python<'_>) {
        py.detach(|| self.loader.flush());
    }

    #[getter]
    fn dropped(&self) -> u64 {
        self.loader.dropped()
    }
}

/// Loads what is not in memory, while other threads run.
fn load(py: Python<'_>, loader: &promptops::Loader, id: &str, asked: &Asked) -> PyResult<Prompt> {
    py.detach(|| asked.load(loader, id)).map(Prompt::new).map_err(|error| error::to_python(py, &error))
}

#[pyfunction]
#[pyo3(signature = (id, version=None, *, key=None))]
pub(crate) fn load_prompt(py: Python<'_>, id: &str, version: Option<u32>, key: Option<&Bound<'_, PyAny>>) -> PyResult<Prompt> {
    let asked = Asked::new(version, key)?;
    let kept = read_process(|loader| asked.kept(loader, id));
    if let Some(Some(prompt)) = kept {
        return Ok(Prompt::new(prompt));
    }
    let loader = match read_process(Arc::clone) {
        Some(loader) => loader,
        None => replace_process(Given::default().open(py)?),
    };
    load(py, &loader, id, &asked)
}

#[pyfunction]
#[pyo3(signature = (id, version=None, *, key=None))]
pub(crate) fn load_prompt_async<'py>(
    py: Python<'py>,
    id: &str,
    version: Option<u32>,
    key: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let asked = Asked::new(version, key.as_ref())?;
    let kept = read_process(|loader| asked.kept(loader, id)).flatten().map(Prompt::new);
    load_later(&py.import("promptops._promptops")?.getattr("load_prompt")?, kept, id, version, key)
}

/// Returns a coroutine of `kept`, or of what `load` gives on another thread.
fn load_later<'py>(
    load: &Bound<'py, PyAny>,
    kept: Option<Prompt>,
    id: &str,
    version: Option<u32>,
    key: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    load.py().import("promptops._asyncio")?.call_method1("loaded", (load, kept, id, version, key))
}

/// Looks at the loader of the process. The lock is held for no longer than that, and never while Python code runs.
fn read_process<T>(look: impl FnOnce(&Arc<promptops::Loader>) -> T) -> Option<T> {
    PROCESS.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look)
}

fn replace_process(loader: promptops::Loader) -> Arc<promptops::Loader> {
    let loader = Arc::new(loader);
    *PROCESS.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&loader));
    loader
}

#[pyfunction]
#[pyo3(signature = (*, bundle=None, lock=None, registry=None, prompts=None, follow=None, refresh_seconds=None, max_stale_seconds=None, refuse_stale=None, strict=None, cache=None, environment=None, service=None, invocations=None, emf=None, sink=None, spill=None))]
#[expect(clippy::too_many_arguments, reason = "they are keyword arguments")]
pub(crate) fn configure(
    py: Python<'_>,
    bundle: Option<PathBuf>,
    lock: Option<PathBuf>,
    registry: Option<String>,
    prompts: Option<PathBuf>,
    follow: Option<String>,
    refresh_seconds: Option<f64>,
    max_stale_seconds: Option<f64>,
    refuse_stale: Option<bool>,
    strict: Option<bool>,
    cache: Option<PathBuf>,
    environment: Option<String>,
    service: Option<String>,
    invocations: Option<PathBuf>,
    emf: Option<bool>,
    sink: Option<Bound<'_, PyAny>>,
    spill: Option<PathBuf>,
) -> PyResult<()> {
    let given = Given {
        bundle,
        lock,
        registry,
        prompts,
        follow,
        refresh_seconds,
        max_stale_seconds,
        refuse_stale,
        strict,
        cache,
        environment,
        service,
        invocations,
        emf,
        sink: sink.as_ref().map(destinations).transpose()?,
        spill,
    };
    replace_process(given.open(py)?);
    Ok(())
}

#[pyfunction]
pub(crate) fn refresh(py: Python<'_>) -> PyResult<bool> {
    match read_process(Arc::clone) {
        Some(loader) => py.detach(|| loader.refresh()).map_err(|error| error::to_python(py, &error)),
        None => Ok(false),
    }
}

#[pyfunction]
pub(crate) fn flush(py: Python<'_>) {
    if let Some(loader) = read_process(Arc::clone) {
        py.detach(|| loader.flush());
    }
}

#[pyfunction]
pub(crate) fn dropped() -> u64 {
    read_process(|loader| loader.dropped()).unwrap_or_default()
}

/// Has every loader deliver what it holds, see `python/promptops/_exit.py`.
#[pyfunction]
pub(crate) fn end(py: Python<'_>) {
    py.detach(promptops::end);
}
