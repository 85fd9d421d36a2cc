//! The cursor of listeners and offline verifiers.

use chrono::{DateTime, Utc};

use super::endings::LogProgress;
use crate::failpoints::{self, Failpoint};
use crate::model::{LogId, LogPosition};
use crate::tokens::Keyring;

const PURPOSE: &str = "change log";

/// A client's position in the change log. Every process with the same database and master secret can read it; its
/// authentication code tells it from one of elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogCursor {
    /// The log of the positions.
    pub log: LogId,
    /// The position before which the client has every change.
    pub settled: LogPosition,
    /// The last position that the client has; some changes between the two may be missing.
    pub newest: LogPosition,
    /// The time of that position.
    pub at: DateTime<Utc>,
}

impl LogCursor {
    /// The cursor of a client that has everything this process has read.
    pub fn at_end_of(progress: LogProgress) -> Self {
        let LogProgress { log, settled, as_of } = progress;
        Self { log, settled, newest: settled, at: as_of }
    }

    /// As text.
    pub fn write(&self, keys: &Keyring) -> String {
        let numbers = [
            self.log.system.cast_signed(),
            i64::from(self.log.timeline),
            self.log.started,
            i64::from(self.log.database),
            i64::from(self.log.table),
            self.settled.transaction,
            self.settled.sequence,
            self.newest.transaction,
            self.newest.sequence,
            self.at.timestamp_micros(),
        ];
        keys.seal_cursor(&numbers.map(i64::to_be_bytes).concat(), PURPOSE)
    }

    /// Reads one; `None` for anything that [`LogCursor::write`] did not make with the same secret.
    pub fn read(keys: &Keyring, text: &str) -> Option<Self> {
        let bytes = keys.open_cursor(text, PURPOSE)?;
        let mut numbers = bytes.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok()).map(i64::from_be_bytes);
        let mut number = || numbers.next();
        let log = LogId {
            system: number()?.cast_unsigned(),
            timeline: number()?.try_into().ok()?,
            started: number()?,
            database: number()?.try_into().ok()?,
            table: number()?.try_into().ok()?,
        };
        let settled = LogPosition { transaction: number()?, sequence: number()? };
        let newest = LogPosition { transaction: number()?, sequence: number()? };
        Some(Self { log, settled, newest, at: DateTime::from_timestamp_micros(number()?)? })
    }

    /// Whether the positions are of this log.
    pub fn is_of(&self, log: LogId) -> bool {
        self.log == log || failpoints::enabled(Failpoint::CursorWithoutIdentity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::tokens::MasterSecret;

    #[test]
    fn a_cursor_is_read_with_the_secret_it_was_written_with() {
        let keyring = || Keyring::new(&MasterSecret::generate(&SystemEntropy).unwrap());
        let keys = keyring();
        let place = |transaction, sequence| LogPosition { transaction, sequence };
        let log = LogId { system: u64::MAX, timeline: 3, started: 5, database: 6, table: 7 };
        let cursor = LogCursor { log, settled: place(7, 0), newest: place(8, 2), at: DateTime::UNIX_EPOCH };
        let text = cursor.write(&keys);
        assert_eq!(LogCursor::read(&keys, &text), Some(cursor));
        assert_eq!(LogCursor::read(&keyring(), &text), None);
        for other in ["", "nonsense", &text[1..], &format!("{text}A")] {
            assert_eq!(LogCursor::read(&keys, other), None, "{other}");
        }
    }
}
