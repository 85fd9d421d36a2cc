//! The bodies and queries of requests.

use chrono::{DateTime, Datelike as _, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::answers::SessionState;
use super::conditions::Conditions;
use super::device::{ClientHints, DeviceKind};
use crate::api::failure::Rejection;
use crate::model;
use crate::model::{DeviceType, FieldError, Filter, Metadata, Opener, Range, SessionId, Sort, State, UserId};
use crate::sessions::{self, Selection, SessionDraft, TokenChoice};

/// How old an answer may be.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// No age: sessions that any replica ended count at once. Names and addresses may be as old as in a fresh answer.
    Strict,
    /// Within the freshness bound: sessions that other replicas ended count after milliseconds.
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

/// A session to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// Whose session it is: 1 to 255 characters, no control characters.
    #[schema(example = "1001", min_length = 1, max_length = 255)]
    user_id: String,
    /// Details of the user to store; a detail that is left out stays as it is stored. A name that is too long is cut
    /// off, an email address that is none is left out.
    #[serde(default, deserialize_with = "unless_empty")]
    user: Option<UserDetails>,
    /// The application.
    #[schema(example = "web", max_length = 255)]
    client_id: Option<String>,
    /// The address that the user signed in from, with or without a port; left out when it is none.
    #[schema(example = "203.0.113.7")]
    ip_address: Option<String>,
    /// The place that the user signed in from, as shown to the user; cut off after 255 characters.
    #[schema(example = "Lisbon, PT")]
    location: Option<String>,
    /// The User-Agent header that the user signed in with; cut off after 512 characters.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")]
    user_agent: Option<String>,
    /// The client hints that the user signed in with.
    #[serde(default, deserialize_with = "unless_empty")]
    client_hints: Option<ClientHints>,
    /// A name for the device; cut off after 255 characters.
    #[schema(example = "Alice's laptop")]
    device_name: Option<String>,
    /// What the session's tokens may do: words separated by spaces.
    #[schema(example = "profile", max_length = 1024)]
    scope: Option<String>,
    /// The authentication context class. `aal1`, `aal2` and `aal3` tighten the session's limits to those of NIST SP 800-63B-4.
    #[schema(example = "aal1", max_length = 255)]
    acr: Option<String>,
    /// The authentication methods (RFC 8176).
    #[schema(example = json!(["pwd", "otp"]), max_items = 16)]
    #[serde(default, deserialize_with = "unless_empty")]
    amr: Vec<String>,
    /// Seconds until the session ends by itself, within the limits of its profile.
    #[schema(example = 86400, minimum = 60)]
    expires_in: Option<i64>,
    /// Seconds until the end that no extension and no refresh passes, within the limits of its profile.
    #[schema(example = 604_800, minimum = 60)]
    absolute_expires_in: Option<i64>,
    /// Seconds that the session may stay unused, within the limits of its profile.
    #[schema(example = 3600, minimum = 60)]
    idle_timeout: Option<i64>,
    /// Which tokens to hand out.
    #[serde(default, deserialize_with = "unless_null")]
    tokens: Tokens,
    /// Anything to keep with the session: a JSON object of at most 8 KiB.
    #[serde(default, deserialize_with = "json_object_unless_empty")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// What to keep of a user. What is left out stays as it is stored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserDetails {
    /// A name to show.
    #[schema(example = "Alice", max_length = 255)]
    name: Option<String>,
    /// An email address to show.
    #[schema(example = "alice@example.org", max_length = 255)]
    email: Option<String>,
}

impl UserDetails {
    /// The details, checked.
    pub(in crate::api::native) fn parse(self) -> Result<model::UserDetails, FieldError> {
        model::UserDetails::parse(self.name, self.email)
    }
}

/// Which tokens to hand out.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Tokens {
    /// A short-lived access token and a refresh token.
    #[default]
    AccessAndRefresh,
    /// One session token for the whole stay.
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

/// A change to a session. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSession {
    /// A name for the device; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "Kitchen tablet", max_length = 255)]
    pub(in crate::api::native) device_name: Option<Option<String>>,
    /// Replaces what is kept with the session; needs `sessions:write`.
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
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// By how much to move a session's end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendSession {
    /// Seconds; the absolute end is never passed.
    #[schema(example = 3600, minimum = 1)]
    pub(in crate::api::native) extend_by: i64,
}

/// The parameters of a search. Every session meets a condition that is left out.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchSessions {
    /// Of this user.
    user_id: Option<String>,
    /// In this state.
    #[param(inline)]
    state: Option<SessionState>,
    /// Opened for this application.
    client_id: Option<String>,
    /// On such a device.
    #[param(inline)]
    device_type: Option<DeviceKind>,
    /// From exactly this address; where the server keeps only networks (/24, /48), from its network.
    ip_address: Option<String>,
    /// Opened with this credential, as `opened_by` of a session names it.
    opened_by: Option<String>,
    /// Opened at this time or later.
    created_from: Option<DateTime<Utc>>,
    /// Opened before this time.
    created_to: Option<DateTime<Utc>>,
    /// Last used at this time or later.
    last_seen_from: Option<DateTime<Utc>>,
    /// Last used before this time.
    last_seen_to: Option<DateTime<Utc>>,
    /// `created_at`, `expires_at` or `last_seen_at` (this one with `user_id` only); with `-` in front the latest first.
    #[param(default = "-created_at")]
    sort: Option<String>,
    /// How many on a page, 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    pub(in crate::api::native) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub(in crate::api::native) cursor: Option<String>,
}

