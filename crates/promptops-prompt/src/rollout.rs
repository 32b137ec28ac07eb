//! Rollouts: a prompt that is split by percentage between two pinned versions, sticky by a key.
//!
//! Which version a key gets is decided by a hash and by nothing else: no call, no state, no clock. So every process and
//! every language decides alike, today and after a restart.
//!
//! ```text
//! bucket(id, candidate, key) = first 15 hexadecimal digits of SHA-256("promptops-rollout-1\n" id "@" candidate "\n" key), as a
//!                              number, modulo 10,000
//! arm = candidate when bucket < share, else control
//! ```
//!
//! Fifteen digits are 60 bits, which any SQL engine holds in a signed number. The bias of the modulo is below 10⁻¹⁴.
//!
//! * The share does not enter the hash: whoever has the candidate keeps it while its share grows.
//! * The id and the candidate's version do: the first to get one candidate are not the first to get every other.
//!
//! `spec/vectors/rollout.json` has cases that were computed without this code.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{PromptId, Version};

/// Into how many equal parts keys are divided. A share counts them, so it is in hundredths of a percent.
pub const BUCKETS: u16 = 10_000;

/// The first bytes of what is hashed. Another way of dividing keys would have another number.
const SALT: &str = "promptops-rollout-1";
/// How many hexadecimal digits of the hash count.
const DIGITS: usize = 15;

/// The candidate of a rollout and its share. The version beside which it is pinned is the control, and has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The candidate's version.
    pub version: Version,
    /// The digest of its content (G1).
    pub digest: Digest,
    /// The SHA-256 of its published version record.
    pub record: Digest,
    /// How many of the [`BUCKETS`] get the candidate.
    pub buckets: Share,
}

/// A part of all keys that is neither none nor all: from 0.01 to 99.99 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Share(u16);

impl Share {
    /// Makes a share of that many [`BUCKETS`]; nothing for none and for all of them.
    pub fn new(buckets: u16) -> Option<Self> {
        (1..BUCKETS).contains(&buckets).then_some(Self(buckets))
    }

    /// Returns how many of the [`BUCKETS`] it is.
    pub fn buckets(self) -> u16 {
        self.0
    }

    /// Returns the share of the others.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(BUCKETS - self.0)
    }
}

/// Says that a number or text is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a share is from 0.01 to 99.99 percent, with two decimals at most; got `{0}`")]
pub struct ShareError(String);

impl TryFrom<u16> for Share {
    type Error = ShareError;

    fn try_from(buckets: u16) -> Result<Self, ShareError> {
        Self::new(buckets).ok_or_else(|| ShareError(format!("{buckets} of {BUCKETS} buckets")))
    }
}

impl From<Share> for u16 {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// Reads percent, as `10` or `2.5`.
impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let parse = || {
            if !is_number(whole) || !is_number(decimals) || whole.len() > 3 || decimals.len() > 2 {
                return None;
            }
            // `5` behind the point is fifty hundredths, `05` is five.
            let hundredths = format!("{decimals:0<2}").parse::<u16>().ok()?;
            Self::new(whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)?)
        };
        parse().ok_or_else(|| ShareError(text.to_owned()))
    }
}

/// Writes percent, as `10%` or `2.5%`.
impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(out, "{whole}%"),
            (whole, hundredths) if hundredths % 10 == 0 => write!(out, "{whole}.{}%", hundredths / 10),
            (whole, hundredths) => write!(out, "{whole}.{hundredths:02}%"),
        }
    }
}

/// Which side of a rollout a prompt was loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arm {
    /// The key is outside of the candidate's share.
    Control,
    /// The key is in the candidate's share.
    Candidate,
    /// No key was given, so the control's version was loaded. Not drawn by chance: leave it out of comparisons.
    Unkeyed,
}

