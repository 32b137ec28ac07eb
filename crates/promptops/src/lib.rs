//! The loader SDK: resolve, verify, render, record.
//!
//! ```no_run
//! # fn main() -> Result<(), promptops::Error> {
//! let loader = promptops::Loader::from_env()?;
//! let prompt = loader.load("customer-support.intent-classifier", None)?; // the version that the lock pins
//! println!("{} {} belongs to {}", prompt.id(), prompt.version(), prompt.owner());
//! # Ok(())
//! # }
//! ```
//!
//! A [`Loader`] takes prompts from one source: a bundle, a registry pinned by a lock, or, while developing, a folder of
//! files; [`Settings`] says which, and [`settings_from_env`] takes that from the environment. What a lock pins is
//! verified byte by byte before it is used. A [`Prompt`] renders to messages; a [`Call`] measures one call of a model and
//! records it.
//!
//! **Invariants.** No version loads that nothing pins, except where that is allowed and said aloud. Loading does not
//! touch the network when a bundle or the cache can serve. Recording never fails, whatever the sinks do. The environment
//! of the process is read in one place, [`settings_from_env`].

mod call;
mod destination;
mod disk_cache;
mod end;
mod environment;
mod error;
mod error_type;
mod follow;
mod kept;
mod last_good;
mod loader;
mod process_sink;
mod prompt;
mod release_record;
mod reply;
mod settings;
mod shared_call;
mod sink;
mod source;
mod standard_output;
mod version_record;
mod warning;

pub use call::Call;
pub use destination::{Destination, OtlpAddress, UnknownDestination};
pub use end::end;
pub use environment::{settings_from_env, settings_from_env_beside};
pub use error::Error;
pub use error_type::error_type;
pub use loader::{Loader, Release};
pub use prompt::Prompt;
pub use promptops_prompt::render::{Rendering, Seen, View};
pub use promptops_prompt::rollout::Arm;
pub use promptops_prompt::template_value::{Mappings, Pairs, TemplateValue};
pub use promptops_prompt::{Body, Digest, Message, Metadata, RenderError, Rendered, Role};
pub use promptops_telemetry::sink::Sink;
pub use promptops_telemetry::{Invocation, Status};
pub use reply::{Reply, ReplyStream, StreamEvent};
pub use settings::{Clock, Settings};
pub use shared_call::SharedCall;
pub use standard_output::remember_standard_output;
pub use warning::{Warn, Warning};
