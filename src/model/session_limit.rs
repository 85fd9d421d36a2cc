//! The limit on the sessions of one user.

/// The action when a user at the limit opens another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitPolicy {
    /// The oldest session is ended.
    EvictOldest,
    /// The session unused for longest is ended.
    EvictLeastRecent,
    /// The new session is refused.
    Reject,
}

impl LimitPolicy {
    /// The policy of that name: `evict_oldest`, `evict_least_recent` or `reject`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "evict_oldest" => Some(Self::EvictOldest),
            "evict_least_recent" => Some(Self::EvictLeastRecent),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// The limit on a user's active sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimit {
    /// The maximum, at least 1.
    pub most: u32,
    /// The action at the maximum.
    pub policy: LimitPolicy,
}
