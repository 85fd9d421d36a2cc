//! Opening a session.
//!
//! Locks are taken in one order: idempotency key, user, sessions by id. The user's row is the lock that makes a limit
//! and a ban exact: under READ COMMITTED each statement after it sees everything that its earlier holders committed.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Row};

use super::batched_writes::{BatchResults, BatchedWrite, Openings};
use super::idempotency_keys::{Claim, claim};
use super::retry::Connections;
use super::rows;
use super::store::PostgresStore;
use crate::model::{EndReason, LimitPolicy, Session, SessionId, SessionLimit, User, UserDetails, UserId};
use crate::store::columns;
use crate::store::contract::{NewSession, OpenStore, Opening, Replaced, Result};
use crate::store::statements::bulk_endings::NEWEST_BULK_ENDING;
use crate::store::statements::end::EXISTS_TO_REPLACE;
use crate::store::stored_time::StoredTime;

#[async_trait]
impl OpenStore for PostgresStore {
    async fn open_session(&self, new: &NewSession) -> Result<Opening> {
        if !new.is_plain() {
            return self.database.retry_if_rolled_back(|| self::open_session(&self.database.pool, new)).await;
        }
        self.database.batched(&self.openings, new.clone()).await
    }
}

/// Stores the details of a user and locks the row. The details of a banned user stay unchanged, because nothing will be
/// opened, but the row is locked and returned.
macro_rules! tell_user {
    ($values:literal) => {
        concat!(
            "INSERT INTO users AS u (id, name, email, created_at, updated_at) ",
            $values,
            " ON CONFLICT (id) DO UPDATE SET
                name = CASE WHEN u.banned_at IS NULL THEN coalesce(excluded.name, u.name) ELSE u.name END,
                email = CASE WHEN u.banned_at IS NULL THEN coalesce(excluded.email, u.email) ELSE u.email END,
                updated_at = CASE WHEN u.banned_at IS NULL
                        AND (coalesce(excluded.name, u.name), coalesce(excluded.email, u.email))
                            IS DISTINCT FROM (u.name, u.email)
                    THEN excluded.updated_at ELSE u.updated_at END
              RETURNING ",
            user_columns!()
        )
    };
}

macro_rules! session_arrays {
    () => {
        "$1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], \
         $7::integer[], $8::timestamptz[], $9::text[], $10::integer[], $11::integer[], $12::text[], $13::text[], \
         $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], \
         $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::timestamptz[], $29::integer[], \
         $30::text[], $31::text[], $32::text[], $33::text[]"
    };
}

/// The sessions to be opened, with the details of their users.
macro_rules! new_sessions {
    () => {
        concat!(
            "new AS (
                SELECT * FROM unnest(",
            session_arrays!(),
            ", $34::text[], $35::text[]) AS new (",
            columns!(),
            ", user_name, user_email)
             )"
        )
    };
}

/// Inserts the sessions that meet a condition.
macro_rules! opened {
    ($condition:literal) => {
        concat!(
            "opened AS (INSERT INTO sessions (",
            columns!(),
            ") SELECT ",
            columns!(),
            " FROM new WHERE ",
            $condition,
            " RETURNING user_id)"
        )
    };
}

/// Ends all active sessions except the first `$3` in the given order.
macro_rules! evict_all_but_first_by {
    ($order:literal) => {
        concat!(
            "WITH excess AS (
                SELECT id FROM sessions WHERE user_id = $2 AND ($5::text IS NULL OR client_id = $5) AND ",
            active!(),
            " ORDER BY ",
            $order,
            " OFFSET $3
             ), locked AS (
                SELECT id FROM sessions WHERE id IN (SELECT id FROM excess) AND ended_at IS NULL
                ORDER BY id FOR NO KEY UPDATE
             )
             UPDATE sessions SET ended_at = $1, end_reason = $4 FROM locked WHERE sessions.id = locked.id
             RETURNING sessions.id, TRUE AS was_active"
        )
    };
}

impl BatchedWrite for Openings {
    type Request = NewSession;
    type Answer = Opening;
    // Two sessions of one user would write the row of the user twice in one statement.
    type Subject = UserId;

    fn subject(new: &NewSession) -> UserId {
        new.session.user_id.clone()
    }

    async fn run_batch(database: &Connections, new: &[&NewSession]) -> Result<BatchResults<Self>> {
        let openers = database.retry_if_rolled_back(|| open_together(&database.pool, new)).await?;
        let opened = |user: User| (user.id.clone(), Ok(Opening::Opened { user, evicted: Vec::new(), replaced: None }));
        Ok(openers.into_iter().map(opened).collect())
    }

