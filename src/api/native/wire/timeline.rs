//! The timeline of a session.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::audit::{AuditActor, members};
use crate::api::timestamp;
use crate::model::EndReason;
use crate::sessions;

/// The events of a session, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    #[schema(max_items = 200)]
    items: Vec<TimelineEvent>,
}

/// An event in the life of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEvent {
    #[serde(serialize_with = "timestamp::serialize")]
    at: DateTime<Utc>,
    /// `opened`, `authenticated`, `extended`, `changed`, `seen` (the last use), `ended`, or `expires` (unless it is used or
    /// extended).
    #[schema(example = "ended")]
    event: &'static str,
    /// The actor, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<AuditActor>,
    /// The reason of the ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "revoked_by_admin")]
    reason: Option<&'static str>,
    /// Particulars of the event.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>, example = json!({ "seconds": 3600 }))]
    detail: Map<String, Value>,
}

impl From<Vec<sessions::TimelineEvent>> for Timeline {
    fn from(events: Vec<sessions::TimelineEvent>) -> Self {
        Self { items: events.into_iter().map(TimelineEvent::from).collect() }
    }
}

impl From<sessions::TimelineEvent> for TimelineEvent {
    fn from(sessions::TimelineEvent { at, kind, by, reason, detail }: sessions::TimelineEvent) -> Self {
        let event = match kind {
            sessions::EventKind::Opened => "opened",
            sessions::EventKind::Authenticated => "authenticated",
            sessions::EventKind::Extended => "extended",
            sessions::EventKind::Changed => "changed",
            sessions::EventKind::Seen => "seen",
            sessions::EventKind::Ended => "ended",
            sessions::EventKind::Expires => "expires",
        };
        let reason = reason.map(EndReason::as_str);
        Self { at, event, by: by.map(AuditActor::from), reason, detail: members(detail) }
    }
}
