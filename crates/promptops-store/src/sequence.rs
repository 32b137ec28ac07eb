//! Create-only sequences: numbered objects in a folder, the last of which is the present state.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use crate::error::StoreError;
use crate::key::check_key;
use crate::store::{Created, Store};

/// Digits in an entry's name, as many as `u64` needs, so that names sort as numbers do.
const DIGITS: usize = 20;
/// Entries read at the same time by [`Sequence::entries`].
const CONCURRENT_READS: usize = 16;

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
    /// Lists the names and reads one entry: on S3 one call per 1,000 entries plus one, on `file://` a walk through the
    /// folder.
    ///
    /// # Errors
    ///
    /// As the backend fails.
    pub async fn latest(&self) -> Result<Option<(u64, Bytes)>, StoreError> {
        let Some(number) = self.numbers().await?.last().copied() else {
            return Ok(None);
        };
        Ok(Some((number, self.listed(number).await?)))
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
            .map(|number| async move { Ok((number, self.listed(number).await?)) })
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

    async fn listed(&self, number: u64) -> Result<Bytes, StoreError> {
        self.read(number).await?.ok_or_else(|| StoreError::Corrupt {
            key: self.key(number),
            reason: "an entry was listed but cannot be found".to_owned(),
        })
    }
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

    #[test]
    fn a_sequence_needs_a_folder() {
        for folder in ["", "/", "a//b", "../a"] {
            assert!(matches!(Sequence::new(&memory(), folder), Err(StoreError::InvalidKey { .. })), "{folder:?}");
        }
    }
}
