//! The ids of requests.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;
use chrono::{DateTime, Utc};

use crate::clock::{Entropy, EntropyUnavailable};

/// Ids for requests: UUIDs version 7 that count up from a random beginning (RFC 9562 section 6.2, method 2). They need
/// not be unguessable: fresh randomness for each request would cost more than everything else about its id.
#[derive(Debug)]
pub struct RequestIds {
    process: [u8; 2],
    next: AtomicU64,
}

impl RequestIds {
    /// Draws the random beginning.
    pub fn new(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let (mut process, mut next) = ([0; 2], [0; 8]);
        entropy.fill(&mut process)?;
        entropy.fill(&mut next)?;
        Ok(Self { process, next: AtomicU64::new(u64::from_be_bytes(next)) })
    }

    pub(super) fn next(&self, now: DateTime<Utc>) -> Option<HeaderValue> {
        let mut bytes = [0; 10];
        let (process, number) = bytes.split_at_mut(self.process.len());
        process.copy_from_slice(&self.process);
        number.copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut [0; 36])).ok()
    }
}
