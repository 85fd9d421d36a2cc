//! The limit on the sessions of one user.

/// What happens when a user has as many sessions as allowed and opens another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitPolicy {
    /// The session opened first makes place.
    EvictOldest,
    /// The session unused for longest makes place.
    EvictLeastRecent,
    /// The new one is refused.
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

/// How many active sessions a user may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimit {
    /// The most, at least 1.
    pub most: u32,
    /// What happens at the most.
    pub policy: LimitPolicy,
}
