//! The pools of connections, and their shares.

use std::time::Duration;

use super::contract::Pool;

/// Time limit of a search.
pub(super) const SEARCH_TIME: Duration = Duration::from_secs(2);

/// Divides the connections into those for everything else and those for searches.
pub(super) fn divide(connections: u32) -> (u32, u32) {
    let searching = (connections / 4).clamp(1, 4);
    (connections.saturating_sub(searching).max(1), searching)
}

impl Pool {
    pub(super) fn of<DB: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<DB>) -> Self {
        let idle = pool.num_idle();
        Self { name, in_use: (pool.size() as usize).saturating_sub(idle), idle }
    }
}