impl SearchSessions {
    /// The filter and the order in the core's types.
    pub fn filter(&self) -> Result<(Filter, Sort), FieldError> {
        let plain = |field, value: &Option<String>| {
            value.clone().map(|text| model::text::required(field, text, 255)).transpose()
        };
        let address =
            |text: &String| text.parse().map_err(|_| FieldError::new("ip_address", "must be an IPv4 or IPv6 address"));
        let opener = |text: &str| {
            let message = "must be key: or session: with an id, bootstrap, or command-line";
            Opener::parse(text).ok_or_else(|| FieldError::new("opened_by", message))
        };
        let bounds = [
            ("created_from", self.created_from),
            ("created_to", self.created_to),
            ("last_seen_from", self.last_seen_from),
            ("last_seen_to", self.last_seen_to),
        ];
        // Databases differ in the years that they can compare.
        if let Some((field, _)) = bounds.iter().find(|(_, at)| at.is_some_and(|at| !(1..=9999).contains(&at.year()))) {
            return Err(FieldError::new(*field, "must be in the years 1 to 9999"));
        }
        let filter = Filter {
            user_id: self.user_id.clone().map(UserId::parse).transpose()?,
            state: self.state.map(State::from),
            client_id: plain("client_id", &self.client_id)?,
            device_type: self.device_type.map(DeviceType::from),
            ip_address: self.ip_address.as_ref().map(address).transpose()?,
            opened_by: self.opened_by.as_deref().map(opener).transpose()?,
            created: Range { from: self.created_from, to: self.created_to },
            last_seen: Range { from: self.last_seen_from, to: self.last_seen_to },
        };
        let sort = self.sort.as_deref().map(Sort::parse).transpose()?.unwrap_or_default();
        Ok((filter, sort))
    }
}

/// Reads a member that may be left out but must not be `null`, which a program sends that forgot to fill it in.
fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Which sessions to end: exactly one of `ids`, `filter` and `all`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeSessions {
    /// These, as far as they are active.
    #[schema(max_items = 500)]
    #[serde(default, deserialize_with = "not_null")]
    ids: Option<Vec<String>>,
    /// All active ones that meet every condition in it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<RevocationFilter>)]
    filter: Option<Conditions<RevocationFilter>>,
    /// All active ones of everybody, the caller's too. Only `true` means something.
    #[serde(default)]
    all: bool,
    /// Only counts, and shows some.
    #[serde(default)]
    pub(in crate::api::native) dry_run: bool,
}

/// Conditions on what never changes of a session; one at least.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevocationFilter {
    /// Of this user.
    #[schema(example = "1001")]
    user_id: Option<String>,
    /// Opened for this application.
    #[schema(example = "web")]
    client_id: Option<String>,
    /// On such a device.
    device_type: Option<DeviceKind>,
    /// From exactly this address. Where the server keeps only networks, from this one: name its first address.
    #[schema(example = "203.0.113.7")]
    ip_address: Option<String>,
    /// Opened with this credential, as `opened_by` of a session names it.
    #[schema(example = "key:01a20114-3d06-7355-88c5-d5965a7f8762")]
    opened_by: Option<String>,
    /// Opened at this time or later.
    created_from: Option<DateTime<Utc>>,
    /// Opened before this time.
    created_to: Option<DateTime<Utc>>,
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
                let RevocationFilter {
                    user_id,
                    client_id,
                    device_type,
                    ip_address,
                    opened_by,
                    created_from,
                    created_to,
                } = conditions.read("filter")?;
                let search = SearchSessions {
                    user_id,
                    state: None,
                    client_id,
                    device_type,
                    ip_address,
                    opened_by,
                    created_from,
                    created_to,
                    last_seen_from: None,
                    last_seen_to: None,
                    sort: None,
                    limit: None,
                    cursor: None,
                };
                let (filter, _) = search.filter().map_err(Rejection::Invalid)?;
                if filter == Filter::default() {
                    let error = FieldError::new("filter", "must have a condition; all sessions are meant by all");
                    return Err(Rejection::Invalid(error));
                }
                Ok(Selection::Matching(filter))
            }
            (None, None, true) => Ok(Selection::Matching(Filter::default())),
            _ => {
                let error = FieldError::new("ids", "or filter or all must be there, and only one of them");
                Err(Rejection::Invalid(error))
            }
        }
    }
}

/// How to clean up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanUp {
    /// Only counts.
    #[serde(default)]
    pub(in crate::api::native) dry_run: bool,
}

/// The options of ending one's own sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndMySessions {
    /// Keeps the session that the request is made with.
    #[serde(default)]
    #[param(default = false)]
    pub(in crate::api::native) keep_current: bool,
}
