//! The list of families. To delete a family, delete its folder, its line here and its `mod` line.

use super::mount::Mount;
use crate::sessions::Rights;

/// The families.
pub const FAMILIES: &[Mount] = &[
    super::native::MOUNT,
    super::quiika::MOUNT,
    super::vault::MOUNT,
    super::blackbox::MOUNT,
    super::cumulonimbus::MOUNT,
    super::janssen::MOUNT,
];

/// The scopes of all families that give rights here, besides the core's own.
pub fn rights() -> Vec<&'static Rights> {
    FAMILIES.iter().filter_map(|family| family.rights).collect()
}
