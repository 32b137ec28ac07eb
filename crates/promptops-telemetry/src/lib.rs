//! The invocation record and its sinks.
