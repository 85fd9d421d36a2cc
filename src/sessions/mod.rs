//! The core: what a session is, who may do what with it, and what happens then.
//!
//! Every rule about sessions is written here, once. The API families translate to and from [`Sessions`]; the stores
//! keep what it decides. Nothing here knows HTTP, SQL or JSON.

pub mod activity;
mod bulk;
mod caller;
mod changing;
mod checking;
mod cleaning;
mod device;
mod ending;
mod error;
mod filter;
mod freshness;
mod known_keys;
mod listing;
mod live;
mod managing;
mod opening;
mod policy;
mod reading;
mod refreshing;
mod requirements;
mod session;
mod shared;
mod statistics;
pub(crate) mod text;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::field::display;

pub use activity::{Activity, Touch};
pub use bulk::{BulkEnding, COUNTED_TO, EndedInBulk, MOST_NAMED, Selection};
pub use caller::{Caller, Opener, Owner, Scope, Service};
pub use checking::{Introspection, TokenKind};
use cleaning::Pace;
pub use cleaning::{SessionStats, Stale};
pub use device::{Device, DeviceType, MAX_USER_AGENT_CHARS};
pub use error::{Error, FieldError, GrantRefusal, NotReady, Refusal};
pub use filter::{
    Condition, Cursor, DEFAULT_PAGE, Filter, MAX_PAGE, Position, Range, Search, Sort, SortField, TextField, TimeField,
};
use freshness::{Asking, Copies, Progress, Reader, SessionOfToken, SessionsOfUser, Signals, StandingOfSession};
pub use freshness::{Followed, Follower, Freshness, STANDING_IN_FOR, TRUSTED_FOR};
use known_keys::KnownKeys;
use listing::LongLists;
pub use listing::{FURTHEST_OFFSET, Listed, Listing, ListingOrder, Rights};
use live::Live;
pub use live::{
    Ending, Events, LOG_KEPT_FOR, LONGEST_WAIT, Over, Revocations, Revoked, StreamLimits, Told, Watch, Watched,
};
pub use managing::{Handle, Managed};
use opening::IDEMPOTENCY_LIFETIME;
pub(crate) use opening::user_as_service;
pub use opening::{IdempotencyKey, IssuedTokens, Opened, SessionDraft, TokenChoice};
pub use policy::{AskedClocks, Clocks, IpStorage, Lifetime, LimitPolicy, Policy, Profile, SHORTEST, SessionLimit};
pub use reading::{Page, UserSessions};
pub use refreshing::{RefreshOutcome, RefreshRequest, Refreshed, Slide};
pub use requirements::{Requirements, Unmet};
pub use session::{EndReason, Ended, Metadata, Session, SessionId, SignedIn, Standing, State};
use shared::Shared;
pub use statistics::{
    COUNTED_AFTER, Counts, CountsWanted, Event, Grouping, MOST_POINTS, Point, Series, Statistics, StatisticsQuery, Step,
};

use crate::clock::{Clock, Entropy};
use crate::metrics;
use crate::store::{Pool, Store};
use crate::tokens::{AccessTokens, BootstrapKey, Keyring};

/// The most uses written in one statement.
const MOST_TOUCHES: usize = 1000;
/// Time that one answer about readiness is shared for.
const READINESS_TTL: Duration = Duration::from_millis(200);

/// What the core is made of.
pub struct Parts {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// The keys derived from the master secret.
    pub keyring: Keyring,
    /// The access tokens.
    pub access_tokens: AccessTokens,
    /// The operator's choices.
    pub policy: Policy,
    /// A service key with every scope that is in no database.
    pub bootstrap_key: Option<BootstrapKey>,
    /// The scopes of dialects that give rights, besides the core's own.
    pub rights: Vec<&'static Rights>,
}

