//! Dashboards, alarms and rules of other tools, made from the prompts that exist. Pure: commands read the prompts and write the files.

pub mod cloudwatch;
pub mod grafana;
mod limits;
pub mod prometheus;

pub use limits::{LimitArguments, Limits, say_missing};