    async fn run_single(database: &Connections, new: &NewSession) -> Result<Opening> {
        database.retry_if_rolled_back(|| open_at_once(&database.pool, new)).await
    }
}

/// Opens the sessions whose users are new, or are known with the same details, not banned and not locked. Answers these
/// users.
async fn open_together(pool: &PgPool, new: &[&NewSession]) -> sqlx::Result<Vec<User>> {
    // New users are inserted in the order of their ids, so that concurrent batches wait for each other without a
    // deadlock.
    const OPEN: &str = concat!(
        "WITH ",
        new_sessions!(),
        ", known AS (
            SELECT free.* FROM new CROSS JOIN LATERAL (
                SELECT * FROM users WHERE users.id = new.user_id AND banned_at IS NULL
                    AND (coalesce(user_name, name), coalesce(user_email, email)) IS NOT DISTINCT FROM (name, email)
                LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
            ) AS free
         ), told AS (
            INSERT INTO users (id, name, email, created_at, updated_at)
            SELECT user_id, user_name, user_email, created_at, created_at FROM new
            WHERE (SELECT id FROM users WHERE users.id = new.user_id LIMIT 1) IS NULL ORDER BY user_id
            ON CONFLICT (id) DO NOTHING
            RETURNING *
         ), opener AS (
            SELECT ",
        user_columns!(),
        " FROM known UNION ALL SELECT ",
        user_columns!(),
        " FROM told
         ), ",
        opened!(
            "user_id IN (SELECT id FROM opener)
                AND NOT EXISTS (SELECT FROM bulk_endings WHERE opened_until >= new.created_at)"
        ),
        " SELECT ",
        user_columns!(),
        " FROM opener WHERE id IN (SELECT user_id FROM opened)"
    );
    bind_new(sqlx::query(OPEN), new)?.fetch_all(pool).await?.iter().map(columns::user).collect()
}

/// Binds the parameters of `new_sessions!`.
fn bind_new<'q>(query: rows::PgQuery<'q>, new: &[&'q NewSession]) -> sqlx::Result<rows::PgQuery<'q>> {
    let sessions: Vec<_> = new.iter().map(|new| &new.session).collect();
    Ok(rows::bind_sessions(query, &sessions)?
        .bind(rows::column(new, |new| new.user.name.as_deref()))
        .bind(rows::column(new, |new| new.user.email.as_deref())))
}

/// Opens a session in a transaction that enforces the limit and the idempotency key.
async fn open_session(pool: &PgPool, new: &NewSession) -> sqlx::Result<Opening> {
    const INSERT: &str = concat!("WITH ", new_sessions!(), ", ", opened!("TRUE"), " SELECT user_id FROM opened");
    let mut tx = pool.begin().await?;
    // Every early return drops the transaction, which rolls it back: a session not opened leaves nothing written.
    if let Some(idempotency) = &new.idempotency {
        match claim(&mut tx, idempotency, new.session.id, new.session.created_at).await? {
            Claim::New => {}
            Claim::Earlier(signed_in) => return Ok(Opening::Repeated(signed_in)),
            Claim::Reused => return Ok(Opening::KeyReused),
        }
    }
    let user = tell_user(&mut tx, &new.session, &new.user).await?;
    if user.banned_at.is_some() {
        return Ok(Opening::UserBanned);
    }
    let replaced = match &new.replaces {
        None => None,
        Some(replaced) => match replace(&mut tx, replaced, &new.session).await? {
            Some(was_active) => was_active.then_some(replaced.id),
            None => return Ok(Opening::NothingToReplace),
        },
    };
    let evicted = match new.limit {
        None => Vec::new(),
        Some(limit) => match make_place(&mut tx, limit, new).await? {
            Some(evicted) => evicted,
            None => return Ok(Opening::LimitReached),
        },
    };
    if let Some(at) = outrun(sqlx::query_scalar(NEWEST_BULK_ENDING).fetch_one(&mut *tx).await?, &new.session) {
        return Ok(Opening::Outrun(at));
    }
    bind_new(sqlx::query(INSERT), &[new])?.execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Opening::Opened { user, evicted, replaced })
}

/// The newest instant that a bulk ending covers, unless the session is younger.
fn outrun(reach: Option<DateTime<Utc>>, session: &Session) -> Option<DateTime<Utc>> {
    reach.filter(|reach| *reach >= session.created_at)
}

