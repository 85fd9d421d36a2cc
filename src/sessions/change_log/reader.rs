//! Subscription the change log: what other processes did.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::failpoints::{self, Failpoint};
use crate::metrics;
use crate::model::{Change, Ended, LogId, LogPosition, LogSnapshot, LoggedChange};
use crate::sessions::error::Error;
use crate::sessions::facade::Sessions;
use crate::sessions::feed::endings::EndedEvent;
use crate::sessions::feed::endings::{LogPlace, LogProgress, ReadingTime};
use crate::sessions::freshness::STALE_IF_ERROR;
use crate::store::{Announcement, Changes, Listener};

/// How much earlier than its commit an ending may be dated: a request takes seconds at most, and clocks differ by less.
const LATE_COMMIT: TimeDelta = TimeDelta::minutes(1);

/// How far one process has read the log.
#[derive(Debug, Default)]
pub struct ChangeLogReader {
    /// The log that the places below are of; `None` before the first look.
    log: Option<LogId>,
    /// The connection of the last look.
    connection: u64,
    /// Nothing appears before this place any more, whatever crashes.
    settled: LogPosition,
    /// The snapshot of the last look.
    seen: LogSnapshot,
    /// The places that were read although that snapshot does not contain them: later parts of a look see more.
    taken: BTreeSet<LogPosition>,
    /// The time of the last look, by this process and by the clock that replicas shared then.
    read_at: Option<Instant>,
    time: Option<DateTime<Utc>>,
    /// The oldest transaction that was running at the last look, and when it was seen first.
    oldest_open: Option<(i64, Instant)>,
    /// EndedEventStream before this instant were told when they stood in the log before.
    told_before: Option<DateTime<Utc>>,
    /// The news of looks that failed after they had taken some.
    news: ReadSummary,
    /// Whether there are bulk endings whose meaning is still to be read.
    bulk_endings_made: bool,
}

impl ChangeLogReader {
    /// A reader of a log that is read from its beginning, in place of `before`.
    fn instead_of(before: &Self, log: LogId, connection: u64, now: DateTime<Utc>) -> Self {
        let is_another = before.log.is_some();
        // By either clock: that of another database may be ahead.
        let told_before = before.read_at.zip(before.time).map(|(read_at, time)| {
            let unread = TimeDelta::from_std(read_at.elapsed()).unwrap_or(TimeDelta::MAX);
            now.checked_sub_signed(unread).map_or(time, |now| now.min(time))
        });
        Self {
            log: Some(log),
            connection,
            told_before: told_before.and_then(|instant| instant.checked_sub_signed(LATE_COMMIT)),
            news: ReadSummary { changes: 0, signing_keys_changed: is_another || before.news.signing_keys_changed },
            ..Self::default()
        }
    }

    /// A transaction that stays open for long keeps the log from being cleaned up.
    fn note_oldest_open(&mut self, seen: &LogSnapshot, asked: Instant) {
        let before = self.oldest_open;
        self.oldest_open = seen
            .open
            .iter()
            .min()
            .map(|oldest| before.filter(|(transaction, _)| transaction == oldest).unwrap_or((*oldest, asked)));
        metrics::open_transaction(self.oldest_open.map_or(Duration::ZERO, |(_, since)| asked - since));
    }

    /// Forgets what another connection need not find at its place.
    fn reconnected(&mut self, connection: u64) {
        self.connection = connection;
        self.seen = LogSnapshot::up_to(self.settled);
        self.taken.clear();
    }
}

/// What a look at the log brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Changes that were new.
    pub changes: usize,
    /// Whether the signing keys are among them.
    pub signing_keys_changed: bool,
}

/// The log that is read, and how far it is settled.
#[derive(Debug, Clone, Copy)]
struct ReadLog {
    log: LogId,
    settled: LogPosition,
}

/// The result of one look at the log.
struct Look {
    settled: LogPosition,
    seen: LogSnapshot,
    /// All that was written before this instant was read.
    as_of: Instant,
}

