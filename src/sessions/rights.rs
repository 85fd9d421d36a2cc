//! The rights that dialects give by scopes of their own.

use super::error::Error;
use crate::model::{Caller, Scope};

/// The scopes that give a dialect's callers rights over everybody's sessions. Each right has alternatives, of which one
/// suffices with all its scopes; an error names the first scope of the first.
#[derive(Debug)]
pub struct Rights {
    /// The scopes for seeing sessions.
    pub read: &'static [&'static [&'static str]],
    /// The scopes for ending sessions.
    pub end: &'static [&'static [&'static str]],
}

impl Rights {
    /// Whether a scope is part of a right.
    pub(super) fn name(&self, scope: &str) -> bool {
        [self.read, self.end].into_iter().flatten().any(|alternative| alternative.contains(&scope))
    }

    pub(super) fn require_read(&self, caller: &Caller) -> Result<(), Error> {
        require(self.read, caller)
    }

    pub(super) fn require_end(&self, caller: &Caller) -> Result<(), Error> {
        require(self.end, caller)
    }
}

fn require(right: &[&[&'static str]], caller: &Caller) -> Result<(), Error> {
    let granted = right.iter().any(|alternative| alternative.iter().all(|scope| caller.scope().contains(scope)));
    let needed = right.first().and_then(|alternative| alternative.first()).copied().unwrap_or(Scope::ADMIN);
    if granted && caller.application().is_some() {
        return Err(Error::BoundKey);
    }
    if granted { Ok(()) } else { Err(Error::Forbidden { needed }) }
}
