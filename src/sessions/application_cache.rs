//! All applications in memory, so that opening a session and minting a token ask the store for none.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::Application;

/// The applications as they were last read.
#[derive(Default)]
pub struct ApplicationCache {
    known: RwLock<BTreeMap<String, Arc<Application>>>,
}

impl ApplicationCache {
    pub fn find(&self, id: &str) -> Option<Arc<Application>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).map(Arc::clone)
    }

    pub fn replace(&self, applications: Vec<Application>) {
        let known = applications.into_iter().map(|application| (application.id.clone(), Arc::new(application)));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known.collect();
    }
}
