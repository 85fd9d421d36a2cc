//! The actor of a change.

use std::ops::Deref;

use super::audit::Origin;
use super::caller::Caller;

/// A caller that changes something, with the request that it does so by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The caller.
    pub caller: Caller,
    /// The request.
    pub origin: Origin,
}

impl Deref for Actor {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// An actor of no request, such as the command line.
impl From<Caller> for Actor {
    fn from(caller: Caller) -> Self {
        Self { caller, origin: Origin::default() }
    }
}
