//! The cookie of a visit. Nothing but the account page reads it.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::sessions::{Error, VISIT_LIFETIME};
use crate::tokens::LinkText;

/// The prefix makes browsers keep it for this host alone, sent by TLS alone.
const NAME: &str = "__Host-sojourn-account";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// The text of the visit in a request's cookies.
pub(super) fn read(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim().to_owned());
    values.next().filter(|value| !value.is_empty())
}

/// The cookie of a visit that begins.
pub(super) fn set(visit: &LinkText) -> Result<HeaderValue, Error> {
    let seconds = VISIT_LIFETIME.num_seconds();
    let cookie = format!("{NAME}={}; {ATTRIBUTES}; Max-Age={seconds}", visit.expose());
    HeaderValue::try_from(cookie).map_err(|error| Error::Internal(error.into()))
}

/// The cookie that makes a browser forget a visit.
pub(super) fn clear() -> Result<HeaderValue, Error> {
    HeaderValue::try_from(format!("{NAME}=; {ATTRIBUTES}; Max-Age=0")).map_err(|error| Error::Internal(error.into()))
}
