//! The checks: what must hold of a prompt file, and of all of them together. One check, one file.
//!
//! A file is looked at once ([`check_file`]); what the whole project needs to know of it is its [`Summary`], so that an
//! unchanged file need not be read again. [`check_project`] works on summaries alone.

mod content_key;
mod duplicate_id;
mod duplicate_key;
mod duplicate_prompt;
mod empty_template;
mod eval_dataset;
mod eval_file;
mod example;
mod file_limit;
mod floating_model;
mod id_format;
mod id_path;
mod immutable_version;
mod include_cycle;
mod include_input;
pub mod incompatible_change;
mod lineage;
mod missing_field;
mod near_duplicate;
mod owners_file;
mod page;
mod secret;
mod suppression_form;
mod template_syntax;
mod undeclared_variable;
mod unknown_eval;
mod unknown_field;
mod unknown_include;
mod unknown_owner;
mod unpinned_include;
mod unreadable_file;
mod unused_input;
mod unused_suppression;
mod wrong_type;
mod yaml_syntax;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use self::content_key::ContentKey;
pub use self::example::{Example, ExampleFile, Place};
pub use self::page::index_page;
pub use self::secret::secrets;
use crate::draft::{DeclarePlace, Draft, LineStart};
use crate::finding::{self, Finding, Severity};
use crate::id::{PromptId, PromptRef, Version};
use crate::owners::Owners;
use crate::suppression::Suppression;
use crate::template::{self, TemplateUse};

/// Names this very set of checks: a digest of the sources of this crate, so that results kept from another build are not taken.
pub const FINGERPRINT: &str = env!("PROMPTOPS_PROMPT_FINGERPRINT");

/// A check, with all that documentation and `promptops explain` say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The stable id.
    pub id: &'static str,
    /// How much a finding matters, where the project does not say otherwise.
    pub severity: Severity,
    /// What must hold, in one sentence.
    pub summary: &'static str,
    /// Why it matters, in Markdown.
    pub why: &'static str,
    /// What to do about a finding, in Markdown.
    pub fix: &'static str,
    /// Whether a project can neither lower its severity nor suppress it: a file that it finds fault with holds no version that could
    /// be published, or nobody could rely on what the other checks say of it.
    pub is_firm: bool,
    /// Whether `promptops check --fix` mends its example.
    pub has_fix: bool,
    /// Which command finds it.
    pub found_by: FoundBy,
    /// A project, in the form of [`Example`], in which it finds something, and nothing else does.
    pub bad: &'static str,
    /// The same project, mended: nothing finds anything.
    pub good: &'static str,
}

/// A command that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// `promptops check`.
    Check,
    /// `promptops eval`, before it calls a model.
    Eval,
}

/// Every check, in the order of the documentation.
pub const CHECKS: &[Check] = &[
    yaml_syntax::CHECK,
    file_limit::CHECK,
    duplicate_key::CHECK,
    missing_field::CHECK,
    wrong_type::CHECK,
    unknown_field::CHECK,
    empty_template::CHECK,
    id_format::CHECK,
    id_path::CHECK,
    lineage::CHECK,
    immutable_version::CHECK,
    incompatible_change::CHECK,
    template_syntax::CHECK,
    undeclared_variable::CHECK,
    unused_input::CHECK,
    unpinned_include::CHECK,
    unknown_include::CHECK,
    include_cycle::CHECK,
    include_input::CHECK,
    unknown_owner::CHECK,
    owners_file::CHECK,
    unknown_eval::CHECK,
    eval_file::CHECK,
    eval_dataset::CHECK,
    secret::CHECK,
    floating_model::CHECK,
    duplicate_id::CHECK,
    duplicate_prompt::CHECK,
    near_duplicate::CHECK,
    unreadable_file::CHECK,
    suppression_form::CHECK,
    unused_suppression::CHECK,
];

/// Where the pages of the checks are read.
pub const DOCUMENTATION: &str = "https://github.com/promptops/promptops/blob/main/docs/reference/checks";

