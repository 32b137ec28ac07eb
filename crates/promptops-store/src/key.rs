//! Which keys are allowed, so that one key means one object on every backend.

use crate::error::StoreError;

/// Longest key in bytes; S3 allows 1,024 including the store's own prefix.
const MAX_KEY_BYTES: usize = 800;
/// Longest segment in bytes; file systems allow 255, and the local backend appends `#` and a number while it writes.
const MAX_SEGMENT_BYTES: usize = 240;

/// Checks the key of one object.
///
/// Narrower than any backend on purpose: no byte that a URL, a shell or Windows would treat specially, no `#` (the local
/// backend's mark of unfinished files), nothing that needs escaping and could be escaped in two ways.
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() {
        return Err(invalid(key, "an empty key"));
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(invalid(key, "the key is longer than 800 bytes"));
    }
    for segment in key.split('/') {
        check_segment(key, segment)?;
    }
    Ok(())
}

/// Checks a folder to list: a key, the empty string, or either with a `/` behind; returns it without that `/`.
pub(crate) fn check_prefix(prefix: &str) -> Result<&str, StoreError> {
    let folder = prefix.strip_suffix('/').unwrap_or(prefix);
    if folder.is_empty() {
        return if prefix.is_empty() { Ok("") } else { Err(invalid(prefix, "the prefix begins with `/`")) };
    }
    check_key(folder)?;
    Ok(folder)
}

fn check_segment(key: &str, segment: &str) -> Result<(), StoreError> {
    match segment {
        "" => return Err(invalid(key, "the key has an empty segment")),
        "." | ".." => return Err(invalid(key, "the key has a relative segment")),
        _ => {}
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(invalid(key, "a segment of the key is longer than 240 bytes"));
    }
    if !segment.bytes().all(is_portable) {
        return Err(invalid(key, "the key has a character that not every store accepts"));
    }
    Ok(())
}

fn is_portable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._=+@~-".contains(&byte)
}

fn invalid(key: &str, reason: &'static str) -> StoreError {
    StoreError::InvalidKey { key: key.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_registry_layout_are_allowed() {
        for key in [
            "format.json",
            "blobs/sha256/00ff",
            "prompts/customer-support.intent-classifier/0000000002.json",
            "environments/prod/00000000000000000001.json",
            "tile/0/x001/067.p/5",
            ".hidden",
            "a..b/-.json",
        ] {
            assert!(check_key(key).is_ok(), "{key}");
        }
    }

    #[test]
    fn keys_that_backends_would_read_differently_are_refused() {
        let long_segment = "a".repeat(241);
        let long_key = vec!["a".repeat(100); 9].join("/");
        for key in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            "a b",
            "a#1",
            "a%2Fb",
            "a:b",
            "a\\b",
            "a\0b",
            "é",
            "a?b",
            "a*b",
            &long_segment,
            &long_key,
        ] {
            let refused = check_key(key);
            assert!(matches!(refused, Err(StoreError::InvalidKey { .. })), "{key:?}: {refused:?}");
        }
    }

    #[test]
    fn a_prefix_may_be_empty_or_end_with_a_slash() {
        assert_eq!(check_prefix("").ok(), Some(""));
        assert_eq!(check_prefix("a").ok(), Some("a"));
        assert_eq!(check_prefix("a/b/").ok(), Some("a/b"));
        for prefix in ["/", "//", "/a", "a//", "..", "a#1/"] {
            assert!(check_prefix(prefix).is_err(), "{prefix:?}");
        }
    }
}
