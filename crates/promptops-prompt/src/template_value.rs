//! Values as templates see them, made without work that the engine's own conversion would repeat.
//!
//! A mapping keeps its sorted names apart from its values, so that mappings with the same names share them: the variables of
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

/// Sorted names without duplicates, cheap to copy. All of them are texts, which need no memory of their own up to 22 bytes.
#[derive(Debug, Clone)]
pub(crate) struct Names(Arc<[TemplateValue]>);

impl Names {
    /// Keeps `names`, which are sorted and distinct.
    pub(crate) fn of_sorted<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.map(TemplateValue::from).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        if self.0.len() <= MAX_LINEAR {
            return self.0.iter().position(|one| text(one) == name);
        }
        self.0.binary_search_by(|one| text(one).cmp(name)).ok()
    }
}

fn text(name: &TemplateValue) -> &str {
    name.as_str().unwrap_or_default()
}

/// A mapping whose names may be shared with others.
#[derive(Debug)]
struct Mapping {
    names: Names,
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
        self.mapped_rev_key_value_enumerator(|this| Box::new(this.names.0.iter().cloned().zip(this.values.iter().cloned())))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.names.len())
    }
}

/// Makes a mapping of names and as many values, in their order.
pub(crate) fn mapping(names: Names, values: Vec<TemplateValue>) -> TemplateValue {
    TemplateValue::from_object(Mapping { names, values })
}

/// Names and values on their way to becoming a mapping.
#[derive(Debug, Default)]
pub struct Pairs(Vec<(TemplateValue, TemplateValue)>);

impl Pairs {
    /// Makes an empty list with room for `count` pairs.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds a pair. Of pairs with the same name the last one counts.
    pub fn push(&mut self, name: &str, value: TemplateValue) {
        self.0.push((TemplateValue::from(name), value));
    }
}

/// Names in the order in which they were given, and what became of them.
#[derive(Debug)]
struct Shape {
    given: Vec<TemplateValue>,
    names: Names,
    /// For each of `names` the place of its value among those given.
    places: Vec<usize>,
}

impl Shape {
    fn of(given: Vec<TemplateValue>) -> Self {
        let mut places: Vec<usize> = (0..given.len()).collect();
        // The later of two places with the same name comes first, and stays.
        places.sort_by(|one, other| text(&given[*one]).cmp(text(&given[*other])).then(other.cmp(one)));
        places.dedup_by(|one, other| text(&given[*one]) == text(&given[*other]));
        let names = Names(places.iter().map(|place| given[*place].clone()).collect());
        Self { given, names, places }
    }

    fn fits(&self, pairs: &[(TemplateValue, TemplateValue)]) -> bool {
        self.given.len() == pairs.len() && self.given.iter().zip(pairs).all(|(one, (other, _))| text(one) == text(other))
    }

    fn mapping(&self, mut pairs: Vec<(TemplateValue, TemplateValue)>) -> TemplateValue {
        let values = self.places.iter().map(|place| std::mem::take(&mut pairs[*place].1)).collect();
        mapping(self.names.clone(), values)
    }
}

/// Makes mappings, and remembers a few sets of names so that further mappings share them.
///
/// Mappings enumerate their names in sorted order, however they were given.
#[derive(Debug, Default)]
pub struct Mappings {
    remembered: Vec<Shape>,
}

impl Mappings {
    /// Makes a mapping of `pairs`.
    pub fn mapping(&mut self, pairs: Pairs) -> TemplateValue {
        let pairs = pairs.0;
        if let Some(shape) = self.remembered.iter().find(|shape| shape.fits(&pairs)) {
            return shape.mapping(pairs);
        }
        let shape = Shape::of(pairs.iter().map(|(name, _)| name.clone()).collect());
        let mapping = shape.mapping(pairs);
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.push(shape);
        }
        mapping
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
                let mut pairs = Pairs::with_capacity(members.len());
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
        let mut pairs = Pairs::default();
        for (name, value) in [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("b", 5)] {
            pairs.push(name, value.into());
        }
        assert_eq!(mappings.mapping(pairs).to_string(), "{'a': 2, 'b': 5, 'c': 4}");
    }

    #[test]
    fn remembers_a_bounded_number_of_names() {
        let mut mappings = Mappings::default();
        for number in 0..100 {
            let name = format!("n{number}");
            assert_eq!(mappings.json(&json!({ &name: number })).get_attr(&name).unwrap(), TemplateValue::from(number));
        }
        assert_eq!(mappings.remembered.len(), MAX_REMEMBERED);
    }
}
