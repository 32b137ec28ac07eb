use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::content::Content;

fn content(json: Value) -> Content {
    let mut full = json!({"model": "m-2026-01-01", "template": "t"});
    full.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
    Content::from_bytes(full.to_string().as_bytes()).unwrap()
}

fn shown(old: Value, new: Value) -> Vec<String> {
    let changes = classify(&Closure::of(content(old)), &Closure::of(content(new)));
    changes.into_iter().map(|change| format!("{} {}: {}", change.part, change.class, change.reason)).collect()
}

#[test]
fn follows_the_table_for_inputs() {
    let optional = json!({"inputs": {"a": {"type": "string", "default": "x"}}});
    let required = json!({"inputs": {"a": {"type": "string"}}});
    assert_eq!(shown(json!({}), required.clone()), ["inputs breaking: required variable `a` added"]);
    assert_eq!(shown(json!({}), optional.clone()), ["inputs compatible: optional variable `a` added"]);
    assert_eq!(shown(optional.clone(), required.clone()), ["inputs breaking: variable `a` became required"]);
    assert_eq!(shown(required.clone(), optional), ["inputs compatible: variable `a` became optional"]);
    assert_eq!(
        shown(required.clone(), json!({})),
        ["inputs breaking: variable `a` removed, so a caller that passes it is refused"]
    );
    let wider = json!({"inputs": {"a": {"type": ["string", "null"]}}});
    assert_eq!(shown(required.clone(), wider.clone()), ["inputs compatible: a: type `null` allowed"]);
    assert_eq!(shown(wider, required), ["inputs breaking: a: type `null` no longer allowed"]);
}

#[test]
fn follows_the_table_for_outputs() {
    let labels = |labels: &[&str]| json!({"output": {"enum": labels}});
    assert_eq!(shown(labels(&["a", "b"]), labels(&["a", "b", "c"])), ["output breaking: the answer: value \"c\" allowed"]);
    assert_eq!(shown(labels(&["a", "b"]), labels(&["a"])), ["output compatible: the answer: value \"b\" no longer allowed"]);
    assert_eq!(shown(labels(&["a"]), json!({})), ["output breaking: the schema of the answer was dropped"]);
    let object = |properties: Value, required: Value| json!({"output": {"type": "object", "properties": properties, "required": required}});
    let one = object(json!({"a": {"type": "string"}}), json!(["a"]));
    assert_eq!(shown(one.clone(), object(json!({}), json!([]))).len(), 2);
    assert!(shown(one.clone(), object(json!({}), json!([]))).iter().all(|line| line.starts_with("output breaking: ")));
    assert_eq!(
        shown(one.clone(), object(json!({"a": {"type": "string"}, "b": {}}), json!(["a"]))),
        ["output compatible: the answer.b: optional property added"]
    );
    assert_eq!(
        shown(one, object(json!({"a": {"type": "integer"}}), json!(["a"]))),
        [
            "output breaking: the answer.a: type `integer` allowed",
            "output compatible: the answer.a: type `string` no longer allowed"
        ]
    );
}

#[test]
fn every_other_content_is_a_change() {
    let described = |text: &str| json!({"description": text, "type": "string"});
    assert_eq!(
        shown(json!({"inputs": {"a": described("x")}}), json!({"inputs": {"a": described("y")}})),
        ["inputs compatible: the description of `a` changed"]
    );
    assert_eq!(
        shown(json!({"output": described("x")}), json!({"output": described("y")})),
        ["output behavioural: descriptions in the schema changed, which the model sees where it is sent along"]
    );
}

/// A closure over prompts that are given by name, the first of them around the others.
fn closure(prompts: &[(&str, Value)]) -> Closure {
    let mut includes: BTreeMap<crate::PromptRef, Content> = BTreeMap::new();
    let mut root = None;
    for (name, json) in prompts.iter().rev() {
        let mut content = content(json.clone());
        let texts: Vec<String> = content.body.templates().map(str::to_owned).collect();
        for (reference, known) in &includes {
            if texts.iter().any(|text| text.contains(&format!("{{% include \"{reference}\" %}}"))) {
                content.includes.insert(reference.clone(), known.digest());
            }
        }
        includes.insert(name.parse().unwrap(), content.clone());
        root = Some(content);
    }
    Closure { root: root.unwrap(), includes }
}

fn changed(old: &Closure, new: &Closure) -> Vec<String> {
    let changes = classify(old, new).into_iter().filter(|change| change.part == Part::Includes);
    changes.map(|change| format!("{} {}: {}", change.class, change.node, change.reason)).collect()
}

