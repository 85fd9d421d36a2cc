//! The columns of each table, the definition of active, and the decoding of rows.

use chrono::{DateTime, Utc};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqliteExecutor};
use uuid::Uuid;

use crate::model::{Device, Session, SessionId, SessionStatus, SignedIn, User, UserId};
use crate::store::columns::{self, InOrder, StoredRow};
use crate::store::search::Dialect;
use crate::store::values::{self, OrUnreadable};

/// The condition that a session is not idle at `$1`.
macro_rules! not_idle {
    ($last_seen:literal) => {
        concat!("(idle_timeout IS NULL OR $1 - ", $last_seen, " < idle_timeout * 1000000)")
    };
}

/// A column of the first open bulk ending that covers a session; null when none does.
macro_rules! bulk_ending {
    ($what:literal) => {
        concat!(
            "(SELECT ",
            $what,
            " FROM bulk_endings AS b WHERE b.done_at IS NULL AND ",
            covered!(),
            " ORDER BY b.sequence LIMIT 1)"
        )
    };
}

/// The condition that no open bulk ending covers a session. Usually none is open, which a statement checks once.
macro_rules! not_ended_in_bulk {
    () => {
        concat!("(NOT EXISTS (SELECT 1 FROM bulk_endings WHERE done_at IS NULL) OR ", bulk_ending!("b.at"), " IS NULL)")
    };
}

/// The given columns of a session in any state: one that an open bulk ending covers reads as ended.
macro_rules! as_they_stand {
    ($columns:ident) => {
        $columns!(
            concat!("coalesce(ended_at, ", bulk_ending!("b.at"), ")"),
            concat!("coalesce(end_reason, ", bulk_ending!("b.reason"), ")")
        )
    };
}

/// The condition that a session is active at `$1`, the twin of `Session::state`. The argument replaces the time of its
/// last use.
macro_rules! active {
    () => {
        active!("last_seen_at")
    };
    ($last_seen:literal) => {
        concat!("(ended_at IS NULL AND expires_at > $1 AND ", not_idle!($last_seen), " AND ", not_ended_in_bulk!(), ")")
    };
}

pub(super) const DIALECT: Dialect = Dialect {
    columns: as_they_stand!(columns),
    active: active!(),
    active_unseen: active!(),
    not_idle: not_idle!("last_seen_at"),
    not_ended: concat!("(ended_at IS NULL AND ", not_ended_in_bulk!(), ")"),
    id_text: ID_TEXT,
    position: "instr",
};

/// The expression for the id as text.
const ID_TEXT: &str = "(lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) \
                       || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)))";

pub(super) type SqliteQuery<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds `$1` to `$27` to the columns of a session.
pub(super) fn bind_session<'q>(query: SqliteQuery<'q>, session: &'q Session) -> sqlx::Result<SqliteQuery<'q>> {
    let Session {
        id,
        user_id,
        created_at,
        last_seen_at,
        expires_at,
        absolute_expires_at,
        idle_timeout,
        ended,
        refresh_counter,
        confirmed_counter,
        client_id,
        ip_address,
        location,
        user_agent,
        device: Device { kind, name, model, os, os_version, browser, browser_version },
        scope,
        acr,
        amr,
        metadata,
        opened_by,
    } = session;
    Ok(query
        .bind(id.as_uuid())
        .bind(user_id.as_str())
        .bind(created_at.timestamp_micros())
        .bind(last_seen_at.timestamp_micros())
        .bind(expires_at.timestamp_micros())
        .bind(absolute_expires_at.timestamp_micros())
        .bind(values::seconds_to_store(*idle_timeout)?)
        .bind(ended.map(|ended| ended.at.timestamp_micros()))
        .bind(ended.map(|ended| ended.reason.as_str()))
        .bind(values::counter_to_store(*refresh_counter, "refresh_counter")?)
        .bind(values::counter_to_store(*confirmed_counter, "confirmed_counter")?)
        .bind(client_id)
        .bind(ip_address.map(|address| address.to_string()))
        .bind(location)
        .bind(user_agent)
        .bind(kind.as_str())
        .bind(name)
        .bind(model)
        .bind(os)
        .bind(os_version)
        .bind(browser)
        .bind(browser_version)
        .bind(scope.as_str())
        .bind(acr)
        .bind(values::methods_to_store(amr)?)
        .bind(metadata.as_json())
        .bind(opened_by.map(|opener| opener.to_string())))
}

/// Instants are whole microseconds since 1970.
impl StoredRow for SqliteRow {
    type Instant = i64;

    fn instant(stored: i64) -> sqlx::Result<DateTime<Utc>> {
        DateTime::from_timestamp_micros(stored).or_unreadable("instant")
    }
}

pub(super) fn session(row: &SqliteRow) -> sqlx::Result<Session> {
    columns::session(&mut InOrder::of(row))
}

pub(super) fn standing(row: &SqliteRow) -> sqlx::Result<SessionStatus> {
    columns::standing(&mut InOrder::of(row))
}

pub(super) fn user(row: &SqliteRow) -> sqlx::Result<User> {
    columns::user(&mut InOrder::of(row))
}

/// A session joined with its user.
pub(super) fn signed_in(row: &SqliteRow) -> sqlx::Result<SignedIn> {
    columns::signed_in(&mut InOrder::of(row))
}

/// Runs a statement that writes one row at most and returns it.
///
/// Outside of a transaction `fetch_optional` would not do: it stops at the first row, and a failure of the commit after
/// it would be lost.
pub(super) async fn write_one(
    executor: impl SqliteExecutor<'_>,
    query: SqliteQuery<'_>,
) -> sqlx::Result<Option<SqliteRow>> {
    Ok(query.fetch_all(executor).await?.pop())
}

/// An instant as stored: whole microseconds since 1970.
pub(super) fn time(row: &SqliteRow, column: &'static str) -> sqlx::Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(row.try_get(column)?).or_unreadable(column)
}

pub(super) fn optional_time(row: &SqliteRow, column: &'static str) -> sqlx::Result<Option<DateTime<Utc>>> {
    let micros: Option<i64> = row.try_get(column)?;
    micros.map(|micros| DateTime::from_timestamp_micros(micros).or_unreadable(column)).transpose()
}

pub(super) fn session_id(row: &SqliteRow) -> sqlx::Result<SessionId> {
    Ok(SessionId::from_uuid(row.try_get::<Uuid, _>("id")?))
}

/// The ids of the ended sessions that were active, sorted because `RETURNING` keeps no order.
pub(super) fn ended_ids(rows: &[SqliteRow]) -> sqlx::Result<Vec<SessionId>> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        if row.try_get("was_active")? {
            ids.push(session_id(row)?);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// As [`ended_ids`], each with its user.
pub(super) fn ended_of_users(rows: &[SqliteRow]) -> sqlx::Result<Vec<(SessionId, UserId)>> {
    let mut ended = Vec::with_capacity(rows.len());
    for row in rows {
        if row.try_get("was_active")? {
            let user = UserId::parse(row.try_get::<String, _>("user_id")?).or_unreadable("user_id")?;
            ended.push((session_id(row)?, user));
        }
    }
    ended.sort_unstable_by_key(|(id, _)| *id);
    Ok(ended)
}

/// Ids as one value, because SQLite binds no lists.
pub(super) fn json_of_ids(ids: &[SessionId]) -> sqlx::Result<String> {
    let ids: Vec<String> = ids.iter().map(|id| id.as_uuid().simple().to_string()).collect();
    serde_json::to_string(&ids).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