impl Arm {
    /// Returns the name that records have.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Candidate => "candidate",
            Self::Unkeyed => "unkeyed",
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl Rollout {
    /// Decides which side a key is on. Costs one SHA-256 of the id and the key.
    pub fn arm(&self, id: &PromptId, key: &str) -> Arm {
        if bucket(id, self.version, key) < self.buckets.buckets() { Arm::Candidate } else { Arm::Control }
    }
}

/// Returns the bucket of a key, from 0 up to, not including, [`BUCKETS`].
pub fn bucket(id: &PromptId, candidate: Version, key: &str) -> u16 {
    let digest = Digest::of_parts(&[format!("{SALT}\n{id}@{candidate}\n").as_bytes(), key.as_bytes()]);
    let number = digest.bytes().iter().take(DIGITS.div_ceil(2)).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // Eight bytes are sixteen digits, of which the last does not count.
    let number = number >> (4 * (DIGITS.next_multiple_of(2) - DIGITS));
    u16::try_from(number % u64::from(BUCKETS)).expect("a remainder is less than its divisor")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    fn rollout(percent: &str) -> Rollout {
        let digest = Digest::of(b"content");
        Rollout { version: Version::new(3).unwrap(), digest, record: digest, buckets: share(percent) }
    }

    fn id() -> PromptId {
        "support.reply".parse().unwrap()
    }

    #[test]
    fn shares_are_read_and_written_as_percent() {
        for (text, buckets, written) in
            [("10", 1000, "10%"), ("2.5", 250, "2.5%"), ("0.01", 1, "0.01%"), ("99.99", 9999, "99.99%"), ("7.50", 750, "7.5%")]
        {
            assert_eq!((share(text).buckets(), share(text).to_string().as_str()), (buckets, written));
            assert_eq!(share(text).rest().buckets(), BUCKETS - buckets);
        }
        for none in ["", "0", "100", "0.001", "-1", "+5", "1e1", "10%", ".5", "5.", "999", "65536", "١"] {
            assert_eq!(none.parse::<Share>(), Err(ShareError(none.to_owned())));
        }
        assert!(serde_json::from_str::<Share>("0").is_err() && serde_json::from_str::<Share>("10000").is_err());
    }

    /// Of the published statistics a χ² test is the one that sees any unevenness: 100 classes have 99 degrees of freedom, and a
    /// fair division exceeds 148.2 once in a thousand times. The keys are fixed, so this passes always or never.
    #[test]
    fn a_hundred_thousand_keys_fall_evenly() {
        const KEYS: u32 = 100_000;
        let mut counts = [0_u32; 100];
        let mut candidates = 0;
        for key in 0..KEYS {
            let key = format!("user-{key}");
            counts[usize::from(bucket(&id(), rollout("10").version, &key)) / 100] += 1;
            candidates += u32::from(rollout("10").arm(&id(), &key) == Arm::Candidate);
        }
        let expected = f64::from(KEYS) / 100.0;
        let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
        assert!(chi_square < 148.2, "{chi_square}");
        // Four standard deviations of 10,000 are 380.
        assert!((9_620..=10_380).contains(&candidates), "{candidates}");
    }

    #[test]
    fn a_growing_share_takes_the_candidate_from_nobody() {
        let mut had = 0;
        for key in (0..20_000).map(|key| key.to_string()) {
            let arms = ["1", "10", "20", "99.99"].map(|percent| rollout(percent).arm(&id(), &key));
            assert!(arms.windows(2).all(|arms| arms[0] == Arm::Control || arms[1] == Arm::Candidate), "{key}: {arms:?}");
            had += u32::from(arms[1] == Arm::Candidate);
        }
        assert!(had > 1_800, "{had}");
    }

    #[test]
    fn two_candidates_are_not_first_seen_by_the_same() {
        let next = Rollout { version: Version::new(4).unwrap(), ..rollout("10") };
        let keys = (0..50_000).map(|key| key.to_string());
        let both = keys.filter(|key| rollout("10").arm(&id(), key) == next.arm(&id(), key)).count();
        // Independent tenths agree in 82 of 100; four standard deviations are 344.
        assert!((40_656..=41_344).contains(&both), "{both}");
    }
}
