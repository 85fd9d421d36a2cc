//! Searches for sessions, and the selection of sessions to end. Every condition of a search on what use does not change is
//! one of an ending too.

use chrono::{DateTime, Datelike as _, Utc};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::answers::SessionState;
use super::conditions::Conditions;
use super::device::DeviceKind;
use super::members::not_null;
use crate::api::failure::Rejection;
use crate::model;
use crate::model::{
    Criteria, DeviceType, EndReason, FieldError, Filter, MAX_USER_DETAIL_CHARS, Opener, Range, SessionId, Sort, State,
    UserId,
};
use crate::sessions::Selection;

/// The parameters of a search. Every session meets a condition that is left out.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchSessions {
    /// Only sessions of this user.
    user_id: Option<String>,
    /// Only sessions of users with a name that begins with this, whatever the case of ASCII letters; at most 100 users.
    user_name: Option<String>,
    /// Only sessions of users with this email address, whatever the case of ASCII letters; at most 100 users.
    email: Option<String>,
    /// Only sessions in this state.
    #[param(inline)]
    state: Option<SessionState>,
    /// Only sessions that were ended for this reason, as a session's `end_reason` has it.
    #[param(value_type = Option<String>, example = "reuse_detected")]
    ended_reason: Option<String>,
    /// Only sessions opened for this application.
    client_id: Option<String>,
    /// Only sessions on this kind of device.
    #[param(inline)]
    device_type: Option<DeviceKind>,
    /// Only sessions from this address, or from this network in CIDR notation, such as `198.51.100.0/24`; from a wider
    /// network if the server stores only networks (/24, /48).
    ip_address: Option<String>,
    /// Only sessions with this browser, as `device.browser` has it.
    browser: Option<String>,
    /// Only sessions with this operating system, as `device.os` has it.
    os: Option<String>,
    /// Only sessions opened with this credential, in the form of a session's `opened_by`.
    opened_by: Option<String>,
    /// Only sessions opened at this time or later.
    created_from: Option<DateTime<Utc>>,
    /// Only sessions opened before this time.
    created_to: Option<DateTime<Utc>>,
    /// Only sessions last used at this time or later.
    last_seen_from: Option<DateTime<Utc>>,
    /// Only sessions last used before this time.
    last_seen_to: Option<DateTime<Utc>>,
    /// Sort order: `created_at`, `expires_at` or `last_seen_at`, with `-` in front for descending order. `last_seen_at` needs
    /// `user_id`.
    #[param(default = "-created_at")]
    sort: Option<String>,
    /// Maximum number of sessions on the page, 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    pub(in crate::api::native) limit: Option<u32>,
    /// `next_cursor` of the previous page.
    pub(in crate::api::native) cursor: Option<String>,
}

impl SearchSessions {
    /// The criteria and the order in the core's types.
    pub fn criteria(&self) -> Result<(Criteria, Sort), FieldError> {
        let plain = |field, value: &Option<String>, most| {
            value.clone().map(|text| model::text::required(field, text, most)).transpose()
        };
        let opener = |text: &str| {
            let message = "must be key: or session: with an id, bootstrap, or command-line";
            Opener::parse(text).ok_or_else(|| FieldError::new("opened_by", message))
        };
        let reason = |text: &str| {
            let all = EndReason::ALL.map(EndReason::as_str).join(", ");
            EndReason::parse(text).ok_or_else(|| FieldError::new("ended_reason", format!("must be one of {all}")))
        };
        let bounds = [
            ("created_from", self.created_from),
            ("created_to", self.created_to),
            ("last_seen_from", self.last_seen_from),
            ("last_seen_to", self.last_seen_to),
        ];
        check_years(&bounds)?;
        let filter = Filter {
            user_id: self.user_id.clone().map(UserId::parse).transpose()?,
            users: None,
            state: self.state.map(State::from),
            ended_reason: self.ended_reason.as_deref().map(reason).transpose()?,
            client_id: plain("client_id", &self.client_id, 255)?,
            device_type: self.device_type.map(DeviceType::from),
            ip_address: self.ip_address.as_deref().map(str::parse).transpose()?,
            browser: plain("browser", &self.browser, 255)?,
            os: plain("os", &self.os, 255)?,
            opened_by: self.opened_by.as_deref().map(opener).transpose()?,
            created: Range { from: self.created_from, to: self.created_to },
            last_seen: Range { from: self.last_seen_from, to: self.last_seen_to },
        };
        let criteria = Criteria {
            filter,
            user_name: plain("user_name", &self.user_name, MAX_USER_DETAIL_CHARS)?,
            email: plain("email", &self.email, MAX_USER_DETAIL_CHARS)?,
        };
        let sort = self.sort.as_deref().map(Sort::parse).transpose()?.unwrap_or_default();
        Ok((criteria, sort))
    }
}

