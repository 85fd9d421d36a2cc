//! The native API's words.

use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::sessions::{
    self, DeviceType, FieldError, Filter, IssuedTokens, Metadata, Opened, Range, SessionDraft, SessionId, Sort, State,
    TokenChoice,
};
use crate::users::{self, UserId};

/// A session to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// Whose session it is: 1 to 255 characters, no control characters.
    #[schema(example = "1001", min_length = 1, max_length = 255)]
    user_id: String,
    /// What to keep of the user; what is left out stays as it is stored.
    user: Option<UserDetails>,
    /// The application.
    #[schema(example = "web", max_length = 255)]
    client_id: Option<String>,
    /// The address that the user signed in from.
    #[schema(example = "203.0.113.7")]
    ip_address: Option<String>,
    /// The place that the user signed in from, as shown to the user.
    #[schema(example = "Lisbon, PT", max_length = 255)]
    location: Option<String>,
    /// The User-Agent header that the user signed in with; cut off after 512 characters.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")]
    user_agent: Option<String>,
    /// A name for the device.
    #[schema(example = "Alice's laptop", max_length = 255)]
    device_name: Option<String>,
    /// What the session's tokens may do: words separated by spaces.
    #[schema(example = "profile", max_length = 1024)]
    scope: Option<String>,
    /// The authentication context class. `aal1`, `aal2` and `aal3` tighten the session's limits to those of NIST SP 800-63B-4.
    #[schema(example = "aal1", max_length = 255)]
    acr: Option<String>,
    /// The authentication methods (RFC 8176).
    #[schema(example = json!(["pwd", "otp"]), max_items = 16)]
    #[serde(default)]
    amr: Vec<String>,
    /// Seconds until the session ends by itself, within the limits of its profile.
    #[schema(example = 86400, minimum = 60)]
    expires_in: Option<i64>,
    /// Seconds that the session may stay unused, within the limits of its profile.
    #[schema(example = 3600, minimum = 60)]
    idle_timeout: Option<i64>,
    /// Which tokens to hand out.
    #[serde(default)]
    tokens: Tokens,
    /// Anything to keep with the session: a JSON object of at most 8 KiB.
    #[serde(default, deserialize_with = "json_object")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// What to keep of a user. What is left out stays as it is stored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserDetails {
    /// A name to show.
    #[schema(example = "Alice", max_length = 255)]
    name: Option<String>,
    /// An email address to show.
    #[schema(example = "alice@example.org", max_length = 255)]
    email: Option<String>,
}

impl UserDetails {
    /// Checked.
    pub(super) fn parse(self) -> Result<users::UserDetails, FieldError> {
        users::UserDetails::parse(self.name, self.email)
    }
}

/// Which tokens to hand out.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Tokens {
    /// A short-lived access token and a refresh token.
    #[default]
    AccessAndRefresh,
    /// One session token for the whole stay.
    Session,
}

impl OpenSession {
    /// In the words of the core.
    pub fn into_draft(self) -> Result<SessionDraft, FieldError> {
        let Self {
            user_id,
            user,
            client_id,
            ip_address,
            location,
            user_agent,
            device_name,
            scope,
            acr,
            amr,
            expires_in,
            idle_timeout,
            tokens,
            metadata,
        } = self;
        let UserDetails { name, email } = user.unwrap_or_default();
        Ok(SessionDraft {
            user_id,
            user_name: name,
            user_email: email,
            client_id,
            ip_address,
            location,
            user_agent,
            device_name,
            scope,
            acr,
            amr,
            expires_in,
            idle_timeout,
            metadata: metadata.as_deref().map(checked_metadata).transpose()?,
            tokens: match tokens {
                Tokens::AccessAndRefresh => TokenChoice::AccessAndRefresh,
                Tokens::Session => TokenChoice::Session,
            },
        })
    }
}

/// The text of a JSON object, kept as it came: numbers and the order of members are the sender's.
fn json_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    let Some(text) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text.get()).map_err(serde::de::Error::custom)?;
    Ok(Some(text))
}

/// A NUL would pass here and fail in other people's databases, so it is refused wherever it hides.
fn checked_metadata(metadata: &RawValue) -> Result<Metadata, FieldError> {
    if metadata.get().contains("\\u0000") && serde_json::from_str(metadata.get()).is_ok_and(|value| has_nul(&value)) {
        return Err(FieldError::new("metadata", "must not contain NUL characters"));
    }
    Metadata::from_json(metadata.get().to_owned())
}

