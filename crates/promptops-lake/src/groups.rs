//! Groups of records while they are counted.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use arrow::array::{Array, AsArray as _, Float64Array, Int32Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use rustc_hash::FxHasher;

use crate::error::LakeError;
use crate::exact_sum::ExactSum;
use crate::rows::Columns;

type Map<Key, Value> = HashMap<Key, Value, BuildHasherDefault<FxHasher>>;

/// What one group has in common in one respect; numbers sort as numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Unknown,
    Number(i64),
    Text(String),
}

/// What is known of one group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) count: u64,
    pub(crate) errors: u64,
    pub(crate) latencies: Vec<f64>,
    pub(crate) costs: ExactSum,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cached_tokens: Option<u64>,
    /// First and last time, microseconds since 1970.
    pub(crate) times: Option<(i64, i64)>,
}

/// The groups of the records that one thread has read.
///
/// Texts are numbered as they come, so that a record costs a few comparisons of numbers and no text.
pub(crate) struct Groups {
    columns: Vec<Column>,
    places: Map<Vec<i64>, u32>,
    groups: Vec<Group>,
}

/// A column that groups.
struct Column {
    name: String,
    texts: Vec<String>,
    numbers: Map<String, i64>,
}

/// The number of what is unknown; texts are numbered from 0, and no version or time is as low.
const UNKNOWN: i64 = i64::MIN;

impl Groups {
    /// Begins without a record; `columns` names the columns of batches that group.
    pub(crate) fn by(columns: impl IntoIterator<Item = String>) -> Self {
        let column = |name| Column { name, texts: Vec::new(), numbers: Map::default() };
        Self { columns: columns.into_iter().map(column).collect(), places: Map::default(), groups: Vec::new() }
    }

    /// Counts the records of a batch.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        let columns = Columns(batch);
        let places = self.places(batch)?;
        let times: &TimestampMicrosecondArray = columns.get("time")?;
        let statuses: &StringViewArray = columns.get("status")?;
        for (row, place) in places.iter().enumerate() {
            let group = &mut self.groups[*place];
            let time = times.value(row);
            let (first, last) = group.times.unwrap_or((time, time));
            group.times = Some((first.min(time), last.max(time)));
            group.count += 1;
            group.errors += u64::from(statuses.value(row) == "error");
        }
        let latencies: &Float64Array = columns.get("latency_ms")?;
        self.each(&places, latencies, |row| latencies.value(row), |group, latency| group.latencies.push(latency));
        let costs: &Float64Array = columns.get("cost_usd")?;
        self.each(&places, costs, |row| costs.value(row), |group, cost| group.costs.add(cost));
        let input: &Int64Array = columns.get("input_tokens")?;
        self.each(&places, input, |row| input.value(row), |group, tokens| add_tokens(&mut group.input_tokens, tokens));
        let output: &Int64Array = columns.get("output_tokens")?;
        self.each(&places, output, |row| output.value(row), |group, tokens| add_tokens(&mut group.output_tokens, tokens));
        let cached: &Int64Array = columns.get("cached_tokens")?;
        self.each(&places, cached, |row| cached.value(row), |group, tokens| add_tokens(&mut group.cached_tokens, tokens));
        Ok(())
    }

    fn each<Value>(
        &mut self,
        places: &[usize],
        column: &dyn Array,
        value: impl Fn(usize) -> Value,
        add: impl Fn(&mut Group, Value),
    ) {
        if column.null_count() == 0 {
            places.iter().enumerate().for_each(|(row, place)| add(&mut self.groups[*place], value(row)));
        } else {
            let known = places.iter().enumerate().filter(|(row, _)| column.is_valid(*row));
            known.for_each(|(row, place)| add(&mut self.groups[*place], value(row)));
        }
    }

    /// Returns the group of each row.
    fn places(&mut self, batch: &RecordBatch) -> Result<Vec<usize>, LakeError> {
        let numbered = self.columns.iter_mut().map(|column| column.numbers_of(batch)).collect::<Result<Vec<_>, _>>()?;
        let mut places = Vec::with_capacity(batch.num_rows());
        let mut key = vec![UNKNOWN; numbered.len()];
        let mut place = None;
        for row in 0..batch.num_rows() {
            let mut is_same = true;
            for (own, column) in key.iter_mut().zip(&numbered) {
                is_same &= *own == column[row];
                *own = column[row];
            }
            // Files are sorted, so that rows of one group often follow one another.
            let found = match place {
                Some(place) if is_same => place,
                _ => self.place(&key),
            };
            place = Some(found);
            places.push(found as usize);
        }
        Ok(places)
    }

    fn place(&mut self, key: &[i64]) -> u32 {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let place = u32::try_from(self.groups.len()).expect("memory is full long before");
        self.groups.push(Group::default());
        self.places.insert(key.to_vec(), place);
        place
    }

    /// Adds these groups to others that may have been numbered differently.
    pub(crate) fn merge_into(mut self, all: &mut BTreeMap<Vec<Key>, Group>) {
        for (numbers, place) in self.places {
            let key = numbers.iter().zip(&self.columns).map(|(number, column)| column.key(*number)).collect();
            let group = std::mem::take(&mut self.groups[place as usize]);
            all.entry(key).or_default().merge(group);
        }
    }
}

