//! Holds programs to the template engine: what they render it renders too, and to the same text.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, json};

use minijinja::value::Serde;

use super::*;
use crate::content::Content;

fn closure(templates: &[&str], includes: &[(&str, &str)], inputs: Value) -> Closure {
    let content = |body| Content {
        model: "m".into(),
        parameters: Map::new(),
        inputs: inputs.as_object().unwrap().clone().into_iter().collect(),
        output: None,
        tools: None,
        body,
        includes: BTreeMap::new(),
    };
    let message = |text: &&str| Message { role: Role::User, content: (*text).to_owned() };
    let mut root = content(Body::Messages(templates.iter().map(message).collect()));
    let includes: BTreeMap<PromptRef, Content> =
        includes.iter().map(|(name, text)| (name.parse().unwrap(), content(Body::Template((*text).into())))).collect();
    root.includes = includes.iter().map(|(name, content)| (name.clone(), content.digest())).collect();
    Closure { root, includes }
}

fn by_engine(renderer: &Renderer, values: &Map<String, Value>) -> Result<Rendered, RenderError> {
    let mut mappings = Mappings::default();
    let mut rendering = renderer.rendering();
    values.iter().for_each(|(name, value)| rendering.set(name, mappings.json(value)));
    renderer.by_engine(rendering.complete()?)
}

/// Renders without the engine, from JSON and from the engine's own values, which have to agree.
fn in_place(renderer: &Renderer, values: &Map<String, Value>) -> Option<Rendered> {
    let rendered = renderer.json_in_place(values);
    let with_defaults: Map<String, Value> = renderer
        .inputs
        .iter()
        .filter_map(|input| Some((input.name.clone(), input.default.as_ref()?.json.clone())))
        .chain(values.clone())
        .collect();
    let own: Option<Vec<_>> =
        renderer.input_names().map(|name| Some(TemplateValue::from(Serde(with_defaults.get(name)?)))).collect();
    let mut mappings = Mappings::default();
    let converted: Option<Vec<_>> = renderer.input_names().map(|name| Some(mappings.json(with_defaults.get(name)?))).collect();
    if let (Some(own), Some(converted), true) =
        (own, converted, values.keys().all(|name| renderer.input_names().any(|input| input == name)))
    {
        assert_eq!(renderer.render_in_place(&own, renderer.field_names()), rendered);
        assert_eq!(renderer.render_in_place(&converted, renderer.field_names()), rendered);
    }
    rendered
}

fn values() -> Map<String, Value> {
    let values = json!({
        "name": "Ada", "empty": "", "count": 3, "zero": 0, "ratio": 0.5, "whole": 2.0, "yes": true, "no": false, "nothing": null, "list": [],
        "words": ["a", "b", "c"], "user": {"name": "Bob", "address": {"city": "Rome"}, "length": 7},
        "records": [{"title": "One", "text": "1", "tags": ["x", "y"]}, {"title": "Two", "text": "", "tags": []}],
        "large": u64::MAX,
    });
    values.as_object().unwrap().clone()
}

fn any_input() -> Value {
    Value::Object(values().into_iter().map(|(name, _)| (name, json!({}))).collect())
}

const INCLUDES: [(&str, &str); 2] =
    [("shared.tone@3", "Be kind, {{ name }}."), ("shared.item@1", "{{ word }}{{ loop.index }}{% include \"shared.tone@3\" %}")];

/// Says whether a template needs the engine, after comparing the two where it does not.
fn is_rendered_in_place(template: &str) -> bool {
    let renderer = Renderer::new(&closure(&[template], &INCLUDES, any_input())).unwrap();
    let Some(rendered) = in_place(&renderer, &values()) else { return false };
    assert_eq!(rendered, by_engine(&renderer, &values()).unwrap(), "{template}");
    true
}

