//! The hub: the endings that this process knows of, and everybody who waits for one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore, broadcast, watch};

use super::endings::{EndedEvent, LogProgress, ReadingTime, Termination};
use super::recent_endings::{RecentEndedEventStream, Revoked};
use super::stream_limits::{StreamLimits, StreamPlaces};
use super::subscriptions::{Registry, Subject};
use crate::model::{BulkEnding, ServiceKeyId, SessionId};

/// How many endings a stream may be behind before it is closed.
const MOST_BEHIND: usize = 8192;
/// How many listeners read a page of the log again at once.
const MOST_REPLAYS: usize = 1;
/// What this process knows of the endings.
pub struct Hub {
    pub(super) registry: Arc<Registry>,
    pub(super) places: Arc<StreamPlaces>,
    /// Turns to read the log again.
    pub(super) replays: Semaphore,
    pub(super) endings: broadcast::Sender<Arc<EndedEvent>>,
    pub(super) ring: Mutex<RecentEndedEventStream>,
    /// The latest complete reading of the log.
    pub(super) readings: watch::Sender<Option<ReadingTime>>,
    /// The ring has grown.
    pub(super) news: watch::Sender<()>,
    /// Something may have been missed.
    pub(super) distrusted: Notify,
}

impl Hub {
    /// With room for so many streams.
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            registry: Arc::default(),
            places: StreamPlaces::new(limits),
            replays: Semaphore::new(MOST_REPLAYS),
            endings: broadcast::Sender::new(MOST_BEHIND),
            ring: Mutex::default(),
            readings: watch::Sender::new(None),
            news: watch::Sender::new(()),
            distrusted: Notify::new(),
        }
    }

    /// The log tells that a session was ended. What was ended before `counts_since` is of no use to offline verifiers, and
    /// listeners may have been told of it already.
    pub fn session_ended(&self, session_id: SessionId, ending: EndedEvent, counts_since: DateTime<Utc>, is_told: bool) {
        let EndedEvent { ended, place, .. } = ending;
        self.registry.terminated(Subject::Session(session_id), ended.into());
        self.ring().add(place.position, Revoked { session_id, ended_at: ended.at }, counts_since);
        self.tell(ending, is_told);
    }

    /// The log tells that many sessions were ended together, of which listeners may have been told already.
    pub fn many_ended(&self, ending: EndedEvent, is_told: bool) {
        self.ring().bulk_ended(ending.place.position);
        self.tell(ending, is_told);
    }

    fn tell(&self, ending: EndedEvent, is_told: bool) {
        if !is_told {
            // Nobody may be listening.
            drop(self.endings.send(Arc::new(ending)));
        }
        self.news.send_replace(());
    }

    /// The bulk endings whose sessions' tokens can still be alive.
    pub fn set_bulk_endings(&self, endings: Vec<BulkEnding>) {
        self.ring().set_bulk_endings(endings);
        self.news.send_replace(());
    }

    /// The log tells that a service key was revoked.
    pub fn key_revoked(&self, id: ServiceKeyId, now: DateTime<Utc>) {
        self.registry.terminated(Subject::Key(id), Termination { reason: "revoked", at: now });
    }

    /// EndedEventStream may have been missed: whoever waits for one is looked at again.
    pub fn distrust(&self) {
        self.distrusted.notify_one();
    }

    /// The log is another than before: places in the old one mean nothing.
    pub fn begin_anew(&self) {
        *self.ring() = RecentEndedEventStream::default();
        self.readings.send_replace(None);
    }

    /// The log was read to its end.
    pub fn log_read(&self, progress: LogProgress, time: ReadingTime) {
        self.ring().read_to(progress);
        self.readings.send_replace(Some(time));
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, RecentEndedEventStream> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
