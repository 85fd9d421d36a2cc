//! Sessions once they are open.
//!
//! A statement that locks several sessions locks them in the order of their ids, so that two of them never wait for
//! each other. One that returns what is stored reads it after the lock, so a racer's change is in it.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgExecutor, PgPool, Row};

use super::attempts::{Connections, failure};
use super::rows;
use super::together::{Done, Write};
use crate::model::{EndReason, Listing, Owner, Search, Session, SessionId, SignedIn, Standing, Touch, UserId};
use crate::store::requests::{EndingOfOne, Extension};
use crate::store::search::{self, Bind, Compiled};
use crate::store::values;
use crate::store::{EndedTogether, Ending, MOST_ENDED_TOGETHER, MOST_LISTED, Result, SessionChange};

pub(super) async fn sessions_of_tokens(
    executor: impl PgExecutor<'_>,
    ids: &[SessionId],
) -> sqlx::Result<Vec<SignedIn>> {
    // The limit says that each session's user is looked up by itself, however many are asked for: the plan is made once.
    const FIND: &str = concat!(
        "SELECT ",
        as_they_stand!(columns),
        ", user_name, user_email, user_banned_at, user_created_at, user_updated_at
         FROM sessions LEFT JOIN LATERAL (
            SELECT name AS user_name, email AS user_email, banned_at AS user_banned_at, created_at AS user_created_at,
                   updated_at AS user_updated_at
            FROM users WHERE users.id = sessions.user_id LIMIT 1
         ) AS users ON TRUE
         WHERE id = ANY($1)"
    );
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(rows::signed_in).collect()
}

pub(super) async fn standings(executor: impl PgExecutor<'_>, ids: &[SessionId]) -> sqlx::Result<Vec<Standing>> {
    const FIND: &str = concat!("SELECT ", as_they_stand!(standing_columns), " FROM sessions WHERE id = ANY($1)");
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(rows::standing).collect()
}

pub(super) async fn session(pool: &PgPool, id: SessionId, owner: Owner<'_>) -> sqlx::Result<Option<Session>> {
    const FIND: &str =
        concat!("SELECT ", as_they_stand!(columns), " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2)");
    let row = sqlx::query(FIND).bind(id.as_uuid()).bind(values::owned_by(owner)).fetch_optional(pool).await?;
    row.as_ref().map(rows::session).transpose()
}

pub(super) async fn active_sessions_of_users(
    pool: &PgPool,
    users: &[UserId],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Session>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM unnest($2::text[]) AS wanted (wanted_user) CROSS JOIN LATERAL (
            SELECT * FROM sessions WHERE user_id = wanted_user AND ",
        active!(),
        "   ORDER BY created_at DESC, id DESC LIMIT $3
         ) AS listed"
    );
    let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let list = sqlx::query(LIST).bind(now).bind(users).bind(i64::from(MOST_LISTED));
    list.fetch_all(pool).await?.iter().map(rows::session).collect()
}

pub(super) async fn active_sessions_opened(
    pool: &PgPool,
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
    let list = sqlx::query(LIST).bind(now).bind(user.as_str()).bind(from).bind(to).bind(i64::from(MOST_LISTED));
    list.fetch_all(pool).await?.iter().map(rows::session).collect()
}

pub(super) async fn count_active_sessions_of(pool: &PgPool, user: &UserId, now: DateTime<Utc>) -> sqlx::Result<u64> {
    const COUNT: &str = concat!("SELECT count(*) FROM sessions WHERE user_id = $2 AND ", active!());
    let count = sqlx::query_scalar::<_, i64>(COUNT).bind(now).bind(user.as_str());
    Ok(count.fetch_one(pool).await?.unsigned_abs())
}

pub(super) async fn search_sessions(pool: &PgPool, search: Search<'_>) -> sqlx::Result<Vec<Session>> {
    let rows = query(search::compile(&search, &rows::DIALECT)).fetch_all(pool).await?;
    rows.iter().map(rows::session).collect()
}

pub(super) async fn count_sessions(pool: &PgPool, search: Search<'_>) -> sqlx::Result<u32> {
    let count: i64 = query(search::compile_count(&search, &rows::DIALECT)).fetch_one(pool).await?.try_get(0)?;
    Ok(count.try_into().unwrap_or(u32::MAX))
}

pub(super) async fn list_sessions(pool: &PgPool, listing: Listing<'_>) -> sqlx::Result<(Vec<Session>, Option<u32>)> {
    let search::CompiledListing { page, total } = search::compile_listing(&listing, &rows::DIALECT);
    let total = match total {
        Some(total) => Some(query(total).fetch_one(pool).await?.try_get::<i64, _>(0)?.try_into().unwrap_or(u32::MAX)),
        None => None,
    };
    let rows = query(page).fetch_all(pool).await?;
    let sessions = rows.iter().map(rows::session).collect::<sqlx::Result<_>>()?;
    Ok((sessions, total))
}

