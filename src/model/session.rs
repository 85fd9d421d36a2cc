//! A session, and when it is active.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::application::CONSOLE_CLIENT;
use super::device::Device;
use super::field_error::FieldError;
use super::opener::Opener;
use super::place::{Place, Whereabouts};
use super::scope::Scope;
use super::session_id::SessionId;
use super::user::{User, UserId};

/// The reason why a session was ended before its expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The user signed out, with the session itself or one of its tokens.
    Logout,
    /// The user ended it from another of their sessions.
    RevokedByUser,
    /// Somebody with `sessions:admin` ended it.
    RevokedByAdmin,
    /// A newer session of the same user replaced it: the opener named it, or the number of sessions is limited.
    Replaced,
    /// A spent refresh token was presented: one of its two holders is a thief.
    ReuseDetected,
    /// The user was banned.
    UserBanned,
    /// The user was deleted.
    UserDeleted,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Logout,
        Self::RevokedByUser,
        Self::RevokedByAdmin,
        Self::Replaced,
        Self::ReuseDetected,
        Self::UserBanned,
        Self::UserDeleted,
    ];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::RevokedByUser => "revoked_by_user",
            Self::RevokedByAdmin => "revoked_by_admin",
            Self::Replaced => "replaced",
            Self::ReuseDetected => "reuse_detected",
            Self::UserBanned => "user_banned",
            Self::UserDeleted => "user_deleted",
        }
    }

    /// The reason of a stored word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// The ending of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The time; never changes once set.
    pub at: DateTime<Utc>,
    /// The reason; never changes once set.
    pub reason: EndReason,
}

/// The columns of a session that change while it is open and that its state or its refreshes depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStatus {
    /// The session.
    pub id: SessionId,
    /// See [`Session::last_seen_at`].
    pub last_seen_at: DateTime<Utc>,
    /// See [`Session::expires_at`].
    pub expires_at: DateTime<Utc>,
    /// See [`Session::ended`].
    pub ended: Option<Ended>,
    /// See [`Session::refresh_counter`].
    pub refresh_counter: u32,
    /// See [`Session::confirmed_counter`].
    pub confirmed_counter: u32,
    /// See [`Session::least_counter`].
    pub least_counter: u32,
}

