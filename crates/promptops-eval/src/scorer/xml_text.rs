//! Elements of XML in a text, found as tags that open and close.

use std::ops::Range;

/// The longest text that is looked through, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The most elements that are kept of a text.
const MAX_ELEMENTS: usize = 100_000;

/// An element, from the first to the last byte of its tags.
#[derive(Debug, Clone)]
struct Element {
    name: String,
    attributes: Vec<String>,
    range: Range<usize>,
    /// Whether there is text between its tags that is not of other elements.
    parent: Option<usize>,
}

/// The elements that a text has whole, those within others after them.
#[derive(Debug, Default)]
pub(super) struct Elements {
    all: Vec<Element>,
}

/// A tag.
enum Tag<'a> {
    /// A comment, a section of characters, a declaration or an instruction.
    Other,
    Opening {
        name: &'a str,
        attributes: Vec<String>,
        is_closed: bool,
    },
    Closing {
        name: &'a str,
    },
}

impl Elements {
    /// Looks through a text. A tag that closes what is not open makes everything open before it no element.
    pub(super) fn find(text: &str) -> Self {
        let mut found: Vec<(Element, Option<usize>)> = Vec::new();
        // Opening tags without their end: name, attributes, start, and the number of their own.
        let mut open: Vec<(&str, Vec<String>, usize, usize)> = Vec::new();
        let mut opened = 0;
        let mut at = 0;
        while let Some(start) = text[at..].find('<').map(|found| at + found) {
            let Some((tag, end)) = tag(text, start) else {
                at = start + 1;
                continue;
            };
            at = end;
            if found.len() >= MAX_ELEMENTS {
                break;
            }
            match tag {
                Tag::Other => {}
                Tag::Opening { name, attributes, is_closed: true } => {
                    let parent = open.last().map(|(.., number)| *number);
                    found.push((Element { name: name.to_owned(), attributes, range: start..end, parent }, None));
                }
                Tag::Opening { name, attributes, is_closed: false } => {
                    open.push((name, attributes, start, opened));
                    opened += 1;
                }
                Tag::Closing { name } => match open.pop() {
                    Some((opening, attributes, start, number)) if opening == name => {
                        let parent = open.last().map(|(.., number)| *number);
                        found.push((Element { name: name.to_owned(), attributes, range: start..end, parent }, Some(number)));
                    }
                    _ => open.clear(),
                },
            }
        }
        // Parents are known by the number of their opening tag, and only those that were closed are elements.
        found.sort_by_key(|(element, _)| element.range.start);
        let place_of: std::collections::HashMap<usize, usize> =
            found.iter().enumerate().filter_map(|(place, (_, number))| Some(((*number)?, place))).collect();
        let all = found
            .into_iter()
            .map(|(element, _)| Element { parent: element.parent.and_then(|number| place_of.get(&number).copied()), ..element });
        Self { all: all.collect() }
    }

    /// Tells whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the first of some paths that leads nowhere, from the outermost elements: `order.item` is an element `item` in an
    /// element `order`, `order.@_id` an attribute. Of several elements of one name beside each other a number says which: `order.item.0`.
    pub(super) fn missing<'a>(&self, paths: &'a [String]) -> Option<&'a str> {
        let outermost: Vec<usize> = (0..self.all.len()).filter(|place| self.all[*place].parent.is_none()).collect();
        paths.iter().find(|path| !self.leads(&outermost, &path.split('.').collect::<Vec<_>>())).map(String::as_str)
    }

    fn leads(&self, among: &[usize], path: &[&str]) -> bool {
        let Some((name, rest)) = path.split_first() else { return true };
        let named: Vec<usize> = among.iter().copied().filter(|place| self.all[*place].name == *name).collect();
        match (named.as_slice(), rest) {
            ([], _) => false,
            (_, []) => true,
            ([one], _) => self.leads_on(*one, rest),
            (several, [number, rest @ ..]) => {
                let place = number.parse::<usize>().ok().filter(|place| place.to_string() == *number);
                place.and_then(|place| several.get(place)).is_some_and(|one| self.leads_on(*one, rest))
            }
        }
    }

    fn leads_on(&self, element: usize, rest: &[&str]) -> bool {
        if let [attribute] = rest
            && let Some(attribute) = attribute.strip_prefix("@_")
        {
            return self.all[element].attributes.iter().any(|name| name == attribute);
        }
        let children: Vec<usize> = (element + 1..self.all.len())
            .take_while(|place| self.all[*place].range.start < self.all[element].range.end)
            .filter(|place| self.all[*place].parent == Some(element))
            .collect();
        self.leads(&children, rest)
    }
}

