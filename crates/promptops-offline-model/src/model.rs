//! The models this endpoint offers, and what each of them can do.

/// What one model name stands for.
///
/// Two names never share every value, so that moving a prompt from one name to another can change its answers, as it
/// does with hosted models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Abilities {
    /// The name a request asks for.
    pub name: &'static str,
    /// Whether few-shot examples count as evidence.
    pub reads_examples: bool,
    /// Whether two neighbouring words count for more than each alone.
    pub reads_word_pairs: bool,
    /// Whether a word with one wrong letter is recognised.
    pub tolerates_typos: bool,
    /// Whether a mild wish such as "answer with the label" is obeyed to the letter. Models without it need "only".
    pub strict_format: bool,
    /// Weight of a word found in a label's definition.
    pub definition_weight: f64,
    /// Weight of a word found in one example of a label.
    pub example_weight: f64,
    /// Weight of the most similar example of a label, multiplied by its cosine similarity.
    pub similarity_weight: f64,
    /// Weight of a rule of the prompt whose condition holds.
    pub rule_weight: f64,
}

/// Every model offered, in the order `GET /v1/models` lists them.
pub const MODELS: [Abilities; 3] = [
    Abilities {
        name: "offline-small-2026-01",
        reads_examples: false,
        reads_word_pairs: false,
        tolerates_typos: false,
        strict_format: false,
        definition_weight: 1.0,
        example_weight: 0.0,
        similarity_weight: 0.0,
        rule_weight: 1.0,
    },
    Abilities {
        name: "offline-large-2026-01",
        reads_examples: true,
        reads_word_pairs: true,
        tolerates_typos: true,
        strict_format: false,
        definition_weight: 1.0,
        example_weight: 0.35,
        similarity_weight: 1.5,
        rule_weight: 2.0,
    },
    Abilities {
        name: "offline-large-2026-07",
        reads_examples: true,
        reads_word_pairs: true,
        tolerates_typos: true,
        strict_format: true,
        definition_weight: 0.8,
        example_weight: 0.5,
        similarity_weight: 2.0,
        rule_weight: 1.5,
    },
];

/// Returns the abilities of the model called `name`, or `None` when it is not offered.
pub fn abilities(name: &str) -> Option<&'static Abilities> {
    MODELS.iter().find(|model| model.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_differs_from_every_other() {
        for (index, left) in MODELS.iter().enumerate() {
            for right in &MODELS[index + 1..] {
                let renamed = Abilities { name: left.name, ..*right };
                assert_ne!(*left, renamed, "{} behaves as {}", left.name, right.name);
            }
        }
    }

    #[test]
    fn a_name_is_matched_exactly() {
        assert!(abilities("offline-large-2026-01").is_some());
        assert!(abilities("offline-large").is_none());
        assert!(abilities("Offline-large-2026-01").is_none());
    }
}
