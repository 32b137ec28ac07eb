//! `html-valid`: the answer is HTML and nothing else.

use std::sync::LazyLock;

use regex::Regex;
use scraper::{Html, Node};
use serde_json::{Value, json};

use super::{Building, Judged, Judgement, Score, Scorer, Settings};

/// The longest answer that is read, in bytes.
const MAX_BYTES: usize = 10 << 20;

/// Elements of HTML besides those that every parser adds by itself.
const ELEMENTS: [&str; 110] = [
    "a",
    "abbr",
    "address",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "button",
    "canvas",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "datalist",
    "dd",
    "del",
    "details",
    "dfn",
    "dialog",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "link",
    "main",
    "map",
    "mark",
    "math",
    "menu",
    "meta",
    "meter",
    "nav",
    "noscript",
    "object",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "param",
    "picture",
    "pre",
    "progress",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "script",
    "section",
    "select",
    "slot",
    "small",
    "source",
    "span",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "track",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
];

/// A `<body>` that stands in the text; parsers add one where there is none.
static WRAPPERS: LazyLock<[(&str, Regex); 3]> = LazyLock::new(|| {
    ["html", "head", "body"].map(|name| {
        let pattern = Regex::new(&format!(r"(?i)<{name}[\s>/]")).expect("a constant pattern");
        (name, pattern)
    })
});

/// Passes an answer that is HTML as browsers read it: at least one element that HTML knows, or a custom one, and no text beside elements
/// unless it stands in a `<body>`. An answer that begins with an XML declaration is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HtmlValid;

impl Settings for HtmlValid {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(*self))
    }
}

impl Scorer for HtmlValid {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        match fault(&judged.answer.text) {
            None => Score::pass().into(),
            Some(fault) => Score::fail(fault).into(),
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "html-valid"})
    }
}

/// Says why a text is no HTML.
fn fault(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Some("the answer is empty");
    }
    if text.len() > MAX_BYTES {
        return Some("the answer is too long to be read as HTML");
    }
    if text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("<?xml")) {
        return Some("the answer is XML, not HTML");
    }
    let is_written = |name: &str| WRAPPERS.iter().any(|(wrapper, pattern)| *wrapper == name && pattern.is_match(text));
    let document = Html::parse_document(text);
    let body = document.tree.nodes().find(|node| matches!(node.value(), Node::Element(element) if element.name() == "body"));
    let has_text = body
        .is_some_and(|body| body.children().any(|child| matches!(child.value(), Node::Text(text) if !text.trim().is_empty())));
    if has_text && !is_written("body") {
        return Some("there is text outside of elements");
    }
    let is_known = |name: &str| match name {
        "html" | "head" | "body" => is_written(name),
        name => ELEMENTS.contains(&name) || name.contains('-'),
    };
    let mut elements = document.tree.nodes().filter_map(|node| node.value().as_element());
    if elements.any(|element| is_known(element.name())) { None } else { Some("there is no element of HTML") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn html_is_elements_and_nothing_beside_them() {
        for html in [
            "<p>Hello</p>",
            " <!DOCTYPE html><title>x</title>",
            "<body>text</body>",
            "<my-card>x</my-card>",
            "<br>",
            "<P>x",
            "<html></html>",
        ] {
            assert_eq!(fault(html), None, "{html}");
        }
        let faults = [
            ("", "the answer is empty"),
            ("Hello <b>you</b>", "there is text outside of elements"),
            ("<?xml version='1.0'?><p/>", "the answer is XML, not HTML"),
            ("<note>x</note>", "there is no element of HTML"),
            ("<!-- nothing -->", "there is no element of HTML"),
            ("é<", "there is text outside of elements"),
        ];
        for (text, expected) in faults {
            assert_eq!(fault(text), Some(expected), "{text}");
        }
        let negated = scorer("{type: html-valid, not: true}", None).unwrap();
        assert!(judge(negated.as_ref(), "plain", &case(json!({}))).passed);
    }
}
