//! Blackbox's wire types.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::timestamp;
use crate::model;
use crate::model::{FieldError, Scope, SessionId};
use crate::sessions::{Policy, UserSessions};

/// Envelope of a success.
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

/// Envelope of a success without data.
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
    /// Masked value made from the id; not a credential.
    #[schema(example = "sjs_****9f3c")]
    token: String,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Empty when unknown.
    user_agent: String,
    /// Empty when unknown.
    ip_address: String,
    /// Whether this is the session that the request was made with.
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
    /// Number of all active sessions, including those not listed.
    total: usize,
}

impl SessionListResponse {
    /// The view of the user whose own session is `current`.
    pub(super) fn new(UserSessions { sessions, total }: UserSessions, current: SessionId) -> Self {
        Self { sessions: sessions.into_iter().map(|session| SessionInfo::new(session, current)).collect(), total }
    }
}

/// Numbers of the user's sessions; ended sessions are not counted.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
pub(super) struct SessionStats {
    /// Sum of active and expired sessions.
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

/// Result of a clean-up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CleanupResult {
    /// Number of deleted sessions.
    pub(super) deleted: u64,
}

/// Options of revoking all sessions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeAllSessionsRequest {
    /// Whether to keep the session that the request is made with.
    pub(super) keep_current: bool,
}

/// An extension of a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendSessionRequest {
    /// Hours to add to `expires_at`, which never passes the absolute end.
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
                "is not allowed: on this server, only administrators can extend sessions",
            ));
        };
        let (hours, most) = (i64::from(self.extension_hours), most.num_hours());
        if !(1..=most).contains(&hours) {
            return Err(FieldError::new("extension_hours", format!("must be from 1 to {most}")));
        }
        Ok(hours * 3600)
    }
}
