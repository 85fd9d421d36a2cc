//! Assembles the core from the settings, in the same way for the server, the commands and the tests.

use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::api;
use crate::clock::{Clock, Entropy, SharedClock, SystemClock, SystemEntropy};
use crate::config::{self, SettingError, Source, StorageConfig, TokenConfig};
use crate::sessions::{Dependencies, FindPlace, Policy, Sessions};
use crate::sessions::{KeysError, SigningKeys};
use crate::store::{self, OpenError, Store};
use crate::tokens::{AccessTokens, BootstrapKey, Keyring};

/// The parts that the core is assembled from.
pub struct Setup {
    /// The database and the master secrets.
    pub storage: StorageConfig,
    /// The settings of access tokens.
    pub tokens: TokenConfig,
    /// The operator's choices.
    pub policy: Policy,
    /// The source of places.
    pub places: Option<Arc<dyn FindPlace>>,
    /// The bootstrap key, which is in no database.
    pub bootstrap_key: Option<BootstrapKey>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// The reason why the start failed: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is invalid.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The applications cannot be read.
    #[error(transparent)]
    Core(#[from] crate::sessions::Error),
}

/// The assembled core.
pub struct Assembled {
    /// The core.
    pub sessions: Arc<Sessions>,
    /// The core's store.
    pub store: Arc<dyn Store>,
    /// The upkeep of the core's signing keys.
    pub signing_keys: Arc<SigningKeys>,
}

impl Setup {
    /// Reads all settings that the core needs.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let entropy = Arc::new(SystemEntropy);
        // Settings that can be refused without a trace are read first: the storage settings create the data folder.
        let (tokens, policy) = (TokenConfig::read(source)?, config::policy(source)?);
        let bootstrap_key = config::bootstrap_key(source)?;
        let storage = StorageConfig::read(source, entropy.as_ref())?;
        Ok(Self {
            storage,
            tokens,
            policy,
            places: None,
            bootstrap_key,
            clock: Arc::new(SharedClock::new(Arc::new(SystemClock))),
            entropy,
        })
    }

    /// Opens the store, brings its tables and signing keys up to date, and assembles the core.
    pub async fn assemble(self) -> Result<Assembled, StartError> {
        let Self { storage, tokens, policy, places, bootstrap_key, clock, entropy } = self;
        let search_url = storage.search_database_url.as_ref().map(ExposeSecret::expose_secret);
        let url = storage.database_url.expose_secret();
        let store = store::open_with_replica(url, search_url, storage.connections).await?;
        #[cfg(debug_assertions)]
        let store = store::with_flaw(store);
        let keyring = || Keyring::new(&storage.secret).with_previous(&storage.previous_secrets);
        let signing_keys = Arc::new(SigningKeys {
            store: Arc::clone(&store),
            keyring: Arc::new(keyring()),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            algorithm: tokens.algorithm,
            age: tokens.key_age,
            making: tokio::sync::Mutex::default(),
        });
        let access_tokens = AccessTokens::new(tokens.issuer, tokens.audience, signing_keys.open().await?);
        let keyring = keyring();
        let parts = Dependencies {
            store: Arc::clone(&store),
            clock,
            entropy,
            keyring,
            access_tokens,
            signing_keys: Arc::clone(&signing_keys),
            policy,
            places,
            bootstrap_key,
            rights: api::rights(),
        };
        let sessions = Arc::new(Sessions::new(parts));
        sessions.reload_applications().await?;
        Ok(Assembled { sessions, store, signing_keys })
    }
}
