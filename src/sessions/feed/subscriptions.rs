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
    news: watch::Sender<News>,
}

/// The latest that is known of a subject.
#[derive(Debug, Clone, Copy, Default)]
struct News {
    over: Option<Termination>,
    /// The least counter of a session's valid tokens.
    least_counter: u32,
}

impl Registry {
    /// Subscribes to `subject`; every later termination reaches the subscription.
    pub fn follow(self: &Arc<Self>, subject: Subject) -> Subscription {
        self.subscribe(subject, None)
    }

    /// Subscribes to a session by one of its tokens, which `least_counter` accepted: a later authentication in the session
    /// terminates the subscription.
    pub fn follow_by_token(self: &Arc<Self>, session: SessionId, least_counter: u32) -> Subscription {
        self.subscribe(Subject::Session(session), Some(least_counter))
    }

    fn subscribe(self: &Arc<Self>, subject: Subject, counter: Option<u32>) -> Subscription {
        let mut subjects = self.lock();
        let new = || Entry { followers: 0, news: watch::Sender::new(News::default()) };
        let entry = subjects.entry(subject).or_insert_with(new);
        entry.followers += 1;
        Subscription { registry: Arc::clone(self), subject, counter, news: entry.news.subscribe() }
    }

    /// Whether a subject has subscriptions.
    pub fn has(&self, subject: Subject) -> bool {
        self.lock().contains_key(&subject)
    }

    /// Notes the least counter of a session's valid tokens, which terminates the subscriptions by older ones.
    pub fn authenticated(&self, subject: Subject, least_counter: u32) {
        if let Some(entry) = self.lock().get(&subject) {
            entry.news.send_if_modified(|known| {
                let grows = known.least_counter < least_counter;
                known.least_counter = known.least_counter.max(least_counter);
                grows
            });
        }
    }

    /// Sends a termination to all subscriptions of `subject`.
    pub fn terminated(&self, subject: Subject, over: Termination) {
        if let Some(entry) = self.lock().get(&subject) {
            entry.news.send_if_modified(|known| {
                let new = known.over.is_none();
                known.over.get_or_insert(over);
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
    /// The least counter that accepted the subscriber's token; `None`: it subscribed by another credential.
    counter: Option<u32>,
    news: watch::Receiver<News>,
}

impl Subscription {
    /// The subject.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Whether the subscription is terminated.
    pub fn is_terminated(&self) -> bool {
        is_over(&self.news.borrow(), self.counter)
    }

    /// Returns at the termination of the subject; `None`: the subscriber's token was superseded.
    pub async fn terminated(&mut self) -> Option<Termination> {
        let counter = self.counter;
        match self.news.wait_for(|news| is_over(news, counter)).await.map(|news| news.over) {
            Ok(over) => over,
            // The sender lives as long as there is a subscription.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Whether these news end a subscription by a token that `counter` accepted.
fn is_over(news: &News, counter: Option<u32>) -> bool {
    news.over.is_some() || counter.is_some_and(|counter| counter < news.least_counter)
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
        assert!(!one.is_terminated(), "what was told to nobody is not kept");
        registry.terminated(subject, OVER);
        registry.terminated(subject, Termination { reason: "replaced", ..OVER });
        assert_eq!((one.terminated().await, two.terminated().await), (Some(OVER), Some(OVER)));
        let mut late = registry.follow(subject);
        assert_eq!(late.terminated().await, Some(OVER));
        drop((one, two));
        assert_eq!(registry.subjects().0.len(), 1);
        drop(late);
        assert_eq!(registry.subjects(), (vec![], vec![]));
    }

    #[tokio::test]
    async fn a_later_authentication_is_the_end_of_those_who_came_by_an_earlier_token_alone() {
        let registry = Arc::new(Registry::default());
        let id = SessionId::from_uuid(Uuid::from_u128(1));
        let subject = Subject::Session(id);
        let (mut before, after) = (registry.follow_by_token(id, 2), registry.follow_by_token(id, 5));
        let by_key = registry.follow(subject);
        registry.authenticated(subject, 2);
        assert!(!before.is_terminated());
        registry.authenticated(subject, 5);
        registry.authenticated(subject, 3);
        assert_eq!(before.terminated().await, None);
        assert!(!after.is_terminated() && !by_key.is_terminated());
    }
}
