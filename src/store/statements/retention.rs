//! Rows past their retention.

pub(in crate::store) const DELETE_BULK_ENDINGS: &str = "DELETE FROM bulk_endings WHERE done_at <= $1";

pub(in crate::store) const COUNT_ENDED: &str = "SELECT count(*) FROM sessions WHERE expires_at <= $1 OR ended_at <= $1";
