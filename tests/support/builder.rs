//! Test servers: their options, and the wiring of the application, which is in no other file of the tests.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sojourn::api::{self, App};
use sojourn::clock::{Clock, SharedClock, ShiftedClock, SystemEntropy};
use sojourn::config::{HttpConfig, ServerConfig, StorageConfig, TokenConfig};
use sojourn::sessions::{FindPlace, Policy, Sessions};
use sojourn::setup::{Assembled, Setup};
use sojourn::tokens::{BootstrapKey, MasterSecret, Secret};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::database::TestDatabase;
use super::proxy::Proxy;
use super::server::{BOOTSTRAP_KEY, Server};

/// A server to be started. Everything that a test does not set has its default.
pub struct Builder {
    policy: Policy,
    places: Option<Arc<dyn FindPlace>>,
    tokens: TokenConfig,
    http: HttpConfig,
    serving: ServerConfig,
    secret: MasterSecret,
    previous_secrets: Vec<MasterSecret>,
    clock: Arc<ShiftedClock>,
    shares_clock: bool,
    connections: u32,
    database_url: Option<String>,
    search_database_url: Option<String>,
    bootstrap_key: String,
    bootstrap_key_until: Option<DateTime<Utc>>,
    reads_change_log: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            places: None,
            tokens: TokenConfig::default(),
            http: HttpConfig::default(),
            serving: ServerConfig::new(Duration::ZERO, 1000),
            secret: MasterSecret::generate(&SystemEntropy).unwrap(),
            previous_secrets: Vec::new(),
            clock: Arc::new(ShiftedClock::default()),
            shares_clock: false,
            connections: 8,
            database_url: None,
            search_database_url: None,
            bootstrap_key: BOOTSTRAP_KEY.to_owned(),
            bootstrap_key_until: None,
            reads_change_log: true,
        }
    }
}

impl Builder {
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    pub fn places(self, places: Arc<dyn FindPlace>) -> Self {
        Self { places: Some(places), ..self }
    }

    pub fn tokens(self, tokens: TokenConfig) -> Self {
        Self { tokens, ..self }
    }

    pub fn http(self, http: HttpConfig) -> Self {
        Self { http, ..self }
    }

    pub fn serving(self, serving: ServerConfig) -> Self {
        Self { serving, ..self }
    }

    pub fn secret(self, secret: MasterSecret) -> Self {
        Self { secret, ..self }
    }

    pub fn previous_secrets(self, previous_secrets: Vec<MasterSecret>) -> Self {
        Self { previous_secrets, ..self }
    }

    pub fn clock(self, clock: Arc<ShiftedClock>) -> Self {
        Self { clock, ..self }
    }

    /// The clock follows the database's, as that of a real server does. The test can then no longer move it.
    pub fn with_shared_clock(self) -> Self {
        Self { shares_clock: true, ..self }
    }

    /// Upper bound of connections to the database.
    pub fn connections(self, connections: u32) -> Self {
        Self { connections, ..self }
    }

    /// The URL of the database, when the server does not reach it directly.
    pub fn database_url(self, url: String) -> Self {
        Self { database_url: Some(url), ..self }
    }

    /// The URL of a hot standby for searches.
    pub fn search_database_url(self, url: String) -> Self {
        Self { search_database_url: Some(url), ..self }
    }

    /// Another bootstrap key than [`BOOTSTRAP_KEY`].
    pub fn bootstrap_key(self, key: &str) -> Self {
        Self { bootstrap_key: key.to_owned(), ..self }
    }

    /// The expiry of the bootstrap key, which has none by default.
    pub fn bootstrap_key_until(self, until: DateTime<Utc>) -> Self {
        Self { bootstrap_key_until: Some(until), ..self }
    }

    /// The server does not read the change log, so that every answer is strict.
    pub fn without_change_log(self) -> Self {
        Self { reads_change_log: false, ..self }
    }

    /// Starts on a database of the test.
    pub async fn start(self, database: TestDatabase) -> Server {
        self.start_on(Arc::new(database)).await
    }

    /// Starts on a new SQLite file.
    pub async fn start_on_sqlite(self) -> Server {
        self.start(TestDatabase::sqlite().await).await
    }

    /// Starts on a new PostgreSQL database.
    pub async fn start_on_postgres(self) -> Server {
        self.start(TestDatabase::postgres().await).await
    }

    /// Starts on a new PostgreSQL database, which the server reaches through a proxy.
    pub async fn start_behind_proxy(self) -> (Server, Proxy) {
        let database = TestDatabase::postgres().await;
        let (proxy, through) = Proxy::start(database.url()).await;
        (self.database_url(through).start(database).await, proxy)
    }

    /// Starts on a database that is the caller's to clean up. The server's own is an unused SQLite file.
    pub async fn start_at(self, database_url: String) -> Server {
        self.database_url(database_url).start_on_sqlite().await
    }

    pub(super) async fn start_on(mut self, database: Arc<TestDatabase>) -> Server {
        sojourn::metrics::start();
        self.policy.streams = self.serving.room_for(self.policy.streams);
        let assembled = self.setup(&database).assemble().await.unwrap();
        let (stop, stopping) = watch::channel(false);
        if self.reads_change_log {
            sojourn::tasks::follow(&assembled.sessions, &Arc::default(), &stopping);
        }
        let base = self.serve(&assembled.sessions, stopping).await;
        let Assembled { sessions, store, signing_keys } = assembled;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let Self { clock, secret, .. } = self;
        Server { base, clock, sessions, store, signing_keys, database, secret, client, stop }
    }

    fn setup(&self, database: &TestDatabase) -> Setup {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Setup {
            storage: StorageConfig {
                database_url: self.database_url.clone().unwrap_or_else(|| database.url().to_owned()).into(),
                search_database_url: self.search_database_url.clone().map(Into::into),
                database_shown: String::new(),
                connections: self.connections,
                secret: self.secret.clone(),
                previous_secrets: self.previous_secrets.clone(),
            },
            tokens: self.tokens.clone(),
            policy: self.policy.clone(),
            places: self.places.clone(),
            bootstrap_key: Some(BootstrapKey::new(Secret::new(self.bootstrap_key.clone()), self.bootstrap_key_until)),
            clock: if self.shares_clock { Arc::new(SharedClock::new(clock)) } else { clock },
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// Serves in the background, as `src/commands/serve.rs` does, and returns the server's address as a URL.
    async fn serve(&self, sessions: &Arc<Sessions>, stopping: watch::Receiver<bool>) -> String {
        let http = &self.http;
        let app = App::new(Arc::clone(sessions), http.clone(), &SystemEntropy, stopping.clone()).unwrap();
        let app = Arc::new(app);
        let router = api::router(Arc::clone(&app), sojourn::pages::at_main_address(&app));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serving = self.serving.clone().trusting(http.trusted_proxies.clone());
        tokio::spawn(sojourn::server::serve(listener, router, serving, stopping));
        base
    }
}
