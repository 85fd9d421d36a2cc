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
    /// An end reason, or `expired` or `idle_expired`.
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

/// The data of a `session.ended` event, or of a `sessions.ended` event, which has no `session_id`. That event is about
/// a bulk ending of a user's sessions, or without `user_id` of anybody's: any session that is open now may be among
/// them.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionEnded {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1001")]
    user_id: Option<String>,
    /// The end reason.
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
    /// Only this user's sessions.
    pub(in crate::api::native) user_id: Option<String>,
}

/// The part of the list that the client has.
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
    /// Endings of many sessions together, by what their tokens say: all of them, each time.
    bulk: Vec<BulkRevocation>,
}

/// That many sessions were ended together: a token is meant that fits each member that is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkRevocation {
    /// Opened before this instant: the first 48 bits of a `sid` are the milliseconds at which it was opened.
    opened_before: DateTime<Utc>,
    /// Opened at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_from: Option<DateTime<Utc>>,
    /// Its `sub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// Its `client_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Not of this `sid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    except: Option<Uuid>,
    /// That tokens do not say all it depends on: for those that fit so far, ask the server.
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
            ask: filter.device_type.is_some() || filter.ip_address.is_some() || filter.opened_by.is_some(),
            ended_at: ended.at,
        }
    }
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
