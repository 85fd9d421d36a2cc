//! Where sessions are kept: the contract, and the two stores that fulfil it.
//!
//! [`Store`] is a list of intentions. Each method is one atomic unit: it happens wholly or not at all, and when it has
//! answered `Ok` its effect survives a crash, but for [`Store::touch_sessions`]. Times come in from the caller; no
//! statement asks the database for the time. The same cases run against both stores in `tests/store/`.

#[macro_use]
mod fragments;
mod changes;
mod columns;
mod connecting;
pub(crate) mod gathering;
pub mod postgres;
mod refreshing;
mod requests;
mod search;
mod secrets;
pub mod sqlite;
mod values;

use std::sync::Arc;

pub use crate::model::{Change, LogId, LogPosition, LogSnapshot, LoggedChange};
use async_trait::async_trait;
pub use changes::{Announcement, Changes, Listener, MOST_CHANGES, MOST_REPLAYED, ReplayedChanges};
use chrono::{DateTime, TimeDelta, Utc};
pub use connecting::{OpenError, Pool, is_new, open, open_with_replica};
use connecting::{SEARCH_TIME, divide};
pub use refreshing::{RefreshAttempt, Refreshing};
pub use secrets::{MasterSecrets, SessionsOpened, UsedSecret};

use crate::model::{
    BulkEnding, Counts, CountsWanted, EndReason, Listing, Owner, Search, ServiceKeyId, Session, SessionId,
    SessionLimit, SessionStats, SignedIn, Stale, Standing, Touch, User, UserDetails, UserId,
};
use crate::tokens::{SealedSigningKey, StoredServiceKey};

/// The most sessions that [`Store::active_sessions_of`] answers; a user with more sees the newest.
pub const MOST_LISTED: u32 = 1000;

/// Why a store did not do what it was asked. What is merely not there is no error but an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is overloaded, or could not take the lock: it may work in a moment.
    /// Whether a write was done is not known.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A search read for longer than allowed.
    #[error("the search took too long")]
    TooSlow,
    /// The database refused something that it never should: a defect of ours.
    #[error("the database refused")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn unavailable(why: &'static str) -> Self {
        Self::Unavailable(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(why)))
    }
}

/// The answer of a store.
pub type Result<T> = std::result::Result<T, Error>;

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session, complete and active.
    pub session: Session,
    /// What the opener tells of its user; `None` leaves what is stored.
    pub user: UserDetails,
    /// How many active sessions the user may have.
    pub limit: Option<SessionLimit>,
    /// The opener's promise that a repeat of the request means the same session.
    pub idempotency: Option<Idempotency>,
}

impl NewSession {
    /// Whether nothing else decides if it is opened than the user and the bulk endings, which is the usual case.
    fn is_plain(&self) -> bool {
        self.limit.is_none() && self.idempotency.is_none()
    }
}

/// An idempotency key, as a client sent it with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The service that sent it: another service's equal key is another key.
    pub service: String,
    /// The key.
    pub key: String,
    /// A hash of the request that it came with.
    pub fingerprint: Vec<u8>,
    /// A key first used at this instant or before is forgotten.
    pub forget_before: DateTime<Utc>,
}

/// What became of a session to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It was opened. `evicted` had to make place, in the order of their ids.
    Opened {
        /// The user as stored now.
        user: User,
        /// The sessions ended with [`EndReason::Replaced`].
        evicted: Vec<SessionId>,
    },
    /// The idempotency key stands for this session, opened before; nothing was written.
    Repeated(Box<SignedIn>),
    /// The idempotency key was used before, with another fingerprint; nothing was written.
    KeyReused,
    /// The user is banned; nothing was written.
    UserBanned,
    /// The user has as many sessions as allowed; nothing was written.
    LimitReached,
    /// A bulk ending reaches to this instant, and the session would be no younger: its clock is behind. Nothing was
    /// written.
    Outrun(DateTime<Utc>),
}

/// What became of a session to be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was ended by this call.
    Ended(Box<Session>),
    /// It had been ended before; when and why stay as they were.
    AlreadyEnded(Box<Session>),
}

/// The most sessions that are ended by one statement; a bulk ending takes the rest.
pub const MOST_ENDED_TOGETHER: i64 = 5000;

/// What became of a user's sessions that were to be ended together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedTogether {
    /// All were ended: these are the active ones among them, in order.
    Ended(Vec<SessionId>),
    /// They are more than [`MOST_ENDED_TOGETHER`]: none was ended by this, and a bulk ending is due.
    TooMany,
}

/// A change to a session; `None` leaves the field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionChange {
    /// The device's name; `Some(None)` takes it away.
    pub device_name: Option<Option<String>>,
    /// The opener's own data.
    pub metadata: Option<crate::model::Metadata>,
}

