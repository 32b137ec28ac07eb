//! Places in a text as others count them: lines and columns in characters, or in the units of UTF-16.

/// Keeps a byte inside the text, at the start of a character.
pub fn floor(text: &str, byte: usize) -> usize {
    text.floor_char_boundary(byte.min(text.len()))
}

/// Returns the start of the line that holds a byte, and its number from 0.
fn line(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte];
    (before.rfind('\n').map_or(0, |at| at + 1), before.bytes().filter(|byte| *byte == b'\n').count())
}

/// The line and column (from 1, in characters) of a byte of `text`.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let byte = floor(text, byte);
    let (start, number) = line(text, byte);
    (number + 1, text[start..byte].chars().count() + 1)
}

/// The line and column (from 0, in units of UTF-16) of a byte of `text`.
pub fn utf16(text: &str, byte: usize) -> (usize, usize) {
    let byte = floor(text, byte);
    let (start, number) = line(text, byte);
    (number, text[start..byte].encode_utf16().count())
}

/// The byte of a line and column (from 0, in units of UTF-16); what lies beyond a line is its end, what lies beyond the text its end.
pub fn byte_at_utf16(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let content = text[start..].lines().next().unwrap_or_default();
    let mut units = 0;
    for (at, character) in content.char_indices() {
        if units >= column {
            return start + at;
        }
        units += character.len_utf16();
    }
    start + content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_and_units() {
        let text = "a\nü😀x\r\nz";
        let x = text.find('x').unwrap();
        assert_eq!(line_and_column(text, x), (2, 3));
        assert_eq!(utf16(text, x), (1, 3));
        assert_eq!(utf16(text, x - 1), (1, 1), "the middle of a character is its start");
        assert_eq!(utf16(text, 1000), (2, 1));
    }

    #[test]
    fn finds_bytes_again() {
        let text = "a\nü😀x\r\nz";
        for byte in (0..text.len()).filter(|byte| text.is_char_boundary(*byte) && text.as_bytes()[*byte] != b'\n') {
            let (line, column) = utf16(text, byte);
            assert_eq!(byte_at_utf16(text, line, column), byte);
        }
        assert_eq!(byte_at_utf16(text, 1, 99), text.find('\r').unwrap());
        assert_eq!(byte_at_utf16(text, 99, 0), text.len());
    }
}
