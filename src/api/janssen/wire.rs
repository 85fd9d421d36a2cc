//! Janssen's wire types.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::dn::DnTemplate;
use crate::api::timestamp;
use crate::model;
use crate::sessions::Listed;

/// The parameters of a search.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParameters {
    /// Search size - max size of the results to return
    #[param(default = 50)]
    pub(super) limit: Option<i32>,
    /// Search pattern
    #[param(default = "")]
    pub(super) pattern: Option<String>,
    /// The 1-based index of the first query result
    #[param(default = 0)]
    pub(super) start_index: Option<i32>,
    /// Attribute whose value will be used to order the returned response
    #[param(default = "jansId")]
    pub(super) sort_by: Option<String>,
    /// Order in which the sortBy param is applied. Allowed values are "ascending" and "descending"
    #[param(default = "ascending")]
    pub(super) sort_order: Option<String>,
    /// Field and value pair for seraching
    #[param(
        default = "",
        example = "userDn=d5552516-4436-4908-ab36-3e9725246304,expirationDate>2025-09-25,expirationDate<2026-10-15"
    )]
    pub(super) field_value_pair: Option<String>,
}

/// One page of a search.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionPagedResult {
    /// Number of sessions before this page.
    #[schema(required = false)]
    start: u32,
    /// Number of all sessions found, counted up to a limit.
    #[schema(required = false)]
    total_entries_count: u32,
    /// Number of entries on this page.
    #[schema(required = false)]
    entries_count: usize,
    #[schema(required = false)]
    entries: Vec<SessionIdEntry>,
}

impl SessionPagedResult {
    /// The page at `now`, after `start` sessions were skipped.
    pub(super) fn new(listed: Listed, start: u32, template: &DnTemplate, now: DateTime<Utc>) -> Self {
        let Listed { sessions, total } = listed;
        let show = |session| SessionIdEntry::new(session, template, now);
        let entries: Vec<SessionIdEntry> = sessions.into_iter().map(show).collect();
        Self { start, total_entries_count: total, entries_count: entries.len(), entries }
    }
}

/// One session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionId)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionIdEntry {
    /// Id of the session, as in the paths.
    #[schema(required = false)]
    outside_sid: String,
    #[schema(required = false)]
    user_dn: String,
    #[schema(required = false)]
    #[serde(serialize_with = "timestamp::serialize")]
    last_used_at: DateTime<Utc>,
    #[schema(required = false)]
    #[serde(serialize_with = "timestamp::serialize")]
    authentication_time: DateTime<Utc>,
    #[schema(required = false)]
    #[serde(serialize_with = "timestamp::serialize")]
    creation_date: DateTime<Utc>,
    #[schema(required = false)]
    #[serde(serialize_with = "timestamp::serialize")]
    expiration_date: DateTime<Utc>,
    #[schema(required = false, inline)]
    state: AuthenticationState,
    #[schema(required = false)]
    permission_granted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    permission_granted_map: Option<PermissionGrantedMap>,
    /// Attributes `auth_user`, `remote_ip`, `client_id`, `acr_values`, `acr`, `scope`, `sid` and `device_name`, as far
    /// as known.
    #[schema(required = false)]
    session_attributes: BTreeMap<&'static str, String>,
    /// Whether the session is deleted after its retention time; always true.
    #[schema(required = false)]
    deletable: bool,
    /// Seconds until the session expires; 0 if it has expired.
    #[schema(required = false)]
    ttl: i32,
    #[schema(required = false)]
    persisted: bool,
}

/// State of the user's authentication.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum AuthenticationState {
    /// The state of every session here: sessions are opened after authentication.
    Authenticated,
}

/// Applications that the session was opened for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PermissionGrantedMap {
    #[schema(required = false)]
    permission_granted: BTreeMap<String, bool>,
}

impl SessionIdEntry {
    /// The view at `now`.
    pub(super) fn new(session: model::Session, template: &DnTemplate, now: DateTime<Utc>) -> Self {
        let model::Session {
            id,
            user_id,
            created_at,
            last_seen_at,
            expires_at,
            client_id,
            ip_address,
            device,
            scope,
            acr,
            authenticated_at,
            ..
        } = session;
        let attributes = [
            ("auth_user", Some(user_id.to_string())),
            ("remote_ip", ip_address.map(|address| address.to_string())),
            ("client_id", client_id.clone()),
            ("acr_values", acr.clone()),
            ("acr", acr),
            ("scope", Some(scope.to_string()).filter(|scope| !scope.is_empty())),
            ("sid", Some(id.to_string())),
            ("device_name", device.label()),
        ];
        let granted = |client_id| PermissionGrantedMap { permission_granted: BTreeMap::from([(client_id, true)]) };
        Self {
            outside_sid: id.to_string(),
            user_dn: template.dn_of(&user_id),
            last_used_at: last_seen_at,
            authentication_time: authenticated_at,
            creation_date: created_at,
            expiration_date: expires_at,
            state: AuthenticationState::Authenticated,
            permission_granted: true,
            permission_granted_map: client_id.map(granted),
            session_attributes: attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            deletable: true,
            ttl: i32::try_from((expires_at - now).num_seconds().max(0)).unwrap_or(i32::MAX),
            persisted: true,
        }
    }
}
