//! Sessions once they are open.
//!
//! Each is one statement, and there is one writer, so nothing comes between reading and writing a row.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::pool::PoolConnection;
use sqlx::{Row, Sqlite, SqliteConnection, SqliteExecutor, SqlitePool};

use super::rows;
use super::together::Write;
use crate::model::{EndReason, Listing, Owner, Search, Session, SessionId, SignedIn, Standing, Touch, UserId};
use crate::store::requests::{EndingOfOne, Extension};
use crate::store::search::{self, Bind, Compiled};
use crate::store::values;
use crate::store::{EndedTogether, Ending, MOST_ENDED_TOGETHER, MOST_LISTED, SEARCH_TIME, SessionChange};

/// About a millisecond of SQLite's work.
const INSTRUCTIONS_BETWEEN_CHECKS: i32 = 100_000;

pub(super) async fn sessions_of_tokens(
    executor: impl SqliteExecutor<'_>,
    ids: &[SessionId],
) -> sqlx::Result<Vec<SignedIn>> {
    const FIND: &str = concat!(
        "SELECT ",
        as_they_stand!(columns),
        ", user_name, user_email, user_banned_at, user_created_at, user_updated_at
         FROM sessions LEFT JOIN (
            SELECT id AS user_row, name AS user_name, email AS user_email, banned_at AS user_banned_at,
                   created_at AS user_created_at, updated_at AS user_updated_at
            FROM users
         ) AS users ON user_row = user_id
         WHERE id IN (SELECT unhex(value) FROM json_each($1))"
    );
    let ids = rows::json_of_ids(ids)?;
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(rows::signed_in).collect()
}

pub(super) async fn standings(executor: impl SqliteExecutor<'_>, ids: &[SessionId]) -> sqlx::Result<Vec<Standing>> {
    const FIND: &str = concat!(
        "SELECT ",
        as_they_stand!(standing_columns),
        " FROM sessions WHERE id IN (SELECT unhex(value) FROM json_each($1))"
    );
    let ids = rows::json_of_ids(ids)?;
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(rows::standing).collect()
}

pub(super) async fn session(pool: &SqlitePool, id: SessionId, owner: Owner<'_>) -> sqlx::Result<Option<Session>> {
    const FIND: &str =
        concat!("SELECT ", as_they_stand!(columns), " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2)");
    let row = sqlx::query(FIND).bind(id.as_uuid()).bind(values::owned_by(owner)).fetch_optional(pool).await?;
    row.as_ref().map(rows::session).transpose()
}

pub(super) async fn active_sessions_of_users(
    pool: &SqlitePool,
    users: &[UserId],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Session>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions WHERE user_id = $2 AND ",
        active!(),
        " ORDER BY created_at DESC, id DESC LIMIT $3"
    );
    let mut connection = pool.acquire().await?;
    let mut sessions = Vec::new();
    for user in users {
        let list = sqlx::query(LIST).bind(now.timestamp_micros()).bind(user.as_str()).bind(i64::from(MOST_LISTED));
        for row in list.fetch_all(&mut *connection).await? {
            sessions.push(rows::session(&row)?);
        }
    }
    Ok(sessions)
}

pub(super) async fn active_sessions_opened(
    pool: &SqlitePool,
    user: &UserId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Session>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions WHERE user_id = $2 AND created_at >= $3 AND created_at < $4 AND ",
        active!(),
        " ORDER BY created_at DESC, id DESC LIMIT $5"
    );
    let list = sqlx::query(LIST)
        .bind(now.timestamp_micros())
        .bind(user.as_str())
        .bind(from.timestamp_micros())
        .bind(to.timestamp_micros())
        .bind(i64::from(MOST_LISTED));
    list.fetch_all(pool).await?.iter().map(rows::session).collect()
}

pub(super) async fn count_active_sessions_of(
    pool: &SqlitePool,
    user: &UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    const COUNT: &str = concat!("SELECT count(*) FROM sessions WHERE user_id = $2 AND ", active!());
    let count = sqlx::query_scalar::<_, i64>(COUNT).bind(now.timestamp_micros()).bind(user.as_str());
    Ok(count.fetch_one(pool).await?.unsigned_abs())
}

pub(super) async fn search_sessions(pool: &SqlitePool, search: Search<'_>) -> sqlx::Result<Vec<Session>> {
    let compiled = search::compile(&search, &rows::DIALECT);
    let mut connection = acquire_for_search(pool).await?;
    query(compiled).fetch_all(&mut *connection).await?.iter().map(rows::session).collect()
}

