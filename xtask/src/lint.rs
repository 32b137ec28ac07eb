//! `cargo xtask lint`: what a reviewer should not have to say.

use anyhow::Result;

use crate::Outcome;
use crate::checkout::Checkout;
use crate::step::{command_step, step};
use crate::tidy;

/// Runs every check, also after one has failed, and says whether all held.
pub(crate) fn run(checkout: &Checkout) -> Result<Outcome> {
    let mut outcomes = vec![
        command_step("formatting", checkout.cargo().args(["fmt", "--all", "--check"])),
        command_step(
            "clippy",
            checkout.cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"]),
        ),
        step("tidy", || tidy::expect_order(checkout)).map_or(Outcome::NotInOrder, |()| Outcome::InOrder),
    ];
    if has_cargo_deny(checkout) {
        // The advisory database is fetched from elsewhere; `cargo deny check advisories` asks it where the network allows.
        let mut deny = checkout.cargo();
        deny.args(["deny", "--offline", "check", "bans", "licenses", "sources"]);
        outcomes.push(command_step("licences and sources", &mut deny));
    } else {
        println!("==> licences and sources: not checked, cargo-deny is not installed (cargo install cargo-deny --locked)");
    }
    let all_held = outcomes.iter().all(|outcome| *outcome == Outcome::InOrder);
    Ok(if all_held { Outcome::InOrder } else { Outcome::NotInOrder })
}

fn has_cargo_deny(checkout: &Checkout) -> bool {
    checkout.cargo().args(["deny", "--version"]).output().is_ok_and(|output| output.status.success())
}
