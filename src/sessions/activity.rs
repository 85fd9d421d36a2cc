//! When sessions were last used, without a write per use.
//!
//! A use is remembered here and written now and then, all together. Until then this process knows better than the
//! store, and says so wherever it shows or judges a session. What a crash loses is at most one interval, and it only
//! makes a session look older than it is by that much.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Session, SessionId};

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

/// The uses that are not written yet.
#[derive(Debug, Default)]
pub struct Activity {
    pending: Mutex<HashMap<SessionId, Touch>>,
}

/// The most uses kept; past it a use is not remembered, and the session looks unused for that long.
const MOST_PENDING: usize = 100_000;
/// A use is written at most this often for a session.
const INTERVAL: TimeDelta = TimeDelta::seconds(60);

impl Activity {
    /// Remembers that `session` was used at `now` with a token of refresh counter `counter`.
    ///
    /// A use soon after the last written one is not worth a write: `INTERVAL`, or a quarter of the idle timeout where
    /// that is shorter. The first access token of a refresh always is, because it tells that the refresh arrived.
    pub fn note(&self, session: &Session, counter: u32, now: DateTime<Utc>) {
        let interval = session.idle_timeout.map_or(INTERVAL, |idle| INTERVAL.min(idle / 4));
        let refresh_arrived = counter > session.confirmed_counter;
        let mut pending = self.lock();
        let room = pending.len() < MOST_PENDING;
        if let Some(touch) = pending.get_mut(&session.id) {
            touch.seen_at = touch.seen_at.max(now);
            touch.counter = touch.counter.max(counter);
        } else if room && (now - session.last_seen_at >= interval || refresh_arrived) {
            pending.insert(session.id, Touch { id: session.id, seen_at: now, counter });
        }
    }

    /// Brings `last_seen_at` of a session read from the store up to what this process knows.
    pub fn overlay(&self, session: &mut Session) {
        if let Some(touch) = self.lock().get(&session.id) {
            session.last_seen_at = session.last_seen_at.max(touch.seen_at);
        }
    }

    /// What this process knows of the session's use and has not written yet.
    pub fn seen(&self, id: SessionId) -> Option<Touch> {
        self.lock().get(&id).copied()
    }

    /// Takes up to `most` uses, in the order of their ids, so that two processes writing the same sessions lock them in
    /// the same order.
    pub fn take(&self, most: usize) -> Vec<Touch> {
        let mut pending = self.lock();
        let mut ids: Vec<SessionId> = pending.keys().copied().collect();
        ids.sort_unstable();
        ids.truncate(most);
        ids.iter().filter_map(|id| pending.remove(id)).collect()
    }

    /// Takes back uses that could not be written, unless newer ones have come.
    pub fn give_back(&self, touches: Vec<Touch>) {
        let mut pending = self.lock();
        for touch in touches {
            let kept = pending.entry(touch.id).or_insert(touch);
            kept.seen_at = kept.seen_at.max(touch.seen_at);
            kept.counter = kept.counter.max(touch.counter);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Touch>> {
        self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
