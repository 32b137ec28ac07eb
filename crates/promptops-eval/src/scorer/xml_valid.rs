//! `xml-valid`: the answer is one XML document and nothing else.

use roxmltree::{Document, ParsingOptions};
use serde_json::{Value, json};

use super::xml_text::{Elements, MAX_BYTES};
use super::{Building, Judged, Judgement, Score, Scorer, Settings, excerpt};
use crate::spec::fields::Fields;

/// Passes an answer that is a well-formed document, names of whose namespaces are declared, with all the elements that are asked for. A
/// document that declares entities or elements itself fails: nobody but an attacker does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlValid {
    elements: Vec<String>,
}

impl XmlValid {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        Self { elements: fields.texts("elements").unwrap_or_default() }
    }
}

impl Settings for XmlValid {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for XmlValid {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let text = &judged.answer.text;
        if text.len() > MAX_BYTES {
            return Score::fail("the answer is too long to be read as XML").into();
        }
        let options = ParsingOptions { allow_dtd: !declares(text), ..ParsingOptions::default() };
        if let Err(error) = Document::parse_with_options(text, options) {
            return Score::fail(format!("no XML document ({error}): {}", excerpt(text))).into();
        }
        match Elements::find(text).missing(&self.elements) {
            None => Score::pass().into(),
            Some(path) => Score::fail(format!("there is no element `{path}`")).into(),
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "xml-valid", "elements": self.elements})
    }
}

/// Tells whether the document type has declarations of its own, in brackets.
fn declares(text: &str) -> bool {
    let Some(start) = text.find("<!DOCTYPE") else { return false };
    let mut quote = None;
    for character in text[start..].chars() {
        match (quote, character) {
            (Some(open), character) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '[') => return true,
            (None, '>') => return false,
            (None, _) => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn a_document_is_well_formed_and_alone() {
        let valid = scorer("{type: xml-valid}", None).unwrap();
        let judged = |text: &str| judge(valid.as_ref(), text, &case(json!({})));
        for document in ["<a/>", "<?xml version=\"1.0\"?>\n<a b='c'>d &amp; e</a>\n", "<!DOCTYPE a><a/>", "<x:a xmlns:x='u'/>"] {
            assert!(judged(document).passed, "{document}");
        }
        for other in [
            "",
            "Sure: <a/>",
            "<a>",
            "<a/><b/>",
            "<a>R & D</a>",
            "<a b=c/>",
            "<x:a/>",
            " <?xml version='1.0'?><a/>",
            "<a>&nbsp;</a>",
        ] {
            assert!(!judged(other).passed, "{other}");
        }
        let bomb = "<!DOCTYPE a [<!ENTITY b 'cc'>]><a>&b;</a>";
        assert!(judged(bomb).note.unwrap().starts_with("no XML document"), "{bomb}");
        assert!(!judged(&"<a>".repeat(300_000)).passed);
    }

    #[test]
    fn elements_that_are_asked_for_must_be_there() {
        let with_elements = scorer("{type: xml-valid, elements: [order, order.item]}", None).unwrap();
        assert!(judge(with_elements.as_ref(), "<order><item/></order>", &case(json!({}))).passed);
        let lacking = judge(with_elements.as_ref(), "<order/>", &case(json!({})));
        assert_eq!(lacking.note.unwrap(), "there is no element `order.item`");
    }
}
