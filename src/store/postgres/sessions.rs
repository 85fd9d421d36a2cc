//! Sessions once they are open.
//!
//! A statement that locks several sessions locks them in the order of their ids, so that two of them never wait for
//! each other. One that returns what is stored reads it after the lock, so a racer's change is in it.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Row};

use super::rows;
use crate::sessions::{EndReason, Listing, Owner, Search, Session, SessionId, SignedIn, Touch};
use crate::store::search::{self, Bind, Compiled};
use crate::store::values;
use crate::store::{
    EndedTogether, Ending, MOST_ENDED_TOGETHER, MOST_LISTED, RefreshAttempt, Refreshing, SessionChange,
};
use crate::users::UserId;

pub(super) async fn sessions_of_tokens(
    executor: impl PgExecutor<'_>,
    ids: &[SessionId],
) -> sqlx::Result<Vec<SignedIn>> {
    // The limit says that each session's user is looked up by itself, however many are asked for: the plan is made once.
    const FIND: &str = concat!(
        "SELECT ",
        columns_as_they_stand!(),
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

pub(super) async fn session(pool: &PgPool, id: SessionId, owner: Owner<'_>) -> sqlx::Result<Option<Session>> {
    const FIND: &str =
        concat!("SELECT ", columns_as_they_stand!(), " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2)");
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

pub(super) async fn count_active_sessions_of(pool: &PgPool, user: &UserId, now: DateTime<Utc>) -> sqlx::Result<u32> {
    const COUNT: &str = concat!(
        "SELECT count(*) FROM (SELECT FROM sessions WHERE user_id = $2 AND ",
        active!(),
        " LIMIT $3) AS listed"
    );
    let count = sqlx::query_scalar::<_, i64>(COUNT).bind(now).bind(user.as_str()).bind(i64::from(MOST_LISTED));
    Ok(count.fetch_one(pool).await?.try_into().unwrap_or(MOST_LISTED))
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
    let mut query = sqlx::query(compiled.sql).persistent(compiled.kept);
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
        .bind(touches.iter().map(|touch| touch.id.as_uuid()).collect::<Vec<_>>())
        .bind(touches.iter().map(|touch| touch.seen_at).collect::<Vec<_>>())
        .bind(touches.iter().map(|touch| values::seen_counter(touch.counter)).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

pub(super) async fn extend_session(
    pool: &PgPool,
    id: SessionId,
    owner: Owner<'_>,
    by: TimeDelta,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Session>> {
    const EXTEND: &str = concat!(
        "UPDATE sessions SET expires_at = least(expires_at + $4, absolute_expires_at)
         WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ",
        active!(),
        " RETURNING ",
        columns!()
    );
    let extend = sqlx::query(EXTEND).bind(now).bind(id.as_uuid()).bind(values::owned_by(owner)).bind(by);
    extend.fetch_optional(pool).await?.as_ref().map(rows::session).transpose()
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
        .bind(metadata.as_ref().map(crate::sessions::Metadata::as_json));
    change.fetch_optional(pool).await?.as_ref().map(rows::session).transpose()
}

pub(super) async fn end_session(
    connection: &mut PgConnection,
    id: SessionId,
    owner: Owner<'_>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Ending>> {
    // A racer may have ended the session after this statement began: FOR SHARE reads what the racer wrote.
    const END: &str = concat!(
        "WITH ended AS (
            UPDATE sessions SET ended_at = $1, end_reason = $4
            WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ended_at IS NULL
            RETURNING ",
        columns!(),
        "), already_ended AS (
            SELECT ",
        columns!(),
        " FROM sessions
            WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND NOT EXISTS (SELECT FROM ended) FOR SHARE
         )
         SELECT TRUE AS by_this_call, * FROM ended UNION ALL SELECT FALSE, * FROM already_ended"
    );
    let end = sqlx::query(END).bind(now).bind(id.as_uuid()).bind(values::owned_by(owner)).bind(reason.as_str());
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

pub(super) async fn refresh_session(pool: &PgPool, attempt: RefreshAttempt) -> sqlx::Result<Refreshing> {
    /// That the presented counter is a spent one. Without a time of rotation there is no grace.
    macro_rules! reuse {
        () => {
            "(refresh_counter > $3 + 1 OR refresh_counter = $3 + 1 AND coalesce(rotated_at <= $4, TRUE) \
              AND greatest(confirmed_counter, $5) >= refresh_counter)"
        };
    }
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
            rotated_at = CASE WHEN refresh_counter <= $3 THEN $1 ELSE rotated_at END,
            last_seen_at = CASE WHEN ",
        reuse!(),
        " THEN last_seen_at ELSE greatest(last_seen_at, $1) END,
            expires_at = CASE WHEN ",
        reuse!(),
        " THEN expires_at ELSE least(greatest(expires_at, $6), absolute_expires_at) END
         WHERE id = $2 AND NOT (refresh_counter > $3 + 1 AND coalesce(rotated_at > $1, FALSE)) AND ",
        active!("greatest(last_seen_at, $7)"),
        " RETURNING refresh_repeated, rotated_at > $4 AS within_grace, ",
        columns!()
    );
    let RefreshAttempt { id, presented, seen_counter, seen_at, now, grace, slide_to } = attempt;
    let Some(presented) = values::presented_counter(presented) else { return Ok(Refreshing::NotActive) };
    let row = sqlx::query(REFRESH)
        .bind(now)
        .bind(id.as_uuid())
        .bind(presented)
        .bind(now - grace)
        .bind(values::seen_counter(seen_counter))
        .bind(slide_to)
        .bind(seen_at)
        .bind(EndReason::ReuseDetected.as_str())
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else { return Ok(Refreshing::NotActive) };
    let session = Box::new(rows::session(&row)?);
    Ok(if session.ended.is_some() {
        Refreshing::Reused(session)
    } else if !row.try_get::<bool, _>("refresh_repeated")? {
        Refreshing::Rotated(session)
    } else if row.try_get::<Option<bool>, _>("within_grace")?.unwrap_or(false) {
        Refreshing::Concurrent(session)
    } else {
        Refreshing::NotSaved(session)
    })
}
