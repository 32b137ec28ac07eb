//! Configurations of promptfoo: the part of the format that is data, as prompts, eval files and datasets.
//!
//! [`read`] takes a configuration with the files that it names and gives a [`Suite`], or findings with their places. Everything
//! that promptfoo would run, and everything that would come to another result here, is a finding: nothing is left out in
//! silence. [`Suite::write`] turns a suite into the files of a project, which then run like any other eval.
//!
//! **One prompt of ours is one prompt of theirs with one provider**, because the model is part of a prompt's content. **A case
//! of ours is a test of theirs with one choice of variables**: what is expected differs from case to case there, so it goes into
//! a column of the dataset, which the scorer `per-case` reads. **A model that judges by rubrics is a prompt of ours**, which the rows
//! name; the rubric is its `reference`.
//!
//! The format was read from promptfoo 0.123.1; `tests/promptfoo` holds its own results beside configurations.

mod asserts;
mod cases;
mod config;
mod csv_tests;
mod prompts;
mod providers;
mod reader;
mod regex_dialect;
mod render;
mod rubric;
mod suite;
mod template;
mod write;

pub use config::{Read, read};
pub use reader::Files;
pub use suite::Suite;
pub use write::{Imported, ImportedJudge, ImportedPrompt, Target};

/// The check id of every finding in a configuration.
pub const CHECK: &str = "promptfoo";
