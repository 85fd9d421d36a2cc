//! Pieces of SQL that both databases read alike: the columns of the tables.

/// The columns of a session, in the order that each store's `bind_session` binds them.
macro_rules! columns {
    () => {
        "id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at, end_reason, \
         refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, device_type, device_name, \
         os, browser, scope, acr, amr, metadata"
    };
    // With another expression for how it ended.
    ($ended_at:expr, $end_reason:expr) => {
        concat!(
            "id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ",
            $ended_at,
            " AS ended_at, ",
            $end_reason,
            " AS end_reason, refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, \
             device_type, device_name, os, browser, scope, acr, amr, metadata"
        )
    };
}

/// The columns of a session's standing, with an expression for how it ended.
macro_rules! standing_columns {
    ($ended_at:expr, $end_reason:expr) => {
        concat!(
            "id, last_seen_at, expires_at, ",
            $ended_at,
            " AS ended_at, ",
            $end_reason,
            " AS end_reason, refresh_counter, confirmed_counter"
        )
    };
}

macro_rules! user_columns {
    () => {
        "id, name, email, banned_at, created_at, updated_at"
    };
}
