//! How far a client has heard, as handed to it.

use chrono::{DateTime, Utc};

use crate::store::LogPosition;
use crate::tokens::Keyring;

const PURPOSE: &str = "change log";

/// How far a client has heard of the change log. Means the same to every process with the same database and master secret;
/// authenticated, so that one from elsewhere is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogCursor {
    /// All before this place is heard of.
    pub settled: LogPosition,
    /// The last place heard of; of what stands between the two some may be missing.
    pub newest: LogPosition,
    /// When that was.
    pub at: DateTime<Utc>,
}

impl LogCursor {
    /// As text.
    pub fn write(&self, keys: &Keyring) -> String {
        let numbers = [
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
        let mut place = || Some(LogPosition { transaction: numbers.next()?, sequence: numbers.next()? });
        let (settled, newest) = (place()?, place()?);
        Some(Self { settled, newest, at: DateTime::from_timestamp_micros(numbers.next()?)? })
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
        let cursor = LogCursor { settled: place(7, 0), newest: place(8, 2), at: DateTime::UNIX_EPOCH };
        let text = cursor.write(&keys);
        assert_eq!(LogCursor::read(&keys, &text), Some(cursor));
        assert_eq!(LogCursor::read(&keyring(), &text), None);
        for other in ["", "nonsense", &text[1..], &format!("{text}A")] {
            assert_eq!(LogCursor::read(&keys, other), None, "{other}");
        }
    }
}
