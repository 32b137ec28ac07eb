//! A suite as the files of a project.

use std::fmt::Write as _;

use promptops_prompt::{Body, Content, PromptId, Role, yaml};
use serde_json::{Map, Value};

use super::rubric;
use super::suite::{Suite, SuiteEval, SuitePrompt};

/// Where a suite goes, and what promptfoo does not say.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The first part of every prompt's id.
    pub namespace: &'a PromptId,
    /// Who owns the prompts.
    pub owner: &'a str,
    /// How much worse a later version may be, of every metric.
    pub margin: f64,
    /// The folder of prompts, from the root of the project.
    pub prompts_folder: &'a str,
}

/// The files of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Every file: its path from the root of the project, and its text.
    pub files: Vec<(String, String)>,
    /// The prompts that are evaluated.
    pub prompts: Vec<ImportedPrompt>,
    /// The prompts that judge.
    pub judges: Vec<ImportedJudge>,
}

/// A prompt that judges answers by rubrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedJudge {
    /// Its id; its version is the first.
    pub id: PromptId,
    /// The provider, as the configuration names it.
    pub provider: String,
}

/// A prompt and how it is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedPrompt {
    /// Its id; its version is the first.
    pub id: PromptId,
    /// The provider, as the configuration names it.
    pub provider: String,
    /// Its eval files, from the root of the project.
    pub evals: Vec<String>,
    /// How many cases they have.
    pub cases: usize,
}

/// What a judge is for; promptfoo does not say.
const JUDGE_PURPOSE: &str = "Judges whether an answer is as a rubric says";

impl Suite {
    /// Returns the files that this suite becomes.
    ///
    /// # Errors
    /// A message when a name makes no id.
    pub fn write(&self, target: &Target<'_>) -> Result<Imported, String> {
        let mut imported = Imported { files: Vec::new(), prompts: Vec::new(), judges: Vec::new() };
        for judge in &self.judges {
            let id = id(target, &judge.slug)?;
            imported.files.push(prompt_file(target, &id, &judge.content, Some(JUDGE_PURPOSE), &[]));
            imported.judges.push(ImportedJudge { id, provider: judge.provider.clone() });
        }
        for prompt in &self.prompts {
            let id = id(target, &prompt.slug)?;
            let evals = prompt.evals.iter().map(|eval| eval_files(target, &id, prompt, eval));
            let (paths, files): (Vec<String>, Vec<Vec<(String, String)>>) = evals.unzip();
            imported.files.push(prompt_file(target, &id, &prompt.content, self.description.as_deref(), &paths));
            imported.files.extend(files.into_iter().flatten());
            let cases = prompt.evals.iter().map(|eval| eval.rows.len()).sum();
            imported.prompts.push(ImportedPrompt { id, provider: prompt.provider.clone(), evals: paths, cases });
        }
        Ok(imported)
    }
}

fn id(target: &Target<'_>, slug: &str) -> Result<PromptId, String> {
    format!("{}.{slug}", target.namespace).parse().map_err(|error| format!("`{slug}` makes no id: {error}"))
}

fn prompt_file(
    target: &Target<'_>,
    id: &PromptId,
    content: &Content,
    purpose: Option<&str>,
    evals: &[String],
) -> (String, String) {
    let mut text = format!("id: {id}\nversion: 1\nowner: {}\n", scalar(target.owner));
    if let Some(purpose) = purpose.filter(|purpose| !purpose.trim().is_empty()) {
        let _ = writeln!(text, "purpose: {}", scalar(purpose.trim()));
    }
    let _ = writeln!(text, "model: {}", scalar(&content.model));
    if !content.parameters.is_empty() {
        let _ = writeln!(text, "parameters: {}", Value::Object(content.parameters.clone()));
    }
    text.push_str("tags: [imported-from-promptfoo]\n");
    if !content.inputs.is_empty() {
        text.push_str("inputs:\n");
        for (name, schema) in &content.inputs {
            let _ = writeln!(text, "  {}: {schema}", scalar(name));
        }
    }
    if let Some(output) = &content.output {
        let _ = writeln!(text, "output: {output}");
    }
    if let Some(tools) = &content.tools {
        let _ = writeln!(text, "tools: {tools}");
    }
    match &content.body {
        Body::Template(template) => {
            let _ = writeln!(text, "template: {}", block(template, 2));
        }
        Body::Messages(messages) => {
            text.push_str("messages:\n");
            for message in messages {
                let _ = writeln!(text, "  - role: {}\n    content: {}", role(message.role), block(&message.content, 6));
            }
        }
    }
    if !evals.is_empty() {
        let _ = writeln!(text, "evals: [{}]", evals.join(", "));
    }
    (format!("{}/{}.yaml", target.prompts_folder, id.as_str().replace('.', "/")), text)
}

