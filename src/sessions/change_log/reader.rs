//! The reader of the change log, in which other processes log their changes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::metrics;
use crate::model::{Change, Ended, LogId, LogPosition, LogSnapshot, LoggedChange};
use crate::sessions::error::Error;
use crate::sessions::facade::Sessions;
use crate::sessions::feed::endings::EndedEvent;
use crate::sessions::feed::endings::{LogPlace, LogProgress, ReadingTime};
use crate::sessions::freshness::STALE_IF_ERROR;
use crate::store::{Announcement, Changes, Heard, Listener};

/// Upper bound on the gap between an ending's timestamp and its commit: far above request timeouts and clock skew.
const LATE_COMMIT: TimeDelta = TimeDelta::minutes(1);

/// The state of one process's reading of the log.
#[derive(Debug, Default)]
pub struct ChangeLogReader {
    /// The log that the positions below belong to; `None` before the first read.
    log: Option<LogId>,
    /// The connection of the last read.
    connection: u64,
    /// The settled position, which survives crashes.
    settled: LogPosition,
    /// The snapshot of the last read.
    seen: LogSnapshot,
    /// Positions that were read although that snapshot does not contain them: later pages of a read see more.
    taken: BTreeSet<LogPosition>,
    /// The time of the last read, by this process and by the clock that replicas shared then.
    read_at: Option<Instant>,
    time: Option<DateTime<Utc>>,
    /// The oldest transaction that was running at the last read, and when it was first seen.
    oldest_open: Option<(i64, Instant)>,
    /// Endings before this instant were sent to listeners from the log before.
    told_before: Option<DateTime<Utc>>,
    /// The changes of reads that failed halfway.
    news: ReadSummary,
    /// Whether bulk endings were made whose filters are still to be read.
    bulk_endings_made: bool,
}

impl ChangeLogReader {
    /// A reader of a log that is read from its beginning, in place of `before`.
    fn instead_of(before: &Self, log: LogId, connection: u64, now: DateTime<Utc>) -> Self {
        let is_another = before.log.is_some();
        // The earlier of two clocks, because another database's may be ahead.
        let told_before = before.read_at.zip(before.time).map(|(read_at, time)| {
            let unread = TimeDelta::from_std(read_at.elapsed()).unwrap_or(TimeDelta::MAX);
            now.checked_sub_signed(unread).map_or(time, |now| now.min(time))
        });
        Self {
            log: Some(log),
            connection,
            told_before: told_before.and_then(|instant| instant.checked_sub_signed(LATE_COMMIT)),
            news: ReadSummary { changes: 0, configuration_changed: is_another || before.news.configuration_changed },
            ..Self::default()
        }
    }

    /// Answers for how long the oldest open transaction is seen: it keeps the log from being cleaned up.
    fn note_oldest_open(&mut self, seen: &LogSnapshot, asked: Instant) -> Duration {
        let before = self.oldest_open;
        self.oldest_open = seen
            .open
            .iter()
            .min()
            .map(|oldest| before.filter(|(transaction, _)| transaction == oldest).unwrap_or((*oldest, asked)));
        self.oldest_open.map_or(Duration::ZERO, |(_, since)| asked - since)
    }

    /// Forgets positions that may hold another change on a new connection.
    fn reconnected(&mut self, connection: u64) {
        self.connection = connection;
        self.seen = LogSnapshot::up_to(self.settled);
        self.taken.clear();
    }
}

/// The result of one read of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Number of new changes.
    pub changes: usize,
    /// Whether signing keys or applications were added, changed or removed.
    pub configuration_changed: bool,
}

/// The log that is read, and its settled position.
#[derive(Debug, Clone, Copy)]
struct ReadLog {
    log: LogId,
    settled: LogPosition,
}

/// The first page of a read, whose snapshot counts for the whole read.
struct Look {
    settled: LogPosition,
    seen: LogSnapshot,
    /// The instant up to which all changes are in the read.
    as_of: Instant,
}

