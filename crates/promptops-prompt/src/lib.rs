//! The prompt asset: parse, check, render, digest, classify a change.
