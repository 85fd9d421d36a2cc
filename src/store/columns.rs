//! Decoding of rows, column by column in the order of `fragments.rs`: a lookup by name would take longer than the
//! decoding.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{ColumnIndex, Decode, Row, Type};
use uuid::Uuid;

use super::values::{self, OrUnreadable};
use crate::model::{
    Device, DeviceType, Ended, Metadata, Scope, Session, SessionId, SessionStatus, SignedIn, User, UserId,
};

/// The remaining columns of a row; each call decodes the next one.
pub(super) trait Columns<'r> {
    fn uuid(&mut self) -> sqlx::Result<Uuid>;
    fn text(&mut self) -> sqlx::Result<&'r str>;
    fn optional_text(&mut self) -> sqlx::Result<Option<&'r str>>;
    fn number(&mut self) -> sqlx::Result<i32>;
    fn optional_number(&mut self) -> sqlx::Result<Option<i32>>;
    fn time(&mut self) -> sqlx::Result<DateTime<Utc>>;
    fn optional_time(&mut self) -> sqlx::Result<Option<DateTime<Utc>>>;
}

/// A row of one of the databases, which differ in how they store an instant.
pub(super) trait StoredRow: Row {
    type Instant;

    fn instant(stored: Self::Instant) -> sqlx::Result<DateTime<Utc>>;
}

/// The columns of a row, from the first on.
pub(super) struct InOrder<'r, R> {
    row: &'r R,
    next: usize,
}

impl<'r, R: Row> InOrder<'r, R>
where
    usize: ColumnIndex<R>,
{
    pub(super) fn of(row: &'r R) -> Self {
        Self { row, next: 0 }
    }

    fn take<T: Decode<'r, R::Database> + Type<R::Database>>(&mut self) -> sqlx::Result<T> {
        let next = self.next;
        self.next += 1;
        // The migrations fix the type of each column, and the tests check that the statements agree: another check of
        // each value would take as long as its decoding.
        if cfg!(debug_assertions) { self.row.try_get(next) } else { self.row.try_get_unchecked(next) }
    }
}

impl<'r, R: StoredRow> Columns<'r> for InOrder<'r, R>
where
    usize: ColumnIndex<R>,
    Uuid: Decode<'r, R::Database> + Type<R::Database>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
    i32: Decode<'r, R::Database> + Type<R::Database>,
    R::Instant: Decode<'r, R::Database> + Type<R::Database>,
{
    fn uuid(&mut self) -> sqlx::Result<Uuid> {
        self.take()
    }

    fn text(&mut self) -> sqlx::Result<&'r str> {
        self.take()
    }

    fn optional_text(&mut self) -> sqlx::Result<Option<&'r str>> {
        self.take()
    }

    fn number(&mut self) -> sqlx::Result<i32> {
        self.take()
    }

    fn optional_number(&mut self) -> sqlx::Result<Option<i32>> {
        self.take()
    }

    fn time(&mut self) -> sqlx::Result<DateTime<Utc>> {
        R::instant(self.take()?)
    }

    fn optional_time(&mut self) -> sqlx::Result<Option<DateTime<Utc>>> {
        self.take::<Option<R::Instant>>()?.map(R::instant).transpose()
    }
}

/// Reads the `columns` of a session.
pub(super) fn session<'r>(row: &mut impl Columns<'r>) -> sqlx::Result<Session> {
    Ok(Session {
        id: session_id(row)?,
        user_id: user_id(row, "user_id")?,
        created_at: row.time()?,
        last_seen_at: row.time()?,
        expires_at: row.time()?,
        absolute_expires_at: row.time()?,
        idle_timeout: row.optional_number()?.map(|idle| TimeDelta::seconds(idle.into())),
        ended: ended(row)?,
        refresh_counter: counter(row, "refresh_counter")?,
        confirmed_counter: counter(row, "confirmed_counter")?,
        client_id: optional_string(row)?,
        ip_address: values::stored_address(row.optional_text()?)?,
        location: optional_string(row)?,
        user_agent: optional_string(row)?,
        device: Device {
            kind: DeviceType::stored(row.text()?),
            name: optional_string(row)?,
            model: optional_string(row)?,
            os: optional_string(row)?,
            os_version: optional_string(row)?,
            browser: optional_string(row)?,
            browser_version: optional_string(row)?,
        },
        scope: Scope::parse(row.text()?).or_unreadable("scope")?,
        acr: optional_string(row)?,
        amr: values::stored_methods(row.text()?)?,
        metadata: Metadata::from_json(row.text()?.to_owned()).or_unreadable("metadata")?,
        opened_by: values::stored_opener(row.optional_text()?)?,
    })
}

/// Reads the `standing_columns` of a session.
pub(super) fn standing<'r>(row: &mut impl Columns<'r>) -> sqlx::Result<SessionStatus> {
    Ok(SessionStatus {
        id: session_id(row)?,
        last_seen_at: row.time()?,
        expires_at: row.time()?,
        ended: ended(row)?,
        refresh_counter: counter(row, "refresh_counter")?,
        confirmed_counter: counter(row, "confirmed_counter")?,
    })
}

/// Reads the `user_columns` of a user.
pub(super) fn user<'r>(row: &mut impl Columns<'r>) -> sqlx::Result<User> {
    Ok(User {
        id: user_id(row, "id")?,
        name: optional_string(row)?,
        email: optional_string(row)?,
        banned_at: row.optional_time()?,
        created_at: row.time()?,
        updated_at: row.time()?,
    })
}

/// Reads the `columns` of a session, then the `user_columns` without the id. The latter are all null when the user was
/// deleted.
pub(super) fn signed_in<'r>(row: &mut impl Columns<'r>) -> sqlx::Result<SignedIn> {
    let session = session(row)?;
    let (name, email, banned_at) = (optional_string(row)?, optional_string(row)?, row.optional_time()?);
    let created_at = row.optional_time()?.unwrap_or(session.created_at);
    let updated_at = row.optional_time()?.unwrap_or(created_at);
    let user = User { id: session.user_id.clone(), name, email, banned_at, created_at, updated_at };
    Ok(SignedIn { session, user })
}

fn session_id<'r>(row: &mut impl Columns<'r>) -> sqlx::Result<SessionId> {
    row.uuid().map(SessionId::from_uuid)
}

fn user_id<'r>(row: &mut impl Columns<'r>, name: &'static str) -> sqlx::Result<UserId> {
    UserId::parse(row.text()?).or_unreadable(name)
}

fn ended<'r>(row: &mut impl Columns<'r>) -> sqlx::Result<Option<Ended>> {
    values::stored_ended(row.optional_time()?, row.optional_text()?)
}

fn counter<'r>(row: &mut impl Columns<'r>, name: &'static str) -> sqlx::Result<u32> {
    row.number()?.try_into().or_unreadable(name)
}

fn optional_string<'r>(row: &mut impl Columns<'r>) -> sqlx::Result<Option<String>> {
    Ok(row.optional_text()?.map(str::to_owned))
}
