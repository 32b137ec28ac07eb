//! Values as templates see them, made without work that the engine's own conversion would repeat.
//!
//! A mapping keeps its names apart from its values, so that mappings with the same names share them: the variables of
//! a prompt from one rendering to the next, and the items of a list of records. Templates cannot tell such a mapping from
//! the engine's own.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectExt as _, ObjectRepr, Serde};
use serde_json::Value;

pub use minijinja::Value as TemplateValue;

/// How many sets of names are remembered; records rarely nest deeper.
const MAX_REMEMBERED: usize = 8;
/// Up to here, comparing one name after the other is quicker than a binary search.
const MAX_LINEAR: usize = 12;

/// Distinct names in the order in which they were given, cheap to copy.
#[derive(Debug, Clone)]
pub(crate) struct Names(Arc<NamesInner>);

#[derive(Debug)]
struct NamesInner {
    given: Vec<Name>,
    /// The places of the names, in the names' order.
    sorted: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Name {
    outline: Outline,
    /// A text, which needs no memory of its own up to 22 bytes.
    text: TemplateValue,
}

impl Name {
    fn new(name: &str) -> Self {
        Self { outline: Outline::of(name), text: TemplateValue::from(name) }
    }

    fn as_str(&self) -> &str {
        self.text.as_str().unwrap_or_default()
    }

    fn is(&self, outline: Outline, name: &str) -> bool {
        self.outline == outline && (name.len() <= OUTLINE_BYTES || self.as_str() == name)
    }
}

/// The length of a name and its first and last bytes, each as many as there are up to eight: what tells names apart without
/// comparing texts. Of names up to [`OUTLINE_BYTES`] it holds every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outline {
    length: usize,
    first: u64,
    last: u64,
}

const OUTLINE_BYTES: usize = 16;

impl Outline {
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let (first, last) = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            (u64::from_ne_bytes(*first), u64::from_ne_bytes(*last))
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            (u32::from_ne_bytes(*first).into(), u32::from_ne_bytes(*last).into())
        } else {
            // Of up to three bytes the first, the middle and the last are all.
            let byte = |place: usize| u64::from(bytes.get(place).copied().unwrap_or_default());
            (byte(0), byte(bytes.len() / 2) << 8 | byte(bytes.len().saturating_sub(1)))
        };
        Self { length: bytes.len(), first, last }
    }
}

impl Names {
    /// Keeps `given`, or returns it with the places of those that count when some are the same: the last of each.
    fn new(given: Vec<Name>) -> Result<Self, (Vec<Name>, Vec<usize>)> {
        let mut sorted: Vec<usize> = (0..given.len()).collect();
        // The later of two places with the same name comes first, and stays.
        sorted.sort_by(|one, other| given[*one].as_str().cmp(given[*other].as_str()).then(other.cmp(one)));
        sorted.dedup_by(|one, other| given[*one].as_str() == given[*other].as_str());
        if sorted.len() < given.len() { Err((given, sorted)) } else { Ok(Self(Arc::new(NamesInner { given, sorted }))) }
    }

    /// Keeps `names`, which are sorted and distinct.
    pub(crate) fn of_sorted<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let given: Vec<_> = names.map(Name::new).collect();
        Self(Arc::new(NamesInner { sorted: (0..given.len()).collect(), given }))
    }

    fn len(&self) -> usize {
        self.0.given.len()
    }

    fn has_at(&self, place: usize, name: &str) -> bool {
        self.0.given.get(place).is_some_and(|one| one.as_str() == name)
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        let NamesInner { given, sorted } = &*self.0;
        if given.len() <= MAX_LINEAR {
            let outline = Outline::of(name);
            return given.iter().position(|one| one.is(outline, name));
        }
        sorted.binary_search_by(|place| given[*place].as_str().cmp(name)).ok().map(|index| sorted[index])
    }
}

