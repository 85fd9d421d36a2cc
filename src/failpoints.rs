//! Deliberate defects for debug builds: the fault tests prove with them that they would find the real ones. A release
//! build has no defect and no setting for one.

/// The setting that names the one active defect.
pub const SETTING: &str = "SOJOURN_TEST_FAILPOINT";

/// A deliberate defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failpoint {
    /// The end of a session is answered before it is written.
    AnswerBeforeWrite,
    /// A user's sessions are ended one after the other, each in a transaction of its own.
    EndOneByOne,
    /// Commits are only as durable as the database is configured, and those of SQLite lack a sync.
    RelaxedCommit,
    /// An outage of the database is reported as an internal error.
    OutageIsDefect,
    /// Statements have no deadline.
    NoDeadline,
    /// A request waits thirty times as long for a connection.
    PatientPool,
    /// A session is answered as it was first read.
    StaleRead,
    /// Cache entries survive the endings that the change log reports.
    DeafToNotices,
    /// The change log is read only after a notification, and cache entries are trusted in between.
    RelyOnNotices,
    /// Positions in one change log are compared with positions in another.
    LogIdentityIgnored,
    /// A client's cursor is accepted whichever change log it belongs to.
    CursorWithoutIdentity,
    /// The position in the change log survives a reconnect, and includes changes that a crash can undo.
    PlaceKeptOverReconnect,
    /// A database that merely answers is taken for the primary.
    AnswersAreProof,
    /// The proof of one server counts for connections to any other.
    ProofOfAnyServer,
    /// No connection is reserved for ending sessions.
    NoReserve,
    /// Rows are deleted before their retention has ended.
    CleanEarly,
    /// The process exits at the signal to stop, in the middle of requests.
    NoDrain,
    /// Every connection leaks some memory.
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
