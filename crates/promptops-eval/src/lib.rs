//! Datasets, model clients, scorers, record and replay, verdict.
//!
//! The data flows one way: an eval file becomes a [`spec::Spec`], its dataset a [`dataset::Dataset`], a version of a prompt
//! a [`subject::Subject`]. [`run::run`] asks a model once per case and repeat and lets every scorer judge the answer;
//! [`compare::compare`] pairs the run with that of the parent version, case by case, and gives each metric a verdict;
//! [`evaluate`] does it all for two versions; [`report::v1`] and [`evidence`] write down what was found.
//!
//! **Invariants.** This crate never calls the registry: it returns evidence. A verdict that the data does not carry is
//! *inconclusive*, never *pass*. Answers come from a [`client::ModelClient`] or from a [`recording::Recording`]; either way
//! the same report results, byte for byte.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod error;

pub mod spec;

pub mod dataset;
pub mod subject;

mod program;

pub mod client;
pub mod recording;

pub mod scorer;

pub mod run;

pub mod compare;
pub mod evaluate;
pub mod results;

pub mod report;

pub mod promptfoo;

pub mod evidence;

pub use error::EvalError;
pub use evaluate::{Evaluation, Prepared, Surroundings};
pub use spec::Spec;
pub use subject::Subject;
