//! The migrations, and those of them that were changed after somebody had applied them.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};

use crate::failpoints::{self, Failpoint};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Time for which a migration is retried while its tables are locked, and the pause between two attempts.
const LOCKED_TIME: Duration = Duration::from_hours(1);
const LOCKED_PAUSE: Duration = Duration::from_secs(2);

/// Earlier texts of migrations (SHA-384), each of which makes the same tables as today's. PostgreSQL 15.20 refuses the first
/// one of migration 8; those of migration 9 took their locks in another order, and had more to say.
const EARLIER_TEXTS: [(i64, &str); 3] = [
    (8, "5fafccd28fa6ed60015d055524e381ef4857307476368ab66a39b82c75136bfb02dfe448e45d3da93739b7f9f915f859"),
    (9, "519ef5f7d7180ebdb523b89c43036478eb9d72c8f997b93b4479602b40f4493c20d1ae68a6ab65bf09b48c150317d675"),
    (9, "d5adcfc0123cc3db23dea677d1f803d2951b3f4e93dcb95d6fb56697ce921768f85ec3a0f34e633cd9a55d21645c8c71"),
];

/// Brings the tables up to date, whichever text of a migration made them what they are.
///
/// The migrator's lock is taken here too, as it may be taken twice: between an older replica that migrates and this one,
/// the checksum is then either not there yet or committed.
pub(super) async fn run(connection: &mut PgConnection) -> Result<(), MigrateError> {
    connection.lock().await?;
    accept_earlier_texts(connection).await?;
    migrate(connection).await?;
    if failpoints::enabled(Failpoint::RelaxedCommit) {
        sqlx::query("DROP TRIGGER IF EXISTS changes_durable ON changes").execute(&mut *connection).await?;
    }
    connection.unlock().await
}

/// Runs what is missing, one migration in a transaction. A migration that waits for a table's lock holds up everybody who
/// comes after it, so it gives up soon and is tried again: a dump holds such a lock to its end.
async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    const LIMIT: &str = "SELECT set_config('lock_timeout', '500ms', FALSE)";
    sqlx::query(LIMIT).execute(&mut *connection).await?;
    let (started, mut is_told) = (Instant::now(), false);
    loop {
        // `run` would do the same, but rustc cannot see that its future may move between threads.
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

/// Gives a database that applied an earlier text of a migration the checksum of the present one.
async fn accept_earlier_texts(connection: &mut PgConnection) -> Result<(), MigrateError> {
    const IS_MIGRATED: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const ACCEPT: &str =
        "UPDATE _sqlx_migrations SET checksum = $1 WHERE version = $2 AND checksum = decode($3, 'hex')";
    if !sqlx::query_scalar(IS_MIGRATED).fetch_one(&mut *connection).await? {
        return Ok(());
    }
    for (version, earlier) in EARLIER_TEXTS {
        if let Some(present) = MIGRATIONS.iter().find(|migration| migration.version == version) {
            let accept = sqlx::query(ACCEPT).bind(&*present.checksum).bind(version).bind(earlier);
            accept.execute(&mut *connection).await?;
        }
    }
    Ok(())
}
