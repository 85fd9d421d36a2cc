//! The texts of the page, in one file for each language.

mod ar;
mod de;
mod en;
mod preferred;
mod texts;

pub(super) use preferred::preferred;
pub(super) use texts::{Done, Problem, Unit, Words};