impl Check {
    /// Returns the check of this id.
    pub fn find(id: &str) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.id == id)
    }

    /// Returns the ids that a misspelt one may mean, the closest first.
    pub fn near(id: &str) -> Vec<&'static str> {
        let distance = |check: &Self| {
            let letters = strsim::damerau_levenshtein(check.id, id);
            // Part of the words is as good as a few letters.
            if check.id.split('-').any(|word| id.split(['-', '_', ' ']).any(|part| part == word)) {
                letters.min(3)
            } else {
                letters
            }
        };
        let mut near: Vec<(usize, &str)> = CHECKS.iter().map(|check| (distance(check), check.id)).collect();
        near.retain(|(distance, _)| *distance <= 3);
        near.sort_unstable();
        near.into_iter().take(3).map(|(_, id)| id).collect()
    }

    /// Returns where its page is read.
    pub fn url(&self) -> String {
        format!("{DOCUMENTATION}/{}.md", self.id)
    }
}

/// What the project needs to know of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The path from the project's root.
    pub path: String,
    /// The prompt and version.
    pub reference: PromptRef,
    /// The place of the id.
    pub id_span: Range<usize>,
    /// The place of the version.
    pub version_span: Range<usize>,
    /// Where a field can be put in after the version.
    pub after_version: Option<LineStart>,
    /// The parent and its place.
    pub parent: Option<(PromptRef, Range<usize>)>,
    /// The owner and its place, if the field is there.
    pub owner: Option<(String, Range<usize>)>,
    /// Everything included, with the places of the names.
    pub includes: Vec<(PromptRef, Range<usize>)>,
    /// Includes that name an id and no version, with the places of the names.
    pub unpinned: Vec<(PromptId, Range<usize>)>,
    /// Whether the body is messages, which cannot be included.
    pub has_messages: bool,
    /// The declared variables, and whether a caller must give them.
    pub inputs: Vec<(String, bool)>,
    /// Where a variable can be declared, if something is included that may need one.
    pub declare_at: Option<DeclarePlace>,
    /// Declared variables that the prompt's own templates do not use.
    pub unused_inputs: Vec<UnusedInput>,
    /// Names the content without its includes' digests: equal for equal contents only; none while the file has errors.
    pub content_key: Option<ContentKey>,
    /// MinHash of the words, for near duplicates; empty for a short prompt.
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
    /// The place of the first template.
    pub body_span: Range<usize>,
    /// The eval files it names, with the places.
    pub evals: Vec<(String, Range<usize>)>,
}

/// A declared variable that the prompt's own templates do not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedInput {
    /// Its name.
    pub name: String,
    /// The place of the name.
    pub span: Range<usize>,
    /// The lines that declare it, where they can be taken out.
    pub lines: Option<Range<usize>>,
}

/// What looking at one file gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// What the project needs to know, when at least id and version are right.
    pub summary: Option<Summary>,
    /// The problems.
    pub findings: Vec<Finding>,
    /// The comments that let some of them pass.
    pub suppressions: Vec<Suppression>,
}

/// A version as it stood at the revision that a change is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseVersion {
    /// The version.
    pub version: Version,
    /// Names its content; none if it was not readable then.
    pub content_key: Option<ContentKey>,
}

/// The prompts at the base revision, by id.
pub type Base = BTreeMap<PromptId, BaseVersion>;

/// A file with what the checks look at.
struct FileView<'file> {
    draft: &'file Draft,
    text: &'file str,
    /// The path below the prompts folder.
    path_in_folder: &'file str,
    /// What each template of the draft uses; none where it has a syntax error.
    uses: &'file [Option<TemplateUse>],
}

/// Looks at one prompt file.
///
/// `path` is from the project's root, `path_in_folder` from the prompts folder, both with `/`.
pub fn check_file(path: &str, path_in_folder: &str, text: &str) -> FileReport {
    let (mut draft, mut findings) = Draft::parse(path, text);
    let suppressions = std::mem::take(&mut draft.suppressions);
    let mut uses = Vec::with_capacity(draft.templates.len());
    for part in &draft.templates {
        match template::analyse(part.text()) {
            Ok(used) => uses.push(Some(used)),
            Err(error) => {
                findings.push(template_syntax::finding(&draft, part, text, &error));
                uses.push(None);
            }
        }
    }
    let view = FileView { draft: &draft, text, path_in_folder, uses: &uses };
    id_format::mend(&view, &mut findings);
    id_path::check(&view, &mut findings);
    lineage::check(&view, &mut findings);
    undeclared_variable::check(&view, &mut findings);
    unpinned_include::check(&view, &mut findings);
    floating_model::check(&view, &mut findings);
    secret::check(&view, &mut findings);
    finding::sort(&mut findings);
    FileReport { summary: summary(&view), findings, suppressions }
}

