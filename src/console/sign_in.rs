//! Signing in to the console and out of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::api::app::App;
use crate::api::console_cookie;
use crate::api::credentials::bearer;
use crate::api::extract::{self, OptionalBody};
use crate::api::failure::Rejection;
use crate::api::family::Refused;
use crate::api::limits::network_of;
use crate::api::native::Native;
use crate::model::{Opener, Session};
use crate::sessions::{ConsoleBrowser, ConsoleRole, ConsoleSession, Error, Refusal};

type Result<T> = std::result::Result<T, Refused<Native>>;

/// The credential of a sign-in: one of these, or none where it is in the `Authorization` header.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    /// A service key.
    key: Option<String>,
    /// A one-time link.
    link: Option<String>,
}

/// The person who is signed in.
#[derive(Serialize)]
pub(super) struct Me {
    role: &'static str,
    name: String,
    signed_in_at: String,
    expires_at: String,
    /// Whether it is by the bootstrap key, which should be replaced by a real one.
    bootstrap: bool,
}

/// Exchanges a credential for the console's cookie. Whatever is wrong with the credential, the answer is the same.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    parts: Parts,
    body: OptionalBody<Native, SignIn>,
) -> Result<Response> {
    console_cookie::require_own_page(&parts, &app)?;
    let address = app.forwarding.client_address(&parts.headers, &parts.extensions);
    let origin = extract::origin(&parts, &app);
    let (network, now) = (network_of(address), app.sessions.now());
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let browser = ConsoleBrowser { user_agent: user_agent.map(ToOwned::to_owned), origin: origin.clone() };
    let SignIn { key, link } = body.into_inner();
    let signed_in = match (key, link, bearer(&parts.headers)) {
        (Some(key), None, None) => app.sessions.sign_in_to_console(key.trim(), browser).await,
        (None, Some(link), None) => app.sessions.sign_in_to_console_by_link(&link, browser).await,
        (None, None, Some(token)) => app.sessions.sign_in_to_console(token, browser).await,
        _ => return Err(Rejection::Malformed("The request must have one of key, link and a bearer".to_owned()).into()),
    };
    let token = match signed_in {
        Ok(token) => token,
        Err(Error::Unauthenticated(refusal)) => {
            // A good credential is always taken: nobody locks others out by failing from their address.
            app.sign_in_failures.count(&network, now)?;
            tracing::warn!(%refusal, "a sign-in to the console was refused");
            app.sessions.record_failed_sign_in(origin).await?;
            return Err(Error::from(Refusal::ServiceKey).into());
        }
        Err(error) => return Err(error.into()),
    };
    // Whoever signs in anew goes on in one session.
    if let Ok(Some(former)) = console_cookie::read(&parts, &app) {
        app.sessions.revoke_token(&former.text).await?;
    }
    let cookie = console_cookie::set(&parts.headers, token.expose())?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Ends the console's session, active or not, and makes the browser forget the cookie and whatever it has kept.
pub(super) async fn sign_out(State(app): State<Arc<App>>, parts: Parts) -> Result<Response> {
    console_cookie::require_own_page(&parts, &app)?;
    if let Some(cookie) = console_cookie::read(&parts, &app)? {
        app.sessions.sign_out_of_console(&cookie, extract::origin(&parts, &app)).await?;
    }
    let cookie = console_cookie::clear(&parts.headers)?;
    let forget = (HeaderName::from_static("clear-site-data"), "\"cache\", \"storage\"");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)], [forget]).into_response())
}

/// The person who is signed in.
pub(super) async fn me(State(app): State<Arc<App>>, parts: Parts) -> Result<Json<Me>> {
    let cookie = console_cookie::read(&parts, &app)?.ok_or_else(|| Error::from(Refusal::Missing))?;
    Ok(Json(app.sessions.console_session(&cookie).await?.into()))
}

impl From<ConsoleSession> for Me {
    fn from(console: ConsoleSession) -> Self {
        let Session { user_id, created_at, opened_by, .. } = &console.signed_in.session;
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        Self {
            role: match console.role {
                ConsoleRole::Viewer => "viewer",
                ConsoleRole::Admin => "admin",
            },
            name: console.signed_in.user.name.clone().unwrap_or_else(|| user_id.as_str().to_owned()),
            signed_in_at: time(*created_at),
            expires_at: time(console.signed_in.session.expires_at),
            bootstrap: *opened_by == Some(Opener::BootstrapKey),
        }
    }
}
