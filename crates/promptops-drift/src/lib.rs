//! Drift between two windows of invocations, with an interval per signal.
