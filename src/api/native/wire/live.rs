//! Events, and the list of revocations.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::model::{BulkEnding, SessionId};
use crate::sessions::{self, EndedEvent, Termination};

/// The data of an `ended` event.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionOver {
    session_id: Uuid,
    /// End reason, or `expired` or `idle_expired`.
    #[schema(example = "revoked_by_user")]
    reason: &'static str,
    ended_at: DateTime<Utc>,
}

impl SessionOver {
    /// The event about this session.
    pub(in crate::api::native) fn new(id: SessionId, over: Termination) -> Self {
        Self { session_id: id.as_uuid(), reason: over.reason, ended_at: over.at }
    }
}

/// The data of a `session.ended` or a `sessions.ended` event. The latter reports a bulk ending and has no `session_id`.
/// Without `user_id` it may concern any session that is open now.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionEnded {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1001")]
    user_id: Option<String>,
    /// End reason.
    #[schema(example = "revoked_by_user")]
    reason: &'static str,
    ended_at: DateTime<Utc>,
}

impl From<&EndedEvent> for SessionEnded {
    fn from(ending: &EndedEvent) -> Self {
        Self {
            session_id: ending.session_id.map(SessionId::as_uuid),
            user_id: ending.user_id.as_ref().map(ToString::to_string),
            reason: ending.ended.reason.as_str(),
            ended_at: ending.ended.at,
        }
    }
}

/// The choice of events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listen {
    /// Only sessions of this user.
    pub(in crate::api::native) user_id: Option<String>,
}

/// The part of the list that the client has.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListRevocations {
    /// `cursor` of the previous answer, for only what is new since then.
    pub(in crate::api::native) since: Option<String>,
    /// Maximum number of seconds to wait for something new; only with `since`.
    #[serde(default)]
    #[param(default = 0, minimum = 0, maximum = 30)]
    pub(in crate::api::native) wait: u64,
}

/// Sessions whose access tokens must be refused. Later versions may add members.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revocations {
    /// Value for `since` in the next request, to any replica.
    cursor: String,
    /// Whether this list replaces the client's list; otherwise it is added to it.
    complete: bool,
    /// Instant before which every ending is in the list.
    as_of: DateTime<Utc>,
    /// Sessions that ended within the maximum lifetime of an access token. Entries may be repeated in later answers.
    revoked: Vec<Revoked>,
    /// Bulk endings, as conditions on the claims of tokens. Every answer has all of them.
    bulk: Vec<BulkRevocation>,
}

/// A bulk ending. A token must be refused if it meets every condition that is present.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkRevocation {
    /// Condition: the session was opened before this instant. The first 48 bits of `sid` are the time of opening, in
    /// milliseconds since 1970.
    opened_before: DateTime<Utc>,
    /// Condition: the session was opened at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_from: Option<DateTime<Utc>>,
    /// Condition: the token has this `sub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// Condition: the token has this `client_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Condition: the token has another `sid` than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    except: Option<Uuid>,
    /// Whether the ending has more conditions, on data that tokens do not have. If true, ask the server about each
    /// token that meets the others.
    ask: bool,
    ended_at: DateTime<Utc>,
}

impl From<BulkEnding> for BulkRevocation {
    fn from(ending: BulkEnding) -> Self {
        let BulkEnding { filter, except, ended } = ending;
        Self {
            opened_before: filter.created.to.unwrap_or(ended.at),
            opened_from: filter.created.from,
            user_id: filter.user_id.map(|user| user.to_string()),
            client_id: filter.client_id,
            except: except.map(SessionId::as_uuid),
            ask: filter.device_type.is_some()
                || filter.ip_address.is_some()
                || filter.browser.is_some()
                || filter.os.is_some()
                || filter.opened_by.is_some(),
            ended_at: ended.at,
        }
    }
}

/// An ended session. Later versions may add members.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    /// `sid` of the session's tokens.
    session_id: Uuid,
    ended_at: DateTime<Utc>,
}

impl From<sessions::Revocations> for Revocations {
    fn from(revocations: sessions::Revocations) -> Self {
        let sessions::Revocations { cursor, complete, as_of, revoked, bulk } = revocations;
        let shown = |revoked: sessions::Revoked| Revoked {
            session_id: revoked.session_id.as_uuid(),
            ended_at: revoked.ended_at,
        };
        let bulk = bulk.into_iter().map(BulkRevocation::from).collect();
        Self { cursor, complete, as_of, revoked: revoked.into_iter().map(shown).collect(), bulk }
    }
}

impl Revocations {
    /// The identity of the list, for its tag: its content without the time of the answer.
    pub(in crate::api::native) fn identity(&self) -> Vec<u8> {
        let ids = self.revoked.iter().flat_map(|revoked| revoked.session_id.into_bytes());
        let bulk = self.bulk.iter().flat_map(|bulk| bulk.ended_at.timestamp_micros().to_be_bytes());
        std::iter::once(u8::from(self.complete)).chain(ids).chain(bulk).collect()
    }
}

/// The list as the claims of a JWT.
#[derive(Debug, Serialize)]
pub struct SignedRevocations<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    revocations: &'a Revocations,
}

impl<'a> SignedRevocations<'a> {
    /// The claims of a JWT that is signed at `now` and valid for `lifetime`.
    pub(in crate::api::native) fn new(
        iss: &'a str,
        revocations: &'a Revocations,
        lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        Self { iss, iat: now.timestamp(), exp: (now + lifetime).timestamp(), revocations }
    }
}
