//! The rules by which a change gets its class, each with the reason that `promptops compat --explain` gives.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Part;

/// A rule of the table in `docs/concepts/compatibility.md`. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The prompt did not exist before.
    PromptNew,
    /// The prompt exists no more.
    PromptRemoved,
    /// Only metadata changed.
    MetadataChanged,
    /// The template or messages changed.
    TextChanged,
    /// Another snapshot of the same model.
    ModelSnapshot,
    /// Another model.
    ModelFamily,
    /// The new model lacks what the old one had and the prompt or its callers use.
    ModelCapabilityLost,
    /// A parameter of the call changed.
    ParameterChanged,
    /// Answers may be cut off where they were not.
    AnswerCut,
    /// What the provider enforces about the answer changed.
    ResponseFormat,
    /// A variable with a default was added.
    OptionalVariableAdded,
    /// A variable without a default was added.
    RequiredVariableAdded,
    /// A variable was removed.
    VariableRemoved,
    /// A variable got a default.
    VariableBecameOptional,
    /// A variable lost its default.
    VariableBecameRequired,
    /// The default of a variable changed.
    DefaultChanged,
    /// A schema accepts more values.
    SchemaWidened,
    /// A schema accepts fewer values.
    SchemaNarrowed,
    /// A schema is written otherwise and accepts the same values.
    SchemaRewritten,
    /// A property of the answer is gone.
    PropertyRemoved,
    /// The answer has a schema now.
    SchemaAdded,
    /// The answer has no schema any more.
    SchemaDropped,
    /// Only descriptions changed.
    DescriptionChanged,
    /// It cannot be told what a change means.
    NotUnderstood,
    /// A tool was added.
    ToolAdded,
    /// A tool was removed.
    ToolRemoved,
    /// An include was added.
    IncludeAdded,
    /// An include was removed.
    IncludeRemoved,
    /// An include is another version now.
    IncludeMoved,
}

impl Rule {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PromptNew => "prompt-new",
            Self::PromptRemoved => "prompt-removed",
            Self::MetadataChanged => "metadata-changed",
            Self::TextChanged => "text-changed",
            Self::ModelSnapshot => "model-snapshot",
            Self::ModelFamily => "model-family",
            Self::ModelCapabilityLost => "model-capability-lost",
            Self::ParameterChanged => "parameter-changed",
            Self::AnswerCut => "answer-cut",
            Self::ResponseFormat => "response-format",
            Self::OptionalVariableAdded => "optional-variable-added",
            Self::RequiredVariableAdded => "required-variable-added",
            Self::VariableRemoved => "variable-removed",
            Self::VariableBecameOptional => "variable-became-optional",
            Self::VariableBecameRequired => "variable-became-required",
            Self::DefaultChanged => "default-changed",
            Self::SchemaWidened => "schema-widened",
            Self::SchemaNarrowed => "schema-narrowed",
            Self::SchemaRewritten => "schema-rewritten",
            Self::PropertyRemoved => "property-removed",
            Self::SchemaAdded => "schema-added",
            Self::SchemaDropped => "schema-dropped",
            Self::DescriptionChanged => "description-changed",
            Self::NotUnderstood => "not-understood",
            Self::ToolAdded => "tool-added",
            Self::ToolRemoved => "tool-removed",
            Self::IncludeAdded => "include-added",
            Self::IncludeRemoved => "include-removed",
            Self::IncludeMoved => "include-moved",
        }
    }

    /// Returns why the rule gives the class it gives, for the side that depends on a part.
    pub fn why(self, part: Part) -> &'static str {
        let callers_give = part == Part::Inputs;
        match self {
            Self::PromptNew => "nobody depends on it yet",
            Self::PromptRemoved => "whoever loads it finds no newer version; what is published stays",
            Self::MetadataChanged => "it reaches neither the model nor a caller",
            Self::TextChanged => "the model sees other bytes: an evaluation decides",
            Self::ModelSnapshot => "the same text may be answered otherwise: an evaluation decides",
            Self::ModelFamily => "another model answers: a full evaluation decides",
            Self::ModelCapabilityLost => "a call that the old model took is refused or answered without it",
            Self::ParameterChanged => "the same text may be answered otherwise: an evaluation decides",
            Self::AnswerCut => "an answer that is cut off does not fit its schema: an evaluation of validity decides",
            Self::ResponseFormat => "the provider enforces it, so consumers rely on it",
            Self::OptionalVariableAdded => "callers need not give it, and its default stands for it",
            Self::RequiredVariableAdded => "a caller of the old version does not give it and is refused",
            Self::VariableRemoved => "a variable that is not declared is refused when it is given",
            Self::VariableBecameOptional => "whoever gives it still may",
            Self::VariableBecameRequired => "a caller who left it out is refused",
            Self::DefaultChanged => "callers who leave it out send other text to the model: an evaluation decides",
            Self::SchemaWidened if callers_give => {
                "inputs are consumed by the prompt: what the old version took, the new one takes"
            }
            Self::SchemaWidened => "it is consumed by others: they may get what the old version never gave",
            Self::SchemaNarrowed if callers_give => {
                "inputs are consumed by the prompt: what the old version took may be refused by the new one"
            }
            Self::SchemaNarrowed => "it is consumed by others: all that they may get they might have got before",
            Self::SchemaRewritten => "exactly the same values are accepted",
            Self::PropertyRemoved => "a consumer that reads it does not find it any more",
            Self::SchemaAdded => "before, any answer might have come",
            Self::SchemaDropped => "any answer may come now",
            Self::DescriptionChanged if callers_give => "no caller and no model sees it",
            Self::DescriptionChanged => "the model sees it where the schema is sent along: an evaluation decides",
            Self::NotUnderstood => "what cannot be determined counts as breaking",
            Self::ToolAdded => "the model may call it: the program that runs tools has to know it; an evaluation decides",
            Self::ToolRemoved => "the model cannot call it any more: an evaluation decides",
            Self::IncludeAdded | Self::IncludeRemoved => "the model sees other text: an evaluation decides",
            Self::IncludeMoved => {
                "it inherits the worst class of what changed inside; inputs count where this prompt declares them"
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_it_is_named() {
        for rule in [Rule::PromptNew, Rule::NotUnderstood, Rule::VariableBecameOptional, Rule::IncludeMoved] {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
    }
}
