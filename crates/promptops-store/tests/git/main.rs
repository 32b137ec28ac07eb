//! Reading Git repositories that the `git` program made.

mod history;
mod repository;
mod scratch;
