//! The id of a service key.

use std::fmt;

use uuid::Uuid;

/// A service key's id: shown in lists, and part of the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceKeyId(pub Uuid);

impl fmt::Display for ServiceKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
