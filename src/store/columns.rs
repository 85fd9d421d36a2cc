//! Decoding of rows, alike from both databases. Sessions and users are decoded column by column in the order of
//! `statements/fragments.rs`: a lookup by name would take longer than the decoding.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};
use uuid::Uuid;

use super::contract::Refreshing;
use super::stored_time::StoredTime;
use super::values::{self, OrUnreadable};
use crate::model::{
    Change, Device, DeviceType, Ended, ExtraClaims, Metadata, Scope, ServiceKeyId, Session, SessionId, SessionStatus,
    SignedIn, User, UserId,
};

/// A type of a column that both databases have.
pub(super) trait Stored<'r>: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite> {}

impl<'r, T: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite>> Stored<'r> for T {}

/// A row of one of the databases.
pub(super) trait StoredRow {
    /// The value in the column of this name.
    fn named<'r, T: Stored<'r>>(&'r self, column: &str) -> sqlx::Result<T>;

    /// The value in the column of this number, from 0 on.
    fn numbered<'r, T: Stored<'r>>(&'r self, column: usize) -> sqlx::Result<T>;

    fn time(&self, column: &str) -> sqlx::Result<DateTime<Utc>> {
        self.named::<StoredTime>(column).map(Into::into)
    }

    fn optional_time(&self, column: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
        Ok(self.named::<Option<StoredTime>>(column)?.map(Into::into))
    }
}

/// Whether the type of a numbered column is checked. The migrations fix the type of each column, and the tests check
/// that the statements agree: another check of each value would take as long as its decoding.
const CHECKED: bool = cfg!(debug_assertions);

impl StoredRow for PgRow {
    fn named<'r, T: Stored<'r>>(&'r self, column: &str) -> sqlx::Result<T> {
        self.try_get(column)
    }

    fn numbered<'r, T: Stored<'r>>(&'r self, column: usize) -> sqlx::Result<T> {
        if CHECKED { self.try_get(column) } else { self.try_get_unchecked(column) }
    }
}

impl StoredRow for SqliteRow {
    fn named<'r, T: Stored<'r>>(&'r self, column: &str) -> sqlx::Result<T> {
        self.try_get(column)
    }

    fn numbered<'r, T: Stored<'r>>(&'r self, column: usize) -> sqlx::Result<T> {
        if CHECKED { self.try_get(column) } else { self.try_get_unchecked(column) }
    }
}

/// The columns of a row, from the first on; each call decodes the next one.
struct InOrder<'r, R> {
    row: &'r R,
    next: usize,
}

impl<'r, R: StoredRow> InOrder<'r, R> {
    fn of(row: &'r R) -> Self {
        Self { row, next: 0 }
    }

    fn take<T: Stored<'r>>(&mut self) -> sqlx::Result<T> {
        let next = self.next;
        self.next += 1;
        self.row.numbered(next)
    }

    fn time(&mut self) -> sqlx::Result<DateTime<Utc>> {
        self.take::<StoredTime>().map(Into::into)
    }

    fn optional_time(&mut self) -> sqlx::Result<Option<DateTime<Utc>>> {
        Ok(self.take::<Option<StoredTime>>()?.map(Into::into))
    }

    fn session_id(&mut self) -> sqlx::Result<SessionId> {
        self.take::<Uuid>().map(SessionId::from_uuid)
    }

    fn user_id(&mut self, name: &'static str) -> sqlx::Result<UserId> {
        UserId::parse(self.take::<&str>()?).or_unreadable(name)
    }

    fn ended(&mut self) -> sqlx::Result<Option<Ended>> {
        values::stored_ended(self.optional_time()?, self.take()?)
    }

    fn counter(&mut self, name: &'static str) -> sqlx::Result<u32> {
        self.take::<i32>()?.try_into().or_unreadable(name)
    }

    fn session(&mut self) -> sqlx::Result<Session> {
        let (id, user_id, created_at) = (self.session_id()?, self.user_id("user_id")?, self.time()?);
        Ok(Session {
            id,
            user_id,
            created_at,
            last_seen_at: self.time()?,
            expires_at: self.time()?,
            absolute_expires_at: self.time()?,
            idle_timeout: self.take::<Option<i32>>()?.map(|idle| TimeDelta::seconds(idle.into())),
            ended: self.ended()?,
            refresh_counter: self.counter("refresh_counter")?,
            confirmed_counter: self.counter("confirmed_counter")?,
            client_id: self.take()?,
            ip_address: values::stored_address(self.take()?)?,
            location: self.take()?,
            user_agent: self.take()?,
            device: Device {
                kind: DeviceType::stored(self.take()?),
                name: self.take()?,
                model: self.take()?,
                os: self.take()?,
                os_version: self.take()?,
                browser: self.take()?,
                browser_version: self.take()?,
            },
            scope: Scope::parse(self.take()?).or_unreadable("scope")?,
            acr: self.take()?,
            amr: values::stored_texts(self.take()?, "amr")?,
            metadata: Metadata::from_json(self.take()?).or_unreadable("metadata")?,
            opened_by: values::stored_opener(self.take()?)?,
            // Sessions from before it was recorded were opened when their users authenticated.
            authenticated_at: self.optional_time()?.unwrap_or(created_at),
            least_counter: self.counter("least_counter")?,
            claims: self.take::<Option<String>>()?.map(ExtraClaims::from_json),
            place: values::stored_place(self.take()?, "place")?,
            last_seen_from: values::stored_whereabouts(self.take()?, self.take()?)?,
        })
    }
}

