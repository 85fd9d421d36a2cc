//! The list of what can be wrong with a running server, as far as one replica knows.

use std::time::Duration;

use chrono::TimeDelta;

use super::error::NotReady;
use super::facade::Sessions;
use super::freshness::MAX_STALENESS;
use crate::error_chain::chain;
use crate::model::{DatabaseKind, DatabaseStatus};
use crate::tokens::PUBLICATION_LEAD;

/// The age of an open transaction that an operator should look for: the alert `SojournLongTransaction` has the same.
const LONG_TRANSACTION: Duration = Duration::from_hours(1);
/// The age of statistics that an operator should look for: the alert `SojournStatisticsOld` has the same.
const OLD_STATISTICS: TimeDelta = TimeDelta::minutes(10);

/// The facts about the process that the core is not told otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings {
    /// Whether the server is about to stop.
    pub is_stopping: bool,
    /// Whether the issuer is a default that does not lead to the server.
    pub has_default_issuer: bool,
}

/// Something that is wrong right now. The first three keep requests away from the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The server is about to stop.
    Stopping,
    /// The database does not answer.
    Database,
    /// The database's tables are of another version.
    Migrations,
    /// The change log could not be read lately.
    ChangeLogOld,
    /// A transaction has been open for very long.
    LongTransaction,
    /// The read replica is not used.
    ReadReplica,
    /// Events are not counted.
    StatisticsOld,
    /// The signing key should have been replaced.
    SigningKeyOverdue,
    /// Service keys will expire before long.
    KeysEndSoon,
    /// The bootstrap key never expires.
    BootstrapKeyWithoutEnd,
    /// The issuer was not chosen.
    DefaultIssuer,
}

impl Problem {
    /// The problem in one word, which programs may rely on.
    pub fn code(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Database => "database",
            Self::Migrations => "migrations",
            Self::ChangeLogOld => "change_log_old",
            Self::LongTransaction => "long_transaction",
            Self::ReadReplica => "read_replica",
            Self::StatisticsOld => "statistics_old",
            Self::SigningKeyOverdue => "signing_key_overdue",
            Self::KeysEndSoon => "keys_end_soon",
            Self::BootstrapKeyWithoutEnd => "bootstrap_key_without_end",
            Self::DefaultIssuer => "default_issuer",
        }
    }

    /// The problem in a sentence.
    pub fn message(self) -> &'static str {
        match self {
            Self::Stopping => "The server is about to stop",
            Self::Database => "The database does not answer",
            Self::Migrations => "The database has not been migrated to this version",
            Self::ChangeLogOld => "The change log cannot be read: every check asks the database",
            Self::LongTransaction => {
                "A transaction of the database has been open for an hour, and the change log is kept as long"
            }
            Self::ReadReplica => "The read replica lags or does not answer: searches go to the primary",
            Self::StatisticsOld => "Nothing has been counted for ten minutes: the statistics are old",
            Self::SigningKeyOverdue => "The signing key is older than SOJOURN_SIGNING_KEY_AGE and has no successor",
            Self::KeysEndSoon => "A service key will stop working before long: make its successor",
            Self::BootstrapKeyWithoutEnd => {
                "SOJOURN_BOOTSTRAP_KEY has every right and no end: set SOJOURN_BOOTSTRAP_KEY_UNTIL, or leave it out"
            }
            Self::DefaultIssuer => {
                "SOJOURN_ISSUER is not set: programs that verify access tokens by themselves do not find the keys"
            }
        }
    }
}

impl Sessions {
    /// The problem for which requests should go elsewhere, if there is one: the server stops, the store does not answer, or
    /// it has no tables of this version. Callers within a moment of each other share one answer of the store.
    pub async fn ready(&self, surroundings: Surroundings) -> Result<(), Problem> {
        if surroundings.is_stopping {
            return Err(Problem::Stopping);
        }
        let ping = async || match self.store().ping().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotReady::Migrations),
            Err(error) => Err(NotReady::Database(error)),
        };
        self.readiness.get(ping).await.map_err(|error| {
            tracing::warn!(error = %chain(&error), "not ready");
            match error {
                NotReady::Database(_) => Problem::Database,
                NotReady::Migrations => Problem::Migrations,
            }
        })
    }

    /// Everything that is wrong right now, the worst first. `database`: what the database says of itself, if it answers.
    pub(super) async fn problems(&self, surroundings: Surroundings, database: Option<&DatabaseStatus>) -> Vec<Problem> {
        let unready = self.ready(surroundings).await.err();
        let others = [
            (Problem::ChangeLogOld, self.cache.log_age().is_none_or(|age| age > MAX_STALENESS)),
            (Problem::LongTransaction, self.read_history.open_transaction() > LONG_TRANSACTION),
            (Problem::ReadReplica, database.is_some_and(|database| database.has_lagging_replica)),
            (Problem::StatisticsOld, database.is_some() && self.has_old_statistics().await),
            (Problem::SigningKeyOverdue, self.has_overdue_signing_key()),
            (Problem::KeysEndSoon, database.is_some() && self.has_ending_keys().await),
            (Problem::BootstrapKeyWithoutEnd, self.has_endless_bootstrap_key()),
            (Problem::DefaultIssuer, surroundings.has_default_issuer),
        ];
        let others = others.into_iter().filter_map(|(problem, is_there)| is_there.then_some(problem));
        unready.into_iter().chain(others).collect()
    }

    /// Whether a bootstrap key never expires. SQLite suggests a trial, in which that does not matter.
    pub fn has_endless_bootstrap_key(&self) -> bool {
        let is_endless = self.parts.bootstrap_key.as_ref().is_some_and(|key| key.until.is_none());
        is_endless && self.store().kind() == DatabaseKind::Postgresql
    }

    /// A store that fails is a problem of its own.
    async fn has_old_statistics(&self) -> bool {
        let counted = self.store().open_sessions().await;
        counted.is_ok_and(|counted| counted.counted_until + OLD_STATISTICS < self.now())
    }

    async fn has_ending_keys(&self) -> bool {
        let now = self.now();
        let ends_soon = self.parts.bootstrap_key.as_ref().is_some_and(|key| key.ends_soon(now));
        let keys = self.store().service_keys().await;
        ends_soon || keys.is_ok_and(|keys| keys.iter().any(|key| key.ends_soon(now)))
    }

    /// A successor signs ten minutes after the key's age is reached; as long again is time for a task that was late.
    fn has_overdue_signing_key(&self) -> bool {
        let (now, age) = (self.now(), self.parts.signing_keys.age);
        let overdue_at =
            |since: chrono::DateTime<_>| since.checked_add_signed(age)?.checked_add_signed(PUBLICATION_LEAD * 2);
        let key = self.access_tokens().signing_key(now);
        key.is_ok_and(|key| overdue_at(key.since).is_some_and(|at| at < now))
    }
}
