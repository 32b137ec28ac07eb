//! The columns of the table that records are kept in: one list, from which the lake makes its schema and the command the tables
//! of Athena, Trino and Spark.

/// Name of the table in SQL, and of the folder of its files below the lake.
pub const TABLE: &str = "invocations";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// A time in UTC, microseconds.
    Time,
    /// Text; ids and hashes too.
    Text,
    /// A signed integer of 32 bits.
    Version,
    /// A signed integer of 64 bits, not negative: Athena has no unsigned ones.
    Count,
    /// A finite number.
    Number,
    /// True or false.
    Truth,
    /// A map from text to a finite number.
    Scores,
}

/// A column of the table: a field of the record under the same name and in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: ColumnType,
    /// What it means, in a few words, for whoever looks at the table.
    pub meaning: &'static str,
}

impl Column {
    /// Tells whether every record has a value; in the other columns what is unknown is null.
    #[must_use]
    pub fn is_always_known(&self) -> bool {
        matches!(self.name, "time" | "invocation_id" | "status")
    }
}

const fn column(name: &'static str, holds: ColumnType, meaning: &'static str) -> Column {
    Column { name, holds, meaning }
}

/// Every column, in the order of the files. A file that was written before a column was added does not have it.
pub const COLUMNS: &[Column] = {
    use ColumnType::{Count, Number, Scores, Text, Time, Truth, Version};
    &[
        column("time", Time, "when the call began, UTC"),
        column("invocation_id", Text, "UUID that makes the record count once"),
        column("trace_id", Text, "trace, 32 hexadecimal digits"),
        column("span_id", Text, "span, 16 hexadecimal digits"),
        column("parent_invocation", Text, "invocation that caused this one"),
        column("agent", Text, "agent that made the call"),
        column("session", Text, "conversation or job that calls share"),
        column("service", Text, "service that made the call"),
        column("runtime", Text, "kind of process"),
        column("environment", Text, "environment the prompt was resolved in"),
        column("prompt_id", Text, "prompt that was rendered"),
        column("prompt_version", Version, "its version"),
        column("prompt_digest", Text, "its behaviour digest"),
        column("arm", Text, "side of a rollout"),
        column("input_hash", Text, "hash of the rendered input"),
        column("operation", Text, "kind of the call: chat, embeddings"),
        column("provider", Text, "provider that was called"),
        column("requested_model", Text, "model that was asked for"),
        column("responded_model", Text, "model that answered"),
        column("response_id", Text, "id of the answer at the provider"),
        column("fingerprint", Text, "fingerprint of the system of the provider"),
        column("service_tier", Text, "tier the call was served in"),
        column("parameters_hash", Text, "hash of the sampling parameters"),
        column("tools_hash", Text, "hash of the tool definitions"),
        column("latency_ms", Number, "request to complete answer, milliseconds"),
        column("time_to_first_token_ms", Number, "request to first token, milliseconds"),
        column("input_tokens", Count, "tokens of the input, cached ones included"),
        column("output_tokens", Count, "tokens of the output, reasoning included"),
        column("cached_tokens", Count, "tokens of the input read from a cache"),
        column("cache_write_tokens", Count, "tokens of the input written to a cache"),
        column("reasoning_tokens", Count, "tokens of the output spent on reasoning"),
        column("cost_usd", Number, "cost of the call, US dollars"),
        column("price_table", Text, "price table the cost was computed with"),
        column("status", Text, "ok or error"),
        column("error_type", Text, "kind of the error"),
        column("finish_reason", Text, "why the model stopped"),
        column("label", Text, "class that the output chose"),
        column("valid", Truth, "whether the output conforms to its schema"),
        column("refusal", Truth, "whether the model refused"),
        column("output_length", Count, "length of the output, characters"),
        column("scores", Scores, "named scores of the output"),
        column("stratum", Text, "group of comparable inputs"),
        column("source", Text, "import file or SDK that the record came from"),
        column("input", Text, "rendered input, where it is captured"),
        column("output", Text, "output, where it is captured"),
    ]
};
