//! Pieces of SQL that both databases read alike.

/// The columns of a session, in the order that each store's `bind_session` binds them.
macro_rules! columns {
    () => {
        "id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at, end_reason, \
         refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, device_type, device_name, \
         device_model, os, os_version, browser, browser_version, scope, acr, amr, metadata, opened_by, \
         authenticated_at, least_counter, claims, place, last_ip_address, last_place"
    };
    // The same columns, with other expressions for the time and the reason of the end.
    ($ended_at:expr, $end_reason:expr) => {
        concat!(
            "id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ",
            $ended_at,
            " AS ended_at, ",
            $end_reason,
            " AS end_reason, refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, \
             device_type, device_name, device_model, os, os_version, browser, browser_version, scope, acr, amr, \
             metadata, opened_by, authenticated_at, least_counter, claims, place, last_ip_address, last_place"
        )
    };
}

/// The columns of a `SessionStatus`, with expressions for the time and the reason of the end.
macro_rules! standing_columns {
    ($ended_at:expr, $end_reason:expr) => {
        concat!(
            "id, last_seen_at, expires_at, ",
            $ended_at,
            " AS ended_at, ",
            $end_reason,
            " AS end_reason, refresh_counter, confirmed_counter, least_counter"
        )
    };
}

macro_rules! user_columns {
    () => {
        "id, name, email, banned_at, created_at, updated_at, ban_reason"
    };
}

/// The condition that the bulk ending `b` applies to a session.
macro_rules! covered {
    () => {
        concat!(
            "(sessions.created_at <= b.opened_until AND (b.opened_from IS NULL OR sessions.created_at >= b.opened_from) \
              AND (b.user_id IS NULL OR b.user_id = sessions.user_id) \
              AND (b.client_id IS NULL OR b.client_id = sessions.client_id) \
              AND (b.device_type IS NULL OR b.device_type = sessions.device_type) \
              AND (b.ip_address IS NULL OR b.ip_address = sessions.ip_address) \
              AND (b.ip_first IS NULL OR ",
            in_network!("sessions.ip_address", "b.ip_first", "b.ip_last"),
            ") AND (b.opened_by IS NULL OR b.opened_by = sessions.opened_by) \
              AND (b.browser IS NULL OR b.browser = sessions.browser) AND (b.os IS NULL OR b.os = sessions.os) \
              AND (b.except_id IS NULL OR b.except_id <> sessions.id))"
        )
    };
}

/// The condition that the row of a session has data that `erase_person!` erases. The columns that statistics count by
/// are kept.
macro_rules! describes_a_person {
    () => {
        "(coalesce(ip_address, location, user_agent, device_name, device_model, os, os_version, browser, \
         browser_version, claims, place, last_ip_address, last_place) IS NOT NULL OR metadata <> '{}')"
    };
}

macro_rules! erase_person {
    () => {
        "UPDATE sessions SET ip_address = NULL, location = NULL, user_agent = NULL, device_name = NULL, \
         device_model = NULL, os = NULL, os_version = NULL, browser = NULL, browser_version = NULL, metadata = '{}', \
         claims = NULL, place = NULL, last_ip_address = NULL, last_place = NULL"
    };
}

/// The `late_repeats` of a session that was repeated late in two generations in a row, and not yet in the present one.
macro_rules! late_repeats_before_the_last {
    () => {
        "4"
    };
}
