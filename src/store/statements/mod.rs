//! The SQL that both databases run to the letter: a file for each subject, of the same name as in the stores. A
//! statement that locks, or differs between the databases, stands in each store.
//!
//! A statement with a condition that each store words for itself, such as `active!`, is a macro; the others are
//! constants. Beside the statements stands the decoding of their rows.

#[macro_use]
mod fragments;

pub(super) mod applications;
#[macro_use]
pub(super) mod audit;
pub(super) mod bulk_endings;
#[macro_use]
pub(super) mod end;
pub(super) mod idempotency_keys;
pub(super) mod keys;
#[macro_use]
pub(super) mod master_secrets;
pub(super) mod one_time_links;
pub(super) mod retention;
#[macro_use]
pub(super) mod sessions;
#[macro_use]
pub(super) mod statistics;
pub(super) mod users;
