//! What a configuration's own texts come to: values of assertions and variables whose templates are filled in beforehand.

use std::collections::{BTreeMap, HashMap};

use promptops_prompt::{Body, Closure, Content, Renderer};
use serde_json::{Map, Value, json};

use super::template::{self, Translated};

/// Renders templates, each compiled once.
#[derive(Debug, Default)]
pub(super) struct Engine {
    compiled: HashMap<String, Result<(Translated, Renderer), String>>,
}

impl Engine {
    /// Fills a template in. A variable that is not there prints nothing.
    ///
    /// # Errors
    /// Why the template cannot be taken over, for people.
    pub(super) fn render(&mut self, text: &str, vars: &Map<String, Value>) -> Result<String, String> {
        if !template::is_template(text) {
            return Ok(text.to_owned());
        }
        let compiled = self.compiled.entry(text.to_owned()).or_insert_with(|| compile(text));
        let (translated, renderer) = compiled.as_ref().map_err(Clone::clone)?;
        let values: Map<String, Value> = translated
            .variables()
            .into_iter()
            .map(|name| (name.to_owned(), vars.get(name).filter(|value| !value.is_null()).cloned().unwrap_or_else(|| json!(""))))
            .collect();
        let given: Map<String, Value> =
            vars.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect();
        translated.check(&given)?;
        let rendered = renderer.render(&values).map_err(|error| error.to_string())?;
        Ok(rendered.messages.into_iter().map(|message| message.content).collect())
    }
}

fn compile(text: &str) -> Result<(Translated, Renderer), String> {
    let translated = template::translate(text).map_err(|refused| refused.message)?;
    let content = Content {
        model: "none".to_owned(),
        parameters: Map::new(),
        inputs: translated.variables().into_iter().map(|name| (name.to_owned(), json!({}))).collect(),
        output: None,
        tools: None,
        body: Body::Template(translated.text.clone()),
        includes: BTreeMap::new(),
    };
    let renderer = Renderer::new(&Closure::of(content)).map_err(|error| error.to_string())?;
    Ok((translated, renderer))
}

/// Puts variables into the texts of others, as promptfoo does before it renders a prompt.
///
/// # Errors
/// The variable whose text is a template beyond that, for people.
pub(super) fn resolve(vars: &mut Map<String, Value>) -> Result<(), String> {
    let pattern = regex::Regex::new(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}").map_err(|error| error.to_string())?;
    let names: Vec<String> = vars.keys().cloned().collect();
    for _ in 0..5 {
        let mut is_resolved = true;
        for name in &names {
            let Some(Value::String(text)) = vars.get(name) else { continue };
            let Some(found) = pattern.captures(text) else { continue };
            let Some(value) = vars.get(&found[1]) else { continue };
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return Err(format!("`{name}` has `{}` in its text, which is no text itself", &found[1])),
            };
            let resolved = text.replacen(&found[0], &value, 1);
            vars.insert(name.clone(), Value::from(resolved));
            is_resolved = false;
        }
        if is_resolved {
            break;
        }
    }
    for (name, value) in &*vars {
        let Value::String(text) = value else { continue };
        // A name that is not given stays as it stands.
        let rest = pattern.replace_all(
            text,
            |found: &regex::Captures<'_>| {
                if vars.contains_key(&found[1]) { found[0].to_owned() } else { String::new() }
            },
        );
        if template::is_template(&rest) {
            return Err(format!("the text of `{name}` is a template itself"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_in_the_texts_of_others() {
        let mut vars =
            json!({"a": "{{b}} and {{ c }}", "b": "<{{c}}>", "c": 1, "d": "{{ missing }}"}).as_object().unwrap().clone();
        resolve(&mut vars).unwrap();
        assert_eq!(Value::from(vars), json!({"a": "<1> and 1", "b": "<1>", "c": 1, "d": "{{ missing }}"}));
        let mut loops = json!({"a": "{{a}}"}).as_object().unwrap().clone();
        assert_eq!(resolve(&mut loops).unwrap_err(), "the text of `a` is a template itself");
    }

    #[test]
    fn what_is_missing_prints_nothing() {
        let mut engine = Engine::default();
        let vars = json!({"city": "Paris", "n": 2, "empty": null}).as_object().unwrap().clone();
        assert_eq!(engine.render("{{ city }}-{{ n }}-{{ empty }}-{{ other }}", &vars).unwrap(), "Paris-2--");
        assert_eq!(engine.render("plain", &vars).unwrap(), "plain");
        assert_eq!(
            engine.render("{{ city | dump }}", &vars).unwrap_err(),
            "the filter `dump` with 0 arguments is not taken over"
        );
    }
}
