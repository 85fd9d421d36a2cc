//! When sessions were last used, without a write per use.
//!
//! A use is remembered here and written now and then, all together. Until it is written this process knows better than
//! the store, and says so wherever it shows or judges a session. What a crash loses is at most one interval, and it only
//! makes a session look older than it is by that much.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Session, SessionId, Touch};

/// A use that is not written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The session.
    pub id: SessionId,
    /// See [`Touch::seen_at`].
    pub seen_at: DateTime<Utc>,
    /// See [`Touch::counter`].
    pub counter: u32,
    /// The whole address, if another one is stored.
    pub address: Option<IpAddr>,
}

/// The address of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Not known.
    Unknown,
    /// The last address that is stored.
    Known,
    /// Another one.
    New(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    used: Use,
    /// The expiry of the session. Its user's data may be erased afterwards without an ending, and must not come back.
    expires_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    interval: TimeDelta,
}

/// The uses that are not written yet, by session: in several parts, so that whoever looks through all of them holds up few.
#[derive(Debug, Default)]
pub struct Activity {
    parts: [Part; PARTS],
}

type Part = Mutex<HashMap<SessionId, Pending>>;

const PARTS: usize = 32;
/// The most uses kept in a part; past it a use is not remembered, and the session looks unused for that long.
const MAX_PENDING: usize = 500_000 / PARTS;
/// A use is written at most this often for a session.
const INTERVAL: TimeDelta = TimeDelta::seconds(60);
/// Longer than a due use waits for its turn to be written.
const WRITING_MARGIN: TimeDelta = TimeDelta::seconds(10);

impl Activity {
    /// Remembers that `session`, as stored, was used at `now` with a token of refresh counter `counter`, and brings its
    /// `last_seen_at` up to that, as [`Activity::overlay`] does. Of the addresses only the last one is remembered.
    ///
    /// The write is due one interval after the stored use: `INTERVAL`, or a quarter of the idle timeout where that is
    /// shorter. The first access token of a refresh is due at once, because it proves that the refresh arrived.
    pub fn note(&self, session: &mut Session, counter: u32, origin: Origin, now: DateTime<Utc>) {
        let interval = session.idle_timeout.map_or(INTERVAL, |idle| INTERVAL.min(idle / 4));
        let refresh_arrived = counter > session.confirmed_counter;
        let due_at = if refresh_arrived { now } else { session.last_seen_at + interval };
        let used = Use { id: session.id, seen_at: now, counter, address: None };
        let expires_at = session.expires_at;
        let mut pending = self.part(session.id);
        let room = pending.len() < MAX_PENDING;
        let known = match pending.entry(session.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) if room => vacant.insert(Pending { used, expires_at, due_at, interval }),
            Entry::Vacant(_) => return,
        };
        known.used.seen_at = known.used.seen_at.max(now);
        known.used.counter = known.used.counter.max(counter);
        known.expires_at = session.expires_at;
        match origin {
            Origin::Unknown => {}
            Origin::Known => known.used.address = None,
            Origin::New(address) => known.used.address = Some(address),
        }
        known.due_at = known.due_at.min(due_at);
        session.last_seen_at = session.last_seen_at.max(known.used.seen_at);
    }

    /// Whether this use must be written before it is answered: the store would soon take the session for idle, and
    /// other processes with it, sooner than a due use is written.
    pub fn is_urgent(session: &Session, now: DateTime<Utc>) -> bool {
        session.idle_timeout.is_some_and(|idle| session.last_seen_at + idle <= now + WRITING_MARGIN)
    }

    /// Brings `last_seen_at` of a session read from the store up to what this process knows.
    pub fn overlay(&self, session: &mut Session) {
        if let Some(pending) = self.part(session.id).get(&session.id) {
            session.last_seen_at = session.last_seen_at.max(pending.used.seen_at);
        }
    }

    /// The session's use that is not written yet.
    pub fn seen(&self, id: SessionId) -> Option<Use> {
        self.part(id).get(&id).map(|pending| pending.used)
    }

    /// The uses that are due at `now`, or all of them, in the order of their sessions' ids, so that two processes
    /// writing the same sessions lock them in the same order. They stay known until [`Activity::written`].
    pub fn due(&self, now: DateTime<Utc>, all: bool) -> Vec<Use> {
        let mut due = Vec::new();
        for part in &self.parts {
            let is_due = |pending: &&Pending| all || pending.due_at <= now;
            let used = |pending: &Pending| Use {
                address: pending.used.address.filter(|_| now < pending.expires_at),
                ..pending.used
            };
            due.extend(lock(part).values().filter(is_due).map(used));
        }
        due.sort_unstable_by_key(|used| used.id);
        due
    }

    /// Forgets uses that were written; newer ones of the same sessions wait for their turn.
    pub fn written(&self, touches: &[Touch]) {
        for touch in touches {
            let mut pending = self.part(touch.id);
            match pending.get_mut(&touch.id) {
                Some(known) if (known.used.seen_at, known.used.counter) != (touch.seen_at, touch.counter) => {
                    known.due_at = touch.seen_at + known.interval;
                }
                Some(_) => drop(pending.remove(&touch.id)),
                None => {}
            }
        }
    }

    fn part(&self, id: SessionId) -> MutexGuard<'_, HashMap<SessionId, Pending>> {
        // The last bits of an id are random.
        let [.., last] = id.as_uuid().into_bytes();
        let [part, ..] = &self.parts;
        lock(self.parts.get(usize::from(last) % PARTS).unwrap_or(part))
    }
}

fn lock(part: &Part) -> MutexGuard<'_, HashMap<SessionId, Pending>> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
