//! The migrations, and the revision of one that was already released.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};

use crate::failpoints::{self, Failpoint};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Time for which a migration is retried while its tables are locked, and the pause between two attempts.
const LOCKED_TIME: Duration = Duration::from_hours(1);
const LOCKED_PAUSE: Duration = Duration::from_secs(2);

/// Migration 8 as first released, which PostgreSQL 15.20 refuses. Either text, followed by migration 9, makes the same
/// tables.
const REVISED_VERSION: i64 = 8;
const FIRST_CHECKSUM: &[u8; 48] = b"\
    \x5f\xaf\xcc\xd2\x8f\xa6\xed\x60\x01\x5d\x05\x55\x24\xe3\x81\xef\x48\x57\x30\x74\x76\x36\x8a\xb6\
    \x6a\x39\xb8\x2c\x75\x13\x6b\xfb\x02\xdf\xe4\x48\xe4\x5d\x3d\xa9\x37\x39\xb7\xf9\xf9\x15\xf8\x59";

/// Migrates the tables, whichever text of the revised migration made them.
///
/// The advisory lock of the migrator is reentrant, and is acquired here before the checksum is replaced: the migration
/// of an older replica has then either not begun or is committed.
pub(super) async fn run(connection: &mut PgConnection) -> Result<(), MigrateError> {
    connection.lock().await?;
    accept_first_text(connection).await?;
    migrate(connection).await?;
    if failpoints::enabled(Failpoint::RelaxedCommit) {
        sqlx::query("DROP TRIGGER IF EXISTS changes_durable ON changes").execute(&mut *connection).await?;
    }
    connection.unlock().await
}

/// Runs the missing migrations, each in its own transaction. A migration that waits for the lock of a table blocks
/// every later statement on that table. So it times out soon and is retried: a dump holds such a lock to its end.
async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    const LIMIT: &str = "SELECT set_config('lock_timeout', '500ms', FALSE)";
    sqlx::query(LIMIT).execute(&mut *connection).await?;
    let (started, mut is_told) = (Instant::now(), false);
    loop {
        // `run` would do the same, but rustc cannot prove that its future is `Send`.
        match MIGRATIONS.run_direct(None, &mut *connection, false).await {
            Err(error) if is_locked(&error) && started.elapsed() < LOCKED_TIME => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!("the migration waits for a table that another transaction keeps locked");
                }
                tokio::time::sleep(LOCKED_PAUSE).await;
            }
            done => return done,
        }
    }
}

fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("55P03")
}

/// Replaces the checksum of the first text by that of the present one.
async fn accept_first_text(connection: &mut PgConnection) -> Result<(), MigrateError> {
    const IS_MIGRATED: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const ACCEPT: &str = "UPDATE _sqlx_migrations SET checksum = $1 WHERE version = $2 AND checksum = $3";
    let Some(revised) = MIGRATIONS.iter().find(|migration| migration.version == REVISED_VERSION) else {
        return Ok(());
    };
    if sqlx::query_scalar(IS_MIGRATED).fetch_one(&mut *connection).await? {
        let accept = sqlx::query(ACCEPT).bind(&*revised.checksum).bind(REVISED_VERSION).bind(FIRST_CHECKSUM.as_slice());
        accept.execute(connection).await?;
    }
    Ok(())
}