/// A prompt that includes others, and these.
fn around(included: &[(&str, Value)]) -> Closure {
    let text: String = included.iter().map(|(name, _)| format!("{{% include \"{name}\" %}}")).collect();
    closure(&[&[("root@1", json!({"template": text}))], included].concat())
}

#[test]
fn an_include_inherits_what_changed_inside() {
    let tone = |more: Value| {
        let mut json = json!({"template": "Be kind.", "output": {"enum": ["a", "b"]}});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json
    };
    let old = around(&[("tone@1", tone(json!({})))]);
    let moved = |more: Value| changed(&old, &around(&[("tone@2", tone(more))]));
    assert_eq!(
        moved(json!({"template": "Be brief."})),
        ["behavioural includes.tone@2: include `tone@1` → `tone@2` (text: the wording changed)"]
    );
    assert_eq!(
        moved(json!({"template": "Be brief.", "output": {"enum": ["a", "b", "c"]}})),
        ["breaking includes.tone@2: include `tone@1` → `tone@2` (output: the answer: value \"c\" allowed)"],
        "the worst of what changed inside wins"
    );
    assert_eq!(
        moved(json!({"inputs": {"mood": {}}})),
        ["compatible includes.tone@2: include `tone@1` → `tone@2`"],
        "what callers give is judged by the inputs of the prompt around it"
    );
    assert_eq!(changed(&old, &around(&[])), ["behavioural includes.tone@1: include `tone@1` removed"]);
    let both = around(&[("tone@1", tone(json!({}))), ("tone@2", tone(json!({})))]);
    assert_eq!(changed(&old, &both), ["behavioural includes.tone@2: include `tone@2` added"]);
    let include = |name: &str| json!({"template": format!("{{% include \"{name}\" %}}")});
    let deeper = |text: &str| {
        closure(&[("root@1", include("outer@1")), ("outer@1", include("inner@1")), ("inner@1", json!({"template": text}))])
    };
    assert_eq!(
        changed(&deeper("x"), &deeper("y")),
        ["behavioural includes.outer@1: the content of include `outer@1` changed (includes: the content of include `inner@1` \
          changed (text: the wording changed))"]
    );
    let mut unknown = around(&[("tone@2", tone(json!({"template": "Be brief."})))]);
    unknown.includes.clear();
    assert_eq!(
        changed(&old, &unknown),
        ["breaking includes.tone@2: include `tone@1` → `tone@2`, and what changed inside is not known"]
    );
}

#[test]
fn a_model_that_lacks_what_is_used_breaks_callers() {
    let model = |name: &str, more: Value| {
        let mut json = json!({"model": name});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json
    };
    let tools = json!({"tools": [{"name": "f", "input_schema": {}}]});
    let of = |old: &str, new: &str, more: &Value| shown(model(old, more.clone()), model(new, more.clone())).remove(0);
    let plain = json!({});
    assert_eq!(
        of("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", &plain),
        "model behavioural: another snapshot of the same family: `gpt-4o-2024-08-06` → `gpt-4o-2024-11-20`"
    );
    assert_eq!(
        of("gpt-4o-2024-08-06", "o1-mini-2024-09-12", &tools),
        "model breaking: `gpt-4o-2024-08-06` → `o1-mini-2024-09-12`: the new model takes no tools, which the prompt offers"
    );
    assert!(of("gpt-4o-2024-08-06", "o1-mini-2024-09-12", &plain).starts_with("model behavioural: another family of models"));
    assert_eq!(
        of("openai/gpt-4.1", "openai/gpt-4o", &plain),
        "model breaking: `openai/gpt-4.1` → `openai/gpt-4o`: its context is 128000 tokens, not 1047576, so a long input that \
         was taken is refused"
    );
    let json_mode = json!({"parameters": {"response_format": {"type": "json_object"}}});
    assert!(of("gpt-4o", "gpt-4-0613", &json_mode).contains("takes no `response_format` of JSON"));
    assert!(of("house-model-2", "other-model-1", &tools).ends_with("check tools, JSON mode and context length as well"));
    assert!(of("gpt-4o", "gpt-4.1", &tools).ends_with("nothing that is known of it is missing"));
}

