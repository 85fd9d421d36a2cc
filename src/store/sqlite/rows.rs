//! The columns of each table, the definition of active, and the decoding of rows.

use serde::Serialize;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, SqliteExecutor};

use crate::model::{ExtraClaims, Session, SessionId, Touch};
use crate::store::search::Dialect;
use crate::store::stored_time::StoredTime;
use crate::store::values;

/// The condition that a session is not idle at `$1`.
macro_rules! not_idle {
    ($last_seen:literal) => {
        concat!("(idle_timeout IS NULL OR $1 - ", $last_seen, " < idle_timeout * 1000000)")
    };
}

/// The condition that an address is in a network, given by the first and the last address. The collation is ours.
macro_rules! in_network {
    ($address:literal, $first:literal, $last:literal) => {
        concat!($address, " COLLATE address BETWEEN ", $first, " AND ", $last)
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
    in_network: in_network!("ip_address", "{first}", "{last}"),
    one_of: "user_id IN (SELECT value FROM json_each({users}))",
    name_folded: "lower(name)",
    email_folded: "lower(email)",
};

/// The expression for the id as text.
const ID_TEXT: &str = "(lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) \
                       || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)))";

pub(super) type SqliteQuery<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds `$1` to `$33` to the columns of a session.
pub(super) fn bind_session<'q>(query: SqliteQuery<'q>, session: &'q Session) -> sqlx::Result<SqliteQuery<'q>> {
    Ok(query
        .bind(session.id.as_uuid())
        .bind(session.user_id.as_str())
        .bind(StoredTime(session.created_at))
        .bind(StoredTime(session.last_seen_at))
        .bind(StoredTime(session.expires_at))
        .bind(StoredTime(session.absolute_expires_at))
        .bind(values::seconds_to_store(session.idle_timeout)?)
        .bind(session.ended.map(|ended| StoredTime(ended.at)))
        .bind(session.ended.map(|ended| ended.reason.as_str()))
        .bind(values::counter_to_store(session.refresh_counter, "refresh_counter")?)
        .bind(values::counter_to_store(session.confirmed_counter, "confirmed_counter")?)
        .bind(&session.client_id)
        .bind(session.ip_address.map(|address| address.to_string()))
        .bind(&session.location)
        .bind(&session.user_agent)
        .bind(session.device.kind.as_str())
        .bind(&session.device.name)
        .bind(&session.device.model)
        .bind(&session.device.os)
        .bind(&session.device.os_version)
        .bind(&session.device.browser)
        .bind(&session.device.browser_version)
        .bind(session.scope.as_str())
        .bind(&session.acr)
        .bind(values::texts_to_store(&session.amr)?)
        .bind(session.metadata.as_json())
        .bind(session.opened_by.map(|opener| opener.to_string()))
        .bind(StoredTime(session.authenticated_at))
        .bind(values::counter_to_store(session.least_counter, "least_counter")?)
        .bind(session.claims.as_ref().map(ExtraClaims::as_json))
        .bind(values::place_to_store(session.place.as_ref())?)
        .bind(values::address_to_store(session.last_seen_from.as_ref()))
        .bind(values::last_place_to_store(session.last_seen_from.as_ref())?))
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

/// Ids as one value, because SQLite binds no lists.
pub(super) fn json_of_ids(ids: &[SessionId]) -> sqlx::Result<String> {
    json(ids.iter().map(|id| hex(*id)).collect::<Vec<_>>())
}

/// Touches as one value: id, time, counter, address and place of each.
pub(super) fn json_of_touches(touches: &[Touch]) -> sqlx::Result<String> {
    let touch = |Touch { id, seen_at, counter, seen_from }: &Touch| {
        let from = seen_from.as_ref();
        let (address, place) = (values::address_to_store(from), values::last_place_to_store(from)?);
        Ok((hex(*id), StoredTime(*seen_at).microseconds(), values::seen_counter(*counter), address, place))
    };
    json(touches.iter().map(touch).collect::<sqlx::Result<Vec<_>>>()?)
}

fn hex(id: SessionId) -> String {
    id.as_uuid().simple().to_string()
}

fn json(list: impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(&list).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
