//! What is evaluated: one version of a prompt, ready to be rendered.

use promptops_prompt::{Closure, Content, Digest, PromptRef, RenderError, Renderer};
use serde_json::{Map, Value};

use crate::client::Call;

/// One version of a prompt, compiled.
#[derive(Debug)]
pub struct Subject {
    /// Its name and version.
    pub reference: PromptRef,
    /// The digest of its content (G1).
    pub digest: Digest,
    /// Its content: model, parameters, inputs, output.
    pub content: Content,
    renderer: Renderer,
}

impl Subject {
    /// Compiles the templates of a version.
    ///
    /// # Errors
    /// As [`Renderer::new`].
    pub fn new(reference: PromptRef, closure: &Closure) -> Result<Self, RenderError> {
        let renderer = Renderer::new(closure)?;
        Ok(Self { reference, digest: closure.root.digest(), content: closure.root.clone(), renderer })
    }

    /// Returns the question that this version asks with these inputs.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn call(&self, inputs: &Map<String, Value>) -> Result<Call, RenderError> {
        let rendered = self.renderer.render(inputs)?;
        Ok(Call {
            model: self.content.model.clone(),
            messages: rendered.messages,
            parameters: self.content.parameters.clone(),
            tools: self.content.tools.clone(),
        })
    }

    /// Returns the digest of the parameters and tools of the call.
    pub fn parameters_digest(&self) -> Digest {
        Digest::of_json(&serde_json::json!([self.content.parameters, self.content.tools]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use promptops_prompt::{Body, Role};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_has_the_rendered_messages_and_the_parameters() {
        let content = Content {
            model: "m".into(),
            parameters: json!({"temperature": 0}).as_object().unwrap().clone(),
            inputs: [("message".to_owned(), json!({"type": "string"}))].into(),
            output: None,
            tools: None,
            body: Body::Template("Say {{ message }}".into()),
            includes: BTreeMap::new(),
        };
        let subject = Subject::new("a.b@2".parse().unwrap(), &Closure::of(content)).unwrap();
        let call = subject.call(json!({"message": "hi"}).as_object().unwrap()).unwrap();
        assert_eq!((call.messages[0].role, call.messages[0].content.as_str()), (Role::User, "Say hi"));
        assert_eq!(call.to_json()["parameters"], json!({"temperature": 0}));
        assert!(subject.call(&Map::new()).is_err());
    }
}
