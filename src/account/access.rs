//! The user whose page a request may open: that of the session in its cookie, or that of a visit.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::family::Account;
use super::visit_cookie;
use crate::api::limits::Counted;
use crate::api::{App, Place, Refused, extract, is_safe, require_own_page, session_cookies};
use crate::model::Caller;
use crate::sessions::{AccountAccess, Error, Refusal};

/// The reader of the page, counted against the rate limits.
pub(super) struct Access(pub(super) AccountAccess);

impl FromRequestParts<Arc<App>> for Access {
    type Rejection = Refused<Account>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        if let Some(visit) = visit(parts, app).await?
            && !is_signed_in_as(&visit, parts, app).await
        {
            app.limits.admit::<Account>(parts, Counted::User(visit.user()))?;
            return Ok(Self(visit));
        }
        match extract::caller::<Account>(parts, app, Place::Bearer, None).await? {
            Caller::User(me) => Ok(Self(AccountAccess::Own(me))),
            Caller::Service(_) => Err(Error::from(Refusal::NotAUser).into()),
        }
    }
}

/// The visit of a request, if its cookie still opens the page.
async fn visit(parts: &Parts, app: &App) -> Result<Option<AccountAccess>, Refused<Account>> {
    let Some(text) = visit_cookie::read(&parts.headers) else { return Ok(None) };
    if !is_safe(&parts.method) {
        require_own_page(parts, app)?;
    }
    match app.sessions.visit(&text).await {
        Ok(visit) => Ok(Some(visit)),
        Err(Error::Unauthenticated(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the browser has a session of the very user whose page it visits, who then sees more by the session.
async fn is_signed_in_as(visit: &AccountAccess, parts: &Parts, app: &App) -> bool {
    let Ok(cookies) = session_cookies::<Account>(parts, app) else { return false };
    let caller = app.sessions.authenticate_watcher(&cookies).await;
    matches!(caller, Ok(Caller::User(me)) if me.session.user_id == *visit.user())
}
