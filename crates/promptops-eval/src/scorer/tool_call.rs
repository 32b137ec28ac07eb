//! `tool-call`: the model calls the tools that it should.

use serde_json::{Value, json};

use super::expected::Expected;
use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unjudged, UnjudgedClass, excerpt};
use crate::client::{Call, ToolCall};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// How arguments are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    /// They are equal.
    Exact,
    /// The expected ones are there, with these values; there may be more.
    Subset,
    /// They are not looked at.
    Ignored,
}

const ARGUMENTS: [&str; 3] = ["exact", "subset", "ignore"];

/// Grades the calls of an answer by F1 over the expected ones; an answer passes whose calls are exactly the expected ones.
///
/// With `distinct`, a tool that is called several times in the same way counts once.
///
/// Without `expected` and `value`, an answer passes that calls at least one tool and only tools that the prompt offers, with
/// arguments that fit their JSON Schemas.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCalls {
    expected: Option<Expected>,
    arguments: Arguments,
    in_order: bool,
    distinct: bool,
}

impl ToolCalls {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let arguments = match fields.choice("arguments", &ARGUMENTS) {
            Some(1) => Arguments::Subset,
            Some(2) => Arguments::Ignored,
            _ => Arguments::Exact,
        };
        let (in_order, distinct) = (fields.flag("in_order"), fields.flag("distinct"));
        let value = fields.node("value").map(|node| node.span.clone());
        if fields.node("expected").is_none() && value.is_none() {
            return Some(Self { expected: None, arguments, in_order, distinct });
        }
        let what = "a list of `name` and `arguments`";
        let expected = Expected::read(fields, what, |fields| fields.json("value").map(|json| json.value))?;
        if let Expected::Value(value) = &expected
            && let Err(message) = wanted(value)
        {
            let span = fields.node("value").map_or_else(|| fields.span(), |node| node.span.clone());
            fields.findings.error(span, message);
        }
        Some(Self { expected: Some(expected), arguments, in_order, distinct })
    }

    fn judge(&self, called: &[ToolCall], call: &Call, case: &Case) -> Result<Score, Unjudged> {
        let Some(expected) = &self.expected else { return valid(called, call) };
        let reference = |message| Unjudged { class: UnjudgedClass::Reference, message };
        let mut wanted = wanted(expected.value(case).unwrap_or(&Value::Null)).map_err(reference)?;
        let once;
        let called = if self.distinct {
            wanted = self.once(&wanted);
            once = self.once(called);
            &once
        } else {
            called
        };
        let pairs = self.pairs(called, &wanted);
        let is_ordered = !self.in_order || pairs.windows(2).all(|pair| pair[0].1 < pair[1].1);
        let (matched, all) = (pairs.len(), called.len() + wanted.len());
        let value = if all == 0 { 1.0 } else { 2.0 * matched as f64 / all as f64 };
        if 2 * matched == all {
            return Ok(if is_ordered { Score::pass() } else { Score::fail("the tools are called in another order") });
        }
        let missing: Vec<String> = (0..wanted.len())
            .filter(|index| pairs.iter().all(|(wanted, _)| wanted != index))
            .map(|index| shown(&wanted[index]))
            .collect();
        let more: Vec<String> = (0..called.len())
            .filter(|index| pairs.iter().all(|(_, called)| called != index))
            .map(|index| shown(&called[index]))
            .collect();
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("not called: {}", missing.join(", ")));
        }
        if !more.is_empty() {
            parts.push(format!("called without need: {}", more.join(", ")));
        }
        Ok(Score { value, ..Score::fail(parts.join("; ")) })
    }

    /// Returns every call but for those that are like an earlier one.
    fn once(&self, calls: &[ToolCall]) -> Vec<ToolCall> {
        let mut once: Vec<ToolCall> = Vec::new();
        for call in calls {
            if !once.iter().any(|earlier| self.fits(earlier, call) && self.fits(call, earlier)) {
                once.push(call.clone());
            }
        }
        once
    }

    /// Pairs the wanted calls with those that were made, each at most once: (index of the wanted one, of the one made).
    fn pairs(&self, called: &[ToolCall], wanted: &[ToolCall]) -> Vec<(usize, usize)> {
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (index, wanted) in wanted.iter().enumerate() {
            let is_free = |at: &usize| pairs.iter().all(|(_, taken)| taken != at);
            let found = (0..called.len()).filter(is_free).find(|at| self.fits(&called[*at], wanted));
            pairs.extend(found.map(|at| (index, at)));
        }
        pairs
    }

    fn fits(&self, called: &ToolCall, wanted: &ToolCall) -> bool {
        let arguments = || match self.arguments {
            Arguments::Ignored => true,
            Arguments::Exact => {
                called.arguments == wanted.arguments || (is_empty(&called.arguments) && is_empty(&wanted.arguments))
            }
            Arguments::Subset => contains(&called.arguments, &wanted.arguments),
        };
        called.name == wanted.name && arguments()
    }
}