/// The contract of a store.
#[async_trait]
pub trait Store: MasterSecrets + Send + Sync {
    /// Opens a session: keeps its user, honours the user's ban, the limit and the idempotency key, all in one.
    ///
    /// The user is created when new, and told details replace the stored ones. Of two calls for one user that race for
    /// the last place under a limit, one gets it; a call that races a ban is either before it, and its session is ended
    /// by it, or answers [`Opening::UserBanned`]. Of two calls that race with one idempotency key, one opens and the
    /// other waits and answers [`Opening::Repeated`]; a repeat is answered so whatever has become of the session.
    async fn open_session(&self, new: &NewSession) -> Result<Opening>;

    /// The sessions that tokens name, with their users, in any order; an id that there is none of is passed over. The
    /// tokens are the proof that their holders may ask, so no owner is named.
    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>>;

    /// Where sessions stand, as [`Store::sessions_of_tokens`] would answer them.
    async fn standings(&self, ids: &[SessionId]) -> Result<Vec<Standing>>;

    /// One session of `owner`, whatever its state. `None` when there is none or it is another's.
    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>>;

    /// The active sessions of each user at `now`, newest first (by creation, then id), at most [`MOST_LISTED`] of each.
    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>>;

    /// The active sessions of one user, as [`Store::active_sessions_of_users`] answers them.
    async fn active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<Vec<Session>> {
        self.active_sessions_of_users(std::slice::from_ref(user), now).await
    }

    /// A user's active sessions at `now` that were opened in the range `from <= x < to`, as
    /// [`Store::active_sessions_of`] answers them.
    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>>;

    /// The number of a user's active sessions at `now`, also of those that [`Store::active_sessions_of`] leaves out.
    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64>;

    /// How many sessions of a user stand at `now`, and how many have expired or been idle for too long; ended ones do
    /// not count.
    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats>;

    /// One page of a search: at most `limit` sessions of `owner` that meet the filter, in order, after the position.
    /// Answers [`Error::TooSlow`] rather than read for seconds. The answer may be ten seconds old where the search allows it.
    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>>;

    /// How many sessions a search finds from its beginning, counted up to its limit, as of now. Answers [`Error::TooSlow`]
    /// rather than read for seconds.
    async fn count_sessions(&self, search: Search<'_>) -> Result<u32>;

    /// One page of a list of anybody's sessions, and how many there are in all of it, counted up to `count_to` where that
    /// is asked for. Answers [`Error::TooSlow`] rather than read for seconds. The answer may be ten seconds old.
    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)>;

    /// Writes when sessions were last used and the highest refresh counters seen. Never moves either back, never
    /// touches an ended session, passes over ids that do not exist. May be lost in a crash, and only it.
    /// `touches` are in the order of their ids, each id once.
    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()>;

    /// Moves the end of an active session of `owner` by `by`, at most to its absolute end, and answers it.
    /// `None` when there is none, it is another's, or it is not active.
    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>>;

    /// Changes what people see of an active session of `owner`, and answers it.
    /// `None` when there is none, it is another's, or it is not active.
    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>>;

    /// Ends a session of `owner`, expired or not. The first call wins: when and why never change after it.
    /// `None` when there is none or it is another's.
    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Option<Ending>>;

    /// Ends an active session of `user`, and says whether there was one. As [`Store::end_sessions_of`] it ends one idle
    /// for too long too, but says that there was none.
    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<bool>;

    /// Ends every active session of `user` but `except`, and answers their ids, in order; or none when they are too many.
    ///
    /// Sessions idle for too long are ended too, though not answered: a use that another process has not written yet
    /// would bring them back. The same goes for [`Store::ban_user`] and [`Store::delete_user`].
    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<EndedTogether>;

    /// Ends the active ones among these sessions of `owner`, and answers them with their users, in the order of their ids.
    /// As in [`Store::end_sessions_of`], those idle for too long are ended too, though not answered.
    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<(SessionId, UserId)>>;

    /// Ends, at once and by one row, every active session that meets what the filter says of things that never change: its
    /// state and last use are passed over. All that were opened before this call are meant and none that is opened after
    /// it, whatever the clocks say.
    async fn end_in_bulk(&self, ending: &BulkEnding) -> Result<()>;

    /// The bulk endings made at `since` or later, in their order, carried out or not. Each says up to when its sessions were
    /// opened (`filter.created.to`).
    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>>;

