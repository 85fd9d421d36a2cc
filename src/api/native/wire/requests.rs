//! The bodies and queries of requests.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::device::ClientHints;
use super::members::{checked_metadata, json_object, json_object_unless_empty, present, unless_empty, unless_null};
use crate::model;
use crate::model::{FieldError, Metadata};
use crate::sessions::{self, AuthenticationDraft, SessionDraft, TokenChoice};

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
    /// Time at which the user authenticated, if that was earlier; no earlier than a session of that `acr` may last.
    #[schema(example = "2026-01-31T12:00:00Z")]
    auth_time: Option<DateTime<Utc>>,
    /// Seconds until the session expires, within the server's limits.
    #[schema(example = 86400, minimum = 60)]
    expires_in: Option<i64>,
    /// Seconds until the latest possible expiry of the session, within the server's limits.
    #[schema(example = 604_800, minimum = 60)]
    absolute_expires_in: Option<i64>,
    /// Seconds without use after which the session expires, within the server's limits.
    #[schema(example = 3600, minimum = 60)]
    idle_timeout: Option<i64>,
    /// Id of a session of the same user that this one replaces: the user authenticates anew, and the old session ends with
    /// the reason `replaced`. It may have ended before.
    #[schema(example = "01a20114-3d06-7355-88c5-d5965a7f8762")]
    replaces: Option<String>,
    /// Kind of tokens to return.
    #[serde(default, deserialize_with = "unless_null")]
    tokens: Tokens,
    /// Data to store with the session: a JSON object of at most 8 KiB.
    #[serde(default, deserialize_with = "json_object_unless_empty")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// Claims to add to the session's access tokens: a JSON object of at most 2 KiB as compact JSON. The application's record
    /// must name each (`claims` in `/v1/applications`).
    #[serde(default, deserialize_with = "json_object_unless_empty")]
    #[schema(value_type = Option<Object>, example = json!({"roles": ["editor"]}))]
    claims: Option<Box<RawValue>>,
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
/// session token that is valid as long as the session is active, `cookie` for the same in a cookie that the answer sets.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Tokens {
    /// A short-lived access token and a refresh token.
    #[default]
    AccessAndRefresh,
    /// One session token, valid as long as the session is active.
    Session,
    /// The same, in the application's cookie or else the server's.
    Cookie,
}

impl From<Tokens> for TokenChoice {
    fn from(tokens: Tokens) -> Self {
        match tokens {
            Tokens::AccessAndRefresh => Self::AccessAndRefresh,
            Tokens::Session => Self::Session,
            Tokens::Cookie => Self::Cookie,
        }
    }
}

impl OpenSession {
    /// The draft in the core's types, on a server with that cookie.
    pub fn into_draft(self, server_cookie: Option<String>) -> Result<SessionDraft, FieldError> {
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
            auth_time,
            expires_in,
            absolute_expires_in,
            idle_timeout,
            replaces,
            tokens,
            metadata,
            claims,
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
            authentication: AuthenticationDraft { acr, amr, at: auth_time },
            expires_in,
            absolute_expires_in,
            idle_timeout,
            replaces,
            metadata: metadata.as_deref().map(checked_metadata).transpose()?,
            claims: claims.map(|claims| claims.get().to_owned()),
            tokens: tokens.into(),
            server_cookie,
        })
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
    /// New claims, which replace all that the opener added, from the next access token on; needs `sessions:write`.
    #[serde(default, deserialize_with = "json_object")]
    #[schema(value_type = Option<Object>, example = json!({"roles": ["editor"]}))]
    pub(in crate::api::native) claims: Option<Box<RawValue>>,
}

impl ChangeSession {
    /// The metadata, checked.
    pub(in crate::api::native) fn take_metadata(&mut self) -> Result<Option<Metadata>, FieldError> {
        self.metadata.take().as_deref().map(checked_metadata).transpose()
    }
}

/// An extension of a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendSession {
    /// Seconds to add to `expires_at`, which never passes `absolute_expires_at`.
    #[schema(example = 3600, minimum = 1)]
    pub(in crate::api::native) extend_by: i64,
}

/// A new authentication of a session's user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthenticateSession {
    /// Authentication context class; needed if the session has one. Of `aal1`, `aal2` and `aal3` it must not be lower than
    /// the session's, and it lowers the session's limits as at an opening.
    #[schema(example = "aal2", max_length = 255)]
    acr: Option<String>,
    /// Authentication methods (RFC 8176), which replace the session's.
    #[schema(example = json!(["pwd", "otp"]), max_items = 16)]
    #[serde(default, deserialize_with = "unless_empty")]
    amr: Vec<String>,
    /// Time at which the user authenticated, if that was earlier. The session's never moves back.
    #[schema(example = "2026-01-31T12:00:00Z")]
    auth_time: Option<DateTime<Utc>>,
    /// Kind of tokens to return.
    #[serde(default, deserialize_with = "unless_null")]
    tokens: Tokens,
}

impl AuthenticateSession {
    /// The authentication and the wanted tokens in the core's types.
    pub(in crate::api::native) fn into_draft(self) -> (AuthenticationDraft, TokenChoice) {
        let Self { acr, amr, auth_time, tokens } = self;
        (AuthenticationDraft { acr, amr, at: auth_time }, tokens.into())
    }
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
