//! The JSON Schema of eval files, for editors.
//!
//! What it says is held against the reader by tests: each scorer has the fields that its reader asks for, and what the reader
//! takes the schema takes.

use serde_json::{Map, Value, json};

use super::{MAX_REPEATS, lake_slice::MAX_INVOCATIONS};
use crate::scorer;
use crate::scorer::sql_text::dialects;

/// Returns the JSON Schema (2020-12) of eval files.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "PromptOps eval",
        "description": "What a prompt is asked, how the answers are judged, and how much worse a new version may be.",
        "type": "object",
        "additionalProperties": false,
        "required": ["prompt", "dataset", "metrics"],
        "properties": {
            "prompt": text("The prompt that is evaluated, by its id."),
            "dataset": {"anyOf": [
                text("A file, relative to this one: .csv, .jsonl, .yaml or .parquet."),
                {"$ref": "#/$defs/slice"},
            ]},
            "case": text("The column that names a case; otherwise the row's number does."),
            "inputs": {"$ref": "#/$defs/inputs"},
            "repeats": {"type": "integer", "minimum": 1, "maximum": MAX_REPEATS, "description": "Answers per case, averaged before anything is compared."},
            "must_pass": text("A true/false column: these cases must pass every metric, every time."),
            "cluster": text("A column: cases that share a value depend on each other."),
            "stratum": text("A column: the part of the dataset that a case belongs to."),
            "weight": text("A column: how much a case counts; a positive number."),
            "slices": one_or_more("Columns whose values make slices, each looked at by itself."),
            "max_error_share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "The share of errors above which there is no verdict."},
            "early_stop": {"type": "boolean", "description": "Whether the run ends as soon as its verdict stands."},
            "metrics": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/metric"}},
        },
        "$defs": {
            "inputs": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Template variable: column of the dataset."},
            "slice": slice(),
            "metric": metric(),
            "scorer": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"enum": scorer::names().collect::<Vec<_>>()}},
                "oneOf": scorer::names().map(|kind| scorer(kind, false)).collect::<Vec<_>>(),
            },
            "member": {
                "type": "object",
                "required": ["type"],
                "oneOf": scorer::names().map(|kind| scorer(kind, true)).collect::<Vec<_>>(),
            },
        },
    })
}

fn slice() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["from"],
        "description": "Recorded invocations of the lake, frozen beside the eval file when they are first needed.",
        "properties": {
            "from": {"const": "lake"},
            "prompt": text("Only those of this prompt; that of the eval unless stated."),
            "version": {"type": "integer", "minimum": 1, "description": "Only those of this version."},
            "environment": text("Only those of this environment."),
            "since": text("Only at or after this day or time, UTC."),
            "until": text("Only before this day or time, UTC."),
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_INVOCATIONS, "description": "At most so many, the latest."},
        },
    })
}

fn metric() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "scorer", "margin"],
        "properties": {
            "name": text("Its name, unique in the file."),
            "scorer": {"$ref": "#/$defs/scorer"},
            "margin": {
                "description": "How much worse a new version may be, in the metric's unit or as a ratio of the parent's value.",
                "anyOf": [
                    {"type": "number", "exclusiveMinimum": 0},
                    {"type": "object", "additionalProperties": false, "required": ["ratio"], "properties": {"ratio": {"type": "number", "exclusiveMinimum": 0}}},
                ],
            },
            "minimum": {"type": "number", "description": "The lowest value that is accepted at all."},
            "maximum": {"type": "number", "description": "The highest value that is accepted at all, of a quantity."},
            "guarded": {"type": "boolean", "description": "Whether the metric decides; true unless stated."},
        },
    })
}

