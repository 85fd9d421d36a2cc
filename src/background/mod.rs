//! What happens without being asked: last-seen times are written, signing keys are read again and rotate,
//! what happened to sessions is counted, and what was kept long enough is deleted.

mod following;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
pub use following::follow;
pub use secrets::SecretStatus;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::api::App;
use crate::clock::{Clock, Entropy};
use crate::error_chain::chain;
use crate::metrics;
use crate::sessions::{Error, Sessions};
use crate::store::{self, Store};
use crate::tokens::{Algorithm, KeySet, Keyring, PUBLICATION_LEAD, SealedSigningKey, SigningKeyError, last_token_dead};

/// How long a last-seen time waits to be written, at most.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// How often replicas look for each other's signing keys.
const KEY_INTERVAL: Duration = Duration::from_secs(10);

/// How often callers whose budget is full again are forgotten.
const FORGETTING_INTERVAL: Duration = Duration::from_mins(1);
/// How often a replica looks for a bulk ending that another has left unfinished.
const CARRYING_OUT_INTERVAL: Duration = Duration::from_mins(1);
/// How often what happened to sessions is counted.
const COUNTING_INTERVAL: Duration = Duration::from_secs(15);
/// Time between two warnings about service keys that will expire.
const WARNING_INTERVAL: Duration = Duration::from_hours(24);
/// How often what is kept no longer is deleted.
const CLEANING_INTERVAL: Duration = Duration::from_mins(10);

/// The signing keys in the store: made when there are none, replaced when they are old.
pub struct SigningKeys {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// What they are sealed with.
    pub keyring: Keyring,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// What new keys sign with.
    pub algorithm: Algorithm,
    /// How old a key gets before its successor is made.
    pub age: TimeDelta,
}

/// Why the signing keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store did not answer.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// They do not open, or none could be made.
    #[error("{0}")]
    Key(#[from] SigningKeyError),
}

impl SigningKeys {
    /// Opens the stored keys, and makes the first one when there is none. What a command wants, which may have been given
    /// other settings than the server.
    pub async fn open(&self) -> Result<KeySet, KeysError> {
        let now = self.clock.now();
        let mut stored = self.store.signing_keys().await?;
        if stored.is_empty() {
            self.add(1, now, now).await?;
            stored = self.store.signing_keys().await?;
        }
        Ok(KeySet::open(&stored, &self.keyring)?)
    }

    /// Brings the stored keys up to date and opens them: makes the first one, makes a successor when the newest is too
    /// old or of another algorithm, forgets those that no living token needs, seals those anew that a former secret seals.
    pub async fn load(&self) -> Result<KeySet, KeysError> {
        let now = self.clock.now();
        let mut stored = self.store.signing_keys().await?;
        match stored.last() {
            None => self.add(1, now, now).await?,
            Some(newest) if self.is_due(newest, now) => {
                self.add(newest.sequence + 1, now, now + PUBLICATION_LEAD).await?;
            }
            Some(_) => {
                self.forget_dead(&stored, now).await?;
                let keys = KeySet::open(&stored, &self.keyring)?;
                self.keep_secrets(&stored, now).await;
                return Ok(keys);
            }
        }
        stored = self.store.signing_keys().await?;
        Ok(KeySet::open(&stored, &self.keyring)?)
    }

    /// Makes a successor now, whatever the age of the newest key. It signs once it has been published for a while, or at
    /// once when the present keys are `compromised`; then those are forgotten, and their tokens with them.
    pub async fn rotate(&self, compromised: bool) -> Result<SealedSigningKey, KeysError> {
        let now = self.clock.now();
        let active_from = if compromised { now } else { now + PUBLICATION_LEAD };
        loop {
            let sequence = self.store.signing_keys().await?.last().map_or(1, |newest| newest.sequence + 1);
            let key = self.generate(sequence, now, active_from)?;
            // Somebody else may rotate at the same moment: theirs is not the successor that was asked for here.
            if !self.store.add_signing_key(&key).await? {
                continue;
            }
            if compromised {
                self.store.remove_signing_keys_before(sequence).await?;
            }
            return Ok(key);
        }
    }

    /// A newest key that does not sign yet is never replaced, so replicas that were told different algorithms take turns
    /// slowly instead of filling the table.
    fn is_due(&self, newest: &SealedSigningKey, now: DateTime<Utc>) -> bool {
        let replaceable = newest.created_at + self.age <= now || newest.algorithm != self.algorithm;
        replaceable && newest.active_from <= now
    }

    /// Another replica may be faster; then its key counts.
    async fn add(&self, sequence: i64, now: DateTime<Utc>, active_from: DateTime<Utc>) -> Result<(), KeysError> {
        let key = self.generate(sequence, now, active_from)?;
        if self.store.add_signing_key(&key).await? {
            tracing::info!(kid = key.kid, algorithm = key.algorithm.as_str(), active_from = %key.active_from, "signing key made");
        }
        Ok(())
    }

    fn generate(
        &self,
        sequence: i64,
        now: DateTime<Utc>,
        active_from: DateTime<Utc>,
    ) -> Result<SealedSigningKey, KeysError> {
        let entropy = self.entropy.as_ref();
        Ok(SealedSigningKey::generate(&self.keyring, self.algorithm, sequence, now, active_from, entropy)?)
    }

    async fn forget_dead(&self, stored: &[SealedSigningKey], now: DateTime<Utc>) -> Result<(), KeysError> {
        let outlived_all_before = |key: &&SealedSigningKey| last_token_dead(key.active_from) <= now;
        if let Some(oldest_needed) = stored.iter().rev().find(outlived_all_before)
            && stored.first().is_some_and(|oldest| oldest.sequence < oldest_needed.sequence)
        {
            self.store.remove_signing_keys_before(oldest_needed.sequence).await?;
        }
        Ok(())
    }
}

