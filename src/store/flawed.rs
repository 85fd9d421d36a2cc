//! A store with a deliberate defect, for debug builds: the fault tests prove with it that they would find a real one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::contract::{
    Announcement, ApplicationStore, AuditStore, BatchProgress, BulkEndingStore, ChangeLogStore, Changes, EndOutcome,
    EndStore, EndedAtOnce, Listener, MasterSecretStore, NewSession, OneTimeLinkStore, OpenStore, Opening, Pool,
    Reauthenticated, Reauthentication, ReauthenticationStore, RefreshAttempt, RefreshStore, Refreshing,
    ReplayedChanges, Result, RetentionStore, SearchStore, ServiceKeyStore, SessionChange, SessionStore, SessionsOpened,
    SigningKeyStore, StatisticsStore, Store, StoreLifecycle, UsedSecret, UserStore,
};
use crate::failpoints::{self, Failpoint};
use crate::model::{
    Algorithm, Application, AuditEntry, AuditSearch, BulkEnding, Change, ClientCount, Counts, CountsWanted,
    DatabaseKind, DatabaseStatus, EndReason, Ended, LinkPurpose, Listing, LogId, LogPosition, LogSnapshot,
    LoggedChange, OneTimeLink, OpenSessions, Owner, Search, ServiceKeyId, Session, SessionId, SessionStats,
    SessionStatus, SignedIn, Stale, StoredAuditEntry, TokenIssuer, Touch, User, UserDetails, UserId, UserSearch,
};
use crate::tokens::{SealedSigningKey, SecretId, StoredServiceKey};

/// The delay of a write that was answered before: too long for anybody to learn that it failed.
const LATE: Duration = Duration::from_millis(500);

/// The store, wrapped in the defect of this process if it has one that a store can have.
pub fn with_flaw(store: Arc<dyn Store>) -> Arc<dyn Store> {
    const OF_STORES: [Failpoint; 7] = [
        Failpoint::AnswerBeforeWrite,
        Failpoint::EndOneByOne,
        Failpoint::StaleRead,
        Failpoint::DeafToNotices,
        Failpoint::LogIdentityIgnored,
        Failpoint::PlaceKeptOverReconnect,
        Failpoint::CleanEarly,
    ];
    match OF_STORES.into_iter().find(|failpoint| failpoints::enabled(*failpoint)) {
        Some(flaw) => Arc::new(FlawedStore { store, flaw, first_seen: Mutex::default(), first_log: OnceLock::new() }),
        None => store,
    }
}

struct FlawedStore {
    store: Arc<dyn Store>,
    flaw: Failpoint,
    /// Sessions as they were opened or first read.
    first_seen: Mutex<BTreeMap<SessionId, SignedIn>>,
    /// The log, and the connection to it, that were read first.
    first_log: OnceLock<(LogId, u64)>,
}

impl FlawedStore {
    fn has(&self, flaw: Failpoint) -> bool {
        self.flaw == flaw
    }

