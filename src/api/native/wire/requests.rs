//! The bodies and queries of requests.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::device::ClientHints;
use crate::model;
use crate::model::{FieldError, Metadata};
use crate::sessions::{self, SessionDraft, TokenChoice};

/// Freshness of an answer: `strict` counts an ending on any replica at once, `fresh` within milliseconds.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// As of now: an ending on any replica counts at once. Names and addresses may be as old as in a fresh answer.
    Strict,
    /// Within the freshness bound: an ending on another replica counts within milliseconds.
    Fresh,
}

impl From<Freshness> for sessions::Freshness {
    fn from(freshness: Freshness) -> Self {
        match freshness {
            Freshness::Strict => Self::Strict,
            Freshness::Fresh => Self::Fresh,
        }
    }
}

/// A session to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// Id of the user: 1 to 255 characters, no control characters.
    #[schema(example = "1001", min_length = 1, max_length = 255)]
    user_id: String,
    /// Details of the user to store. A name that is too long is cut off; an invalid email address is ignored.
    #[serde(default, deserialize_with = "unless_empty")]
    user: Option<UserDetails>,
    /// Id of the application.
    #[schema(example = "web", max_length = 255)]
    client_id: Option<String>,
    /// IP address of the sign-in, with or without a port; ignored if invalid.
    #[schema(example = "203.0.113.7")]
    ip_address: Option<String>,
    /// Place of the sign-in, for display; cut off after 255 characters.
    #[schema(example = "Lisbon, PT")]
    location: Option<String>,
    /// User-Agent header of the sign-in; cut off after 512 characters.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")]
    user_agent: Option<String>,
    /// Client hints of the sign-in.
    #[serde(default, deserialize_with = "unless_empty")]
    client_hints: Option<ClientHints>,
    /// Name of the device; cut off after 255 characters.
    #[schema(example = "Alice's laptop")]
    device_name: Option<String>,
    /// Scope of the session's tokens: words separated by spaces.
    #[schema(example = "profile", max_length = 1024)]
    scope: Option<String>,
    /// Authentication context class. `aal1`, `aal2` and `aal3` lower the limits of lifetimes and idle timeout to
    /// those of NIST SP 800-63B-4.
    #[schema(example = "aal1", max_length = 255)]
    acr: Option<String>,
    /// Authentication methods (RFC 8176).
    #[schema(example = json!(["pwd", "otp"]), max_items = 16)]
    #[serde(default, deserialize_with = "unless_empty")]
    amr: Vec<String>,
    /// Seconds until the session expires, within the server's limits.
    #[schema(example = 86400, minimum = 60)]
    expires_in: Option<i64>,
    /// Seconds until the latest possible expiry of the session, within the server's limits.
    #[schema(example = 604_800, minimum = 60)]
    absolute_expires_in: Option<i64>,
    /// Seconds without use after which the session expires, within the server's limits.
    #[schema(example = 3600, minimum = 60)]
    idle_timeout: Option<i64>,
    /// Kind of tokens to return.
    #[serde(default, deserialize_with = "unless_null")]
    tokens: Tokens,
    /// Data to store with the session: a JSON object of at most 8 KiB.
    #[serde(default, deserialize_with = "json_object_unless_empty")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// Details of a user. Members that are left out keep their stored values.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserDetails {
    /// Name of the user, for display.
    #[schema(example = "Alice", max_length = 255)]
    name: Option<String>,
    /// Email address of the user, for display.
    #[schema(example = "alice@example.org", max_length = 255)]
    email: Option<String>,
}

impl UserDetails {
    /// The details, checked.
    pub(in crate::api::native) fn parse(self) -> Result<model::UserDetails, FieldError> {
        model::UserDetails::parse(self.name, self.email)
    }
}

/// Kind of tokens: `access_and_refresh` for a pair of short-lived access token and refresh token, `session` for one
/// session token that is valid as long as the session is active.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Tokens {
    /// A short-lived access token and a refresh token.
    #[default]
    AccessAndRefresh,
    /// One session token, valid as long as the session is active.
    Session,
}

impl OpenSession {
    /// The draft in the core's types.
    pub fn into_draft(self) -> Result<SessionDraft, FieldError> {
        let Self {
            user_id,
            user,
            client_id,
            ip_address,
            location,
            user_agent,
            client_hints,
            device_name,
            scope,
            acr,
            amr,
            expires_in,
            absolute_expires_in,
            idle_timeout,
            tokens,
            metadata,
        } = self;
        let UserDetails { name, email } = user.unwrap_or_default();
        Ok(SessionDraft {
            user_id,
            user_name: name,
            user_email: email,
            client_id,
            ip_address,
            location,
            user_agent,
            client_hints: client_hints.map(model::ClientHints::from).unwrap_or_default(),
            device_name,
            scope,
            acr,
            amr,
            expires_in,
            absolute_expires_in,
            idle_timeout,
            metadata: metadata.as_deref().map(checked_metadata).transpose()?,
            tokens: match tokens {
                Tokens::AccessAndRefresh => TokenChoice::AccessAndRefresh,
                Tokens::Session => TokenChoice::Session,
            },
        })
    }
}

/// Reads null like an absent member.
fn unless_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads null and empty collections like an absent member: in some languages an empty list and an empty map are the
/// same.
fn unless_empty<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    if is_empty(&text) { Ok(T::default()) } else { serde_json::from_str(text.get()).map_err(serde::de::Error::custom) }
}

fn is_empty(text: &RawValue) -> bool {
    let text: String = text.get().split_ascii_whitespace().collect();
    matches!(text.as_str(), "null" | "[]" | "{}")
}

/// Reads a JSON object like [`json_object`], and an empty list as an empty object.
fn json_object_unless_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    if is_empty(&text) { Ok(None) } else { checked_object(text).map(Some) }
}

/// Reads the text of a JSON object unchanged, with the sender's numbers and order of members.
fn json_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Option::<Box<RawValue>>::deserialize(deserializer)?.map(checked_object).transpose()
}

fn checked_object<E: serde::de::Error>(text: Box<RawValue>) -> Result<Box<RawValue>, E> {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text.get()).map_err(E::custom)?;
    Ok(text)
}

/// Checks metadata. A NUL at any depth is refused, because PostgreSQL could not store it.
fn checked_metadata(metadata: &RawValue) -> Result<Metadata, FieldError> {
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

/// A change to a session. Members that are left out stay unchanged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSession {
    /// Name of the device; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "Kitchen tablet", max_length = 255)]
    pub(in crate::api::native) device_name: Option<Option<String>>,
    /// New metadata, which replaces all stored metadata; needs `sessions:write`.
    #[serde(default, deserialize_with = "json_object")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

impl ChangeSession {
    /// The metadata, checked.
    pub(in crate::api::native) fn take_metadata(&mut self) -> Result<Option<Metadata>, FieldError> {
        self.metadata.take().as_deref().map(checked_metadata).transpose()
    }
}

/// Reads null as `Some(None)`, so that it differs from an absent member.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// An extension of a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendSession {
    /// Seconds to add to `expires_at`, which never passes `absolute_expires_at`.
    #[schema(example = 3600, minimum = 1)]
    pub(in crate::api::native) extend_by: i64,
}

/// Options of a clean-up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanUp {
    /// Whether to only count the sessions.
    #[serde(default)]
    pub(in crate::api::native) dry_run: bool,
}

/// The options of ending one's own sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndMySessions {
    /// Whether to keep the session that the request is made with.
    #[serde(default)]
    #[param(default = false)]
    pub(in crate::api::native) keep_current: bool,
}
