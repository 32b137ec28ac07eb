//! `near-duplicate`: two prompts that say almost the same should be one, or share an include.
//!
//! One-permutation MinHash over runs of words (Li, Owen, Zhang 2012) with the densification of Shrivastava (2017), and
//! banding to find candidates, so that ten thousand prompts take milliseconds.

use std::collections::HashMap;

use super::{Check, Summary, check as define};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = define("near-duplicate", Severity::Warning, "No two prompts say almost the same.");

/// Words in a run.
const RUN: usize = 4;
/// Bins of the signature.
const BINS: usize = 64;
/// Bins in a band; two prompts are compared when one band is equal.
const BAND: usize = 4;
/// The share of equal bins (an estimate of the shared runs of words) from which two prompts are reported.
const THRESHOLD: f64 = 0.8;
/// A prompt with fewer runs says too little to be a copy.
const MIN_RUNS: usize = 24;

/// Returns the MinHash of the words of all templates; empty for a short prompt.
pub(super) fn signature<'text>(templates: impl Iterator<Item = &'text str>) -> Vec<u32> {
    let mut words = Vec::new();
    for template in templates {
        let parts = template.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        words.extend(parts.map(hash_word));
    }
    if words.len() < MIN_RUNS + RUN - 1 {
        return Vec::new();
    }
    let mut bins = [u32::MAX; BINS];
    for run in words.windows(RUN) {
        let hash = run.iter().fold(0_u64, |hash, word| mix(hash.rotate_left(23) ^ word));
        let bin = (hash >> 58) as usize;
        let value = (hash & u64::from(u32::MAX - 1)) as u32;
        bins[bin] = bins[bin].min(value);
    }
    densify(&mut bins);
    bins.to_vec()
}

/// Fills an empty bin from a bin that its number alone decides, so that equal sets stay equal.
fn densify(bins: &mut [u32; BINS]) {
    let sparse = *bins;
    for (index, bin) in bins.iter_mut().enumerate().filter(|(_, bin)| **bin == u32::MAX) {
        for attempt in 1..=1000_u64 {
            let other = (mix((index as u64) << 32 | attempt) >> 58) as usize;
            if sparse[other] != u32::MAX {
                *bin = sparse[other];
                break;
            }
        }
    }
}

/// FNV-1a over the lower-case bytes.
fn hash_word(word: &str) -> u64 {
    word.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3))
}

/// The finalizer of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn similarity(a: &[u32], b: &[u32]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / BINS as f64
}

pub(super) fn check(summaries: &[Summary], findings: &mut Vec<Finding>) {
    // For each later prompt the most similar earlier one. A band's bucket keeps its first and last member, so that a thousand
    // copies cost a thousand comparisons.
    let mut buckets: HashMap<(usize, [u32; BAND]), (usize, usize)> = HashMap::new();
    for (index, summary) in summaries.iter().enumerate() {
        if summary.signature.len() != BINS {
            continue;
        }
        let mut best: Option<(f64, usize)> = None;
        for (band, rows) in summary.signature.chunks_exact(BAND).enumerate() {
            let rows: [u32; BAND] = rows.try_into().expect("chunks have the length of a band");
            let members = buckets.entry((band, rows)).or_insert((index, index));
            for other in [members.0, members.1] {
                let is_new = other != index && best.is_none_or(|(_, known)| known != other);
                let other_summary = &summaries[other];
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
            findings.push(report(summary, &summaries[other], value));
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
        assert_eq!(signature([words(0, 40).as_str()].into_iter()).len(), BINS);
    }
}
