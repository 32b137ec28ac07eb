//! Reads the small text files that people write: configuration, owners, mappings.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

/// The most bytes that such a file may have.
const MAX_BYTES: u64 = 4 << 20;

/// Reads a regular file of bounded size as text.
///
/// What is no file would be waited for without end (a pipe) or read without end (a device), so it is refused before it is opened.
pub fn read(path: &Path) -> Result<String> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::InvalidData, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::new(ErrorKind::InvalidData, format!("it is larger than {MAX_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to() + 1;
        Error::new(ErrorKind::InvalidData, format!("it is not text in UTF-8; the first wrong byte is number {place}"))
    })
}
