//! The registry on `memory://` and `file://`.

#![cfg(test)]

mod approvals;
mod catalog;
mod clocks;
mod comparisons;
mod compatibility;
mod desk;
mod environments;
mod index;
mod interruption;
mod keys;
mod lineage;
mod publishing;
mod rollouts;
mod ssh_keygen;
mod statuses;
mod verification;
