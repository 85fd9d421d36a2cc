//! Puts the core together from the settings: the same way for the server, the commands and the tests.

use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::api;
use crate::clock::{Clock, Entropy, SharedClock, SystemClock, SystemEntropy};
use crate::config::{self, SettingError, Source, StorageConfig, TokenConfig};
use crate::sessions::{Dependencies, Policy, Sessions};
use crate::sessions::{KeysError, SigningKeys};
use crate::store::{self, OpenError, Store};
use crate::tokens::{AccessTokens, BootstrapKey, Keyring};

/// Everything that the core is put together from.
pub struct Setup {
    /// Where sessions are kept, and the master secret.
    pub storage: StorageConfig,
    /// What access tokens say of themselves.
    pub tokens: TokenConfig,
    /// The operator's choices.
    pub policy: Policy,
    /// A service key that is in no database.
    pub bootstrap_key: Option<BootstrapKey>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
}

/// Why nothing could be started: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be taken.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// The core, put together.
pub struct Assembled {
    /// The core.
    pub sessions: Arc<Sessions>,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// The upkeep of its signing keys.
    pub signing_keys: SigningKeys,
}

impl Setup {
    /// Reads all settings that the core needs.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let entropy = Arc::new(SystemEntropy);
        // What can be refused without a trace is read first: the storage settings make the data folder.
        let (tokens, policy) = (TokenConfig::read(source)?, config::policy(source)?);
        let bootstrap_key = config::bootstrap_key(source)?;
        let storage = StorageConfig::read(source, entropy.as_ref())?;
        Ok(Self {
            storage,
            tokens,
            policy,
            bootstrap_key,
            clock: Arc::new(SharedClock::new(Arc::new(SystemClock))),
            entropy,
        })
    }

    /// Opens the store, brings its tables and signing keys up to date, and puts the core together.
    pub async fn assemble(self) -> Result<Assembled, StartError> {
        let Self { storage, tokens, policy, bootstrap_key, clock, entropy } = self;
        let search_url = storage.search_database_url.as_ref().map(ExposeSecret::expose_secret);
        let url = storage.database_url.expose_secret();
        let store = store::open_with_replica(url, search_url, storage.connections).await?;
        let keyring = || Keyring::new(&storage.secret).with_previous(&storage.previous_secrets);
        let signing_keys = SigningKeys {
            store: Arc::clone(&store),
            keyring: keyring(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            algorithm: tokens.algorithm,
            age: tokens.key_age,
        };
        let access_tokens = AccessTokens::new(tokens.issuer, tokens.audience, signing_keys.open().await?);
        let keyring = keyring();
        let parts = Dependencies {
            store: Arc::clone(&store),
            clock,
            entropy,
            keyring,
            access_tokens,
            policy,
            bootstrap_key,
            rights: api::rights(),
        };
        Ok(Assembled { sessions: Arc::new(Sessions::new(parts)), store, signing_keys })
    }
}
