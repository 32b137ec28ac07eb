//! An OpenAI-compatible endpoint that classifies from what the prompt says, without a network.
//!
//! This is not a language model and never claims to be one: every reply names an `offline-…` model and an
//! `offline-classifier-…` fingerprint. It is not a mock either. Nothing about any domain is built in: it reads the
//! rendered messages, finds the labels, their definitions, the few-shot examples, the rules that decide between them
//! and the form demanded of the answer, and scores the user's text against that evidence. Taking a definition out of a
//! prompt, stating a tie-break rule or forgetting to demand a bare label therefore changes its answers. Prompts that
//! offer no labels get an extractive summary, a reply built from the prompt's own facts, or the JSON fields asked for.
//!
//! **Guarantees.** At temperature 0 an answer depends on nothing but the request and the model. Above 0 it is a softmax
//! draw decided by `seed`, or by a hash of the request without one. No state is kept between requests, except the count
//! behind [`Settings::requests_before_limit`].
//!
//! **Models.** [`MODELS`] documents how they differ: `offline-small-2026-01` ignores examples, word pairs and typing
//! mistakes; `offline-large-2026-01` uses all of them; `offline-large-2026-07` weighs examples more and definitions less
//! and obeys a mildly worded format to the letter, where the others need "only".
//!
//! **Tokens.** A token is up to six letters or digits of one word, or one other character that is not white space; a
//! message costs four more. `max_tokens` cuts between tokens.
//!
//! ```
//! use promptops_offline_model::{OfflineModel, Request};
//! let request = Request::from_slice(br#"{"model": "offline-large-2026-01", "messages": [
//!     {"role": "system", "content": "Answer with one of: billing, technical.\n- billing: invoices\n- technical: crashes\nOnly the label."},
//!     {"role": "user", "content": "the app crashed again"}]}"#)?;
//! let response = OfflineModel::new().complete(&request)?;
//! assert_eq!(response.choices[0].message.content, "technical");
//! # Ok::<(), promptops_offline_model::ApiError>(())
//! ```

mod answer;
mod api_error;
mod extraction;
mod model;
mod offline_model;
mod prompt_reading;
mod request;
mod sampling;
mod scoring;
mod server;
mod tokens;
pub mod v1;
mod words;
mod writing;

pub use api_error::ApiError;
pub use model::{Abilities, MODELS, abilities};
pub use offline_model::{FINGERPRINT, OfflineModel};
pub use request::{Message, Request, ResponseFormat, Role};
pub use server::{ServeError, Settings, serve};
