//! The rights of a caller.

use super::error::Error;
use crate::model::{Caller, Owner, Scope, Session};

impl Caller {
    /// Refuses a caller whose scope does not grant `right`, and a key that is bound to an application.
    pub fn require(&self, right: &'static str) -> Result<(), Error> {
        match self.require_of_bound(right)? {
            None => Ok(()),
            Some(_) => Err(Error::BoundKey),
        }
    }

    /// Refuses a caller whose scope does not grant `right`. Answers the application that the right is limited to, which the
    /// operation must then observe.
    ///
    /// A session of the console is refused what login services do, even an administrator's: whoever opens sessions or tells of
    /// authentications gets tokens, which would outlive the sign-in at the console.
    pub fn require_of_bound(&self, right: &'static str) -> Result<Option<&str>, Error> {
        let is_logins = right == Scope::WRITE && self.session().is_some_and(Session::is_of_console);
        if self.scope().allows(right) && !is_logins { Ok(self.application()) } else { Err(Error::needs(right)) }
    }

    /// The sessions that the caller reaches: anybody's with `right`, else its own. A service without `right` has none.
    pub fn reach(&self, right: &'static str) -> Result<Owner<'_>, Error> {
        match self {
            caller if caller.scope().allows(right) => caller.require(right).map(|()| Owner::Anyone),
            Self::User(signed_in) => Ok(Owner::User(&signed_in.session.user_id)),
            Self::Service(_) => Err(Error::needs(right)),
        }
    }
}
