//! Quiika's wire types.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model;
use crate::model::{DeviceType, SessionId, SignedIn};

/// One session of the user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserSessionDetails {
    #[schema(required = false)]
    session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_agent: Option<String>,
    /// Time of the login, in milliseconds since 1970.
    #[schema(required = false)]
    login_time: i64,
    /// Time of the last access, in milliseconds since 1970.
    #[schema(required = false)]
    last_accessed: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    device_type: Option<DeviceTypeName>,
    /// Milliseconds since the login.
    #[schema(required = false)]
    session_duration: i64,
    /// Milliseconds since the last access.
    #[schema(required = false)]
    inactivity_duration: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    device_name: Option<String>,
    /// Whether this is the session that the request was made with.
    #[schema(required = false)]
    current: bool,
}

/// Kind of device.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum DeviceTypeName {
    Desktop,
    Mobile,
    Tablet,
}

impl UserSessionDetails {
    /// The view of the user `me` at `now`.
    pub(super) fn new(session: model::Session, me: &SignedIn, now: DateTime<Utc>) -> Self {
        let current: SessionId = me.session.id;
        let model::Session { id, created_at, last_seen_at, ip_address, location, user_agent, device, .. } = session;
        Self {
            session_id: id.to_string(),
            ip_address: ip_address.map(|address| address.to_string()),
            user_agent,
            login_time: created_at.timestamp_millis(),
            last_accessed: last_seen_at.timestamp_millis(),
            email: me.user.email.clone(),
            location,
            device_type: match device.kind {
                DeviceType::Mobile => Some(DeviceTypeName::Mobile),
                DeviceType::Tablet => Some(DeviceTypeName::Tablet),
                // The contract has three kinds.
                DeviceType::Desktop | DeviceType::Tv | DeviceType::Console | DeviceType::Headset => {
                    Some(DeviceTypeName::Desktop)
                }
                DeviceType::App | DeviceType::Bot | DeviceType::Unknown => None,
            },
            // Never negative, even if another replica's clock is ahead.
            session_duration: (now - created_at).num_milliseconds().max(0),
            inactivity_duration: (now - last_seen_at).num_milliseconds().max(0),
            device_name: device.label(),
            current: id == current,
        }
    }
}

/// Number of the user's active sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionCountResponse {
    #[schema(required = false)]
    pub(super) active_sessions: i64,
}
