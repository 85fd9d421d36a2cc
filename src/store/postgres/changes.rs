//! The change log, and the wire that wakes its readers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Row};
use tokio::sync::Mutex;

use super::attempts::failure;
use super::servers::Servers;
use super::session::SessionSettings;
use crate::store::{Announcement, Changes, Error, Listener, LogPosition, LoggedChange, MOST_CHANGES, Result, values};

/// How long one look at the log may take, and one word to the others.
const LOG_DEADLINE: Duration = Duration::from_secs(1);
const CHANNEL: &str = "sojourn";

async fn in_time<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(LOG_DEADLINE, work).await {
        Ok(done) => done.map_err(failure),
        Err(_) => Err(Error::unavailable("no answer in time")),
    }
}

/// A connection for one use alone, which nothing else can keep busy. It is made when needed, and left when it fails or
/// hangs.
pub(super) struct Line {
    servers: Arc<Servers>,
    settings: SessionSettings,
    /// The connection, and the epoch of the servers that it was made in.
    connection: Mutex<Option<(PgConnection, u64)>>,
}

impl Line {
    pub(super) fn new(servers: &Arc<Servers>, settings: SessionSettings) -> Self {
        Self { servers: Arc::clone(servers), settings, connection: Mutex::new(None) }
    }

    async fn run<T>(&self, work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> Result<T> {
        in_time(async {
            // Taken out while in use: a use that is broken off takes the connection along.
            let mut place = self.connection.lock().await;
            let epoch = self.servers.epoch();
            let mut connection = match place.take() {
                Some((connection, made_in)) if made_in == epoch => connection,
                _ => self.servers.connect(&self.settings).await?,
            };
            let done = work(&mut connection).await?;
            *place = Some((connection, epoch));
            Ok(done)
        })
        .await
        .inspect_err(|_| self.servers.look())
    }

    pub(super) async fn close(&self) {
        drop(self.connection.lock().await.take());
    }
}

pub(super) async fn changes(line: &Line, after: LogPosition) -> Result<Changes> {
    // The one statement that asks the database for the time, because this is where replicas agree on it.
    // Who reads `transaction_id` up to the oldest transaction that still runs has read all there will ever be of it.
    const READ: &str = "
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS settled, clock_timestamp() AS time,
               transaction_id::text::bigint AS transaction_id, sequence, kind, subject_id, user_id, reason, at
        FROM (VALUES (1)) AS always LEFT JOIN LATERAL (
            SELECT * FROM changes WHERE (transaction_id, sequence) > ($1::text::xid8, $2)
            ORDER BY transaction_id, sequence LIMIT $3
        ) AS changes ON TRUE";
    let rows = line
        .run(async |connection| {
            sqlx::query(READ)
                .bind(after.transaction.to_string())
                .bind(after.sequence)
                .bind(i64::from(MOST_CHANGES))
                .fetch_all(connection)
                .await
        })
        .await?;
    let read = || {
        let (mut settled, mut time) = (LogPosition::default(), None);
        let mut changes = Vec::with_capacity(rows.len());
        for row in &rows {
            time = row.try_get("time")?;
            settled = LogPosition { transaction: row.try_get("settled")?, sequence: 0 };
            let Some(transaction) = row.try_get::<Option<i64>, _>("transaction_id")? else { continue };
            let position = LogPosition { transaction, sequence: row.try_get("sequence")? };
            let change = values::stored_change(
                row.try_get("kind")?,
                row.try_get("subject_id")?,
                row.try_get("user_id")?,
                row.try_get("reason")?,
                row.try_get::<Option<DateTime<Utc>>, _>("at")?,
            )?;
            changes.push(LoggedChange { position, change });
        }
        Ok(Changes { settled, changes, time })
    };
    read().map_err(failure)
}

pub(super) async fn announce(line: &Line, announcement: Announcement) -> Result<()> {
    let word = match announcement {
        Announcement::Changes => "changes",
        Announcement::Heartbeat => "heartbeat",
    };
    line.run(async |connection| {
        sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(word).execute(connection).await
    })
    .await?;
    Ok(())
}

/// Deletes what stands before `position` in the log, a batch at a time.
pub(super) async fn forget_changes(pool: &PgPool, position: LogPosition) -> sqlx::Result<u64> {
    const FORGET: &str = "
        DELETE FROM changes WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM changes WHERE (transaction_id, sequence) < ($1::text::xid8, $2)
            ORDER BY transaction_id, sequence LIMIT 5000 FOR UPDATE SKIP LOCKED
        ))";
    let mut tx = pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
    let deleted = sqlx::query(FORGET)
        .bind(position.transaction.to_string())
        .bind(position.sequence)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    tx.commit().await?;
    Ok(deleted)
}

/// Hears what [`announce`] says.
struct PostgresListener(PgListener);

pub(super) async fn listen(servers: &Arc<Servers>) -> Result<Box<dyn Listener>> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(LOG_DEADLINE);
    let pool = servers.pool_named("sojourn-notices", pool, SessionSettings::general());
    let listener = in_time(async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    })
    .await?;
    Ok(Box::new(PostgresListener(listener)))
}

#[async_trait]
impl Listener for PostgresListener {
    async fn hear(&mut self) -> Result<bool> {
        match self.0.try_recv().await.map_err(failure)? {
            Some(notification) => Ok(notification.payload() != "heartbeat"),
            None => Err(Error::unavailable("the listening connection broke off")),
        }
    }
}
