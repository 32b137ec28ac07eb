//! Measures a warm load and a rendering, and prints nanoseconds as JSON.
//!
//! ```sh
//! cargo run --release -p promptops --example bench_load [prompt.yaml values.json]
//! ```
//!
//! Without arguments a built-in prompt of about 2 KB with a loop is rendered. Each figure is the median of the mean of
//! many batches, so that a batch that was interrupted does not count.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use promptops::{Loader, Settings, TemplateValue};
use promptops_prompt::draft::Draft;
use promptops_prompt::lock::{LOCK_FORMAT, LockedPrompt};
use promptops_prompt::{Content, Digest, Lock, Prompt};
use serde_json::{Map, Value, json};

const BATCHES: usize = 101;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (text, values) = match arguments.as_slice() {
        [] => (built_in_prompt(), built_in_values()),
        [prompt, values] => (fs::read_to_string(prompt)?, serde_json::from_slice(&fs::read(values)?)?),
        _ => return Err("usage: bench_load [prompt.yaml values.json]".into()),
    };
    let (draft, findings) = Draft::parse("prompt.yaml", &text);
    let prompt = draft.prompt().ok_or_else(|| format!("the prompt has problems: {findings:?}"))?;
    let (id, version) = (prompt.id.as_str().to_owned(), prompt.version.number());

    let folder = tempfile::tempdir()?;
    write_registry(folder.path(), &prompt)?;
    let write_file = |prompts: &str, text: &str| {
        let file = folder.path().join(prompts).join(prompt.id.file_path());
        fs::create_dir_all(file.parent().unwrap_or(folder.path()))?;
        fs::write(file, text)
    };
    write_file("prompts", &text)?;

    let pinned = loader(folder.path(), |settings| settings.lock = Some("promptops.lock".into()))?;
    let files = loader(folder.path(), |settings| settings.folder = Some("prompts".into()))?;
    let loaded = pinned.load(&id, None)?;
    let rendered = loaded.messages(&values)?;
    // An assignment is for the template engine, which renders the whole of a template or nothing of it.
    let with_assignment = text.replacen("template: |\n", "template: |\n  {% set by = 'the engine' -%}\n", 1);
    write_file("by-engine", &with_assignment)?;
    let by_engine = loader(folder.path(), |settings| settings.folder = Some("by-engine".into()))?.load(&id, None)?;
    if by_engine.template() == loaded.template() || by_engine.messages(&values)? != rendered {
        return Err("the engine renders something else".into());
    }
    // Peers are given values of their own language; these are the template engine's.
    let native: BTreeMap<&str, TemplateValue> = values
        .iter()
        .map(|(name, value)| Ok((name.as_str(), serde_json::from_value(value.clone())?)))
        .collect::<Result<_, serde_json::Error>>()?;
    let native = || native.iter().map(|(name, value)| (*name, value.clone()));
    let result = json!({
        "load_pinned_ns": nanoseconds(1000, || pinned.load(black_box(&id), None).is_ok()),
        "load_by_version_ns": nanoseconds(1000, || pinned.load(black_box(&id), Some(version)).is_ok()),
        "load_from_folder_ns": nanoseconds(200, || files.load(black_box(&id), None).is_ok()),
        "render_ns": nanoseconds(50, || loaded.rendered_values(black_box(&native)()).is_ok()),
        "render_by_engine_ns": nanoseconds(50, || by_engine.rendered_values(black_box(&native)()).is_ok()),
        "render_from_json_ns": nanoseconds(50, || loaded.messages(black_box(&values)).is_ok()),
        "template_bytes": prompt.body.templates().map(str::len).sum::<usize>(),
        "rendered_bytes": rendered.iter().map(|message| message.content.len()).sum::<usize>(),
        "optimised": !cfg!(debug_assertions),
    });
    writeln!(std::io::stdout(), "{result:#}")?;
    Ok(())
}

fn loader(folder: &Path, set: impl FnOnce(&mut Settings)) -> Result<Loader, promptops::Error> {
    let mut settings = Settings::new(folder, Arc::new(|| chrono::DateTime::UNIX_EPOCH));
    set(&mut settings);
    Loader::from_settings(&settings)
}

/// Publishes `prompt` below `folder` and pins it.
fn write_registry(folder: &Path, prompt: &Prompt) -> Result<(), Box<dyn Error>> {
    let content = Content::new(prompt, [].into());
    let record = json!({
        "format": 1, "id": prompt.id, "version": prompt.version, "digest": content.digest(), "metadata": prompt.metadata,
    });
    let record = record.to_string().into_bytes();
    let write = |key: String, bytes: &[u8]| {
        let path = folder.join("registry").join(key);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, bytes)
    };
    write(format!("prompts/{}/{:010}.json", prompt.id, prompt.version.number()), &record)?;
    write(format!("blobs/sha256/{}", content.digest().hex()), &content.to_bytes())?;
    let pin = LockedPrompt { version: prompt.version, digest: content.digest(), record: Digest::of(&record), rollout: None };
    let prompts = [(prompt.id.clone(), pin)].into();
    let lock = Lock { format: LOCK_FORMAT, registry: "file://registry".into(), release: None, prompts, logged: [].into() };
    fs::write(folder.join("promptops.lock"), lock.to_bytes())?;
    Ok(())
}

/// Returns the median over batches of the mean time of one run.
fn nanoseconds(runs: u32, mut run: impl FnMut() -> bool) -> f64 {
    let mut batch = || {
        let started = Instant::now();
        for _ in 0..runs {
            assert!(black_box(run()), "what is measured works");
        }
        started.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
    };
    batch();
    let mut means: Vec<f64> = (0..BATCHES).map(|_| batch()).collect();
    means.sort_by(f64::total_cmp);
    (means[BATCHES / 2] * 10.0).round() / 10.0
}

/// About 2 KB with a loop: instructions, then the turns of a conversation.
fn built_in_prompt() -> String {
    let rule = "Answer with one label and nothing else; when two labels fit, choose the one the customer needs first. ";
    let rules: String = (1..=16).map(|number| format!("  {number}. {rule}\n")).collect();
    format!(
        "id: bench.classify\nversion: 1\nowner: bench\nmodel: m\ntags: []\n\
         inputs:\n  customer: {{type: string}}\n  turns: {{type: array}}\n  message: {{type: string}}\n\
         template: |\n  You classify messages of {{{{ customer }}}}.\n{rules}  \
         {{% for turn in turns %}}\n  {{{{ loop.index }}}}. {{{{ turn.role }}}}: {{{{ turn.text }}}}\n  {{% endfor %}}\n  \
         Message: {{{{ message }}}}\n"
    )
}

fn built_in_values() -> Map<String, Value> {
    let turn = |number: u32| json!({"role": if number.is_multiple_of(2) { "agent" } else { "customer" }, "text": format!("turn {number}")});
    let turns: Vec<Value> = (1..=10).map(turn).collect();
    let mut values = Map::new();
    values.insert("customer".into(), "Example Ltd".into());
    values.insert("turns".into(), turns.into());
    values.insert("message".into(), "Where is my invoice for March?".into());
    values
}
