//! What the demo looks like: meaning without colour, and colour where people look.

use std::path::Path;
use std::time::Duration;

use super::script::Step;
use crate::step::{seconds, wants_colour};

const BOLD: &str = "\x1b[1m";
const CYAN: &str = "\x1b[36m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

pub(super) struct Screen {
    colour: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { colour: wants_colour() }
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour { format!("{style}{text}{RESET}") } else { text.to_owned() }
    }

    pub(super) fn title(&self, number: usize, of: usize, step: &Step) {
        println!();
        println!("{}", self.paint(BOLD, &format!("── {number}/{of} · {} ──", step.title)));
        if !step.why.is_empty() {
            println!("{}", self.paint(DIM, step.why));
        }
    }

    /// Shows a line as typed: the first line behind the prompt, further ones below it.
    pub(super) fn command(&self, line: &str) {
        println!("{}", self.paint(CYAN, &format!("$ {}", line.replace('\n', "\n  "))));
    }

    pub(super) fn output(&self, line: &str) {
        println!("{line}");
    }

    pub(super) fn file(&self, path: &str, text: &str) {
        println!("{}", self.paint(CYAN, &format!("# {path}")));
        for line in text.lines() {
            println!("{}", self.paint(DIM, &format!("  {line}")));
        }
    }

    pub(super) fn refused(&self, code: i32) {
        println!("{}", self.paint(RED, &format!("refused, exit code {code}: as it should be")));
    }

    pub(super) fn took(&self, duration: Duration) {
        println!("{}", self.paint(DIM, &format!("   ({})", seconds(duration))));
    }

    pub(super) fn broke(&self, error: &anyhow::Error, folder: &Path) {
        println!("{}", self.paint(RED, &format!("the demo stops here: {error:#}")));
        println!("what it made so far is in {}", folder.display());
    }

    pub(super) fn closing(&self, duration: Duration, folder: &Path) {
        println!();
        println!("All of it is in {} to look around in.", folder.display());
        println!("{}", self.paint(GREEN, &format!("demo finished in {}", seconds(duration))));
    }
}
