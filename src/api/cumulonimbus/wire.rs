//! Cumulonimbus's wire types.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::error::Cumulonimbus;
use crate::api::app::App;
use crate::api::extract::{ActorWithBareToken, Form, OptionalBody, Query, UserWithBareToken, path_parameter};
use crate::api::failure::Rejection;
use crate::api::family::Refused;
use crate::model;
use crate::model::{FieldError, SessionId};
use crate::sessions::{Handle, ManagedUser, UserSessions};

/// The most sessions on a page, and in one bulk.
const MAX_SESSIONS: usize = 50;

type Refusal = Refused<Cumulonimbus>;

/// The caller, and the user in the path whose sessions the caller may manage.
pub(super) struct Subject(pub ManagedUser);

impl FromRequestParts<Arc<App>> for Subject {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let actor = ActorWithBareToken::<Cumulonimbus>::from_request_parts(parts, app).await?;
        let id = path_parameter::<Cumulonimbus>(parts, app, Some("id")).await?;
        Ok(Self(ManagedUser::new(actor.into_inner(), id)?))
    }
}

/// The signed-in user, managing its own sessions.
pub(super) struct Myself(pub ManagedUser);

impl FromRequestParts<Arc<App>> for Myself {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let user = UserWithBareToken::<Cumulonimbus>::from_request_parts(parts, app).await?;
        Ok(Self(ManagedUser::own(user.into_inner())))
    }
}

/// The session's handle in the path; `None` for a text that cannot be one.
pub(super) struct SessionInPath(pub Option<Handle>);

impl FromRequestParts<Arc<App>> for SessionInPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = path_parameter::<Cumulonimbus>(parts, app, Some("sid")).await?;
        Ok(Self(handle(&text)))
    }
}

/// The handle in a text: our id, or the seconds since 1970 in plain digits, stricter than Rust's number parser.
fn handle(text: &str) -> Option<Handle> {
    if let Some(id) = SessionId::parse(text) {
        return Some(Handle::Id(id));
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let seconds = text.parse().ok().filter(|_| plain)?;
    DateTime::from_timestamp(seconds, 0).map(Handle::OpenedIn)
}

/// A page of a list by offset.
pub(super) struct Window {
    pub(super) limit: usize,
    pub(super) offset: usize,
}

impl FromRequestParts<Arc<App>> for Window {
    type Rejection = Refusal;

    /// A repeated parameter counts as no number. A number beyond `usize` is still one: its page is empty, not the first.
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let pairs = Query::<Cumulonimbus, Vec<(String, String)>>::from_request_parts(parts, app).await?;
        let number = |name: &str| match values(&pairs, name)[..] {
            [value] if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(value.parse::<usize>().unwrap_or(usize::MAX))
            }
            _ => None,
        };
        let limit = number("limit").filter(|limit| (1..=MAX_SESSIONS).contains(limit)).unwrap_or(MAX_SESSIONS);
        Ok(Self { limit, offset: number("offset").unwrap_or(0) })
    }
}

fn values<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

/// Whether an ending of all sessions keeps the one that the request comes with.
pub(super) struct AllButSelf(pub bool);

impl FromRequestParts<Arc<App>> for AllButSelf {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let pairs = Query::<Cumulonimbus, Vec<(String, String)>>::from_request_parts(parts, app).await?;
        match values(&pairs, "allButSelf")[..] {
            [] | ["false"] => Ok(Self(false)),
            ["true"] => Ok(Self(true)),
            _ => Err(FieldError::new("allButSelf", "must be true or false, once").into()),
        }
    }
}

/// A bulk as JSON, its array not yet checked.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkBody {
    #[serde(default)]
    sessions: Value,
}

/// The handles in a bulk, without entries that cannot be one.
pub(super) struct Bulk(pub Vec<Handle>);

impl FromRequest<Arc<App>> for Bulk {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        let not_there = || FieldError::new("sessions", "must be an array of strings");
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let entries: Vec<String> = match content_type {
            None => return Err(not_there().into()),
            Some(text) if text.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") => {
                let pairs = Form::<Cumulonimbus, Vec<(String, String)>>::from_request(request, app).await?;
                let (named, others): (Vec<_>, Vec<_>) =
                    pairs.into_inner().into_iter().partition(|(name, _)| name == "sessions" || name == "sessions[]");
                match (named.is_empty(), others.is_empty()) {
                    (true, _) => Err(not_there()),
                    (false, true) => Ok(named.into_iter().map(|(_, value)| value).collect()),
                    (false, false) => {
                        return Err(Rejection::Malformed("The body has an unknown member".to_owned()).into());
                    }
                }
            }
            Some(_) => {
                let body = OptionalBody::<Cumulonimbus, BulkBody>::from_request(request, app).await?;
                serde_json::from_value(body.into_inner().sessions).map_err(|_| not_there())
            }
        }?;
        if entries.len() > MAX_SESSIONS {
            return Err(Rejection::TooMany { field: "sessions", most: MAX_SESSIONS }.into());
        }
        Ok(Self(entries.iter().filter_map(|entry| handle(entry)).collect()))
    }
}

/// One session of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Time of opening, in seconds since 1970.
    #[schema(example = 1_760_000_000)]
    iat: i64,
    /// Time of expiry, in seconds since 1970.
    #[schema(example = 1_762_592_000)]
    exp: i64,
    /// Name for display: the device's name, or browser and operating system.
    #[schema(example = "Chrome on Windows")]
    name: String,
    /// Id of the user.
    #[schema(example = "1234567890")]
    sub: String,
    /// Id of the session, unique even if two sessions share an `iat`.
    id: String,
}

impl From<model::Session> for Session {
    fn from(session: model::Session) -> Self {
        let model::Session { id, user_id, created_at, expires_at, device, .. } = session;
        Self {
            iat: created_at.timestamp(),
            exp: expires_at.timestamp(),
            name: device.label().unwrap_or_else(|| "Unknown Device".to_owned()),
            sub: user_id.to_string(),
            id: id.to_string(),
        }
    }
}

/// One page of a user's active sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// Number of all active sessions, including those not on this page.
    count: usize,
    items: Vec<Session>,
}

impl From<UserSessions> for SessionList {
    fn from(UserSessions { sessions, total }: UserSessions) -> Self {
        Self { count: total, items: sessions.into_iter().map(Session::from).collect() }
    }
}

/// The sessions to delete.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it only describes the body, which is read leniently")]
pub(super) struct DeleteSessions {
    /// Ids or `iat` values of the sessions, at most 50.
    #[schema(example = json!(["1760000000"]), max_items = 50)]
    sessions: Vec<String>,
}

/// Result of a bulk deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeleteBulk {
    /// Number of deleted sessions.
    count: usize,
    /// Always `session`.
    #[schema(value_type = String, example = "session")]
    r#type: &'static str,
}

impl DeleteBulk {
    /// The answer after `count` sessions were deleted.
    pub(super) fn of(count: usize) -> Self {
        Self { count, r#type: "session" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_called_by_its_id_or_by_plain_digits() {
        let id = "01890000-0000-7000-8000-000000000000";
        assert_eq!(handle(id), SessionId::parse(id).map(Handle::Id));
        assert_eq!(handle("1760000000"), DateTime::from_timestamp(1_760_000_000, 0).map(Handle::OpenedIn));
        let long = "1".repeat(40);
        for text in ["", "01", "1.0", "1e9", "-0", "-1", "+1", " 1", "NaN", "Infinity", "٣", "0x1", long.as_str()] {
            assert_eq!(handle(text), None, "{text:?}");
        }
    }
}
