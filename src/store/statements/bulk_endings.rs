//! Bulk endings.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::model::{BulkEnding, DeviceType, Filter, Network, Range, SessionId, UserId};
use crate::store::columns::StoredRow;
use crate::store::values::{self, OrUnreadable as _};

pub(in crate::store) const LIST_BULK_ENDINGS: &str = "
    SELECT at, reason, opened_until, opened_from, user_id, client_id, device_type, ip_address, ip_first, ip_last,
        opened_by, browser, os, except_id
    FROM bulk_endings WHERE at >= $1 ORDER BY sequence";

/// The newest opening that any bulk ending covers.
pub(in crate::store) const NEWEST_BULK_ENDING: &str = "SELECT max(opened_until) FROM bulk_endings";

pub(in crate::store) fn bulk_ending(row: &impl StoredRow) -> sqlx::Result<BulkEnding> {
    // A range ends before its end.
    let to = row.time("opened_until")? + TimeDelta::microseconds(1);
    let user_id = row.named::<Option<&str>>("user_id")?.map(UserId::parse).transpose();
    let device_type = row.named::<Option<&str>>("device_type")?;
    let device_type = device_type.map(DeviceType::stored);
    Ok(BulkEnding {
        filter: Filter {
            user_id: user_id.or_unreadable("user_id")?,
            client_id: row.named("client_id")?,
            device_type,
            ip_address: network(row)?,
            opened_by: values::stored_opener(row.named("opened_by")?)?,
            browser: row.named("browser")?,
            os: row.named("os")?,
            created: Range { from: row.optional_time("opened_from")?, to: Some(to) },
            ..Filter::default()
        },
        except: row.named::<Option<Uuid>>("except_id")?.map(SessionId::from_uuid),
        ended: values::stored_ended(row.optional_time("at")?, row.named("reason")?)?.or_unreadable("at")?,
    })
}

/// A network as it is stored: a single address in one column, else the first and the last in two others, which servers
/// that know single addresses alone refuse to apply.
pub(in crate::store) fn network_to_store(network: Option<Network>) -> [Option<String>; 3] {
    match network.map(|network| (network, network.only_address())) {
        None => [None, None, None],
        Some((_, Some(address))) => [Some(address.to_string()), None, None],
        Some((network, None)) => [None, Some(network.first().to_string()), Some(network.last().to_string())],
    }
}

fn network(row: &impl StoredRow) -> sqlx::Result<Option<Network>> {
    let address = |column| values::stored_address(row.named(column)?);
    if let Some(address) = address("ip_address")? {
        return Ok(Some(address.into()));
    }
    match (address("ip_first")?, address("ip_last")?) {
        (None, None) => Ok(None),
        (first, last) => {
            first.zip(last).and_then(|(first, last)| Network::between(first, last)).or_unreadable("ip_first").map(Some)
        }
    }
}

/// The users that a bulk ending is stored for, a row for each; `None`: one row for whatever user.
pub(in crate::store) fn users(filter: &Filter) -> Vec<Option<&UserId>> {
    match (&filter.user_id, &filter.users) {
        (user, None) => vec![user.as_ref()],
        (None, Some(users)) => users.iter().map(Some).collect(),
        (Some(user), Some(users)) => users.iter().filter(|other| *other == user).map(Some).collect(),
    }
}
