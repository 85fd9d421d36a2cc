//! What was asked and answered while something was broken, in the order of one clock that never steps back.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How ending a session went, as far as its client can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged.
    Done,
    /// It certainly did not happen.
    NotDone,
    /// It may have happened.
    Unknown,
}

/// What a server said of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It stands.
    Stands,
    /// It does not.
    Refused,
    /// Nothing that counts: no answer, or that there is none to be had now.
    Nothing,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// To end a session.
    Revoke(Outcome),
    /// Whether its token stands.
    Check(Seen),
}

/// One request with its answer.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Which session.
    pub session: usize,
    /// Which replica was asked.
    pub replica: usize,
    pub event: Event,
    /// When it was sent, since the history began.
    pub began: Duration,
    /// When its answer was there.
    pub ended: Duration,
}

/// All requests, in the order of their answers.
pub struct History {
    start: Instant,
    operations: Mutex<Vec<Operation>>,
}

impl History {
    pub fn new() -> Self {
        Self { start: Instant::now(), operations: Mutex::default() }
    }

    /// The time now, for an operation that begins.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// How long ago something began.
    pub fn since(&self, began: Duration) -> Duration {
        self.now().saturating_sub(began)
    }

    /// Adds an operation that ends now.
    pub fn add(&self, session: usize, replica: usize, event: Event, began: Duration) {
        let mut operations = self.operations.lock().unwrap();
        operations.push(Operation { session, replica, event, began, ended: self.now() });
    }

    /// All operations so far.
    pub fn operations(&self) -> Vec<Operation> {
        self.operations.lock().unwrap().clone()
    }
}
