//! Create-only sequences: numbered objects in a folder, the last of which is the present state.

use bytes::Bytes;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};

use crate::error::StoreError;
use crate::key::check_key;
use crate::store::{Created, Store};

/// Digits in an entry's name, as many as `u64` needs, so that names sort as numbers do.
const DIGITS: usize = 20;
/// Entries read at the same time by [`Sequence::entries`].
const CONCURRENT_READS: usize = 16;
/// Names that one call lists on S3, GCS and Azure (which would give 5,000).
const PAGE: usize = 1_000;
/// Numbers asked after at the same time while the end is looked for.
const CONCURRENT_PROBES: u64 = 16;

/// A history in a folder: `<folder>/<number:020>.json`, numbered from 1 without gaps, each entry created once.
///
/// Appending is how state moves without overwriting anything: read the latest entry, decide, and claim the next number.
/// Of any number of writers one gets it; the others are told [`StoreError::Conflict`], read what was decided meanwhile,
/// and decide anew. Nothing is ever skipped: [`append`](Sequence::append) refuses a number whose predecessor is absent.
///
/// Entries of two writers must differ in content, for instance by naming their author and time. Two writers of the same
/// bytes are both told that they succeeded.
#[derive(Clone, Debug)]
pub struct Sequence {
    store: Store,
    folder: String,
}

impl Sequence {
    /// Names the sequence in a folder of a store. Makes no call.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidKey`] when the folder is not a valid key.
    pub fn new(store: &Store, folder: &str) -> Result<Self, StoreError> {
        let folder = folder.strip_suffix('/').unwrap_or(folder);
        check_key(folder)?;
        Ok(Self { store: store.clone(), folder: folder.to_owned() })
    }

    /// Returns the key under which an entry is stored.
    #[must_use]
    pub fn key(&self, number: u64) -> String {
        format!("{}/{number:0DIGITS$}.json", self.folder)
    }

    /// Reads the entry with the highest number; `None` when the sequence is empty.
    ///
    /// Up to 1,000 entries cost one listing and one read. Beyond them the end is searched for, which takes a number of calls
    /// that grows with the logarithm of the length: two million entries cost about 70, in 7 rounds of calls made at the same
    /// time. Where listings are not ordered, as on `file://`, nothing is listed: the search starts at once.
    ///
    /// The search relies on there being no gaps. Where other hands have removed an entry, an earlier one than the last may
    /// be found; [`entries`](Sequence::entries) names the gap.
    ///
    /// # Errors
    ///
    /// As the backend fails.
    pub async fn latest(&self) -> Result<Option<(u64, Bytes)>, StoreError> {
        match self.end(0).await? {
            0 => Ok(None),
            number => Ok(Some((number, self.found(number).await?))),
        }
    }

    /// Reads the entry with the highest number, looking no further back than an entry that the caller has seen.
    ///
    /// Costs as [`latest`](Sequence::latest) does for a sequence of the entries that came after `known`: one listing and one
    /// read for up to 1,000 of them, however long the sequence is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the entry that was seen is the last to be found and is not there; otherwise as the
    /// backend fails.
    pub async fn latest_from(&self, known: u64) -> Result<(u64, Bytes), StoreError> {
        // Number 0 is in no sequence; who knows of no entry calls `latest`.
        let number = self.end(known.max(1)).await?;
        Ok((number, self.found(number).await?))
    }

    /// Reads one entry; `None` when the sequence has not come so far. One call.
    ///
    /// # Errors
    ///
    /// As the backend fails.
    pub async fn read(&self, number: u64) -> Result<Option<Bytes>, StoreError> {
        self.store.get(&self.key(number)).await
    }

    /// Claims a number: one above the latest that the caller has seen, or 1.
    ///
    /// Two calls, of which the first makes sure that there is no gap. [`Created::Same`] means that the entry already
    /// stands with these bytes, so a repeated call is safe.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when somebody else has taken the number; [`StoreError::Gap`] when the number before it is
    /// free, or the number is 0. Otherwise as [`Store::create`].
    pub async fn append(&self, number: u64, bytes: Bytes) -> Result<Created, StoreError> {
        let key = self.key(number);
        let follows = match number {
            0 => false,
            1 => true,
            _ => self.store.exists(&self.key(number - 1)).await?,
        };
        if !follows {
            return Err(StoreError::Gap { key });
        }
        self.store.create(&key, bytes).await
    }

