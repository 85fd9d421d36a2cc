//! The state of one replica, for operators.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::error::Error;
use super::facade::Sessions;
use super::freshness::{Freshness, MAX_STALENESS};
use super::problems::{Problem, Surroundings};
use crate::model::{Caller, DatabaseKind, DatabaseStatus, Scope};
use crate::tokens::KeyInUse;

/// The state of one replica.
#[derive(Debug, Clone)]
pub struct Status {
    /// The time of the start.
    pub started_at: DateTime<Utc>,
    /// The kind of the database.
    pub database_kind: DatabaseKind,
    /// The state of the database; `None`: it does not answer.
    pub database: Option<DatabaseStatus>,
    /// The age that an answer has at most.
    pub freshness_bound: Duration,
    /// The time since the change log was last read to its end; `None`: never.
    pub change_log_age: Option<Duration>,
    /// The key that signs access tokens; `None`: there is none.
    pub signing_key: Option<KeyInUse>,
    /// Everything that is wrong, the worst first.
    pub problems: Vec<Problem>,
}

impl Sessions {
    /// The state of this replica, for a caller with `sessions:read`. A database that does not answer is part of it.
    pub async fn status(&self, caller: &Caller, surroundings: Surroundings) -> Result<Status, Error> {
        caller.require(Scope::READ)?;
        let database = self.store().database_status().await.ok();
        let problems = self.problems(surroundings, database.as_ref()).await;
        let freshness_bound = match self.policy().freshness {
            Freshness::Strict => Duration::ZERO,
            Freshness::Fresh => MAX_STALENESS,
        };
        Ok(Status {
            started_at: self.started_at,
            database_kind: self.store().kind(),
            database,
            freshness_bound,
            change_log_age: self.cache.log_age(),
            signing_key: self.access_tokens().signing_key(self.now()).ok(),
            problems,
        })
    }
}
