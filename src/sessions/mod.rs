//! The core: what a session is, who may do what with it, and what happens then.
//!
//! Every rule about sessions is written here, once. The API families translate to and from [`Sessions`]; the stores
//! keep what it decides. Nothing here knows HTTP, SQL or JSON.

mod activity;
mod authenticate;
mod bulk_end;
mod cache;
mod caller;
mod change_log;
mod end;
mod error;
mod export;
mod facade;
mod feed;
mod freshness;
mod known_keys;
mod listing;
mod log_subject;
mod master_secrets;
mod open;
mod other_issuers;
mod policy;
mod query;
mod refresh;
mod requirements;
mod retention;
mod rights;
mod rotation;
mod search_cursor;
mod service_keys;
mod shared;
mod signing_keys;
mod statistics;
mod throttle;
mod totals_cache;
mod update;
mod user_sessions;
mod users;

pub use activity::Activity;
pub use authenticate::{Introspection, TokenKind};
pub use bulk_end::{COUNTED_TO, EndedInBulk, MAX_NAMED, Selection};
pub use change_log::reader::{ChangeLogReader, ReadSummary};
pub use error::{Error, GrantRefusal, NotReady, Refusal};
pub use export::UserExport;
pub use facade::{Dependencies, Sessions};
pub use feed::Revoked;
pub use feed::endings::{EndedEvent, LOG_TTL, Termination};
pub use feed::events::{EventStream, FeedItem};
pub use feed::revocations::{MAX_WAIT, Revocations};
pub use feed::stream_limits::StreamLimits;
pub use feed::watch::{Watch, Watched};
pub use freshness::{Freshness, MAX_STALENESS, STALE_IF_ERROR};
pub use listing::{Listed, MAX_OFFSET};
pub use master_secrets::SecretStatus;
pub use open::{IdempotencyKey, IssuedTokens, Opened, SessionDraft, TokenChoice};
pub use policy::{AskedClocks, Clocks, IpStorage, Lifetime, MIN_LIFETIME, Policy, Profile};
pub use query::{Page, UserSessions};
pub use refresh::{RefreshRequest, Refreshed};
pub use requirements::{Requirements, Unmet};
pub use rights::Rights;
pub use search_cursor::Cursor;
pub use service_keys::DEFAULT_KEY_LIFETIME;
pub use signing_keys::{KeysError, SigningKeys};
pub use statistics::{COUNTED_AFTER, MAX_POINTS, Point, Series, Statistics};
pub use user_sessions::{Handle, ManagedUser};
pub use users::DeletedUser;
