//! The prompt asset: parse with spans, check, render, digest, classify a change.
//!
//! Pure: no I/O, no clock, no randomness, no environment. The data flows one way:
//! YAML text → [`draft::Draft`] (spans, findings) → [`prompt::Prompt`] → [`content::Content`] (canonical JSON, digest) →
//! [`render::Renderer`] (messages for a model).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod audit;
pub mod baseline;
pub mod change;
pub mod check;
pub mod compatibility;
pub mod content;
pub mod digest;
pub mod draft;
pub mod evidence;
pub mod finding;
pub mod id;
pub mod lock;
pub mod merkle;
pub mod owners;
pub mod prompt;
pub mod render;
pub mod rollout;
pub mod schema;
mod schema_change;
pub mod status;
pub mod suppression;
pub mod template;
pub mod template_value;
pub mod yaml;

pub use content::{Closure, Content};
pub use digest::Digest;
pub use finding::{Finding, Severity};
pub use id::{PromptId, PromptRef, Version};
pub use lock::Lock;
pub use prompt::{Body, Message, Metadata, Prompt, Role};
pub use render::{RenderError, Rendered, Renderer};
