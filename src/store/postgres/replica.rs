//! A read replica for searches: a hot standby, used while it is known to be at most [`MAX_LAG`] behind the primary.
//!
//! The primary is asked for its WAL position at an instant. Once the replica has replayed up to that position, its
//! answers are as of that instant or later. Positions compare only within one timeline. So after a fail-over the
//! replica is left out until its next restart point shows that it has followed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::types::Oid;
use sqlx::{PgPool, Row as _};
use tokio::sync::Mutex;

use super::failure::kind;
use super::retry::pool;
use super::servers::{Servers, told};
use super::session::SessionSettings;
use super::url::Access;
use crate::metrics::{self, AnsweringServer, DatabaseFailure};
use crate::store::contract::{Error, Pool, Result};
use crate::store::pools::SEARCH_TIME;

/// The greatest lag at which searches use the replica.
const MAX_LAG: Duration = Duration::from_secs(10);
/// The least time between two comparisons of the servers.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The time that a comparison may take.
const CHECK_TIME: Duration = Duration::from_secs(1);
/// The number of reads of the position of a replica that lags, and the pause between them.
const LOOKS: u32 = 4;
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// The time for which a replica that failed a search is left out.
const PENALTY: Duration = Duration::from_secs(10);
/// The time for a search with two statements and the wait for a connection.
const DEADLINE: Duration = Duration::from_secs(SEARCH_TIME.as_secs() * 2 + 1);

/// The connections to the replica, and its state.
pub(super) struct Replica {
    servers: Arc<Servers>,
    pool: PgPool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    checked: Option<Instant>,
    progress: Progress,
    /// The reason why the last comparison failed.
    problem: Option<String>,
    left_out_until: Option<Instant>,
    /// Whether the log says that the replica is left out.
    is_left_out: bool,
}

impl Replica {
    pub(super) fn new(servers: Arc<Servers>, most: u32) -> Self {
        let pool = pool(&servers, most, SessionSettings::searches(Access::Read));
        Self { servers, pool, state: Mutex::default() }
    }

    pub(super) fn pool(&self) -> Pool {
        Pool::of("replica", &self.pool)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
        self.servers.close();
    }

    /// A search on the replica; `None` when the primary must answer.
    pub(super) async fn search<T, F>(&self, primary: &PgPool, search: impl FnOnce(PgPool) -> F) -> Option<Result<T>>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let answer = if self.is_current(primary).await { self.answer(search).await } else { None };
        metrics::searched(if answer.is_some() { AnsweringServer::Replica } else { AnsweringServer::Primary });
        answer
    }

    async fn answer<T, F>(&self, search: impl FnOnce(PgPool) -> F) -> Option<Result<T>>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let error = match tokio::time::timeout(DEADLINE, search(self.pool.clone())).await {
            Ok(Ok(answer)) => return Some(Ok(answer)),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        match kind(&error) {
            // Replay conflicted with the search, or the search itself took too long.
            DatabaseFailure::Conflict | DatabaseFailure::StatementTimeout => return Some(Err(Error::TooSlow)),
            DatabaseFailure::Connection => self.servers.broke(),
            _ => {}
        }
        let mut state = self.state.lock().await;
        state.left_out_until = Some(Instant::now() + PENALTY);
        state.leave_out(&told(&self.servers.explained(error)));
        None
    }

    /// Whether a search may go to the replica now. Compares the servers, once in [`CHECK_INTERVAL`] at most.
    pub(super) async fn is_current(&self, primary: &PgPool) -> bool {
        let mut state = self.state.lock().await;
        if state.left_out_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        if state.checked.is_none_or(|at| at.elapsed() >= CHECK_INTERVAL) {
            let compared = tokio::time::timeout(CHECK_TIME, self.compare(primary, &mut state.progress)).await;
            state.problem = match compared {
                Ok(Ok(())) => None,
                Ok(Err(problem)) => Some(problem),
                Err(_) => Some("it does not answer".to_owned()),
            };
            state.checked = Some(Instant::now());
        }
        let problem = match (&state.problem, state.progress.lag(Instant::now())) {
            (Some(problem), _) => problem.clone(),
            (None, Some(lag)) if lag <= MAX_LAG => {
                if std::mem::take(&mut state.is_left_out) {
                    tracing::info!("searches go to the read replica again");
                }
                return true;
            }
            (None, Some(lag)) => format!("it is {} seconds behind", lag.as_secs()),
            (None, None) => "it is behind by an unknown time".to_owned(),
        };
        state.leave_out(&problem);
        false
    }

    /// Compares the positions of both servers; an error is the reason why the replica cannot be used.
    async fn compare(&self, primary: &PgPool, progress: &mut Progress) -> std::result::Result<(), String> {
        const FLUSHED: &str = "
            SELECT (pg_control_system()).system_identifier AS system,
                   substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) AS timeline,
                   (SELECT oid FROM pg_database WHERE datname = current_database()) AS database,
                   'sessions'::regclass::oid AS sessions,
                   pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS position";
        const REPLAYED: &str = "
            SELECT (pg_control_system()).system_identifier AS system,
                   lpad(upper(to_hex((pg_control_checkpoint()).timeline_id)), 8, '0') AS timeline,
                   (SELECT oid FROM pg_database WHERE datname = current_database()) AS database,
                   'sessions'::regclass::oid AS sessions,
                   pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint AS position";
        // The instant is taken before the query: everything written until then is before the position that the query returns.
        let asked = Instant::now();
        let flushed = position(primary, FLUSHED).await.map_err(|error| format!("the primary: {}", told(&error)))?;
        progress.flushed(asked, &flushed);
        for look in 1..=LOOKS {
            let replayed = position(&self.pool, REPLAYED).await;
            let replayed = replayed.map_err(|error| told(&self.servers.explained(error)))?;
            if replayed.log != flushed.log {
                return Err(
                    "it follows another timeline or database, or has not shown yet that it follows this one".into()
                );
            }
            progress.replayed(replayed.bytes);
            if look == LOOKS || progress.lag(Instant::now()).is_some_and(|lag| lag <= MAX_LAG) {
                break;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }
}

