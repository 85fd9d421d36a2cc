//! The hub: the endings that this process knows of, and everybody who waits for one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore, broadcast, watch};

use super::endings::{EndedEvent, LogProgress, ReadingTime, Termination};
use super::recent_endings::{RecentEndedEventStream, Revoked};
use super::stream_limits::{StreamLimits, StreamPlaces};
use super::subscriptions::{Registry, Subject};
use crate::model::{BulkEnding, ServiceKeyId, SessionId};

/// The most endings that a stream may be behind before it is closed.
const MAX_LAG: usize = 8192;
/// The most listeners that replay a page of the log at once.
const MAX_REPLAYS: usize = 1;

/// The subscriptions that are to be compared with the store.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Whether these are all subscriptions.
    pub(super) everything: bool,
    /// The sessions whose subscriptions they are, beside that.
    pub(super) sessions: BTreeSet<SessionId>,
}

/// The recent endings, and the subscriptions to further ones.
pub struct Hub {
    pub(super) registry: Arc<Registry>,
    pub(super) places: Arc<StreamPlaces>,
    /// Permits to replay the log.
    pub(super) replays: Semaphore,
    pub(super) endings: broadcast::Sender<Arc<EndedEvent>>,
    pub(super) ring: Mutex<RecentEndedEventStream>,
    /// The times of the latest complete read of the log.
    pub(super) readings: watch::Sender<Option<ReadingTime>>,
    /// A signal that recent endings were added.
    pub(super) news: watch::Sender<()>,
    /// The subscriptions that are to be compared with the store.
    doubts: Mutex<Doubts>,
    /// A signal that there are some.
    pub(super) distrusted: Notify,
}

impl Hub {
    /// A hub with these limits on streams.
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            registry: Arc::default(),
            places: StreamPlaces::new(limits),
            replays: Semaphore::new(MAX_REPLAYS),
            endings: broadcast::Sender::new(MAX_LAG),
            ring: Mutex::default(),
            readings: watch::Sender::new(None),
            news: watch::Sender::new(()),
            doubts: Mutex::default(),
            distrusted: Notify::new(),
        }
    }

    /// Adds an ending from the log. Offline verifiers do not need one from before `counts_since`, and listeners may have it
    /// already.
    pub fn session_ended(&self, session_id: SessionId, ending: EndedEvent, counts_since: DateTime<Utc>, is_told: bool) {
        let EndedEvent { ended, place, .. } = ending;
        self.registry.terminated(Subject::Session(session_id), ended.into());
        self.ring().add(place.position, Revoked { session_id, ended_at: ended.at }, counts_since);
        self.tell(ending, is_told);
    }

    /// Adds a bulk ending from the log, which listeners may have already.
    pub fn many_ended(&self, ending: EndedEvent, is_told: bool) {
        self.ring().bulk_ended(ending.place.position);
        self.tell(ending, is_told);
    }

    fn tell(&self, ending: EndedEvent, is_told: bool) {
        if !is_told {
            // An error means that there is no listener.
            drop(self.endings.send(Arc::new(ending)));
        }
        self.news.send_replace(());
    }

    /// Replaces the bulk endings whose sessions may have unexpired tokens.
    pub fn set_bulk_endings(&self, endings: Vec<BulkEnding>) {
        self.ring().set_bulk_endings(endings);
        self.news.send_replace(());
    }

    /// Terminates the subscriptions to a service key that was revoked.
    pub fn key_revoked(&self, id: ServiceKeyId, now: DateTime<Utc>) {
        self.registry.terminated(Subject::Key(id), Termination { reason: "revoked", at: now });
    }

    /// Requests a recheck of all subscriptions, because endings may have been missed.
    pub fn distrust(&self) {
        self.doubt(Doubts { everything: true, sessions: BTreeSet::new() });
    }

    /// Requests a recheck of the subscriptions to a session that was changed: its tokens may be superseded.
    pub fn session_changed(&self, id: SessionId) {
        if self.registry.has(Subject::Session(id)) {
            self.doubt(Doubts { everything: false, sessions: BTreeSet::from([id]) });
        }
    }

    /// Adds doubts, new ones or those of a recheck that failed.
    pub(super) fn doubt(&self, more: Doubts) {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        doubts.everything |= more.everything;
        doubts.sessions.extend(more.sessions);
        drop(doubts);
        self.distrusted.notify_one();
    }

    /// The doubts so far, which are the caller's from then on.
    pub(super) fn take_doubts(&self) -> Doubts {
        std::mem::take(&mut *self.doubts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets the positions of a former log.
    pub fn begin_anew(&self) {
        *self.ring() = RecentEndedEventStream::default();
        self.readings.send_replace(None);
    }

    /// Notes that the log was read to its end.
    pub fn log_read(&self, progress: LogProgress, time: ReadingTime) {
        self.ring().read_to(progress);
        self.readings.send_replace(Some(time));
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, RecentEndedEventStream> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