/// Refuses instants in years that the databases compare differently.
pub(super) fn check_years(bounds: &[(&'static str, Option<DateTime<Utc>>)]) -> Result<(), FieldError> {
    match bounds.iter().find(|(_, at)| at.is_some_and(|at| !(1..=9999).contains(&at.year()))) {
        Some((field, _)) => Err(FieldError::new(*field, "must be in the years 1 to 9999")),
        None => Ok(()),
    }
}

/// Selection of sessions to end: exactly one of `ids`, `filter` and `all`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeSessions {
    /// Ids of the sessions; those that are not active are skipped.
    #[schema(max_items = 500)]
    #[serde(default, deserialize_with = "not_null")]
    ids: Option<Vec<String>>,
    /// Conditions, all of which a session must meet.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<RevocationFilter>)]
    filter: Option<Conditions<RevocationFilter>>,
    /// Whether to end all active sessions of all users, the caller's included.
    #[serde(default)]
    all: bool,
    /// Whether to only count the sessions and return a sample.
    #[serde(default)]
    pub(in crate::api::native) dry_run: bool,
}

/// Conditions on properties of a session that do not change with its use; at least one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevocationFilter {
    /// Only sessions of this user.
    #[schema(example = "1001")]
    user_id: Option<String>,
    /// Only sessions of users with this whole name, whatever the case of ASCII letters; at most 100 users.
    #[schema(example = "Alice", max_length = 255)]
    user_name: Option<String>,
    /// Only sessions of users with this email address, whatever the case of ASCII letters; at most 100 users.
    #[schema(example = "alice@example.org", max_length = 255)]
    email: Option<String>,
    /// Only sessions opened for this application.
    #[schema(example = "web")]
    client_id: Option<String>,
    /// Only sessions on this kind of device.
    device_type: Option<DeviceKind>,
    /// Only sessions from this address, or from this network in CIDR notation. If the server stores only networks, this
    /// must be no smaller network (/24, /48), or a network's first address.
    #[schema(example = "198.51.100.0/24")]
    ip_address: Option<String>,
    /// Only sessions with this browser, as `device.browser` has it.
    #[schema(example = "Firefox", max_length = 255)]
    browser: Option<String>,
    /// Only sessions with this operating system, as `device.os` has it.
    #[schema(example = "Linux", max_length = 255)]
    os: Option<String>,
    /// Only sessions opened with this credential, in the form of a session's `opened_by`.
    #[schema(example = "key:01a20114-3d06-7355-88c5-d5965a7f8762")]
    opened_by: Option<String>,
    /// Only sessions opened at this time or later.
    created_from: Option<DateTime<Utc>>,
    /// Only sessions opened before this time.
    created_to: Option<DateTime<Utc>>,
}

impl RevocationFilter {
    fn criteria(self) -> Result<Criteria, FieldError> {
        let Self {
            user_id,
            user_name,
            email,
            client_id,
            device_type,
            ip_address,
            browser,
            os,
            opened_by,
            created_from,
            created_to,
        } = self;
        let search = SearchSessions {
            user_id,
            user_name,
            email,
            client_id,
            device_type,
            ip_address,
            browser,
            os,
            opened_by,
            created_from,
            created_to,
            ..SearchSessions::default()
        };
        Ok(search.criteria()?.0)
    }
}

impl RevokeSessions {
    /// The selection in the core's types.
    pub(in crate::api::native) fn selection(self) -> Result<Selection, Rejection> {
        match (self.ids, self.filter, self.all) {
            // A text that is no id matches no session.
            (Some(ids), None, false) => {
                Ok(Selection::Named(ids.iter().filter_map(|id| SessionId::parse(id)).collect()))
            }
            (None, Some(conditions), false) => {
                let criteria = conditions.read("filter")?.criteria().map_err(Rejection::Invalid)?;
                if criteria == Criteria::default() {
                    let error = FieldError::new("filter", "must have a condition; to end all sessions, use all");
                    return Err(Rejection::Invalid(error));
                }
                Ok(Selection::Matching(Box::new(criteria)))
            }
            (None, None, true) => Ok(Selection::Matching(Box::default())),
            _ => {
                let error = FieldError::new("ids", "must be given, or filter, or all: exactly one of them");
                Err(Rejection::Invalid(error))
            }
        }
    }
}