/// Reads the tag at a place, and where it ends; nothing where there is none.
fn tag(text: &str, start: usize) -> Option<(Tag<'_>, usize)> {
    let rest = &text[start + 1..];
    let until = |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |found| from + found + end.len());
    if rest.starts_with("!--") {
        return Some((Tag::Other, until(start + 4, "-->")));
    }
    if rest.starts_with("![CDATA[") {
        return Some((Tag::Other, until(start + 9, "]]>")));
    }
    if rest.starts_with('?') {
        return Some((Tag::Other, until(start + 2, "?>")));
    }
    if rest.starts_with('!') {
        return Some((Tag::Other, declaration_end(text, start + 2)));
    }
    if let Some(closing) = rest.strip_prefix('/') {
        let name = name(closing)?;
        return Some((Tag::Closing { name }, tag_end(text, start)?));
    }
    let name = name(rest)?;
    let end = tag_end(text, start)?;
    let inside = text[start + 1 + name.len()..end - 1].trim_end();
    let (inside, is_closed) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
    Some((Tag::Opening { name, attributes: attributes(inside), is_closed }, end))
}

/// Reads the name that a text begins with.
fn name(text: &str) -> Option<&str> {
    let is_start = |character: char| character.is_alphabetic() || matches!(character, ':' | '_');
    let is_more = |character: char| is_start(character) || character.is_numeric() || matches!(character, '-' | '.' | '\u{b7}');
    text.starts_with(is_start).then(|| &text[..text.find(|character| !is_more(character)).unwrap_or(text.len())])
}

/// Finds the end of a tag: behind the `>` that stands in no quotes. A `<` before it says that it was no tag.
fn tag_end(text: &str, start: usize) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'<') => return None,
            (None, b'>') => return Some(at + 1),
            (None, _) => {}
        }
    }
    None
}

/// Finds the end of a declaration, which may have others in brackets.
fn declaration_end(text: &str, from: usize) -> usize {
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => depth += 1,
            (None, b']') => depth = depth.saturating_sub(1),
            (None, b'>') if depth == 0 => return at + 1,
            (None, _) => {}
        }
    }
    text.len()
}

/// Names the attributes in a tag.
fn attributes(inside: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = inside.trim_start();
    while let Some(name) = name(rest) {
        names.push(name.to_owned());
        rest = rest[name.len()..].trim_start();
        if let Some(value) = rest.strip_prefix('=') {
            let value = value.trim_start();
            let end = match value.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
                Some(quote) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
                None => value.find(char::is_whitespace).unwrap_or(value.len()),
            };
            rest = value[end..].trim_start();
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(text: &str, paths: &[&str]) -> Option<String> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        Elements::find(text).missing(&paths).map(str::to_owned)
    }

    #[test]
    fn elements_are_found_by_their_path() {
        let text = "So: <order id='7'><item>a</item><note kind=\"x > y\"/></order> and <end/>.";
        assert_eq!(missing(text, &["order", "order.item", "order.@_id", "order.note.@_kind", "end"]), None);
        assert_eq!(missing(text, &["order.item.a"]).as_deref(), Some("order.item.a"));
        assert_eq!(missing(text, &["item"]).as_deref(), Some("item"), "it is not outermost");
        assert_eq!(missing(text, &[""]).as_deref(), Some(""));
        let several = "<list><item><b/></item><item/></list>";
        assert_eq!(missing(several, &["list.item", "list.item.0.b", "list.item.1"]), None);
        assert_eq!(missing(several, &["list.item.b"]).as_deref(), Some("list.item.b"));
        assert_eq!(missing(several, &["list.item.2"]).as_deref(), Some("list.item.2"));
    }

    #[test]
    fn only_what_opens_and_closes_is_an_element() {
        for none in
            ["", "a < b and c > d", "<a>", "</a>", "<a></b>", "<!-- <a/> -->", "<![CDATA[<a/>]]>", "<?x <a/> ?>", "<1/>", "<a <b"]
        {
            assert!(Elements::find(none).is_empty(), "{none}");
        }
        for one in
            ["<a/>", "<a></a>", "<é:ü/>", "x <br> <a>1</a>", "<!DOCTYPE a [<!ENTITY b \"]>\">]><a/>", "<a>R & D &nbsp;</a>"]
        {
            assert_eq!(Elements::find(one).all.len(), 1, "{one}");
        }
        // What was never closed is nobody's parent.
        assert_eq!(missing("<br> <a>1</a>", &["a"]), None);
        assert!(!Elements::find(&"<a>".repeat(50_000)).all.iter().any(|element| element.name != "a"));
    }
}
