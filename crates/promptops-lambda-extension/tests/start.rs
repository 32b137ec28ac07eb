//! The built extension, started outside of Lambda. Inside of it the emulator starts it, in `tests/packages`.

#![cfg(test)]

use std::process::{Command, Output};

/// Runs it in an empty folder with these settings, until it ends.
fn start(settings: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_promptops-lambda-extension"));
    command.env_clear().envs(settings.iter().copied()).current_dir(folder.path()).output().unwrap()
}

#[test]
fn what_keeps_it_from_starting_is_said() {
    for (settings, reason) in [
        (&[("PROMPTOPS_EXTENSION_PORT", "many"), ("PROMPTOPS_PROMPTS", ".")][..], "PROMPTOPS_EXTENSION_PORT is no port: `many`"),
        (&[("PROMPTOPS_BUNDLE", "no.bundle")], "no.bundle"),
        (&[], "PROMPTOPS_BUNDLE"),
    ] {
        let ended = start(settings);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), ended.stdout), (Some(1), vec![]), "{settings:?}: {said}");
        assert!(said.starts_with("promptops extension: ") && said.contains(reason), "{settings:?}: {said}");
    }
}