async fn open_at_once(pool: &PgPool, new: &NewSession) -> sqlx::Result<Opening> {
    // A user with unchanged details is locked and not written: most sessions are opened for known users.
    const OPEN: &str = concat!(
        "WITH ",
        new_sessions!(),
        ", known AS (
            SELECT ",
        user_columns!(),
        " FROM users
            WHERE id = (SELECT user_id FROM new)
                AND (coalesce((SELECT user_name FROM new), name), coalesce((SELECT user_email FROM new), email))
                    IS NOT DISTINCT FROM (name, email)
            FOR NO KEY UPDATE
         ), told AS (",
        tell_user!(
            "SELECT user_id, user_name, user_email, created_at, created_at FROM new WHERE NOT EXISTS (SELECT FROM known)"
        ),
        "), opener AS (
            SELECT * FROM known UNION ALL SELECT * FROM told
         ), ",
        opened!(
            "EXISTS (SELECT FROM opener WHERE banned_at IS NULL)
                AND NOT EXISTS (SELECT FROM bulk_endings WHERE opened_until >= new.created_at)"
        ),
        " SELECT ",
        user_columns!(),
        ", (SELECT max(opened_until) FROM bulk_endings) AS reach FROM opener"
    );
    let row = bind_new(sqlx::query(OPEN), &[new])?.fetch_one(pool).await?;
    let user = columns::user(&row)?;
    Ok(if user.banned_at.is_some() {
        Opening::UserBanned
    } else if let Some(at) = outrun(row.try_get("reach")?, &new.session) {
        Opening::Outrun(at)
    } else {
        Opening::Opened { user, evicted: Vec::new(), replaced: None }
    })
}

/// Ends the session that a new one replaces, and answers whether it was active; `None` when there is no such session. The
/// limit of sessions is checked afterwards, without it.
///
/// This lock, and those of evicted sessions after it, may not be in the order of ids: a deadlock is rolled back and retried.
async fn replace(tx: &mut PgConnection, replaced: &Replaced, session: &Session) -> sqlx::Result<Option<bool>> {
    let (id, user) = (replaced.id.as_uuid(), session.user_id.as_str());
    let end = sqlx::query_scalar(end_replaced_session!())
        .bind(StoredTime(session.created_at))
        .bind(id)
        .bind(user)
        .bind(EndReason::Replaced.as_str())
        .bind(&replaced.application);
    if let Some(was_active) = end.fetch_optional(&mut *tx).await? {
        return Ok(Some(was_active));
    }
    let exists = sqlx::query_scalar(EXISTS_TO_REPLACE).bind(id).bind(user).bind(&replaced.application);
    let has_ended: bool = exists.fetch_one(tx).await?;
    Ok(has_ended.then_some(false))
}

async fn tell_user(tx: &mut PgConnection, session: &Session, details: &UserDetails) -> sqlx::Result<User> {
    let row = sqlx::query(tell_user!("VALUES ($1, $2, $3, $4, $4)"))
        .bind(session.user_id.as_str())
        .bind(&details.name)
        .bind(&details.email)
        .bind(StoredTime(session.created_at))
        .fetch_one(tx)
        .await?;
    columns::user(&row)
}

/// Makes room for one more session and answers the evicted ones; `None` when the policy rejects the new session.
async fn make_place(
    tx: &mut PgConnection,
    limit: SessionLimit,
    new: &NewSession,
) -> sqlx::Result<Option<Vec<SessionId>>> {
    const COUNT: &str = concat!(count_active_sessions!(), " AND ($3::text IS NULL OR client_id = $3)");
    let session = &new.session;
    let application = session.client_id.as_deref().filter(|_| new.limit_by_application);
    let evict = match limit.policy {
        LimitPolicy::Reject => {
            let active: i64 = sqlx::query_scalar(COUNT)
                .bind(StoredTime(session.created_at))
                .bind(session.user_id.as_str())
                .bind(application)
                .fetch_one(tx)
                .await?;
            return Ok((active < i64::from(limit.most)).then(Vec::new));
        }
        LimitPolicy::EvictOldest => evict_all_but_first_by!("created_at DESC, id DESC"),
        LimitPolicy::EvictLeastRecent => evict_all_but_first_by!("last_seen_at DESC, id DESC"),
    };
    let evicted = sqlx::query(evict)
        .bind(StoredTime(session.created_at))
        .bind(session.user_id.as_str())
        .bind(i64::from(limit.most) - 1)
        .bind(EndReason::Replaced.as_str())
        .bind(application)
        .fetch_all(tx)
        .await?;
    columns::ended_ids(&evicted).map(Some)
}
