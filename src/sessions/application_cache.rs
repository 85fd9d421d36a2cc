//! All applications in memory, so that opening a session and minting a token ask the store for none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::Application;

/// The applications as they were last read.
#[derive(Default)]
pub struct ApplicationCache {
    known: RwLock<BTreeMap<String, Arc<Application>>>,
    cookies: RwLock<Arc<BTreeSet<String>>>,
}

impl ApplicationCache {
    pub fn find(&self, id: &str) -> Option<Arc<Application>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).map(Arc::clone)
    }

    /// The names of all their cookies.
    pub fn cookies(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.cookies.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, applications: Vec<Application>) {
        let cookies = applications.iter().filter_map(|application| application.settings.cookie_name.clone());
        *self.cookies.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(cookies.collect());
        let known = applications.into_iter().map(|application| (application.id.clone(), Arc::new(application)));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known.collect();
    }
}
