//! Opening a session.
//!
//! The transaction has the write lock before it reads, so everything in it sees all earlier commits. The other requests
//! of the batch write in it too. So a request that is not plain has its own savepoint: it may be
//! refused after it has written.

use async_trait::async_trait;
use sqlx::{Connection as _, SqliteConnection};

use super::batched_writes::{BatchedWrite, Openings};
use super::failure::in_time;
use super::idempotency_keys::{Claim, claim};
use super::store::SqliteStore;
use super::{rows, users};
use crate::model::{EndReason, LimitPolicy, Session, SessionId, SessionLimit, User, UserDetails};
use crate::store::columns;
use crate::store::contract::{NewSession, OpenStore, Opening, Replaced, Result};
use crate::store::statements::bulk_endings::NEWEST_BULK_ENDING;
use crate::store::statements::end::EXISTS_TO_REPLACE;
use crate::store::stored_time::StoredTime;

#[async_trait]
impl OpenStore for SqliteStore {
    async fn open_session(&self, new: &NewSession) -> Result<Opening> {
        in_time(&self.openings, new.clone()).await
    }
}

macro_rules! session_values {
    () => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
         $25, $26, $27, $28, $29, $30, $31, $32, $33"
    };
}

/// Ends all active sessions except the first `$3` in the given order.
macro_rules! evict_all_but_first_by {
    ($order:literal) => {
        concat!(
            "UPDATE sessions SET ended_at = $1, end_reason = $4 WHERE id IN (
                SELECT id FROM sessions WHERE user_id = $2 AND ($5 IS NULL OR client_id = $5) AND ",
            active!(),
            " ORDER BY ",
            $order,
            " LIMIT -1 OFFSET $3
             )
             RETURNING id, TRUE AS was_active"
        )
    };
}

/// Inserts a session, unless a bulk ending covers the time of its opening.
const INSERT: &str = concat!(
    "INSERT INTO sessions (",
    columns!(),
    ") SELECT ",
    session_values!(),
    " WHERE NOT EXISTS (SELECT 1 FROM bulk_endings WHERE opened_until >= $3)"
);

impl BatchedWrite for Openings {
    type Request = NewSession;
    type Answer = Opening;

    async fn write(connection: &mut SqliteConnection, new: &NewSession) -> sqlx::Result<Opening> {
        if new.is_plain() {
            return open_session(connection, new).await;
        }
        let mut savepoint = connection.begin().await?;
        let opening = open_session(&mut savepoint, new).await?;
        if matches!(opening, Opening::Opened { .. }) {
            savepoint.commit().await?;
        } else {
            savepoint.rollback().await?;
        }
        Ok(opening)
    }
}

async fn open_session(tx: &mut SqliteConnection, new: &NewSession) -> sqlx::Result<Opening> {
    if let Some(idempotency) = &new.idempotency {
        match claim(tx, idempotency, new.session.id, new.session.created_at).await? {
            Claim::New => {}
            Claim::Earlier(signed_in) => return Ok(Opening::Repeated(signed_in)),
            Claim::Reused => return Ok(Opening::KeyReused),
        }
    }
    let user = opener(tx, &new.session, &new.user).await?;
    if user.banned_at.is_some() {
        return Ok(Opening::UserBanned);
    }
    let replaced = match &new.replaces {
        None => None,
        Some(replaced) => match replace(tx, replaced, &new.session).await? {
            Some(was_active) => was_active.then_some(replaced.id),
            None => return Ok(Opening::NothingToReplace),
        },
    };
    let evicted = match new.limit {
        None => Vec::new(),
        Some(limit) => match make_place(tx, limit, new).await? {
            Some(evicted) => evicted,
            None => return Ok(Opening::LimitReached),
        },
    };
    let inserted = rows::bind_session(sqlx::query(INSERT), &new.session)?.execute(&mut *tx).await?;
    if inserted.rows_affected() == 0 {
        let StoredTime(reach) = sqlx::query_scalar(NEWEST_BULK_ENDING).fetch_one(&mut *tx).await?;
        return Ok(Opening::Outrun(reach));
    }
    Ok(Opening::Opened { user, evicted, replaced })
}

/// Ends the session that a new one replaces, and answers whether it was active; `None` when there is no such session. The
/// limit of sessions is checked afterwards, without it.
async fn replace(tx: &mut SqliteConnection, replaced: &Replaced, session: &Session) -> sqlx::Result<Option<bool>> {
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

/// Stores the details of the user and answers the user. Most users are known and unchanged: writing their rows anyway
/// would cost a page on disk each.
async fn opener(tx: &mut SqliteConnection, session: &Session, details: &UserDetails) -> sqlx::Result<User> {
    if let Some(known) = users::user(&mut *tx, &session.user_id).await? {
        let UserDetails { name, email } = details;
        let is_news = |told: &Option<String>, kept: &Option<String>| told.is_some() && told != kept;
        if known.banned_at.is_some() || !is_news(name, &known.name) && !is_news(email, &known.email) {
            return Ok(known);
        }
    }
    users::put_user(tx, &session.user_id, details, session.created_at).await
}

/// Makes room for one more session and answers the evicted ones; `None` when the policy rejects the new session.
async fn make_place(
    tx: &mut SqliteConnection,
    limit: SessionLimit,
    new: &NewSession,
) -> sqlx::Result<Option<Vec<SessionId>>> {
    const COUNT: &str = concat!(count_active_sessions!(), " AND ($3 IS NULL OR client_id = $3)");
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
