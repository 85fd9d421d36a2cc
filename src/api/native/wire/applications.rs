//! Applications.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::present;
use crate::api::timestamp;
use crate::model;
use crate::model::{Algorithm, ApplicationSettings};
use crate::sessions::ApplicationDraft;

/// The audiences of access tokens: one, or a list (RFC 7519 section 4.1.3).
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(missing_docs, reason = "a description beside a reference makes generators lose the type")]
pub enum Audience {
    One(SingleAudience),
    Several(AudienceList),
}

/// The only audience.
#[derive(Debug, Serialize, ToSchema)]
pub struct SingleAudience(String);

/// Several audiences, in the order of the application's record.
#[derive(Debug, Serialize, ToSchema)]
pub struct AudienceList(Vec<String>);

impl Audience {
    pub(in crate::api::native) fn new(mut audiences: Vec<String>) -> Self {
        match (audiences.pop(), audiences.is_empty()) {
            (Some(only), true) => Self::One(SingleAudience(only)),
            (last, _) => {
                audiences.extend(last);
                Self::Several(AudienceList(audiences))
            }
        }
    }
}

/// An application to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApplication {
    /// The `client_id` of its sessions and tokens, which never changes.
    #[schema(example = "web", max_length = 255)]
    pub(in crate::api::native) client_id: String,
    /// A name for people; the `client_id` by default.
    #[schema(example = "Web shop", max_length = 255)]
    name: Option<String>,
    /// The `aud` of its access tokens, at most 8; by default the server's audience.
    #[schema(example = json!(["https://api.example.org"]))]
    audiences: Option<Vec<String>>,
    /// The words that its sessions may have in their scope; by default any.
    #[schema(example = "profile orders")]
    scope: Option<String>,
    /// The longest lifetime of an access token in seconds. The server's own limit applies if it is shorter.
    #[schema(example = 120, minimum = 10, maximum = 3600)]
    access_token_lifetime: Option<i64>,
    /// The longest time from opening a session to its latest expiry, in seconds. The server's own limit applies if it is
    /// shorter.
    #[schema(example = 28800, minimum = 60)]
    absolute_lifetime: Option<i64>,
    /// The longest time that a session may stay unused, in seconds. The server's own limit applies if it is shorter.
    #[schema(example = 900, minimum = 60)]
    idle_timeout: Option<i64>,
    /// The names of claims that openers may add to its access tokens, at most 32; by default none.
    #[schema(example = json!(["roles", "https://example.org/tenant"]))]
    claims: Option<Vec<String>>,
    /// The algorithm that signs its access tokens: `EdDSA`, `ES256` or `RS256`; by default the server's. If no key of that
    /// algorithm is in use yet, one is published now and signs in ten minutes, when verifiers know it; until then the
    /// server's key signs.
    #[schema(example = "ES256")]
    signing_algorithm: Option<String>,
    /// The name of the cookie that carries the session tokens of its sessions, and only of these; by default the server's
    /// own cookie, if there is one.
    #[schema(example = "__Host-shop", max_length = 255)]
    cookie_name: Option<String>,
}

impl CreateApplication {
    pub(in crate::api::native) fn into_draft(self) -> ApplicationDraft {
        let Self {
            client_id: _,
            name,
            audiences,
            scope,
            access_token_lifetime,
            absolute_lifetime,
            idle_timeout,
            claims,
            signing_algorithm,
            cookie_name,
        } = self;
        ApplicationDraft {
            name,
            audiences,
            scope: scope.map(Some),
            access_token_lifetime: access_token_lifetime.map(Some),
            absolute_lifetime: absolute_lifetime.map(Some),
            idle_timeout: idle_timeout.map(Some),
            claims,
            signing_algorithm: signing_algorithm.map(Some),
            cookie_name: cookie_name.map(Some),
        }
    }
}