/// A mapping whose names may be shared with others.
#[derive(Debug)]
struct Mapping {
    names: Names,
    /// In the order of the names as they were given.
    values: Vec<TemplateValue>,
}

impl Object for Mapping {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &TemplateValue) -> Option<TemplateValue> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<TemplateValue> {
        self.values.get(self.names.position(key)?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_rev_key_value_enumerator(|this| {
            let NamesInner { given, sorted } = &*this.names.0;
            Box::new(sorted.iter().map(|place| (given[*place].text.clone(), this.values[*place].clone())))
        })
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.names.len())
    }
}

/// Makes a mapping of names and as many values, in their order.
pub(crate) fn mapping(names: Names, values: Vec<TemplateValue>) -> TemplateValue {
    debug_assert_eq!(names.len(), values.len());
    TemplateValue::from_object(Mapping { names, values })
}

/// Names and values on their way to becoming a mapping.
#[derive(Debug)]
pub struct Pairs {
    /// The names of an earlier mapping, as long as those given are the same.
    expected: Option<Names>,
    /// The names, once they are not as expected.
    names: Vec<Name>,
    values: Vec<TemplateValue>,
}

impl Pairs {
    /// Adds a pair. Of pairs with the same name the last one counts.
    pub fn push(&mut self, name: &str, value: TemplateValue) {
        if let Some(expected) = &self.expected {
            if expected.has_at(self.values.len(), name) {
                self.values.push(value);
                return;
            }
            self.give_up_expected();
        }
        self.names.push(Name::new(name));
        self.values.push(value);
    }

    fn give_up_expected(&mut self) {
        if let Some(expected) = self.expected.take() {
            self.names.extend_from_slice(&expected.0.given[..self.values.len()]);
        }
    }
}

/// Makes mappings, and remembers a few sets of names so that further mappings share them.
///
/// Mappings enumerate their names in sorted order, however they were given.
#[derive(Debug, Default)]
pub struct Mappings {
    remembered: Vec<Names>,
}

impl Mappings {
    /// Begins a mapping of about `count` pairs, for [`Mappings::mapping`].
    pub fn pairs(&self, count: usize) -> Pairs {
        let expected = self.remembered.iter().rev().find(|names| names.len() == count).cloned();
        Pairs { expected, names: Vec::new(), values: Vec::with_capacity(count) }
    }

    /// Makes a mapping of `pairs`.
    pub fn mapping(&mut self, mut pairs: Pairs) -> TemplateValue {
        if let Some(expected) = pairs.expected.take_if(|expected| expected.len() == pairs.values.len()) {
            return mapping(expected, pairs.values);
        }
        pairs.give_up_expected();
        let Pairs { names, mut values, .. } = pairs;
        match Names::new(names) {
            Ok(names) => {
                if self.remembered.len() == MAX_REMEMBERED {
                    self.remembered.remove(0);
                }
                self.remembered.push(names.clone());
                mapping(names, values)
            }
            Err((given, counting)) => {
                let values = counting.iter().map(|place| std::mem::take(&mut values[*place])).collect();
                mapping(Names::of_sorted(counting.iter().map(|place| given[*place].as_str())), values)
            }
        }
    }

