//! The rights of a caller.

use super::error::Error;
use crate::model::{Caller, Owner};

impl Caller {
    /// Refuses a caller whose scope does not grant `right`.
    pub fn require(&self, right: &'static str) -> Result<(), Error> {
        if self.scope().allows(right) { Ok(()) } else { Err(Error::needs(right)) }
    }

    /// The sessions that the caller reaches: anybody's with `right`, else its own. A service without `right` has none.
    pub fn reach(&self, right: &'static str) -> Result<Owner<'_>, Error> {
        match self {
            caller if caller.scope().allows(right) => Ok(Owner::Anyone),
            Self::User(signed_in) => Ok(Owner::User(&signed_in.session.user_id)),
            Self::Service(_) => Err(Error::needs(right)),
        }
    }
}
