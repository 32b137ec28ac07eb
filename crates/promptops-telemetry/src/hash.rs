//! Hashes of content, and ids derived from them.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Hashes text as `sha256:` and 64 lower-case hexadecimal digits of its UTF-8 bytes.
///
/// This is the form of `input_hash`, `parameters_hash` and `tools_hash`: equal text, equal hash.
#[must_use]
pub fn content_hash(text: &str) -> String {
    format!("sha256:{:x}", Sha256::digest(text.as_bytes()))
}

/// Derives the id of a record from what identifies it at its source.
///
/// The result is a UUIDv8 (RFC 9562 §5.8): 48 bits of Unix time in milliseconds, as in a UUIDv7, so that ids sort by
/// time, then 74 bits of SHA-256 over `parts`. Each part is preceded by its length, so that no two lists of parts are
/// confused. Times before 1970 count as 1970.
pub(crate) fn derived_id(time: DateTime<Utc>, parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let hash = hasher.finalize();
    let mut bytes = [0_u8; 16];
    let milliseconds = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&hash[..10]);
    // `new_v8` sets the bits of version and variant.
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_hash_is_sha256_of_the_bytes() {
        // Value of `printf 'é' | sha256sum`.
        assert_eq!(content_hash("é"), "sha256:4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c");
    }

    #[test]
    fn derived_ids_are_version_8_and_sort_by_time() {
        let early: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
        let late: DateTime<Utc> = "2026-05-01T12:00:00.001Z".parse().unwrap();
        let id = derived_id(early, &[b"a", b"b"]);
        assert_eq!(id.get_version_num(), 8);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id, derived_id(early, &[b"a", b"b"]));
        for salt in 0..64_u8 {
            assert!(derived_id(late, &[&[salt]]) > derived_id(early, &[&[salt, 1]]));
        }
    }

    #[test]
    fn parts_are_not_confused() {
        let time = DateTime::UNIX_EPOCH;
        assert_ne!(derived_id(time, &[b"ab", b"c"]), derived_id(time, &[b"a", b"bc"]));
        assert_ne!(derived_id(time, &[b"ab"]), derived_id(time, &[b"ab", b""]));
    }
}