pub(super) async fn count_sessions(pool: &SqlitePool, search: Search<'_>) -> sqlx::Result<u32> {
    let compiled = search::compile_count(&search, &rows::DIALECT);
    let mut connection = acquire_for_search(pool).await?;
    let count: i64 = query(compiled).fetch_one(&mut *connection).await?.try_get(0)?;
    Ok(count.try_into().unwrap_or(u32::MAX))
}

pub(super) async fn list_sessions(
    pool: &SqlitePool,
    listing: Listing<'_>,
) -> sqlx::Result<(Vec<Session>, Option<u32>)> {
    let search::CompiledListing { page, total } = search::compile_listing(&listing, &rows::DIALECT);
    let mut connection = acquire_for_search(pool).await?;
    let total = match total {
        Some(total) => {
            Some(query(total).fetch_one(&mut *connection).await?.try_get::<i64, _>(0)?.try_into().unwrap_or(u32::MAX))
        }
        None => None,
    };
    let rows = query(page).fetch_all(&mut *connection).await?;
    let sessions = rows.iter().map(rows::session).collect::<sqlx::Result<_>>()?;
    Ok((sessions, total))
}

/// A dropped query reads on until it finds a row, and holds its connection as long: so it is stopped from inside.
/// Only searches use this pool, and each sets its own end.
async fn acquire_for_search(pool: &SqlitePool) -> sqlx::Result<PoolConnection<Sqlite>> {
    let mut connection = pool.acquire().await?;
    let end = Instant::now() + SEARCH_TIME;
    connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS_BETWEEN_CHECKS, move || Instant::now() < end);
    Ok(connection)
}

fn query(compiled: Compiled) -> rows::SqliteQuery<'static> {
    let mut query = sqlx::query(compiled.sql).persistent(compiled.kept);
    for value in compiled.binds {
        query = match value {
            Bind::Text(text) => query.bind(text),
            Bind::Time(time) => query.bind(time.timestamp_micros()),
            Bind::Id(id) => query.bind(id),
            Bind::Number(number) => query.bind(number),
        };
    }
    query
}

pub(super) async fn touch_sessions(pool: &SqlitePool, touches: &[Touch]) -> sqlx::Result<()> {
    const TOUCH: &str = "
        UPDATE sessions SET last_seen_at = max(last_seen_at, seen_at),
            confirmed_counter = max(confirmed_counter, counter)
        FROM (
            SELECT unhex(value ->> 0) AS touched, value ->> 1 AS seen_at, value ->> 2 AS counter FROM json_each($1)
        )
        WHERE id = touched AND ended_at IS NULL AND (last_seen_at < seen_at OR confirmed_counter < counter)";
    if touches.is_empty() {
        return Ok(());
    }
    let touches: Vec<(String, i64, i32)> = touches
        .iter()
        .map(|Touch { id, seen_at, counter }| {
            (id.as_uuid().simple().to_string(), seen_at.timestamp_micros(), values::seen_counter(*counter))
        })
        .collect();
    let touches = serde_json::to_string(&touches).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(TOUCH).bind(touches).execute(pool).await?;
    Ok(())
}

/// Moves the ends of sessions.
pub(super) struct Extensions;

impl Write for Extensions {
    type Request = Extension;
    type Answer = Option<Session>;

    async fn write(connection: &mut SqliteConnection, asked: &Extension) -> sqlx::Result<Option<Session>> {
        const EXTEND: &str = concat!(
            "UPDATE sessions SET expires_at = min(expires_at + $4, absolute_expires_at)
             WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ",
            active!(),
            " RETURNING ",
            columns!()
        );
        let extend = sqlx::query(EXTEND)
            .bind(asked.now.timestamp_micros())
            .bind(asked.id.as_uuid())
            .bind(asked.owner.as_ref().map(UserId::as_str))
            .bind(asked.by.num_microseconds().unwrap_or(i64::MAX));
        extend.fetch_optional(connection).await?.as_ref().map(rows::session).transpose()
    }
}

