//! What became of the cases of a run, in a file without a name, so that their number is no matter of memory.

mod line_v1;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::CaseResult;
use crate::error::EvalError;

/// Bytes that are held before they are written, and read at once. A small run never needs a file.
const WINDOW: usize = 128 << 10;
/// The place of a case of which nothing is known yet.
const ABSENT: u64 = u64::MAX;
/// The bytes in front of a case that say how long it is.
const LENGTH: usize = 4;

/// The results of cases, in the order of the dataset. In memory lies where each of them is.
pub struct Cases {
    places: Vec<u64>,
    spool: Mutex<Spool>,
}

#[derive(Default)]
struct Spool {
    file: Option<File>,
    /// Bytes in the file, where it is in use.
    written: u64,
    /// What comes behind them.
    tail: Vec<u8>,
    /// What was read last, and from where.
    window: Vec<u8>,
    window_at: u64,
}

impl Cases {
    /// Begins with so many cases, of none of which anything is known.
    pub(crate) fn absent(count: usize) -> Self {
        Self { places: vec![ABSENT; count], spool: Mutex::default() }
    }

    /// Reads cases as [`Cases::bytes`] gives them, until the end of a file in which they begin at `start`.
    ///
    /// # Errors
    /// What the system says, or that the file ends in the middle of a case.
    pub(crate) fn in_file(file: File, start: u64) -> io::Result<Self> {
        let written = file.metadata()?.len();
        let mut spool = Spool { file: Some(file), written, ..Spool::default() };
        let (mut places, mut at) = (Vec::new(), start);
        while at < written {
            places.push(at);
            at += (LENGTH + spool.record(at)?.len()) as u64;
        }
        places.shrink_to_fit();
        Ok(Self { places, spool: Mutex::new(spool) })
    }

    /// Keeps what became of the case with this number.
    pub(crate) fn set(&mut self, number: usize, case: &CaseResult) -> Result<(), EvalError> {
        let place = self.spool().append(&line_v1::write(case)?).map_err(spool)?;
        self.places[number] = place;
        Ok(())
    }

    fn spool(&self) -> MutexGuard<'_, Spool> {
        // A panic elsewhere cannot leave it half-changed: places are set after the bytes are there.
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many cases there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Tells whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns what became of the case with this number, from 0.
    ///
    /// # Errors
    /// [`EvalError::Spool`].
    pub fn get(&self, number: usize) -> Result<CaseResult, EvalError> {
        let place = self.places.get(number).copied().unwrap_or(ABSENT);
        line_v1::read(self.spool().record(place).map_err(spool)?)
    }

    /// Returns every case, in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<CaseResult, EvalError>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// Returns the bytes of every case, in order, with their length in front.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = Result<Vec<u8>, EvalError>> {
        self.places.iter().map(|place| {
            let mut spool = self.spool();
            let record = spool.record(*place).map_err(self::spool)?;
            Ok([&length_of(record)[..], record].concat())
        })
    }

    /// Puts other cases behind these.
    pub(super) fn append(&mut self, other: &Self) -> Result<(), EvalError> {
        for place in &other.places {
            let record = other.spool().record(*place).map_err(spool)?.to_vec();
            let place = self.spool().append(&record).map_err(spool)?;
            self.places.push(place);
        }
        Ok(())
    }

    /// Puts the cases into another order: the case at `order[n]` becomes the n-th.
    pub(super) fn reorder(&mut self, order: &[usize]) {
        self.places = order.iter().filter_map(|number| self.places.get(*number).copied()).collect();
    }
}

