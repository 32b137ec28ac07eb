//! Datasets, model clients, scorers, record and replay, verdict.