impl Column {
    /// Returns the numbers of the values of this column.
    fn numbers_of(&mut self, batch: &RecordBatch) -> Result<Vec<i64>, LakeError> {
        let columns = Columns(batch);
        if let Ok(versions) = columns.get::<Int32Array>(&self.name) {
            return Ok(versions.iter().map(|version| version.map_or(UNKNOWN, i64::from)).collect());
        }
        if let Ok(times) = columns.get::<TimestampMicrosecondArray>(&self.name) {
            return Ok(times.iter().map(|time| time.unwrap_or(UNKNOWN)).collect());
        }
        // Days are folders, and what functions return is plain text.
        let texts =
            cast(columns.any(&self.name)?, &DataType::Utf8View).map_err(|error| LakeError::Execution(error.to_string()))?;
        let texts = texts.as_string_view();
        let mut numbers = Vec::with_capacity(texts.len());
        // Within a batch the same view is the same text, so most texts are not even looked at.
        let mut seen: Map<u128, i64> = Map::default();
        let mut last = None;
        for (row, view) in texts.views().iter().enumerate() {
            let number = match last {
                _ if texts.is_null(row) => UNKNOWN,
                Some((same, number)) if same == *view => number,
                _ => match seen.get(view) {
                    Some(number) => *number,
                    None => *seen.entry(*view).or_insert(self.number(texts.value(row))),
                },
            };
            if texts.is_valid(row) {
                last = Some((*view, number));
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    fn number(&mut self, text: &str) -> i64 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = i64::try_from(self.texts.len()).expect("memory is full long before");
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn key(&self, number: i64) -> Key {
        match usize::try_from(number).ok().and_then(|place| self.texts.get(place)) {
            _ if number == UNKNOWN => Key::Unknown,
            Some(text) => Key::Text(text.clone()),
            None => Key::Number(number),
        }
    }
}

impl Group {
    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.errors += other.errors;
        if self.latencies.is_empty() {
            self.latencies = other.latencies;
        } else {
            self.latencies.extend(other.latencies);
        }
        self.costs.merge(other.costs);
        self.input_tokens = together(self.input_tokens, other.input_tokens, u64::saturating_add);
        self.output_tokens = together(self.output_tokens, other.output_tokens, u64::saturating_add);
        self.cached_tokens = together(self.cached_tokens, other.cached_tokens, u64::saturating_add);
        self.times = together(self.times, other.times, |own, others| (own.0.min(others.0), own.1.max(others.1)));
    }
}

fn together<Value>(own: Option<Value>, others: Option<Value>, join: impl Fn(Value, Value) -> Value) -> Option<Value> {
    match (own, others) {
        (Some(own), Some(others)) => Some(join(own, others)),
        (own, others) => own.or(others),
    }
}

fn add_tokens(sum: &mut Option<u64>, tokens: i64) {
    let tokens = u64::try_from(tokens).unwrap_or(0);
    *sum = Some(sum.unwrap_or(0).saturating_add(tokens));
}
