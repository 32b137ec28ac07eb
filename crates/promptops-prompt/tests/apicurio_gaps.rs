//! What Apicurio's checker of prompt templates lets pass, as its source shows (`PromptTemplateCompatibilityChecker`), must
//! not pass here. One test for each gap, on prompt files as somebody writes them.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use promptops_prompt::change::{Class, classify, worst};
use promptops_prompt::compatibility::{Level, breaks, compare};
use promptops_prompt::draft::Draft;
use promptops_prompt::{Closure, Content};

fn closure(fields: &str) -> Closure {
    let fields = if fields.contains("template:") { fields.to_owned() } else { format!("{fields}template: Answer.\n") };
    let fields = if fields.contains("model:") { fields } else { format!("model: gpt-4o-2024-08-06\n{fields}") };
    let text = format!("id: a.b\nversion: 1\nowner: o\ntags: []\n{fields}");
    let (draft, findings) = Draft::parse("prompts/a/b.yaml", &text);
    assert_eq!(findings, [], "{text}");
    Closure::of(Content::new(&draft.prompt().unwrap(), BTreeMap::new()))
}

/// What a namespace with the level `backward` refuses.
fn refused(old: &str, new: &str) -> Vec<String> {
    let comparisons = compare(&closure(old), &closure(new), Level::Backward, &[]);
    breaks(&"a.b@1".parse().unwrap(), &comparisons).into_iter().map(|one| format!("{}: {}", one.part, one.reason)).collect()
}

/// It goes through the variables that the old version has, so it never sees one that the new version adds.
#[test]
fn a_new_required_variable_breaks_callers() {
    let old = "inputs: {a: {type: string}}\ntemplate: '{{ a }}'\n";
    let new = "inputs: {a: {type: string}, b: {type: string}}\ntemplate: '{{ a }}{{ b }}'\n";
    assert_eq!(refused(old, new), ["inputs: required variable `b` added"]);
}

/// It reads `variables` and `outputSchema` alone, and takes the documented other names for nothing at all.
#[test]
fn a_field_under_another_name_is_said_to_be_unknown() {
    let text = "id: a.b\nversion: 1\nowner: o\ntags: []\nmodel: m-2024-08-06\ntemplate: x\nvariables: {}\noutputSchema: {}\n";
    let (_, findings) = Draft::parse("prompts/a/b.yaml", text);
    let found: Vec<&str> = findings.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(found, ["unknown-field", "unknown-field"]);
    let (old, new) = ("inputs: {a: {type: string}}\ntemplate: '{{ a }}'\n", "output: {enum: [x]}\n");
    assert_eq!(refused(old, new), ["inputs: variable `a` removed, so a caller that passes it is refused"]);
}

/// Of the answer it looks only whether a property at the top is still there.
#[test]
fn the_answer_is_compared_by_type_requiredness_and_at_any_depth() {
    let answer = |properties: &str, required: &str| {
        format!("output: {{type: object, properties: {{{properties}}}, required: [{required}]}}\n")
    };
    let old = answer("a: {type: string}", "a");
    assert_eq!(refused(&old, &answer("a: {type: integer}", "a")), ["output: the answer.a: type `integer` allowed"]);
    assert_eq!(refused(&old, &answer("a: {type: string}", "")), ["output: the answer: property `a` is no longer required"]);
    let nested = |kind: &str| {
        let inner = format!("{{type: object, properties: {{b: {{type: array, items: {{type: {kind}}}}}}}, required: [b]}}");
        answer(&format!("a: {inner}"), "a")
    };
    assert_eq!(refused(&nested("string"), &nested("boolean")), ["output: the answer.a.b[]: type `boolean` allowed"]);
}

/// It never looks at the model or its parameters.
#[test]
fn model_and_parameters_count() {
    let old = "model: gpt-4o-2024-08-06\nparameters: {max_tokens: 100}\n";
    let class = |new: &str| worst(&classify(&closure(old), &closure(new)));
    assert_eq!(class("model: gpt-4o-2024-11-20\nparameters: {max_tokens: 100}\n"), Some(Class::Behavioural));
    assert_eq!(class("model: gpt-4o-2024-08-06\nparameters: {max_tokens: 10}\n"), Some(Class::Behavioural));
    assert_eq!(class("model: gpt-4-0613\nparameters: {max_tokens: 100}\n"), Some(Class::Breaking));
}

/// It flags neither an enum where there was none nor tighter bounds.
#[test]
fn listed_values_and_bounds_narrow() {
    let input = |schema: &str| format!("inputs: {{a: {schema}}}\ntemplate: '{{{{ a }}}}'\n");
    let refused = |old: &str, new: &str| refused(&input(old), &input(new));
    assert_eq!(refused("{type: string}", "{type: string, enum: [x]}"), ["inputs: a: limited to listed values"]);
    assert_eq!(refused("{type: integer, minimum: 0}", "{type: integer, minimum: 1}"), ["inputs: a: `minimum`: 0 → 1"]);
    assert_eq!(refused("{type: integer}", "{type: integer, maximum: 9}"), ["inputs: a: `maximum: 9` added"]);
}

/// A change of the text always passes there. Here it breaks nobody either, but it is never just compatible.
#[test]
fn another_text_asks_for_an_evaluation() {
    let changes = classify(&closure("template: Answer.\n"), &closure("template: Answer briefly.\n"));
    assert_eq!(worst(&changes), Some(Class::Behavioural));
    assert_eq!(refused("template: Answer.\n", "template: Answer briefly.\n"), [""; 0]);
}
