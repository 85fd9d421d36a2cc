//! Refreshing: one compare-and-set.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::batched_writes::{BatchedWrite, Refreshes};
use super::failure::in_time;
use super::store::SqliteStore;
use crate::model::EndReason;
use crate::store::columns;
use crate::store::contract::{RefreshAttempt, RefreshStore, Refreshing, Result};
use crate::store::stored_time::StoredTime;
use crate::store::values;

#[async_trait]
impl RefreshStore for SqliteStore {
    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing> {
        in_time(&self.refreshes, attempt).await
    }
}

/// The condition that the predecessor is presented after the grace. Without a time of rotation there is no grace.
macro_rules! late {
    () => {
        "(refresh_counter = $3 + 1 AND coalesce(rotated_at <= $4, TRUE))"
    };
}

/// The condition that an access token of the present generation was seen.
macro_rules! confirmed {
    () => {
        "max(confirmed_counter, $5) >= refresh_counter"
    };
}

/// The condition that a spent token is reused, which ends the session.
macro_rules! reuse {
    () => {
        concat!(
            "(refresh_counter > $3 + 1 OR ",
            late!(),
            " AND (",
            confirmed!(),
            " OR late_repeats >= ",
            late_repeats_before_the_last!(),
            "))"
        )
    };
}

impl BatchedWrite for Refreshes {
    type Request = RefreshAttempt;
    type Answer = Refreshing;

    async fn write(connection: &mut SqliteConnection, attempt: &RefreshAttempt) -> sqlx::Result<Refreshing> {
        const REFRESH: &str = concat!(
            "UPDATE sessions SET
                ended_at = CASE WHEN ",
            reuse!(),
            " THEN $1 END,
                end_reason = CASE WHEN ",
            reuse!(),
            " THEN $8 END,
                refresh_counter = CASE WHEN refresh_counter <= $3 THEN $3 + 1 ELSE refresh_counter END,
                refresh_repeated = refresh_counter > $3,
                late_repeats = CASE WHEN ",
            late!(),
            " THEN late_repeats | 1
                    WHEN refresh_counter > $3 THEN late_repeats
                    WHEN refresh_counter < $3 OR ",
            confirmed!(),
            " OR late_repeats % 2 = 0 THEN 0
                    ELSE late_repeats + 1 END,
                rotated_at = CASE WHEN refresh_counter <= $3 THEN $1 ELSE rotated_at END,
                last_seen_at = CASE WHEN ",
            reuse!(),
            " THEN last_seen_at ELSE max(last_seen_at, $1) END,
                expires_at = CASE WHEN ",
            reuse!(),
            " THEN expires_at
                    WHEN $6 >= absolute_expires_at THEN absolute_expires_at
                    WHEN expires_at <= $9 THEN $6
                    ELSE expires_at END
             WHERE id = $2 AND $3 >= least_counter
                AND NOT (refresh_counter > $3 + 1 AND coalesce(rotated_at > $1, FALSE)) AND ",
            active!("max(last_seen_at, coalesce($7, last_seen_at))"),
            " RETURNING ",
            columns!(),
            ", refresh_repeated, rotated_at > $4 AS within_grace"
        );
        let RefreshAttempt { id, presented, seen_counter, seen_at, now, grace, slide } = *attempt;
        let Some(presented) = values::presented_counter(presented) else { return Ok(Refreshing::NotActive) };
        let refresh = sqlx::query(REFRESH)
            .bind(StoredTime(now))
            .bind(id.as_uuid())
            .bind(presented)
            .bind(StoredTime(now - grace))
            .bind(values::seen_counter(seen_counter))
            .bind(slide.map(|slide| StoredTime(slide.to)))
            .bind(seen_at.map(StoredTime))
            .bind(EndReason::ReuseDetected.as_str())
            .bind(slide.map(|slide| StoredTime(slide.due)));
        let row = refresh.fetch_optional(connection).await?;
        row.as_ref().map_or(Ok(Refreshing::NotActive), columns::refreshed)
    }
}
