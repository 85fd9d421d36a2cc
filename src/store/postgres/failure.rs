//! Failures of PostgreSQL: their kinds, and the retries that each allows.

use std::sync::Arc;

use crate::failpoints::{self, Failpoint};
use crate::metrics::DatabaseFailure;
use crate::store::contract::Error;

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// Whether the database has certainly rolled everything back.
pub(super) fn is_undone(error: &sqlx::Error) -> bool {
    matches!(kind(error), DatabaseFailure::Conflict)
}

/// Whether a batch was rolled back because of one of its rows, so that running the rows one by one makes sense.
pub(super) fn was_taken_back(error: &Error) -> bool {
    let (Error::Internal(cause) | Error::Unavailable(cause)) = error else { return false };
    cause.downcast_ref().is_some_and(|error: &sqlx::Error| {
        let kind = kind(error);
        error.as_database_error().is_some()
            && matches!(kind, DatabaseFailure::Conflict | DatabaseFailure::LockTimeout | DatabaseFailure::Other)
    })
}

pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    matches!(kind(error), DatabaseFailure::Connection)
}

pub(super) fn is_undone_or_broken(error: &sqlx::Error) -> bool {
    is_undone(error) || is_broken(error)
}

/// Classifies a failure: errors of the database by their SQLSTATE (PostgreSQL appendix A).
pub(super) fn kind(error: &sqlx::Error) -> DatabaseFailure {
    match error {
        // Protocol: a connection that breaks in its first bytes looks like invalid messages.
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => DatabaseFailure::Connection,
        sqlx::Error::PoolTimedOut => DatabaseFailure::AcquireTimeout,
        sqlx::Error::Database(_) => match code(error).as_deref().unwrap_or_default() {
            "40001" | "40P01" => DatabaseFailure::Conflict,
            "55P03" => DatabaseFailure::LockTimeout,
            "57014" => DatabaseFailure::StatementTimeout,
            // Idle in a transaction for too long; a server that became read-only; a database that was renamed.
            "25P03" | "25006" | "3D000" => DatabaseFailure::Connection,
            // 28: the role or its password has changed.
            code if ["08", "28", "57P"].iter().any(|class| code.starts_with(class)) => DatabaseFailure::Connection,
            code if code.starts_with("53") => DatabaseFailure::Resources,
            _ => DatabaseFailure::Other,
        },
        _ => DatabaseFailure::Other,
    }
}

/// Separates failures that a retry may cure from defects.
pub(super) fn failure(error: sqlx::Error) -> Error {
    let may_work = kind(&error) != DatabaseFailure::Other || matches!(error, sqlx::Error::PoolClosed);
    let may_work = may_work && !failpoints::enabled(Failpoint::OutageIsDefect);
    if may_work { Error::Unavailable(Arc::new(error)) } else { Error::Internal(Arc::new(error)) }
}

pub(super) fn search_failure(error: sqlx::Error) -> Error {
    if kind(&error) == DatabaseFailure::StatementTimeout { Error::TooSlow } else { failure(error) }
}
