//! The sessions in the table. Each is known by its number, so that requests for it can be made without a query. The
//! twin of `sql/fill.sql`.
//!
//! Session `i` is the `i / users`-th of user `i % users`; a later number was opened later. Each user has one session of
//! each class: 0 and 1 have expired, 2 was ended, 3 to 9 are active. Class 3 is for the limit's writes, 4 and 5 are to
//! be ended, 6 to 9 are requested. Requests for single sessions keep to the first half of the users; those of the third
//! quarter lose all their sessions to the server, those of the fourth to the limit.

use chrono::{DateTime, TimeDelta, Utc};
use sojourn::clock::{Clock as _, SystemClock};
use sojourn::model::SessionId;
use uuid::Uuid;

/// The time span in which the sessions were opened.
const PAST: TimeDelta = TimeDelta::days(30);
/// The name of user 0, from a published example.
pub const EXAMPLE_USER: &str = "d5552516-4436-4908-ab36-3e9725246304";
/// Most sessions that are requested repeatedly.
const MAX_ASKED_FOR: u64 = 20_000;

/// The sessions in a table.
#[derive(Debug, Clone, Copy)]
pub struct Population {
    /// The number of sessions.
    pub sessions: u64,
    /// The time at which the table was filled.
    pub filled_at: DateTime<Utc>,
}

impl Population {
    /// A number of sessions, opened up to now.
    pub fn new(sessions: u64) -> Self {
        Self { sessions, filled_at: SystemClock.now() }
    }

    /// The number of users.
    pub fn users(self) -> u64 {
        self.sessions / 10
    }

    /// The time at which the table was filled, in milliseconds.
    pub fn filled_at_milliseconds(self) -> i64 {
        self.filled_at.timestamp_millis()
    }

    /// The opening time of session `number`.
    pub fn opened_at(self, number: u64) -> DateTime<Utc> {
        let since = i128::from(number) * i128::from(PAST.num_milliseconds()) / i128::from(self.sessions);
        let since = TimeDelta::milliseconds(i64::try_from(since).unwrap_or(0));
        let start = self.filled_at_milliseconds() - PAST.num_milliseconds();
        DateTime::from_timestamp_millis(start).unwrap_or(self.filled_at) + since
    }

    /// The id of session `number`.
    pub fn id(self, number: u64) -> SessionId {
        id(self.opened_at(number), 0x8, number)
    }

    /// The id of session `number` of the crowded user.
    pub fn id_in_crowd(self, number: u64) -> SessionId {
        let first = self.filled_at - TimeDelta::days(1);
        id(first + TimeDelta::milliseconds(i64::try_from(number).unwrap_or(0)), 0xa, number)
    }

    /// The name of user `number`.
    pub fn user(number: u64) -> String {
        if number == 0 { EXAMPLE_USER.to_owned() } else { format!("user-{number}") }
    }

    /// The number of a user's session of class `class`.
    fn of_class(self, class: u64, user: u64) -> u64 {
        (class + 10 - user % 10) % 10 * self.users() + user
    }

    /// The sessions that are requested repeatedly, spread over the first half of the users.
    pub fn asked_for(self) -> Vec<u64> {
        let eligible = self.users() / 2 * 4;
        let count = eligible.min(MAX_ASKED_FOR);
        let pick = |place: u64| {
            let place = place * (eligible / count);
            self.of_class(6 + place % 4, place / 4)
        };
        (0..count).map(pick).collect()
    }

    /// The number of sessions to be ended one by one.
    pub fn to_be_ended(self) -> u64 {
        self.users()
    }

    /// The number of the session at `place` among those to be ended one by one.
    pub fn ended(self, place: u64) -> u64 {
        self.of_class(4 + place % 2, place / 2)
    }

    /// The number of sessions that the limit has to end one by one.
    pub fn to_be_ended_by_limit(self) -> u64 {
        self.users()
    }

    /// The number of users who lose all their sessions to the server, and as many to the limit.
    pub fn to_lose_all(self) -> u64 {
        self.users() / 4
    }

    /// The user at `place` among those who lose all their sessions.
    pub fn losing_all(self, place: u64) -> String {
        Self::user(self.users() / 2 + place)
    }
}

/// A UUID of version 7: the milliseconds, then the kind and the number.
fn id(opened_at: DateTime<Utc>, kind: u64, number: u64) -> SessionId {
    let milliseconds = u64::try_from(opened_at.timestamp_millis()).unwrap_or(0);
    SessionId::from_uuid(Uuid::from_u64_pair(milliseconds << 16 | 0x7000, kind << 60 | number))
}
