//! The list that offline verifiers follow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout_at;

use super::cursor::LogCursor;
use super::endings::ReadingTime;
use super::recent_endings::Revoked;
use crate::model::{BulkEnding, Caller, Scope};
use crate::sessions::error::Error;
use crate::sessions::facade::Sessions;
use crate::sessions::freshness::MAX_STALENESS;
use crate::store;

/// Longest time that a request may wait for new endings.
pub const MAX_WAIT: Duration = Duration::from_secs(30);
/// Leeway that verifiers allow after a token's `exp`, because clocks differ.
const LEEWAY: TimeDelta = TimeDelta::minutes(1);
/// Entries after a client's settled position may be repeats or late commits. They are sent again, once a second at most.
const REPETITION: Duration = Duration::from_secs(1);

/// Sessions whose tokens must be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// The cursor that the next request sends for what is new.
    pub cursor: String,
    /// Whether the list is complete, or to be added to the client's.
    pub complete: bool,
    /// The instant before which every ending is in the list.
    pub as_of: DateTime<Utc>,
    /// The sessions. Some may be repeats.
    pub revoked: Vec<Revoked>,
    /// The bulk endings: all of them in every answer.
    pub bulk: Vec<BulkEnding>,
}

impl Sessions {
    /// The endings of the longest access token lifetime, for a caller with `sessions:read`: those since a cursor, waiting
    /// up to `wait` for one, or all of them.
    ///
    /// A cursor of another change log gets all of them. [`Error::Unavailable`] when the log was not read lately: an empty
    /// list means that nothing was ended, never that nothing is known.
    pub async fn revocations(
        self: &Arc<Self>,
        caller: &Caller,
        since: Option<&str>,
        wait: Duration,
    ) -> Result<Revocations, Error> {
        caller.require(Scope::READ)?;
        let since = since.and_then(|text| LogCursor::read(&self.parts.keyring, text));
        let since = self.of_this_log(since).await?;
        if let Some(since) = since.filter(|_| !wait.is_zero()) {
            self.wait_for_news(since, wait.min(MAX_WAIT)).await;
            // The caller's credential may have ended during the wait.
            drop(self.lifeline_of(caller).await?);
        }
        self.revocations_since(since)
    }

    /// The instant before which endings do not matter to offline verifiers, because every token of theirs has expired.
    pub(in crate::sessions) fn revocations_count_since(&self) -> DateTime<Utc> {
        self.now() - self.policy().access_token_lifetime - LEEWAY
    }

    /// The cursor, if it is of the log that this process reads. One that seems to be of another log, or is ahead, was handed
    /// out by a process that has read further, perhaps a new primary: so the log is read anew first.
    async fn of_this_log(&self, since: Option<LogCursor>) -> Result<Option<LogCursor>, Error> {
        let Some(since) = since else { return Ok(None) };
        let progress = || self.feed.ring().progress();
        let is_of_this_log = || progress().is_some_and(|progress| since.is_of(progress.log));
        if is_of_this_log() {
            if progress().is_some_and(|progress| progress.settled < since.settled) {
                self.read_anew(|reading| reading.asked).await?;
            }
        } else {
            self.read_anew(|reading| reading.as_of).await?;
        }
        Ok(Some(since).filter(|_| is_of_this_log()))
    }

    /// Returns after a reading of the log that took place later than this call, by one of its times.
    async fn read_anew(&self, time: fn(ReadingTime) -> Instant) -> Result<(), Error> {
        let now = Instant::now();
        let mut readings = self.feed.readings.subscribe();
        self.heard_of_changes();
        let read = readings.wait_for(|reading| reading.is_some_and(|reading| time(reading) >= now));
        match tokio::time::timeout(MAX_STALENESS, read).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(not_known()),
        }
    }

    async fn wait_for_news(&self, since: LogCursor, wait: Duration) {
        let end = tokio::time::Instant::now() + wait;
        let repetition = end.min(tokio::time::Instant::now() + REPETITION);
        let mut news = self.feed.news.subscribe();
        let (new, again) = {
            let ring = self.feed.ring();
            (ring.has_after(since.newest), ring.has_after(since.settled))
        };
        if !new {
            // A timeout is an answer too.
            drop(timeout_at(if again { repetition } else { end }, news.changed()).await);
        }
    }

    fn revocations_since(&self, since: Option<LogCursor>) -> Result<Revocations, Error> {
        let counts_since = self.revocations_count_since();
        let ring = self.feed.ring();
        // The check is made under the lock of the list.
        if !self.cache.is_current() {
            return Err(not_known());
        }
        let progress = ring.progress().ok_or_else(not_known)?;
        // The log may have been replaced during the wait.
        let since = since.filter(|since| since.is_of(progress.log));
        let revoked = ring.after(since.map(|since| since.settled), counts_since).ok_or_else(too_many)?;
        let end = LogCursor::at_end_of(progress);
        let settled = end.settled.max(since.map_or(end.settled, |since| since.settled));
        let newest = ring.newest().max(since.map(|since| since.newest)).unwrap_or_default().max(settled);
        let as_of = progress.as_of;
        let cursor = LogCursor { settled, newest, ..end }.write(&self.parts.keyring);
        let bulk = ring.bulk_since(counts_since);
        Ok(Revocations { cursor, complete: since.is_none(), as_of, revoked, bulk })
    }
}

/// The failure while the log was not read lately, so that the endings are not known.
pub(super) fn not_known() -> Error {
    store::Error::unavailable("the change log was not read lately").into()
}

fn too_many() -> Error {
    store::Error::unavailable("more endings than the revocation list has room for").into()
}
