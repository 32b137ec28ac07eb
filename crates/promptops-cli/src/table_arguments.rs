//! The options of every command that describes the lake as a table to another engine.

use std::collections::BTreeMap;

use clap::Args;
use promptops_eval::price::{Price, PriceTable};
use promptops_prompt::draft::Draft;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::generated_files::GeneratedFile;
use crate::lake_table::{KnownPrompts, LakeTable, Statements};
use crate::project::Project;
use crate::providers::price_table;
use crate::working_tree::WorkingTree;

/// Where the lake is, and what its table is called.
#[derive(Debug, Clone, Args)]
pub struct TableArguments {
    /// The URL of the lake as the engine reaches it, such as `s3://bucket/lake` [default: `lake.url` of promptops.toml].
    #[arg(long, value_name = "URL")]
    location: Option<String>,
    /// The name of the table.
    #[arg(long, value_name = "NAME", default_value = "invocations", value_parser = name)]
    pub table: String,
}

/// Accepts what every engine takes as a name without quotes.
pub fn name(text: &str) -> Result<String, String> {
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if begins && is_word && text.len() <= 128 {
        Ok(text.to_owned())
    } else {
        Err("a name has lower-case letters, digits and `_`, and does not begin with a digit".to_owned())
    }
}

impl TableArguments {
    /// Returns the table.
    pub fn lake_table(&self, context: &Context, project: &Project) -> Outcome<LakeTable> {
        let location = match &self.location {
            Some(location) => location.clone(),
            None => absolute(&project.config.lake.url, project),
        };
        let is_url = location.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        // Texts in statements escape quotes; a template of a folder has signs of its own.
        if !is_url || location.contains(['$', '{', '}', '\'', '"', '\\']) || location.chars().any(char::is_control) {
            return Err(Failure::new(Exit::Usage, format!("the lake cannot be a table at `{location}`"))
                .hint("give its URL as `--location s3://bucket/lake`"));
        }
        if self.location.is_none() && location.starts_with("file:") {
            context.printer.warning(format!("the lake is on this machine alone, `{location}`; `--location` names another"));
        }
        Ok(LakeTable {
            location: location.trim_end_matches('/').to_owned(),
            catalog: "hive".to_owned(),
            database: "promptops".to_owned(),
            table: self.table.clone(),
            days: 0,
            replaces: false,
        })
    }
}

/// Makes a path of the project a URL that says the same from everywhere.
fn absolute(url: &str, project: &Project) -> String {
    let (scheme, path) = url.split_once("://").unwrap_or(("file", url));
    match scheme {
        "file" if !path.starts_with('/') => format!("file://{}", project.root.join(path).display()),
        "file" => format!("file://{path}"),
        _ => url.to_owned(),
    }
}

/// Reads the owners and models of every prompt file, and the prices of those models.
pub fn known_prompts(project: &Project) -> Outcome<KnownPrompts> {
    let table = price_table(project)?;
    let mut known = KnownPrompts::default();
    for file in WorkingTree::read(project)?.files {
        // What is no valid prompt is what `promptops check` is about.
        let Some(prompt) = Draft::parse(&file.path, &file.text).0.prompt() else { continue };
        if let Some(table) = &table {
            known.prices.extend(prices(table, &prompt.model));
        }
        known.owners.insert(prompt.id.to_string(), prompt.metadata.owner);
    }
    Ok(known)
}

/// Returns the prices of a model, also of the dated names by which it answers: `gpt-4o` answers as `gpt-4o-2024-08-06`.
fn prices(table: &PriceTable, model: &str) -> BTreeMap<String, Price> {
    let dated = format!("{model}-");
    let is_dated = |name: &&String| {
        let rest = name.strip_prefix(&dated);
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let mut prices: BTreeMap<String, Price> =
        table.models.keys().filter(is_dated).filter_map(|name| Some((name.clone(), *table.models.get(name)?))).collect();
    prices.extend(table.price(model).map(|(_, price)| (model.to_owned(), *price)));
    prices
}

/// Returns the files of a script: one for stdout, one for each statement in a folder.
pub fn script(name: &str, statements: &Statements, is_for_folder: bool) -> Vec<GeneratedFile> {
    if is_for_folder {
        statements.files().into_iter().map(|(path, text)| GeneratedFile { path, text }).collect()
    } else {
        vec![GeneratedFile { path: name.to_owned(), text: statements.script() }]
    }
}
