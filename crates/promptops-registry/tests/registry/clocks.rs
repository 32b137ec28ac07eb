//! Two machines write, and the clock of one is an hour behind or ahead of the other's.

use chrono::{DateTime, Duration, Utc};
use promptops_registry::approval::ApprovalRequest;
use promptops_registry::status::StatusChange;
use promptops_registry::{RegistryError, Release};

use crate::desk::{Desk, desks, minute, prod, prompt, reference, signing_key, tagged};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// What the other machine's clock shows at a minute of the true day.
#[derive(Clone, Copy)]
struct Skew(i64);

const SKEWS: [Skew; 2] = [Skew(-HOUR), Skew(HOUR)];

impl Skew {
    fn clock(self, minutes: i64) -> i64 {
        minutes + self.0
    }
}

async fn deploy(desk: &Desk, version: &str, clock: i64) -> Release {
    desk.deploy(&[version], clock).await.unwrap()
}

#[tokio::test]
async fn history_and_at_keep_their_order() {
    for desk in desks().await {
        for number in 1..=12 {
            desk.publish(&prompt(&format!("a.b@{number}"), &number.to_string())).await.unwrap();
        }
        // True time goes on by ten minutes; every third release is made by a machine an hour behind, every third by one ahead.
        for number in 1..=12_i64 {
            let skew = [0, -HOUR, HOUR][usize::try_from(number).unwrap() % 3];
            deploy(&desk, &format!("a.b@{number}"), number * 10 + skew).await;
        }
        let releases = desk.registry.history(&prod()).await.unwrap();
        let times: Vec<DateTime<Utc>> = releases.iter().map(|release| release.time).collect();
        assert!(times.is_sorted(), "{times:?}");
        for release in &releases {
            // Of releases with the same time the last is what counts: the others were live for no time at all.
            let last = releases.iter().rfind(|other| other.time == release.time).unwrap();
            assert_eq!(desk.registry.at(&prod(), release.time).await.unwrap().sequence, last.sequence);
            let before = desk.registry.at(&prod(), release.time - Duration::milliseconds(1)).await.ok();
            let expected = releases.iter().rfind(|other| other.time < release.time).map(|release| release.sequence);
            assert_eq!(before.map(|release| release.sequence), expected);
        }
        let end = desk.registry.at(&prod(), minute(12 * 10 + HOUR)).await.unwrap();
        assert_eq!(end.sequence, 12);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn a_rollback_by_a_skewed_clock_is_live_at_once() {
    for skew in SKEWS {
        let desk = Desk::memory().await;
        desk.publish(&prompt("a.b@1", "one")).await.unwrap();
        desk.publish(&prompt("a.b@2", "two")).await.unwrap();
        deploy(&desk, "a.b@1", 100).await;
        deploy(&desk, "a.b@2", 110).await;
        let back = desk.registry.rollback(&prod(), None, "rel", None, minute(skew.clock(120))).await.unwrap().release;
        assert_eq!((back.sequence, back.based_on), (3, Some(1)));
        assert_eq!(desk.registry.at(&prod(), back.time).await.unwrap(), back);
        assert_eq!(desk.registry.current(&prod()).await.unwrap().unwrap(), back);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn no_clock_brings_an_expired_approval_back() {
    let desk = Desk::memory().await;
    desk.publish(&prompt("c.d@1", "other")).await.unwrap();
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    desk.approve("bob", "legal", "a.b@1", 0, 1).await.unwrap();
    // A release of the machine whose clock is right comes after the approval has expired.
    deploy(&desk, "c.d@1", DAY + 10).await;
    let behind = Skew(-HOUR).clock(DAY + 20);
    assert!(behind < DAY, "by its own clock the approval still counts");
    let plan = desk.plan(&["a.b@1"], behind).await.unwrap();
    assert!(plan.unmet()[0].reasons[0].contains("it expired at"), "{:?}", plan.unmet());
    let error = desk.apply(&plan, behind).await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused { .. }), "the release would be dated after it expired: {error}");
    // A clock that is ahead ends approvals early, which harms nobody.
    desk.approve("cleo", "legal", "a.b@1", DAY + 20, 1).await.unwrap();
    let ahead = Skew(HOUR).clock(2 * DAY);
    assert_eq!(desk.plan(&["a.b@1"], ahead).await.unwrap().unmet().len(), 1);
    assert!(desk.apply(&desk.plan(&["a.b@1"], DAY + 30).await.unwrap(), DAY + 30).await.is_ok());
}

#[tokio::test]
async fn an_approval_from_the_future_waits_until_it_is_there() {
    let desk = Desk::memory().await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    let (reference, environment) = (reference("a.b@1"), prod());
    let ahead = minute(Skew(HOUR).clock(10));
    let expires = ahead + Duration::days(7);
    let request = ApprovalRequest { reference: &reference, environment: &environment, group: "legal", expires };
    let approval = desk.registry.sign_approval(&request, &signing_key("bob"), &desk.owners, ahead).await.unwrap();
    // Whether it is stored by the machine that is ahead or refused by one that is right, it does not count before its time.
    let (statement, signature) = (&approval.statement, &approval.signature);
    let refused = desk.registry.approve(statement, signature, &desk.owners, "bob", minute(11)).await.unwrap_err();
    assert!(refused.to_string().contains("it is dated in the future"), "{refused}");
    desk.registry.approve(statement, signature, &desk.owners, "bob", ahead).await.unwrap();
    assert!(desk.missing("a.b@1", 12).await[0].contains("it is dated in the future"));
    assert!(desk.missing("a.b@1", HOUR + 6).await.is_empty(), "but for a few minutes, which clocks may differ by");
}

#[tokio::test]
async fn statuses_keep_their_order_and_their_day() {
    for desk in desks().await {
        for (name, template) in [("a.b@1", "one"), ("a.b@2", "two"), ("a.b@3", "three")] {
            desk.publish(&prompt(name, template)).await.unwrap();
        }
        // The tests' day ends 21 hours after its minute 0.
        let midnight = 21 * HOUR;
        desk.deprecate("a.b@1", "2026-11-02", midnight - 90).await.unwrap();
        let refused = |plan: &promptops_registry::Plan| !plan.withdrawn().is_empty();
        let true_time = midnight - 30;
        assert!(!refused(&desk.plan(&["a.b@1"], true_time).await.unwrap()));
        assert!(!refused(&desk.plan(&["a.b@1"], Skew(-HOUR).clock(true_time)).await.unwrap()));
        assert!(refused(&desk.plan(&["a.b@1"], Skew(HOUR).clock(true_time)).await.unwrap()), "its day has come by that clock");

        // Once a release is dated on the day, no clock that is behind deploys the version again.
        deploy(&desk, "a.b@2", midnight + 10).await;
        let behind = desk.plan(&["a.b@1"], Skew(-HOUR).clock(midnight + 20)).await.unwrap();
        assert!(refused(&behind));
        let error = desk.apply(&behind, Skew(-HOUR).clock(midnight + 20)).await.unwrap_err();
        assert!(matches!(error, RegistryError::Withdrawn { .. }), "{error}");

        // Records are dated in their order, whoever writes them.
        for (version, skew) in [("a.b@3", 0), ("a.b@1", -HOUR), ("a.b@3", HOUR), ("a.b@1", 0)] {
            let now = midnight + 30 + skew;
            let change = match desk.registry.status(&reference(version)).await.unwrap().map(|status| status.state) {
                Some(promptops_prompt::status::State::Yanked) => StatusChange::Unyank,
                _ => StatusChange::Yank,
            };
            assert!(desk.change(version, change, now).await.unwrap().record.is_some());
        }
        let records = desk.registry.status_records(&reference("a.b@1").id).await.unwrap();
        assert_eq!(records.len(), 5);
        assert!(records.is_sorted_by_key(|record| record.time), "{records:?}");
        desk.assert_sound().await;
    }
}
