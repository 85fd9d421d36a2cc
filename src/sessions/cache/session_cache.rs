//! Copies of sessions and service keys that were read lately and stood then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::invalidations::{Mark, Notices, Trust};
use super::packed::Packed;
use crate::model::{ServiceKeyId, SessionId, SignedIn, Touch, UserId};
use crate::tokens::StoredServiceKey;

/// Programs have few keys; more than these are looked up each time.
const MOST_KEYS: usize = 1000;
/// What a copy takes beside its texts, with its place in the table, in bytes.
const COPY_BYTES: usize = 256;
/// A copy of a usual session, in bytes: from it follows for how many there is a place in the table.
const USUAL_BYTES: usize = 512;

/// The most that a copy ages before it is read again, whatever is not noticed: the last line of defence.
const MAX_AGE: Duration = Duration::from_mins(5);

/// A copy, and since when it is known to be one.
#[derive(Debug, Clone)]
struct Copy<T> {
    value: T,
    mark: Mark,
    read_at: Instant,
}

impl<T> Copy<T> {
    fn new(value: T, mark: Mark) -> Self {
        Self { value, mark, read_at: Instant::now() }
    }

    fn is_young(&self) -> bool {
        self.read_at.elapsed() < MAX_AGE
    }
}

/// A copy found.
pub struct Found<T> {
    /// What was kept.
    pub value: T,
    /// Whether it is the truth, or may only stand in for a store that does not answer.
    pub is_truth: bool,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<SessionId, Arc<Copy<Packed>>> for ByBytes {
    fn weight(&self, _: &SessionId, copy: &Arc<Copy<Packed>>) -> u64 {
        u64::try_from(COPY_BYTES + copy.value.text_bytes()).unwrap_or(u64::MAX)
    }
}

/// The copies in this process.
pub struct Copies {
    sessions: Option<Cache<SessionId, Arc<Copy<Packed>>, ByBytes>>,
    keys: Cache<ServiceKeyId, Copy<Arc<StoredServiceKey>>>,
    notices: Notices,
}

impl Copies {
    /// Room for about `bytes` of sessions; with 0 none are kept.
    pub fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes).unwrap_or(usize::MAX) / USUAL_BYTES;
        Self {
            sessions: (bytes > 0).then(|| Cache::with_weighter(expected, bytes, ByBytes)),
            keys: Cache::new(MOST_KEYS),
            notices: Notices::new(),
        }
    }

    /// To be taken before the store is asked for what is then kept.
    pub fn mark(&self) -> Mark {
        self.notices.mark()
    }

    /// Keeps a session that stood when it was read.
    pub fn keep_session(&self, signed_in: &SignedIn, mark: Mark) {
        if let Some(sessions) = &self.sessions
            && let Some(value) = Packed::pack(signed_in)
        {
            sessions.insert(signed_in.session.id, Arc::new(Copy::new(value, mark)));
        }
    }

    /// The copy of a session, unless it is too old.
    pub fn session(&self, id: SessionId) -> Option<Found<SignedIn>> {
        let is_truth = self.is_truth()?;
        let copy = self.sessions.as_ref()?.get(&id)?;
        let good = copy.is_young() && self.notices.none_since(copy.mark, copy.value.user_id());
        good.then(|| copy.value.unpack(id)).flatten().map(|value| Found { value, is_truth })
    }

    /// Lets go of the copies of sessions that are of no use any more, and of what they know of people.
    pub fn drop_useless(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.retain(|_, copy| copy.is_young() && self.notices.none_since(copy.mark, copy.value.user_id()));
        }
    }

    /// Keeps a service key that was good when it was read.
    pub fn keep_key(&self, key: Arc<StoredServiceKey>, mark: Mark) {
        self.keys.insert(key.id, Copy::new(key, mark));
    }

    /// The copy of a service key, unless it is too old.
    pub fn key(&self, id: ServiceKeyId) -> Option<Found<Arc<StoredServiceKey>>> {
        let is_truth = self.is_truth()?;
        let copy = self.keys.get(&id)?;
        (copy.is_young() && self.notices.none_since(copy.mark, &id)).then_some(Found { value: copy.value, is_truth })
    }

    /// The copies were brought up to date with what was written about use.
    pub fn touched(&self, touches: &[Touch]) {
        let Some(sessions) = &self.sessions else { return };
        for touch in touches {
            if let Some(copy) = sessions.get(&touch.id) {
                let value = copy.value.touched(touch);
                sessions.insert(touch.id, Arc::new(Copy { value, mark: copy.mark, read_at: copy.read_at }));
            }
        }
    }

    /// A user or one of its sessions has changed: copies of them are too old.
    pub fn user_changed(&self, user: &UserId) {
        self.notices.take(user.as_str());
    }

    /// A service key has changed.
    pub fn key_changed(&self, id: ServiceKeyId) {
        self.notices.take(&id);
    }

    /// Anything may have changed.
    pub fn everything_changed(&self) {
        self.notices.take_about_everything();
    }

    /// The log was read to its end, as it stood at `instant` or later.
    pub fn log_read(&self, instant: Instant) {
        self.notices.read_to_end(instant);
    }

    /// How many sessions are kept.
    pub fn sessions_kept(&self) -> usize {
        self.sessions.as_ref().map_or(0, Cache::len)
    }

    /// How long ago the log was last read to its end; `None`: never.
    pub fn log_age(&self) -> Option<Duration> {
        self.notices.age()
    }

    /// Whether the log was read to its end lately: what is known of it is all there is to know.
    pub fn is_current(&self) -> bool {
        self.notices.trust() == Trust::Full
    }

    /// `None`: no copy may be used at all.
    fn is_truth(&self) -> Option<bool> {
        match self.notices.trust() {
            Trust::Full => Some(true),
            Trust::LastResort => Some(false),
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
        let copies = Copies::new(ROOM);
        let mut signed_in = signed_in();
        for number in 0..100_000 {
            signed_in.session.id = SessionId::from_uuid(uuid::Uuid::from_u128(number));
            copies.keep_session(&signed_in, copies.mark());
        }
        let kept = copies.sessions.as_ref().unwrap();
        assert!(kept.weight() <= ROOM && kept.len() > 1000, "{} in {}", kept.len(), kept.weight());
    }

    #[test]
    fn a_copy_is_read_again_once_it_is_old_whatever_was_not_noticed() {
        let young = Copy::new((), Notices::new().mark());
        assert!(young.is_young());
        let old = Copy { read_at: young.read_at.checked_sub(MAX_AGE).unwrap(), ..young };
        assert!(!old.is_young());
    }
}