#[test]
fn most_templates_need_no_engine() {
    for template in [
        "plain text\n",
        "Hello {{ name }}!\n\n{# a comment #}{{ count }} {{ ratio }} {{ whole }} {{ yes }} {{ nothing }}",
        "{{ user.name }} of {{ user['address'].city }}{{ user.length }}{{ user|length }}{{ name|length }}{{ '{{' }}{{ 7 }}{{ true }}",
        "{% for record in records -%}\n  [{{ loop.index }}/{{ loop.length }}] {{ record.title }}{% if not loop.last %}, {% endif %}\n{%- endfor %}",
        "{% for record in records %}{% for tag in record.tags %}{{ loop.revindex }}{{ tag }}{{ record.title }}{% else %}none{% endfor %}{% endfor %}",
        "{% for word in list %}{{ word }}{% else %}no words, {{ name }}{% endfor %}",
        "{% for name in words %}{{ name }}{% endfor %}{{ name }}",
        "{% if words and not empty %}a{% elif zero %}b{% else %}c{% endif %}{% if list or user %}d{% endif %}",
        "{% if name == 'Ada' %}a{% endif %}{% if count >= 3 and count < 4 and count != 5 %}b{% endif %}{% if name == 3 %}c{% endif %}",
        "{{ 'many' if words|length > 2 else 'few' }}{{ name if nothing is none else 1 }}{% if name is none %}x{% endif %}",
        "{% include 'shared.tone@3' %}{% for word in words %}{% include 'shared.item@1' %}{% endfor %}",
        "{% for word in words %}{{ loop.first }}{{ loop.index0 }}{{ loop.revindex0 }}{% endfor %}",
        "{%- raw %}{{ not.this }}{% endraw -%}",
    ] {
        assert!(is_rendered_in_place(template), "{template}");
    }
}

#[test]
fn the_engine_sees_to_everything_else() {
    for template in [
        "{{ user.missing }}",
        "{{ name.first }}",
        "{{ large }}",
        "{{ user }}",
        "{{ words }}",
        "{{ name|upper }}",
        "{{ count + 1 }}",
        "{% for letter in name %}{{ letter }}{% endfor %}",
        "{% for key in user %}{{ key }}{% endfor %}",
        "{% set x = 1 %}{{ x }}",
        "{% for n in range(3) %}{{ n }}{% endfor %}",
        "{% if 1 == true %}{% endif %}",
        "{{ loop }}",
        "{{ words[0] }}",
        "{% for a in words %}{{ loop }}{% endfor %}",
        "{% for a, b in records %}{% endfor %}",
        "{% if count == ratio %}{% endif %}",
        "{% include 'shared.item@1' %}",
        "{% macro m() %}{% endmacro %}{{ m() }}",
        "{% if user.missing is none %}{% endif %}",
    ] {
        let renderer = Renderer::new(&closure(&[template], &INCLUDES, any_input())).unwrap();
        assert_eq!(in_place(&renderer, &values()), None, "{template}");
    }
}

#[test]
fn values_that_do_not_fit_are_left_to_be_refused() {
    let inputs = json!({"n": {"type": "integer"}, "choice": {"enum": ["a", "b"], "default": "a"}, "x": {"type": ["string", "null"], "default": null}});
    let renderer = Renderer::new(&closure(&["{{ n }}{{ choice }}{{ x }}"], &[], inputs)).unwrap();
    let render =
        |values: Value| in_place(&renderer, values.as_object().unwrap()).map(|rendered| rendered.messages[0].content.clone());
    assert_eq!(render(json!({"n": 1})).unwrap(), "1aNone");
    assert_eq!(render(json!({"n": 1, "choice": "b", "x": "y"})).unwrap(), "1by");
    for values in [
        json!({}),
        json!({"n": "1"}),
        json!({"n": true}),
        json!({"n": 1, "choice": "c"}),
        json!({"n": 1, "x": 2}),
        json!({"n": 1, "y": 2}),
    ] {
        assert_eq!(render(values.clone()), None);
        assert!(renderer.render(values.as_object().unwrap()).is_err(), "{values}");
    }
}

