//! Pieces of SQL that both databases read alike: the columns, and which sessions a bulk ending means.

/// The columns of a session, in the order that each store's `bind_session` binds them.
macro_rules! columns {
    () => {
        "id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at, end_reason, \
         refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, device_type, device_name, \
         os, browser, scope, acr, amr, metadata"
    };
}

/// That the bulk ending `b` means a session.
macro_rules! covered {
    () => {
        "(sessions.created_at <= b.opened_until AND (b.opened_from IS NULL OR sessions.created_at >= b.opened_from) \
          AND (b.user_id IS NULL OR b.user_id = sessions.user_id) \
          AND (b.client_id IS NULL OR b.client_id = sessions.client_id) \
          AND (b.device_type IS NULL OR b.device_type = sessions.device_type) \
          AND (b.ip_address IS NULL OR b.ip_address = sessions.ip_address) \
          AND (b.except_id IS NULL OR b.except_id <> sessions.id))"
    };
}

/// What the bulk ending says that means a session and is not carried out yet; null when there is none.
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

/// That no bulk ending means a session. Usually there is none at all, which is asked once a statement.
macro_rules! not_ended_in_bulk {
    () => {
        concat!("(NOT EXISTS (SELECT 1 FROM bulk_endings WHERE done_at IS NULL) OR ", bulk_ending!("b.at"), " IS NULL)")
    };
}

/// As `columns`, to read a session in whatever state: one that a bulk ending means has ended.
macro_rules! columns_as_they_stand {
    () => {
        concat!(
            "id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, coalesce(ended_at, ",
            bulk_ending!("b.at"),
            ") AS ended_at, coalesce(end_reason, ",
            bulk_ending!("b.reason"),
            ") AS end_reason, refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, \
              device_type, device_name, os, browser, scope, acr, amr, metadata"
        )
    };
}

macro_rules! user_columns {
    () => {
        "id, name, email, banned_at, created_at, updated_at"
    };
}