fn role(role: Role) -> &'static str {
    role.name()
}

/// Returns the path of the eval file, and it with its dataset.
fn eval_files(target: &Target<'_>, id: &PromptId, prompt: &SuitePrompt, eval: &SuiteEval) -> (String, Vec<(String, String)>) {
    let folder = target.namespace.as_str().replace('.', "/");
    let mut name = prompt.slug.clone();
    if prompt.evals.len() > 1 {
        let _ = write!(name, "-repeat-{}", eval.repeats);
    }
    let (path, dataset) = (format!("evals/{folder}/{name}.yaml"), format!("evals/{folder}/{name}.jsonl"));
    let judges: Vec<String> = eval.judges.iter().map(|slug| format!("{}.{slug}@1", target.namespace)).collect();
    let judges = if judges.is_empty() { String::new() } else { format!(", judges: [{}]", judges.join(", ")) };
    let (case, asserts) = (scalar(&eval.columns.case), scalar(&eval.columns.asserts));
    let must_pass = scalar(&eval.columns.must_pass);
    // Unless the configuration has a metric of this name itself.
    let passes = if eval.metrics.contains("passes") { "all-pass" } else { "passes" };
    let mut text = format!("prompt: {id}\ndataset: {name}.jsonl\ncase: {case}\nrepeats: {}\n", eval.repeats);
    let _ = write!(
        text,
        "# promptfoo asks for every case to pass.\nmust_pass: {must_pass}\nmetrics:\n  \
         # What is expected differs from case to case, so it stands in the column `{asserts}`.\n  \
         - name: {passes}\n    scorer: {{type: per-case, column: {asserts}{judges}}}\n    minimum: 1\n    margin: {}\n",
        target.margin
    );
    for metric in &eval.metrics {
        let name = scalar(metric);
        let _ = write!(
            text,
            "  - name: {name}\n    scorer: {{type: per-case, column: {asserts}, metric: {name}{judges}}}\n    minimum: 0\n    margin: {}\n",
            target.margin
        );
    }
    let row = |row: &Map<String, Value>| {
        let mut row = row.clone();
        if let Some(asserts) = row.get_mut(&eval.columns.asserts) {
            rubric::in_namespace(asserts, target.namespace.as_str());
        }
        serde_json::to_string(&row).unwrap_or_default() + "\n"
    };
    let rows: String = eval.rows.iter().map(row).collect();
    (path.clone(), vec![(path, text), (dataset, rows)])
}

/// Writes a text as a scalar: as it stands where YAML reads it so, else in quotes.
fn scalar(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.chars().all(|character| character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '/' | ' '))
        && text.trim() == text
        && !text.starts_with('-');
    let reads_back = || yaml::parse(text).0.is_some_and(|node| node.as_text() == Some(text));
    if is_plain && reads_back() { text.to_owned() } else { Value::from(text).to_string() }
}

/// Writes a text as a literal block where YAML can hold it so, else in quotes.
fn block(text: &str, indent: usize) -> String {
    let is_printable = text.chars().all(|character| character == '\n' || !(character.is_control() || character == '\u{feff}'));
    let is_simple = !text.contains('\n') && text.len() <= 80;
    if !is_printable || text.trim().is_empty() || text.starts_with([' ', '\n']) || is_simple {
        return scalar(text);
    }
    let body = text.trim_end_matches('\n');
    let chomping = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let mut block = format!("|{chomping}");
    for line in text[..body.len()].split('\n').chain((1..text.len() - body.len()).map(|_| "")) {
        block.push('\n');
        if !line.is_empty() {
            block.push_str(&" ".repeat(indent));
            block.push_str(line);
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back_as_they_were() {
        let texts = [
            "one line",
            "two\nlines",
            "ends in one\nline\n",
            "ends in three\n\n\n",
            " starts with a space\nand more",
            "a\n\n  indented: {{ x }}\n# no comment\nb",
            "tab\tinside\nx",
            "\r\n",
            "",
            "yes: no",
            "12",
            "null",
            "a very long line of more than eighty characters, which is written as a block although it is one line",
            "trailing space \nx",
        ];
        for text in texts {
            let yaml = format!("a:\n  content: {}\nb: 1\n", block(text, 4));
            let (node, problems) = yaml::parse(&yaml);
            assert_eq!(problems, [], "{yaml}");
            let node = node.unwrap();
            assert_eq!(node.get("a").unwrap().get("content").unwrap().as_text(), Some(text), "{yaml}");
            assert!(node.get("b").is_some(), "{yaml}");
        }
        assert_eq!((scalar("gpt-4o"), scalar("12"), scalar("a: b")), ("gpt-4o".into(), "\"12\"".into(), "\"a: b\"".into()));
    }
}
