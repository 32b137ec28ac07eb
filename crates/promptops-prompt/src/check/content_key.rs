//! A quick name for the content of a draft, for telling whether two are the same.
//!
//! The digest of a version (G1) is over canonical JSON, which costs several times as much to make as all checks of a file
//! together. Here the same parts are hashed as they stand. Two keys are equal exactly when the contents without their
//! includes' digests are; a test holds that against the digest.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::draft::Draft;

/// Names a content: SHA-256 over its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentKey([u8; 32]);

/// Returns the key of a complete draft.
pub(super) fn of(draft: &Draft) -> ContentKey {
    let mut parts = Parts(Vec::with_capacity(4096));
    parts.text(draft.model.as_ref().map_or("", |model| &model.value));
    parts.object(draft.parameters.iter().map(|(name, value)| (name.as_str(), value)).collect());
    parts.object(draft.inputs.iter().map(|(name, schema)| (name.value.as_str(), schema)).collect());
    parts.optional(draft.output.as_ref().map(|output| &output.value));
    parts.optional(draft.tools.as_ref());
    parts.0.push(u8::from(draft.has_messages));
    parts.length(draft.templates.len());
    for template in &draft.templates {
        parts.text(template.role.name());
        parts.text(template.text());
    }
    ContentKey(Sha256::digest(&parts.0).into())
}

/// Bytes that say where each part ends, so that no two contents give the same.
struct Parts(Vec<u8>);

impl Parts {
    fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&(length as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional(&mut self, value: Option<&Value>) {
        self.0.push(u8::from(value.is_some()));
        value.into_iter().for_each(|value| self.value(value));
    }

    fn object(&mut self, mut pairs: Vec<(&str, &Value)>) {
        pairs.sort_unstable_by_key(|(name, _)| *name);
        self.length(pairs.len());
        for (name, value) in pairs {
            self.text(name);
            self.value(value);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.push(0),
            Value::Bool(truth) => self.0.extend_from_slice(&[1, u8::from(*truth)]),
            Value::Number(number) => {
                // As in canonical JSON, 1 and 1.0 are the same number, and so are 0 and -0.
                let number = number.as_f64().unwrap_or(f64::NAN) + 0.0;
                self.0.push(2);
                self.0.extend_from_slice(&number.to_bits().to_le_bytes());
            }
            Value::String(text) => {
                self.0.push(3);
                self.text(text);
            }
            Value::Array(items) => {
                self.0.push(4);
                self.length(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(map) => {
                self.0.push(5);
                self.object(map.iter().map(|(name, value)| (name.as_str(), value)).collect());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::content::Content;

    fn draft(model: &str, parameters: &str, inputs: &str, template: &str) -> Draft {
        let text = format!(
            "id: a\nversion: 1\nowner: o\nmodel: {model}\ntags: []\nparameters: {parameters}\ninputs: {inputs}\ntemplate: {template}\n"
        );
        let (draft, findings) = Draft::parse("a.yaml", &text);
        assert_eq!(findings, [], "{text}");
        draft
    }

    proptest! {
        /// Equal keys and equal digests are the same thing.
        #[test]
        fn agrees_with_the_digest(pairs in proptest::collection::vec((0..2_usize, 0..6_usize, 0..4_usize, 0..2_usize), 2)) {
            let models = ["m", "n"];
            let parameters = ["{}", "{t: 0}", "{t: 0.0}", "{t: -0.0}", "{t: 0, s: [1, {b: 1, a: x}]}", "{s: [1, {a: x, b: 1.0}], t: 0}"];
            let inputs = ["{}", "{x: {}}", "{x: {default: null}}", "{x: {default: '0'}}"];
            let templates = ["a", "'a '"];
            let drafts: Vec<Draft> =
                pairs.iter().map(|(a, b, c, d)| draft(models[*a], parameters[*b], inputs[*c], templates[*d])).collect();
            let digest = |draft: &Draft| Content::new(&draft.prompt().unwrap(), BTreeMap::new()).own_digest();
            prop_assert_eq!(of(&drafts[0]) == of(&drafts[1]), digest(&drafts[0]) == digest(&drafts[1]));
        }
    }
}
