//! Telling at once what has ended, to whoever keeps a stream open or verifies tokens without asking.
//!
//! Everything here is fed by the change log as this process follows it ([`super::freshness`]), so it costs memory and no
//! queries: those who wait for one session hang on a [`registry`], those who want to hear of every ending on a channel,
//! and those who verify offline read a [`ring`] of what was ended lately. Nobody can be slow at the cost of others: a
//! stream that does not keep up is closed, and goes on from its [`cursor`] when it comes back.

mod cursor;
mod events;
mod lifeline;
mod places;
mod registry;
mod revocations;
mod ring;
mod watching;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, Semaphore, broadcast, watch};

pub use events::{Events, Told};
pub use places::StreamLimits;
use places::StreamPlaces;
use registry::{Registry, Subject};
pub use revocations::{LONGEST_WAIT, Revocations};
pub use ring::Revoked;
use ring::Ring;
pub use watching::{Watch, Watched};

use super::{Error, Sessions};
use crate::model::{BulkEnding, Ended, LogId, LogPosition, ServiceKeyId, SessionId, State, UserId};

/// The change log must be kept at least this long: offline verifiers hear of what was ended within the longest life of an
/// access token from a process that has just started, and streams go on where they broke off.
pub const LOG_KEPT_FOR: TimeDelta = TimeDelta::hours(2);
/// How many endings a stream may be behind before it is closed.
const MOST_BEHIND: usize = 8192;
/// How many listeners read a page of the log again at once.
const MOST_REPLAYS: usize = 1;
/// The most sessions read in one statement when everything is looked at again.
const MOST_TOGETHER: usize = 250;

/// That a session or a service key stands no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Why: the reason of its ending, or `expired` or `idle_expired`.
    pub reason: &'static str,
    /// When.
    pub at: DateTime<Utc>,
}

impl From<Ended> for Over {
    fn from(ended: Ended) -> Self {
        Self { reason: ended.reason.as_str(), at: ended.at }
    }
}

/// That a session was ended, or many together, as everybody who listens is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Which; `None`: many.
    pub session_id: Option<SessionId>,
    /// Whose; `None`: anybody's.
    pub user_id: Option<UserId>,
    /// When and why.
    pub ended: Ended,
    place: LogPlace,
}

/// The place of an ending in the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// The log.
    pub log: LogId,
    /// The place in it.
    pub position: LogPosition,
    /// Nothing will appear in the log before this place any more.
    pub settled: LogPosition,
}

impl LogPlace {
    /// Resume position: a listener that has heard of this ending has heard of everything before it. Of the places after
    /// `settled` some may still appear in front.
    fn heard_to(self) -> LogPosition {
        self.position.min(self.settled)
    }
}

/// How far the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogProgress {
    /// The log.
    pub log: LogId,
    /// All before this place is read.
    pub settled: LogPosition,
    /// Every ending before this instant is read.
    pub as_of: DateTime<Utc>,
}

/// When a reading of the log took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingTime {
    /// The time at which the look began.
    pub asked: Instant,
    /// Nobody had written to another database until then.
    pub as_of: Instant,
}

/// What this process knows of the endings.
pub struct Live {
    registry: Arc<Registry>,
    places: Arc<StreamPlaces>,
    /// Turns to read the log again.
    replays: Semaphore,
    endings: broadcast::Sender<Arc<Ending>>,
    ring: Mutex<Ring>,
    /// The latest complete reading of the log.
    readings: watch::Sender<Option<ReadingTime>>,
    /// The ring has grown.
    news: watch::Sender<()>,
    /// Something may have been missed.
    distrusted: Notify,
}

impl Live {
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
    pub fn session_ended(&self, session_id: SessionId, ending: Ending, counts_since: DateTime<Utc>, is_told: bool) {
        let Ending { ended, place, .. } = ending;
        self.registry.over(Subject::Session(session_id), ended.into());
        self.ring().add(place.position, Revoked { session_id, ended_at: ended.at }, counts_since);
        self.tell(ending, is_told);
    }

    /// The log tells that many sessions were ended together, of which listeners may have been told already.
    pub fn many_ended(&self, ending: Ending, is_told: bool) {
        self.ring().bulk_ended(ending.place.position);
        self.tell(ending, is_told);
    }

    fn tell(&self, ending: Ending, is_told: bool) {
        if !is_told {
            // Nobody may be listening.
            drop(self.endings.send(Arc::new(ending)));
        }
        self.news.send_replace(());
    }

    /// The bulk endings whose sessions' tokens can still be alive.
    pub fn bulk_endings_are(&self, endings: Vec<BulkEnding>) {
        self.ring().bulk_endings_are(endings);
        self.news.send_replace(());
    }

    /// The log tells that a service key was revoked.
    pub fn key_revoked(&self, id: ServiceKeyId, now: DateTime<Utc>) {
        self.registry.over(Subject::Key(id), Over { reason: "revoked", at: now });
    }

    /// Endings may have been missed: whoever waits for one is looked at again.
    pub fn distrust(&self) {
        self.distrusted.notify_one();
    }

    /// The log is another than before: places in the old one mean nothing.
    pub fn begin_anew(&self) {
        *self.ring() = Ring::default();
        self.readings.send_replace(None);
    }

    /// The log was read to its end.
    pub fn log_read(&self, progress: LogProgress, time: ReadingTime) {
        self.ring().read_to(progress);
        self.readings.send_replace(Some(time));
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ending {
    /// As read from the change log.
    pub fn new(session_id: SessionId, user_id: UserId, ended: Ended, place: LogPlace) -> Self {
        Self { session_id: Some(session_id), user_id: Some(user_id), ended, place }
    }

    /// As [`Ending::new`], of many sessions: of a user, or of anybody.
    pub fn of_many(user_id: Option<UserId>, ended: Ended, place: LogPlace) -> Self {
        Self { session_id: None, user_id, ended, place }
    }
}

impl Sessions {
    /// Returns when the change log was read to its end for the first time.
    pub async fn log_known(&self) {
        // The sender is this one's own.
        drop(self.live.readings.subscribe().wait_for(Option::is_some).await);
    }

    /// Returns when endings may have been missed: then [`Sessions::look_again`] is due.
    pub async fn distrusted(&self) {
        self.live.distrusted.notified().await;
    }

    /// Reads everything again that somebody waits for, many at once, and tells what has ended meanwhile.
    pub async fn look_again(&self) -> Result<(), Error> {
        let (sessions, keys) = self.live.registry.subjects();
        for ids in sessions.chunks(MOST_TOGETHER) {
            let found = self.store().sessions_of_tokens(ids).await?;
            for id in ids {
                let over = match found.iter().find(|signed_in| signed_in.session.id == *id) {
                    Some(signed_in) => signed_in.session.ended.map(Over::from),
                    // Only what is over for long is deleted.
                    None => Some(Over { reason: State::Expired.as_str(), at: self.now() }),
                };
                if let Some(over) = over {
                    self.live.registry.over(Subject::Session(*id), over);
                }
            }
        }
        for id in keys {
            if self.store().service_key(id).await?.is_none_or(|key| !key.is_active(self.now())) {
                self.live.key_revoked(id, self.now());
            }
        }
        Ok(())
    }
}
