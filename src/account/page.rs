//! The page of a user's sessions.

use askama::Template;
use axum::response::Html;
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::context::PageContext;
use super::words::{Done, Unit, Words};
use crate::model::{DeviceType, Session};
use crate::sessions::{AccountAccess, AccountSessions, Error, Sessions, Termination};

/// The page.
#[derive(Template)]
#[template(path = "sessions.html")]
struct Page<'a> {
    words: &'a Words,
    context: &'a PageContext,
    /// Whether the reader is the user in a session, and not a visit.
    is_own: bool,
    done: Option<String>,
    current: Option<Row>,
    others: Vec<Row>,
    more: Option<String>,
    safety: String,
    over: Vec<OverRow>,
}

/// An active session.
struct Row {
    id: String,
    is_current: bool,
    /// The path of the device's picture.
    icon: &'static str,
    title: String,
    /// The name that the user gave to the device; empty without one.
    name: String,
    /// The place, the application, and what a named device is.
    facts: Vec<String>,
    since: Moment,
    last_used: Moment,
    address: Option<String>,
}

/// A session that is over.
struct OverRow {
    title: String,
    reason: &'static str,
    at: Moment,
}

/// An instant in words, and exactly.
struct Moment {
    words: String,
    /// The time in words.
    exact: String,
    /// The time for programs (RFC 3339).
    machine: String,
}

/// The page for whoever has opened it.
pub(super) async fn page(
    sessions: &Sessions,
    access: &AccountAccess,
    context: &PageContext,
    done: Option<Done>,
) -> Result<Html<String>, Error> {
    let AccountSessions { current, others, more, over } = sessions.account_sessions(access).await?;
    let (words, now) = (context.words, sessions.now());
    let row = |session: &Session, is_current| Row::new(session, is_current, sessions, words, now);
    let page = Page {
        words,
        context,
        is_own: access.own().is_ok(),
        done: done.map(words.done),
        current: current.as_ref().map(|session| row(session, true)),
        others: others.iter().map(|session| row(session, false)).collect(),
        more: (more > 0).then(|| (words.more)(u32::try_from(more).unwrap_or(u32::MAX))),
        safety: (words.safety)(context.name.as_deref()),
        over: over.iter().map(|(session, over)| OverRow::new(session, over, words, now)).collect(),
    };
    page.render().map(Html).map_err(|error| Error::Internal(error.into()))
}

impl Row {
    fn new(session: &Session, is_current: bool, sessions: &Sessions, words: &Words, now: DateTime<Utc>) -> Self {
        let device = what_it_is(session, words);
        let name = session.device.name.clone();
        let what = name.is_some().then_some(device.clone()).flatten();
        let facts = [what, session.last_location(), sessions.application_name(session)];
        let since = Moment::new(session.created_at, |at| (words.since)(&date(at, words)));
        let last_used = Moment::new(session.last_seen_at, |at| (words.last_used)(&ago(at, words, now)));
        Self {
            id: session.id.to_string(),
            is_current,
            icon: icon(session.device.kind),
            title: name.clone().or(device).unwrap_or_else(|| words.unknown_device.to_owned()),
            name: name.unwrap_or_default(),
            facts: facts.into_iter().flatten().collect(),
            since,
            last_used,
            address: session.last_ip_address().map(|address| address.to_string()),
        }
    }
}

impl OverRow {
    fn new(session: &Session, over: &Termination, words: &Words, now: DateTime<Utc>) -> Self {
        let title = session.device.name.clone().or_else(|| what_it_is(session, words));
        Self {
            title: title.unwrap_or_else(|| words.unknown_device.to_owned()),
            reason: (words.reason)(over.reason),
            at: Moment::new(over.at, |at| ago(at, words, now)),
        }
    }
}

impl Moment {
    fn new(at: DateTime<Utc>, words: impl FnOnce(DateTime<Utc>) -> String) -> Self {
        Self {
            words: words(at),
            exact: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            machine: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// The program and what it runs on; `None` where nothing is known.
fn what_it_is(session: &Session, words: &Words) -> Option<String> {
    match session.device.program_and_place() {
        (Some(program), Some(place)) => Some((words.on)(&program, &place)),
        (program, place) => program.or(place),
    }
}

fn date(at: DateTime<Utc>, words: &Words) -> String {
    (words.date)(at.day(), at.month(), at.year())
}

/// The time that has passed, in the largest whole unit; beyond thirty days the date.
fn ago(at: DateTime<Utc>, words: &Words, now: DateTime<Utc>) -> String {
    let passed = (now - at).max(TimeDelta::zero());
    let number = |whole: i64| u32::try_from(whole).unwrap_or(u32::MAX);
    match (passed.num_minutes(), passed.num_hours(), passed.num_days()) {
        (minutes, 0, _) => (words.ago)(Unit::Minute, number(minutes)),
        (_, hours, 0) => (words.ago)(Unit::Hour, number(hours)),
        (_, _, days @ ..=30) => (words.ago)(Unit::Day, number(days)),
        _ => date(at, words),
    }
}

/// The picture of a kind of device: a path in a square of 24 units.
fn icon(kind: DeviceType) -> &'static str {
    match kind {
        DeviceType::Desktop => "M5 4h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM8 20h8M12 16v4",
        DeviceType::Mobile => {
            "M8.500 2.500h7a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2zM11 18.500h2"
        }
        DeviceType::Tablet => {
            "M6.500 2.500h11a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2h-11a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2zM11 18.500h2"
        }
        DeviceType::Tv | DeviceType::Console => {
            "M4 5h16a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM8 21.500h8"
        }
        DeviceType::App | DeviceType::Bot => {
            "M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM7 9l3 3-3 3M13 15h4"
        }
        DeviceType::Headset | DeviceType::Unknown => {
            "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.7.3-1 .8-1 1.700M12 16.500v.1"
        }
    }
}
