//! Failures of PostgreSQL: kinds, and what each may mean.

use std::sync::Arc;

use crate::failpoints::{self, Failpoint};
use crate::metrics::DatabaseFailure;
use crate::store::contract::Error;

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// Whether the database has taken back whatever was done.
pub(super) fn is_undone(error: &sqlx::Error) -> bool {
    matches!(kind(error), DatabaseFailure::Conflict)
}

/// Whether a statement that ran by itself was taken back for something that is wrong with a part of it.
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

/// Sorts failures, those that the database tells by their class (PostgreSQL appendix A).
pub(super) fn kind(error: &sqlx::Error) -> DatabaseFailure {
    match error {
        // Protocol: a connection that breaks off in its first bytes looks like a server that speaks nonsense.
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => DatabaseFailure::Connection,
        sqlx::Error::PoolTimedOut => DatabaseFailure::AcquireTimeout,
        sqlx::Error::Database(_) => match code(error).as_deref().unwrap_or_default() {
            "40001" | "40P01" => DatabaseFailure::Conflict,
            "55P03" => DatabaseFailure::LockTimeout,
            "57014" => DatabaseFailure::StatementTimeout,
            // A transaction of ours took too long; the server takes no writes any more; the database has another name.
            "25P03" | "25006" | "3D000" => DatabaseFailure::Connection,
            // 28: the role or its password is another by now.
            code if ["08", "28", "57P"].iter().any(|class| code.starts_with(class)) => DatabaseFailure::Connection,
            code if code.starts_with("53") => DatabaseFailure::Resources,
            _ => DatabaseFailure::Other,
        },
        _ => DatabaseFailure::Other,
    }
}

/// Tells what may work in a moment from what is a defect.
pub(super) fn failure(error: sqlx::Error) -> Error {
    let may_work = kind(&error) != DatabaseFailure::Other || matches!(error, sqlx::Error::PoolClosed);
    let may_work = may_work && !failpoints::enabled(Failpoint::OutageIsDefect);
    if may_work { Error::Unavailable(Arc::new(error)) } else { Error::Internal(Arc::new(error)) }
}

pub(super) fn search_failure(error: sqlx::Error) -> Error {
    if kind(&error) == DatabaseFailure::StatementTimeout { Error::TooSlow } else { failure(error) }
}