    /// Brings a batch of sessions up to the oldest bulk ending whose sessions are not all there yet. `Some(true)`: there is
    /// more to do for it. `None` when there is nothing to do, or another process is at it. May be lost in a crash: then it
    /// is still to be done.
    async fn carry_out_bulk_ending(&self, now: DateTime<Utc>) -> Result<Option<bool>>;

    /// Rotates a refresh token, or tells why not, in one compare-and-set: by the rules of [`Refreshing`].
    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing>;

    /// Deletes one batch of what is kept no longer, and answers how many; 0 when nothing is left. May be lost in a crash:
    /// then it is still there to be deleted. Rows that somebody else is changing are passed over. With `alone` only one
    /// process at a time deletes: `None` when it is another.
    async fn delete_stale(&self, stale: Stale<'_>, alone: bool) -> Result<Option<u64>>;

    /// How many sessions had expired or been ended at `instant` or before.
    async fn count_over(&self, instant: DateTime<Utc>) -> Result<u64>;

    /// Counts a batch of what happened to sessions before `until`, from where it was last done, and how far it is done; both
    /// together are lost in a crash, or neither. Stops short of a bulk ending that is not carried out, because its sessions
    /// will have ended when it was made. `Some(true)`: there is more to count. `None` when another process is at it.
    ///
    /// Nothing may happen before `until` any more. What is deleted before it is counted, is counted as it is deleted.
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<Option<bool>>;

    /// The counts, all as of one instant, which may be ten seconds ago. Events are left out when there are too many groups.
    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts>;

    /// One user. `None` when unknown.
    async fn user(&self, id: &UserId) -> Result<Option<User>>;

    /// Creates a user or changes the details told, and answers it.
    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User>;

    /// Deletes a user, its ban too, and ends its active sessions with [`EndReason::UserDeleted`].
    /// Answers the ended ids, in order; `None` when the user is unknown and has no active session.
    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedTogether>>;

    /// Takes what describes a person (addresses, places, devices, metadata) out of a batch of the user's sessions,
    /// whatever their state, and answers how many; once none is left and the answer is 0, also out of the bulk endings
    /// that name the user and the idempotency keys that stand for its sessions or are kept as of `service`. Such a key
    /// opens no session any more: a repeat answers [`Opening::KeyReused`].
    async fn erase_user(&self, id: &UserId, service: &str) -> Result<u64>;

    /// Bans a user, creating it when unknown so that no ban comes too early, and ends its active sessions with
    /// [`EndReason::UserBanned`]. Answers the user and the ended ids, in order. A second ban keeps the first one's time.
    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedTogether)>;

    /// Lifts a ban, and answers the user; no session comes back. `None` when the user is unknown.
    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>>;

    /// Keeps a new service key.
    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()>;

    /// The service key of that id, whatever its state. `None` when unknown.
    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>>;

    /// All service keys, newest first, revoked and expired ones too.
    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>>;

    /// Revokes a service key, and says whether there is one. A second call keeps the first one's time.
    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool>;

    /// All signing keys, by sequence, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>>;

    /// Keeps a new signing key, and says whether it was the first of its sequence number. When not, nothing is written:
    /// another replica was faster.
    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool>;

    /// Forgets the signing keys before `sequence`.
    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()>;

    /// A part of a look at the change log: the changes after a place that the look before (`seen`) could not see, at most
    /// [`MOST_CHANGES`]. Every change that committed before this was asked for is in it, in a further part, or was seen.
    /// [`Error::Unavailable`] when the database cannot prove that it is the one that others write to.
    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes>;

    /// The changes after a place, at most [`MOST_REPLAYED`], for a listener that comes back. Holds up no look at the log.
    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges>;

    /// The endings at `since` or later that a dump brought along with the numbers of another log, which are ahead of this
    /// one's. Their places are before all others.
    async fn foreign_endings(&self, since: DateTime<Utc>) -> Result<Vec<LoggedChange>>;

    /// Tells the other replicas. May get lost; they look for themselves soon.
    async fn announce(&self, announcement: Announcement) -> Result<()>;

    /// Starts to hear what replicas announce. `None` when the store has no means for it.
    async fn listen(&self) -> Result<Option<Box<dyn Listener>>>;

    /// Deletes a batch of what stands before a place in the change log, and of what a dump brought along with the numbers of
    /// another log but for the endings at `since` or later. Answers how much; 0 when nothing is left. May be lost in a crash.
    async fn forget_changes(&self, before: LogPosition, since: DateTime<Utc>) -> Result<u64>;

    /// Asks the database whether it has the tables of this version.
    async fn ping(&self) -> Result<bool>;

    /// The connections as they are now.
    fn pools(&self) -> Vec<Pool>;

    /// Closes all connections, after what runs on them.
    async fn close(&self);
}
