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
mod master_secrets;
mod open;
mod policy;
mod query;
mod refresh;
mod requirements;
mod retention;
mod rights;
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
pub use bulk_end::{COUNTED_TO, EndedInBulk, MOST_NAMED, Selection};
pub use change_log::reader::{Followed, Follower};
pub use error::{Error, GrantRefusal, NotReady, Refusal};
pub use export::UserExport;
pub use facade::{Parts, Sessions};
pub use feed::Revoked;
pub use feed::endings::{Ending, LOG_KEPT_FOR, Over};
pub use feed::events::{Events, Told};
pub use feed::revocations::{LONGEST_WAIT, Revocations};
pub use feed::stream_limits::StreamLimits;
pub use feed::watch::{Watch, Watched};
pub use freshness::{Freshness, STANDING_IN_FOR, TRUSTED_FOR};
pub use listing::{FURTHEST_OFFSET, Listed};
pub use master_secrets::SecretStatus;
pub use open::{IdempotencyKey, IssuedTokens, Opened, SessionDraft, TokenChoice};
pub use policy::{AskedClocks, Clocks, IpStorage, Lifetime, Policy, Profile, SHORTEST};
pub use query::{Page, UserSessions};
pub use refresh::{RefreshOutcome, RefreshRequest, Refreshed};
pub use requirements::{Requirements, Unmet};
pub use rights::Rights;
pub use search_cursor::Cursor;
pub use signing_keys::{KeysError, SigningKeys};
pub use statistics::{COUNTED_AFTER, MOST_POINTS, Point, Series, Statistics};
pub use user_sessions::{Handle, Managed};
pub use users::DeletedUser;

pub use crate::model::*;
