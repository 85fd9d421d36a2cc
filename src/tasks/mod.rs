//! Tasks that run beside the requests: last-seen times are written, signing keys are read again and rotate, applications are read again, statistics are
//! counted, and rows past their retention are deleted.

mod change_log;
mod periodic;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use change_log::follow;
pub use periodic::every;
use periodic::{now_and_every, whenever};

use crate::error_chain::chain;
use crate::geoip::GeoIp;
use crate::metrics;
use crate::sessions::{Error, Sessions, SigningKeys};

/// Longest time that a last-seen time waits to be written.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// Time between two looks for signing keys and applications of other replicas.
const KEY_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two looks for a bulk ending that another replica has left unfinished.
const BULK_ENDING_INTERVAL: Duration = Duration::from_mins(1);
/// Time between two counts of events for the statistics.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);
/// Time between two warnings about service keys that will expire.
const WARNING_INTERVAL: Duration = Duration::from_hours(24);
/// Time between two looks for replaced files of places.
const PLACES_INTERVAL: Duration = Duration::from_mins(1);
/// Time between two deletions of rows past their retention.
const RETENTION_INTERVAL: Duration = Duration::from_mins(10);

/// Starts the tasks. They end soon after `stop` turns true; the caller runs [`flush_all`] after the last request.
pub fn start(sessions: &Arc<Sessions>, keys: Arc<SigningKeys>, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let configuration_changed = Arc::new(Notify::new());
    let mut tasks = follow(sessions, &configuration_changed, stop);
    tasks.extend([
        every(
            FLUSH_INTERVAL,
            stop,
            on(sessions, |sessions| async move {
                flush(&sessions).await;
                metrics::tidy();
            }),
        ),
        reload_configuration(sessions, keys, configuration_changed, stop),
        every(
            RETENTION_INTERVAL,
            stop,
            on(sessions, |sessions| async move {
                sessions.purge_cache();
                clean_up(&sessions).await;
            }),
        ),
        whenever(
            on(sessions, |sessions| async move { sessions.bulk_ending_made().await }),
            BULK_ENDING_INTERVAL,
            stop,
            on(sessions, apply_bulk_endings),
        ),
        now_and_every(COUNT_INTERVAL, stop, on(sessions, count)),
        now_and_every(WARNING_INTERVAL, stop, on(sessions, warn_of_ending_keys)),
    ]);
    tasks
}

/// A closure that runs `work` on these sessions at each call.
fn on<W, F>(sessions: &Arc<Sessions>, work: W) -> impl FnMut() -> F + use<W, F>
where
    W: Fn(Arc<Sessions>) -> F,
{
    let sessions = Arc::clone(sessions);
    move || work(Arc::clone(&sessions))
}

fn reload_configuration(
    sessions: &Arc<Sessions>,
    keys: Arc<SigningKeys>,
    changed: Arc<Notify>,
    stop: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let sessions = Arc::clone(sessions);
    let signal = move || {
        let changed = Arc::clone(&changed);
        async move { changed.notified().await }
    };
    let reload = move || {
        let (sessions, keys) = (Arc::clone(&sessions), Arc::clone(&keys));
        async move {
            match keys.load().await {
                Ok(keys) => sessions.access_tokens().replace_keys(keys),
                Err(error) => tracing::warn!(%error, "the signing keys could not be read; the known ones stay in use"),
            }
            if let Err(error) = sessions.reload_applications().await {
                let error = chain(&error);
                tracing::warn!(error, "the applications could not be read; the known ones stay in use");
            }
        }
    };
    whenever(signal, KEY_INTERVAL, stop, reload)
}

async fn apply_bulk_endings(sessions: Arc<Sessions>) {
    if let Err(error) = sessions.apply_bulk_endings().await {
        tracing::warn!(error = %chain(&error), "applying a bulk ending is postponed");
    }
}

/// Reads files of places again when they were replaced.
pub fn reload_places(geoip: Arc<GeoIp>, stop: &watch::Receiver<bool>) {
    let reload = move || {
        let geoip = Arc::clone(&geoip);
        // A file may have a hundred megabytes.
        async move { drop(tokio::task::spawn_blocking(move || geoip.reload()).await) }
    };
    drop(every(PLACES_INTERVAL, stop, reload));
}

/// Deletes rows past their retention. A failure is logged, and the next run deletes the rest.
pub async fn clean_up(sessions: &Sessions) {
    match sessions.delete_expired_rows().await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "rows past their retention were deleted"),
        Err(error) => tracing::warn!(error = %chain(&error), "the clean-up is postponed"),
    }
}

async fn warn_of_ending_keys(sessions: Arc<Sessions>) {
    if let Err(error) = sessions.warn_of_ending_keys().await {
        tracing::warn!(error = %chain(&error), "the service keys could not be read");
    }
}

/// Counts the events for the statistics, and measures how many sessions are open. After a failure, which is logged, the
/// next run goes on.
async fn count(sessions: Arc<Sessions>) {
    let counting = async {
        while sessions.roll_up().await? {}
        sessions.measure_open_sessions().await
    };
    if let Err(error) = counting.await {
        tracing::warn!(error = %chain(&error), "counting for the statistics is postponed");
    }
}

/// Writes the last-seen times that are due; a failure is logged.
pub async fn flush(sessions: &Sessions) {
    log_unwritten(sessions.write_due_activity().await);
}

/// Writes all last-seen times; a failure is logged.
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
