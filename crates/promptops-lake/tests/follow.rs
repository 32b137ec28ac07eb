//! Following a lake: each record is given once, whoever writes it, and whatever compaction does meanwhile.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::memory::InMemory;
use promptops_lake::{Filter, Follower, Lake};
use promptops_telemetry::{Invocation, Uuid};
use proptest::prelude::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn invocation(number: u8) -> Invocation {
    let hours = TimeDelta::hours(i64::from(number % 3));
    let prompt_id = Some(if number.is_multiple_of(2) { "even" } else { "odd" }.to_owned());
    Invocation { prompt_id, ..Invocation::new(time("2026-05-01T12:00:00Z") + hours, Uuid::from_u128(number.into())) }
}

fn records(numbers: &[u8]) -> Vec<Invocation> {
    numbers.iter().copied().map(invocation).collect()
}

fn memory_lake() -> Lake {
    Lake::new(Arc::new(InMemory::new()), "some/prefix".into(), "memory")
}

async fn next(follower: &mut Follower) -> Vec<u128> {
    follower.next().await.unwrap().iter().map(|record| record.invocation_id.as_u128()).collect()
}

#[tokio::test]
async fn what_comes_is_given_once_by_time() {
    let lake = memory_lake();
    lake.append(&records(&[0])).await.unwrap();
    lake.land(&records(&[1, 2])).await.unwrap();
    let mut all = lake.follow(Filter::default()).await.unwrap();
    let mut even = lake.follow(Filter { prompt_id: Some("even".to_owned()), ..Filter::default() }).await.unwrap();
    assert_eq!(next(&mut all).await, [0_u128; 0], "what was there is not new");

    lake.land(&records(&[5, 2, 3])).await.unwrap();
    lake.append(&records(&[4])).await.unwrap();
    assert_eq!(next(&mut all).await, [3, 4, 5], "2 came before");
    lake.compact(time("2026-05-02T00:00:00Z"), None).await.unwrap();
    assert_eq!(next(&mut all).await, [0_u128; 0], "put into their hours, they are the same");
    assert_eq!(next(&mut even).await, [4], "it looks for the first time after the compaction");
    lake.land(&records(&[3, 6])).await.unwrap();
    lake.compact(time("2026-05-02T00:00:00Z"), None).await.unwrap();
    assert_eq!(next(&mut all).await, [6]);
    assert_eq!(next(&mut even).await, [6]);
}

#[derive(Debug, Clone)]
enum Step {
    Land(Vec<u8>),
    Append(Vec<u8>),
    Compact,
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let numbers = || prop::collection::vec(0..24_u8, 1..6);
    prop_oneof![numbers().prop_map(Step::Land), numbers().prop_map(Step::Append), Just(Step::Compact), Just(Step::Look)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_record_is_given_once_whatever_happens(before in prop::collection::vec(step(), 0..6), after in prop::collection::vec(step(), 1..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let lake = memory_lake();
            let mut held = BTreeSet::new();
            let mut given = Vec::new();
            let mut follower = None;
            for (place, step) in before.iter().chain(&after).chain([&Step::Look]).enumerate() {
                if place == before.len() {
                    follower = Some(lake.follow(Filter::default()).await.unwrap());
                    held.clone_from(&all(&lake).await);
                }
                match step {
                    Step::Land(numbers) => drop(lake.land(&records(numbers)).await.unwrap()),
                    Step::Append(numbers) => drop(lake.append(&records(numbers)).await.unwrap()),
                    Step::Compact => drop(lake.compact(time("2026-05-02T00:00:00Z"), None).await.unwrap()),
                    Step::Look => if let Some(follower) = &mut follower { given.extend(next(follower).await) },
                }
            }
            let once: BTreeSet<u128> = given.iter().copied().collect();
            assert_eq!(once.len(), given.len(), "one was given twice: {given:?}");
            let new: BTreeSet<u128> = all(&lake).await.difference(&held).copied().collect();
            assert_eq!(once, new);
        });
    }
}

async fn all(lake: &Lake) -> BTreeSet<u128> {
    lake.scan(&Filter::default()).await.unwrap().iter().map(|record| record.invocation_id.as_u128()).collect()
}
