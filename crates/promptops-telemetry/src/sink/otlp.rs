//! Records as OpenTelemetry sends them: spans, and the histograms of the GenAI conventions. What carries them is the SDK's matter.
//!
//! Names: `spec/invocation.md`. What the conventions have no name for is `promptops.` and the member of the record, so that a
//! record that comes back from a collector, to `promptops serve --record`, is whole; by `promptops.invocation_id` it counts once.

mod attribute;
mod histogram;
mod span;

pub use histogram::{Histograms, Temporality};
pub use span::export_spans;

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::record::Invocation;
use attribute::text;

/// Version of OpenTelemetry's conventions that the names are of.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.1";

/// Whose names are written where the conventions have changed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Generation {
    /// Those of semantic-conventions v1.41.1.
    #[default]
    Released,
    /// Those of semantic-conventions-genai, which replace them.
    Latest,
}

/// What is said about the process that sends.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// Further attributes of the resource, as `OTEL_RESOURCE_ATTRIBUTES` names them. Those of the record count before them.
    pub resource: Vec<(String, String)>,
    /// Whose names are written.
    pub generation: Generation,
}

/// What records of one resource share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
struct Origin {
    service: Option<String>,
    environment: Option<String>,
}

impl Origin {
    fn of(record: &Invocation) -> Self {
        Self { service: record.service.clone(), environment: record.environment.clone() }
    }

    fn resource(&self, sender: &Sender) -> Resource {
        let known = [
            ("service.name", self.service.as_deref()),
            ("deployment.environment.name", self.environment.as_deref()),
            ("telemetry.sdk.name", Some("promptops")),
            ("telemetry.sdk.language", Some("rust")),
            ("telemetry.sdk.version", Some(env!("CARGO_PKG_VERSION"))),
        ];
        let known: Vec<KeyValue> = known.into_iter().filter_map(|(name, value)| Some(text(name, value?))).collect();
        let further = sender.resource.iter().filter(|(name, _)| known.iter().all(|attribute| attribute.key != *name));
        let mut attributes: Vec<KeyValue> = further.map(|(name, value)| text(name, value)).collect();
        attributes.splice(0..0, known);
        if !attributes.iter().any(|attribute| attribute.key == "service.name") {
            // The conventions want one from everybody.
            attributes.push(text("service.name", "unknown_service:promptops"));
        }
        Resource { attributes, ..Resource::default() }
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "promptops".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}
