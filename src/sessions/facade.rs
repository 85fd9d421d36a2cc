//! The core as the API families see it: one value with everything that can be done with sessions.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::activity::{Activity, Use};
use super::application_cache::ApplicationCache;
use super::cache::loaders::{LoadJob, Loader, SessionOfToken, SessionsOfUser, StatusOfSession};
use super::cache::session_cache::SessionCache;
use super::change_log::progress::ReadHistory;
use super::change_log::signals::Signals;
use super::error::{Error, NotReady};
use super::feed::hub::Hub;
use super::find_place::FindPlace;
use super::known_keys::KnownKeys;
use super::other_issuers::OtherIssuers;
use super::policy::Policy;
use super::rights::Rights;
use super::shared::Shared;
use super::signing_keys::SigningKeys;
use super::throttle::Throttle;
use super::totals_cache::TotalsCache;
use crate::clock::{Clock, Entropy};
use crate::metrics;
use crate::model::Touch;
use crate::store::{Pool, Store};
use crate::tokens::{AccessTokens, BootstrapKey, Keyring};

/// The most uses written in one statement.
const MAX_TOUCHES: usize = 1000;
/// Time that one answer about readiness is shared for.
const READINESS_TTL: Duration = Duration::from_millis(200);

/// The parts that the core is put together from.
pub struct Dependencies {
    /// The store of sessions.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The keys derived from the master secret.
    pub keyring: Keyring,
    /// The access tokens.
    pub access_tokens: AccessTokens,
    /// The upkeep of the keys that sign them.
    pub signing_keys: Arc<SigningKeys>,
    /// The operator's choices.
    pub policy: Policy,
    /// The source of places; `None`: places are only what openers say.
    pub places: Option<Arc<dyn FindPlace>>,
    /// A service key with every scope that is in no database.
    pub bootstrap_key: Option<BootstrapKey>,
    /// The scopes of dialects that give rights, besides the core's own.
    pub rights: Vec<&'static Rights>,
}

/// Everything that can be done with sessions.
pub struct Sessions {
    pub(super) parts: Dependencies,
    pub(super) activity: Activity,
    pub(super) applications: ApplicationCache,
    pub(super) cache: SessionCache,
    pub(super) session_loader: Arc<Loader<SessionOfToken>>,
    pub(super) status_loader: Arc<Loader<StatusOfSession>>,
    pub(super) user_sessions_loader: Arc<Loader<SessionsOfUser>>,
    pub(super) totals_cache: TotalsCache,
    pub(super) signals: Signals,
    pub(super) read_history: ReadHistory,
    pub(super) throttle: Throttle,
    pub(super) feed: Hub,
    pub(super) readiness: Shared<Result<(), NotReady>>,
    pub(super) known_keys: KnownKeys,
    pub(super) other_issuers: OtherIssuers,
    pub(super) started_at: DateTime<Utc>,
}

impl Sessions {
    /// Puts the core together.
    pub fn new(parts: Dependencies) -> Self {
        let cache = SessionCache::new(parts.policy.cache_bytes);
        let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let session_loader = Loader::new(LoadJob(SessionOfToken(Arc::clone(&store))));
        let status_loader = Loader::new(LoadJob(StatusOfSession(Arc::clone(&store))));
        let user_sessions_loader = Loader::new(LoadJob(SessionsOfUser { store, clock }));
        let (feed, started_at) = (Hub::new(parts.policy.streams), parts.clock.now());
        Self {
            parts,
            activity: Activity::default(),
            applications: ApplicationCache::default(),
            cache,
            session_loader,
            status_loader,
            user_sessions_loader,
            totals_cache: TotalsCache::new(),
            signals: Signals::default(),
            read_history: ReadHistory::default(),
            throttle: Throttle::new(),
            feed,
            readiness: Shared::new(READINESS_TTL, Duration::ZERO),
            known_keys: KnownKeys::default(),
            other_issuers: OtherIssuers::default(),
            started_at,
        }
    }

    /// The time for every decision of the core.
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

    /// Lets go of what this process remembers of sessions and cannot use any more.
    pub fn purge_cache(&self) {
        self.cache.purge();
    }

    /// Records what is measured only when somebody asks.
    pub fn measure(&self) {
        for Pool { name, in_use, idle } in self.store().pools() {
            metrics::database_connections(name, in_use, idle);
        }
        metrics::freshness(self.cache.sessions_kept(), self.cache.log_age());
    }

    /// Writes when sessions were last used, where that is due. What cannot be written stays for the next time.
    pub async fn write_due_activity(&self) -> Result<(), Error> {
        self.write_activity(self.activity.due(self.now(), false)).await
    }

    /// Writes when sessions were last used, all of it, because the process is about to end.
    pub async fn write_all_activity(&self) -> Result<(), Error> {
        self.write_activity(self.activity.due(self.now(), true)).await
    }

    async fn write_activity(&self, uses: Vec<Use>) -> Result<(), Error> {
        for together in uses.chunks(MAX_TOUCHES) {
            let touches: Vec<Touch> = together.iter().map(|used| self.touch_of(*used)).collect();
            self.write_touches(&touches).await?;
        }
        Ok(())
    }

    pub(super) async fn write_touches(&self, touches: &[Touch]) -> Result<(), Error> {
        self.store().touch_sessions(touches).await?;
        self.cache.touched(touches);
        self.activity.written(touches);
        Ok(())
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.parts.store.as_ref()
    }
}
