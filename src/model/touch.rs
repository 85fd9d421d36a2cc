//! The use of a session, as it is written to the store.

use chrono::{DateTime, Utc};

use super::session_id::SessionId;

/// A use of one session, to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// Which session.
    pub id: SessionId,
    /// When it was last used.
    pub seen_at: DateTime<Utc>,
    /// The highest refresh counter among the access tokens seen: proof that its holder got that refresh too.
    pub counter: u32,
}
