//! The audit trail.

use serde_json::{Map, Value};

use crate::model::{
    ActorKind, AuditAction, AuditActor, AuditDetail, AuditEntry, AuditTarget, DetailValue, Origin, StoredAuditEntry,
    TargetKind,
};
use crate::store::columns::StoredRow;
use crate::store::values::{OrUnreadable as _, stored_address};

macro_rules! audit_columns {
    () => {
        "id, at, actor_type, actor_id, actor_name, action, target_type, target_id, detail, request_id, address"
    };
}

/// Adds an entry, unless an earlier attempt has added it.
pub(in crate::store) const ADD_ENTRY: &str = concat!(
    "INSERT INTO audit (",
    audit_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING"
);

/// Replaces an erased user's id where the user is the target. A detail may describe the user.
pub(in crate::store) const ERASE_TARGETS: &str =
    "UPDATE audit SET target_id = $2, detail = '{}' WHERE target_id = $1 AND target_type = 'user'";

/// Replaces an erased user's id where the user is the actor.
pub(in crate::store) const ERASE_ACTORS: &str =
    "UPDATE audit SET actor_name = $2, address = NULL WHERE actor_name = $1 AND actor_type = 'session'";

/// The detail as a JSON object.
pub(in crate::store) fn detail_to_store(AuditDetail(particulars): &AuditDetail) -> String {
    let value = |value: &DetailValue| match value {
        DetailValue::Text(text) => text.as_str().into(),
        DetailValue::Number(number) => (*number).into(),
        DetailValue::Flag(flag) => (*flag).into(),
        DetailValue::Texts(texts) => texts.as_slice().into(),
    };
    let members: Map<String, Value> =
        particulars.iter().map(|(name, particular)| (name.clone(), value(particular))).collect();
    Value::Object(members).to_string()
}

/// The detail of a JSON object. What this version cannot have written is left out.
fn stored_detail(json: &str) -> sqlx::Result<AuditDetail> {
    let members: Map<String, Value> = serde_json::from_str(json).or_unreadable("detail")?;
    let read = |value| {
        Some(match value {
            Value::String(text) => DetailValue::Text(text),
            Value::Number(number) => DetailValue::Number(number.as_u64()?),
            Value::Bool(flag) => DetailValue::Flag(flag),
            Value::Array(texts) => {
                DetailValue::Texts(texts.into_iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
            }
            Value::Null | Value::Object(_) => return None,
        })
    };
    Ok(AuditDetail(members.into_iter().filter_map(|(name, value)| Some((name, read(value)?))).collect()))
}

pub(in crate::store) fn audit_entry(row: &impl StoredRow) -> sqlx::Result<StoredAuditEntry> {
    let target = row.named::<Option<&str>>("target_type")?.map(TargetKind::stored);
    let target = target.zip(row.named::<Option<String>>("target_id")?);
    let actor = AuditActor {
        kind: ActorKind::stored(row.named("actor_type")?),
        id: row.named("actor_id")?,
        name: row.named("actor_name")?,
    };
    let entry = AuditEntry {
        id: row.named("id")?,
        at: row.time("at")?,
        actor,
        action: AuditAction::stored(row.named("action")?),
        target: target.map(|(kind, id)| AuditTarget { kind, id }),
        detail: stored_detail(row.named("detail")?)?,
        origin: Origin { request_id: row.named("request_id")?, address: stored_address(row.named("address")?)? },
    };
    Ok(StoredAuditEntry { sequence: row.named("sequence")?, entry })
}
