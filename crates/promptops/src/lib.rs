//! The loader SDK: resolve, verify, render, record.
