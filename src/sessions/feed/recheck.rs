//! The recheck of all subscriptions, after endings may have been missed.

use super::endings::Termination;
use super::hub::Doubts;
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

    /// Reads the sessions and keys of doubtful subscriptions, in batches, and terminates the subscriptions of those that ended
    /// or whose credential was superseded. After an error all of them are still in doubt.
    pub async fn look_again(&self) -> Result<(), Error> {
        let doubts = self.feed.take_doubts();
        let looked = self.look_at(&doubts).await;
        if looked.is_err() {
            self.feed.doubt(doubts);
        }
        looked
    }

    async fn look_at(&self, doubts: &Doubts) -> Result<(), Error> {
        let (sessions, keys) = if doubts.everything {
            self.feed.registry.subjects()
        } else {
            (doubts.sessions.iter().copied().collect(), Vec::new())
        };
        for ids in sessions.chunks(MAX_BATCH) {
            let found = self.store().sessions_of_tokens(ids).await?;
            for id in ids {
                let session = found.iter().map(|signed_in| &signed_in.session).find(|session| session.id == *id);
                let over = match session {
                    Some(session) => session.ended.map(Termination::from),
                    // Only sessions past their retention are deleted.
                    None => Some(Termination { reason: State::Expired.as_str(), at: self.now() }),
                };
                let subject = Subject::Session(*id);
                match (over, session) {
                    (Some(over), _) => self.feed.registry.terminated(subject, over),
                    (None, Some(session)) => self.feed.registry.authenticated(subject, session.least_counter),
                    (None, None) => {}
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
