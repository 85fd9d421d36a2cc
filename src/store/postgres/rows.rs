//! The columns of each table, the definition of active, and rows turned into what they stand for.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use uuid::Uuid;

use super::attempts::failure;
use crate::sessions::{Device, DeviceType, Metadata, Scope, Session, SessionId, SignedIn, Standing};
use crate::store::search::Dialect;
use crate::store::values::{self, OrUnreadable};
use crate::store::{EndedTogether, Result};
use crate::users::{User, UserId};

/// That a session has not been unused for too long at `$1`, or when it says.
macro_rules! not_idle {
    ($last_seen:literal) => {
        not_idle!($last_seen, "$1")
    };
    ($last_seen:literal, $at:literal) => {
        concat!("(idle_timeout IS NULL OR ", $last_seen, " + idle_timeout * interval '1 second' > ", $at, ")")
    };
}

/// Whether there is a bulk ending that is not carried out yet. Usually there is none, which is asked once a statement.
macro_rules! bulk_endings_are_open {
    () => {
        "EXISTS (SELECT FROM bulk_endings WHERE done_at IS NULL)"
    };
}

/// That no bulk ending means a session.
macro_rules! not_ended_in_bulk {
    () => {
        concat!("(NOT ", bulk_endings_are_open!(), " OR (bulk_ending_of(sessions)).at IS NULL)")
    };
}

/// What it says of the end of a session: its own row, else the bulk ending that means it.
macro_rules! end_as_it_stands {
    ($own:literal, $of_bulk_ending:literal) => {
        concat!(
            "CASE WHEN ended_at IS NULL AND ",
            bulk_endings_are_open!(),
            " THEN (bulk_ending_of(sessions)).",
            $of_bulk_ending,
            " ELSE ",
            $own,
            " END"
        )
    };
}

/// As these columns, to read a session in whatever state: one that a bulk ending means has ended.
macro_rules! as_they_stand {
    ($columns:ident) => {
        $columns!(end_as_it_stands!("ended_at", "at"), end_as_it_stands!("end_reason", "reason"))
    };
}

/// That a session is active at `$1`: the twin of `Session::state`. With arguments: as if it was last seen then, and at
/// another time.
macro_rules! active {
    () => {
        active!("last_seen_at", "$1")
    };
    ($last_seen:literal, $at:literal) => {
        concat!(
            "(ended_at IS NULL AND expires_at > ",
            $at,
            " AND ",
            not_idle!($last_seen, $at),
            " AND ",
            not_ended_in_bulk!(),
            ")"
        )
    };
}

/// The sessions of a list of requests (`asked`), locked. The limit says that each is looked up by itself.
macro_rules! locked {
    ($if_locked:literal) => {
        concat!(
            "locked AS (
                SELECT asked.* FROM asked CROSS JOIN LATERAL (
                    SELECT FROM sessions WHERE id = asked_id LIMIT 1 FOR NO KEY UPDATE ",
            $if_locked,
            "   ) AS free
             )
             "
        )
    };
}

pub(super) const DIALECT: Dialect = Dialect {
    columns: as_they_stand!(columns),
    active: active!(),
    not_idle: not_idle!("last_seen_at"),
    not_ended: concat!("(ended_at IS NULL AND ", not_ended_in_bulk!(), ")"),
    id_text: ID_TEXT,
    position: "strpos",
};

/// The id as it is written.
const ID_TEXT: &str = "id::text";

pub(super) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// A column of a list of rows to be written, as an array.
pub(super) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn column_checked<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> sqlx::Result<T>) -> sqlx::Result<Vec<T>> {
    rows.iter().map(value).collect()
}

