//! The cache of sessions and service keys that were valid when they were read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::invalidations::{Epoch, Invalidations, Trust};
use super::packed::Packed;
use crate::model::{ServiceKeyId, SessionId, SignedIn, Touch, UserId};
use crate::tokens::StoredServiceKey;

/// The most service keys in the cache; programs have few.
const MAX_KEYS: usize = 1000;
/// The size of an entry besides its texts, with its slot in the table, in bytes.
const COPY_BYTES: usize = 256;
/// The size of a usual session's entry, in bytes, from which the number of slots in the table follows.
const USUAL_BYTES: usize = 512;

/// The age at which an entry is read again, even if an invalidation was missed: the last line of defence.
const MAX_AGE: Duration = Duration::from_mins(5);

/// An entry, with the epoch and the time of the read that it comes from.
#[derive(Debug, Clone)]
struct Entry<T> {
    value: T,
    epoch: Epoch,
    read_at: Instant,
}

impl<T> Entry<T> {
    fn new(value: T, epoch: Epoch) -> Self {
        Self { value, epoch, read_at: Instant::now() }
    }

    fn is_young(&self) -> bool {
        self.read_at.elapsed() < MAX_AGE
    }
}

/// An entry that was found.
pub struct Hit<T> {
    /// The value of the entry.
    pub value: T,
    /// Whether the entry is current. Otherwise it only counts while the store does not answer (stale-if-error).
    pub authoritative: bool,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<SessionId, Arc<Entry<Packed>>> for ByBytes {
    fn weight(&self, _: &SessionId, entry: &Arc<Entry<Packed>>) -> u64 {
        u64::try_from(COPY_BYTES + entry.value.text_bytes()).unwrap_or(u64::MAX)
    }
}

/// The entries of this process.
pub struct SessionCache {
    sessions: Option<Cache<SessionId, Arc<Entry<Packed>>, ByBytes>>,
    keys: Cache<ServiceKeyId, Entry<Arc<StoredServiceKey>>>,
    invalidations: Invalidations,
}

impl SessionCache {
    /// A cache for about `bytes` of sessions; 0 turns it off.
    pub fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes).unwrap_or(usize::MAX) / USUAL_BYTES;
        Self {
            sessions: (bytes > 0).then(|| Cache::with_weighter(expected, bytes, ByBytes)),
            keys: Cache::new(MAX_KEYS),
            invalidations: Invalidations::new(),
        }
    }

    /// The present epoch, which a reader notes before it reads the store for an entry.
    pub fn epoch(&self) -> Epoch {
        self.invalidations.epoch()
    }

    /// Adds a session that was active when it was read.
    pub fn keep_session(&self, signed_in: &SignedIn, epoch: Epoch) {
        if let Some(sessions) = &self.sessions
            && let Some(value) = Packed::pack(signed_in)
        {
            sessions.insert(signed_in.session.id, Arc::new(Entry::new(value, epoch)));
        }
    }

    /// The entry of a session, unless it is too old.
    pub fn session(&self, id: SessionId) -> Option<Hit<SignedIn>> {
        let authoritative = self.authoritative()?;
        let entry = self.sessions.as_ref()?.get(&id)?;
        let good = entry.is_young() && self.invalidations.unchanged_since(entry.epoch, entry.value.user_id());
        good.then(|| entry.value.unpack(id)).flatten().map(|value| Hit { value, authoritative })
    }

    /// Drops invalidated entries, and with them the personal data that they hold.
    pub fn purge(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.retain(|_, entry| {
                entry.is_young() && self.invalidations.unchanged_since(entry.epoch, entry.value.user_id())
            });
        }
    }

    /// Drops the entry of a session whose end may have been committed although its answer was lost.
    pub fn forget(&self, id: SessionId) {
        if let Some(sessions) = &self.sessions {
            sessions.remove(&id);
        }
    }

    /// Adds a service key that was valid when it was read.
    pub fn keep_key(&self, key: Arc<StoredServiceKey>, epoch: Epoch) {
        self.keys.insert(key.id, Entry::new(key, epoch));
    }

    /// The entry of a service key, unless it is too old.
    pub fn key(&self, id: ServiceKeyId) -> Option<Hit<Arc<StoredServiceKey>>> {
        let authoritative = self.authoritative()?;
        let entry = self.keys.get(&id)?;
        (entry.is_young() && self.invalidations.unchanged_since(entry.epoch, &id))
            .then_some(Hit { value: entry.value, authoritative })
    }

    /// Updates entries by the last-seen times that were written.
    pub fn touched(&self, touches: &[Touch]) {
        let Some(sessions) = &self.sessions else { return };
        for touch in touches {
            if let Some(entry) = sessions.get(&touch.id) {
                let value = entry.value.touched(touch);
                sessions.insert(touch.id, Arc::new(Entry { value, epoch: entry.epoch, read_at: entry.read_at }));
            }
        }
    }

    /// Invalidates the entries of a user whose details or sessions have changed.
    pub fn user_changed(&self, user: &UserId) {
        self.invalidations.invalidate(user.as_str());
    }

    /// Invalidates the entry of a service key.
    pub fn key_changed(&self, id: ServiceKeyId) {
        self.invalidations.invalidate(&id);
    }

    /// Invalidates every entry.
    pub fn invalidate_all(&self) {
        self.invalidations.invalidate_all();
    }

    /// Notes that the change log was read to its end, as of `instant` or later.
    pub fn log_read(&self, instant: Instant) {
        self.invalidations.read_to_end(instant);
    }

    /// Number of sessions in the cache.
    pub fn sessions_kept(&self) -> usize {
        self.sessions.as_ref().map_or(0, Cache::len)
    }

    /// Time since the change log was last read to its end; `None`: never.
    pub fn log_age(&self) -> Option<Duration> {
        self.invalidations.age()
    }

    /// Whether the change log was read to its end within [`MAX_STALENESS`](crate::sessions::MAX_STALENESS).
    pub fn is_current(&self) -> bool {
        self.invalidations.trust() == Trust::Full
    }

    /// Whether entries are current; `None` when they may not be used at all.
    fn authoritative(&self) -> Option<bool> {
        match self.invalidations.trust() {
            Trust::Full => Some(true),
            Trust::StaleIfError => Some(false),
            Trust::Lost => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::tests::signed_in;
    use super::*;

    /// D-15.
    #[test]
    fn however_many_sessions_are_checked_their_copies_take_no_more_than_their_room() {
        const ROOM: u64 = 1 << 20;
        let copies = SessionCache::new(ROOM);
        let mut signed_in = signed_in();
        for number in 0..100_000 {
            signed_in.session.id = SessionId::from_uuid(uuid::Uuid::from_u128(number));
            copies.keep_session(&signed_in, copies.epoch());
        }
        let kept = copies.sessions.as_ref().unwrap();
        assert!(kept.weight() <= ROOM && kept.len() > 1000, "{} in {}", kept.len(), kept.weight());
    }

    #[test]
    fn a_entry_is_read_again_once_it_is_old_whatever_was_not_noticed() {
        let young = Entry::new((), Invalidations::new().epoch());
        assert!(young.is_young());
        let old = Entry { read_at: young.read_at.checked_sub(MAX_AGE).unwrap(), ..young };
        assert!(!old.is_young());
    }
}