impl Spool {
    /// Writes a case behind the others and returns where it is.
    fn append(&mut self, record: &[u8]) -> io::Result<u64> {
        let place = self.written + self.tail.len() as u64;
        self.tail.extend(length_of(record));
        self.tail.extend(record);
        if self.tail.len() >= WINDOW {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => tempfile::tempfile()?,
            };
            file.seek(SeekFrom::Start(self.written))?;
            file.write_all(&self.tail)?;
            self.written += self.tail.len() as u64;
            self.tail.clear();
            self.file = Some(file);
        }
        Ok(place)
    }

    /// Returns the bytes of the case at a place.
    fn record(&mut self, place: u64) -> io::Result<&[u8]> {
        let length = self.read(place, LENGTH)?;
        let length = length.iter().rev().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        self.read(place.saturating_add(LENGTH as u64), length)
    }

    fn read(&mut self, from: u64, length: usize) -> io::Result<&[u8]> {
        let ended = || io::Error::new(io::ErrorKind::UnexpectedEof, "a result ends in the middle");
        if let Some(at) = from.checked_sub(self.written) {
            let start = usize::try_from(at).map_err(|_| ended())?;
            return start.checked_add(length).and_then(|end| self.tail.get(start..end)).ok_or_else(ended);
        }
        let start = from.checked_sub(self.window_at).and_then(|start| usize::try_from(start).ok());
        if start.is_none_or(|start| start + length > self.window.len()) {
            let file = self.file.as_mut().ok_or_else(ended)?;
            file.seek(SeekFrom::Start(from))?;
            self.window.clear();
            self.window_at = from;
            file.take(WINDOW.max(length) as u64).read_to_end(&mut self.window)?;
        }
        let start = usize::try_from(from - self.window_at).map_err(|_| ended())?;
        self.window.get(start..start + length).ok_or_else(ended)
    }
}

/// Writes a length down, the lowest byte first.
fn length_of(record: &[u8]) -> [u8; LENGTH] {
    u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn spool(source: io::Error) -> EvalError {
    EvalError::Spool { source }
}

impl fmt::Debug for Cases {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Cases").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ErrorClass;
    use crate::run::{Attempt, Failure};
    use crate::scorer::{Classified, Score, Unjudged, UnjudgedClass};

    fn case(number: usize, note: &str) -> CaseResult {
        let score =
            Score { value: number as f64 / 3.0, classified: Some(Classified { right: 1, answered: None }), ..Score::fail(note) };
        let unjudged = Unjudged { class: UnjudgedClass::JudgeAnswer, message: "nonsense".into() };
        let failed = Failure { class: ErrorClass::Timeout, message: "late".into() };
        let scores = vec![Ok(score), Err(unjudged)];
        let attempts = vec![
            Attempt { answer: Ok(()), scores: scores.clone(), cost_usd: Some(0.1) },
            Attempt { answer: Err(failed), scores, cost_usd: None },
        ];
        CaseResult { attempts }
    }

    fn read(cases: &Cases) -> Vec<CaseResult> {
        cases.iter().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn cases_come_back_whatever_the_order_in_which_they_came_in() {
        // Of few, of many, and of some that are larger than what is read at once.
        for (count, note) in [(5, 10), (3000, 100), (7, 2 * WINDOW)] {
            let all: Vec<CaseResult> = (0..count).map(|number| case(number, &"n".repeat(note))).collect();
            let mut cases = Cases::absent(count);
            for number in (0..count).rev().filter(|number| number % 2 == 0).chain((0..count).filter(|number| number % 2 == 1)) {
                cases.set(number, &all[number]).unwrap();
            }
            assert_eq!(cases.spool().file.is_some(), count * note > WINDOW / 2, "{count}");
            assert!(read(&cases) == all, "{count} cases of {note}");
            cases.reorder(&[count - 1, 0]);
            assert!(read(&cases) == [all[count - 1].clone(), all[0].clone()]);
            let mut more = Cases::absent(1);
            more.set(0, &all[1]).unwrap();
            more.append(&cases).unwrap();
            assert!(read(&more) == [all[1].clone(), all[count - 1].clone(), all[0].clone()]);
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        assert!(matches!(Cases::absent(2).get(1), Err(EvalError::Spool { .. })));
        assert!(Cases::absent(2).get(7).is_err());
    }

    #[test]
    fn a_file_holds_cases_behind_something_else() {
        let mut cases = Cases::absent(2);
        (0..2).for_each(|number| cases.set(number, &case(number, "x")).unwrap());
        let bytes: Vec<u8> = cases.bytes().flat_map(Result::unwrap).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"head").unwrap();
        file.write_all(&bytes).unwrap();
        assert!(read(&Cases::in_file(file.try_clone().unwrap(), 4).unwrap()) == read(&cases));
        file.set_len(bytes.len() as u64).unwrap();
        assert!(Cases::in_file(file, 4).is_err());
    }
}
