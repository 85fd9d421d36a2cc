//! Blackbox's wire types.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::timestamp;
use crate::model;
use crate::model::{FieldError, Scope, SessionId};
use crate::sessions::{Policy, UserSessions};

/// The envelope of every success.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiResponse<T> {
    /// Always true.
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
}

impl<T> ApiResponse<T> {
    /// A success with data alone.
    pub(super) fn of(data: T) -> Self {
        Self { success: true, data: Some(data), message: None }
    }

    /// A success with data and a message for a person.
    pub(super) fn told(data: T, message: String) -> Self {
        Self { success: true, data: Some(data), message: Some(message) }
    }
}

/// The envelope of a success that has nothing to show.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiMessage {
    /// Always true.
    success: bool,
    message: String,
}

impl ApiMessage {
    /// A success with a message for a person.
    pub(super) fn new(message: String) -> Self {
        Self { success: true, message }
    }
}

/// One session of the user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionInfo {
    id: Uuid,
    user_id: String,
    /// No credential: made of the id.
    #[schema(example = "sjs_****9f3c")]
    token: String,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Empty when unknown.
    user_agent: String,
    /// Empty when unknown.
    ip_address: String,
    /// Whether it is the session that asks.
    is_current: bool,
}

impl SessionInfo {
    /// The view of the user whose own session is `current`.
    pub(super) fn new(session: model::Session, current: SessionId) -> Self {
        let model::Session { id, user_id, created_at, expires_at, ip_address, user_agent, .. } = session;
        let text = id.to_string();
        let last_four = text.char_indices().nth_back(3).map_or("", |(start, _)| text.get(start..).unwrap_or_default());
        Self {
            id: id.as_uuid(),
            user_id: user_id.to_string(),
            token: format!("sjs_****{last_four}"),
            created_at,
            expires_at,
            user_agent: user_agent.unwrap_or_default(),
            ip_address: ip_address.map(|address| address.to_string()).unwrap_or_default(),
            is_current: id == current,
        }
    }
}

/// The user's active sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionListResponse {
    sessions: Vec<SessionInfo>,
    /// The number of all, listed or not.
    total: usize,
}

impl SessionListResponse {
    /// The view of the user whose own session is `current`.
    pub(super) fn new(UserSessions { sessions, total }: UserSessions, current: SessionId) -> Self {
        Self { sessions: sessions.into_iter().map(|session| SessionInfo::new(session, current)).collect(), total }
    }
}

/// The user's sessions in numbers. Ended ones do not count.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
pub(super) struct SessionStats {
    /// The other two together.
    total_sessions: u64,
    active_sessions: u64,
    expired_sessions: u64,
}

impl From<model::SessionStats> for SessionStats {
    fn from(stats: model::SessionStats) -> Self {
        let model::SessionStats { active, expired } = stats;
        Self { total_sessions: active + expired, active_sessions: active, expired_sessions: expired }
    }
}

/// What a clean-up did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CleanupResult {
    /// How many sessions were deleted.
    pub(super) deleted: u64,
}

/// Which sessions to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeAllSessionsRequest {
    /// Whether the session that asks stays.
    pub(super) keep_current: bool,
}

/// By how much to extend a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendSessionRequest {
    /// Hours; the absolute end is never passed.
    #[schema(minimum = 1)]
    extension_hours: i32,
}

impl ExtendSessionRequest {
    /// The extension in seconds. The core checks the length too, but its error would name a field that this client did
    /// not send.
    pub(super) fn seconds(&self, policy: &Policy, scope: &Scope) -> Result<i64, FieldError> {
        let Some(most) = policy.longest_extension_for(scope) else {
            return Err(FieldError::new(
                "extension_hours",
                "cannot be taken: only administrators extend sessions here",
            ));
        };
        let (hours, most) = (i64::from(self.extension_hours), most.num_hours());
        if !(1..=most).contains(&hours) {
            return Err(FieldError::new("extension_hours", format!("must be from 1 to {most}")));
        }
        Ok(hours * 3600)
    }
}