/// Everything that can be done with sessions.
pub struct Sessions {
    parts: Parts,
    activity: Activity,
    copies: Copies,
    behind_tokens: Arc<Reader<SessionOfToken>>,
    standings: Arc<Reader<StandingOfSession>>,
    lists: Arc<Reader<SessionsOfUser>>,
    long_lists: LongLists,
    signals: Signals,
    log: Progress,
    cleaning: Pace,
    live: Live,
    readiness: Shared<Result<(), NotReady>>,
    known_keys: KnownKeys,
}

impl Sessions {
    /// Puts the core together.
    pub fn new(parts: Parts) -> Self {
        let copies = Copies::new(parts.policy.copies_bytes);
        let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let behind_tokens = Reader::new(Asking(SessionOfToken(Arc::clone(&store))));
        let standings = Reader::new(Asking(StandingOfSession(Arc::clone(&store))));
        let lists = Reader::new(Asking(SessionsOfUser { store, clock }));
        let live = Live::new(parts.policy.streams);
        Self {
            parts,
            activity: Activity::default(),
            copies,
            behind_tokens,
            standings,
            lists,
            long_lists: LongLists::new(),
            signals: Signals::default(),
            log: Progress::default(),
            cleaning: Pace::new(),
            live,
            readiness: Shared::new(READINESS_TTL, Duration::ZERO),
            known_keys: KnownKeys::default(),
        }
    }

    /// What time it is for every decision made here.
    pub fn now(&self) -> DateTime<Utc> {
        self.parts.clock.now()
    }

    /// The access tokens and the keys that verify them.
    pub fn access_tokens(&self) -> &AccessTokens {
        &self.parts.access_tokens
    }

    /// The operator's choices.
    pub fn policy(&self) -> &Policy {
        &self.parts.policy
    }

    /// Whether sessions can be served: the store answers, and has the tables of this version.
    /// All who ask within a moment share one answer.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let ping = async || match self.store().ping().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotReady::Migrations),
            Err(error) => Err(NotReady::Database(error)),
        };
        self.readiness.get(ping).await
    }

    /// Warns of the service keys, and of the bootstrap key, that will stop working before long.
    pub async fn warn_of_ending_keys(&self) -> Result<(), Error> {
        let now = self.now();
        for key in self.store().service_keys().await?.iter().filter(|key| key.ends_soon(now)) {
            let (id, name, expires_at) = (key.id, &key.name, key.expires_at.map(display));
            tracing::warn!(%id, name, expires_at, "a service key will stop working: make its successor");
        }
        if let Some(key) = self.parts.bootstrap_key.as_ref().filter(|key| key.ends_soon(now)) {
            tracing::warn!(expires_at = key.until.map(display), "the bootstrap key will stop working");
        }
        Ok(())
    }

    /// Lets go of what this process remembers of sessions and cannot use any more.
    pub fn drop_useless_copies(&self) {
        self.copies.drop_useless();
    }

    /// Records what is measured only when somebody asks.
    pub fn measure(&self) {
        for Pool { name, in_use, idle } in self.store().pools() {
            metrics::database_connections(name, in_use, idle);
        }
        metrics::freshness(self.copies.sessions_kept(), self.copies.log_age());
    }

    /// Writes when sessions were last used, where that is due. What cannot be written stays for the next time.
    pub async fn write_due_activity(&self) -> Result<(), Error> {
        self.write_activity(&self.activity.due(Some(self.now()))).await
    }

    /// Writes when sessions were last used, all of it, because the process is about to end.
    pub async fn write_all_activity(&self) -> Result<(), Error> {
        self.write_activity(&self.activity.due(None)).await
    }

    async fn write_activity(&self, touches: &[Touch]) -> Result<(), Error> {
        for together in touches.chunks(MOST_TOUCHES) {
            self.write_touches(together).await?;
        }
        Ok(())
    }

    async fn write_touches(&self, touches: &[Touch]) -> Result<(), Error> {
        self.store().touch_sessions(touches).await?;
        self.copies.touched(touches);
        self.activity.written(touches);
        Ok(())
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.parts.store.as_ref()
    }
}