fn has_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(values) => values.iter().any(has_nul),
        serde_json::Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
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
    /// As handed out at `now`.
    pub fn new(opened: Opened, now: DateTime<Utc>) -> Self {
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
            session: Session::new(signed_in.session, None, now),
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
    created_at: DateTime<Utc>,
    /// When it was last used; written with a delay of up to a minute.
    last_seen_at: DateTime<Utc>,
    /// When it ends by itself; can be moved, never past `absolute_expires_at`.
    expires_at: DateTime<Utc>,
    /// The end that nothing moves.
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
    ip_address: Option<String>,
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
    /// Whether it is the caller's own.
    current: bool,
}

/// The device of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    r#type: DeviceKind,
    /// The name it was given.
    name: Option<String>,
    #[schema(example = "macOS")]
    os: Option<String>,
    #[schema(example = "Safari")]
    browser: Option<String>,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It stands.
    Active,
    /// Unused for longer than its idle timeout.
    IdleExpired,
    /// Past its end.
    Expired,
    /// Ended by somebody.
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

/// A kind of device.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A computer.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet.
    Tablet,
    /// A program.
    Bot,
    /// Nothing that we know.
    Unknown,
}

impl From<DeviceType> for DeviceKind {
    fn from(kind: DeviceType) -> Self {
        match kind {
            DeviceType::Desktop => Self::Desktop,
            DeviceType::Mobile => Self::Mobile,
            DeviceType::Tablet => Self::Tablet,
            DeviceType::Bot => Self::Bot,
            DeviceType::Unknown => Self::Unknown,
        }
    }
}

impl From<DeviceKind> for DeviceType {
    fn from(kind: DeviceKind) -> Self {
        match kind {
            DeviceKind::Desktop => Self::Desktop,
            DeviceKind::Mobile => Self::Mobile,
            DeviceKind::Tablet => Self::Tablet,
            DeviceKind::Bot => Self::Bot,
            DeviceKind::Unknown => Self::Unknown,
        }
    }
}