fn query(compiled: Compiled) -> rows::PgQuery<'static> {
    let mut query = sqlx::query(compiled.sql).persistent(compiled.kept && compiled.planned_once);
    for value in compiled.binds {
        query = match value {
            Bind::Text(text) => query.bind(text),
            Bind::Time(time) => query.bind(time),
            Bind::Id(id) => query.bind(id),
            Bind::Number(number) => query.bind(i64::from(number)),
        };
    }
    query
}

pub(super) async fn touch_sessions(pool: &PgPool, touches: &[Touch]) -> sqlx::Result<()> {
    const TOUCH: &str = "
        WITH locked AS (
            SELECT id, seen_at, counter
            FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[]) AS touch (id, seen_at, counter)
                JOIN sessions USING (id)
            WHERE ended_at IS NULL AND (last_seen_at < seen_at OR confirmed_counter < counter)
            ORDER BY id FOR NO KEY UPDATE OF sessions
        )
        UPDATE sessions SET last_seen_at = greatest(last_seen_at, seen_at),
            confirmed_counter = greatest(confirmed_counter, counter)
        FROM locked WHERE sessions.id = locked.id";
    if touches.is_empty() {
        return Ok(());
    }
    let mut tx = pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
    sqlx::query(TOUCH)
        .bind(rows::column(touches, |touch| touch.id.as_uuid()))
        .bind(rows::column(touches, |touch| touch.seen_at))
        .bind(rows::column(touches, |touch| values::seen_counter(touch.counter)))
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

macro_rules! extend {
    ($if_locked:literal) => {
        concat!(
            "WITH asked AS (
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[])
                    AS asked (asked_id, owner, microseconds, asked_at)
             ), ",
            locked!($if_locked),
            "UPDATE sessions SET
                expires_at = least(expires_at + microseconds * interval '1 microsecond', absolute_expires_at)
             FROM locked WHERE id = asked_id AND (owner IS NULL OR user_id = owner) AND ",
            active!("last_seen_at", "asked_at"),
            " RETURNING ",
            columns!()
        )
    };
}

/// Moves the ends of sessions.
pub(super) struct Extensions;

impl Extensions {
    async fn extend(pool: &PgPool, sql: &'static str, asked: &[&Extension]) -> sqlx::Result<Vec<PgRow>> {
        let extend = sqlx::query(sql)
            .bind(rows::column(asked, |asked| asked.id.as_uuid()))
            .bind(rows::column(asked, |asked| asked.owner.as_ref().map(UserId::as_str)))
            .bind(rows::column(asked, |asked| asked.by.num_microseconds().unwrap_or(i64::MAX)))
            .bind(rows::column(asked, |asked| asked.now));
        extend.fetch_all(pool).await
    }
}

impl Write for Extensions {
    type Request = Extension;
    type Answer = Option<Session>;
    type Subject = SessionId;

    fn subject(asked: &Extension) -> SessionId {
        asked.id
    }

    async fn together(database: &Connections, asked: &[&Extension]) -> Result<Done<Self>> {
        let extended = database.once(|| Self::extend(&database.pool, extend!("SKIP LOCKED"), asked)).await?;
        rows::each(&extended, |row| rows::session(row).map(Some))
    }

    async fn alone(database: &Connections, asked: &Extension) -> Result<Option<Session>> {
        let alone = [asked];
        let extended = database.once(|| Self::extend(&database.pool, extend!(""), &alone)).await?;
        extended.first().map(rows::session).transpose().map_err(failure)
    }
}

pub(super) async fn change_session(
    pool: &PgPool,
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
        .bind(now)
        .bind(id.as_uuid())
        .bind(values::owned_by(owner))
        .bind(device_name.is_some())
        .bind(device_name.as_ref().and_then(Option::as_deref))
        .bind(metadata.as_ref().map(crate::model::Metadata::as_json));
    change.fetch_optional(pool).await?.as_ref().map(rows::session).transpose()
}

/// Ends sessions by their ids.
pub(super) struct Endings;

impl Write for Endings {
    type Request = EndingOfOne;
    type Answer = Option<Ending>;
    type Subject = SessionId;

    fn subject(asked: &EndingOfOne) -> SessionId {
        asked.id
    }

    async fn together(database: &Connections, asked: &[&EndingOfOne]) -> Result<Done<Self>> {
        let ended = database.repeated(|| async { end_sessions(&mut *database.for_ending().await?, asked).await });
        rows::each(&ended.await?, |row| rows::session(row).map(|session| Some(Ending::Ended(Box::new(session)))))
    }

    async fn alone(database: &Connections, asked: &EndingOfOne) -> Result<Option<Ending>> {
        database.repeated(|| async { end_session(&mut *database.for_ending().await?, asked).await }).await
    }
}

