//! The audit trail.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::search::check_years;
use crate::api::timestamp;
use crate::model::{AuditAction, AuditDetail, AuditFilter, DetailValue, FieldError, Range, StoredAuditEntry, text};
use crate::{model, sessions};

/// The parameters of a search of the audit trail. Every entry meets a condition that is left out.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchAudit {
    /// Only entries of the actor with this id: that of a service key or of a session.
    actor: Option<String>,
    /// Only entries of this action, such as `session.ended`.
    action: Option<String>,
    /// Only entries about the session, user, service key or application with this id.
    target: Option<String>,
    /// Only entries of this time or later.
    from: Option<DateTime<Utc>>,
    /// Only entries before this time.
    to: Option<DateTime<Utc>>,
    /// Maximum number of entries on the page, 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    pub(in crate::api::native) limit: Option<u32>,
    /// `next_cursor` of the previous page.
    pub(in crate::api::native) cursor: Option<String>,
}

impl SearchAudit {
    /// The conditions in the core's types.
    pub fn filter(&self) -> Result<AuditFilter, FieldError> {
        let id = |field, id: &Option<String>| id.clone().map(|id| text::required(field, id, 255)).transpose();
        check_years(&[("from", self.from), ("to", self.to)])?;
        Ok(AuditFilter {
            actor: id("actor", &self.actor)?,
            action: self.action.as_deref().map(action).transpose()?,
            target: id("target", &self.target)?,
            at: Range { from: self.from, to: self.to },
        })
    }
}

fn action(word: &str) -> Result<AuditAction, FieldError> {
    AuditAction::ALL.iter().copied().find(|action| action.as_str() == word).ok_or_else(|| {
        let words: Vec<_> = AuditAction::ALL.iter().map(|action| action.as_str()).collect();
        FieldError::new("action", format!("must be one of {}", words.join(", ")))
    })
}

/// One page of the audit trail, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    entries: Vec<AuditEntry>,
    /// Cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl From<sessions::AuditPage> for AuditPage {
    fn from(sessions::AuditPage { entries, next_cursor }: sessions::AuditPage) -> Self {
        Self { entries: entries.into_iter().map(AuditEntry::from).collect(), next_cursor }
    }
}

/// An entry of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    #[schema(example = "1042")]
    id: String,
    #[serde(serialize_with = "timestamp::serialize")]
    at: DateTime<Utc>,
    /// The actor.
    actor: AuditActor,
    /// The action, such as `session.ended`.
    #[schema(example = "user.banned")]
    action: String,
    /// The object of the action; absent when it has no id.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<AuditTarget>,
    /// Particulars of the action.
    #[schema(value_type = Object, example = json!({ "reason": "Chargeback", "sessions": 2 }))]
    detail: Map<String, Value>,
    /// The `x-request-id` of the request, which the server's log has too; absent for commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The address that the request came from, as far as addresses are stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// The actor of an action.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// `key`, `session`, `bootstrap_key`, `command_line`, or `unknown`, as for a refused sign-in.
    #[schema(example = "key")]
    r#type: String,
    /// Id of the service key or session.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Name of the service key, or the user's id of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "support console")]
    name: Option<String>,
}

/// The object of an action.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditTarget {
    /// `session`, `user`, `key` or `application`.
    #[schema(example = "user")]
    r#type: String,
    /// The id; of an erased user `erased:` and a code.
    #[schema(example = "1001")]
    id: String,
}

impl From<model::AuditActor> for AuditActor {
    fn from(model::AuditActor { kind, id, name }: model::AuditActor) -> Self {
        Self { r#type: kind.as_str().to_owned(), id, name }
    }
}

impl From<StoredAuditEntry> for AuditEntry {
    fn from(StoredAuditEntry { sequence, entry }: StoredAuditEntry) -> Self {
        let model::AuditEntry { id: _, at, actor, action, target, detail, origin } = entry;
        let model::Origin { request_id, address } = origin;
        Self {
            id: sequence.to_string(),
            at,
            actor: actor.into(),
            action: action.as_str().to_owned(),
            target: target.map(|target| AuditTarget { r#type: target.kind.as_str().to_owned(), id: target.id }),
            detail: members(detail),
            request_id,
            address: address.map(|address| address.to_string()),
        }
    }
}

/// Particulars as the members of an object.
pub(super) fn members(AuditDetail(particulars): AuditDetail) -> Map<String, Value> {
    let value = |value| match value {
        DetailValue::Text(text) => text.into(),
        DetailValue::Number(number) => number.into(),
        DetailValue::Flag(flag) => flag.into(),
        DetailValue::Texts(texts) => texts.into(),
    };
    particulars.into_iter().map(|(name, particular)| (name, value(particular))).collect()
}
