//! Requests and answers while something was broken, by one monotonic clock.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The outcome of ending a session, as far as its client can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The ending was acknowledged.
    Done,
    /// The ending certainly did not happen.
    NotDone,
    /// The ending may have happened.
    Unknown,
}

/// A server's verdict on a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The token is valid.
    Stands,
    /// The token is not valid.
    Refused,
    /// No verdict: no answer, or 503.
    Nothing,
}

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A request to end a session.
    Revoke(Outcome),
    /// A check of the session's token.
    Check(Seen),
}

/// One request with its answer.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    pub session: usize,
    /// The number of the replica that was asked.
    pub replica: usize,
    pub event: Event,
    /// Time from the start of the history to the sending of the request.
    pub began: Duration,
    /// Time from the start of the history to the arrival of the answer.
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

    /// The time since the start of the history.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time since `began`.
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