impl Session {
    /// As shown at `now` to the caller whose own session is `current`.
    pub fn new(session: sessions::Session, current: Option<SessionId>, now: DateTime<Utc>) -> Self {
        let state = session.state(now).into();
        let sessions::Session {
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
        } = session;
        Self {
            id: id.as_uuid(),
            user_id: user_id.to_string(),
            state,
            created_at,
            last_seen_at,
            expires_at,
            absolute_expires_at,
            idle_timeout: idle_timeout.map(|idle| idle.num_seconds()),
            ended_at: ended.map(|ended| ended.at),
            end_reason: ended.map(|ended| ended.reason.as_str()),
            client_id,
            ip_address: ip_address.map(|address| address.to_string()),
            location,
            user_agent,
            device: Device { r#type: device.kind.into(), name: device.name, os: device.os, browser: device.browser },
            acr,
            amr,
            scope: scope.to_string(),
            metadata: raw(&metadata),
            current: current == Some(id),
        }
    }
}

/// Metadata was checked when it came in, so what is no JSON now cannot have been stored by us.
fn raw(metadata: &Metadata) -> Box<RawValue> {
    RawValue::from_string(metadata.as_json().to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A change to a session. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSession {
    /// A name for the device; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "Kitchen tablet", max_length = 255)]
    pub(super) device_name: Option<Option<String>>,
    /// Replaces what is kept with the session; needs `sessions:write`.
    #[serde(default, deserialize_with = "json_object")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

impl ChangeSession {
    /// The metadata, checked.
    pub(super) fn take_metadata(&mut self) -> Result<Option<Metadata>, FieldError> {
        self.metadata.take().as_deref().map(checked_metadata).transpose()
    }
}

/// Tells a null from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// By how much to move a session's end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendSession {
    /// Seconds; the absolute end is never passed.
    #[schema(example = 3600, minimum = 1)]
    pub(super) extend_by: i64,
}

/// What to search for. Conditions left out hold for every session.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchSessions {
    /// Of this user.
    user_id: Option<String>,
    /// In this state.
    #[param(inline)]
    state: Option<SessionState>,
    /// Opened for this application.
    client_id: Option<String>,
    /// On such a device.
    #[param(inline)]
    device_type: Option<DeviceKind>,
    /// From exactly this address.
    ip_address: Option<String>,
    /// Opened at this time or later.
    created_from: Option<DateTime<Utc>>,
    /// Opened before this time.
    created_to: Option<DateTime<Utc>>,
    /// Last used at this time or later.
    last_seen_from: Option<DateTime<Utc>>,
    /// Last used before this time.
    last_seen_to: Option<DateTime<Utc>>,
    /// `created_at`, `expires_at` or `last_seen_at` (this one with `user_id` only); with `-` in front the latest first.
    #[param(default = "-created_at")]
    sort: Option<String>,
    /// How many on a page, 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    pub(super) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

impl SearchSessions {
    /// In the words of the core.
    pub(super) fn filter(&self) -> Result<(Filter, Sort), FieldError> {
        let plain = |field, value: &Option<String>| crate::sessions::text::optional(field, value.clone(), 255);
        let address =
            |text: &String| text.parse().map_err(|_| FieldError::new("ip_address", "must be an IPv4 or IPv6 address"));
        let bounds = [
            ("created_from", self.created_from),
            ("created_to", self.created_to),
            ("last_seen_from", self.last_seen_from),
            ("last_seen_to", self.last_seen_to),
        ];
        // Far beyond, databases differ in what they can compare.
        if let Some((field, _)) = bounds.iter().find(|(_, at)| at.is_some_and(|at| !(1..=9999).contains(&at.year()))) {
            return Err(FieldError::new(*field, "must be in the years 1 to 9999"));
        }
        let filter = Filter {
            user_id: self.user_id.clone().map(UserId::parse).transpose()?,
            state: self.state.map(State::from),
            client_id: plain("client_id", &self.client_id)?,
            device_type: self.device_type.map(DeviceType::from),
            ip_address: self.ip_address.as_ref().map(address).transpose()?,
            created: Range { from: self.created_from, to: self.created_to },
            last_seen: Range { from: self.last_seen_from, to: self.last_seen_to },
        };
        let sort = self.sort.as_deref().map(Sort::parse).transpose()?.unwrap_or_default();
        Ok((filter, sort))
    }
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
    /// As shown at `now` to the caller whose own session is `current`.
    pub fn new(page: sessions::Page, current: Option<SessionId>, now: DateTime<Utc>) -> Self {
        let show = |session| Session::new(session, current, now);
        Self { sessions: page.sessions.into_iter().map(show).collect(), next_cursor: page.next_cursor }
    }
}

/// A user's active sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    sessions: Vec<Session>,
    /// How many they are.
    total: usize,
}

impl SessionList {
    /// As shown at `now` to the caller whose own session is `current`.
    pub(super) fn new(sessions: Vec<sessions::Session>, current: Option<SessionId>, now: DateTime<Utc>) -> Self {
        let sessions: Vec<Session> = sessions.into_iter().map(|session| Session::new(session, current, now)).collect();
        Self { total: sessions.len(), sessions }
    }
}

/// How many sessions were ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedSessions {
    /// Those that were active and are not any more.
    pub(super) ended: usize,
}

/// How to clean up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanUp {
    /// Only counts.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// What a clean-up did.
#[derive(Debug, Serialize, ToSchema)]
pub struct CleanedUp {
    /// How many sessions were deleted, or would have been. One request deletes at most some ten thousand.
    pub(super) deleted: u64,
    /// Whether they were only counted.
    pub(super) dry_run: bool,
}

/// Whether to keep the caller's own session.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndMySessions {
    /// Keeps the session that the request is made with.
    #[serde(default)]
    #[param(default = false)]
    pub(super) keep_current: bool,
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

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        let users::User { id, name, email, banned_at, created_at, updated_at } = user;
        Self { id: id.to_string(), name, email, banned: banned_at.is_some(), banned_at, created_at, updated_at }
    }
}

/// A user that was banned, and what that ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct BannedUser {
    pub(super) user: User,
    /// How many sessions were ended.
    pub(super) ended: usize,
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
    pub(super) user_id: String,
    pub(super) session_id: Uuid,
    pub(super) scope: String,
    /// When the session ends by itself.
    pub(super) expires_at: DateTime<Utc>,
}
