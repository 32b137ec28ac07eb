//! Where recorded answers lie: a few bytes for each, for there may be very many.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::Key;

/// Repeats that a short key can hold.
const REPEATS: u32 = 1 << 7;

/// Where an answer lies, in which file, and whether this run has asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    pub(super) fn new(in_spool: bool, offset: u64) -> Self {
        Self(offset << 2 | u64::from(in_spool) << 1)
    }

    pub(super) fn is_in_spool(self) -> bool {
        self.0 & 2 != 0
    }

    pub(super) fn offset(self) -> u64 {
        self.0 >> 2
    }

    pub(super) fn is_used(self) -> bool {
        self.0 & 1 != 0
    }

    /// Returns the same place of an answer that this run has asked for.
    pub(super) fn used(self) -> Self {
        Self(self.0 | 1)
    }

    /// Returns the place in the recorded file, of an answer that is asked for as before.
    pub(super) fn moved(self, offset: u64) -> Self {
        Self(offset << 2 | self.0 & 1)
    }
}

/// Places by key.
///
/// Most keys are known by their first bytes. Whoever looks one up must hold what lies at the place against the whole key, and
/// then look at the next candidate.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    places: HashMap<u64, Place, BuildHasherDefault<Short>>,
    /// Answers whose keys begin like another's.
    further: BTreeMap<Key, Place>,
}

/// A hash of what is a part of a SHA-256 already.
#[derive(Debug, Clone, Copy, Default)]
struct Short(u64);

impl Hasher for Short {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        // A table looks at the last bits first, where the repeat stands.
        self.0 = number.rotate_left(32);
    }
}

/// Returns the first bytes of a request with its repeat: keys in order have these in order.
fn short(key: &Key) -> Option<u64> {
    let first = key.request.bytes().first_chunk().map(|bytes| u64::from_be_bytes(*bytes))?;
    (key.repeat < REPEATS).then(|| first & !u64::from(REPEATS - 1) | u64::from(key.repeat))
}

impl Index {
    /// Returns the places at which an answer may lie.
    pub(super) fn candidates(&self, key: &Key) -> impl Iterator<Item = Place> {
        let place = short(key).and_then(|short| self.places.get(&short)).copied();
        place.into_iter().chain(self.further.get(key).copied())
    }

    /// Adds a place where no other key begins in the same way; else returns where such an answer lies.
    pub(super) fn add(&mut self, key: &Key, place: Place) -> Result<(), Option<Place>> {
        let Some(short) = short(key) else { return Err(None) };
        match self.places.get(&short) {
            Some(taken) => Err(Some(*taken)),
            None => {
                self.places.insert(short, place);
                Ok(())
            }
        }
    }

    /// Adds a place of a key that begins like another.
    pub(super) fn add_further(&mut self, key: Key, place: Place) {
        self.further.entry(key).or_insert(place);
    }

    /// Replaces places as [`Index::in_order`] gives them.
    pub(super) fn replace_all(&mut self, places: Vec<(u64, Place)>) {
        for (short, place) in places {
            self.places.insert(short, place);
        }
    }

    /// Replaces a place.
    pub(super) fn replace(&mut self, key: &Key, old: Place, new: Place) {
        let first = short(key).and_then(|short| self.places.get_mut(&short)).filter(|place| **place == old);
        if let Some(place) = first.or_else(|| self.further.get_mut(key)) {
            *place = new;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() + self.further.len()
    }

    pub(super) fn keep_used(&mut self) {
        self.places.retain(|_, place| place.is_used());
        self.further.retain(|_, place| place.is_used());
    }

    /// Returns all places in the order of their keys, each with its key's beginning; nothing where only the whole keys tell it.
    pub(super) fn in_order(&self) -> Option<Vec<(u64, Place)>> {
        if !self.further.is_empty() {
            return None;
        }
        let mut places: Vec<(u64, Place)> = self.places.iter().map(|(short, place)| (*short, *place)).collect();
        places.sort_unstable_by_key(|(short, _)| *short);
        Some(places)
    }

    /// Returns all places, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = Place> {
        self.places.values().chain(self.further.values()).copied()
    }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::Digest;

    use super::*;

    fn key(name: &str, repeat: u32) -> Key {
        Key { request: Digest::of(name.as_bytes()), repeat }
    }

    #[test]
    fn short_keys_keep_the_order_of_keys() {
        let mut keys: Vec<Key> = (0..200).flat_map(|name| (0..3).map(move |repeat| key(&name.to_string(), repeat))).collect();
        keys.sort_unstable();
        let shorts: Vec<u64> = keys.iter().map(|key| short(key).unwrap()).collect();
        assert!(shorts.is_sorted());
        let mut index = Index::default();
        for (offset, key) in (0..600_u32).zip(&keys).rev() {
            assert_eq!(index.add(key, Place::new(true, offset.into())), Ok(()));
        }
        let offsets: Vec<u64> = index.in_order().unwrap().iter().map(|(_, place)| place.offset()).collect();
        assert_eq!(offsets, (0..600).collect::<Vec<_>>());
    }

    #[test]
    fn a_place_that_is_taken_is_told() {
        let (mut index, first, second) = (Index::default(), Place::new(false, 0), Place::new(true, 1 << 40));
        assert_eq!((second.offset(), second.is_in_spool(), second.used().is_used()), (1 << 40, true, true));
        assert_eq!(index.add(&key("a", 1), first), Ok(()));
        assert_eq!(index.add(&key("a", 1), second), Err(Some(first)));
        // A repeat that does not fit is kept beside the others.
        assert_eq!(index.add(&key("a", 900), second), Err(None));
        index.add_further(key("a", 900), second);
        assert_eq!(index.candidates(&key("a", 900)).collect::<Vec<_>>(), [second]);
        assert!(index.in_order().is_none());
        index.replace(&key("a", 900), second, second.used());
        index.keep_used();
        assert_eq!((index.len(), index.all().collect::<Vec<_>>()), (1, vec![second.used()]));
    }
}