    /// Reads all entries in order. Calls as [`latest`](Sequence::latest), and one for each entry, several at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when a number is missing; otherwise as the backend fails.
    pub async fn entries(&self) -> Result<Vec<(u64, Bytes)>, StoreError> {
        let numbers = self.numbers().await?;
        for (expected, number) in (1..).zip(&numbers) {
            if expected != *number {
                let reason = "an entry of the sequence is missing".to_owned();
                return Err(StoreError::Corrupt { key: self.key(expected), reason });
            }
        }
        futures::stream::iter(numbers)
            .map(|number| async move { Ok((number, self.found(number).await?)) })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await
    }

    /// The numbers taken, ascending. Names that are no entries are left alone: a file manager may have put them there.
    async fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let keys = self.store.list(&self.folder).await?;
        Ok(keys.iter().filter_map(|key| self.number(key)).collect())
    }

    fn number(&self, key: &str) -> Option<u64> {
        let digits = key.strip_prefix(&self.folder)?.strip_prefix('/')?.strip_suffix(".json")?;
        let all_digits = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        // Number 0 is never appended, so such a file is not an entry either.
        digits.parse().ok().filter(|number| all_digits && *number > 0)
    }

    /// Finds the highest number that is taken, from one on that is, or from 0.
    ///
    /// **Invariant:** the number above the result was seen to be free after the call began, so every entry that was there
    /// before the call is at or below the result, whatever is appended meanwhile.
    async fn end(&self, known: u64) -> Result<u64, StoreError> {
        let (mut taken, mut first_step) = (known, 1);
        let mut may_list = true;
        match self.page_after(taken).await? {
            Some(page) if page.is_last => return Ok(page.last),
            Some(page) => (taken, first_step) = (page.last, PAGE as u64),
            None => may_list = false,
        }
        let (mut taken, mut free) = self.bounds(taken, first_step).await?;
        while free - taken > 1 {
            let between = free - taken - 1;
            if may_list
                && between < PAGE as u64
                && let Some(page) = self.page_after(taken).await?
            {
                if page.is_last {
                    return Ok(page.last);
                }
                // Many entries came meanwhile, or names that are none are in the way: from here on by asking alone.
                may_list = false;
                (taken, free) = self.bounds(page.last, first_step).await?;
                continue;
            }
            let probes = between.min(CONCURRENT_PROBES);
            let distance = (between + 1) / (probes + 1);
            let numbers: Vec<u64> = (1..=probes).map(|step| taken + step * distance).collect();
            (taken, free) = self.narrow(taken, free, &numbers).await?;
        }
        Ok(taken)
    }

    /// Lists one page of the entries after one; `None` where that costs more than to ask for single numbers.
    async fn page_after(&self, taken: u64) -> Result<Option<EntryPage>, StoreError> {
        let Some(keys) = self.store.flat_page(&self.folder, &self.key(taken), PAGE).await? else {
            return Ok(None);
        };
        let last = keys.iter().rev().find_map(|key| self.number(key)).unwrap_or(taken);
        Ok(Some(EntryPage { last, is_last: keys.len() < PAGE }))
    }

    /// Finds a taken and a free number with the end between them, by steps that double.
    async fn bounds(&self, known: u64, first_step: u64) -> Result<(u64, u64), StoreError> {
        let (mut taken, mut free) = (known, u64::MAX);
        let steps: Vec<u64> = std::iter::successors(Some(first_step), |step| step.checked_mul(2)).collect();
        for steps in steps.chunks(CONCURRENT_PROBES as usize) {
            let numbers: Vec<u64> = steps.iter().filter_map(|step| known.checked_add(*step)).collect();
            (taken, free) = self.narrow(taken, free, &numbers).await?;
            if free < u64::MAX {
                break;
            }
        }
        Ok((taken, free))
    }

    /// Asks at the same time which of some ascending numbers are taken, and moves both bounds to the answers.
    async fn narrow(&self, taken: u64, free: u64, numbers: &[u64]) -> Result<(u64, u64), StoreError> {
        let keys: Vec<String> = numbers.iter().map(|number| self.key(*number)).collect();
        let exist = try_join_all(keys.iter().map(|key| self.store.exists(key))).await?;
        let answers: Vec<(u64, bool)> = numbers.iter().copied().zip(exist).collect();
        // The last taken one, not the first free one, decides: an entry may have come between two of the answers.
        let taken = answers.iter().rev().find(|(_, exists)| *exists).map_or(taken, |(number, _)| *number);
        let free = answers.iter().find(|(number, exists)| !*exists && *number > taken).map_or(free, |(number, _)| *number);
        Ok((taken, free))
    }

    async fn found(&self, number: u64) -> Result<Bytes, StoreError> {
        self.read(number).await?.ok_or_else(|| StoreError::Corrupt {
            key: self.key(number),
            reason: "an entry that is known to exist cannot be found".to_owned(),
        })
    }
}

