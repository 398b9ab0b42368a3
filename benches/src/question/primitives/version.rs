//! Which version of a library this program was built with.

/// What cargo took, for this workspace.
const LOCK: &str = include_str!("../../../../Cargo.lock");

/// The crate of that name, with its version.
pub(super) fn named(name: &str) -> String {
    let start = format!("name = \"{name}\"\nversion = \"");
    let version = LOCK.split_once(&start).and_then(|(_, rest)| rest.split('"').next());
    format!("{name} {}", version.unwrap_or_default())
}
