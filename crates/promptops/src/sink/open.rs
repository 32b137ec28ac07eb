//! Opens the sinks that settings name.

use std::path::Path;
use std::sync::Arc;

use promptops_store::StoreOptions;
use promptops_telemetry::sink::{BatchLimits, BatchedSink, Carrier, EmfSink, JsonlSink, Sink, Spool, SpoolCarrier, SpoolLimits};

use super::otlp::OtlpCarrier;
use super::otlp_settings::OtlpSettings;
use super::retry::{Tell, Told};
use super::server::ServerCarrier;
use crate::destination::Destination;
use crate::process_sink::ProcessSink;
use crate::settings::Settings;
use crate::standard_output::StandardOutput;
use crate::warning::{Warning, Warnings};

/// CloudWatch namespace of the metrics.
const EMF_NAMESPACE: &str = "PromptOps";

/// Opens every sink that `settings` name. One that cannot be opened is a warning: recording never breaks the caller.
pub(crate) fn open_sinks(settings: &Settings, warnings: &Arc<Warnings>) -> Vec<Arc<dyn Sink>> {
    let mut sinks = settings.sinks.clone();
    for destination in destinations(settings) {
        let sink = destination.to_string();
        let tell = tell(sink.clone(), Arc::clone(warnings));
        let opener = Opener::new(settings, destination, tell);
        match opener.open() {
            Ok(opened) => sinks.push(Arc::new(ProcessSink::new(opened, Box::new(move || opener.open().ok())))),
            Err(reason) => warnings.say(Warning::Sink { sink, reason }),
        }
    }
    sinks
}

/// Lists where records go, each place once, whichever setting names it.
fn destinations(settings: &Settings) -> Vec<Destination> {
    let mut all: Vec<Destination> = settings.invocations.clone().map(Destination::File).into_iter().collect();
    all.extend(settings.emf.then_some(Destination::Emf));
    for destination in &settings.destinations {
        if !all.contains(destination) {
            all.push(destination.clone());
        }
    }
    all
}

/// Has what a sink has to say become a warning, once for each outage.
fn tell(sink: String, warnings: Arc<Warnings>) -> Tell {
    Arc::new(move |told| match told {
        Told::Failing(reason) => warnings.say(Warning::Sink { sink: sink.clone(), reason }),
        Told::Recovered => {
            warnings.forget(|warning| matches!(warning, Warning::Sink { sink: said, .. } if *said == sink));
        }
    })
}

/// All that is needed to open one sink, also once more in the child of a fork.
struct Opener {
    settings: Settings,
    destination: Destination,
    tell: Tell,
}

impl Opener {
    fn new(settings: &Settings, destination: Destination, tell: Tell) -> Self {
        // The sinks that were given are none of this one's.
        Self { settings: Settings { sinks: Vec::new(), ..settings.clone() }, destination, tell }
    }

    fn open(&self) -> Result<Arc<dyn Sink>, String> {
        let (settings, clock) = (&self.settings, Arc::clone(&self.settings.clock));
        match &self.destination {
            Destination::Emf => {
                let sink = EmfSink::new(StandardOutput::default(), EMF_NAMESPACE, move || clock());
                Ok(Arc::new(sink.map_err(|error| error.to_string())?))
            }
            Destination::File(path) => {
                let sink = JsonlSink::open(&settings.base_dir.join(path));
                Ok(Arc::new(sink.map_err(|error| error.to_string())?))
            }
            Destination::Spool(folder) => {
                let spool = self.spool(folder)?;
                let interval = std::time::Duration::from_millis(200);
                Ok(self.batched(Box::new(SpoolCarrier(spool)), BatchLimits { interval, ..BatchLimits::default() }))
            }
            Destination::Server(url) => {
                let spool = settings.spill.as_deref().map(|folder| self.spool(folder)).transpose()?;
                let carrier = ServerCarrier::new(url.clone(), self.options(), spool, Arc::clone(&self.tell));
                Ok(self.batched(Box::new(carrier), BatchLimits::default()))
            }
            Destination::Otlp(address) => {
                let otlp = OtlpSettings::read(&settings.otel_settings, address.as_ref())?;
                let carrier = OtlpCarrier::new(otlp, self.options(), clock, &self.tell);
                Ok(self.batched(Box::new(carrier), BatchLimits::default()))
            }
        }
    }

    fn spool(&self, folder: &Path) -> Result<Spool, String> {
        let clock = Arc::clone(&self.settings.clock);
        let limits = SpoolLimits { total_bytes: self.settings.spool_bytes, ..SpoolLimits::default() };
        Spool::open(&self.settings.base_dir.join(folder), limits, move || clock()).map_err(|error| error.to_string())
    }

    fn options(&self) -> StoreOptions {
        StoreOptions { base_dir: self.settings.base_dir.clone(), settings: self.settings.store_settings.clone() }
    }

    fn batched(&self, carrier: Box<dyn Carrier>, limits: BatchLimits) -> Arc<dyn Sink> {
        Arc::new(BatchedSink::new(carrier, BatchLimits { flush: self.settings.flush_limit, ..limits }))
    }
}
