//! The facts about a request that the inner layers find out, for its one line in the log.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use axum::http::Extensions;

use crate::model::{Caller, Opener};

/// The cause of a failure: an extension of its answer.
#[derive(Debug, Clone)]
pub(super) struct Cause(pub(super) Cow<'static, str>);

/// The caller of a request, as the log names it.
#[derive(Debug)]
pub(super) struct NotedCaller {
    /// The credential.
    pub(super) credential: Opener,
    /// The user of a session.
    pub(super) user: Option<String>,
    /// The name of a service key.
    pub(super) name: Option<String>,
}

/// The request extension by which an extractor tells the log of the caller.
#[derive(Debug, Clone, Default)]
pub(super) struct CallerSlot(Arc<OnceLock<NotedCaller>>);

impl CallerSlot {
    /// Notes the caller of the request that has these extensions. The first one counts.
    pub(super) fn note(extensions: &Extensions, caller: &Caller) {
        if let Some(Self(slot)) = extensions.get() {
            slot.get_or_init(|| NotedCaller::new(caller));
        }
    }

    /// The caller, if one was noted.
    pub(super) fn get(&self) -> Option<&NotedCaller> {
        self.0.get()
    }
}

impl NotedCaller {
    fn new(caller: &Caller) -> Self {
        let (user, name) = match caller {
            Caller::User(signed_in) => (Some(signed_in.session.user_id.as_str().to_owned()), None),
            // The other services have their id as their name.
            Caller::Service(service) => (None, service.key_id().map(|_| service.name.clone())),
        };
        Self { credential: caller.credential(), user, name }
    }
}