/// The id in the first column.
pub(super) fn session_id(row: &impl StoredRow) -> sqlx::Result<SessionId> {
    InOrder::of(row).session_id()
}

/// Reads the `columns` of a session.
pub(super) fn session(row: &impl StoredRow) -> sqlx::Result<Session> {
    InOrder::of(row).session()
}

/// Reads the `standing_columns` of a session.
pub(super) fn standing(row: &impl StoredRow) -> sqlx::Result<SessionStatus> {
    let mut row = InOrder::of(row);
    Ok(SessionStatus {
        id: row.session_id()?,
        last_seen_at: row.time()?,
        expires_at: row.time()?,
        ended: row.ended()?,
        refresh_counter: row.counter("refresh_counter")?,
        confirmed_counter: row.counter("confirmed_counter")?,
        least_counter: row.counter("least_counter")?,
    })
}

/// Reads the `user_columns` of a user.
pub(super) fn user(row: &impl StoredRow) -> sqlx::Result<User> {
    let mut row = InOrder::of(row);
    let (id, name, email, banned_at) = (row.user_id("id")?, row.take()?, row.take()?, row.optional_time()?);
    Ok(User {
        id,
        name,
        email,
        banned_at,
        created_at: row.time()?,
        updated_at: row.time()?,
        // A server of an earlier version lifts a ban without taking its reason away.
        ban_reason: row.take::<Option<String>>()?.filter(|_| banned_at.is_some()),
    })
}

/// Reads the `columns` of a session, then the `user_columns` without the id and the reason of a ban. The latter are all null when the user was
/// deleted.
pub(super) fn signed_in(row: &impl StoredRow) -> sqlx::Result<SignedIn> {
    let mut row = InOrder::of(row);
    let session = row.session()?;
    let (name, email, banned_at) = (row.take()?, row.take()?, row.optional_time()?);
    let created_at = row.optional_time()?.unwrap_or(session.created_at);
    let updated_at = row.optional_time()?.unwrap_or(created_at);
    let user = User { id: session.user_id.clone(), name, email, banned_at, ban_reason: None, created_at, updated_at };
    Ok(SignedIn { session, user })
}

/// The ids of the ended sessions that were active, sorted because `RETURNING` keeps no order.
pub(super) fn ended_ids(rows: &[impl StoredRow]) -> sqlx::Result<Vec<SessionId>> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        if row.named("was_active")? {
            ids.push(session_id(row)?);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// The ids that [`ended_ids`] returns, each with its user.
pub(super) fn ended_of_users(rows: &[impl StoredRow]) -> sqlx::Result<Vec<(SessionId, UserId)>> {
    let mut ended = Vec::with_capacity(rows.len());
    for row in rows {
        if row.named("was_active")? {
            let user = UserId::parse(row.named::<&str>("user_id")?).or_unreadable("user_id")?;
            ended.push((session_id(row)?, user));
        }
    }
    ended.sort_unstable_by_key(|(id, _)| *id);
    Ok(ended)
}

/// The outcome of a refresh, from the `columns` of the session with `refresh_repeated` and `within_grace`. Without a
/// time of rotation there is no grace.
pub(super) fn refreshed(row: &impl StoredRow) -> sqlx::Result<Refreshing> {
    let session = Box::new(session(row)?);
    Ok(match (session.ended, row.named("refresh_repeated")?, row.named::<Option<bool>>("within_grace")?) {
        (Some(_), ..) => Refreshing::Reused(session),
        (None, false, _) => Refreshing::Rotated(session),
        (None, true, Some(true)) => Refreshing::Concurrent(session),
        (None, true, _) => Refreshing::NotSaved(session),
    })
}

/// A row of the change log. One of a kind that this version does not know is no error: a newer one wrote it.
pub(super) fn change(row: &impl StoredRow) -> sqlx::Result<Change> {
    let subject = || row.named::<Option<Uuid>>("subject_id")?.or_unreadable("subject_id");
    let user = || row.named::<Option<&str>>("user_id")?.map(UserId::parse).transpose().or_unreadable("user_id");
    let ended = || values::stored_ended(row.optional_time("at")?, row.named("reason")?)?.or_unreadable("at");
    Ok(match row.named("kind")? {
        "session_ended" => Change::SessionEnded {
            id: SessionId::from_uuid(subject()?),
            user: user()?.or_unreadable("user_id")?,
            ended: ended()?,
        },
        "session_changed" => {
            Change::SessionChanged { id: SessionId::from_uuid(subject()?), user: user()?.or_unreadable("user_id")? }
        }
        "user_changed" => Change::UserChanged(user()?.or_unreadable("user_id")?),
        "bulk_ending" => Change::BulkEnding { user: user()?, ended: ended()? },
        "service_key_revoked" => Change::ServiceKeyRevoked(ServiceKeyId(subject()?)),
        "signing_keys_changed" => Change::SigningKeysChanged,
        "applications_changed" => Change::ApplicationsChanged,
        _ => Change::Unknown,
    })
}