/// Returns the form of one scorer; a member of a set has a weight too.
fn scorer(kind: &str, is_member: bool) -> Value {
    let (mut properties, required) = fields(kind);
    properties.insert("type".into(), json!({"const": kind}));
    properties.insert("not".into(), json!({"type": "boolean", "description": "Whether good is bad and bad is good."}));
    properties.insert("threshold".into(), json!({"type": "number", "minimum": 0, "description": "The value from which an answer passes; of a quantity the largest."}));
    if kind != "per-case" {
        let what = "Whether the value stays the grade where a threshold decides.";
        properties.insert("graded".into(), json!({"type": "boolean", "description": what}));
    }
    if is_member {
        properties.insert(
            "weight".into(),
            json!({"type": "number", "minimum": 0, "description": "How much it counts; 1 unless stated."}),
        );
    }
    let required: Vec<&str> = ["type"].into_iter().chain(required).collect();
    json!({"additionalProperties": false, "required": required, "properties": properties})
}

/// Returns the settings of a scorer and which of them must be there.
fn fields(kind: &str) -> (Map<String, Value>, Vec<&'static str>) {
    let expected = || text("The column with what is expected.");
    let flag = |what: &str| json!({"type": "boolean", "description": what});
    let ignore_case = || flag("Whether upper and lower case are the same.");
    let anywhere = || flag("Whether the first JSON object or list inside the answer counts.");
    let count = |what: &str| json!({"type": "integer", "minimum": 0, "description": what});
    let like = || json!({"enum": ["promptfoo"], "description": "By whose rules it goes."});
    let judge = || {
        [
            ("prompt", text("The judge: a prompt with its version, as quality.helpfulness@2.")),
            ("inputs", json!({"$ref": "#/$defs/inputs"})),
            ("expected", text("The column that fills the judge's variable `reference`.")),
            ("value", text("The same reference for every case.")),
        ]
    };
    let one_text = || vec![("expected", expected()), ("value", text("The expected text."))];
    let texts = || vec![("expected", expected()), ("value", one_or_more("The expected texts."))];
    let any = || vec![("expected", expected()), ("value", json!({"description": "The expected value."}))];
    let (fields, required): (Vec<(&str, Value)>, Vec<&'static str>) = match kind {
        "bleu" => ([texts(), vec![("like", like())]].concat(), vec![]),
        "gleu" => (texts(), vec![]),
        "command" => (
            vec![
                ("command", one_or_more("The program and its arguments.")),
                (
                    "timeout",
                    json!({"type": "number", "exclusiveMinimum": 0, "maximum": 3600, "description": "Seconds for one answer."}),
                ),
            ],
            vec!["command"],
        ),
        "contains" | "icontains" | "starts-with" => {
            let mut fields = one_text();
            if kind != "icontains" {
                fields.push(("ignore_case", ignore_case()));
            }
            (fields, vec![])
        }
        "contains-sql" | "sql-valid" => {
            let dialect = json!({"enum": dialects(), "description": "What it must parse as."});
            let tables = one_or_more("The only tables that may be named.");
            (vec![("dialect", dialect), ("tables", tables), ("like", like())], vec![])
        }
        "contains-xml" | "xml-valid" => {
            (vec![("elements", one_or_more("Elements that must be there, such as `order.item` and `order.@_id`."))], vec![])
        }
        "contains-json" => (vec![("schema", json!({"type": ["object", "boolean"], "description": "A JSON Schema."}))], vec![]),
        "contains-all" | "contains-any" => ([texts(), vec![("ignore_case", ignore_case())]].concat(), vec![]),
        "icontains-all" | "icontains-any" => (texts(), vec![]),
        "equals" => {
            let trim = flag("Whether white space around both texts is left out.");
            ([any(), vec![("ignore_case", ignore_case()), ("trim", trim)]].concat(), vec![])
        }
        "finish-reason" => {
            (vec![("value", one_or_more("stop, length, tool-calls, content-filter, or the provider's word."))], vec!["value"])
        }
        "json-path" => ([any(), vec![("path", text("A JSONPath (RFC 9535).")), ("anywhere", anywhere())]].concat(), vec!["path"]),
        "json-schema" => {
            let schema = json!({"type": ["object", "boolean"], "description": "A JSON Schema; otherwise the prompt's output."});
            (vec![("schema", schema), ("anywhere", anywhere())], vec![])
        }
        "json-valid" => (vec![("anywhere", anywhere())], vec![]),
        "judge" => {
            let scores = json!({"type": "object", "minProperties": 2, "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}, "description": "What each word of the judge is worth."});
            let range = json!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2, "description": "The numbers of the worst and the best answer."});
            let calibration = json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["dataset"],
                "properties": {"dataset": text("Answers that people have judged."), "human": text("The column with what they said.")},
            });
            let min_score = json!({"type": "number", "description": "The least score of a judge that answers like promptfoo's."});
            let scales = vec![("scores", scores), ("range", range), ("like", like()), ("min_score", min_score)];
            let more = [scales, vec![("calibration", calibration)]].concat();
            ([judge().to_vec(), more].concat(), vec!["prompt"])
        }
        "label" => (
            vec![("expected", expected()), ("labels", one_or_more("The labels; otherwise those of the prompt's output."))],
            vec!["expected"],
        ),
        "levenshtein" => {
            let most = count("The most characters that may differ.");
            ([one_text(), vec![("ignore_case", ignore_case()), ("max_distance", most)]].concat(), vec![])
        }
        "numeric" => (
            vec![
                ("expected", expected()),
                ("value", json!({"type": "number", "description": "The expected number."})),
                ("absolute", json!({"type": "number", "minimum": 0, "description": "How far the number may be away."})),
                (
                    "relative",
                    json!({"type": "number", "minimum": 0, "description": "The same, as a share of the expected number."}),
                ),
                ("pick", json!({"enum": ["first", "last"], "description": "Which number of a sentence counts."})),
            ],
            vec![],
        ),
        "pairwise" => {
            let words = [("first", "the first answer"), ("second", "the second answer"), ("tie", "neither")];
            let words = words.map(|(name, what)| (name, text(&format!("The judge's word for {what}."))));
            ([judge().to_vec(), words.to_vec()].concat(), vec!["prompt"])
        }
        "per-case" => {
            let metric = text("Which members of the rows' sets count; all unless stated.");
            let graded = flag("Whether the value is the grade instead of 1 or 0.");
            let judges = one_or_more("Judges that the rows name.");
            let column = text("The column with each case's scorers.");
            (vec![("column", column), ("metric", metric), ("graded", graded), ("judges", judges)], vec!["column"])
        }
        "perplexity" => {
            let max = json!({"type": "number", "minimum": 1, "description": "The most perplexity of an answer that passes; a grade without it."});
            (vec![("max", max)], vec![])
        }
        "regex" => (vec![("pattern", text("A regular expression of the Rust regex crate."))], vec!["pattern"]),
        "rouge-n" => {
            let n = json!({"type": "integer", "minimum": 1, "maximum": 9, "description": "The length of the n-grams."});
            let measure = json!({"enum": ["f1", "recall", "precision"]});
            ([texts(), vec![("n", n), ("measure", measure), ("like", like())]].concat(), vec![])
        }
        "refusal" => (vec![("like", like())], vec![]),
        "set" => (vec![("of", json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/member"}}))], vec!["of"]),
        "tokens" => (vec![("count", json!({"enum": ["total", "input", "output", "reasoning"]}))], vec![]),
        "tool-call" => {
            let arguments = json!({"enum": ["exact", "subset", "ignore"], "description": "How arguments are compared."});
            let in_order = flag("Whether the order of the calls counts.");
            let distinct = flag("Whether a tool that is called twice in the same way counts once.");
            ([any(), vec![("arguments", arguments), ("in_order", in_order), ("distinct", distinct)]].concat(), vec![])
        }
        "word-count" => (vec![("min", count("The least words.")), ("max", count("The most words."))], vec![]),
        _ => (vec![], vec![]),
    };
    (fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect(), required)
}

fn text(what: &str) -> Value {
    json!({"type": "string", "description": what})
}

fn one_or_more(what: &str) -> Value {
    json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}], "description": what})
}