/// Starts the tasks. They end soon after `stop` turns true; who stops the server calls [`flush_all`], after the
/// last request.
pub fn start(sessions: &Arc<Sessions>, keys: SigningKeys, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let flushing = {
        let (sessions, mut stop) = (Arc::clone(sessions), stop.clone());
        tokio::spawn(async move {
            while !stopped_within(&mut stop, FLUSH_INTERVAL).await {
                flush(&sessions).await;
                metrics::tidy();
            }
        })
    };
    let keys_changed = Arc::new(Notify::new());
    let rotating = {
        let (sessions, keys_changed, mut stop) = (Arc::clone(sessions), Arc::clone(&keys_changed), stop.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    stopped = stopped_within(&mut stop, KEY_INTERVAL) => if stopped { return },
                    () = keys_changed.notified() => {}
                }
                match keys.load().await {
                    Ok(keys) => sessions.access_tokens().replace_keys(keys),
                    Err(error) => {
                        tracing::warn!(%error, "the signing keys could not be read; going on with those known");
                    }
                }
            }
        })
    };
    let cleaning = {
        let (sessions, mut stop) = (Arc::clone(sessions), stop.clone());
        tokio::spawn(async move {
            while !stopped_within(&mut stop, CLEANING_INTERVAL).await {
                sessions.drop_useless_copies();
                unless_stopped(&mut stop, clean_up(&sessions)).await;
            }
        })
    };
    let carrying_out = {
        let (sessions, mut stop) = (Arc::clone(sessions), stop.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    stopped = stopped_within(&mut stop, CARRYING_OUT_INTERVAL) => if stopped { return },
                    () = sessions.bulk_ending_made() => {}
                }
                unless_stopped(&mut stop, carry_out_bulk_endings(&sessions)).await;
            }
        })
    };
    let counting = {
        let (sessions, mut stop) = (Arc::clone(sessions), stop.clone());
        tokio::spawn(async move {
            loop {
                // The first time on an old database it takes long: a stop does not wait for all of it.
                while count(&sessions).await && !*stop.borrow() {}
                if stopped_within(&mut stop, COUNTING_INTERVAL).await {
                    return;
                }
            }
        })
    };
    let mut tasks = follow(sessions, &keys_changed, stop);
    tasks.extend([flushing, rotating, cleaning, carrying_out, counting, warn_daily(sessions, stop)]);
    tasks
}

/// Warns of keys that will stop working, now and each day.
fn warn_daily(sessions: &Arc<Sessions>, stop: &watch::Receiver<bool>) -> JoinHandle<()> {
    let (sessions, mut stop) = (Arc::clone(sessions), stop.clone());
    tokio::spawn(async move {
        loop {
            unless_stopped(&mut stop, warn_of_ending_keys(&sessions)).await;
            if stopped_within(&mut stop, WARNING_INTERVAL).await {
                return;
            }
        }
    })
}

/// Keeps the table of rate limits from growing with every caller ever seen.
pub fn forget_idle_callers(app: Arc<App>, stop: &watch::Receiver<bool>) {
    let mut stop = stop.clone();
    tokio::spawn(async move {
        while !stopped_within(&mut stop, FORGETTING_INTERVAL).await {
            app.limits.forget_idle();
        }
    });
}

async fn stopped_within(stop: &mut watch::Receiver<bool>, interval: Duration) -> bool {
    tokio::time::timeout(interval, stop.wait_for(|stopped| *stopped)).await.is_ok()
}

/// What is broken off goes on another time: each batch is done wholly or not at all.
async fn unless_stopped(stop: &mut watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
}

async fn carry_out_bulk_endings(sessions: &Sessions) {
    if let Err(error) = sessions.carry_out_bulk_endings().await {
        tracing::warn!(error = %chain(&error), "bringing sessions up to a bulk ending is put off");
    }
}

/// Deletes what is kept no longer; what goes wrong is logged, and left for the next time.
pub async fn clean_up(sessions: &Sessions) {
    match sessions.clean_up_unasked().await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "what was kept long enough is deleted"),
        Err(error) => tracing::warn!(error = %chain(&error), "the clean-up is put off"),
    }
}

async fn warn_of_ending_keys(sessions: &Sessions) {
    if let Err(error) = sessions.warn_of_ending_keys().await {
        tracing::warn!(error = %chain(&error), "the service keys could not be read");
    }
}

/// Counts some of what happened to sessions, and says whether there is more; what goes wrong is logged, and left for the
/// next time.
async fn count(sessions: &Sessions) -> bool {
    sessions.roll_up().await.unwrap_or_else(|error| {
        tracing::warn!(error = %chain(&error), "counting for the statistics is put off");
        false
    })
}

/// Writes when sessions were last used, as far as that is due; what goes wrong is logged.
pub async fn flush(sessions: &Sessions) {
    log_unwritten(sessions.write_due_activity().await);
}

/// Writes when sessions were last used, all of it; what goes wrong is logged.
pub async fn flush_all(sessions: &Sessions) {
    log_unwritten(sessions.write_all_activity().await);
}

fn log_unwritten(written: Result<(), Error>) {
    match written {
        Ok(()) => {}
        Err(Error::Unavailable(error)) => {
            tracing::warn!(error = %chain(&error), "last-seen times could not be written; trying again");
        }
        Err(error) => tracing::error!(error = %chain(&error), "last-seen times could not be written"),
    }
}
