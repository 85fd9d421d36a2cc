//! Reading again what somebody waits for, after changes may have been missed.

use super::endings::Over;
use super::subscriptions::Subject;
use crate::model::State;
use crate::sessions::error::Error;
use crate::sessions::facade::Sessions;

/// The most sessions read in one statement when everything is looked at again.
const MOST_TOGETHER: usize = 250;

impl Sessions {
    /// Returns when the change log was read to its end for the first time.
    pub async fn log_known(&self) {
        // The sender is this one's own.
        drop(self.live.readings.subscribe().wait_for(Option::is_some).await);
    }

    /// Returns when endings may have been missed: then [`Sessions::look_again`] is due.
    pub async fn distrusted(&self) {
        self.live.distrusted.notified().await;
    }

    /// Reads everything again that somebody waits for, many at once, and tells what has ended meanwhile.
    pub async fn look_again(&self) -> Result<(), Error> {
        let (sessions, keys) = self.live.registry.subjects();
        for ids in sessions.chunks(MOST_TOGETHER) {
            let found = self.store().sessions_of_tokens(ids).await?;
            for id in ids {
                let over = match found.iter().find(|signed_in| signed_in.session.id == *id) {
                    Some(signed_in) => signed_in.session.ended.map(Over::from),
                    // Only what is over for long is deleted.
                    None => Some(Over { reason: State::Expired.as_str(), at: self.now() }),
                };
                if let Some(over) = over {
                    self.live.registry.over(Subject::Session(*id), over);
                }
            }
        }
        for id in keys {
            if self.store().service_key(id).await?.is_none_or(|key| !key.is_active(self.now())) {
                self.live.key_revoked(id, self.now());
            }
        }
        Ok(())
    }
}
