//! Changes of the answer's schema: others consume it.

use super::{Change, Class, Part, Rule, SchemaName, schema_changes};
use crate::content::Content;
use crate::schema_change::{Effect, Side};

pub(super) fn changes(old: &Content, new: &Content, changes: &mut Vec<Change>) {
    let push = |class: Class, rule: Rule, reason: &str| Change::new(Part::Output, class, rule, reason);
    match (&old.output, &new.output) {
        (Some(_), None) => {
            let change = push(Class::Breaking, Rule::SchemaDropped, "the schema of the answer was dropped");
            changes.push(change.in_schema(SchemaName::Output, Vec::new(), Effect::Wider));
        }
        (None, Some(_)) => {
            let change = push(Class::Compatible, Rule::SchemaAdded, "a schema of the answer was added");
            changes.push(change.in_schema(SchemaName::Output, Vec::new(), Effect::Narrower));
        }
        (Some(old), Some(new)) if old != new => {
            let within = Some((SchemaName::Output, Vec::new()));
            let found = schema_changes(Part::Output, (old, new, Side::Output), ("the answer", "output"), within);
            if found.is_empty() {
                let reason = "descriptions in the schema changed, which the model sees where it is sent along";
                changes.push(push(Class::Behavioural, Rule::DescriptionChanged, reason));
            }
            changes.extend(found);
        }
        _ => {}
    }
}
