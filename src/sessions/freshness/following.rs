//! Following the change log: what other processes did.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::sync::Notify;

use super::STANDING_IN_FOR;
use crate::mutants::{self, Mutant};
use crate::sessions::{Ending, Error, Sessions};
use crate::store::{Announcement, Change, Changes, Listener, LogPosition, LoggedChange, MOST_CHANGES};

/// How far one process has read the log.
#[derive(Debug, Default)]
pub struct Follower {
    /// All before this place is read.
    settled: LogPosition,
    /// What is read after it already.
    taken: BTreeSet<LogPosition>,
    read_at: Option<Instant>,
    /// What was taken by readings that then failed.
    news: Followed,
    /// Whether there are bulk endings whose meaning is still to be read.
    bulk_endings_made: bool,
}

/// What a look at the log brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followed {
    /// Changes that were new.
    pub changes: usize,
    /// Whether the signing keys are among them.
    pub signing_keys_changed: bool,
}

/// How far the log was read, and when: what was read long ago is needed by nobody any more.
///
/// By the time this process has measured, not by what clocks say: a clock that jumps deletes nothing.
#[derive(Debug, Default)]
pub struct Progress {
    steps: Mutex<VecDeque<(Instant, LogPosition)>>,
}

/// The time between two steps that are remembered.
const STEP: Duration = Duration::from_mins(1);

impl Progress {
    fn reached(&self, at: Instant, settled: LogPosition) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.back().is_some_and(|(_, before)| *before > settled) {
            steps.clear();
        }
        if steps.back().is_none_or(|(before, _)| at - *before >= STEP) {
            steps.push_back((at, settled));
        }
    }

    /// The furthest place that was reached `ago` or longer ago.
    pub fn read_long_ago(&self, ago: Duration) -> Option<LogPosition> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        while let Some((_, position)) = steps.pop_front_if(|(at, _)| at.elapsed() >= ago) {
            found = Some(position);
        }
        found
    }
}

/// Wakes the tasks that work on the log.
#[derive(Debug, Default)]
pub struct Signals {
    /// The log has grown: it should be read.
    grown: Notify,
    /// This process has written to it: the others should be told.
    written: Notify,
    /// There is a bulk ending to be carried out.
    bulk_ending: Notify,
}

impl Signals {
    pub fn written(&self) {
        self.grown.notify_one();
        self.written.notify_one();
    }

    pub fn bulk_ending(&self) {
        self.bulk_ending.notify_one();
    }

    pub async fn bulk_ending_made(&self) {
        self.bulk_ending.notified().await;
    }
}

impl Sessions {
    /// Reads the log from where `follower` stands to its end, and takes what is new.
    pub async fn follow(&self, follower: &mut Follower) -> Result<Followed, Error> {
        let (started, as_of) = (Instant::now(), self.now());
        let mut settled = None;
        let mut from = follower.settled;
        loop {
            let page = self.changes(from).await?;
            let settled = *settled.get_or_insert(page.settled);
            if settled < follower.settled {
                // Another database than before: restored from a backup, or a standby that knows less.
                tracing::warn!("the change log begins anew");
                self.distrust();
                self.live.begin_anew();
                *follower = Follower::default();
                from = LogPosition::default();
                continue;
            }
            let full = page.changes.len() >= MOST_CHANGES as usize;
            from = page.changes.last().map_or(from, |last| last.position);
            for change in page.changes {
                if follower.taken.insert(change.position) {
                    follower.bulk_endings_made |= matches!(change.change, Change::BulkEnding { .. });
                    follower.news.changes += 1;
                    follower.news.signing_keys_changed |= self.take(change, settled);
                }
            }
            if !full {
                break;
            }
        }
        // Before the log counts as read: what is told to offline verifiers is whole.
        if follower.bulk_endings_made {
            self.live.bulk_endings_are(self.store().bulk_endings(self.revocations_count_since()).await?);
            follower.bulk_endings_made = false;
        }
        follower.settled = settled.unwrap_or_default();
        follower.taken = follower.taken.split_off(&follower.settled);
        // Who was away for longer may have missed what is deleted by now.
        if follower.read_at.is_some_and(|before| started - before > STANDING_IN_FOR) {
            self.distrust();
        }
        follower.read_at = Some(started);
        self.log.reached(started, follower.settled);
        self.copies.log_read(started);
        self.live.log_read(follower.settled, started, as_of);
        Ok(std::mem::take(&mut follower.news))
    }

    async fn changes(&self, after: LogPosition) -> Result<Changes, Error> {
        let asked = Instant::now();
        let page = self.store().changes(after).await?;
        if let Some(time) = page.time {
            // It was that late somewhere between the question and now.
            let uncertainty = TimeDelta::from_std(asked.elapsed() / 2).unwrap_or_default();
            self.parts.clock.learn(time + uncertainty, uncertainty);
        }
        Ok(page)
    }

    /// Asks what time it is: a clock that has just jumped must not decide what is old enough to be deleted.
    pub(in crate::sessions) async fn agree_on_time(&self) -> Result<(), Error> {
        let nothing = LogPosition { transaction: i64::MAX, sequence: i64::MAX };
        self.changes(nothing).await.map(drop)
    }

    /// Whether a change is about the signing keys.
    fn take(&self, LoggedChange { position, change }: LoggedChange, settled: LogPosition) -> bool {
        match change {
            Change::SessionEnded { id, user, ended } => {
                if !mutants::enabled(Mutant::DeafToNotices) {
                    self.copies.user_changed(&user);
                }
                let ending = Ending::new(id, user, ended, position, settled);
                self.live.session_ended(id, ending, self.revocations_count_since());
            }
            Change::UserChanged(user) => self.copies.user_changed(&user),
            Change::BulkEnding { user, ended } => {
                // It may mean any session that is watched.
                self.distrust();
                self.signals.bulk_ending();
                self.live.many_ended(Ending::of_many(user, ended, position, settled));
            }
            Change::ServiceKeyRevoked(id) => {
                self.copies.key_changed(id);
                self.live.key_revoked(id, self.now());
            }
            Change::SigningKeysChanged => return true,
            Change::Unknown => self.distrust(),
        }
        false
    }

    /// Anything may have changed.
    fn distrust(&self) {
        self.copies.everything_changed();
        self.live.distrust();
    }

    /// Returns when this process has written to the log, or has learnt that another has.
    pub async fn log_grown(&self) {
        self.signals.grown.notified().await;
    }

    /// Returns when this process has written to the log.
    pub async fn log_written(&self) {
        self.signals.written.notified().await;
    }

    /// Tells the other replicas.
    pub async fn announce(&self, announcement: Announcement) -> Result<(), Error> {
        Ok(self.store().announce(announcement).await?)
    }

    /// Starts to hear the other replicas. `None` when there is no way to.
    pub async fn listen(&self) -> Result<Option<Box<dyn Listener>>, Error> {
        Ok(self.store().listen().await?)
    }

    /// Another replica has written to the log.
    pub fn heard_of_changes(&self) {
        self.signals.grown.notify_one();
    }
}