    /// Converts a JSON value.
    pub fn json(&mut self, value: &Value) -> TemplateValue {
        match value {
            Value::Null => TemplateValue::from(()),
            Value::Bool(truth) => TemplateValue::from(*truth),
            Value::Number(number) => TemplateValue::from(Serde(number)),
            Value::String(text) => TemplateValue::from(text.as_str()),
            Value::Array(items) => TemplateValue::from(items.iter().map(|item| self.json(item)).collect::<Vec<_>>()),
            Value::Object(members) => {
                let mut pairs = self.pairs(members.len());
                for (name, value) in members {
                    pairs.push(name, self.json(value));
                }
                self.mapping(pairs)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use minijinja::{Environment, context};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn converted(value: &Value) -> TemplateValue {
        Mappings::default().json(value)
    }

    /// Says what templates can find out about a value.
    fn seen(value: &TemplateValue) -> String {
        let template = "{{ v }}|{{ v|tojson }}|{{ v|length }}|{{ v|list }}|{{ v|reverse|list }}|{{ v|items|list }}|{{ v|dictsort }}|\
                        {{ v is mapping }}|{{ 'a' in v }}|{{ 1 in v }}|{{ v.a is defined }}|{{ v['b'] is defined }}|\
                        {{ v.items is defined }}|{{ v == w }}|{{ not v }}|{% for name in v %}{{ loop.index }}{{ name }},{% endfor %}";
        Environment::new()
            .render_str(template, context!(v => value, w => TemplateValue::from(Serde(json!({"a": 1, "b": [2]})))))
            .unwrap()
    }

    proptest! {
        /// An outline tells names apart exactly as their texts do, also where it does not hold every byte.
        #[test]
        fn a_name_is_found_by_its_text(names in prop::collection::btree_set("[ab]{0,4}|[ab]{7,9}|[ab]{15,18}", 0..8), name in "[ab]{0,4}|[ab]{7,9}|[ab]{15,18}") {
            let kept = Names::of_sorted(names.iter().map(String::as_str));
            prop_assert_eq!(kept.position(&name), names.iter().position(|one| *one == name));
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            ".{0,30}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 16, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[a-d]{0,2}|.{23,25}", inner), 0..16)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn looks_like_the_engines_own_conversion(value in any_json(), names in prop::collection::vec("[a-d]{1,2}", 0..16)) {
            let (ours, own) = (converted(&value), TemplateValue::from(Serde(&value)));
            prop_assert_eq!(&ours, &own);
            prop_assert_eq!(&own, &ours);
            prop_assert_eq!(ours.kind(), own.kind());
            prop_assert_eq!(ours.to_string(), own.to_string());
            prop_assert_eq!(serde_json::to_string(&ours).unwrap(), serde_json::to_string(&own).unwrap());
            let members: Value = names.into_iter().map(|name| (name, value.clone())).collect();
            prop_assert_eq!(seen(&converted(&members)), seen(&TemplateValue::from(Serde(&members))));
        }
    }

    #[test]
    fn shares_the_names_of_records_and_keeps_the_last_value() {
        let mut mappings = Mappings::default();
        let list = mappings.json(&json!([{"b": 1, "a": 2}, {"b": 3, "a": 4}, {"a": 5}, {}]));
        let names: Vec<_> =
            list.try_iter().unwrap().map(|item| item.downcast_object::<Mapping>().unwrap().names.clone()).collect();
        assert!(Arc::ptr_eq(&names[0].0, &names[1].0));
        assert!(!Arc::ptr_eq(&names[0].0, &names[2].0));
        for count in 0..6 {
            let mut pairs = mappings.pairs(count);
            for (name, value) in [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("b", 5)] {
                pairs.push(name, value.into());
            }
            assert_eq!(mappings.mapping(pairs).to_string(), "{'a': 2, 'b': 5, 'c': 4}");
            // Fewer pairs than were announced, the first as expected.
            let mut pairs = mappings.pairs(2);
            pairs.push("b", count.into());
            assert_eq!(mappings.mapping(pairs).to_string(), format!("{{'b': {count}}}"));
        }
    }

    #[test]
    fn remembers_a_bounded_number_of_names() {
        let mut mappings = Mappings::default();
        for number in 0..100 {
            let name = format!("n{number}");
            assert_eq!(mappings.json(&json!({ &name: number })).get_attr(&name).unwrap(), TemplateValue::from(number));
        }
        assert_eq!(mappings.remembered.len(), MAX_REMEMBERED);
        assert!(mappings.remembered[MAX_REMEMBERED - 1].has_at(0, "n99"));
    }
}
