//! The columns of each table, the definition of active, and the decoding of rows.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use uuid::Uuid;

use super::failure::failure;
use crate::model::{ExtraClaims, LogPosition, LoggedChange, Session, SessionId};
use crate::store::columns;
use crate::store::contract::{EndedAtOnce, Result};
use crate::store::search::Dialect;
use crate::store::values;

/// The condition that a session is not idle at `$1`, or at the given time. The condition is immutable for PostgreSQL, because
/// a difference of two times does not depend on the time zone; a time plus an interval would.
macro_rules! not_idle {
    ($last_seen:literal) => {
        not_idle!($last_seen, "$1")
    };
    ($last_seen:literal, $at:literal) => {
        concat!("(idle_timeout IS NULL OR ", $at, " - ", $last_seen, " < idle_timeout * interval '1 second')")
    };
}

/// The condition that a bulk ending is open: not fully applied. Usually none is, which a statement checks once.
macro_rules! bulk_endings_are_open {
    () => {
        "EXISTS (SELECT FROM bulk_endings WHERE done_at IS NULL)"
    };
}

/// The condition that an address is in a network, given by the first and the last address.
macro_rules! in_network {
    ($address:literal, $first:literal, $last:literal) => {
        concat!($address, "::inet BETWEEN ", $first, "::inet AND ", $last, "::inet")
    };
}

/// A column of the first open bulk ending that covers a session.
macro_rules! bulk_ending {
    ($what:literal) => {
        concat!(
            "(bulk_ending_of(sessions.id, sessions.user_id, sessions.created_at, sessions.client_id, \
              sessions.device_type, sessions.ip_address, sessions.opened_by, sessions.browser, sessions.os)).",
            $what
        )
    };
}

/// The condition that no open bulk ending covers a session.
macro_rules! not_ended_in_bulk {
    () => {
        concat!("(NOT ", bulk_endings_are_open!(), " OR ", bulk_ending!("at"), " IS NULL)")
    };
}

/// A column of the end of a session: from its own row, else from the bulk ending that covers it.
macro_rules! end_as_it_stands {
    ($own:literal, $of_bulk_ending:literal) => {
        concat!(
            "CASE WHEN ended_at IS NULL AND ",
            bulk_endings_are_open!(),
            " THEN ",
            bulk_ending!($of_bulk_ending),
            " ELSE ",
            $own,
            " END"
        )
    };
}

/// The given columns of a session in any state: one that an open bulk ending covers reads as ended.
macro_rules! as_they_stand {
    ($columns:ident) => {
        $columns!(end_as_it_stands!("ended_at", "at"), end_as_it_stands!("end_reason", "reason"))
    };
}

/// The condition that a session is active at `$1`, the twin of `Session::state`. The arguments replace the time of its
/// last use and the present time.
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

/// The sessions of a list of requests (`asked`), locked. The LIMIT makes the planner look up each by itself.
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
    // The planner's estimate for a CASE does not depend on bound values, so a generic plan is as good as a custom one.
    active_unseen: concat!("CASE WHEN ", active!(), " THEN TRUE ELSE FALSE END"),
    not_idle: not_idle!("last_seen_at"),
    not_ended: concat!("(ended_at IS NULL AND ", not_ended_in_bulk!(), ")"),
    id_text: ID_TEXT,
    position: "strpos",
    in_network: in_network!("ip_address", "{first}", "{last}"),
    one_of: "user_id = ANY({users})",
    // With the collation "C", ASCII letters alone have two cases, as in SQLite.
    name_folded: "lower(name COLLATE \"C\")",
    email_folded: "lower(email COLLATE \"C\")",
};

/// The expression for the id as text.
const ID_TEXT: &str = "id::text";

pub(super) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// A column of a list of rows to be written, as an array.
pub(super) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

pub(super) fn column_checked<'a, R, T>(
    rows: &'a [R],
    value: impl Fn(&'a R) -> sqlx::Result<T>,
) -> sqlx::Result<Vec<T>> {
    rows.iter().map(value).collect()
}

/// Binds `$1` to `$33` to arrays of the columns of sessions.
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
        .bind(column(sessions, |session| session.device.model.as_deref()))
        .bind(column(sessions, |session| session.device.os.as_deref()))
        .bind(column(sessions, |session| session.device.os_version.as_deref()))
        .bind(column(sessions, |session| session.device.browser.as_deref()))
        .bind(column(sessions, |session| session.device.browser_version.as_deref()))
        .bind(column(sessions, |session| session.scope.as_str()))
        .bind(column(sessions, |session| session.acr.as_deref()))
        .bind(column_checked(sessions, |session| values::texts_to_store(&session.amr))?)
        .bind(column(sessions, |session| session.metadata.as_json()))
        .bind(column(sessions, |session| session.opened_by.map(|opener| opener.to_string())))
        .bind(column(sessions, |session| session.authenticated_at))
        .bind(column_checked(sessions, |session| values::counter_to_store(session.least_counter, "least_counter"))?)
        .bind(column(sessions, |session| session.claims.as_ref().map(ExtraClaims::as_json)))
        .bind(column_checked(sessions, |session| values::place_to_store(session.place.as_ref()))?)
        .bind(column(sessions, |session| values::address_to_store(session.last_seen_from.as_ref())))
        .bind(column_checked(sessions, |session| values::last_place_to_store(session.last_seen_from.as_ref()))?))
}

/// Decodes the row of each session. A row that cannot be decoded spoils no other answer.
pub(super) fn each<T>(rows: &[PgRow], read: impl Fn(&PgRow) -> sqlx::Result<T>) -> Result<Vec<(SessionId, Result<T>)>> {
    let each = |row| Ok((columns::session_id(row)?, read(row).map_err(failure)));
    rows.iter().map(each).collect::<sqlx::Result<_>>().map_err(failure)
}

/// The ids that [`columns::ended_ids`] returns. A row without an id means that there were too many.
pub(super) fn ended_together(rows: &[PgRow]) -> sqlx::Result<EndedAtOnce> {
    if let [only] = rows
        && only.try_get::<Option<Uuid>, _>("id")?.is_none()
    {
        return Ok(EndedAtOnce::TooMany);
    }
    columns::ended_ids(rows).map(EndedAtOnce::Ended)
}

/// The columns of a change. The text of the transaction number has the alias of the column, so ORDER BY must name the
/// table.
macro_rules! change_columns {
    () => {
        "transaction_id::text::bigint AS transaction_id, sequence, kind, subject_id, user_id, reason, at"
    };
}

pub(super) fn change(row: &PgRow) -> sqlx::Result<LoggedChange> {
    let position = LogPosition { transaction: row.try_get("transaction_id")?, sequence: row.try_get("sequence")? };
    Ok(LoggedChange { position, change: columns::change(row)? })
}
