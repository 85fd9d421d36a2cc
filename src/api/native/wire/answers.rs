//! The bodies of answers.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::device::Device;
use crate::api::timestamp;
use crate::model;
use crate::model::{Caller, Metadata, Scope, SessionId, SignedIn, State};
use crate::sessions::{self, EndedInBulk, IssuedTokens, Opened, UserSessions};

/// The viewer of a session: only services and staff learn which credential opened it.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    own: Option<SessionId>,
    sees_opener: bool,
}

impl Viewer {
    /// Any service.
    pub const SERVICE: Self = Self { own: None, sees_opener: true };

    /// The caller.
    pub fn of(caller: &Caller) -> Self {
        match caller {
            Caller::User(signed_in) => Self::user(signed_in),
            Caller::Service(_) => Self::SERVICE,
        }
    }

    /// A user in a session, perhaps one of the staff.
    pub fn user(signed_in: &SignedIn) -> Self {
        let session = &signed_in.session;
        Self { own: Some(session.id), sees_opener: session.scope.allows(Scope::READ) }
    }
}

/// A session that was opened, and its tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenedSession {
    session: Session,
    /// A JWT for applications, good for a few minutes (with `access_and_refresh`).
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Good for one new pair at `/oauth2/token` (with `access_and_refresh`).
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The bearer for the whole stay (with `session`).
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<String>,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token dies; with a session token, until the session ends by itself.
    #[schema(example = 300)]
    expires_in: i64,
    /// The sessions that had to make place for this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evicted: Vec<Uuid>,
}

impl OpenedSession {
    /// The answer at `now`.
    pub fn new(opened: Opened, viewer: Viewer, now: DateTime<Utc>) -> Self {
        let Opened { signed_in, tokens, evicted } = opened;
        let session_lifetime = signed_in.session.expires_at - now;
        let (access_token, refresh_token, session_token, lifetime) = match tokens {
            IssuedTokens::Pair { access, access_lifetime, refresh } => {
                (Some(access), Some(refresh), None, access_lifetime)
            }
            IssuedTokens::Session(token) => (None, None, Some(token), session_lifetime),
        };
        let shown = |token: Option<crate::tokens::Secret>| token.map(|token| token.expose().to_owned());
        Self {
            session: Session::new(signed_in.session, viewer, now),
            access_token: shown(access_token),
            refresh_token: shown(refresh_token),
            session_token: shown(session_token),
            token_type: "Bearer",
            expires_in: lifetime.num_seconds(),
            evicted: evicted.into_iter().map(SessionId::as_uuid).collect(),
        }
    }
}

/// One sign-in of one user on one device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    id: Uuid,
    #[schema(example = "1001")]
    user_id: String,
    state: SessionState,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    /// When it was last used; written with a delay of up to a minute.
    #[serde(serialize_with = "timestamp::serialize")]
    last_seen_at: DateTime<Utc>,
    /// When it ends by itself; can be moved, never past `absolute_expires_at`.
    #[serde(serialize_with = "timestamp::serialize")]
    expires_at: DateTime<Utc>,
    /// The end that nothing moves.
    #[serde(serialize_with = "timestamp::serialize")]
    absolute_expires_at: DateTime<Utc>,
    /// Seconds that it may stay unused; absent when for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// `logout`, `revoked_by_user`, `revoked_by_admin`, `replaced`, `reuse_detected`, `user_banned` or `user_deleted`;
    /// more may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "revoked_by_user")]
    end_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ip_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    device: Device,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    amr: Vec<String>,
    scope: String,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// The credential that it was opened with: `key:` and a service key's id, `session:` and the id of a user's
    /// session, `bootstrap`, or `command-line`. Shown to services and with `sessions:read`; absent when it was not kept
    /// yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "key:01a20114-3d06-7355-88c5-d5965a7f8762")]
    opened_by: Option<String>,
    /// Whether it is the caller's own.
    current: bool,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It stands.
    Active,
    /// Expired by its idle timeout.
    IdleExpired,
    /// Expired by its clock.
    Expired,
    /// Ended by somebody or by rule.
    Ended,
}

impl From<State> for SessionState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::IdleExpired => Self::IdleExpired,
            State::Expired => Self::Expired,
            State::Ended => Self::Ended,
        }
    }
}

impl From<SessionState> for State {
    fn from(state: SessionState) -> Self {
        match state {
            SessionState::Active => Self::Active,
            SessionState::IdleExpired => Self::IdleExpired,
            SessionState::Expired => Self::Expired,
            SessionState::Ended => Self::Ended,
        }
    }
}

