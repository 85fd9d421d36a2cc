//! The use of a session, as it is written to the store.

use chrono::{DateTime, Utc};

use super::place::Whereabouts;
use super::session_id::SessionId;

/// A use of a session, to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// The session.
    pub id: SessionId,
    /// The time of the last use.
    pub seen_at: DateTime<Utc>,
    /// The highest refresh counter in the access tokens seen: proof that the client received the answer to that
    /// refresh.
    pub counter: u32,
    /// The address and place of the last use; `None`: unknown, or as stored.
    pub seen_from: Option<Whereabouts>,
}
