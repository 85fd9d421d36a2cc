//! The handlers, one file a resource: extract, ask the core, convert.

pub(super) mod cleaning;
pub(super) mod live;
pub(super) mod me;
pub(super) mod sessions;
pub(super) mod statistics;
pub(super) mod users;
pub(super) mod verify;

use super::Native;

type Result<T> = std::result::Result<T, crate::api::Refused<Native>>;
