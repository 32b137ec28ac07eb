//! The description of the API (OpenAPI 3.1), made from the routes themselves.

use serde_json::{Value, json};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::json::MAX_NUMBER;
use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "PromptOps registry",
        description = "Prompts as data assets: published versions that never change, environments, evidence, and the log of all \
                       that. Failures are problems of RFC 9457.",
        version = "1"
    ),
    security(("key" = [])),
    modifiers(&Keys)
)]
pub(crate) struct Description;

struct Keys;

impl Modify for Keys {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some("An API key, `pk_<id>_<secret>`, made by `promptops key create`.".to_owned());
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// Returns the description of the API as JSON: indented, with a final newline.
///
/// # Panics
/// Never: the description is made of strings and numbers.
pub fn document() -> String {
    let (_, description) = routes::described().split_for_parts();
    let mut json = serde_json::to_value(&description).expect("a description is JSON");
    // The router marks a part of a path that has `/` in it; OpenAPI has no such mark.
    if let Some(Value::Object(paths)) = json.get_mut("paths") {
        let renamed = std::mem::take(paths).into_iter().map(|(path, item)| (path.replace("{*", "{"), item));
        *paths = renamed.collect();
    }
    if let Some(Value::Object(prompt)) = json.pointer_mut("/components/schemas/Prompt") {
        prompt.insert("oneOf".to_owned(), json!([{"required": ["template"]}, {"required": ["messages"]}]));
    }
    if let Some(Value::Object(breaking)) = json.pointer_mut("/components/schemas/Metadata/properties/breaking") {
        breaking.insert("patternProperties".to_owned(), json!({"^[1-9][0-9]{0,8}$": {"type": "string"}}));
        breaking.insert("additionalProperties".to_owned(), json!(false));
    }
    bound_numbers(&mut json);
    format!("{json:#}\n")
}

/// Says of every whole number how large it may be, and not in how many bits it is held here.
fn bound_numbers(json: &mut Value) {
    match json {
        Value::Object(map) => {
            if map.get("type").is_some_and(|kind| kind == "integer") {
                map.shift_remove("format");
                map.entry("maximum").or_insert(json!(MAX_NUMBER));
            }
            map.values_mut().for_each(bound_numbers);
        }
        Value::Array(items) => items.iter_mut().for_each(bound_numbers),
        _ => {}
    }
}