#[test]
fn what_a_provider_enforces_is_a_promise_to_consumers() {
    let format = |format: Value| json!({"parameters": {"response_format": format}});
    let schema = |values: &[u8]| {
        format(
            json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {"a": {"enum": values}}}}}),
        )
    };
    assert_eq!(shown(schema(&[1]), schema(&[1, 2])), ["parameters breaking: `response_format`.a: value 2 allowed"]);
    assert_eq!(shown(schema(&[1, 2]), schema(&[1])), ["parameters compatible: `response_format`.a: value 2 no longer allowed"]);
    let dropped = "parameters breaking: `response_format` no longer enforces the form of the answer that it did";
    assert_eq!(shown(schema(&[1]), json!({})), [dropped]);
    assert_eq!(shown(format(json!({"type": "json_object"})), format(json!({"type": "text"}))), [dropped]);
    assert_eq!(
        shown(json!({}), format(json!({"type": "grammar"}))),
        ["parameters breaking: `response_format` changed in a form that is not understood"]
    );
}

#[test]
fn an_optional_variable_with_another_text_is_proven_by_rendering() {
    let old = json!({"template": "Hello {{ name }}.", "inputs": {"name": {"type": "string"}}});
    let new = |text: &str| {
        json!({
            "template": text,
            "inputs": {"name": {"type": "string"}, "mood": {"type": "string", "default": ""}},
        })
    };
    let known = [json!({"name": "Ada"}), json!({"name": "Bob"}), json!({"other": 1})];
    let known: Vec<Map<String, Value>> = known.iter().map(|values| values.as_object().unwrap().clone()).collect();
    let shown = |text: &str, known: &[Map<String, Value>]| -> Vec<String> {
        let (old, new) = (Closure::of(content(old.clone())), Closure::of(content(new(text))));
        classify_with(&old, &new, known)
            .iter()
            .map(|change| format!("{} {}: {}", change.part, change.class, change.reason))
            .collect()
    };
    let alike = "Hello {{ name }}{% if mood %}, {{ mood }}{% endif %}.";
    assert_eq!(
        shown(alike, &known),
        [
            "text compatible: the wording changed; the 2 known inputs render byte for byte as before",
            "inputs compatible: optional variable `mood` added; the 2 known inputs render byte for byte as before",
        ]
    );
    assert_eq!(
        shown("Hello {{ name }} {{ mood }}.", &known),
        [
            "text behavioural: the wording changed",
            "inputs behavioural: optional variable `mood` added; known inputs render otherwise than before",
        ]
    );
    assert_eq!(
        shown(alike, &[]),
        [
            "text behavioural: the wording changed",
            "inputs behavioural: optional variable `mood` added; the text changed with it, and no inputs are known that would \
         show what it renders without",
        ]
    );
    assert_eq!(shown("Hello {{ name }}.", &known), ["inputs compatible: optional variable `mood` added"]);
}

/// Tries every example against the other implementation of JSON Schema, as the command line does.
#[test]
fn an_example_is_found_for_what_breaks() {
    let old = json!({
        "inputs": {
            "customer": {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}, "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["age"]},
            "note": {"type": "string", "default": ""},
            "message": {"type": "string"},
        },
        "output": {"type": "object", "properties": {"label": {"enum": ["a", "b"]}, "why": {"type": "string"}}, "required": ["label", "why"]},
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}}}],
    });
    let new = json!({
        "inputs": {
            "customer": {"type": "object", "properties": {"age": {"type": "integer", "minimum": 18}, "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}}}, "required": ["age"]},
            "message": {"type": "string", "enum": ["x", "y"]},
            "language": {"type": "string"},
        },
        "output": {"type": "object", "properties": {"label": {"enum": ["a", "b", "c"]}, "why": {"type": ["string", "null"]}}, "required": ["label"]},
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}}}],
    });
    let (old, new) = (content(old), content(new));
    let mut examples = Vec::new();
    for change in classify(&Closure::of(old.clone()), &Closure::of(new.clone())) {
        assert_eq!(change.class, Class::Breaking, "{change:?}");
        let trial = trial(&change, &old, &new).unwrap();
        let (accepts, refuses) =
            (jsonschema::validator_for(&trial.accepts).unwrap(), jsonschema::validator_for(&trial.refuses).unwrap());
        let errors = |value: &Value| refuses.iter_errors(value).map(|error| error.instance_path().as_str().to_owned()).collect();
        let example = trial.choose(|value| accepts.is_valid(value), errors);
        let shown = example.map_or_else(|| "none".to_owned(), ToString::to_string);
        examples.push(format!("{} {} {shown}", change.node, if trial.old_accepts { "old" } else { "new" }));
    }
    insta::assert_snapshot!(examples.join("\n"), @r#"
    inputs.customer.age old {"customer":{"age":0},"message":"x"}
    inputs.customer.tags[] old {"customer":{"age":0,"tags":["other"]},"message":"x"}
    inputs.language old {"customer":{"age":0},"message":"x"}
    inputs.message old {"customer":{"age":0},"message":"other"}
    inputs.note old {"customer":{"age":0},"message":"x","note":""}
    output.label new {"label":"c"}
    output.why new {"label":"a","why":null}
    output new {"label":"a"}
    tools.f.n new {"n":9}
    "#);
}

