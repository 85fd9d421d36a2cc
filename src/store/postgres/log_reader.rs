//! The reader of the change log.

use std::collections::VecDeque;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tokio::sync::Mutex;

use super::line::{Connected, Connector};
use super::log_identity::identify;
use super::rows;
use crate::failpoints::{self, Failpoint};
use crate::model::{LogId, LogPosition, LogSnapshot, LoggedChange};
use crate::store::contract::{Changes, MAX_CHANGES, ReplayedChanges, Result};
use crate::store::stored_time::StoredTime;

/// Reads the log on a connection of its own, and knows which log that is.
///
/// PostgreSQL reuses a transaction number when the transaction was lost in a crash, and a crash, a promotion or a
/// restore breaks every connection. So positions of two connections are compared only within the same log, and only up
/// to what was flushed to disk.
pub(super) struct LogReader {
    connector: Connector,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    connected: Option<Connected>,
    log: LogId,
    /// Counts the connections.
    number: u64,
    /// The oldest running transaction at each read, with the end of the write-ahead log at that moment. An entry is
    /// removed once that end is flushed: from then on no crash makes PostgreSQL reuse an older number.
    unflushed: VecDeque<(i64, i64)>,
    /// The newest transaction among the removed entries.
    settled: i64,
}

impl LogReader {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, reading: Mutex::default() }
    }

    /// One page of a read of the log, before any proof that the database is the primary.
    pub(super) async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes> {
        let proved_at = Instant::now();
        self.run(async |connection| look(connection, seen, after).await, |reading, rows| reading.read(rows, proved_at))
            .await
    }

    /// The endings at `since` or later with transaction numbers that this log has not assigned yet.
    pub(super) async fn foreign_endings(&self, since: DateTime<Utc>) -> Result<Vec<LoggedChange>> {
        const READ: &str = concat!(
            "SELECT ",
            change_columns!(),
            " FROM changes WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot()) AND at >= $1
             ORDER BY changes.transaction_id, sequence"
        );
        let read =
            async |connection: &mut PgConnection| sqlx::query(READ).bind(StoredTime(since)).fetch_all(connection).await;
        let mut endings =
            self.run(read, |_, rows| rows.iter().map(rows::change).collect::<sqlx::Result<Vec<_>>>()).await?;
        for ending in &mut endings {
            ending.position.transaction = 0;
        }
        Ok(endings)
    }

    async fn run<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<Vec<PgRow>>,
        understand: impl FnOnce(&mut Reading, &[PgRow]) -> sqlx::Result<T>,
    ) -> Result<T> {
        let work = async {
            let mut reading = self.reading.lock().await;
            // Moved out while in use, so that a cancelled read drops the connection.
            let mut connected = match self.connector.keep(reading.connected.take()) {
                Some(connected) => connected,
                None => reading.begin(self.connector.connect().await?).await?,
            };
            let rows = read(&mut connected.connection).await?;
            reading.connected = Some(connected);
            understand(&mut reading, &rows)
        };
        self.connector.in_time(work).await
    }

    pub(super) async fn close(&self) {
        drop(self.reading.lock().await.connected.take());
    }
}

impl Reading {
    /// Identifies the log that a new connection reads.
    async fn begin(&mut self, mut connected: Connected) -> sqlx::Result<Connected> {
        let log = identify(&mut connected.connection).await?;
        self.unflushed.clear();
        if log != self.log && !failpoints::enabled(Failpoint::PlaceKeptOverReconnect) {
            self.settled = 0;
        }
        self.log = log;
        self.number += 1;
        Ok(connected)
    }

    /// Decodes the rows of one read.
    fn read(&mut self, rows: &[PgRow], proved_at: Instant) -> sqlx::Result<Changes> {
        let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let (oldest, end): (i64, i64) = (first.try_get("oldest")?, first.try_get("next_number")?);
        let (written, flushed): (i64, i64) = (first.try_get("written")?, first.try_get("flushed")?);
        let snapshot = LogSnapshot { end: LogPosition { transaction: end, sequence: 0 }, open: first.try_get("open")? };
        let time = first.try_get("time")?;
        self.unflushed.push_back((oldest, written));
        while let Some((settled, _)) = self.unflushed.pop_front_if(|(_, written)| *written <= flushed) {
            self.settled = self.settled.max(settled);
        }
        if failpoints::enabled(Failpoint::PlaceKeptOverReconnect) {
            self.settled = oldest;
        }
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            // A read that finds nothing new has one row, without a change.
            if row.try_get::<Option<i64>, _>("transaction_id")?.is_some() {
                changes.push(rows::change(row)?);
            }
        }
        changes.sort_unstable_by_key(|logged| logged.position);
        let ReplayedChanges { changes, next } = ReplayedChanges::first_of(changes, MAX_CHANGES);
        let settled = LogPosition { transaction: self.settled, sequence: 0 };
        Ok(Changes { log: self.log, connection: self.number, settled, snapshot, changes, next, proved_at, time })
    }
}

/// The changes after a position that the read before could not see: those of transactions that were running then, and
/// of later ones. Nothing is read twice, however long a transaction runs. A number that no transaction has been
/// assigned yet comes from a restored dump.
async fn look(connection: &mut PgConnection, seen: &LogSnapshot, after: LogPosition) -> sqlx::Result<Vec<PgRow>> {
    // The one statement that asks the database for the time, because this is where replicas agree on it.
    const READ: &str = concat!(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
                pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_number,
                ARRAY(SELECT pg_snapshot_xip(pg_current_snapshot())::text::bigint) AS open,
                (pg_current_wal_insert_lsn() - '0/0')::bigint AS written,
                (pg_current_wal_flush_lsn() - '0/0')::bigint AS flushed,
                clock_timestamp() AS time, ",
        change_columns!(),
        " FROM (VALUES (1)) AS always LEFT JOIN LATERAL (
            (SELECT ended.* FROM unnest($3::text[]) AS open (id) CROSS JOIN LATERAL (
                SELECT * FROM changes
                WHERE transaction_id = open.id::xid8 AND (transaction_id, sequence) > ($1::text::xid8, $2)
                ORDER BY transaction_id, sequence LIMIT $5
             ) AS ended)
            UNION ALL
            (SELECT * FROM changes
             WHERE (transaction_id, sequence) > ($4::text::xid8, $6)
                AND transaction_id < pg_snapshot_xmax(pg_current_snapshot())
             ORDER BY transaction_id, sequence LIMIT $5)
         ) AS changes ON TRUE"
    );
    // A single bound, because PostgreSQL may start at the lower of two. Sequences within a transaction begin at 1.
    let unseen = after.max(seen.end);
    sqlx::query(READ)
        .bind(after.transaction.to_string())
        .bind(after.sequence)
        .bind(seen.open.iter().map(i64::to_string).collect::<Vec<_>>())
        .bind(unseen.transaction.to_string())
        .bind(i64::from(MAX_CHANGES) + 1)
        .bind(unseen.sequence)
        .fetch_all(connection)
        .await
}
