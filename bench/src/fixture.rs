//! A filled database and credentials for it, minted by the library itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use sojourn::clock::{self, Clock as _, SystemClock, SystemEntropy};
use sojourn::config::Source as Settings;
use sojourn::model::{SessionId, SignedIn};
use sojourn::setup::{Assembled, Setup};
use sojourn::tokens::{Keyring, MasterSecret, RefreshToken, SessionToken};

use crate::database::Database;
use crate::options::Options;
use crate::output;
use crate::population::Population;

/// Most sessions in one look-up.
const TOGETHER: usize = 250;

/// A session that is requested repeatedly, with its credentials.
#[derive(Debug, Clone)]
pub struct AskedFor {
    pub id: SessionId,
    pub user: String,
    /// An access token, valid for an hour.
    pub access: String,
    /// The session token.
    pub session: String,
    /// The counter of the current refresh token.
    pub counter: u32,
}

/// A filled database with everything that requests need.
pub struct Fixture {
    /// The sessions in the table.
    pub population: Population,
    pub database: Database,
    /// The server's settings.
    pub settings: BTreeMap<String, String>,
    /// The value of `Authorization` for a service key with every scope.
    pub service: String,
    /// The sessions that are requested repeatedly.
    pub asked_for: Vec<AskedFor>,
    /// The number of sessions ended so far, of those to be ended one by one.
    pub ended: Arc<AtomicU64>,
    /// The number of users so far who lost all their sessions.
    pub losing_all: Arc<AtomicU64>,
    core: Assembled,
}

impl Fixture {
    /// Creates a database, lets the library create its tables, and fills them.
    pub async fn create(options: &Options, sessions: u64) -> Result<Self> {
        output::progress(&format!("filling {sessions} sessions"));
        let population = Population::new(sessions);
        let database = Database::create(options, &format!("sessions_{sessions}"))?;
        let bootstrap_key = MasterSecret::generate(&SystemEntropy)?.to_base64();
        let settings = BTreeMap::from(
            [
                ("DATABASE_URL", database.url()),
                ("SOJOURN_SECRET", MasterSecret::generate(&SystemEntropy)?.to_base64()),
                ("SOJOURN_BOOTSTRAP_KEY", bootstrap_key.clone()),
                ("SOJOURN_ACCESS_TOKEN_LIFETIME", "1h".to_owned()),
                ("SOJOURN_LOG", "warn".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let core = Setup::read(&Settings::read(settings.clone())?)?.assemble().await?;
        database.fill(population).await?;
        let service = format!("Bearer {bootstrap_key}");
        let (asked_for, ended, losing_all) = (Vec::new(), Arc::default(), Arc::default());
        let mut fixture = Self { population, database, settings, service, asked_for, ended, losing_all, core };
        fixture
            .ask_for(&population.asked_for().into_iter().map(|number| population.id(number)).collect::<Vec<_>>())
            .await?;
        Ok(fixture)
    }

    /// Replaces the sessions that are requested, and mints their credentials.
    pub async fn ask_for(&mut self, ids: &[SessionId]) -> Result<()> {
        let mut found: HashMap<SessionId, SignedIn> = HashMap::with_capacity(ids.len());
        for together in ids.chunks(TOGETHER) {
            let sessions = self.core.store.sessions_of_tokens(together).await?;
            found.extend(sessions.into_iter().map(|signed_in| (signed_in.session.id, signed_in)));
        }
        let now = SystemClock.now();
        let mut asked_for = Vec::with_capacity(ids.len());
        for id in ids {
            let session = found.remove(id).with_context(|| format!("session {id} is not in the table"))?.session;
            anyhow::ensure!(session.is_active(now), "session {id} is not active");
            let jti = clock::uuid_v7(now, &SystemEntropy)?;
            let (access, _) = self.core.sessions.access_tokens().mint(&session, jti, TimeDelta::hours(1), now)?;
            asked_for.push(AskedFor {
                id: *id,
                user: session.user_id.to_string(),
                access: access.expose().to_owned(),
                session: SessionToken::mint(self.keyring(), *id, 0).expose().to_owned(),
                counter: session.refresh_counter,
            });
        }
        self.asked_for = asked_for;
        Ok(())
    }

    /// Mints fresh credentials for the same sessions.
    pub async fn renew(&mut self) -> Result<()> {
        let ids: Vec<SessionId> = self.asked_for.iter().map(|session| session.id).collect();
        self.ask_for(&ids).await
    }

    /// Undoes the changes of a case.
    pub fn restore(&self) -> Result<()> {
        self.database.restore(self.population)?;
        if self.database.process().is_some() {
            self.ended.store(0, Ordering::Relaxed);
            self.losing_all.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A session's refresh token.
    pub fn refresh_token(keyring: &Keyring, id: SessionId, counter: u32) -> String {
        RefreshToken::mint(keyring, id, counter).expose().to_owned()
    }

    /// The keys that credentials are minted with.
    pub fn keyring(&self) -> &Keyring {
        &self.core.signing_keys.keyring
    }

    /// A copy of the keys, for another task.
    pub fn own_keyring(&self) -> Result<Keyring> {
        let secret = self.settings.get("SOJOURN_SECRET").context("there is no secret")?;
        Ok(Keyring::new(&MasterSecret::parse(secret)?))
    }

    /// Closes and deletes the database.
    pub async fn delete(self) -> Result<()> {
        self.core.store.close().await;
        self.database.delete()
    }
}