    fn first_seen(&self) -> MutexGuard<'_, BTreeMap<SessionId, SignedIn>> {
        self.first_seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Implements a trait of the contract. Its methods ask the store inside, but for those in `flawed`.
macro_rules! implement {
    ($contract:ident {
        $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
        $(flawed { $($flawed:tt)* })?
    }) => {
        #[async_trait]
        impl $contract for FlawedStore {
            $(async fn $method(&self, $($argument: $type),*) -> $answer {
                self.store.$method($($argument),*).await
            })*
            $($($flawed)*)?
        }
    };
}

implement!(ApplicationStore {
    fn applications() -> Result<Vec<Application>>;
    fn add_application(application: &Application, entry: Option<&AuditEntry>) -> Result<bool>;
    fn change_application(application: &Application, seen: DateTime<Utc>, entry: Option<&AuditEntry>) -> Result<bool>;
    fn delete_application(id: &str, entry: Option<&AuditEntry>) -> Result<bool>;
});

implement!(AuditStore {
    fn add_audit_entry(entry: &AuditEntry) -> Result<()>;
    fn search_audit(search: AuditSearch<'_>) -> Result<Vec<StoredAuditEntry>>;
});

implement!(EndStore {
    fn end_active_session(
        id: SessionId, user: &UserId, reason: EndReason, now: DateTime<Utc>, entry: Option<&AuditEntry>
    ) -> Result<bool>;
    fn end_named_sessions(
        ids: &[SessionId], owner: Owner<'_>, reason: EndReason, now: DateTime<Utc>, entry: Option<&AuditEntry>
    ) -> Result<Vec<(SessionId, UserId)>>;
    flawed {
        async fn end_session(
            &self,
            id: SessionId,
            owner: Owner<'_>,
            reason: EndReason,
            now: DateTime<Utc>,
            entry: Option<&AuditEntry>,
        ) -> Result<Option<EndOutcome>> {
            let known = self.first_seen().get(&id).cloned().filter(|_| self.has(Failpoint::AnswerBeforeWrite));
            let Some(known) = known else { return self.store.end_session(id, owner, reason, now, entry).await };
            let store = Arc::clone(&self.store);
            tokio::spawn(async move {
                tokio::time::sleep(LATE).await;
                drop(store.end_session(id, Owner::Anyone, reason, now, None).await);
            });
            Ok(Some(EndOutcome::Ended(Box::new(known.session))))
        }

        async fn end_sessions_of(
            &self,
            user: &UserId,
            except: Option<SessionId>,
            reason: EndReason,
            now: DateTime<Utc>,
            entry: Option<&AuditEntry>,
        ) -> Result<EndedAtOnce> {
            if self.has(Failpoint::EndOneByOne) {
                for session in self.store.active_sessions_of(user, now).await? {
                    self.store.end_active_session(session.id, user, reason, now, None).await?;
                }
            }
            self.store.end_sessions_of(user, except, reason, now, entry).await
        }
    }
});

implement!(OpenStore {
    flawed {
        async fn open_session(&self, new: &NewSession) -> Result<Opening> {
            let opening = self.store.open_session(new).await?;
            if let Opening::Opened { user, .. } = &opening {
                let opened = SignedIn { session: new.session.clone(), user: user.clone() };
                self.first_seen().insert(opened.session.id, opened);
            }
            Ok(opening)
        }
    }
});

implement!(SessionStore {
    fn session(id: SessionId, owner: Owner<'_>) -> Result<Option<Session>>;
    fn active_sessions_of_users(users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>>;
    fn active_sessions_opened(
        user: &UserId, from: DateTime<Utc>, to: DateTime<Utc>, now: DateTime<Utc>
    ) -> Result<Vec<Session>>;
    fn count_active_sessions_of(user: &UserId, now: DateTime<Utc>) -> Result<u64>;
    fn session_stats(user: &UserId, now: DateTime<Utc>) -> Result<SessionStats>;
    fn touch_sessions(touches: &[Touch]) -> Result<()>;
    fn extend_session(
        id: SessionId, owner: Owner<'_>, by: TimeDelta, now: DateTime<Utc>, entry: Option<&AuditEntry>
    ) -> Result<Option<Session>>;
    fn change_session(
        id: SessionId, owner: Owner<'_>, change: &SessionChange, now: DateTime<Utc>, entry: Option<&AuditEntry>
    ) -> Result<Option<Session>>;
    flawed {
        async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
            let read = self.store.sessions_of_tokens(ids).await?;
            if !self.has(Failpoint::StaleRead) {
                return Ok(read);
            }
            let mut first = self.first_seen();
            Ok(read.into_iter().map(|read| first.entry(read.session.id).or_insert(read).clone()).collect())
        }

        async fn session_statuses(&self, ids: &[SessionId]) -> Result<Vec<SessionStatus>> {
            let mut statuses = self.store.session_statuses(ids).await?;
            if self.has(Failpoint::StaleRead) {
                let first = self.first_seen();
                for status in &mut statuses {
                    status.ended = first.get(&status.id).map_or(status.ended, |seen| seen.session.ended);
                }
            }
            Ok(statuses)
        }
    }
});

implement!(ChangeLogStore {
    fn replay_changes(after: LogPosition) -> Result<ReplayedChanges>;
    fn foreign_endings(since: DateTime<Utc>) -> Result<Vec<LoggedChange>>;
    fn announce(announcement: Announcement, issuer: Option<&TokenIssuer>) -> Result<()>;
    fn listen() -> Result<Option<Box<dyn Listener>>>;
    fn forget_changes(before: LogPosition, since: DateTime<Utc>) -> Result<u64>;
    flawed {
        async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes> {
            let mut page = self.store.changes(seen, after).await?;
            if self.has(Failpoint::DeafToNotices) {
                page.changes.retain(|logged| !matches!(logged.change, Change::SessionEnded { .. }));
            }
            let (log, connection) = *self.first_log.get_or_init(|| (page.log, page.connection));
            if self.has(Failpoint::LogIdentityIgnored) {
                page.log = log;
            }
            if self.has(Failpoint::PlaceKeptOverReconnect) {
                (page.log, page.connection) = (log, connection);
            }
            Ok(page)
        }
    }
});

implement!(RetentionStore {
    fn count_ended_before(instant: DateTime<Utc>) -> Result<u64>;
    flawed {
        async fn delete_stale(
            &self,
            stale: Stale<'_>,
            alone: bool,
            entry: Option<&AuditEntry>,
        ) -> Result<Option<u64>> {
            let early = TimeDelta::days(1);
            let stale = match stale {
                Stale::Expired(at) if self.has(Failpoint::CleanEarly) => Stale::Expired(at + early),
                Stale::Ended(at) if self.has(Failpoint::CleanEarly) => Stale::Ended(at + early),
                other => other,
            };
            self.store.delete_stale(stale, alone, entry).await
        }
    }
});

implement!(StoreLifecycle {
    fn ping() -> Result<bool>;
    fn close() -> ();
    fn database_status() -> Result<DatabaseStatus>;
    flawed {
        fn kind(&self) -> DatabaseKind {
            self.store.kind()
        }

        fn pools(&self) -> Vec<Pool> {
            self.store.pools()
        }
    }
});

implement!(BulkEndingStore {
    fn end_in_bulk(ending: &BulkEnding, entry: Option<&AuditEntry>) -> Result<()>;
    fn bulk_endings(since: DateTime<Utc>) -> Result<Vec<BulkEnding>>;
    fn apply_bulk_ending(now: DateTime<Utc>) -> Result<BatchProgress>;
});

implement!(MasterSecretStore {
    fn note_use_of_secret(id: SecretId, now: DateTime<Utc>) -> Result<()>;
    fn used_secrets() -> Result<Vec<UsedSecret>>;
    fn replace_seal(key: &SealedSigningKey, sealed: &[u8]) -> Result<bool>;
    fn sessions_opened_until(until: DateTime<Utc>, now: DateTime<Utc>) -> Result<SessionsOpened>;
});

implement!(OneTimeLinkStore {
    fn put_one_time_link(hash: &[u8; 32], link: &OneTimeLink) -> Result<()>;
    fn take_one_time_link(hash: &[u8; 32], purpose: LinkPurpose, now: DateTime<Utc>) -> Result<Option<OneTimeLink>>;
});

implement!(ReauthenticationStore {
    fn reauthenticate_session(authentication: &Reauthentication) -> Result<Reauthenticated>;
});

implement!(RefreshStore {
    fn refresh_session(attempt: RefreshAttempt) -> Result<Refreshing>;
});

implement!(SearchStore {
    fn search_sessions(search: Search<'_>) -> Result<Vec<Session>>;
    fn count_sessions(search: Search<'_>) -> Result<u32>;
    fn count_sessions_by_client(search: Search<'_>) -> Result<Vec<ClientCount>>;
    fn search_users(search: UserSearch<'_>) -> Result<Vec<User>>;
    fn list_sessions(listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)>;
});

implement!(ServiceKeyStore {
    fn add_service_key(key: &StoredServiceKey, entry: Option<&AuditEntry>) -> Result<()>;
    fn service_key(id: ServiceKeyId) -> Result<Option<StoredServiceKey>>;
    fn service_keys() -> Result<Vec<StoredServiceKey>>;
    fn revoke_service_key(id: ServiceKeyId, staff: &UserId, ended: Ended, entry: Option<&AuditEntry>) -> Result<Option<EndedAtOnce>>;
});

implement!(SigningKeyStore {
    fn signing_keys() -> Result<Vec<SealedSigningKey>>;
    fn add_signing_key(key: &SealedSigningKey, entry: Option<&AuditEntry>) -> Result<bool>;
    fn remove_signing_key(sequence: i64) -> Result<()>;
    fn note_wanted_algorithm(algorithm: Algorithm, now: DateTime<Utc>) -> Result<()>;
});

implement!(StatisticsStore {
    fn roll_up(until: DateTime<Utc>) -> Result<BatchProgress>;
    fn statistics(wanted: CountsWanted<'_>) -> Result<Counts>;
    fn open_sessions() -> Result<OpenSessions>;
});

implement!(UserStore {
    fn user(id: &UserId) -> Result<Option<User>>;
    fn put_user(id: &UserId, details: &UserDetails, now: DateTime<Utc>, entry: Option<&AuditEntry>) -> Result<User>;
    fn delete_user(id: &UserId, now: DateTime<Utc>, entry: Option<&AuditEntry>) -> Result<Option<EndedAtOnce>>;
    fn erase_user(id: &UserId, service: &str, pseudonym: &str, entry: Option<&AuditEntry>) -> Result<u64>;
    fn ban_user(
        id: &UserId, reason: Option<&str>, now: DateTime<Utc>, entry: Option<&AuditEntry>
    ) -> Result<(User, EndedAtOnce)>;
    fn unban_user(id: &UserId, now: DateTime<Utc>, entry: Option<&AuditEntry>) -> Result<Option<User>>;
});

impl Store for FlawedStore {}