/// Tells whether there are no arguments: providers write `{}`, nothing or null.
fn is_empty(arguments: &Value) -> bool {
    arguments.is_null() || arguments.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Tells whether `whole` has everything that `part` has, object by object.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (_, part) if is_empty(part) => true,
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        _ => whole == part,
    }
}

fn shown(call: &ToolCall) -> String {
    let arguments = if is_empty(&call.arguments) { String::new() } else { call.arguments.to_string() };
    format!("`{}`", excerpt(&format!("{}({arguments})", call.name)))
}

/// Reads expected calls: a list of names or of `{name, arguments}`, one of them, or a text that is the JSON of either. An empty
/// cell expects no call.
fn wanted(value: &Value) -> Result<Vec<ToolCall>, String> {
    let bad = || format!("the expected calls are a list of `name` and `arguments`, not `{}`", excerpt(&value.to_string()));
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Value::String(text) if text.trim_start().starts_with(['[', '{']) => {
            return wanted(&serde_json::from_str::<Value>(text).map_err(|_| bad())?);
        }
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let call = |item: &Value| match item {
        Value::String(name) => Some(ToolCall { name: name.clone(), arguments: Value::Null }),
        Value::Object(fields) if fields.keys().all(|key| matches!(key.as_str(), "name" | "arguments")) => {
            let arguments = fields.get("arguments").cloned().unwrap_or_default();
            Some(ToolCall { name: fields.get("name")?.as_str()?.to_owned(), arguments })
        }
        _ => None,
    };
    items.iter().map(call).collect::<Option<Vec<_>>>().ok_or_else(bad)
}

/// Judges whether every call is of an offered tool and its arguments fit.
fn valid(called: &[ToolCall], call: &Call) -> Result<Score, Unjudged> {
    if called.is_empty() {
        return Ok(Score::fail("no tool is called"));
    }
    let offered = call.tools.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for made in called {
        let tool =
            offered.iter().map(|tool| tool.get("function").unwrap_or(tool)).find(|tool| tool["name"] == made.name.as_str());
        let Some(tool) = tool else { return Ok(Score::fail(format!("there is no tool `{}`", excerpt(&made.name)))) };
        let Some(schema) = tool.get("parameters").or_else(|| tool.get("input_schema")) else { continue };
        let validator = jsonschema::validator_for(schema).map_err(|error| Unjudged {
            class: UnjudgedClass::Reference,
            message: format!("the parameters of the tool `{}` are no JSON Schema: {error}", made.name),
        })?;
        let arguments = if made.arguments.is_null() { json!({}) } else { made.arguments.clone() };
        if let Some(error) = validator.iter_errors(&arguments).next() {
            return Ok(Score::fail(format!("the arguments of `{}` do not fit: {}", made.name, excerpt(&error.to_string()))));
        }
    }
    Ok(Score::pass())
}

impl Settings for ToolCalls {
    fn columns(&self) -> Vec<&str> {
        self.expected.as_ref().map(Expected::columns).unwrap_or_default()
    }

    fn grading(&self) -> Grading {
        if self.expected.is_some() { Grading::Share } else { Grading::PassOrFail }
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for ToolCalls {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.tool_calls, judged.call, judged.case).into()
    }