/// Any JSON that a schema may hold, of few words, so that two of them often differ in one.
fn any_schema() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let names = || prop::sample::select(vec!["string", "integer", "number", "null", "object", "array"]);
    let value = prop_oneof![Just(json!(1)), Just(json!("a")), Just(json!(null)), Just(json!(2.5)), Just(json!(true))];
    let keyword = prop_oneof![
        names().prop_map(|name| ("type", json!(name))),
        prop::collection::vec(names(), 1..3).prop_map(|names| ("type", json!(names))),
        prop::collection::vec(value.clone(), 0..3).prop_map(|values| ("enum", json!(values))),
        value.clone().prop_map(|value| ("const", value)),
        value.clone().prop_map(|value| ("default", value)),
        value.clone().prop_map(|value| ("exclusiveMinimum", value)),
        value.clone().prop_map(|value| ("maxLength", value)),
        value.prop_map(|value| ("description", value)),
        Just(("additionalProperties", json!(false))),
        Just(("pattern", json!("x"))),
        prop::collection::vec(prop::sample::select(vec!["p", "q"]), 0..3).prop_map(|names| ("required", json!(names))),
    ];
    let leaf = prop::collection::vec(keyword, 0..3)
        .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    let leaf = prop_oneof![8 => leaf, 1 => any::<bool>().prop_map(Value::Bool)];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|schema| json!({"items": schema})),
            (inner.clone(), inner).prop_map(|(p, q)| json!({"properties": {"p": p, "q": q}})),
        ]
    })
}

proptest::proptest! {
    /// Nothing is a change exactly when the digest stays: no change is overlooked and none is made up.
    #[test]
    fn sees_a_change_exactly_when_the_digest_changes(
        old in proptest::collection::vec(any_schema(), 3),
        new in proptest::collection::vec(any_schema(), 3),
        parts in proptest::collection::vec(proptest::bool::ANY, 3),
    ) {
        let names = ["inputs", "output", "tools"];
        let part = |index: usize, schema: &Value| match index {
            0 => json!({"a": schema}),
            1 => schema.clone(),
            _ => json!([{"name": "f", "input_schema": schema}]),
        };
        let make = |schemas: &[Value]| {
            let pairs = (0..3).map(|index| (names[index].to_owned(), part(index, &schemas[index])));
            content(Value::Object(pairs.collect()))
        };
        let new: Vec<Value> = (0..3).map(|at| if parts[at] { new[at].clone() } else { old[at].clone() }).collect();
        let (old, new) = (make(&old), make(&new));
        let changes = classify(&Closure::of(old.clone()), &Closure::of(new.clone()));
        proptest::prop_assert_eq!(changes.is_empty(), old.digest() == new.digest(), "{:?}", changes);
    }
}

#[test]
fn what_reaches_only_the_model_is_behavioural() {
    assert_eq!(
        shown(json!({}), json!({"template": "t "})),
        ["text behavioural: only white space or roles changed, which the model sees too"]
    );
    assert_eq!(
        shown(json!({}), json!({"model": "m-2026-02-01"})),
        ["model behavioural: another snapshot of the same family: `m-2026-01-01` → `m-2026-02-01`"]
    );
    assert_eq!(
        shown(json!({"parameters": {"max_tokens": 16}}), json!({"parameters": {"max_tokens": 8}})),
        ["parameters behavioural: `max_tokens`: 16 → 8 (answers may be cut off)"]
    );
    assert_eq!(shown(json!({}), json!({})), Vec::<String>::new());
}

#[test]
fn tools_are_consumed_by_the_program_that_runs_them() {
    let tool = |schema: Value| json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]});
    let (narrow, wide) = (tool(json!({"enum": [1]})), tool(json!({"enum": [1, 2]})));
    assert_eq!(shown(narrow, wide), ["tools breaking: tool `f`: value 2 allowed"]);
    assert_eq!(
        shown(json!({"tools": "x"}), json!({"tools": "y"})),
        ["tools breaking: the tools changed in a form that is not understood"]
    );
}