impl State {
    fn leave_out(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.is_left_out, true) {
            tracing::warn!("searches go to the primary, because the read replica cannot be used: {problem}");
        }
    }
}

/// The database that a position belongs to. A physical standby has the same numbers as its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Log {
    system: i64,
    timeline: String,
    database: Oid,
    sessions: Oid,
}

/// A position in the WAL.
struct Position {
    log: Log,
    bytes: i64,
}

async fn position(pool: &PgPool, asked: &'static str) -> sqlx::Result<Position> {
    let row = sqlx::query(asked).fetch_one(pool).await?;
    let log = Log {
        system: row.try_get("system")?,
        timeline: row.try_get("timeline")?,
        database: row.try_get("database")?,
        sessions: row.try_get("sessions")?,
    };
    Ok(Position { log, bytes: row.try_get("position")? })
}

/// The positions of the primary that the replica has not replayed yet, and the instant up to which it has replayed.
#[derive(Default)]
struct Progress {
    log: Option<Log>,
    ahead: VecDeque<(Instant, i64)>,
    replayed_as_of: Option<Instant>,
}

impl Progress {
    /// Records the position of the primary at an instant.
    fn flushed(&mut self, at: Instant, position: &Position) {
        if self.log.as_ref() != Some(&position.log) {
            *self = Self { log: Some(position.log.clone()), ..Self::default() };
        }
        // Older positions would prove nothing once they are replayed.
        self.ahead.retain(|(of, _)| at.duration_since(*of) <= MAX_LAG);
        self.ahead.push_back((at, position.bytes));
    }

    fn replayed(&mut self, bytes: i64) {
        while let Some((at, _)) = self.ahead.pop_front_if(|(_, flushed)| *flushed <= bytes) {
            self.replayed_as_of = Some(at);
        }
    }

    /// Upper bound of the lag of the replica; `None` while unknown.
    fn lag(&self, now: Instant) -> Option<Duration> {
        self.replayed_as_of.map(|at| now.duration_since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timeline: &str, bytes: i64) -> Position {
        let log = Log { system: 1, timeline: timeline.to_owned(), database: Oid(5), sessions: Oid(7) };
        Position { log, bytes }
    }

    #[test]
    fn a_replica_is_as_old_as_the_last_position_that_it_has_replayed() {
        let (mut progress, start) = (Progress::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        progress.replayed(1000);
        assert_eq!(progress.lag(start), None, "nothing to compare with");
        progress.flushed(after(0), &at("1", 100));
        progress.replayed(99);
        assert_eq!(progress.lag(after(0)), None);
        progress.flushed(after(1), &at("1", 200));
        progress.flushed(after(2), &at("1", 300));
        progress.replayed(250);
        assert_eq!(progress.lag(after(2)), Some(Duration::from_secs(1)));
        progress.replayed(299);
        assert_eq!(progress.lag(after(5)), Some(Duration::from_secs(4)), "it does not get younger by itself");
        progress.replayed(300);
        assert_eq!(progress.lag(after(5)), Some(Duration::from_secs(3)));
    }

    #[test]
    fn positions_of_another_timeline_are_not_compared() {
        let (mut progress, start) = (Progress::default(), Instant::now());
        progress.flushed(start, &at("1", 100));
        progress.replayed(100);
        assert!(progress.lag(start).is_some());
        progress.flushed(start, &at("2", 90));
        assert_eq!(progress.lag(start), None);
    }

    #[test]
    fn what_is_remembered_of_a_replica_that_stands_still_does_not_grow() {
        let (mut progress, start) = (Progress::default(), Instant::now());
        for second in 0..1000 {
            progress.flushed(start + Duration::from_secs(second), &at("1", 100));
            progress.replayed(99);
        }
        assert!(progress.ahead.len() <= 11, "{}", progress.ahead.len());
    }
}