/// A change to an application. What is left out stays as it is; null takes a limit away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeApplication {
    /// A name for people.
    #[schema(example = "Web shop", max_length = 255)]
    name: Option<String>,
    /// The `aud` of its access tokens, at most 8; an empty list for the server's audience.
    #[schema(example = json!(["https://api.example.org"]))]
    audiences: Option<Vec<String>>,
    /// The words that its sessions may have in their scope.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "profile orders")]
    scope: Option<Option<String>>,
    /// The longest lifetime of an access token in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, example = 120, minimum = 10, maximum = 3600)]
    access_token_lifetime: Option<Option<i64>>,
    /// The longest time from opening a session to its latest expiry, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, example = 28800, minimum = 60)]
    absolute_lifetime: Option<Option<i64>>,
    /// The longest time that a session may stay unused, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, example = 900, minimum = 60)]
    idle_timeout: Option<Option<i64>>,
    /// The names of claims that openers may add to its access tokens, at most 32; an empty list for none. Tokens of open
    /// sessions lose claims that are no longer named with the next refresh.
    #[schema(example = json!(["roles", "https://example.org/tenant"]))]
    claims: Option<Vec<String>>,
    /// The algorithm that signs its access tokens: `EdDSA`, `ES256` or `RS256`, or null for the server's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "ES256")]
    signing_algorithm: Option<Option<String>>,
    /// The name of the cookie that carries the session tokens of its sessions. Cookies of the former name are not read any
    /// more: their users have to sign in again.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "__Host-shop", max_length = 255)]
    cookie_name: Option<Option<String>>,
}

impl From<ChangeApplication> for ApplicationDraft {
    fn from(change: ChangeApplication) -> Self {
        let ChangeApplication {
            name,
            audiences,
            scope,
            access_token_lifetime,
            absolute_lifetime,
            idle_timeout,
            claims,
            signing_algorithm,
            cookie_name,
        } = change;
        Self {
            name,
            audiences,
            scope,
            access_token_lifetime,
            absolute_lifetime,
            idle_timeout,
            claims,
            signing_algorithm,
            cookie_name,
        }
    }
}

/// An application that sessions are opened for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Application {
    #[schema(example = "web")]
    client_id: String,
    name: String,
    /// The `aud` of its access tokens; empty for the server's audience.
    audiences: Vec<String>,
    /// The words that its sessions may have in their scope; absent for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The longest lifetime of an access token in seconds; absent for the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_lifetime: Option<i64>,
    /// The longest time from opening a session to its latest expiry, in seconds; absent for the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    absolute_lifetime: Option<i64>,
    /// The longest time that a session may stay unused, in seconds; absent for the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout: Option<i64>,
    /// The names of claims that openers may add to its access tokens.
    claims: Vec<String>,
    /// The algorithm that signs its access tokens; absent for the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ES256")]
    signing_algorithm: Option<&'static str>,
    /// The name of the cookie that carries the session tokens of its sessions; absent for the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie_name: Option<String>,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize")]
    updated_at: DateTime<Utc>,
}

impl From<model::Application> for Application {
    fn from(application: model::Application) -> Self {
        let model::Application { id, settings, created_at, updated_at } = application;
        let ApplicationSettings {
            name,
            audiences,
            scope,
            access_token_lifetime,
            absolute_lifetime,
            idle_timeout,
            claims,
            signing_algorithm,
            cookie_name,
        } = settings;
        let seconds = |limit: Option<chrono::TimeDelta>| limit.map(|limit| limit.num_seconds());
        Self {
            client_id: id,
            name,
            audiences,
            scope: scope.map(String::from),
            access_token_lifetime: seconds(access_token_lifetime),
            absolute_lifetime: seconds(absolute_lifetime),
            idle_timeout: seconds(idle_timeout),
            claims,
            signing_algorithm: signing_algorithm.map(Algorithm::as_str),
            cookie_name,
            created_at,
            updated_at,
        }
    }
}

/// All applications, in the order of their `client_id`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationList {
    pub(in crate::api::native) applications: Vec<Application>,
}
