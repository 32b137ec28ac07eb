//! When what was not taken is sent again.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// Pause before the second attempt; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause, unless the server asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause that a server may ask for.
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(300);

/// What became of records that were sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// They were taken, but for so many.
    Taken { rejected: u64 },
    /// They never will be, and why.
    Refused { reason: String, fewer_may_pass: bool },
    /// They may be later, and after how long when the server says so.
    Later { reason: String, pause: Option<Duration> },
}

/// Takes what there is to say of a sink, and whether it is that all is well again.
pub(crate) type Tell = Arc<dyn Fn(Told) + Send + Sync>;

/// What there is to say of a sink.
pub(crate) enum Told {
    /// Records wait or are lost, and why. Said once for each outage.
    Failing(String),
    /// Records are taken again.
    Recovered,
}

/// Counts attempts, and says once what is wrong.
pub(crate) struct Retry {
    pause: Duration,
    is_failing: bool,
    tell: Tell,
}

impl Retry {
    pub(crate) fn new(tell: Tell) -> Self {
        Self { pause: FIRST_PAUSE, is_failing: false, tell }
    }

    /// Takes note that records were taken.
    pub(crate) fn succeeded(&mut self) {
        self.pause = FIRST_PAUSE;
        if std::mem::replace(&mut self.is_failing, false) {
            (self.tell)(Told::Recovered);
        }
    }

    /// Takes note that records were not taken, and says so where it is news.
    pub(crate) fn failed(&mut self, reason: String) {
        if !std::mem::replace(&mut self.is_failing, true) {
            (self.tell)(Told::Failing(reason));
        }
    }

    /// Returns how long to wait: as long as asked for, else twice as long as the last time, each with up to half more or less, so
    /// that many processes do not come back at once.
    pub(crate) fn next_pause(&mut self, asked_for: Option<Duration>) -> Duration {
        let share = f64::from(u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        match asked_for {
            // Never sooner than asked for.
            Some(asked_for) => asked_for.min(LONGEST_ASKED_FOR).mul_f64(1.0 + share / 2.0),
            None => {
                let pause = self.pause;
                self.pause = (pause * 2).min(LONGEST_PAUSE);
                pause.mul_f64(0.5 + share / 2.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn retry() -> (Retry, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let tell = move |told| {
            heard.lock().unwrap().push(match told {
                Told::Failing(reason) => reason,
                Told::Recovered => "well again".to_owned(),
            });
        };
        (Retry::new(Arc::new(tell)), said)
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew() {
        let (mut retry, _) = retry();
        let in_seconds = |retry: &mut Retry| retry.next_pause(None).as_secs_f64();
        for expected in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let pause = in_seconds(&mut retry);
            assert!((expected * 0.5..=expected).contains(&pause), "{expected}: {pause}");
        }
        retry.succeeded();
        assert!(in_seconds(&mut retry) <= 0.5);
    }

    #[test]
    fn a_server_is_asked_no_sooner_than_it_wants() {
        let (mut retry, _) = retry();
        let pause = retry.next_pause(Some(Duration::from_secs(7))).as_secs_f64();
        assert!((7.0..=10.5).contains(&pause), "{pause}");
        assert!(retry.next_pause(Some(Duration::from_secs(1_000_000))) <= LONGEST_ASKED_FOR * 2);
        assert!(retry.next_pause(None) <= FIRST_PAUSE, "that was not counted as an attempt of its own");
    }

    #[test]
    fn an_outage_is_told_of_once_and_so_is_its_end() {
        let (mut retry, said) = retry();
        retry.succeeded();
        retry.failed("down".into());
        retry.failed("still down".into());
        retry.succeeded();
        retry.failed("down again".into());
        assert_eq!(*said.lock().unwrap(), ["down", "well again", "down again"]);
    }
}
