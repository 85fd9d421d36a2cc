//! Conditions of bulk endings. Each condition that is present must restrict something.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::failure::Rejection;
use crate::api::wording;
use crate::model::FieldError;

/// An object of conditions, as it was sent. An empty or `null` condition is refused: a program that forgot to fill it
/// in would end everything that the other conditions match.
#[derive(Debug)]
pub(super) struct Conditions<T>(Box<RawValue>, PhantomData<T>);

impl<'de, T> Deserialize<'de> for Conditions<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer)?, PhantomData))
    }
}

impl<T: DeserializeOwned> Conditions<T> {
    /// The conditions of the member `name`, none of which may be empty.
    pub(super) fn read(self, name: &str) -> Result<T, Rejection> {
        let text = self.0.get();
        // serde reads a struct from an array of its fields as well.
        let Ok(Value::Object(members)) = serde_json::from_str(text) else {
            return Err(Rejection::Malformed(format!("The body is invalid: {name} is not an object")));
        };
        if let Some((name, message)) = members.into_iter().find_map(|(name, value)| Some((name, empty(&value)?))) {
            return Err(Rejection::Invalid(FieldError::new(name, message)));
        }
        serde_json::from_str(text).map_err(|error| Rejection::Malformed(wording::of_json::<T>(text.as_bytes(), &error)))
    }
}

fn empty(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => Some("must not be null"),
        Value::String(text) if text.trim().is_empty() => Some("must not be empty"),
        Value::Array(values) if values.is_empty() => Some("must not be empty"),
        Value::Object(members) if members.is_empty() => Some("must not be empty"),
        _ => None,
    }
}
