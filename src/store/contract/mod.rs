//! The contract of a store: a list of intentions, in one trait for each subject.
//!
//! Each method is one atomic unit: it happens wholly or not at all. Once it has answered `Ok` its effect survives a
//! crash, unless its own comment says that it may be lost. Times are passed in by the caller; only
//! [`ChangeLogStore::changes`] asks the database for the time. The entry of a change in the audit trail is added in
//! the same unit, and only if something was changed. The same cases run against both stores in
//! `tests/store/`.

mod applications;
mod audit;
mod batch_progress;
mod bulk_endings;
mod change_log;
mod end;
mod error;
mod lifecycle;
mod master_secrets;
mod one_time_links;
mod open;
mod reauthentication;
mod refresh;
mod retention;
mod search;
mod service_keys;
mod sessions;
mod signing_keys;
mod statistics;
mod users;

pub use applications::ApplicationStore;
pub use audit::AuditStore;
pub use batch_progress::BatchProgress;
pub use bulk_endings::BulkEndingStore;
pub use change_log::{
    Announcement, ChangeLogStore, Changes, Heard, Listener, MAX_CHANGES, MAX_REPLAYED, ReplayedChanges,
};
pub use end::{EndOutcome, EndStore, EndedAtOnce, MAX_ENDED_AT_ONCE};
pub use error::{Error, Result};
pub use lifecycle::{Pool, StoreLifecycle};
pub use master_secrets::{MasterSecretStore, SessionsOpened, UsedSecret};
pub use one_time_links::OneTimeLinkStore;
pub use open::{Idempotency, NewSession, OpenStore, Opening, Replaced};
pub use reauthentication::{Reauthenticated, Reauthentication, ReauthenticationStore};
pub use refresh::{RefreshAttempt, RefreshStore, Refreshing};
pub use retention::RetentionStore;
pub use search::SearchStore;
pub use service_keys::ServiceKeyStore;
pub use sessions::{MAX_LISTED, SessionChange, SessionStore};
pub use signing_keys::SigningKeyStore;
pub use statistics::StatisticsStore;
pub use users::UserStore;

/// A store that fulfils the whole contract.
pub trait Store:
    ApplicationStore
    + AuditStore
    + BulkEndingStore
    + ChangeLogStore
    + EndStore
    + MasterSecretStore
    + OneTimeLinkStore
    + OpenStore
    + ReauthenticationStore
    + RefreshStore
    + RetentionStore
    + SearchStore
    + ServiceKeyStore
    + SessionStore
    + SigningKeyStore
    + StatisticsStore
    + StoreLifecycle
    + UserStore
{
}
