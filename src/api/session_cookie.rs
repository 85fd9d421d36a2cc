//! The session's cookie in answers: set where a client asks for one, and cleared when its session was ended by it.
//!
//! A refused request clears nothing: another tab may have signed in meanwhile, and the browser would forget that sign-in's
//! cookie, which has the same name.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::app::App;
use super::credentials::is_safe;
use crate::model::{Caller, Session};
use crate::sessions::{Credential, Error};

/// The cookie with a session's token, by the name that its application gives it, else the server; `None`: neither does. It
/// lasts as long as the browser runs: the server, and no date in the browser, decides when the session is over.
pub(super) fn set(app: &App, session: &Session, token: &str) -> Result<Option<HeaderValue>, Error> {
    let name = app.sessions.cookie_of(session, app.http.cookie.as_deref());
    name.map(|name| with_attributes(app, &format!("{name}={token}"), "")).transpose()
}

/// The cookie that makes a browser forget the one of this name.
pub(super) fn clear(app: &App, name: &str) -> Result<HeaderValue, Error> {
    with_attributes(app, &format!("{name}="), "; Max-Age=0")
}

/// A cookie with the attributes of all our cookies: browsers replace one by another with the same name, host and path.
fn with_attributes(app: &App, pair: &str, more: &str) -> Result<HeaderValue, Error> {
    let same_site = app.http.cookie_same_site.as_str();
    let value = format!("{pair}; Path=/; Secure; HttpOnly; SameSite={same_site}{more}");
    HeaderValue::try_from(value).map_err(|error| Error::Internal(error.into()))
}

/// The session of a caller by cookie, and the names of the cookies that carry its token.
#[derive(Debug)]
struct SignedInBy {
    session: Session,
    cookies: BTreeSet<String>,
}

/// The request extension by which an extractor tells the guard of a caller who changes something by cookie.
#[derive(Debug, Clone, Default)]
pub(super) struct CookieSlot(Arc<OnceLock<SignedInBy>>);

impl CookieSlot {
    /// Notes the caller of a request with these credentials, if it may end its own session and came by cookie.
    pub(super) fn note(parts: &Parts, app: &App, presented: &[Credential], caller: &Caller) {
        let (Some(Self(slot)), Some(session)) = (parts.extensions.get(), caller.session()) else { return };
        if is_safe(&parts.method) {
            return;
        }
        let is_own = |text: &str| app.sessions.session_of_token(text).is_some_and(|(id, _)| id == session.id);
        let own = presented.iter().filter_map(|credential| {
            credential.cookie.as_ref().filter(|_| is_own(&credential.text)).map(|cookie| cookie.name.clone())
        });
        let cookies: BTreeSet<String> = own.collect();
        if !cookies.is_empty() {
            slot.get_or_init(|| SignedInBy { session: session.clone(), cookies });
        }
    }

    /// Clears the caller's cookies in an answer after which its session is not active any more, whatever has ended it.
    /// After a new authentication nothing is cleared: its cookie has the same name, and may be set already.
    pub(super) async fn clear_if_ended(&self, app: &App, response: &mut Response) {
        let Some(SignedInBy { session, cookies }) = self.0.get() else { return };
        let done = response.status().is_success() || response.status().is_redirection();
        if !done || !matches!(app.sessions.is_active(session).await, Ok(false)) {
            return;
        }
        for cookie in cookies.iter().filter_map(|name| clear(app, name).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}
