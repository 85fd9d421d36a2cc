//! Refreshing: one compare-and-set, for one session or for many.

use async_trait::async_trait;
use sqlx::PgPool;
use sqlx::postgres::PgRow;

use super::batched_writes::{BatchResults, BatchedWrite, Refreshes};
use super::failure::failure;
use super::retry::Connections;
use super::rows;
use super::store::PostgresStore;
use crate::model::{EndReason, SessionId};
use crate::store::columns;
use crate::store::contract::{RefreshAttempt, RefreshStore, Refreshing, Result};
use crate::store::values;

#[async_trait]
impl RefreshStore for PostgresStore {
    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing> {
        self.database.batched(&self.refreshes, attempt).await
    }
}

/// The condition that the predecessor is presented after the grace. Without a time of rotation there is no grace.
macro_rules! late {
    () => {
        "(refresh_counter = presented + 1 AND coalesce(rotated_at <= grace_since, TRUE))"
    };
}

/// The condition that an access token of the present generation was seen.
macro_rules! confirmed {
    () => {
        "greatest(confirmed_counter, seen_counter) >= refresh_counter"
    };
}

/// The condition that a spent token is reused, which ends the session.
macro_rules! reuse {
    () => {
        concat!(
            "(refresh_counter > presented + 1 OR ",
            late!(),
            " AND (",
            confirmed!(),
            " OR late_repeats >= ",
            late_repeats_before_the_last!(),
            "))"
        )
    };
}

macro_rules! refresh {
    ($if_locked:literal) => {
        concat!(
            "WITH asked AS (
                SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::timestamptz[], $5::timestamptz[],
                                     $6::timestamptz[], $7::timestamptz[], $9::timestamptz[])
                    AS asked (asked_id, presented, seen_counter, seen_at, asked_at, grace_since, slide_to, slide_due)
             ), ",
            locked!($if_locked),
            "UPDATE sessions SET
                ended_at = CASE WHEN ",
            reuse!(),
            " THEN asked_at END,
                end_reason = CASE WHEN ",
            reuse!(),
            " THEN $8 END,
                refresh_counter = CASE WHEN refresh_counter <= presented THEN presented + 1 ELSE refresh_counter END,
                refresh_repeated = refresh_counter > presented,
                late_repeats = CASE WHEN ",
            late!(),
            " THEN late_repeats | 1
                    WHEN refresh_counter > presented THEN late_repeats
                    WHEN refresh_counter < presented OR ",
            confirmed!(),
            " OR late_repeats % 2 = 0 THEN 0
                    ELSE late_repeats + 1 END,
                rotated_at = CASE WHEN refresh_counter <= presented THEN asked_at ELSE rotated_at END,
                last_seen_at = CASE WHEN ",
            reuse!(),
            " THEN last_seen_at ELSE greatest(last_seen_at, asked_at) END,
                expires_at = CASE WHEN ",
            reuse!(),
            " THEN expires_at
                    WHEN slide_to >= absolute_expires_at THEN absolute_expires_at
                    WHEN expires_at <= slide_due THEN slide_to
                    ELSE expires_at END
             FROM locked
             WHERE id = asked_id AND presented >= least_counter
                AND NOT (refresh_counter > presented + 1 AND coalesce(rotated_at > asked_at, FALSE)) AND ",
            active!("greatest(last_seen_at, seen_at)", "asked_at"),
            " RETURNING ",
            columns!(),
            ", refresh_repeated, rotated_at > grace_since AS within_grace"
        )
    };
}

impl BatchedWrite for Refreshes {
    type Request = RefreshAttempt;
    type Answer = Refreshing;
    type Subject = SessionId;

    fn subject(attempt: &RefreshAttempt) -> SessionId {
        attempt.id
    }

    async fn run_batch(database: &Connections, attempts: &[&RefreshAttempt]) -> Result<BatchResults<Self>> {
        let rows = database.retry_idempotent(|| refresh(&database.pool, refresh!("SKIP LOCKED"), attempts)).await?;
        rows::each(&rows, columns::refreshed)
    }

    async fn run_single(database: &Connections, attempt: &RefreshAttempt) -> Result<Refreshing> {
        let alone = [attempt];
        let rows = database.retry_idempotent(|| refresh(&database.pool, refresh!(""), &alone)).await?;
        rows.first().map_or(Ok(Refreshing::NotActive), |row| columns::refreshed(row).map_err(failure))
    }
}

/// Returns the rows of sessions that were refreshed or ended. The other sessions are not active, or were skipped as
/// locked.
async fn refresh(pool: &PgPool, sql: &'static str, attempts: &[&RefreshAttempt]) -> sqlx::Result<Vec<PgRow>> {
    // A counter without a successor belongs to no session.
    let counted = |attempt: &&RefreshAttempt| Some((**attempt, values::presented_counter(attempt.presented)?));
    let attempts: Vec<_> = attempts.iter().filter_map(counted).collect();
    if attempts.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(sql)
        .bind(rows::column(&attempts, |(attempt, _)| attempt.id.as_uuid()))
        .bind(rows::column(&attempts, |(_, presented)| *presented))
        .bind(rows::column(&attempts, |(attempt, _)| values::seen_counter(attempt.seen_counter)))
        .bind(rows::column(&attempts, |(attempt, _)| attempt.seen_at))
        .bind(rows::column(&attempts, |(attempt, _)| attempt.now))
        .bind(rows::column(&attempts, |(attempt, _)| attempt.now - attempt.grace))
        .bind(rows::column(&attempts, |(attempt, _)| attempt.slide.map(|slide| slide.to)))
        .bind(EndReason::ReuseDetected.as_str())
        .bind(rows::column(&attempts, |(attempt, _)| attempt.slide.map(|slide| slide.due)))
        .fetch_all(pool)
        .await
}
