//! Reading again what somebody waits for, after changes may have been missed.

use super::endings::Termination;
use super::subscriptions::Subject;
use crate::model::State;
use crate::sessions::error::Error;
use crate::sessions::facade::Sessions;

/// The most sessions read in one statement when everything is looked at again.
const MAX_BATCH: usize = 250;

impl Sessions {
    /// Returns when the change log was read to its end for the first time.
    pub async fn log_known(&self) {
        // The sender is this one's own.
        drop(self.feed.readings.subscribe().wait_for(Option::is_some).await);
    }

    /// Returns when endings may have been missed: then [`Sessions::look_again`] is due.
    pub async fn distrusted(&self) {
        self.feed.distrusted.notified().await;
    }

    /// Reads everything again that somebody waits for, many at once, and tells what has ended meanwhile.
    pub async fn look_again(&self) -> Result<(), Error> {
        let (sessions, keys) = self.feed.registry.subjects();
        for ids in sessions.chunks(MAX_BATCH) {
            let found = self.store().sessions_of_tokens(ids).await?;
            for id in ids {
                let over = match found.iter().find(|signed_in| signed_in.session.id == *id) {
                    Some(signed_in) => signed_in.session.ended.map(Termination::from),
                    // Only what is over for long is deleted.
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