    fn describe(&self) -> Value {
        let arguments = match self.arguments {
            Arguments::Exact => "exact",
            Arguments::Subset => "subset",
            Arguments::Ignored => "ignore",
        };
        let expected = self.expected.as_ref().map(Expected::describe);
        let (in_order, distinct) = (self.in_order, self.distinct);
        json!({"type": "tool-call", "expected": expected, "arguments": arguments, "in_order": in_order, "distinct": distinct})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::client::{Answer, Call, ToolCall};
    use crate::scorer::tests::{answer, case, judge_with, scorer};
    use crate::scorer::{Judged, Score, Unjudged, UnjudgedClass};

    fn judge(text: &str, want: Value, called: &[(&str, Value)]) -> Result<Score, Unjudged> {
        let call = |(name, arguments): &(&str, Value)| ToolCall { name: (*name).into(), arguments: arguments.clone() };
        let answer = Answer { tool_calls: called.iter().map(call).collect(), ..answer("") };
        let tools = json!([
            {"type": "function", "function": {"name": "refund", "parameters":
                {"type": "object", "required": ["order"], "properties": {"order": {"type": "integer"}}}}},
            {"name": "close", "input_schema": {"type": "object", "additionalProperties": false}},
        ]);
        let call = Call { model: "m".into(), messages: Vec::new(), parameters: serde_json::Map::new(), tools: Some(tools) };
        let case = case(json!({"want": want}));
        judge_with(scorer(text, None).unwrap().as_ref(), &answer, &case, |judged| Judged { call: &call, ..judged })
    }

    #[test]
    fn the_calls_are_the_expected_ones() {
        let refund = || ("refund", json!({"order": 7}));
        let want = json!([{"name": "refund", "arguments": {"order": 7}}, "close"]);
        let text = "{type: tool-call, expected: want}";
        assert_eq!(judge(text, want.clone(), &[refund(), ("close", json!({}))]).unwrap(), Score::pass());
        assert!(judge(text, want.clone(), &[("close", Value::Null), refund()]).unwrap().passed);
        assert!(judge(text, Value::String(want.to_string()), &[refund(), ("close", json!({}))]).unwrap().passed);
        let half = judge(text, want.clone(), &[refund(), ("open", json!({}))]).unwrap();
        assert_eq!((half.value, half.passed), (0.5, false));
        assert_eq!(half.note.unwrap(), "not called: `close()`; called without need: `open()`");
        let other = judge(text, want, &[("refund", json!({"order": 8})), ("close", json!({}))]).unwrap();
        assert_eq!(other.note.unwrap(), "not called: `refund({\"order\":7})`; called without need: `refund({\"order\":8})`");
        assert!(judge(text, json!(""), &[]).unwrap().passed);
        assert!(!judge(text, json!(""), &[refund()]).unwrap().passed);
    }

    #[test]
    fn order_and_arguments_count_as_told() {
        let want = json!(["a", "b"]);
        let called = [("b", json!({"x": 1})), ("a", json!({}))];
        assert!(judge("{type: tool-call, expected: want, arguments: ignore}", want.clone(), &called).unwrap().passed);
        let ordered = judge("{type: tool-call, expected: want, arguments: ignore, in_order: true}", want, &called).unwrap();
        assert_eq!(ordered.note.unwrap(), "the tools are called in another order");
        let want = json!({"name": "a", "arguments": {"x": {"y": 1}}});
        let called = [("a", json!({"x": {"y": 1, "z": 2}, "w": 3}))];
        assert!(judge("{type: tool-call, expected: want, arguments: subset}", want.clone(), &called).unwrap().passed);
        assert!(!judge("{type: tool-call, expected: want}", want, &called).unwrap().passed);
    }

    #[test]
    fn a_tool_called_twice_may_count_once() {
        let called = [("a", json!({"x": 1})), ("a", json!({"x": 2})), ("b", json!({}))];
        let text = "{type: tool-call, expected: want, arguments: ignore}";
        assert_eq!(judge(text, json!(["a", "b"]), &called).unwrap().value, 0.8);
        let distinct = text.replace('}', ", distinct: true}");
        assert!(judge(&distinct, json!(["a", "a", "b"]), &called).unwrap().passed);
        // With other arguments it is another call.
        let exact = "{type: tool-call, expected: want, distinct: true}";
        assert_eq!(judge(exact, json!(["b"]), &called).unwrap().value, 0.5);
    }

    #[test]
    fn without_expectation_the_calls_must_be_valid() {
        let judge = |called: &[(&str, Value)]| judge("{type: tool-call}", Value::Null, called).unwrap();
        assert!(judge(&[("refund", json!({"order": 7})), ("close", Value::Null)]).passed);
        assert_eq!(judge(&[]).note.unwrap(), "no tool is called");
        assert_eq!(judge(&[("delete", json!({}))]).note.unwrap(), "there is no tool `delete`");
        assert_eq!(
            judge(&[("refund", json!({"order": "7"}))]).note.unwrap(),
            "the arguments of `refund` do not fit: \"7\" is not of type \"integer\""
        );
        assert!(!judge(&[("refund", json!("{"))]).passed);
    }

    #[test]
    fn expectations_that_are_none_are_errors() {
        let unjudged = judge("{type: tool-call, expected: want}", json!([{"tool": "a"}]), &[]).unwrap_err();
        assert_eq!(unjudged.class, UnjudgedClass::Reference);
        let error = scorer("{type: tool-call, value: [{tool: a}]}", None).unwrap_err();
        assert_eq!(error, "the expected calls are a list of `name` and `arguments`, not `[{\"tool\":\"a\"}]`");
    }
}
