//! Event streams of endings.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;

use super::cursor::LogCursor;
use super::endings::{EndedEvent, LOG_TTL, LogPlace};
use super::lifeline::Lifeline;
use super::revocations::not_known;
use super::stream_limits::StreamPlace;
use super::watch::terminated_of;
use crate::error_chain::chain;
use crate::model::{Caller, Change, LogId, LogPosition, LoggedChange, Scope, UserId};
use crate::sessions::error::Error;
use crate::sessions::facade::Sessions;

/// Time between two heartbeats, each with a cursor, so that a quiet stream can be resumed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// An item of the stream, with the cursor to resume after it.
#[derive(Debug, Clone)]
pub enum FeedItem {
    /// A session was ended.
    Ended(Arc<EndedEvent>, String),
    /// The cursor to resume from is unknown or too old, so endings may have been missed.
    Missed(String),
    /// A heartbeat.
    Nothing(String),
}

/// A stream of every ending, or of one user's.
pub struct EventStream {
    sessions: Arc<Sessions>,
    caller: Option<Lifeline>,
    user: Option<UserId>,
    ready: VecDeque<FeedItem>,
    /// The position to replay the log from, before live items.
    replay: Option<LogPosition>,
    /// Positions that were replayed from the log and may come once more live.
    replayed: BTreeSet<LogPosition>,
    live: broadcast::Receiver<Arc<EndedEvent>>,
    /// The settled position at the start: live items come after it, or were sent before.
    joined_at: LogPosition,
    /// The log of the positions.
    log: LogId,
    heartbeat_at: Instant,
    _place: StreamPlace,
}

impl Sessions {
    /// Opens a stream of the endings of one user's sessions, or of everybody's, for a caller with `sessions:read`: from now
    /// on, or from the cursor `after` as far back as the log is kept.
    pub async fn events(
        self: &Arc<Self>,
        caller: &Caller,
        user: Option<UserId>,
        after: Option<&str>,
    ) -> Result<EventStream, Error> {
        caller.require(Scope::READ)?;
        self.events_of(caller, user, after).await
    }

    /// As [`Sessions::events`], for a caller who may hear of that user's endings.
    pub(crate) async fn events_of(
        self: &Arc<Self>,
        caller: &Caller,
        user: Option<UserId>,
        after: Option<&str>,
    ) -> Result<EventStream, Error> {
        let place = self.feed.places.place(caller)?;
        let caller = self.lifeline_of(caller).await?;
        // The position is read before the subscription starts, so live items come after it.
        let progress = self.feed.ring().progress().ok_or_else(not_known)?;
        let live = self.feed.endings.subscribe();
        let (joined_at, cursor) = (progress.settled, LogCursor::at_end_of(progress).write(&self.parts.keyring));
        let mut ready = VecDeque::new();
        let replay = match after.map(|text| LogCursor::read(&self.parts.keyring, text)) {
            None => {
                ready.push_back(FeedItem::Nothing(cursor));
                None
            }
            Some(known) => {
                // A position of another log means nothing, so endings may have been missed.
                let known = known.filter(|known| known.is_of(progress.log));
                let kept_since = self.now() - LOG_TTL;
                if known.as_ref().is_none_or(|known| known.at < kept_since) {
                    ready.push_back(FeedItem::Missed(cursor));
                }
                // Another process may have read further than this one.
                known.map(|known| known.settled.min(joined_at))
            }
        };
        let heartbeat_at = Instant::now() + HEARTBEAT;
        let (sessions, replayed, log) = (Arc::clone(self), BTreeSet::new(), progress.log);
        Ok(EventStream {
            sessions,
            caller,
            user,
            ready,
            replay,
            replayed,
            live,
            joined_at,
            log,
            heartbeat_at,
            _place: place,
        })
    }
}

impl EventStream {
    /// The next item. `None` when the caller's credential ends, when the listener does not keep up, or when the log cannot be
    /// read: the client may resume with its last cursor.
    pub async fn next(&mut self) -> Option<FeedItem> {
        let told = loop {
            if self.caller.as_ref().is_some_and(Lifeline::is_terminated) {
                return None;
            }
            if let Some(told) = self.ready.pop_front() {
                break told;
            }
            if let Some(after) = self.replay {
                self.read_on(after).await?;
                continue;
            }
            tokio::select! {
                () = terminated_of(&mut self.caller) => return None,
                ending = self.live.recv() => {
                    // An error means that the listener was too slow, or that the process stops.
                    let ending = ending.ok()?;
                    let is_replayed = ending.place.log == self.log && self.replayed.remove(&ending.place.position);
                    if self.wants(&ending) && !is_replayed {
                        break self.item(ending);
                    }
                }
                () = tokio::time::sleep_until(self.heartbeat_at) => {
                    self.heartbeat_at = Instant::now() + HEARTBEAT;
                    if let Some(cursor) = self.heard_all() {
                        break FeedItem::Nothing(cursor);
                    }
                }
            }
        };
        self.heartbeat_at = Instant::now() + HEARTBEAT;
        Some(told)
    }

    /// Reads a page of the log. `None` when it cannot be read.
    async fn read_on(&mut self, after: LogPosition) -> Option<()> {
        // All listeners come back at once after a restart, and other callers need the database too.
        let sessions = Arc::clone(&self.sessions);
        let _turn = sessions.feed.replays.acquire().await.ok()?;
        let started = Instant::now();
        let page = match self.sessions.store().replay_changes(after).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "an event stream is closed: the change log cannot be read");
                return None;
            }
        };
        self.replay = page.next;
        let (log, settled) = (self.log, self.joined_at);
        let place = |position| LogPlace { log, position, settled };
        for LoggedChange { position, change } in page.changes {
            let ending = match change {
                Change::SessionEnded { id, user, ended } => EndedEvent::new(id, user, ended, place(position)),
                Change::BulkEnding { user, ended } => EndedEvent::of_many(user, ended, place(position)),
                _ => continue,
            };
            if self.wants(&ending) {
                if position > self.joined_at {
                    self.replayed.insert(position);
                }
                let told = self.item(Arc::new(ending));
                self.ready.push_back(told);
            }
        }
        // Each turn pauses for as long as it worked, which leaves half of the time to other callers.
        tokio::time::sleep(started.elapsed()).await;
        Some(())
    }

    fn wants(&self, ending: &EndedEvent) -> bool {
        // An ending of anybody's sessions may concern every user.
        let (wanted, told) = (self.user.as_ref(), ending.user_id.as_ref());
        wanted.is_none() || told.is_none() || wanted == told
    }

    fn item(&self, ending: Arc<EndedEvent>) -> FeedItem {
        let (log, heard_to) = (ending.place.log, ending.place.heard_to());
        let cursor = LogCursor { log, settled: heard_to, newest: heard_to, at: ending.ended.at };
        FeedItem::Ended(ending, cursor.write(&self.sessions.parts.keyring))
    }

    /// A cursor after everything, if this listener has every item.
    fn heard_all(&self) -> Option<String> {
        // The position is read before the queue, so later live items come after it.
        let progress = self.sessions.feed.ring().progress()?;
        self.live.is_empty().then(|| LogCursor::at_end_of(progress).write(&self.sessions.parts.keyring))
    }
}
