//! The words of the domain: plain data that every other room uses. No code here queries a database or waits.

mod actor;
mod algorithm;
mod application;
mod audit;
mod bulk_ending;
mod caller;
mod change;
mod counts;
mod database;
mod device;
mod field_error;
mod network;
mod one_time_link;
mod opener;
mod place;
mod query;
mod scope;
mod service_key;
mod session;
mod session_id;
mod session_limit;
mod slide;
mod stale;
pub(crate) mod text;
mod token_issuer;
mod touch;
mod user;
mod user_search;

pub use actor::Actor;
pub use algorithm::Algorithm;
pub use application::{
    Application, ApplicationSettings, CONSOLE_CLIENT, CONSOLE_USERS, RESERVED_CLIENTS, RESERVED_COOKIES,
};
pub use audit::{
    ActorKind, AuditAction, AuditActor, AuditDetail, AuditEntry, AuditFilter, AuditPosition, AuditSearch, AuditTarget,
    DetailValue, Origin, StoredAuditEntry, TargetKind,
};
pub use bulk_ending::BulkEnding;
pub use caller::{Caller, Owner, Service};
pub use change::{Change, LogId, LogPosition, LogSnapshot, LoggedChange};
pub use counts::{
    ClientCount, CountedEvent, Counts, CountsWanted, EventCount, GroupCount, Grouping, OpenSessions, SessionStats,
    StatisticsQuery, Step,
};
pub use database::{DatabaseKind, DatabaseStatus};
pub use device::recognise::recognise as recognise_device;
pub use device::{ClientHints, Device, DeviceType, MAX_USER_AGENT_CHARS};
pub use field_error::FieldError;
pub use network::Network;
pub use one_time_link::{LinkPurpose, OneTimeLink};
pub use opener::Opener;
pub use place::{Place, Whereabouts};
pub use query::{
    Condition, DEFAULT_PAGE, Filter, Listing, ListingOrder, MAX_PAGE, Position, Range, Search, Sort, SortField,
    TextField, TimeField,
};
pub use scope::Scope;
pub use service_key::ServiceKeyId;
pub use session::{EndReason, Ended, ExtraClaims, Metadata, Session, SessionStatus, SignedIn, State};
pub use session_id::SessionId;
pub use session_limit::{LimitPolicy, SessionLimit};
pub use slide::Slide;
pub use stale::Stale;
pub use token_issuer::TokenIssuer;
pub use touch::Touch;
pub use user::{MAX_BAN_REASON_CHARS, MAX_USER_DETAIL_CHARS, MAX_USER_ID_CHARS, User, UserDetails, UserId};
pub use user_search::{Criteria, NameMatch, UserSearch};
