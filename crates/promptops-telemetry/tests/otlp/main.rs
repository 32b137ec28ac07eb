//! OTLP as OpenTelemetry's own types write it, read as invocations.

#![cfg(test)]
#![cfg(feature = "otlp")]

mod conventions;
mod hostile;
#[cfg(feature = "otlp-sink")]
mod round_trip;
mod spec;
mod writing;
