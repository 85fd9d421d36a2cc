//! Reading of members that may be left out, null or empty, and of metadata.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::{FieldError, Metadata};

/// Reads null like an absent member.
pub(super) fn unless_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads null and empty collections like an absent member: in some languages an empty list and an empty map are the
/// same.
pub(super) fn unless_empty<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    if is_empty(&text) { Ok(T::default()) } else { serde_json::from_str(text.get()).map_err(serde::de::Error::custom) }
}

fn is_empty(text: &RawValue) -> bool {
    let text: String = text.get().split_ascii_whitespace().collect();
    matches!(text.as_str(), "null" | "[]" | "{}")
}

/// Reads a JSON object like [`json_object`], and an empty list as an empty object.
pub(super) fn json_object_unless_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<RawValue>>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    if is_empty(&text) { Ok(None) } else { checked_object(text).map(Some) }
}

/// Reads the text of a JSON object unchanged, with the sender's numbers and order of members.
pub(super) fn json_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Option::<Box<RawValue>>::deserialize(deserializer)?.map(checked_object).transpose()
}

fn checked_object<E: serde::de::Error>(text: Box<RawValue>) -> Result<Box<RawValue>, E> {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text.get()).map_err(E::custom)?;
    Ok(text)
}

/// Checks metadata. A NUL at any depth is refused, because PostgreSQL could not store it.
pub(super) fn checked_metadata(metadata: &RawValue) -> Result<Metadata, FieldError> {
    if metadata.get().contains("\\u0000") && serde_json::from_str(metadata.get()).is_ok_and(|value| has_nul(&value)) {
        return Err(FieldError::new("metadata", "must not contain NUL characters"));
    }
    Metadata::from_json(metadata.get().to_owned())
}

fn has_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(values) => values.iter().any(has_nul),
        serde_json::Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Reads null as `Some(None)`, so that it differs from an absent member.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a member that may be left out but must not be `null`, which a program sends that forgot to fill it in.
pub(super) fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
