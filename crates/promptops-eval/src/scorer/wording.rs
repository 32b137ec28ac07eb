//! What scorers have in common that grade how much of its wording an answer shares with texts that are expected.

use super::expected::Expected;
use super::{Building, Grading, Scorer, Settings};

/// A scorer that grades by nothing but the answer and the texts that are expected, so that its settings are the scorer.
pub(super) trait Wording: Scorer + Clone + 'static {
    /// Returns where the texts come from.
    fn expected(&self) -> &Expected;
}

impl<W: Wording> Settings for W {
    fn columns(&self) -> Vec<&str> {
        self.expected().columns()
    }

    fn grading(&self) -> Grading {
        Grading::Share
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}