/// The state of a session. Always computed, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Neither ended nor expired.
    Active,
    /// Unused for longer than the idle timeout.
    IdleExpired,
    /// Past the expiry.
    Expired,
    /// Ended by somebody.
    Ended,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::IdleExpired, Self::Expired, Self::Ended];

    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::IdleExpired => "idle_expired",
            Self::Expired => "expired",
            Self::Ended => "ended",
        }
    }

    /// The state of a word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The opener's own data for a session: the text of a JSON object, opaque to us and returned unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    /// The maximum length, in bytes.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Wraps the text of a JSON object. The caller has checked its form; only the length is checked here.
    pub fn from_json(text: String) -> Result<Self, FieldError> {
        if text.len() > Self::MAX_BYTES {
            return Err(FieldError::new("metadata", format!("must have at most {} bytes", Self::MAX_BYTES)));
        }
        Ok(Self(text))
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

/// Claims that the opener adds to a session's access tokens: the compact text of a JSON object with at least one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraClaims(String);

impl ExtraClaims {
    /// Wraps the text of a JSON object. The caller has checked its form and its length.
    pub fn from_json(text: String) -> Self {
        Self(text)
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// One sign-in of one user on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The time of opening.
    pub created_at: DateTime<Utc>,
    /// The time of the last use, as far as it has been written; see `sessions::activity`.
    pub last_seen_at: DateTime<Utc>,
    /// The expiry. Refreshes and extensions can move it, never past `absolute_expires_at`.
    pub expires_at: DateTime<Utc>,
    /// The latest possible expiry. Nothing moves it later; a higher level of authentication can bring it closer.
    pub absolute_expires_at: DateTime<Utc>,
    /// The maximum time without use, in whole seconds; `None`: unlimited.
    pub idle_timeout: Option<TimeDelta>,
    /// The ending, if the session was ended.
    pub ended: Option<Ended>,
    /// The number of rotations of the refresh token: the number in the current one.
    pub refresh_counter: u32,
    /// The highest such number seen in an access token, as far as it has been written: proof that the client received
    /// the answer to that refresh.
    pub confirmed_counter: u32,
    /// The application that it was opened for.
    pub client_id: Option<String>,
    /// The address that the user signed in from, or the part of it that the policy stores.
    pub ip_address: Option<IpAddr>,
    /// The location that the user signed in from, as given by the opener, or from `place`.
    pub location: Option<String>,
    /// The place of the address that the user signed in from. Without city and country where the opener gave a location.
    pub place: Option<Place>,
    /// The address of the last use, as far as it has been written; `None`: that of the sign-in.
    pub last_seen_from: Option<Whereabouts>,
    /// The User-Agent header that the user signed in with.
    pub user_agent: Option<String>,
    /// The device, parsed from the User-Agent, with the name it was given.
    pub device: Device,
    /// The rights of the session's tokens.
    pub scope: Scope,
    /// The authentication context class (OpenID Connect Core section 2).
    pub acr: Option<String>,
    /// The authentication methods (RFC 8176).
    pub amr: Vec<String>,
    /// The opener's own data.
    pub metadata: Metadata,
    /// The credential that opened the session or last authenticated its user anew; `None` for sessions from before it was
    /// recorded.
    pub opened_by: Option<Opener>,
    /// The time of the user's last authentication, which never moves back.
    pub authenticated_at: DateTime<Utc>,
    /// The refresh counter at the last authentication after the opening; 0 without one. Tokens of lower counters are from
    /// before it, and are refused.
    pub least_counter: u32,
    /// Claims that the opener adds to the session's access tokens.
    pub claims: Option<ExtraClaims>,
}

impl Session {
    /// Whether it is a session of the console, whose token counts in the console's cookie alone.
    pub fn is_of_console(&self) -> bool {
        self.client_id.as_deref() == Some(CONSOLE_CLIENT)
    }

    /// The state at `now`. Together with its SQL twin in each store, this is the only definition of an active session.
    ///
    /// Both limits are exclusive: at `expires_at` itself the session has expired.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        self.state_as_seen(None, now)
    }

    /// The state at `now`, given a use at `seen_at` that may not have been written yet.
    pub(crate) fn state_as_seen(&self, seen_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> State {
        if self.ended.is_some() {
            State::Ended
        } else if now >= self.expires_at {
            State::Expired
        } else if self.idle_at(seen_at).is_some_and(|idle_at| now >= idle_at) {
            State::IdleExpired
        } else {
            State::Active
        }
    }

    /// The instant from which on the session is idle for too long, given a use at `seen_at`; `None`: never.
    fn idle_at(&self, seen_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let last_seen_at = seen_at.map_or(self.last_seen_at, |seen_at| self.last_seen_at.max(seen_at));
        self.idle_timeout.map(|idle| last_seen_at + idle)
    }

    /// The instant at which the session expires unless it is used again, given a use at `seen_at`.
    pub(crate) fn due_at(&self, seen_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
        self.idle_at(seen_at).map_or(self.expires_at, |idle_at| idle_at.min(self.expires_at))
    }

    /// Whether the user authenticated with more than one factor: the methods include `mfa`, or are of two kinds. RFC
    /// 8176 names the methods; any other proves nothing.
    pub fn is_multi_factor(&self) -> bool {
        let any_of = |methods: &[&str]| self.amr.iter().any(|method| methods.contains(&method.as_str()));
        let knowledge = any_of(&["pwd", "pin", "kba"]);
        let possession = any_of(&["otp", "sms", "tel", "hwk", "swk", "sc", "pop"]);
        let inherence = any_of(&["face", "fpt", "iris", "retina", "vbm"]);
        any_of(&["mfa"]) || [knowledge, possession, inherence].into_iter().filter(|used| *used).count() > 1
    }

    /// The address of the last use.
    pub fn last_ip_address(&self) -> Option<IpAddr> {
        self.last_seen_from.as_ref().map_or(self.ip_address, |from| Some(from.ip_address))
    }

    /// The place of the address of the last use.
    pub fn last_place(&self) -> Option<&Place> {
        self.last_seen_from.as_ref().map_or(self.place.as_ref(), |from| from.place.as_ref())
    }

    /// The location of the last use.
    pub fn last_location(&self) -> Option<String> {
        match &self.last_seen_from {
            None => self.location.clone(),
            Some(from) => from.place.as_ref().and_then(Place::display),
        }
    }

    /// Whether the session is active at `now`.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.state(now) == State::Active
    }
}

/// A session and its user, read by one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The session's user; of a deleted one, only the id is known.
    pub user: User,
}

impl SignedIn {
    /// The session as the credential of its user.
    pub fn credential(&self) -> Opener {
        Opener::Session(self.session.id)
    }
}
