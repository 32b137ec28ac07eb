//! Who owns the prompts of records. Records do not say it; whoever reads the lake does.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::cast::{as_int32_array, as_string_array};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

/// The owners of prompts, by version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptOwners(BTreeMap<String, BTreeMap<u32, String>>);

impl PromptOwners {
    /// Says who owns a version.
    pub fn insert(&mut self, prompt_id: &str, version: u32, owner: &str) {
        self.0.entry(prompt_id.to_owned()).or_default().insert(version, owner.to_owned());
    }

    /// Tells whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the owner of a version. Of a version that is not known it is that of the next lower one, and of a record
    /// without a version that of the highest; `None` when the prompt has no version that is known.
    #[must_use]
    pub fn owner(&self, prompt_id: &str, version: Option<u32>) -> Option<&str> {
        let versions = self.0.get(prompt_id)?;
        let below = version.and_then(|version| versions.range(..=version).next_back());
        let found = match version {
            Some(_) => below.or_else(|| versions.first_key_value()),
            None => versions.last_key_value(),
        };
        found.map(|(_, owner)| owner.as_str())
    }
}

/// Returns the SQL function `owner(prompt_id, prompt_version)`.
pub(crate) fn function(owners: &PromptOwners) -> ScalarUDF {
    let owners = Arc::new(owners.clone());
    let find = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let found = column(&owners, as_string_array(&arrays[0])?, as_int32_array(&arrays[1])?);
        Ok(ColumnarValue::Array(found))
    };
    create_udf("owner", vec![DataType::Utf8, DataType::Int32], DataType::Utf8, Volatility::Stable, Arc::new(find))
}

fn column(owners: &PromptOwners, ids: &StringArray, versions: &Int32Array) -> ArrayRef {
    let mut found = StringBuilder::new();
    for (id, version) in ids.iter().zip(versions) {
        let version = version.and_then(|version| u32::try_from(version).ok());
        found.append_option(id.and_then(|id| owners.owner(id, version)));
    }
    Arc::new(found.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_that_of_the_version_or_of_the_one_before() {
        let mut owners = PromptOwners::default();
        owners.insert("a.b", 2, "ada");
        owners.insert("a.b", 4, "bob");
        let owner = |id: &str, version| owners.owner(id, version);
        assert_eq!(owner("a.b", Some(2)), Some("ada"));
        assert_eq!(owner("a.b", Some(3)), Some("ada"));
        assert_eq!(owner("a.b", Some(4)), Some("bob"));
        assert_eq!(owner("a.b", Some(9)), Some("bob"));
        assert_eq!(owner("a.b", Some(1)), Some("ada"), "an earlier one is nearer to the first than to the last");
        assert_eq!(owner("a.b", None), Some("bob"));
        assert_eq!(owner("a.c", Some(1)), None);
    }
}
