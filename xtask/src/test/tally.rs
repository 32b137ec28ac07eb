//! What ran, and how it went.

use std::fmt;

/// How many tests passed and failed, and why the others were skipped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// One reason per skipped test, beginning with the test's name.
    pub(crate) skipped: Vec<String>,
}

impl Tally {
    /// Adds what a runner counted; a runner that could not run is one failure.
    pub(crate) fn add(&mut self, counted: Option<Self>) {
        match counted {
            Some(counted) => {
                self.passed += counted.passed;
                self.failed += counted.failed;
                self.skipped.extend(counted.skipped);
            }
            None => self.failed += 1,
        }
    }

    /// Passes on what a step set up; a step that did not succeed is one failure.
    pub(crate) fn setup<T>(&mut self, made: Option<T>) -> Option<T> {
        self.failed += u64::from(made.is_none());
        made
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_in_one_line() {
        let mut tally = Tally { passed: 2, failed: 0, skipped: vec!["a: no data".to_owned()] };
        tally.add(Some(Tally { passed: 3, failed: 1, skipped: vec!["b: no data".to_owned()] }));
        assert_eq!(tally.to_string(), "5 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn counts_what_could_not_run_as_a_failure() {
        let mut tally = Tally::default();
        tally.add(None);
        assert_eq!(tally.setup(None::<()>), None);
        assert_eq!(tally.setup(Some(7)), Some(7));
        assert_eq!(tally.to_string(), "0 passed, 2 failed, 0 skipped");
    }
}
