//! The path that a client seems to mean.

use std::fmt;

/// The path that a client seems to mean. It may hold anything, so only that client's answer names it, never the log.
#[derive(Clone, PartialEq, Eq)]
pub struct RightPath(pub(super) String);

impl fmt::Debug for RightPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RightPath")
    }
}

impl fmt::Display for RightPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
