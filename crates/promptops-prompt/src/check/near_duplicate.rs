//! `near-duplicate`: two prompts that say almost the same should be one, or share an include.
//!
//! One-permutation MinHash over runs of words (Li, Owen, Zhang 2012) with the densification of Shrivastava (2017), and
//! banding to find candidates, so that ten thousand prompts take milliseconds.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Check, FoundBy, Summary};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "near-duplicate",
    severity: Severity::Warning,
    summary: "No two prompts say almost the same.",
    why: "A copy with a few words changed drifts apart from its original: a correction of one is forgotten in the other.",
    fix: "Make the words that differ an input of one prompt, or move what both say into a prompt that both include.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  You answer for the support desk of a shop. Read the whole message before you answer it.
  Be warm, be brief, and never promise a refund: only a person of the billing team may do so.
  If the customer is angry, say first that you understand why. Answer in English.
=== prompts/welcome.yaml
id: welcome
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  You answer for the support desk of a shop. Read the whole message before you answer it.
  Be warm, be brief, and never promise a refund: only a person of the billing team may do so.
  If the customer is angry, say first that you understand why. Answer in German.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {language: {type: string}}
template: |
  You answer for the support desk of a shop. Read the whole message before you answer it.
  Be warm, be brief, and never promise a refund: only a person of the billing team may do so.
  If the customer is angry, say first that you understand why. Answer in {{ language }}.
",
};

/// Words in a run.
const RUN: usize = 4;
/// Bins of the signature.
const BINS: usize = 60;
/// Bytes kept of each bin's minimum: two different ones are equal once in 65,536 times.
const BIN_BYTES: usize = 2;
/// Bins in a band; two prompts are compared when one band is equal. Of pairs at the threshold 99 in 100 have such a band.
const BAND: usize = 5;
/// The share of equal bins (an estimate of the shared runs of words) from which two prompts are reported.
const THRESHOLD: f64 = 0.8;
/// A prompt with fewer runs says too little to be a copy.
const MIN_RUNS: usize = 24;
/// What stands in a bin that no run fell into. No run has this value.
const EMPTY: u16 = u16::MAX;

/// Returns the MinHash of the words of all templates, [`BIN_BYTES`] for each bin; empty for a short prompt.
pub(super) fn signature<'text>(templates: impl Iterator<Item = &'text str>) -> Vec<u8> {
    let mut words = Vec::new();
    templates.for_each(|template| hash_words(template, &mut words));
    if words.len() < MIN_RUNS + RUN - 1 {
        return Vec::new();
    }
    let mut bins = [EMPTY; BINS];
    for run in words.windows(RUN) {
        // The words are hashes already; turning each by another amount keeps their order.
        let hash = mix(run.iter().zip([0, 17, 34, 51]).fold(0, |hash, (word, turn)| hash ^ word.rotate_left(turn)));
        let bin = bin(hash);
        bins[bin] = bins[bin].min((hash as u16).saturating_sub(1));
    }
    densify(&mut bins);
    bins.iter().flat_map(|bin| bin.to_le_bytes()).collect()
}

/// Spreads a hash over the bins by its upper half.
fn bin(hash: u64) -> usize {
    (((hash >> 32) * BINS as u64) >> 32) as usize
}

/// Fills an empty bin from a bin that its number alone decides, so that equal sets stay equal.
fn densify(bins: &mut [u16; BINS]) {
    let sparse = *bins;
    for (index, bin_value) in bins.iter_mut().enumerate().filter(|(_, bin)| **bin == EMPTY) {
        for attempt in 1..=1000_u64 {
            let other = bin(mix((index as u64) << 32 | attempt));
            if sparse[other] != EMPTY {
                *bin_value = sparse[other];
                break;
            }
        }
    }
}

/// Adds the hash of each word of a text. A word is letters and digits; ASCII ones count in lower case.
fn hash_words(text: &str, words: &mut Vec<u64>) {
    let bytes = text.as_bytes();
    let mut word = Word::default();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        // Most letters are ASCII, which needs no decoding.
        if byte.is_ascii() {
            at += 1;
            match LOWER_CASE[usize::from(byte)] {
                0 => words.extend(word.take()),
                letter => word.add(letter),
            }
            continue;
        }
        let letter = text[at..].chars().next().expect("the place is the first byte of a letter");
        let end = at + letter.len_utf8();
        if letter.is_alphanumeric() {
            bytes[at..end].iter().for_each(|byte| word.add(*byte));
        } else {
            words.extend(word.take());
        }
        at = end;
    }
    words.extend(word.take());
}

