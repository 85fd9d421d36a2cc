//! Service keys and signing keys.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::members::present;
use crate::api::timestamp;
use crate::sessions::{DEFAULT_KEY_LIFETIME, ServiceKeyDraft};
use crate::tokens::{NewServiceKey, SealedSigningKey, StoredServiceKey};

/// A service key to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// A name for people.
    #[schema(example = "web login", max_length = 255)]
    name: String,
    /// The key's rights: `sessions:write` (open sessions of anybody), `sessions:read`, `sessions:admin`; `sessions:grant`
    /// allows sessions with more rights than the key itself.
    #[schema(example = "sessions:write sessions:read")]
    scope: String,
    /// The application that the key is bound to: it sees, opens and ends sessions of this `client_id` only, and is refused
    /// wherever that cannot be told apart.
    #[schema(example = "web", max_length = 255)]
    client_id: Option<String>,
    /// The lifetime in seconds; a year by default, and null for a key that does not expire.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, example = 31_536_000, minimum = 1)]
    expires_in: Option<Option<i64>>,
}

impl CreateKey {
    pub(in crate::api::native) fn into_draft(self) -> ServiceKeyDraft {
        let Self { name, scope, client_id: application, expires_in } = self;
        let lifetime = match expires_in {
            None => Some(DEFAULT_KEY_LIFETIME),
            // A number beyond all durations is refused like one of a century.
            Some(asked) => asked.map(|seconds| TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX)),
        };
        ServiceKeyDraft { name, scope, application, lifetime }
    }
}

/// A service key that was created.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedKey {
    key: ServiceKey,
    /// The credential itself, which is never shown again.
    #[schema(example = "sjk_AQGaIBFJPQZzVYjF1ZZafod…")]
    secret: String,
}

impl CreatedKey {
    pub(in crate::api::native) fn new(new: NewServiceKey, now: DateTime<Utc>) -> Self {
        Self { key: ServiceKey::new(new.stored, now), secret: new.key.expose().to_owned() }
    }
}

/// A service key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceKey {
    id: Uuid,
    name: String,
    scope: String,
    /// The application that the key is bound to; absent for a key that is bound to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Whether the key is accepted: neither revoked nor expired.
    active: bool,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    /// The expiry; absent for a key that does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// The revocation; absent for a key that was not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
}

impl ServiceKey {
    pub(in crate::api::native) fn new(stored: StoredServiceKey, now: DateTime<Utc>) -> Self {
        let active = stored.is_active(now);
        let StoredServiceKey { id, name, scope, secret_hash: _, created_at, expires_at, revoked_at, application } =
            stored;
        Self { id: id.0, name, scope: scope.into(), active, client_id: application, created_at, expires_at, revoked_at }
    }
}

/// All service keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceKeyList {
    pub(in crate::api::native) keys: Vec<ServiceKey>,
}

/// The options of a revocation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevokeKey {
    /// Ends the sessions that the key opened, too. The answer comes after about two seconds: by then no replica accepts
    /// the key.
    #[serde(default)]
    #[param(default = false)]
    pub(in crate::api::native) end_sessions: bool,
}

/// The outcome of a revocation.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedKey {
    /// Number of sessions that were ended; absent when that was not asked for, or could not be counted in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api::native) ended: Option<u32>,
}

/// A key that signs access tokens, without its private part.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKey {
    /// The `kid` in the header of tokens: the key's thumbprint (RFC 7638).
    kid: String,
    /// The signature algorithm.
    #[schema(example = "EdDSA")]
    algorithm: &'static str,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    /// The time from which the key signs. It is published ten minutes earlier, so that verifiers know it by then.
    #[serde(serialize_with = "timestamp::serialize")]
    active_from: DateTime<Utc>,
}

impl From<SealedSigningKey> for SigningKey {
    fn from(key: SealedSigningKey) -> Self {
        let SealedSigningKey { sequence: _, kid, algorithm, sealed: _, created_at, active_from, wanted_at: _ } = key;
        Self { kid, algorithm: algorithm.as_str(), created_at, active_from }
    }
}

/// The signing keys, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeyList {
    pub(in crate::api::native) keys: Vec<SigningKey>,
}

/// The key that a rotation made, and those of other algorithms.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotatedSigningKeys {
    /// The `kid` in the header of tokens: the key's thumbprint (RFC 7638).
    kid: String,
    /// The signature algorithm: the server's own, or the one that was named.
    #[schema(example = "EdDSA")]
    algorithm: &'static str,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    /// The time from which the key signs.
    #[serde(serialize_with = "timestamp::serialize")]
    active_from: DateTime<Utc>,
    /// The new keys of the algorithms that applications have; absent without such.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    others: Vec<SigningKey>,
}

impl RotatedSigningKeys {
    /// The answer; `None` for no key.
    pub(in crate::api::native) fn new(made: Vec<SealedSigningKey>) -> Option<Self> {
        let mut made = made.into_iter().map(SigningKey::from);
        let SigningKey { kid, algorithm, created_at, active_from } = made.next()?;
        Some(Self { kid, algorithm, created_at, active_from, others: made.collect() })
    }
}

/// The options of a rotation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSigningKeys {
    /// Only the keys of this algorithm: `EdDSA`, `ES256` or `RS256`. By default those of all algorithms in use.
    #[schema(example = "ES256")]
    pub(in crate::api::native) algorithm: Option<String>,
    /// The present keys are compromised: the new key signs at once, and every access token becomes invalid.
    #[serde(default)]
    pub(in crate::api::native) compromised: bool,
}
