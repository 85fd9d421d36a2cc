//! Requests that wait for a batch.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{EndReason, SessionId, UserId};

/// A session whose end is to be moved.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) id: SessionId,
    pub(crate) owner: Option<UserId>,
    pub(crate) by: TimeDelta,
    pub(crate) now: DateTime<Utc>,
}

/// A session to be ended, whether it is active or not.
#[derive(Debug)]
pub(crate) struct EndingOfOne {
    pub(crate) id: SessionId,
    pub(crate) owner: Option<UserId>,
    pub(crate) reason: EndReason,
    pub(crate) now: DateTime<Utc>,
}