impl Sessions {
    /// Reads the log from where `reader` stands to its end, and takes what is new.
    pub async fn read_changes(&self, reader: &mut ChangeLogReader) -> Result<ReadSummary, Error> {
        let (asked, now) = (Instant::now(), self.now());
        let mut look: Option<Look> = None;
        let mut after = LogPosition::default();
        loop {
            let page = self.changes(&reader.seen, after).await?;
            if !self.is_read_on(reader, &page).await? {
                (look, after) = (None, LogPosition::default());
                continue;
            }
            let Look { settled, .. } = *look.get_or_insert_with(|| Look {
                settled: page.settled,
                seen: page.snapshot,
                // A look is as old as the proof that nobody writes elsewhere.
                as_of: page.proved_at.min(asked),
            });
            for change in page.changes {
                if reader.taken.insert(change.position) {
                    reader.bulk_endings_made |= matches!(change.change, Change::BulkEnding { .. });
                    reader.news.changes += 1;
                    reader.news.signing_keys_changed |=
                        self.apply_change(change, ReadLog { log: page.log, settled }, reader.told_before);
                }
            }
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        // Before the log counts as read: what is told to offline verifiers is whole.
        if reader.bulk_endings_made {
            self.feed.set_bulk_endings(self.store().bulk_endings(self.revocations_count_since()).await?);
            reader.bulk_endings_made = false;
        }
        if let (Some(Look { settled, seen, as_of }), Some(log)) = (look, reader.log) {
            reader.taken.retain(|position| !seen.contains(*position));
            reader.note_oldest_open(&seen, asked);
            (reader.settled, reader.seen, reader.told_before) = (settled, seen, None);
            match reader.read_at {
                // Whoever began to wait before the first look may have missed what was written in between.
                None => self.feed.distrust(),
                // A reader that was away for longer may have missed what is deleted by now.
                Some(before) if as_of.saturating_duration_since(before) > STALE_IF_ERROR => self.distrust(),
                Some(_) => {}
            }
            (reader.read_at, reader.time) = (Some(as_of), Some(now));
            self.read_history.reached(as_of, settled);
            self.cache.log_read(as_of);
            let age = TimeDelta::from_std(asked - as_of).unwrap_or_default();
            self.feed.log_read(LogProgress { log, settled, as_of: now - age }, ReadingTime { asked, as_of });
        }
        Ok(std::mem::take(&mut reader.news))
    }

    /// Whether a part of a look was read where the reader stands. If not, the reader is put where it can go on.
    async fn is_read_on(&self, reader: &mut ChangeLogReader, page: &Changes) -> Result<bool, Error> {
        let keeps_place = failpoints::enabled(Failpoint::PlaceKeptOverReconnect);
        let same_log =
            reader.log == Some(page.log) || keeps_place || failpoints::enabled(Failpoint::LogIdentityIgnored);
        if reader.log.is_some() && same_log {
            let same_connection = reader.connection == page.connection || keeps_place;
            if !same_connection {
                reader.reconnected(page.connection);
            }
            return Ok(same_connection);
        }
        // A first look has nothing to compare with: its part of the log is good.
        let is_first = reader.log.is_none();
        if !is_first {
            tracing::warn!("the change log is another than before: the database was restarted, replaced or restored");
            self.distrust();
            self.feed.begin_anew();
            self.read_history.begin_anew();
        }
        let foreign = self.store().foreign_endings(self.revocations_count_since()).await?;
        *reader = ChangeLogReader::instead_of(reader, page.log, page.connection, self.now());
        for ending in foreign {
            reader.bulk_endings_made |= matches!(ending.change, Change::BulkEnding { .. });
            self.apply_change(ending, ReadLog { log: page.log, settled: LogPosition::default() }, reader.told_before);
        }
        Ok(is_first)
    }

    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes, Error> {
        let asked = Instant::now();
        let page = self.store().changes(seen, after).await?;
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
        self.changes(&LogSnapshot::default(), nothing).await.map(drop)
    }

    /// Takes a change, and says whether it is about the signing keys. Listeners are not told again of endings before
    /// `told_before`.
    fn apply_change(&self, change: LoggedChange, read: ReadLog, told_before: Option<DateTime<Utc>>) -> bool {
        let LoggedChange { position, change } = change;
        let place = LogPlace { log: read.log, position, settled: read.settled };
        let is_told = |ended: Ended| told_before.is_some_and(|instant| ended.at < instant);
        match change {
            Change::SessionEnded { id, user, ended } => {
                if !failpoints::enabled(Failpoint::DeafToNotices) {
                    self.cache.user_changed(&user);
                }
                let ending = EndedEvent::new(id, user, ended, place);
                self.feed.session_ended(id, ending, self.revocations_count_since(), is_told(ended));
            }
            Change::UserChanged(user) => self.cache.user_changed(&user),
            Change::BulkEnding { user, ended } => {
                // It may mean any session that is watched.
                self.distrust();
                self.signals.bulk_ending();
                self.feed.many_ended(EndedEvent::of_many(user, ended, place), is_told(ended));
            }
            Change::ServiceKeyRevoked(id) => {
                self.cache.key_changed(id);
                self.feed.key_revoked(id, self.now());
            }
            Change::SigningKeysChanged => return true,
            Change::Unknown => self.distrust(),
        }
        false
    }

    /// Anything may have changed.
    fn distrust(&self) {
        self.cache.invalidate_all();
        self.feed.distrust();
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
