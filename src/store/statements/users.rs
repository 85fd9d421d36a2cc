//! Users, and the erasure of their data.

pub(in crate::store) const FIND_USER: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");

pub(in crate::store) const PUT_USER: &str = concat!(
    "INSERT INTO users AS u (id, name, email, created_at, updated_at) VALUES ($2, $3, $4, $1, $1)
     ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, u.name),
        email = coalesce(excluded.email, u.email),
        updated_at = CASE WHEN (coalesce(excluded.name, u.name), coalesce(excluded.email, u.email))
                IS DISTINCT FROM (u.name, u.email)
            THEN excluded.updated_at ELSE u.updated_at END
     RETURNING ",
    user_columns!()
);

pub(in crate::store) const DELETE_USER: &str = "DELETE FROM users WHERE id = $1";

pub(in crate::store) const BAN_USER: &str = concat!(
    "INSERT INTO users AS u (id, banned_at, ban_reason, created_at, updated_at) VALUES ($2, $1, $3, $1, $1)
     ON CONFLICT (id) DO UPDATE SET banned_at = coalesce(u.banned_at, excluded.banned_at),
        ban_reason = CASE WHEN u.banned_at IS NULL THEN excluded.ban_reason
            ELSE coalesce(excluded.ban_reason, u.ban_reason) END,
        updated_at = CASE WHEN u.banned_at IS NULL
                OR coalesce(excluded.ban_reason, u.ban_reason) IS DISTINCT FROM u.ban_reason
            THEN excluded.updated_at ELSE u.updated_at END
     RETURNING ",
    user_columns!()
);

pub(in crate::store) const UNBAN_USER: &str = concat!(
    "UPDATE users SET banned_at = NULL, ban_reason = NULL,
        updated_at = CASE WHEN banned_at IS NULL THEN updated_at ELSE $1 END
     WHERE id = $2
     RETURNING ",
    user_columns!()
);

/// Erases the address and the device that the bulk endings of a user name.
pub(in crate::store) const ERASE_BULK_ENDINGS: &str = "
    UPDATE bulk_endings SET ip_address = NULL, ip_first = NULL, ip_last = NULL, browser = NULL, os = NULL
    WHERE user_id = $1 AND coalesce(ip_address, ip_first, browser, os) IS NOT NULL";
