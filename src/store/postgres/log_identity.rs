//! The identity of the change log, and of the server that it is on.

use sqlx::postgres::types::Oid;
use sqlx::{PgConnection, Row};

use crate::clock::SystemEntropy;
use crate::model::LogId;

/// Identifies the change log. A log that cannot be identified gets a random identity for each connection.
pub(super) async fn identify(connection: &mut PgConnection) -> sqlx::Result<LogId> {
    const IDENTIFY: &str = "
        SELECT (SELECT oid FROM pg_database WHERE datname = current_database()) AS database,
               'changes'::regclass::oid AS log_table";
    let server = identify_server(connection).await?;
    if server.is_drawn() {
        tracing::warn!("the change log cannot be identified: each new connection reads all of it");
        return Ok(server);
    }
    let row = sqlx::query(IDENTIFY).fetch_one(connection).await?;
    let number = |name| row.try_get::<Oid, _>(name).map(|oid| oid.0);
    Ok(LogId { database: number("database")?, table: number("log_table")?, ..server })
}

/// Identifies the server, as far as that is part of the identity of its log; random when the role may not ask.
pub(super) async fn identify_server(connection: &mut PgConnection) -> sqlx::Result<LogId> {
    // The name of the write-ahead log file has the new timeline at once after a promotion; the control file may be
    // late.
    const IDENTIFY: &str = "
        SELECT system_identifier AS system, substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) AS timeline,
               (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started
        FROM pg_control_system()";
    let row = match sqlx::query(IDENTIFY).fetch_one(connection).await {
        Ok(row) => row,
        Err(error) if is_not_allowed(&error) => {
            return LogId::drawn(&SystemEntropy).map_err(|error| sqlx::Error::Io(std::io::Error::other(error)));
        }
        Err(error) => return Err(error),
    };
    let timeline = u32::from_str_radix(row.try_get("timeline")?, 16);
    Ok(LogId {
        system: row.try_get::<i64, _>("system")?.cast_unsigned(),
        timeline: timeline.map_err(|error| sqlx::Error::Decode(error.into()))?,
        started: row.try_get("started")?,
        ..LogId::default()
    })
}

/// Whether a function is missing or not allowed for this role: insufficient_privilege, undefined_function,
/// feature_not_supported.
fn is_not_allowed(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("42501" | "42883" | "0A000"))
}
