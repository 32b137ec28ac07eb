//! Where output goes: stdout is the answer, stderr everything else; colour only where it is seen.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::failure::Failure;
use crate::output::visible::visible;

/// Writes answers, notices and failures.
#[derive(Debug, Clone)]
pub struct Printer {
    stdout_is_coloured: bool,
    stderr_is_coloured: bool,
    is_quiet: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Bold.
pub const BOLD: Style = Style::new().bold();
/// What is well.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// What is wrong.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// What is doubtful.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// What is secondary.
pub const DIM: Style = Style::new().dimmed();

impl Printer {
    /// Returns a printer without colour, for failures before the settings are known.
    pub fn plain() -> Self {
        Self { stdout_is_coloured: false, stderr_is_coloured: false, is_quiet: false }
    }

    /// Returns the printer for these settings.
    pub fn new(choice: ColorChoice, no_color: bool, is_quiet: bool) -> Self {
        let decide = |is_terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !no_color,
        };
        Self {
            stdout_is_coloured: decide(std::io::stdout().is_terminal()),
            stderr_is_coloured: decide(std::io::stderr().is_terminal()),
            is_quiet,
        }
    }

    /// Tells whether stdout takes colour.
    pub fn stdout_is_coloured(&self) -> bool {
        self.stdout_is_coloured
    }

    /// Tells whether progress may be drawn on stderr.
    pub fn shows_progress(&self) -> bool {
        !self.is_quiet && std::io::stderr().is_terminal()
    }

    /// Writes `text` in `style` for stdout, or plain where colour is off.
    pub fn paint(&self, style: Style, text: &str) -> String {
        paint(self.stdout_is_coloured, style, text)
    }

    /// Writes a line of the answer.
    pub fn line(&self, text: impl AsRef<str>) {
        self.answer(&format!("{}\n", text.as_ref()));
    }

    /// Writes a part of the answer as it is.
    ///
    /// A reader that went away, as `head` does, is no failure: the rest is dropped and the run goes on, so that its exit code
    /// is the same whether or not somebody read to the end. An answer that a full disk cut off ends the run.
    pub fn answer(&self, text: &str) {
        self.answer_to_reader(text);
    }

    /// Writes a part of an answer that has no end of its own, as [`Printer::answer`] does; returns whether somebody reads.
    pub fn answer_to_reader(&self, text: &str) -> bool {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let failure = Failure::io("write the answer to", Path::new("stdout"), error);
                let _ = self.failure(&failure);
                std::process::exit(failure.exit.code().into());
            }
            written => written.is_ok(),
        }
    }

    /// Says something that is not the answer; silent with `--quiet`.
    pub fn notice(&self, text: impl AsRef<str>) {
        if !self.is_quiet {
            self.say(&visible(text.as_ref()));
        }
    }

    /// Says what may be wrong, also with `--quiet`.
    pub fn warning(&self, text: impl AsRef<str>) {
        self.say(&format!("{} {}", paint(self.stderr_is_coloured, YELLOW, "warning:"), visible(text.as_ref())));
    }

    /// Tells whether stderr takes colour.
    pub fn stderr_is_coloured(&self) -> bool {
        self.stderr_is_coloured
    }

    /// Shows a finding beside the answer, with an empty line after it.
    pub fn finding(&self, text: &str) {
        self.say(&format!("{}\n", text.trim_end()));
    }

    /// Says why the run failed and returns its exit code.
    pub fn failure(&self, failure: &Failure) -> ExitCode {
        let mut text = format!("{} {}", paint(self.stderr_is_coloured, RED, "error:"), visible(&failure.error.to_string()));
        let mut last = failure.error.to_string();
        for cause in failure.error.chain().skip(1) {
            let cause = cause.to_string();
            if !last.contains(&cause) {
                text.push_str(&format!("\n  cause: {}", visible(&cause)));
            }
            last = cause;
        }
        if let Some(hint) = &failure.hint {
            text.push_str(&format!("\n{} {}", paint(self.stderr_is_coloured, BOLD, "hint:"), visible(hint)));
        }
        self.say(&text);
        failure.exit.into()
    }

    fn say(&self, text: &str) {
        // Nobody can be told when stderr itself is gone.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

fn paint(is_coloured: bool, style: Style, text: &str) -> String {
    if is_coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