pub(super) async fn change_session(
    pool: &SqlitePool,
    id: SessionId,
    owner: Owner<'_>,
    change: &SessionChange,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Session>> {
    const CHANGE: &str = concat!(
        "UPDATE sessions SET device_name = CASE WHEN $4 THEN $5 ELSE device_name END,
            metadata = coalesce($6, metadata)
         WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ",
        active!(),
        " RETURNING ",
        columns!()
    );
    let SessionChange { device_name, metadata } = change;
    let change = sqlx::query(CHANGE)
        .bind(now.timestamp_micros())
        .bind(id.as_uuid())
        .bind(values::owned_by(owner))
        .bind(device_name.is_some())
        .bind(device_name.as_ref().and_then(Option::as_deref))
        .bind(metadata.as_ref().map(crate::model::Metadata::as_json));
    rows::write_one(pool, change).await?.as_ref().map(rows::session).transpose()
}

/// Ends sessions by their ids.
pub(super) struct Endings;

impl Write for Endings {
    type Request = EndingOfOne;
    type Answer = Option<Ending>;

    async fn write(connection: &mut SqliteConnection, asked: &EndingOfOne) -> sqlx::Result<Option<Ending>> {
        const END: &str = concat!(
            "UPDATE sessions SET ended_at = $1, end_reason = $4
             WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ended_at IS NULL
             RETURNING ",
            columns!()
        );
        const FIND_ENDED: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2) AND ended_at IS NOT NULL"
        );
        let EndingOfOne { id, owner, reason, now } = asked;
        let (id, owner) = (id.as_uuid(), owner.as_ref().map(UserId::as_str));
        let end = sqlx::query(END).bind(now.timestamp_micros()).bind(id).bind(owner).bind(reason.as_str());
        if let Some(row) = end.fetch_optional(&mut *connection).await? {
            return Ok(Some(Ending::Ended(Box::new(rows::session(&row)?))));
        }
        let ended = sqlx::query(FIND_ENDED).bind(id).bind(owner).fetch_optional(connection).await?;
        ended.map(|row| rows::session(&row).map(Box::new).map(Ending::AlreadyEnded)).transpose()
    }
}

pub(super) async fn end_active_session(
    pool: &SqlitePool,
    id: SessionId,
    user: &UserId,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    const END: &str = concat!(
        "UPDATE sessions SET ended_at = $1, end_reason = $4
         WHERE id = $2 AND user_id = $3 AND ended_at IS NULL AND expires_at > $1
         RETURNING ",
        not_idle!("last_seen_at"),
        " AS was_active"
    );
    let end =
        sqlx::query(END).bind(now.timestamp_micros()).bind(id.as_uuid()).bind(user.as_str()).bind(reason.as_str());
    rows::write_one(pool, end).await?.map_or(Ok(false), |row| row.try_get("was_active"))
}

/// In a transaction, because it counts before it ends.
pub(super) async fn end_sessions_of(
    pool: &SqlitePool,
    user: &UserId,
    except: Option<SessionId>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<EndedTogether> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let ended = end_sessions_within(&mut tx, user, except, reason, now).await?;
    tx.commit().await?;
    Ok(ended)
}

/// As [`end_sessions_of`], in a transaction that does more.
pub(super) async fn end_sessions_within(
    connection: &mut SqliteConnection,
    user: &UserId,
    except: Option<SessionId>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<EndedTogether> {
    /// A minute longer than they live by this clock: by another process's they may live a little longer, and be refreshed.
    macro_rules! meant {
        () => {
            "user_id = $2 AND ($3 IS NULL OR id <> $3) AND ended_at IS NULL AND expires_at > $1 - 60000000"
        };
    }
    const COUNT: &str =
        concat!("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE ", meant!(), " LIMIT $4 + 1) AS meant");
    const END: &str = concat!(
        "UPDATE sessions SET ended_at = $1, end_reason = $4 WHERE ",
        meant!(),
        " RETURNING id, expires_at > $1 AND ",
        not_idle!("last_seen_at"),
        " AS was_active"
    );
    let (now, except) = (now.timestamp_micros(), except.map(SessionId::as_uuid));
    let count = sqlx::query_scalar(COUNT).bind(now).bind(user.as_str()).bind(except).bind(MOST_ENDED_TOGETHER);
    let meant: i64 = count.fetch_one(&mut *connection).await?;
    if meant > MOST_ENDED_TOGETHER {
        return Ok(EndedTogether::TooMany);
    }
    let end = sqlx::query(END).bind(now).bind(user.as_str()).bind(except).bind(reason.as_str());
    rows::ended_ids(&end.fetch_all(connection).await?).map(EndedTogether::Ended)
}

pub(super) async fn end_named_sessions(
    pool: &SqlitePool,
    ids: &[SessionId],
    owner: Owner<'_>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<(SessionId, UserId)>> {
    const END: &str = concat!(
        "UPDATE sessions SET ended_at = $1, end_reason = $4
         WHERE id IN (SELECT unhex(value) FROM json_each($2)) AND ($3 IS NULL OR user_id = $3)
            AND ended_at IS NULL AND expires_at > $1
         RETURNING id, user_id, ",
        not_idle!("last_seen_at"),
        " AS was_active"
    );
    let ids = rows::json_of_ids(ids)?;
    let end =
        sqlx::query(END).bind(now.timestamp_micros()).bind(ids).bind(values::owned_by(owner)).bind(reason.as_str());
    rows::ended_of_users(&end.fetch_all(pool).await?)
}
