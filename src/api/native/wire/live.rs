//! What is told live, and to those who verify tokens themselves.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::sessions::{self, Ending, Over, SessionId};

/// The data of an `ended` event.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionOver {
    session_id: Uuid,
    /// An end reason, or `expired` or `idle_expired`.
    #[schema(example = "revoked_by_user")]
    reason: &'static str,
    ended_at: DateTime<Utc>,
}

impl SessionOver {
    /// That this session is over.
    pub(in crate::api::native) fn new(id: SessionId, over: Over) -> Self {
        Self { session_id: id.as_uuid(), reason: over.reason, ended_at: over.at }
    }
}

/// The data of a `session.ended` event.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionEnded {
    session_id: Uuid,
    #[schema(example = "1001")]
    user_id: String,
    /// The end reason.
    #[schema(example = "revoked_by_user")]
    reason: &'static str,
    ended_at: DateTime<Utc>,
}

impl From<&Ending> for SessionEnded {
    fn from(ending: &Ending) -> Self {
        Self {
            session_id: ending.session_id.as_uuid(),
            user_id: ending.user_id.to_string(),
            reason: ending.ended.reason.as_str(),
            ended_at: ending.ended.at,
        }
    }
}

/// What to hear of.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listen {
    /// Only this user's sessions.
    pub(in crate::api::native) user_id: Option<String>,
}

/// What is known already.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListRevocations {
    /// The `cursor` of the answer before: only what is new since then.
    pub(in crate::api::native) since: Option<String>,
    /// Seconds to wait, with `since`, until there is something new: at most 30.
    #[serde(default)]
    #[param(default = 0, minimum = 0, maximum = 30)]
    pub(in crate::api::native) wait: u64,
}

/// Sessions whose access tokens must be refused. More members may come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revocations {
    /// Asking with it (`since`) brings what is new, from any replica.
    cursor: String,
    /// Whether these are all there are (take them for yours), or to be added to yours.
    complete: bool,
    /// Every ending before this instant is told.
    as_of: DateTime<Utc>,
    /// Those ended within the longest life of an access token. Some may be told again.
    revoked: Vec<Revoked>,
}

/// A session that was ended. More members may come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    /// The `sid` of its tokens.
    session_id: Uuid,
    ended_at: DateTime<Utc>,
}

impl From<sessions::Revocations> for Revocations {
    fn from(revocations: sessions::Revocations) -> Self {
        let sessions::Revocations { cursor, complete, as_of, revoked } = revocations;
        let shown = |revoked: sessions::Revoked| Revoked {
            session_id: revoked.session_id.as_uuid(),
            ended_at: revoked.ended_at,
        };
        Self { cursor, complete, as_of, revoked: revoked.into_iter().map(shown).collect() }
    }
}

impl Revocations {
    /// What tells one list from another: not when it was made.
    pub(in crate::api::native) fn identity(&self) -> Vec<u8> {
        let ids = self.revoked.iter().flat_map(|revoked| revoked.session_id.into_bytes());
        std::iter::once(u8::from(self.complete)).chain(ids).collect()
    }
}

/// The same as the claims of a JWT.
#[derive(Debug, Serialize)]
pub struct SignedRevocations<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    revocations: &'a Revocations,
}

impl<'a> SignedRevocations<'a> {
    /// To be signed at `now`, good for `lifetime`.
    pub(in crate::api::native) fn new(
        iss: &'a str,
        revocations: &'a Revocations,
        lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        Self { iss, iat: now.timestamp(), exp: (now + lifetime).timestamp(), revocations }
    }
}
