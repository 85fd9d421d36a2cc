//! Deliberate defects that a debug build can be told to have, so that the fault tests can prove that they would find the
//! real ones. A release build has none of them and no setting for them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::model::{SessionId, SignedIn};

/// The setting that names the one defect to have.
pub const SETTING: &str = "SOJOURN_TEST_FAILPOINT";

/// A deliberate defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failpoint {
    /// That a session is ended is answered before it is written.
    AnswerBeforeWrite,
    /// A user's sessions are ended one after the other, each in a transaction of its own.
    EndOneByOne,
    /// Commits are only as durable as the operator set the database to be, and SQLite's as durable as is usual.
    RelaxedCommit,
    /// An outage of the database passes for a defect of ours.
    OutageIsDefect,
    /// The database may take as long as it likes.
    NoDeadline,
    /// A request waits for a connection for as long as its client does.
    PatientPool,
    /// A session is as it was when it was first read.
    StaleRead,
    /// Cache entries outlive the changes of their sessions.
    DeafToNotices,
    /// The change log is read only when somebody says that it has grown, and copies are trusted all the while.
    RelyOnNotices,
    /// Places of another change log are compared with those of the present one.
    LogIdentityIgnored,
    /// A client's cursor is taken whichever change log it is of.
    CursorWithoutIdentity,
    /// The place in the change log is kept over a reconnect, and includes what a crash can take back.
    PlaceKeptOverReconnect,
    /// A database that only answers passes for the primary.
    AnswersAreProof,
    /// No connection is kept for ending sessions.
    NoReserve,
    /// What was not kept long enough is cleaned up too.
    CleanEarly,
    /// Requests under way are broken off at the end.
    NoDrain,
    /// Every connection leaves some memory behind.
    Leak,
}

/// Whether this process has that defect.
#[cfg(debug_assertions)]
pub fn enabled(failpoint: Failpoint) -> bool {
    use std::sync::LazyLock;
    #[expect(clippy::disallowed_methods, reason = "no setting of the product, and read where no configuration reaches")]
    static CHOSEN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(SETTING).ok());
    CHOSEN.as_deref().is_some_and(|chosen| chosen == format!("{failpoint:?}"))
}

/// Whether this process has that defect: never.
#[cfg(not(debug_assertions))]
pub const fn enabled(_: Failpoint) -> bool {
    false
}

/// The first answer of all for each session, in a process that has [`Failpoint::StaleRead`].
pub fn as_first_read(read: Vec<SignedIn>) -> Vec<SignedIn> {
    static FIRST: Mutex<BTreeMap<SessionId, SignedIn>> = Mutex::new(BTreeMap::new());
    if !enabled(Failpoint::StaleRead) {
        return read;
    }
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    read.into_iter().map(|read| first.entry(read.session.id).or_insert(read).clone()).collect()
}

/// Does what was answered already, when it is too late to tell anybody that it failed.
pub fn later(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        work.await;
    });
}
