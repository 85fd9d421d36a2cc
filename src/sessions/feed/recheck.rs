//! The recheck of all subscriptions, after endings may have been missed.

use super::endings::Termination;
use super::subscriptions::Subject;
use crate::model::State;
use crate::sessions::error::Error;
use crate::sessions::facade::Sessions;

/// The most sessions of one statement of a recheck.
const MAX_BATCH: usize = 250;

impl Sessions {
    /// Returns after the first complete read of the change log.
    pub async fn log_known(&self) {
        // The hub owns the sender, so the wait cannot fail.
        drop(self.feed.readings.subscribe().wait_for(Option::is_some).await);
    }

    /// Returns when endings may have been missed and [`Sessions::look_again`] is due.
    pub async fn distrusted(&self) {
        self.feed.distrusted.notified().await;
    }

    /// Reads every session and key that has a subscription, in batches, and terminates the subscriptions of those that ended.
    pub async fn look_again(&self) -> Result<(), Error> {
        let (sessions, keys) = self.feed.registry.subjects();
        for ids in sessions.chunks(MAX_BATCH) {
            let found = self.store().sessions_of_tokens(ids).await?;
            for id in ids {
                let over = match found.iter().find(|signed_in| signed_in.session.id == *id) {
                    Some(signed_in) => signed_in.session.ended.map(Termination::from),
                    // Only sessions past their retention are deleted.
                    None => Some(Termination { reason: State::Expired.as_str(), at: self.now() }),
                };
                if let Some(over) = over {
                    self.feed.registry.terminated(Subject::Session(*id), over);
                }
            }
        }
        for id in keys {
            if self.store().service_key(id).await?.is_none_or(|key| !key.is_active(self.now())) {
                self.feed.key_revoked(id, self.now());
            }
        }
        Ok(())
    }
}