/// What one listing says about the end of a sequence.
struct EntryPage {
    /// The highest number in it, or the one it starts after.
    last: u64,
    /// Whether nothing comes after it.
    is_last: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::StoreOptions;

    fn memory() -> Store {
        Store::open("memory://", &StoreOptions::default()).unwrap()
    }

    #[tokio::test]
    async fn entries_are_appended_one_after_the_other() {
        let store = memory();
        let sequence = Sequence::new(&store, "environments/prod/").unwrap();
        assert_eq!(sequence.latest().await.unwrap(), None);
        assert!(sequence.entries().await.unwrap().is_empty());
        for number in 1..=12 {
            let bytes = Bytes::from(format!("entry {number}"));
            assert_eq!(sequence.append(number, bytes).await.unwrap(), Created::New);
        }
        assert_eq!(sequence.latest().await.unwrap(), Some((12, Bytes::from("entry 12"))));
        assert_eq!(sequence.read(3).await.unwrap(), Some(Bytes::from("entry 3")));
        assert_eq!(sequence.read(13).await.unwrap(), None);
        let numbers: Vec<u64> = sequence.entries().await.unwrap().iter().map(|entry| entry.0).collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
        assert_eq!(store.list("").await.unwrap()[11], "environments/prod/00000000000000000012.json");
    }

    #[tokio::test]
    async fn a_number_is_taken_once_and_none_is_skipped() {
        let sequence = Sequence::new(&memory(), "s").unwrap();
        sequence.append(1, Bytes::from("a")).await.unwrap();
        assert_eq!(sequence.append(1, Bytes::from("a")).await.unwrap(), Created::Same);
        assert!(matches!(sequence.append(1, Bytes::from("b")).await, Err(StoreError::Conflict { .. })));
        for number in [0, 3, u64::MAX] {
            let refused = sequence.append(number, Bytes::from("b")).await;
            assert!(matches!(refused, Err(StoreError::Gap { .. })), "{refused:?}");
        }
        assert_eq!(sequence.latest().await.unwrap(), Some((1, Bytes::from("a"))));
    }

    #[tokio::test]
    async fn names_that_are_no_entries_are_left_alone() {
        let store = memory();
        for name in ["x.json", "1.json", "0000000000000000000a.json", "99999999999999999999.json", ".DS_Store", "d/1.json"] {
            store.create(&format!("s/{name}"), Bytes::new()).await.unwrap();
        }
        store.create("s/00000000000000000000.json", Bytes::new()).await.unwrap();
        store.create("sibling/00000000000000000009.json", Bytes::new()).await.unwrap();
        let sequence = Sequence::new(&store, "s").unwrap();
        assert_eq!(sequence.latest().await.unwrap(), None);
        sequence.append(1, Bytes::from("a")).await.unwrap();
        assert_eq!(sequence.entries().await.unwrap(), [(1, Bytes::from("a"))]);
    }

    #[tokio::test]
    async fn a_missing_entry_is_named() {
        let store = memory();
        let sequence = Sequence::new(&store, "s").unwrap();
        for number in [1, 2, 4] {
            store.create(&sequence.key(number), Bytes::new()).await.unwrap();
        }
        let error = sequence.entries().await.unwrap_err();
        assert_eq!(error.to_string(), "an entry of the sequence is missing: `s/00000000000000000003.json`");
    }

    #[tokio::test]
    async fn an_entry_that_was_seen_is_where_the_search_begins() {
        let store = memory();
        let sequence = Sequence::new(&store, "s").unwrap();
        for number in 1..=40 {
            sequence.append(number, Bytes::from(number.to_string())).await.unwrap();
        }
        for known in [0, 1, 7, 39, 40] {
            assert_eq!(sequence.latest_from(known).await.unwrap(), (40, Bytes::from("40")), "from {known}");
        }
        let error = sequence.latest_from(41).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().ends_with("`s/00000000000000000041.json`"), "{error}");
    }

    #[test]
    fn a_sequence_needs_a_folder() {
        for folder in ["", "/", "a//b", "../a"] {
            assert!(matches!(Sequence::new(&memory(), folder), Err(StoreError::InvalidKey { .. })), "{folder:?}");
        }
    }
}
