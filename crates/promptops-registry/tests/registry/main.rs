//! The registry on `memory://` and `file://`.

#![cfg(test)]

mod approvals;
mod desk;
mod environments;
mod interruption;
mod publishing;
mod ssh_keygen;
mod verification;