fn summary(view: &FileView<'_>) -> Option<Summary> {
    let draft = view.draft;
    let (id, version) = (draft.id.as_ref()?, draft.version.as_ref()?);
    let mut includes = Vec::new();
    for (part, used) in draft.templates.iter().zip(view.uses) {
        for include in used.iter().flat_map(|used| &used.includes) {
            if let Ok(target) = &include.target {
                let place = include.name.as_ref().map_or(&include.place, |(_, place)| place);
                includes.push((target.clone(), part.place(view.text, place.clone())));
            }
        }
    }
    let is_required = |schema: &serde_json::Value| schema.get("default").is_none();
    Some(Summary {
        path: draft.path.clone(),
        reference: id.value.at(version.value),
        id_span: id.span.clone(),
        version_span: version.span.clone(),
        after_version: draft.after_version,
        unpinned: unpinned_include::ids_alone(view),
        parent: draft.parent.as_ref().map(|parent| (parent.value.clone(), parent.span.clone())),
        owner: draft.owner.as_ref().map(|owner| (owner.value.clone(), owner.span.clone())),
        declare_at: draft.declare_at.clone().filter(|_| !includes.is_empty()),
        includes,
        has_messages: draft.has_messages,
        inputs: draft.inputs.iter().map(|(name, schema)| (name.value.clone(), is_required(schema))).collect(),
        unused_inputs: unused_input::unused(view),
        content_key: draft.is_complete().then(|| content_key::of(draft)),
        signature: near_duplicate::signature(draft.templates.iter().map(|part| part.text())),
        body_span: draft.templates.first().map_or(0..0, |part| part.span()),
        evals: draft.evals.iter().map(|eval| (eval.value.clone(), eval.span.clone())).collect(),
    })
}

/// What is known around the files. The default knows nothing: any owner is taken, nothing is compared.
#[derive(Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// `owners.yaml`, if there is one.
    pub owners: Option<&'a Owners>,
    /// The prompts at the base revision, if the change is compared with one.
    pub base: Option<&'a Base>,
    /// Tells whether a path from the project's root is a file.
    pub has_file: Option<&'a (dyn Fn(&str) -> bool + Sync)>,
}

/// Looks at all files together: at copies, and at what refers to what.
pub fn check_project(summaries: &[&Summary], surroundings: Surroundings<'_>) -> Vec<Finding> {
    let mut findings = check_copies(summaries);
    findings.extend(check_references(summaries, surroundings));
    finding::sort(&mut findings);
    findings
}

/// Looks for what stands twice: ids, contents, and texts that are almost the same. One half of [`check_project`], which a caller with
/// several threads runs beside the other.
pub fn check_copies(summaries: &[&Summary]) -> Vec<Finding> {
    let mut findings = Vec::new();
    duplicate_prompt::check(summaries, &mut findings);
    near_duplicate::check(summaries, &mut findings);
    findings
}

/// Looks at what a prompt names: includes, parents, owners, evals, and what it was at the base revision. The other half of
/// [`check_project`].
pub fn check_references(summaries: &[&Summary], surroundings: Surroundings<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let base = surroundings.base;
    unknown_include::check(summaries, base, &mut findings);
    include_cycle::check(summaries, &mut findings);
    unpinned_include::check_ids_alone(summaries, &mut findings);
    unused_input::check(summaries, &mut findings);
    lineage::check_parents(summaries, base, &mut findings);
    if let Some(owners) = surroundings.owners {
        unknown_owner::check(summaries, owners, &mut findings);
    }
    if let Some(base) = base {
        immutable_version::check(summaries, base, &mut findings);
    }
    if let Some(has_file) = surroundings.has_file {
        unknown_eval::check(summaries, has_file, &mut findings);
    }
    findings
}
