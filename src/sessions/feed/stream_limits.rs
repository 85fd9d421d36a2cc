//! The limits on open streams, in all and of one caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Caller;
use crate::sessions::error::Error;

/// The most streams that are open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// In all.
    pub most: u32,
    /// Of one user, in all of the user's sessions.
    pub of_user: u32,
    /// Of one service key.
    pub of_service: u32,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { most: 10_000, of_user: 16, of_service: 1000 }
    }
}

/// The streams that are open.
pub struct StreamPlaces {
    limits: StreamLimits,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    count: u32,
    of_caller: HashMap<String, u32>,
}

impl StreamPlaces {
    pub fn new(limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of one stream, released when dropped.
pub struct StreamPlace {
    places: Arc<StreamPlaces>,
    caller: String,
}

impl StreamPlaces {
    /// Takes a slot for a stream of this caller.
    pub fn place(self: &Arc<Self>, caller: &Caller) -> Result<StreamPlace, Error> {
        let StreamLimits { most, of_user, of_service } = self.limits;
        let (caller, of_caller) = match caller {
            Caller::User(signed_in) => (format!("user {}", signed_in.session.user_id), of_user),
            Caller::Service(service) => (format!("service {}", service.id), of_service),
        };
        let mut open = self.open();
        if open.count >= most || open.of_caller.get(&caller).is_some_and(|count| *count >= of_caller) || of_caller == 0
        {
            return Err(Error::TooManyStreams);
        }
        open.count += 1;
        *open.of_caller.entry(caller.clone()).or_default() += 1;
        Ok(StreamPlace { places: Arc::clone(self), caller })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.places.open();
        open.count -= 1;
        if let Some(count) = open.of_caller.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.of_caller.remove(&self.caller);
            }
        }
    }
}
