//! A session, and when it is active.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::device::Device;
use super::field_error::FieldError;
use super::opener::Opener;
use super::scope::Scope;
use super::session_id::SessionId;
use super::user::{User, UserId};

/// Why a session was ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The user left, with this very session or its token.
    Logout,
    /// The user ended it from another of their sessions.
    RevokedByUser,
    /// Somebody with `sessions:admin` ended it.
    RevokedByAdmin,
    /// A newer session of the same user took its place, because their number is limited.
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

    /// The reason behind the word, if it is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// That a session was ended, when and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When; never changes once set.
    pub at: DateTime<Utc>,
    /// Why; never changes once set.
    pub reason: EndReason,
}

/// All that a session's state is computed from and that may change while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStatus {
    /// Which session.
    pub id: SessionId,
    /// As [`Session::last_seen_at`].
    pub last_seen_at: DateTime<Utc>,
    /// As [`Session::expires_at`].
    pub expires_at: DateTime<Utc>,
    /// As [`Session::ended`].
    pub ended: Option<Ended>,
    /// As [`Session::refresh_counter`].
    pub refresh_counter: u32,
    /// As [`Session::confirmed_counter`].
    pub confirmed_counter: u32,
}

/// Where a session stands in its life. Always computed, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It stands.
    Active,
    /// Not used for longer than its idle timeout.
    IdleExpired,
    /// Past its end.
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

    /// The state behind the word, if it is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What the opener wants kept with a session: the text of a JSON object, opaque to us and given back as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    /// The longest text, in bytes.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Takes the text of a JSON object, whose form the caller has checked; refuses it when it is too long.
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

/// One sign-in of one user on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The handle.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was opened, which is also when the user authenticated.
    pub created_at: DateTime<Utc>,
    /// When it was last used, as far as it is written; see `sessions::activity`.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends by itself. Can be moved, never past `absolute_expires_at`.
    pub expires_at: DateTime<Utc>,
    /// The end that nothing moves.
    pub absolute_expires_at: DateTime<Utc>,
    /// For how long it may stay unused; `None`: for ever. Whole seconds.
    pub idle_timeout: Option<TimeDelta>,
    /// That it was ended, if it was.
    pub ended: Option<Ended>,
    /// How often its refresh token was rotated: the number in the refresh token that is current.
    pub refresh_counter: u32,
    /// The highest such number that was seen in an access token, as far as it is written: that refresh's answer arrived.
    pub confirmed_counter: u32,
    /// The application that it was opened for.
    pub client_id: Option<String>,
    /// The address that the user signed in from, as far as policy keeps it.
    pub ip_address: Option<IpAddr>,
    /// The place that the user signed in from, as the opener told it.
    pub location: Option<String>,
    /// The User-Agent header that the user signed in with.
    pub user_agent: Option<String>,
    /// The device, as read from the User-Agent, with the name it was given.
    pub device: Device,
    /// What its tokens may do.
    pub scope: Scope,
    /// The authentication context class (OpenID Connect Core section 2).
    pub acr: Option<String>,
    /// The authentication methods (RFC 8176).
    pub amr: Vec<String>,
    /// The opener's own data.
    pub metadata: Metadata,
    /// The credential that it was opened with; `None` when that was not kept yet.
    pub opened_by: Option<Opener>,
}

impl Session {
    /// Where the session stands at `now`: the one definition of active, together with its SQL twin in each store.
    ///
    /// Both ends are exclusive: at `expires_at` itself the session has expired.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        self.state_as_seen(None, now)
    }

    /// As [`Session::state`], when it is known to have been used at `seen_at` at least.
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

    /// When it has been unused for too long, if it was used at `seen_at` at the latest; `None`: never.
    fn idle_at(&self, seen_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let last_seen_at = seen_at.map_or(self.last_seen_at, |seen_at| self.last_seen_at.max(seen_at));
        self.idle_timeout.map(|idle| last_seen_at + idle)
    }

    /// When it is over if nothing happens, if it was used at `seen_at` at the latest.
    pub(crate) fn due_at(&self, seen_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
        self.idle_at(seen_at).map_or(self.expires_at, |idle_at| idle_at.min(self.expires_at))
    }

    /// Whether the user authenticated with more than one factor: the methods say so themselves (`mfa`), or are of two
    /// kinds. RFC 8176 names them; a method that it does not name proves nothing.
    pub fn is_multi_factor(&self) -> bool {
        let any_of = |methods: &[&str]| self.amr.iter().any(|method| methods.contains(&method.as_str()));
        let knowledge = any_of(&["pwd", "pin", "kba"]);
        let possession = any_of(&["otp", "sms", "tel", "hwk", "swk", "sc", "pop"]);
        let inherence = any_of(&["face", "fpt", "iris", "retina", "vbm"]);
        any_of(&["mfa"]) || [knowledge, possession, inherence].into_iter().filter(|used| *used).count() > 1
    }

    /// Whether the session stands at `now`.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.state(now) == State::Active
    }
}

/// A session together with its user, as one look-up brings them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its user; a deleted user appears with its id alone.
    pub user: User,
}
