//! `contains-xml`: the answer has elements of XML in it, amid other text.

use serde_json::{Value, json};

use super::xml_text::{Elements, MAX_BYTES};
use super::{Building, Judged, Judgement, Score, Scorer, Settings, excerpt};
use crate::spec::fields::Fields;

/// Passes an answer with an element, and where some are asked for, with all of them.
///
/// An element is a pair of tags, or a tag that closes itself. What stands in it may be written as models write it: a bare `&`, or a value
/// without quotes, is forgiven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainsXml {
    elements: Vec<String>,
}

impl ContainsXml {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        Self { elements: fields.texts("elements").unwrap_or_default() }
    }
}

impl Settings for ContainsXml {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for ContainsXml {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let text = &judged.answer.text;
        if text.len() > MAX_BYTES {
            return Score::fail("the answer is too long to look for XML in it").into();
        }
        let found = Elements::find(text);
        match found.missing(&self.elements) {
            _ if found.is_empty() => Score::fail(format!("there is no XML in `{}`", excerpt(text))).into(),
            None => Score::pass().into(),
            Some(path) => Score::fail(format!("there is no element `{path}`")).into(),
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "contains-xml", "elements": self.elements})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn xml_is_found_amid_text() {
        let contains = scorer("{type: contains-xml}", None).unwrap();
        let judged = |text: &str| judge(contains.as_ref(), text, &case(json!({})));
        assert!(judged("Here you are:\n```xml\n<a>R & D</a>\n```").passed);
        assert_eq!(judged("a < b").note.unwrap(), "there is no XML in `a < b`");
        let with_elements = scorer("{type: contains-xml, elements: [a, b.c], not: true}", None).unwrap();
        assert!(!judge(with_elements.as_ref(), "<a/> and <b><c/></b>", &case(json!({}))).passed);
        assert!(judge(with_elements.as_ref(), "<a/> and <b/>", &case(json!({}))).passed);
    }
}
