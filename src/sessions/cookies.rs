//! Cookies that carry session tokens: one for the server, whose name the operator sets, and those of applications. The
//! cookie of an application authenticates only sessions of an application that has a cookie of that name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::authenticate::Issue;
use super::credential::{Cookie, CookieKind};
use super::error::{Error, Refusal};
use super::facade::Sessions;
use super::freshness::Freshness;
use crate::model::{Application, FieldError, Session};
use crate::tokens::TokenError;

impl Sessions {
    /// The names of the cookies of all applications.
    pub fn application_cookies(&self) -> Arc<BTreeSet<String>> {
        self.applications.cookies()
    }

    /// The name of the cookie of a session: that of its application, else the server's.
    pub fn cookie_of(&self, session: &Session, server: Option<&str>) -> Option<String> {
        cookie_of(self.application_of(session).as_deref(), server).map(ToOwned::to_owned)
    }

    /// Whether a caller's session is active at this moment, also if the user has authenticated anew. An answer by which a
    /// client forgets its token must not be a guess: an unknown state is an error.
    pub async fn is_active(&self, session: &Session) -> Result<bool, Error> {
        match self.active_session(session.id, Issue::present(session), Freshness::Fresh, self.now()).await {
            Ok(_) | Err(Error::Unauthenticated(Refusal::Token(TokenError::Superseded))) => Ok(true),
            Err(Error::Unauthenticated(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Refuses a session in the cookie of another application, and one of the console in anything but the console's cookie.
    pub(super) fn admit_cookie(&self, session: &Session, cookie: Option<&Cookie>) -> Result<(), Refusal> {
        let kind = cookie.map(|cookie| cookie.kind);
        if session.is_of_console() != (kind == Some(CookieKind::Console)) {
            return Err(Refusal::OtherApplication);
        }
        match cookie {
            Some(cookie)
                if kind == Some(CookieKind::Applications)
                    && self.cookie_of(session, None).as_ref() != Some(&cookie.name) =>
            {
                Err(Refusal::OtherApplication)
            }
            _ => Ok(()),
        }
    }
}

/// Refuses to put tokens into a cookie that has no name.
pub(super) fn require_cookie(application: Option<&Application>, server: Option<&str>) -> Result<(), FieldError> {
    let message = "can be cookie only where the application has a cookie_name, or the server one by SOJOURN_COOKIE";
    cookie_of(application, server).map(|_| ()).ok_or_else(|| FieldError::new("tokens", message))
}

fn cookie_of<'a>(application: Option<&'a Application>, server: Option<&'a str>) -> Option<&'a str> {
    application.and_then(|application| application.settings.cookie_name.as_deref()).or(server)
}
