//! The write-ahead log after an erasure: former versions of pages stay in the file until a checkpoint truncates the log.

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

/// Time for which a checkpoint waits for readers and the writer. Meanwhile nobody else writes.
const BUSY_TIME: Duration = Duration::from_millis(100);
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Truncates the log, so that erased data is in none of the files. An erasure has happened whether or not that works, so a
/// failure is only logged.
pub(super) async fn truncate_log(options: &SqliteConnectOptions) {
    match try_truncate(options).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!("the log of SQLite is in use: it keeps erased data until the next erasure or stop"),
        Err(error) => {
            tracing::warn!(%error, "the log of SQLite keeps erased data until the next erasure or stop");
        }
    }
}

/// Whether the log is empty. A checkpoint that finds a reader or a writer in its way does what a passive one does.
async fn try_truncate(options: &SqliteConnectOptions) -> sqlx::Result<bool> {
    // A connection of its own, because the writer would wait for much longer than this one may keep others from writing.
    let mut connection = options.clone().busy_timeout(BUSY_TIME).connect().await?;
    let mut is_empty = false;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
        is_empty = checkpoint.try_get::<i64, _>("busy")? == 0;
        if is_empty {
            break;
        }
    }
    connection.close().await?;
    Ok(is_empty)
}
