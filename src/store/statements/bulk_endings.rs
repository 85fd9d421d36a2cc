//! Bulk endings.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::model::{BulkEnding, DeviceType, Filter, Range, SessionId, UserId};
use crate::store::columns::StoredRow;
use crate::store::values::{self, OrUnreadable as _};

pub(in crate::store) const LIST_BULK_ENDINGS: &str = "
    SELECT at, reason, opened_until, opened_from, user_id, client_id, device_type, ip_address, opened_by, except_id
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
            ip_address: values::stored_address(row.named("ip_address")?)?,
            opened_by: values::stored_opener(row.named("opened_by")?)?,
            created: Range { from: row.optional_time("opened_from")?, to: Some(to) },
            ..Filter::default()
        },
        except: row.named::<Option<Uuid>>("except_id")?.map(SessionId::from_uuid),
        ended: values::stored_ended(row.optional_time("at")?, row.named("reason")?)?.or_unreadable("at")?,
    })
}
