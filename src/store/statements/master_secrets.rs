//! Master secrets, and the steps of their rotation.

use crate::store::columns::StoredRow;
use crate::store::contract::{SessionsOpened, UsedSecret};
use crate::store::values::OrUnreadable as _;
use crate::tokens::SecretId;

pub(in crate::store) const LIST_USED_SECRETS: &str = "SELECT id, last_used_at FROM master_secrets ORDER BY id";

pub(in crate::store) const REPLACE_SEAL: &str = "UPDATE signing_keys SET sealed = $3 WHERE kid = $1 AND sealed = $2";

/// Counts the sessions active at `$1` that were opened at `$2` or before.
macro_rules! count_sessions_opened {
    () => {
        concat!(
            "SELECT count(*) AS count, max(absolute_expires_at) AS last_end FROM sessions WHERE created_at <= $2 AND ",
            active!()
        )
    };
}

pub(in crate::store) fn used_secret(row: &impl StoredRow) -> sqlx::Result<UsedSecret> {
    let id = SecretId::parse(row.named("id")?).or_unreadable("id")?;
    Ok(UsedSecret { id, last_used_at: row.time("last_used_at")? })
}

pub(in crate::store) fn sessions_opened(row: &impl StoredRow) -> sqlx::Result<SessionsOpened> {
    let count = row.named::<i64>("count")?.unsigned_abs();
    Ok(SessionsOpened { count, last_end: row.optional_time("last_end")? })
}
