//! The change log, and the notifications that wake its readers.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::failure::failure;
use super::line::{Connector, LINE_DEADLINE};
use super::rows;
use super::session::SessionSettings;
use super::store::PostgresStore;
use crate::model::{LogPosition, LogSnapshot, LoggedChange};
use crate::store::contract::{
    Announcement, ChangeLogStore, Changes, Error, Listener, MAX_REPLAYED, ReplayedChanges, Result,
};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl ChangeLogStore for PostgresStore {
    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes> {
        self.primary.renew();
        let page = self.log.changes(seen, after).await?;
        let proved_at = self.primary.proved_for_log().await?;
        if !self.primary.is_of(page.log) {
            return Err(Error::unavailable("the database was replaced by another"));
        }
        Ok(Changes { proved_at, ..page })
    }

    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges> {
        const READ: &str = concat!(
            "SELECT ",
            change_columns!(),
            " FROM changes
             WHERE (transaction_id, sequence) > ($1::text::xid8, $2)
                AND transaction_id < pg_snapshot_xmax(pg_current_snapshot())
             ORDER BY changes.transaction_id, sequence LIMIT $3"
        );
        let read = || async {
            let read = sqlx::query(READ)
                .bind(after.transaction.to_string())
                .bind(after.sequence)
                .bind(i64::from(MAX_REPLAYED) + 1);
            let rows = read.fetch_all(&self.database.pool).await?;
            Ok(ReplayedChanges::first_of(rows.iter().map(rows::change).collect::<sqlx::Result<_>>()?, MAX_REPLAYED))
        };
        self.database.retry_idempotent(read).await
    }

    async fn foreign_endings(&self, since: DateTime<Utc>) -> Result<Vec<LoggedChange>> {
        self.log.foreign_endings(since).await
    }

    async fn announce(&self, announcement: Announcement) -> Result<()> {
        let word = match announcement {
            Announcement::Changes => "changes",
            Announcement::Heartbeat => "heartbeat",
        };
        let notify = async |connection: &mut PgConnection| {
            sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(word).execute(connection).await
        };
        self.announcements.run(notify).await?;
        Ok(())
    }

    async fn listen(&self) -> Result<Option<Box<dyn Listener>>> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(LINE_DEADLINE);
        let pool = self.servers.pool_named("sojourn-notices", pool, SessionSettings::general());
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        let listener = Connector::new(&self.servers, SessionSettings::general()).in_time(listening).await?;
        Ok(Some(Box::new(PostgresListener(listener))))
    }

    async fn forget_changes(&self, before: LogPosition, since: DateTime<Utc>) -> Result<u64> {
        const FORGET: &str = "
            DELETE FROM changes WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM changes WHERE (transaction_id, sequence) < ($1::text::xid8, $2)
                ORDER BY transaction_id, sequence LIMIT 5000 FOR UPDATE SKIP LOCKED
            ))";
        // Of another log are those with numbers that no transaction has been assigned yet.
        const FORGET_FOREIGN: &str = "
            DELETE FROM changes WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM changes
                WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot()) AND (at < $1) IS NOT FALSE
                ORDER BY transaction_id, sequence LIMIT 5000 FOR UPDATE SKIP LOCKED
            ))";
        let forget = || async {
            let mut tx = self.database.pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
            let forget = sqlx::query(FORGET).bind(before.transaction.to_string()).bind(before.sequence);
            let forgotten = forget.execute(&mut *tx).await?.rows_affected();
            let foreign = sqlx::query(FORGET_FOREIGN).bind(StoredTime(since)).execute(&mut *tx).await?.rows_affected();
            tx.commit().await?;
            Ok(forgotten + foreign)
        };
        self.database.retry_if_rolled_back(forget).await
    }
}

const CHANNEL: &str = "sojourn";

/// Receives what [`ChangeLogStore::announce`] sends.
struct PostgresListener(PgListener);

#[async_trait]
impl Listener for PostgresListener {
    async fn hear(&mut self) -> Result<bool> {
        match self.0.try_recv().await.map_err(failure)? {
            Some(notification) => Ok(notification.payload() != "heartbeat"),
            None => Err(Error::unavailable("the listening connection broke off")),
        }
    }
}
