//! The state of one replica.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::timestamp;
use crate::model::DatabaseStatus;
use crate::sessions;
use crate::tokens::KeyInUse;

/// The state of the replica that answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// Version of the server.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Time at which this replica started.
    #[serde(serialize_with = "timestamp::serialize")]
    started_at: DateTime<Utc>,
    database: StatusDatabase,
    freshness: StatusFreshness,
    /// Key that signs access tokens of applications without an algorithm of their own; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_key: Option<PresentSigningKey>,
    /// Present problems, as far as this replica knows, the worst first; empty if all is well.
    problems: Vec<StatusProblem>,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusDatabase {
    /// Kind of database: `sqlite` or `postgresql`.
    #[schema(example = "postgresql")]
    kind: &'static str,
    /// Version of the database; absent if it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "15.20")]
    version: Option<String>,
    /// Number of the newest migration that was applied; absent if the database does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    migration: Option<i64>,
}

/// The age of answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusFreshness {
    /// Age in milliseconds that an answer has at most; 0 if every answer is read from the database.
    #[schema(example = 1500)]
    bound_ms: u64,
    /// Milliseconds since this replica last read the change log to its end; absent if it never has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 120)]
    change_log_age_ms: Option<u64>,
}

/// The key that signs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresentSigningKey {
    /// Name of the key in token headers.
    kid: String,
    /// Signature algorithm.
    #[schema(example = "EdDSA")]
    algorithm: &'static str,
    /// Time from which on the key signs.
    #[serde(serialize_with = "timestamp::serialize")]
    since: DateTime<Utc>,
}

/// Something that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusProblem {
    /// The problem in one word.
    #[schema(example = "change_log_old")]
    code: &'static str,
    /// The problem in a sentence.
    message: &'static str,
}

impl From<sessions::Status> for Status {
    fn from(status: sessions::Status) -> Self {
        let sessions::Status {
            started_at,
            database_kind,
            database,
            freshness_bound,
            change_log_age,
            signing_key,
            problems,
        } = status;
        let (version, migration) =
            database.map(|DatabaseStatus { version, migration, .. }| (version, migration)).unzip();
        let problem = |problem: sessions::Problem| StatusProblem { code: problem.code(), message: problem.message() };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at,
            database: StatusDatabase { kind: database_kind.as_str(), version, migration },
            freshness: StatusFreshness {
                bound_ms: milliseconds(freshness_bound),
                change_log_age_ms: change_log_age.map(milliseconds),
            },
            signing_key: signing_key.map(PresentSigningKey::from),
            problems: problems.into_iter().map(problem).collect(),
        }
    }
}

impl From<KeyInUse> for PresentSigningKey {
    fn from(KeyInUse { kid, algorithm, since }: KeyInUse) -> Self {
        Self { kid, algorithm: algorithm.as_str(), since }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
