//! Recent endings, for clients that verify tokens offline.

use std::collections::BTreeMap;
use std::ops::Bound;

use chrono::{DateTime, Utc};

use super::endings::LogProgress;
use crate::model::{BulkEnding, LogPosition, SessionId};

/// The most endings kept, about 50 bytes each. With more, no client gets the complete list.
const MAX_KEPT: usize = 200_000;

/// A session whose tokens are invalid, whatever their `exp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Which.
    pub session_id: SessionId,
    /// When it was ended.
    pub ended_at: DateTime<Utc>,
}

/// The endings of sessions that may have unexpired tokens, by their position in the change log.
#[derive(Debug, Default)]
pub struct RecentEndedEventStream {
    entries: BTreeMap<LogPosition, Revoked>,
    /// The progress of the log's reader; `None` before the first complete read.
    read_to: Option<LogProgress>,
    /// The position up to which endings were dropped that still matter.
    forgotten_to: Option<LogPosition>,
    /// All bulk endings that matter, each in every answer, and the position of the last one.
    bulk: Vec<BulkEnding>,
    bulk_at: Option<LogPosition>,
}

impl RecentEndedEventStream {
    pub fn add(&mut self, position: LogPosition, revoked: Revoked, counts_since: DateTime<Utc>) {
        if revoked.ended_at >= counts_since {
            self.entries.insert(position, revoked);
        }
        self.forget_before(counts_since);
        while self.entries.len() > MAX_KEPT {
            self.forgotten_to = self.entries.pop_first().map(|(position, _)| position).max(self.forgotten_to);
        }
    }

    /// Drops old endings from the front; the few behind a younger one are left out when the list is made.
    fn forget_before(&mut self, counts_since: DateTime<Utc>) {
        while self.entries.first_key_value().is_some_and(|(_, revoked)| revoked.ended_at < counts_since) {
            self.entries.pop_first();
        }
    }

    pub fn bulk_ended(&mut self, position: LogPosition) {
        self.bulk_at = self.bulk_at.max(Some(position));
    }

    pub fn set_bulk_endings(&mut self, endings: Vec<BulkEnding>) {
        self.bulk = endings;
    }

    /// The bulk endings that were not made before `counts_since`.
    pub fn bulk_since(&self, counts_since: DateTime<Utc>) -> Vec<BulkEnding> {
        self.bulk.iter().filter(|ending| ending.ended.at >= counts_since).cloned().collect()
    }

    pub fn read_to(&mut self, progress: LogProgress) {
        self.read_to = Some(progress);
    }

    /// The progress of the log's reader.
    pub fn progress(&self) -> Option<LogProgress> {
        self.read_to
    }

    /// The position of the last known ending.
    pub fn newest(&self) -> Option<LogPosition> {
        self.entries.last_key_value().map(|(position, _)| *position).max(self.bulk_at)
    }

    /// The endings after a position, or all of them, without those before `counts_since`. `None` when the list would be
    /// incomplete.
    pub fn after(&self, place: Option<LogPosition>, counts_since: DateTime<Utc>) -> Option<Vec<Revoked>> {
        if self.forgotten_to.is_some_and(|forgotten_to| place.is_none_or(|place| place < forgotten_to)) {
            return None;
        }
        let from = place.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries.range((from, Bound::Unbounded)).map(|(_, revoked)| *revoked);
        Some(entries.filter(|revoked| revoked.ended_at >= counts_since).collect())
    }

    /// Whether there is an ending after a position.
    pub fn has_after(&self, place: LogPosition) -> bool {
        self.newest().is_some_and(|newest| newest > place)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn place(transaction: i64) -> LogPosition {
        LogPosition { transaction, sequence: 0 }
    }

    fn revoked(number: i64) -> Revoked {
        Revoked {
            session_id: SessionId::from_uuid(Uuid::from_u64_pair(0, number.cast_unsigned())),
            ended_at: at(number),
        }
    }

    #[test]
    fn what_commits_late_is_told_after_its_place_and_what_is_old_falls_out() {
        let mut ring = RecentEndedEventStream::default();
        ring.add(place(5), revoked(5), at(0));
        ring.add(place(3), revoked(3), at(0));
        assert_eq!(ring.after(None, at(0)).unwrap(), [revoked(3), revoked(5)]);
        assert_eq!(ring.after(Some(place(2)), at(0)).unwrap(), [revoked(3), revoked(5)]);
        assert_eq!(ring.after(Some(place(3)), at(0)).unwrap(), [revoked(5)]);
        assert_eq!(ring.after(None, at(4)).unwrap(), [revoked(5)], "though nothing was added since");
        ring.add(place(9), revoked(9), at(6));
        assert_eq!(ring.after(None, at(0)).unwrap(), [revoked(9)]);
        ring.add(place(10), revoked(1), at(6));
        assert_eq!(ring.newest(), Some(place(9)));
    }

    #[test]
    fn a_list_that_is_not_whole_is_told_only_to_those_who_have_the_rest() {
        let mut ring = RecentEndedEventStream::default();
        let most = i64::try_from(MAX_KEPT).unwrap();
        for number in 1..=most + 2 {
            ring.add(place(number), revoked(number), at(0));
        }
        assert_eq!(ring.after(None, at(0)), None);
        assert_eq!(ring.after(Some(place(1)), at(0)), None);
        assert_eq!(ring.after(Some(place(2)), at(0)).unwrap().len(), MAX_KEPT);
        assert_eq!(ring.after(Some(place(most + 1)), at(0)).unwrap(), [revoked(most + 2)]);
    }
}
