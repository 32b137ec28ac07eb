//! Releases as people see them.

use promptops_registry::Release;
use promptops_registry::environment::ReleaseAction;

/// Returns one line about a release.
pub fn release(release: &Release) -> String {
    let origin = match (release.action, release.based_on) {
        (ReleaseAction::Rollback, Some(source)) => format!("rollback to {source}"),
        _ => "deploy".to_owned(),
    };
    let reason = release.reason.as_ref().map_or_else(String::new, |reason| format!("  {reason}"));
    let time = release.time.format("%Y-%m-%dT%H:%M:%SZ");
    let forced = forced(release);
    format!("{:>4}  {time}  {origin}  {}{forced}{reason}", release.sequence, release.actor)
}

/// Names the withdrawn versions that a release runs because somebody insisted, after what was said of it; empty where none.
pub fn forced(release: &Release) -> String {
    let names: Vec<String> = release.forced.iter().map(ToString::to_string).collect();
    if names.is_empty() { String::new() } else { format!(", forced to run {}", names.join(", ")) }
}
