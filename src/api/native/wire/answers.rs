//! The bodies of answers.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::device::Device;
use super::place::Place;
use crate::api::timestamp;
use crate::model;
use crate::model::{Caller, Metadata, Scope, SessionId, SignedIn, State};
use crate::sessions::{self, DryRun, EndedInBulk, IssuedTokens, Opened, Refreshed, UserSessions};
use crate::tokens::ClaimMembers;

/// The viewer of a session: only services and staff learn which credential opened it, and its extra claims.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    own: Option<SessionId>,
    sees_internals: bool,
}

impl Viewer {
    /// Any service.
    pub const SERVICE: Self = Self { own: None, sees_internals: true };

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
        Self { own: Some(session.id), sees_internals: session.scope.allows(Scope::READ) }
    }
}

/// A session and its new tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenedSession {
    session: Session,
    /// Short-lived JWT for applications; only with `tokens: access_and_refresh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Token to exchange for a new pair at `/oauth2/token`; only with `tokens: access_and_refresh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Bearer token that is valid as long as the session is active; only with `tokens: session`. With `tokens: cookie` it is in
    /// the cookie alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<String>,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires; with a session token, until the session expires.
    #[schema(example = 300)]
    expires_in: i64,
    /// Ids of the sessions that were ended because the user had reached the session limit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evicted: Vec<Uuid>,
}

impl OpenedSession {
    /// The answer at `now`.
    pub fn new(opened: Opened, viewer: Viewer, now: DateTime<Utc>) -> Self {
        let Opened { signed_in, tokens, evicted } = opened;
        let evicted = evicted.into_iter().map(SessionId::as_uuid).collect();
        Self { evicted, ..Self::refreshed(Refreshed { session: signed_in.session, tokens }, viewer, now) }
    }

    /// The answer at `now` for a session that was open before.
    pub fn refreshed(refreshed: Refreshed, viewer: Viewer, now: DateTime<Utc>) -> Self {
        let Refreshed { session, tokens } = refreshed;
        let (access_token, refresh_token, session_token, lifetime) = match tokens {
            IssuedTokens::Pair { access, access_lifetime, refresh } => {
                (Some(access), Some(refresh), None, access_lifetime)
            }
            IssuedTokens::Session { token, lifetime } => (None, None, Some(token), lifetime),
        };
        let shown = |token: Option<crate::tokens::Secret>| token.map(|token| token.expose().to_owned());
        Self {
            session: Session::new(session, viewer, now),
            access_token: shown(access_token),
            refresh_token: shown(refresh_token),
            session_token: shown(session_token),
            token_type: "Bearer",
            expires_in: lifetime.num_seconds(),
            evicted: Vec::new(),
        }
    }

    /// The same, for a client that gets the session token in a cookie.
    pub(in crate::api::native) fn with_token_in_cookie(self) -> Self {
        Self { session_token: None, ..self }
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
    /// Time of the last use; written with a delay of up to a minute.
    #[serde(serialize_with = "timestamp::serialize")]
    last_seen_at: DateTime<Utc>,
    /// Time at which the session expires; extensions and refreshes may move it, never past `absolute_expires_at`.
    #[serde(serialize_with = "timestamp::serialize")]
    expires_at: DateTime<Utc>,
    /// Latest possible expiry; never moves later.
    #[serde(serialize_with = "timestamp::serialize")]
    absolute_expires_at: DateTime<Utc>,
    /// Seconds without use after which the session expires; absent without such a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// Reason for the end: `logout`, `revoked_by_user`, `revoked_by_admin`, `replaced`, `reuse_detected`, `user_banned`
    /// or `user_deleted`. Later versions may add reasons.
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
    /// Place of `ip_address`, looked up by the server, if it has a file for that. Has no city and no country where the
    /// opener gave a `location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    place: Option<Place>,
    /// Address of the last use that the server knows the user's address of; at first that of the opening. Written with a
    /// delay of up to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    last_ip_address: Option<IpAddr>,
    /// Place of `last_ip_address` for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_location: Option<String>,
    /// Place of `last_ip_address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    device: Device,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    amr: Vec<String>,
    /// Time at which the user last authenticated in this session.
    #[serde(serialize_with = "timestamp::serialize")]
    auth_time: DateTime<Utc>,
    scope: String,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// Credential that opened the session, or that last told of a new authentication in it: `key:` and a service key's id, `session:` and the id of a user's session,
    /// `bootstrap`, or `command-line`. Shown to services and to users with `sessions:read`. Absent for sessions opened
    /// before the server recorded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "key:01a20114-3d06-7355-88c5-d5965a7f8762")]
    opened_by: Option<String>,
    /// Claims that the opener adds to the session's access tokens. Shown to services and to users with `sessions:read`;
    /// absent without such.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"roles": ["editor"]}))]
    claims: Option<ClaimMembers>,
    /// Whether this is the session that the request was made with.
    current: bool,
}

/// State of a session: `active`, `idle_expired` (unused for longer than its idle timeout), `expired` (past its
/// `expires_at`) or `ended`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Neither ended nor expired.
    Active,
    /// Unused for longer than its idle timeout.
    IdleExpired,
    /// Past its `expires_at`.
    Expired,
    /// Ended by a caller or by a rule.
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
        let (last_ip_address, last_location) = (session.last_ip_address(), session.last_location());
        let last_place = session.last_place().cloned().map(Place::from);
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
            place,
            last_seen_from: _,
            user_agent,
            device,
            scope,
            acr,
            amr,
            metadata,
            opened_by,
            authenticated_at,
            least_counter: _,
            claims,
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
            place: place.map(Place::from),
            last_ip_address,
            last_location,
            last_place,
            user_agent,
            device: device.into(),
            acr,
            amr,
            auth_time: authenticated_at,
            scope: scope.into(),
            metadata: raw(&metadata),
            opened_by: opened_by.filter(|_| viewer.sees_internals).map(|opener| opener.to_string()),
            claims: claims.filter(|_| viewer.sees_internals).map(|claims| ClaimMembers::all(&claims)),
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
    /// Cursor of the next page; absent on the last page.
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
    /// At most 1000 sessions: the newest, and always the caller's own.
    sessions: Vec<Session>,
    /// Number of all active sessions, including those not listed.
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

/// Result of ending sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedSessions {
    /// Number of active sessions that were ended.
    pub(in crate::api::native) ended: usize,
}

