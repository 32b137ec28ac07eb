//! One file of the log.
//!
//! A segment begins with 16 bytes that name the format. Then come frames: the length of the payload and its CRC-32 (IEEE), four bytes
//! each, little-endian, and the payload, whole lines of the wire form. A frame is what was written and synced at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::Invocation;
use crate::v1::InvocationV1;

/// What a segment begins with.
pub(super) const MAGIC: &[u8; 16] = b"promptops log 1\n";
/// Bytes of a frame before its payload.
const HEAD: usize = 8;
const EXTENSION: &str = "segment";

/// A sealed segment: nothing is added to it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// A segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// Try again, or look after the disk.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What was synced has changed since: look after the disk, and restore the file or move it away.
    #[error("`{}` is damaged at byte {at}, before records that are whole", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame begins.
        at: u64,
    },
    /// The file was written by another version, or is none of ours.
    #[error("`{}` is not a segment of this format: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is not as it should be.
        reason: String,
    },
}

impl Segment {
    /// Returns the number; later segments have higher ones.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the bytes it takes on the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the records, in the order in which they were acknowledged.
    ///
    /// # Errors
    /// [`SegmentError`].
    pub fn read(&self) -> Result<Vec<Invocation>, SegmentError> {
        let bytes = fs::read(&self.path).map_err(|source| SegmentError::Read { path: self.path.clone(), source })?;
        let foreign = |reason: String| SegmentError::Foreign { path: self.path.clone(), reason };
        let mut records = Vec::new();
        for payload in frames(&self.path, &bytes)?.payloads {
            for line in payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let wire: InvocationV1 = serde_json::from_slice(line).map_err(|error| foreign(error.to_string()))?;
                let mut has_id = true;
                let record = wire.into_invocation(|_| {
                    has_id = false;
                    uuid::Uuid::nil()
                });
                if !has_id {
                    return Err(foreign("a record has no id".to_owned()));
                }
                records.push(record);
            }
        }
        Ok(records)
    }
}

pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{EXTENSION}"))
}

/// Lists the segments of a folder by number.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let (true, Some(number)) = (is_segment, number) {
            segments.push(Segment { number, bytes: entry.metadata()?.len(), path });
        }
    }
    segments.sort_by_key(|segment| segment.number);
    Ok(segments)
}

/// Adds a frame with this payload to `bytes`.
pub(super) fn frame(bytes: &mut Vec<u8>, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("what is appended is bounded far below 4 GiB");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
}

pub(super) struct Frames<'a> {
    pub(super) payloads: Vec<&'a [u8]>,
    /// Bytes up to the end of the last whole frame; what comes after was cut off while it was written, and never acknowledged.
    pub(super) whole: usize,
}

/// Finds the whole frames of a segment.
///
/// # Errors
/// [`SegmentError::Foreign`], or [`SegmentError::Damaged`] when a frame that is not whole stands before one that is: then it was not
/// cut off, but changed.
pub(super) fn frames<'a>(path: &Path, bytes: &'a [u8]) -> Result<Frames<'a>, SegmentError> {
    let mut frames = Frames { payloads: Vec::new(), whole: 0 };
    if !bytes.starts_with(MAGIC) {
        if MAGIC.starts_with(bytes) {
            return Ok(frames);
        }
        let reason = "it does not begin as one".to_owned();
        return Err(SegmentError::Foreign { path: path.to_owned(), reason });
    }
    frames.whole = MAGIC.len();
    while let Some(payload) = whole_frame(bytes, frames.whole) {
        frames.payloads.push(payload);
        frames.whole += HEAD + payload.len();
    }
    let next = announced(bytes, frames.whole).map(|length| frames.whole + HEAD + length);
    if next.is_some_and(|next| whole_frame(bytes, next).is_some()) {
        return Err(SegmentError::Damaged { path: path.to_owned(), at: frames.whole as u64 });
    }
    Ok(frames)
}

fn announced(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..at + 4)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

fn whole_frame(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = announced(bytes, at)?;
    let checksum = u32::from_le_bytes(*bytes.get(at + 4..at + HEAD)?.first_chunk()?);
    let payload = bytes.get(at + HEAD..at + HEAD + length)?;
    // Nothing empty is ever written; a tail of zeros is what some file systems leave of an append that was cut off.
    (length > 0 && crc32fast::hash(payload) == checksum).then_some(payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        payloads.iter().for_each(|payload| frame(&mut bytes, payload));
        bytes
    }

    proptest! {
        /// However an append is cut off, what was whole before is found, and nothing else.
        #[test]
        fn a_cut_loses_only_what_was_not_whole(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..6), cut in 0_usize..400) {
            let bytes = written(&payloads);
            let kept = &bytes[..bytes.len() - cut.min(bytes.len())];
            let found = frames(Path::new("s"), kept).unwrap();
            prop_assert!(found.payloads.len() <= payloads.len());
            for (found, payload) in found.payloads.iter().zip(&payloads) {
                prop_assert_eq!(*found, payload.as_slice());
            }
            let next = payloads.get(found.payloads.len()).map_or(usize::MAX, |payload| HEAD + payload.len());
            prop_assert!(kept.len() < MAGIC.len() || kept.len() - found.whole < next);
            // The same with zeros where the rest would be.
            let mut padded = kept.to_vec();
            padded.resize(bytes.len() + 100, 0);
            if kept.len() >= MAGIC.len() {
                prop_assert_eq!(frames(Path::new("s"), &padded).unwrap().payloads, found.payloads);
            }
        }
    }

    #[test]
    fn damage_before_whole_frames_is_no_cut() {
        let payloads = [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
        let mut bytes = written(&payloads);
        bytes[MAGIC.len() + HEAD] ^= 1;
        let error = frames(Path::new("s"), &bytes).err().unwrap();
        assert_eq!(error.to_string(), "`s` is damaged at byte 16, before records that are whole");
        // Of the last frame it cannot be told from a cut.
        let mut bytes = written(&payloads);
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(frames(Path::new("s"), &bytes).unwrap().payloads.len(), 2);
        assert!(matches!(frames(Path::new("s"), b"something else"), Err(SegmentError::Foreign { .. })));
    }
}
