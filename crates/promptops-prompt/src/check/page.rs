//! The documentation of the checks, from their data: what `docs/reference/checks` holds.

use super::{CHECKS, Check, Example, ExampleFile, FoundBy, Place};

impl Check {
    /// Returns its page, in Markdown.
    pub fn page(&self) -> String {
        let mut page = format!("# {}\n\n{}\n\n", self.id, self.summary);
        page.push_str(&format!("Severity: {}.{}\n\n", self.severity.name(), self.limits()));
        if self.found_by == FoundBy::Eval {
            page.push_str("Found by `promptops eval`, before it calls a model.\n\n");
        }
        page.push_str(&format!("## Why\n\n{}\n\n", self.why));
        page.push_str(&format!("## What it finds\n\n{}", example(self.bad)));
        page.push_str(&format!("## What it lets pass\n\n{}", example(self.good)));
        page.push_str(&format!("## What to do\n\n{}\n", self.fix));
        page
    }

    /// Says what a project can change about it, and whether it is mended by itself.
    pub fn limits(&self) -> &'static str {
        match (self.is_firm, self.has_fix) {
            (true, true) => {
                " It can neither be lowered nor suppressed. `promptops check --fix` mends it where there is one way to."
            }
            (true, false) => " It can neither be lowered nor suppressed.",
            (false, true) => " `promptops check --fix` mends it where there is one way to.",
            (false, false) => "",
        }
    }
}

fn example(text: &'static str) -> String {
    Example::parse(text).files.iter().map(example_file).collect()
}

fn example_file(file: &ExampleFile) -> String {
    let path = file.path;
    match file.place {
        Place::Folder => format!("A folder named `{path}`.\n\n"),
        Place::Base => format!("`{path}` at the base:\n\n```yaml\n{}```\n\n", file.text),
        Place::Tree => format!("`{path}`:\n\n```{}\n{}```\n\n", path.rsplit('.').next().unwrap_or_default(), file.text),
    }
}

/// Returns the page that lists them all, in Markdown.
pub fn index_page() -> String {
    let mut page = "# Checks\n\n\
        What `promptops check` looks for, and `promptops eval` before it calls a model. Each check has a page with its reason,\n\
        an example, the example mended, and what to do; `promptops explain CHECK` shows the same. How severities are set, and how single findings are let pass, stands in\n\
        [the guide](../guides/checks.md).\n\n\
        | Check | Severity | What must hold | `--fix` |\n|---|---|---|---|\n"
        .to_owned();
    for check in CHECKS {
        let severity =
            if check.is_firm { format!("{} (fixed)", check.severity.name()) } else { check.severity.name().to_owned() };
        let mark = if check.has_fix { "yes" } else { "" };
        page.push_str(&format!("| [{0}](checks/{0}.md) | {severity} | {1} | {mark} |\n", check.id, check.summary));
    }
    page
}
