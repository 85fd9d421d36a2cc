//! Subscriptions to the termination of sessions and service keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::endings::Termination;
use crate::model::{ServiceKeyId, SessionId};

/// The subject of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A session.
    Session(SessionId),
    /// A service key.
    Key(ServiceKeyId),
    /// The bootstrap key.
    BootstrapKey,
}

/// The subjects that have subscriptions.
#[derive(Debug, Default)]
pub struct Registry {
    subjects: Mutex<HashMap<Subject, Entry>>,
}

#[derive(Debug)]
struct Entry {
    followers: usize,
    news: watch::Sender<Option<Termination>>,
}

impl Registry {
    /// Subscribes to `subject`; every later termination reaches the subscription.
    pub fn follow(self: &Arc<Self>, subject: Subject) -> Subscription {
        let mut subjects = self.lock();
        let entry = subjects.entry(subject).or_insert_with(|| Entry { followers: 0, news: watch::Sender::new(None) });
        entry.followers += 1;
        Subscription { registry: Arc::clone(self), subject, news: entry.news.subscribe() }
    }

    /// Sends a termination to all subscriptions of `subject`.
    pub fn terminated(&self, subject: Subject, over: Termination) {
        if let Some(entry) = self.lock().get(&subject) {
            entry.news.send_if_modified(|known| {
                let new = known.is_none();
                known.get_or_insert(over);
                new
            });
        }
    }

    /// All subjects that have subscriptions.
    pub fn subjects(&self) -> (Vec<SessionId>, Vec<ServiceKeyId>) {
        let (mut sessions, mut keys) = (Vec::new(), Vec::new());
        for subject in self.lock().keys() {
            match subject {
                Subject::Session(id) => sessions.push(*id),
                Subject::Key(id) => keys.push(*id),
                // The bootstrap key cannot be revoked.
                Subject::BootstrapKey => {}
            }
        }
        (sessions, keys)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, Entry>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    registry: Arc<Registry>,
    subject: Subject,
    news: watch::Receiver<Option<Termination>>,
}

impl Subscription {
    /// The subject.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The termination, if it has come.
    pub fn termination(&self) -> Option<Termination> {
        *self.news.borrow()
    }

    /// Returns at the termination of the subject.
    pub async fn terminated(&mut self) -> Termination {
        match self.news.wait_for(Option::is_some).await.map(|over| *over) {
            Ok(Some(over)) => over,
            // The sender lives as long as there is a subscription.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subjects = self.registry.lock();
        if let Some(entry) = subjects.get_mut(&self.subject) {
            entry.followers -= 1;
            if entry.followers == 0 {
                subjects.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    const OVER: Termination = Termination { reason: "logout", at: DateTime::UNIX_EPOCH };

    #[tokio::test]
    async fn the_first_word_counts_for_all_who_wait_and_nothing_is_kept_for_nobody() {
        let registry = Arc::new(Registry::default());
        let subject = Subject::Session(SessionId::from_uuid(Uuid::from_u128(1)));
        registry.terminated(subject, OVER);
        let (mut one, mut two) = (registry.follow(subject), registry.follow(subject));
        assert_eq!(one.termination(), None, "what was told to nobody is not kept");
        registry.terminated(subject, OVER);
        registry.terminated(subject, Termination { reason: "replaced", ..OVER });
        assert_eq!((one.terminated().await, two.terminated().await), (OVER, OVER));
        let mut late = registry.follow(subject);
        assert_eq!(late.terminated().await, OVER);
        drop((one, two));
        assert_eq!(registry.subjects().0.len(), 1);
        drop(late);
        assert_eq!(registry.subjects(), (vec![], vec![]));
    }
}
