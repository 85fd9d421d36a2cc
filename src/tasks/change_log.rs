//! Following the change log, and notifying other processes of its growth.
//!
//! The log is read every so often whatever happens, and at once when it is said to have grown. Saying so is a courtesy
//! that may get lost: what holds is the reading.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::periodic::until_stopped;
use crate::error_chain::chain;
use crate::failpoints::{self, Failpoint};
use crate::metrics;
use crate::sessions::{ChangeLogReader, Sessions};
use crate::store::{Announcement, Listener};

/// The interval between two reads of the log while notifications arrive.
const READING_INTERVAL: Duration = Duration::from_millis(500);
/// The interval between two reads of a log without notifications: its store is a local file.
const DEAF_READING_INTERVAL: Duration = Duration::from_millis(100);
/// The time within which writes share one notification.
const GATHERING: Duration = Duration::from_millis(3);
/// The interval of heartbeats while there is nothing to announce.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The time without a notification or heartbeat after which a connection counts as broken.
const SILENCE: Duration = Duration::from_millis(2500);
/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// Starts to read the log, to listen and to announce. `configuration_changed` is notified when signing keys and applications should be read
/// again.
pub fn follow(
    sessions: &Arc<Sessions>,
    configuration_changed: &Arc<Notify>,
    stop: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let (deaf, hearing) = watch::channel(false);
    vec![
        tokio::spawn(until_stopped(
            stop.clone(),
            read(Arc::clone(sessions), Arc::clone(configuration_changed), hearing),
        )),
        tokio::spawn(until_stopped(stop.clone(), listen(Arc::clone(sessions), deaf))),
        tokio::spawn(until_stopped(stop.clone(), tell(Arc::clone(sessions)))),
        tokio::spawn(until_stopped(stop.clone(), look_again(Arc::clone(sessions)))),
    ]
}

async fn read(sessions: Arc<Sessions>, configuration_changed: Arc<Notify>, deaf: watch::Receiver<bool>) {
    let mut reader = ChangeLogReader::default();
    let mut failing = false;
    loop {
        match sessions.read_changes(&mut reader).await {
            Ok(news) => {
                if news.configuration_changed {
                    configuration_changed.notify_one();
                }
                if failing {
                    tracing::info!("the change log is read again");
                }
                failing = false;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %chain(&error), "the change log cannot be read: the cache is bypassed");
                }
                failing = true;
            }
        }
        if failpoints::enabled(Failpoint::RelyOnNotices) {
            sessions.log_grown().await;
            continue;
        }
        let interval = if *deaf.borrow() { DEAF_READING_INTERVAL } else { READING_INTERVAL };
        tokio::select! {
            () = sessions.log_grown() => {}
            () = tokio::time::sleep(interval) => {}
        }
    }
}

async fn listen(sessions: Arc<Sessions>, deaf: watch::Sender<bool>) {
    let mut failing = false;
    loop {
        match sessions.listen().await {
            Ok(None) => {
                deaf.send_replace(true);
                return;
            }
            Ok(Some(listener)) => {
                if failing {
                    tracing::info!("notifications from other replicas arrive again");
                }
                failing = false;
                // Notifications from before the connection are lost, but their changes are in the log.
                if !failpoints::enabled(Failpoint::RelyOnNotices) {
                    sessions.heard_of_changes();
                }
                metrics::listening(true);
                hear(&sessions, listener).await;
                metrics::listening(false);
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %chain(&error), "no notifications from other replicas: polling the log");
                }
                failing = true;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listens until the connection breaks.
async fn hear(sessions: &Sessions, mut listener: Box<dyn Listener>) {
    loop {
        match tokio::time::timeout(SILENCE, listener.hear()).await {
            Ok(Ok(true)) => sessions.heard_of_changes(),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "the connection for notifications broke");
                return;
            }
            Err(_) => {
                tracing::warn!("the connection for notifications is silent");
                return;
            }
        }
    }
}

/// Reads watched sessions again when endings may have been missed, so that no watch waits for ever.
async fn look_again(sessions: Arc<Sessions>) {
    loop {
        sessions.distrusted().await;
        while let Err(error) = sessions.look_again().await {
            tracing::debug!(error = %chain(&error), "watched sessions cannot be read");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn tell(sessions: Arc<Sessions>) {
    loop {
        let written = tokio::time::timeout(HEARTBEAT, sessions.log_written()).await.is_ok();
        let announcement = if written { Announcement::Changes } else { Announcement::Heartbeat };
        if let Err(error) = sessions.announce(announcement).await {
            tracing::debug!(error = %chain(&error), "other replicas could not be notified");
        }
        if written {
            tokio::time::sleep(GATHERING).await;
        }
    }
}
