//! Vault's wire types.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::timestamp;
use crate::model;
use crate::model::{Device, DeviceType, SessionId};

/// One session of the user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionResponse {
    id: String,
    ip_address: Option<String>,
    user_agent: Option<String>,
    device_info: Option<DeviceInfoResponse>,
    /// Whether the user signed in with more than one factor.
    mfa_verified: bool,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    last_activity_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize")]
    expires_at: DateTime<Utc>,
    /// Whether this is the session that the request was made with.
    current: bool,
}

/// The device of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceInfoResponse {
    #[schema(inline)]
    device_type: DeviceTypeName,
    #[schema(example = "macOS")]
    os: String,
    #[schema(example = "Chrome")]
    browser: String,
    is_mobile: bool,
}

/// Kind of device.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DeviceTypeName {
    Desktop,
    Mobile,
    Tablet,
}

impl SessionResponse {
    /// The view of the user whose own session is `current`.
    pub(super) fn new(session: model::Session, current: SessionId) -> Self {
        let mfa_verified = session.is_multi_factor();
        let model::Session { id, created_at, last_seen_at, expires_at, ip_address, user_agent, device, .. } = session;
        Self {
            id: id.to_string(),
            ip_address: ip_address.map(|address| address.to_string()),
            user_agent,
            device_info: DeviceInfoResponse::of(device),
            mfa_verified,
            created_at,
            last_activity_at: last_seen_at,
            expires_at,
            current: id == current,
        }
    }
}

impl DeviceInfoResponse {
    fn of(device: Device) -> Option<Self> {
        let device_type = match device.kind {
            DeviceType::Mobile => DeviceTypeName::Mobile,
            DeviceType::Tablet => DeviceTypeName::Tablet,
            // The contract has three kinds.
            DeviceType::Desktop | DeviceType::Tv | DeviceType::Console | DeviceType::Headset => DeviceTypeName::Desktop,
            DeviceType::App | DeviceType::Bot | DeviceType::Unknown => return None,
        };
        let or_unknown = |name: Option<String>| name.unwrap_or_else(|| "Unknown".to_owned());
        Some(Self {
            device_type,
            os: or_unknown(device.os),
            // A browser that is a part of its device has no name of its own.
            browser: or_unknown(device.browser.or(device.model)),
            is_mobile: device.kind == DeviceType::Mobile,
        })
    }
}

/// Result of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MessageResponse {
    #[schema(example = "Session revoked")]
    pub(super) message: String,
}
