//! OTLP as OpenTelemetry's own types write it, read as invocations.

#![cfg(test)]
#![cfg(feature = "otlp")]

mod conventions;
mod hostile;
mod spec;
mod writing;