/// Binds `$1` to `$23` to arrays of the columns of sessions.
pub(super) fn bind_sessions<'q>(query: PgQuery<'q>, sessions: &[&'q Session]) -> sqlx::Result<PgQuery<'q>> {
    Ok(query
        .bind(column(sessions, |session| session.id.as_uuid()))
        .bind(column(sessions, |session| session.user_id.as_str()))
        .bind(column(sessions, |session| session.created_at))
        .bind(column(sessions, |session| session.last_seen_at))
        .bind(column(sessions, |session| session.expires_at))
        .bind(column(sessions, |session| session.absolute_expires_at))
        .bind(column_checked(sessions, |session| values::seconds_to_store(session.idle_timeout))?)
        .bind(column(sessions, |session| session.ended.map(|ended| ended.at)))
        .bind(column(sessions, |session| session.ended.map(|ended| ended.reason.as_str())))
        .bind(column_checked(sessions, |session| values::counter_to_store(session.refresh_counter, "refresh_counter"))?)
        .bind(column_checked(sessions, |session| {
            values::counter_to_store(session.confirmed_counter, "confirmed_counter")
        })?)
        .bind(column(sessions, |session| session.client_id.as_deref()))
        .bind(column(sessions, |session| session.ip_address.map(|address| address.to_string())))
        .bind(column(sessions, |session| session.location.as_deref()))
        .bind(column(sessions, |session| session.user_agent.as_deref()))
        .bind(column(sessions, |session| session.device.kind.as_str()))
        .bind(column(sessions, |session| session.device.name.as_deref()))
        .bind(column(sessions, |session| session.device.os.as_deref()))
        .bind(column(sessions, |session| session.device.browser.as_deref()))
        .bind(column(sessions, |session| session.scope.as_str()))
        .bind(column(sessions, |session| session.acr.as_deref()))
        .bind(column_checked(sessions, |session| values::methods_to_store(&session.amr))?)
        .bind(column(sessions, |session| session.metadata.as_json())))
}

pub(super) fn session(row: &PgRow) -> sqlx::Result<Session> {
    Ok(Session {
        id: session_id(row)?,
        user_id: UserId::parse(row.try_get::<String, _>("user_id")?).or_unreadable("user_id")?,
        created_at: row.try_get("created_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        expires_at: row.try_get("expires_at")?,
        absolute_expires_at: row.try_get("absolute_expires_at")?,
        idle_timeout: row.try_get::<Option<i32>, _>("idle_timeout")?.map(|idle| TimeDelta::seconds(idle.into())),
        ended: values::stored_ended(row.try_get("ended_at")?, row.try_get("end_reason")?)?,
        refresh_counter: row.try_get::<i32, _>("refresh_counter")?.try_into().or_unreadable("refresh_counter")?,
        confirmed_counter: row.try_get::<i32, _>("confirmed_counter")?.try_into().or_unreadable("confirmed_counter")?,
        client_id: row.try_get("client_id")?,
        ip_address: values::stored_address(row.try_get("ip_address")?)?,
        location: row.try_get("location")?,
        user_agent: row.try_get("user_agent")?,
        device: Device {
            kind: DeviceType::parse(row.try_get("device_type")?).or_unreadable("device_type")?,
            name: row.try_get("device_name")?,
            os: row.try_get("os")?,
            browser: row.try_get("browser")?,
        },
        scope: Scope::parse(row.try_get("scope")?).or_unreadable("scope")?,
        acr: row.try_get("acr")?,
        amr: values::stored_methods(row.try_get("amr")?)?,
        metadata: Metadata::from_json(row.try_get("metadata")?).or_unreadable("metadata")?,
    })
}

pub(super) fn standing(row: &PgRow) -> sqlx::Result<Standing> {
    Ok(Standing {
        id: session_id(row)?,
        last_seen_at: row.try_get("last_seen_at")?,
        expires_at: row.try_get("expires_at")?,
        ended: values::stored_ended(row.try_get("ended_at")?, row.try_get("end_reason")?)?,
        refresh_counter: row.try_get::<i32, _>("refresh_counter")?.try_into().or_unreadable("refresh_counter")?,
        confirmed_counter: row.try_get::<i32, _>("confirmed_counter")?.try_into().or_unreadable("confirmed_counter")?,
    })
}

/// What each row tells of its session: one that cannot be read spoils no other's answer.
pub(super) fn each<T>(rows: &[PgRow], read: impl Fn(&PgRow) -> sqlx::Result<T>) -> Result<Vec<(SessionId, Result<T>)>> {
    let each = |row| Ok((session_id(row)?, read(row).map_err(failure)));
    rows.iter().map(each).collect::<sqlx::Result<_>>().map_err(failure)
}

pub(super) fn session_id(row: &PgRow) -> sqlx::Result<SessionId> {
    Ok(SessionId::from_uuid(row.try_get::<Uuid, _>("id")?))
}

/// The ids of the ended sessions that were active, in order, which `RETURNING` does not keep.
pub(super) fn ended_ids(rows: &[PgRow]) -> sqlx::Result<Vec<SessionId>> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        if row.try_get("was_active")? {
            ids.push(session_id(row)?);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// As [`ended_ids`]; a row without an id tells that there were too many.
pub(super) fn ended_together(rows: &[PgRow]) -> sqlx::Result<EndedTogether> {
    if let [only] = rows
        && only.try_get::<Option<Uuid>, _>("id")?.is_none()
    {
        return Ok(EndedTogether::TooMany);
    }
    ended_ids(rows).map(EndedTogether::Ended)
}

/// As [`ended_ids`], each with its user.
pub(super) fn ended_of_users(rows: &[PgRow]) -> sqlx::Result<Vec<(SessionId, UserId)>> {
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

pub(super) fn user(row: &PgRow) -> sqlx::Result<User> {
    Ok(User {
        id: UserId::parse(row.try_get::<String, _>("id")?).or_unreadable("id")?,
        name: row.try_get("name")?,
        email: row.try_get("email")?,
        banned_at: row.try_get("banned_at")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// A session joined with its user, whose columns bear the prefix `user_`; they are null when the user was deleted.
pub(super) fn signed_in(row: &PgRow) -> sqlx::Result<SignedIn> {
    let session = session(row)?;
    let created_at = row.try_get::<Option<DateTime<Utc>>, _>("user_created_at")?.unwrap_or(session.created_at);
    let user = User {
        id: session.user_id.clone(),
        name: row.try_get("user_name")?,
        email: row.try_get("user_email")?,
        banned_at: row.try_get("user_banned_at")?,
        created_at,
        updated_at: row.try_get::<Option<DateTime<Utc>>, _>("user_updated_at")?.unwrap_or(created_at),
    };
    Ok(SignedIn { session, user })
}