impl Session {
    /// The view at `now`.
    pub fn new(session: model::Session, viewer: Viewer, now: DateTime<Utc>) -> Self {
        let state = session.state(now).into();
        let model::Session {
            id,
            user_id,
            created_at,
            last_seen_at,
            expires_at,
            absolute_expires_at,
            idle_timeout,
            ended,
            refresh_counter: _,
            confirmed_counter: _,
            client_id,
            ip_address,
            location,
            user_agent,
            device,
            scope,
            acr,
            amr,
            metadata,
            opened_by,
        } = session;
        Self {
            id: id.as_uuid(),
            user_id: user_id.into(),
            state,
            created_at,
            last_seen_at,
            expires_at,
            absolute_expires_at,
            idle_timeout: idle_timeout.map(|idle| idle.num_seconds()),
            ended_at: ended.map(|ended| ended.at),
            end_reason: ended.map(|ended| ended.reason.as_str()),
            client_id,
            ip_address,
            location,
            user_agent,
            device: device.into(),
            acr,
            amr,
            scope: scope.into(),
            metadata: raw(&metadata),
            opened_by: opened_by.filter(|_| viewer.sees_opener).map(|opener| opener.to_string()),
            current: viewer.own == Some(id),
        }
    }
}

/// The stored metadata as JSON. It was checked on the way in, so invalid JSON here cannot have been stored by us.
fn raw(metadata: &Metadata) -> Box<RawValue> {
    RawValue::from_string(metadata.as_json().to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// One page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionPage {
    sessions: Vec<Session>,
    /// Where the next page starts; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl SessionPage {
    /// The view at `now`.
    pub fn new(page: sessions::Page, viewer: Viewer, now: DateTime<Utc>) -> Self {
        let show = |session| Session::new(session, viewer, now);
        Self { sessions: page.sessions.into_iter().map(show).collect(), next_cursor: page.next_cursor }
    }
}

/// A user's active sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// At most 1000: the newest, and the caller's own.
    sessions: Vec<Session>,
    /// The number of all, listed or not.
    total: usize,
}

impl SessionList {
    /// The view at `now`.
    pub(in crate::api::native) fn new(
        UserSessions { sessions, total }: UserSessions,
        viewer: Viewer,
        now: DateTime<Utc>,
    ) -> Self {
        Self { sessions: sessions.into_iter().map(|session| Session::new(session, viewer, now)).collect(), total }
    }
}

/// How many sessions were ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedSessions {
    /// Those that were active and are not any more.
    pub(in crate::api::native) ended: usize,
}

/// What a clean-up did.
#[derive(Debug, Serialize, ToSchema)]
pub struct CleanedUp {
    /// How many sessions were deleted, or would have been. One request deletes at most some ten thousand.
    pub(in crate::api::native) deleted: u64,
    /// Whether they were only counted.
    pub(in crate::api::native) dry_run: bool,
}

/// What was ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedSessions {
    /// Number of sessions that were ended, or would have been; 10001 means that or more. Absent when they were ended but
    /// could not be counted in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 42)]
    revoked: Option<u32>,
    /// Whether they were only counted.
    dry_run: bool,
    /// Some of them, the newest, when they were only counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sample: Vec<Session>,
}

impl RevokedSessions {
    pub(in crate::api::native) fn new(revoked: EndedInBulk, dry_run: bool, viewer: Viewer, now: DateTime<Utc>) -> Self {
        let sample = revoked.sample.into_iter().map(|session| Session::new(session, viewer, now)).collect();
        Self { revoked: revoked.sessions, dry_run, sample }
    }
}

/// Somebody who has sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    #[schema(example = "1001")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether the user may have no session.
    banned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<model::User> for User {
    fn from(user: model::User) -> Self {
        let model::User { id, name, email, banned_at, created_at, updated_at } = user;
        Self { id: id.to_string(), name, email, banned: banned_at.is_some(), banned_at, created_at, updated_at }
    }
}

/// A user that was banned, and what that ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct BannedUser {
    pub(in crate::api::native) user: User,
    /// How many sessions were ended.
    pub(in crate::api::native) ended: usize,
}

/// Who is asking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Me {
    /// A user in a session.
    User {
        /// The user.
        user: User,
        /// The session.
        session: Box<Session>,
    },
    /// A program with a service key.
    Service {
        /// What people call it.
        name: String,
        /// What it may do.
        scope: String,
    },
}

/// Whose token it is, if it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verified {
    pub(in crate::api::native) user_id: String,
    pub(in crate::api::native) session_id: Uuid,
    pub(in crate::api::native) scope: String,
    /// When the session ends by itself.
    #[serde(serialize_with = "timestamp::serialize")]
    pub(in crate::api::native) expires_at: DateTime<Utc>,
}
