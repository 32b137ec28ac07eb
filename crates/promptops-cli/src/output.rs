//! How answers are shown: one file per format.

pub mod a_a_report;
pub mod csv;
pub mod eval_human;
pub mod eval_markdown;
pub mod eval_plan;
pub mod findings_markdown;
pub mod gate;
pub mod github;
pub mod human;
pub mod inventory;
pub mod json;
pub mod junit;
pub mod lineage;
pub mod markdown;
#[cfg(feature = "lake")]
pub mod query_table;
pub mod sarif;
#[cfg(feature = "lake")]
pub mod sparkline;
pub mod table;
pub mod visible;

/// The format of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FindingFormat {
    /// For people, with the source.
    #[default]
    Human,
    /// For programs; versioned.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for pipelines that show tests.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
    /// A table, for a pull request.
    Markdown,
}