/// Ends those that stand where nobody else is at them, and answers them.
async fn end_sessions(connection: &mut PgConnection, asked: &[&EndingOfOne]) -> sqlx::Result<Vec<PgRow>> {
    const END: &str = concat!(
        "WITH asked AS (
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
                AS asked (asked_id, owner, reason, asked_at)
         ), ",
        locked!("SKIP LOCKED"),
        "UPDATE sessions SET ended_at = asked_at, end_reason = reason FROM locked
         WHERE id = asked_id AND (owner IS NULL OR user_id = owner) AND ended_at IS NULL
         RETURNING ",
        columns!()
    );
    let end = sqlx::query(END)
        .bind(rows::column(asked, |asked| asked.id.as_uuid()))
        .bind(rows::column(asked, |asked| asked.owner.as_ref().map(UserId::as_str)))
        .bind(rows::column(asked, |asked| asked.reason.as_str()))
        .bind(rows::column(asked, |asked| asked.now));
    end.fetch_all(connection).await
}

async fn end_session(connection: &mut PgConnection, asked: &EndingOfOne) -> sqlx::Result<Option<Ending>> {
    // A racer may have ended the session after this statement began: FOR SHARE reads what the racer wrote.
    const END: &str = concat!(
        "WITH ended AS (
            UPDATE sessions SET ended_at = $1, end_reason = $4
            WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ended_at IS NULL
            RETURNING ",
        columns!(),
        // The lock takes part in the write-ahead log, so a repeat waits for the standby as the first ending did.
        "), already_ended AS (
            SELECT ",
        columns!(),
        " FROM sessions
            WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND NOT EXISTS (SELECT FROM ended) FOR SHARE
         )
         SELECT *, TRUE AS by_this_call FROM ended UNION ALL SELECT *, FALSE FROM already_ended"
    );
    let EndingOfOne { id, owner, reason, now } = asked;
    let owner = owner.as_ref().map(UserId::as_str);
    let end = sqlx::query(END).bind(now).bind(id.as_uuid()).bind(owner).bind(reason.as_str());
    let Some(row) = end.fetch_optional(connection).await? else { return Ok(None) };
    let session = Box::new(rows::session(&row)?);
    Ok(Some(if row.try_get("by_this_call")? { Ending::Ended(session) } else { Ending::AlreadyEnded(session) }))
}

pub(super) async fn end_active_session(
    connection: &mut PgConnection,
    id: SessionId,
    user: &UserId,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    const END: &str = concat!(
        "UPDATE sessions SET ended_at = $1, end_reason = $4
         WHERE id = $2 AND user_id = $3 AND ended_at IS NULL AND expires_at > $1
         RETURNING ",
        not_idle!("last_seen_at")
    );
    let end = sqlx::query_scalar(END).bind(now).bind(id.as_uuid()).bind(user.as_str()).bind(reason.as_str());
    Ok(end.fetch_optional(connection).await?.unwrap_or(false))
}

pub(super) async fn end_sessions_of(
    executor: impl PgExecutor<'_>,
    user: &UserId,
    except: Option<SessionId>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<EndedTogether> {
    // A minute longer than they live by this clock: by another replica's they may live a little longer, and be refreshed.
    const END: &str = concat!(
        "WITH meant AS (
            SELECT id FROM sessions
            WHERE user_id = $2 AND ($3 IS NULL OR id <> $3) AND ended_at IS NULL AND expires_at > $1 - interval '1 minute'
            LIMIT $5 + 1
         ), locked AS (
            SELECT id FROM sessions
            WHERE id IN (SELECT id FROM meant) AND ended_at IS NULL AND (SELECT count(*) FROM meant) <= $5
            ORDER BY id FOR NO KEY UPDATE
         ), ended AS (
            UPDATE sessions SET ended_at = $1, end_reason = $4 FROM locked WHERE sessions.id = locked.id
            RETURNING sessions.id, expires_at > $1 AND ",
        not_idle!("last_seen_at"),
        " AS was_active
         )
         SELECT id, was_active FROM ended UNION ALL SELECT NULL, NULL WHERE (SELECT count(*) FROM meant) > $5"
    );
    let except = except.map(SessionId::as_uuid);
    let end =
        sqlx::query(END).bind(now).bind(user.as_str()).bind(except).bind(reason.as_str()).bind(MOST_ENDED_TOGETHER);
    rows::ended_together(&end.fetch_all(executor).await?)
}

pub(super) async fn end_named_sessions(
    connection: &mut PgConnection,
    ids: &[SessionId],
    owner: Owner<'_>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<(SessionId, UserId)>> {
    const END: &str = concat!(
        "WITH locked AS (
            SELECT id FROM sessions
            WHERE id = ANY($2) AND ($3 IS NULL OR user_id = $3) AND ended_at IS NULL AND expires_at > $1
            ORDER BY id FOR NO KEY UPDATE
         )
         UPDATE sessions SET ended_at = $1, end_reason = $4 FROM locked WHERE sessions.id = locked.id
         RETURNING sessions.id, user_id, ",
        not_idle!("last_seen_at"),
        " AS was_active"
    );
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let end = sqlx::query(END).bind(now).bind(ids).bind(values::owned_by(owner)).bind(reason.as_str());
    rows::ended_of_users(&end.fetch_all(connection).await?)
}