impl Sessions {
    /// Reads the log from the reader's position to its end, and applies the new changes.
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
                // A read is as old as the proof that nobody writes elsewhere.
                as_of: page.proved_at.min(asked),
            });
            for change in page.changes {
                if reader.taken.insert(change.position) {
                    reader.bulk_endings_made |= matches!(change.change, Change::BulkEnding { .. });
                    reader.news.changes += 1;
                    reader.news.configuration_changed |=
                        self.apply_change(change, ReadLog { log: page.log, settled }, reader.told_before);
                }
            }
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        // The list for offline verifiers must be complete before the log counts as read.
        if reader.bulk_endings_made {
            self.feed.set_bulk_endings(self.store().bulk_endings(self.revocations_count_since()).await?);
            reader.bulk_endings_made = false;
        }
        if let (Some(Look { settled, seen, as_of }), Some(log)) = (look, reader.log) {
            reader.taken.retain(|position| !seen.contains(*position));
            let open_for = reader.note_oldest_open(&seen, asked);
            metrics::open_transaction(open_for);
            self.read_history.transaction_open_for(open_for);
            (reader.settled, reader.seen, reader.told_before) = (settled, seen, None);
            match reader.read_at {
                // A subscription from before the first read may have missed changes.
                None => self.feed.distrust(),
                // After a longer pause, changes may have been deleted before they were read.
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

    /// Whether a page continues the reader's log. If not, the reader is reset to where it can continue.
    async fn is_read_on(&self, reader: &mut ChangeLogReader, page: &Changes) -> Result<bool, Error> {
        if reader.log == Some(page.log) {
            let same_connection = reader.connection == page.connection;
            if !same_connection {
                reader.reconnected(page.connection);
            }
            return Ok(same_connection);
        }
        // A first page has nothing to compare with, so it counts.
        let is_first = reader.log.is_none();
        if !is_first {
            tracing::warn!("the change log has a new identity: the database was restarted, replaced or restored");
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
            // The database read its clock at some point between the request and now.
            let uncertainty = TimeDelta::from_std(asked.elapsed() / 2).unwrap_or_default();
            self.parts.clock.learn(time + uncertainty, uncertainty);
        }
        Ok(page)
    }

    /// Synchronises the shared clock, because a clock that has just jumped must not decide what is old enough to be deleted.
    pub(in crate::sessions) async fn agree_on_time(&self) -> Result<(), Error> {
        let nothing = LogPosition { transaction: i64::MAX, sequence: i64::MAX };
        self.changes(&LogSnapshot::default(), nothing).await.map(drop)
    }

    /// Applies a change, and says whether it concerns signing keys or applications. Endings before `told_before` are not sent to listeners
    /// again.
    fn apply_change(&self, change: LoggedChange, read: ReadLog, told_before: Option<DateTime<Utc>>) -> bool {
        let LoggedChange { position, change } = change;
        let place = LogPlace { log: read.log, position, settled: read.settled };
        let is_told = |ended: Ended| told_before.is_some_and(|instant| ended.at < instant);
        match change {
            Change::SessionEnded { id, user, ended } => {
                self.cache.user_changed(&user);
                let ending = EndedEvent::new(id, user, ended, place);
                self.feed.session_ended(id, ending, self.revocations_count_since(), is_told(ended));
            }
            Change::UserChanged(user) => self.cache.user_changed(&user),
            Change::SessionChanged { id, user } => {
                self.cache.user_changed(&user);
                self.feed.session_changed(id);
            }
            Change::BulkEnding { user, ended } => {
                // The bulk ending may match any session that is watched.
                self.distrust();
                self.signals.bulk_ending();
                self.feed.many_ended(EndedEvent::of_many(user, ended, place), is_told(ended));
            }
            Change::ServiceKeyRevoked(id) => {
                self.cache.key_changed(id);
                self.feed.key_revoked(id, self.now());
            }
            Change::SigningKeysChanged | Change::ApplicationsChanged => return true,
            Change::Unknown => self.distrust(),
        }
        false
    }

    /// Invalidates everything, because any change may have been missed.
    fn distrust(&self) {
        self.cache.invalidate_all();
        self.feed.distrust();
    }

    /// Returns when the log has grown, by this process or by another.
    pub async fn log_grown(&self) {
        self.signals.grown.notified().await;
    }

    /// Returns when this process has written to the log.
    pub async fn log_written(&self) {
        self.signals.written.notified().await;
    }

    /// Sends a notice to the other replicas, with the issuer of this one.
    pub async fn announce(&self, announcement: Announcement) -> Result<(), Error> {
        let issuer = self.access_tokens().token_issuer();
        Ok(self.store().announce(announcement, Some(&issuer)).await?)
    }

    /// Starts to receive notices of other replicas. `None` when the store has no means for it.
    pub async fn listen(&self) -> Result<Option<Box<dyn Listener>>, Error> {
        Ok(self.store().listen().await?)
    }

    /// Takes a notice of a replica.
    pub fn heard(&self, Heard { log_grown, issuer }: Heard) {
        if let Some(issuer) = issuer {
            self.other_issuers.warn_of(issuer, self.access_tokens());
        }
        if log_grown {
            self.heard_of_changes();
        }
    }

    /// Notes that another replica has written to the log.
    pub fn heard_of_changes(&self) {
        self.signals.grown.notify_one();
    }
}