/// Result of a clean-up.
#[derive(Debug, Serialize, ToSchema)]
pub struct CleanedUp {
    /// Number of sessions deleted, or with `dry_run` number of all sessions to delete. One request deletes about ten
    /// thousand at most.
    pub(in crate::api::native) deleted: u64,
    /// Whether the sessions were only counted.
    pub(in crate::api::native) dry_run: bool,
}

/// Result of a bulk ending.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedSessions {
    /// Number of sessions ended, or with `dry_run` number of matching sessions; 10001 means 10001 or more. Absent if
    /// the sessions were ended but could not be counted in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 42)]
    revoked: Option<u32>,
    /// Whether the sessions were only counted.
    dry_run: bool,
    /// Sample of at most 10 matching sessions; only with `dry_run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sample: Vec<Session>,
    /// Numbers of matching sessions by application, the largest first, at most 20; only with `dry_run`. If more than 10000
    /// sessions match, these are the numbers of 10001 of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_client_id: Option<Vec<ClientCount>>,
    /// Instant of the count; only with `dry_run`. As `created_to` of the same filter it keeps sessions that are opened
    /// afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted_at: Option<DateTime<Utc>>,
}

/// Number of sessions of an application.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientCount {
    /// Application; null for sessions that were opened for none.
    #[schema(example = "web")]
    client_id: Option<String>,
    /// Number of sessions.
    #[schema(example = 12)]
    sessions: u32,
}

impl RevokedSessions {
    pub(in crate::api::native) fn new(revoked: EndedInBulk, viewer: Viewer, now: DateTime<Utc>) -> Self {
        let EndedInBulk { sessions: revoked, shown } = revoked;
        let Some(DryRun { sample, by_client, counted_at }) = shown else {
            return Self { revoked, dry_run: false, sample: Vec::new(), by_client_id: None, counted_at: None };
        };
        let sample = sample.into_iter().map(|session| Session::new(session, viewer, now)).collect();
        let count = |model::ClientCount { client_id, sessions }| ClientCount { client_id, sessions };
        let by_client_id = Some(by_client.into_iter().map(count).collect());
        Self { revoked, dry_run: true, sample, by_client_id, counted_at: Some(counted_at) }
    }
}

/// A user known to this server.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    #[schema(example = "1001")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether the user is banned, so that no session can be opened for it.
    banned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_at: Option<DateTime<Utc>>,
    /// The reason of the ban, if staff gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ban_reason: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<model::User> for User {
    fn from(user: model::User) -> Self {
        let model::User { id, name, email, banned_at, ban_reason, created_at, updated_at } = user;
        let (id, banned) = (id.to_string(), banned_at.is_some());
        Self { id, name, email, banned, banned_at, ban_reason, created_at, updated_at }
    }
}

/// A banned user, and the number of sessions that the ban ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct BannedUser {
    pub(in crate::api::native) user: User,
    /// Number of active sessions that were ended.
    pub(in crate::api::native) ended: usize,
}

/// The user and session of a valid token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verified {
    pub(in crate::api::native) user_id: String,
    pub(in crate::api::native) session_id: Uuid,
    pub(in crate::api::native) scope: String,
    /// Time at which the session expires.
    #[serde(serialize_with = "timestamp::serialize")]
    pub(in crate::api::native) expires_at: DateTime<Utc>,
}
