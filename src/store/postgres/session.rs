//! The settings of a database session, and the proof that they hold.
//!
//! Every connection is set up by one statement before anything else runs on it. A refusal of startup parameters by a
//! pooler, a later `ALTER SYSTEM` and `ALTER ROLE … SET` make no difference: a value set in the session wins. The same
//! statement checks whether the server is fit for its use, because a standby accepts connections as readily as the
//! primary.

use std::io;

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::commit_warnings;
use super::url::Access;
use crate::failpoints::{self, Failpoint};
use crate::store::pools::SEARCH_TIME;

/// The settings that all connections share, each written as PostgreSQL shows it.
///
/// No statement should take as long as the limits here, and a lock is not worth a longer wait. Each statement has one
/// good plan, and planning takes longer than execution.
const SETTINGS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    // A parallel search would take processors away from checks.
    ("max_parallel_workers_per_gather", "0"),
    ("statement_timeout", "4s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("default_transaction_isolation", "read committed"),
];

/// The application name of the connection that proves the primary.
pub(super) const PROOF_NAME: &str = "sojourn-proof";

/// The moment at which a commit is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commit {
    /// Once it is on the disk of this server, or later where the operator configured a stronger value.
    Durable,
    /// At once, before it is on disk.
    Relaxed,
}

/// The settings of a connection that serves one purpose.
#[derive(Debug, Clone)]
pub(super) struct SessionSettings {
    access: Access,
    commit: Commit,
    values: Vec<(&'static str, String)>,
}

impl SessionSettings {
    pub(super) fn general() -> Self {
        let values = SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { access: Access::Write, commit: Commit::Durable, values }
    }

    /// A statement that waits for a locked session must not keep the reserved connection from the next ending for long.
    pub(super) fn endings() -> Self {
        Self::general().with("lock_timeout", "500ms")
    }

    /// The best index may depend on the values searched for, so PostgreSQL may plan for them. With the default
    /// random_page_cost of 4 a custom plan always looks cheaper, so every search would be planned anew; 1.1 lets PostgreSQL
    /// settle on the generic plan.
    pub(super) fn searches(access: Access) -> Self {
        let settings = Self::general().with("plan_cache_mode", "auto").with("random_page_cost", "1.1");
        Self { access, ..settings.with("statement_timeout", &format!("{}s", SEARCH_TIME.as_secs())) }
    }

    /// The change log has one good plan, whatever the statistics of the planner say of a table that grows and shrinks
    /// all day.
    pub(super) fn change_log() -> Self {
        Self::general().with("enable_seqscan", "off").with("enable_sort", "off")
    }

    /// A proof commits as endings do.
    pub(super) fn proofs() -> Self {
        Self::general().with("application_name", PROOF_NAME)
    }

    pub(super) fn announcements() -> Self {
        Self { commit: Commit::Relaxed, ..Self::general() }
    }

    /// A migration, and the wait for another replica's, may take as long as it needs. What it finds there already is no
    /// news.
    pub(super) fn migration() -> Self {
        let settings = Self::general().with("statement_timeout", "0").with("lock_timeout", "0");
        settings.with("client_min_messages", "warning")
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.values.retain(|(set, _)| *set != name);
        self.values.push((name, value.to_owned()));
        self
    }

    /// Sets up a new connection in one round trip, or refuses it with an [`Unfit`].
    pub(super) async fn prepare(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        commit_warnings::forget();
        let row = sqlx::raw_sql(self.statement()).fetch_one(connection).await?;
        let encoding: String = row.try_get("encoding")?;
        if encoding != "UTF8" {
            return Err(Unfit::Encoding(encoding).into());
        }
        match (self.access, row.try_get("in_recovery")?, row.try_get::<String, _>("read_only")?.as_str()) {
            (Access::Write, true, _) => return Err(Unfit::Standby.into()),
            (Access::Write, false, "off") | (Access::Read, true, _) => {}
            (Access::Write, false, _) => return Err(Unfit::ReadOnly.into()),
            (Access::Read, false, _) => return Err(Unfit::NoStandby.into()),
        }
        let commit: String = row.try_get("synchronous_commit")?;
        let durable =
            commit != "off" || self.commit == Commit::Relaxed || failpoints::enabled(Failpoint::RelaxedCommit);
        if !durable {
            return Err(Unfit::Setting { name: "synchronous_commit", value: commit }.into());
        }
        // A warning is the only sign of a commit that was not confirmed.
        let messages: String = row.try_get("client_min_messages")?;
        if messages == "error" {
            return Err(Unfit::Setting { name: "client_min_messages", value: messages }.into());
        }
        // Without triggers no ending would be logged. Only a superuser may set this, so it is checked and not set.
        let role: String = row.try_get("session_replication_role")?;
        if role == "replica" {
            return Err(Unfit::Setting { name: "session_replication_role", value: role }.into());
        }
        for (name, wanted) in &self.values {
            let value: String = row.try_get(*name)?;
            if value != *wanted {
                return Err(Unfit::Setting { name, value }.into());
            }
        }
        Ok(())
    }

    /// `set_config` answers the value as `SHOW` would show it.
    #[expect(clippy::disallowed_methods, reason = "names and values are constants of this file")]
    fn statement(&self) -> AssertSqlSafe<String> {
        let commit = match self.commit {
            Commit::Relaxed => "'off'",
            Commit::Durable if failpoints::enabled(Failpoint::RelaxedCommit) => "current_setting('synchronous_commit')",
            // A stronger value than `on`, and a weaker one that survives a crash of the server, are the operator's choice.
            Commit::Durable => "coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on')",
        };
        let set = |(name, value): &(&str, String)| format!("set_config('{name}', '{value}', false) AS {name}");
        let set: Vec<_> = self.values.iter().map(set).collect();
        AssertSqlSafe(format!(
            "SELECT pg_is_in_recovery() AS in_recovery, current_setting('transaction_read_only') AS read_only,
                    current_setting('server_encoding') AS encoding,
                    current_setting('session_replication_role') AS session_replication_role,
                    set_config('client_min_messages',
                        coalesce(nullif(current_setting('client_min_messages'), 'error'), 'warning'), false)
                        AS client_min_messages,
                    set_config('synchronous_commit', {commit}, false) AS synchronous_commit, {}",
            set.join(", ")
        ))
    }
}

/// The reason why an open connection is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the database is a standby, which takes no writes")]
    Standby,
    #[error("the database takes no writes: default_transaction_read_only is on")]
    ReadOnly,
    #[error("the database is no standby")]
    NoStandby,
    #[error("the database has the encoding {0}, which cannot hold every text")]
    Encoding(String),
    #[error("the database is another server than the one that confirms commits")]
    AnotherServer,
    #[error("the database has the older timeline {found}, after {known}: it was left behind by a fail-over")]
    OlderTimeline { found: u32, known: u32 },
    #[error("the setting {name} is {value} and cannot be changed in the session")]
    Setting { name: &'static str, value: String },
}

impl Unfit {
    pub(super) fn of(error: &sqlx::Error) -> Option<&Self> {
        let sqlx::Error::Io(error) = error else { return None };
        error.get_ref()?.downcast_ref()
    }

    /// Whether a fail-over may cure it.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Standby | Self::ReadOnly | Self::AnotherServer | Self::OlderTimeline { .. })
    }
}

impl From<Unfit> for sqlx::Error {
    fn from(unfit: Unfit) -> Self {
        Self::Io(io::Error::other(unfit))
    }
}