#[test]
fn what_might_be_too_much_is_left_to_the_engine() {
    let many: Vec<Value> = (0..5000).map(|number| json!({ "n": number })).collect();
    let values = json!({"many": many, "long": "x".repeat(100_000)});
    let inputs = json!({"many": {}, "long": {}});
    let in_loops = |template: &str| {
        let renderer = Renderer::new(&closure(&[template], &[], inputs.clone())).unwrap();
        (in_place(&renderer, values.as_object().unwrap()).is_some(), renderer.render(values.as_object().unwrap()))
    };
    assert!(matches!(in_loops("{% for one in many %}{{ one.n }}{% endfor %}"), (true, Ok(_))));
    assert!(matches!(
        in_loops("{% for a in many %}{% for b in many %}{{ b.n }}{% endfor %}{% endfor %}"),
        (false, Err(RenderError::TooMuchWork { .. }))
    ));
    assert!(matches!(in_loops("{% for one in many %}{{ long }}{% endfor %}"), (false, Err(RenderError::TooMuchWork { .. }))));
    let large = format!("{{% for one in many %}}{}{{% endfor %}}", "{{ long }}".repeat(100));
    assert!(matches!(in_loops(&large), (false, Err(RenderError::TooMuchWork { .. } | RenderError::TooLarge { .. }))));
}

#[test]
fn includes_within_includes_do_not_grow_without_end() {
    let names: Vec<String> = (0..12).map(|level| format!("shared.level-{}@1", char::from(b'a' + level))).collect();
    let twice = |name: &String| format!("{{% include '{name}' %}}{{% include '{name}' %}}");
    let texts: Vec<String> = names.iter().skip(1).map(twice).chain(["x".to_owned()]).collect();
    let includes: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let renderer = Renderer::new(&closure(&[&twice(&names[0])], &includes, json!({}))).unwrap();
    assert_eq!(in_place(&renderer, &Map::new()), None);
    let deep = format!("{}{}", "{% if yes %}".repeat(30), "{% endif %}".repeat(30));
    assert!(!is_rendered_in_place(&deep));
}

fn any_expression() -> impl Strategy<Value = String> {
    let place = prop_oneof![
        prop::sample::select(values().keys().cloned().collect::<Vec<_>>()),
        prop::sample::select(vec![
            "item",
            "item.title",
            "item.tags",
            "item.missing",
            "user.name",
            "user['address']",
            "user.address.city",
            "loop.index",
            "loop.last",
            "unknown"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec!["'Ada'", "''", "3", "0", "true", "none", "-1", "2.5"]).prop_map(str::to_owned),
    ];
    place.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            4 => inner.clone(),
            1 => inner.clone().prop_map(|one| format!("{one}|length")),
            1 => inner.clone().prop_map(|one| format!("({one} is none)")),
            1 => inner.clone().prop_map(|one| format!("(not {one})")),
            2 => (inner.clone(), prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "and", "or"]), inner.clone()).prop_map(|(one, operator, other)| format!("({one} {operator} {other})")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(one, test, other)| format!("({one} if {test} else {other})")),
        ]
    })
}

fn any_template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "text",
            "\n",
            "  ",
            "{# note #}",
            "{% include 'shared.tone@3' %}",
            "{% include 'shared.item@1' %}",
            "x\n"
        ])
        .prop_map(str::to_owned),
        (any_expression(), prop::sample::select(vec!["{{ ", "{{- "]), prop::sample::select(vec![" }}", " -}}"]))
            .prop_map(|(expression, before, after)| format!("{before}{expression}{after}")),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let body = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        prop_oneof![
            2 => body.clone(),
            2 => (any_expression(), body.clone(), body.clone()).prop_map(|(test, then, otherwise)| format!("{{% if {test} -%}}{then}{{% else %}}{otherwise}{{% endif %}}")),
            3 => (prop::sample::select(vec!["item", "word", "name"]), any_expression(), body.clone(), body)
                .prop_map(|(item, list, body, otherwise)| format!("{{% for {item} in {list} %}}{body}{{%- else %}}{otherwise}{{% endfor %}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_program_renders_what_the_engine_does(template in any_template()) {
        let Ok(renderer) = Renderer::new(&closure(&[&template], &INCLUDES, any_input())) else { return Ok(()) };
        if let Some(rendered) = in_place(&renderer, &values()) {
            prop_assert_eq!(rendered, by_engine(&renderer, &values()).map_err(|error| TestCaseError::fail(error.to_string()))?);
        }
    }
}