/// For each byte of ASCII its lower case if it is a letter or digit, else 0.
static LOWER_CASE: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// A word that is being read, hashed eight bytes at a time.
#[derive(Default)]
struct Word {
    hash: u64,
    last: u64,
    length: u64,
}

impl Word {
    fn add(&mut self, byte: u8) {
        self.last = self.last << 8 | u64::from(byte);
        self.length += 1;
        if self.length.is_multiple_of(8) {
            self.hash = mix(self.hash.rotate_left(23) ^ self.last);
            self.last = 0;
        }
    }

    /// Returns the hash of the word and begins the next; nothing when there is no word.
    fn take(&mut self) -> Option<u64> {
        let Self { hash, last, length } = std::mem::take(self);
        (length > 0).then(|| mix(hash.rotate_left(23) ^ last ^ length << 56))
    }
}

/// The finalizer of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Takes the keys of buckets as they are: they are hashes already.
#[derive(Default)]
struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = mix(self.0 ^ u64::from(*byte)));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Names a band of a signature. Two bands that share a name by chance only cost a comparison.
fn bucket(band: usize, rows: &[u8]) -> u64 {
    let mut key = mix(band as u64 + 1);
    for part in rows.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        key = mix(key ^ u64::from_le_bytes(word));
    }
    key
}

fn similarity(a: &[u8], b: &[u8]) -> f64 {
    let equal = a.chunks_exact(BIN_BYTES).zip(b.chunks_exact(BIN_BYTES)).filter(|(a, b)| a == b).count();
    equal as f64 / BINS as f64
}

pub(super) fn check(summaries: &[&Summary], findings: &mut Vec<Finding>) {
    // For each later prompt the most similar earlier one. A band's bucket keeps its first and last member, so that a thousand
    // copies cost a thousand comparisons.
    let bands = summaries.iter().filter(|summary| !summary.signature.is_empty()).count() * BINS / BAND;
    let mut buckets: HashMap<u64, (u32, u32), BuildHasherDefault<Unhashed>> =
        HashMap::with_capacity_and_hasher(bands, BuildHasherDefault::default());
    for (index, summary) in (0_u32..).zip(summaries) {
        if summary.signature.len() != BINS * BIN_BYTES {
            continue;
        }
        let mut best: Option<(f64, u32)> = None;
        for (band, rows) in summary.signature.chunks_exact(BAND * BIN_BYTES).enumerate() {
            let members = buckets.entry(bucket(band, rows)).or_insert((index, index));
            for other in [members.0, members.1] {
                let is_new = other != index && best.is_none_or(|(_, known)| known != other);
                let other_summary = summaries[other as usize];
                let is_same = other_summary.content_key.is_some() && other_summary.content_key == summary.content_key;
                if is_new && !is_same && other_summary.reference.id != summary.reference.id {
                    let value = similarity(&summary.signature, &other_summary.signature);
                    if value >= THRESHOLD && best.is_none_or(|(known, _)| value > known) {
                        best = Some((value, other));
                    }
                }
            }
            members.1 = index;
        }
        if let Some((value, other)) = best {
            findings.push(report(summary, summaries[other as usize], value));
        }
    }
}

fn report(summary: &Summary, other: &Summary, value: f64) -> Finding {
    let message = format!(
        "`{}` says almost the same as `{}` (about {:.0} % of the wording)",
        summary.reference.id,
        other.reference.id,
        value * 100.0
    );
    Finding::new(CHECK.id, CHECK.severity, &summary.path, summary.body_span.start..summary.body_span.start, message)
        .related(&other.path, other.body_span.start..other.body_span.start, "the other")
        .hint("make it one prompt with an input, or move the shared part into an include")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(from: usize, to: usize) -> String {
        (from..to).map(|number| format!("word{number} ")).collect()
    }

    #[test]
    fn estimates_the_share_of_common_runs() {
        for (shared, total) in [(200, 200), (180, 200), (100, 200), (0, 200)] {
            let (a, b) = (words(0, total), words(total - shared, 2 * total - shared));
            let estimate = similarity(&signature([a.as_str()].into_iter()), &signature([b.as_str()].into_iter()));
            let truth = shared as f64 / (2 * total - shared) as f64;
            assert!((estimate - truth).abs() < 0.2, "{shared}/{total}: {estimate} instead of {truth}");
        }
    }

    #[test]
    fn leaves_short_prompts_alone() {
        assert!(signature(["Summarise the text."].into_iter()).is_empty());
        assert_eq!(signature([words(0, 40).as_str()].into_iter()).len(), BINS * BIN_BYTES);
    }
}
