//! Counting of events, in the background and by deletions.

use sojourn::store::BatchProgress;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sojourn::model::{
    BulkEnding, CountedEvent, Counts, CountsWanted, DeviceType, EndReason, Ended, EventCount, Filter, Grouping, Owner,
    Session, SessionId, Stale, StatisticsQuery, Step, Touch,
};
use sojourn::sessions::COUNTED_AFTER;

use super::fixture::{Fixture, MICROSECOND, Raw, at, search_for, session_at, user};

on_both_stores! {
    what_is_counted_is_what_a_full_count_of_all_there_ever_were_finds,
    several_at_once_count_nothing_twice,
    what_fails_half_way_is_counted_later_and_once,
    so_many_that_ended_at_one_instant_are_counted_little_by_little,
    a_bulk_ending_is_waited_for,
    too_many_groups_are_not_read,
}

const HOURS: StatisticsQuery =
    StatisticsQuery { from: None, to: None, step: Step::Hour, client_id: None, device_type: None, group_by: None };

fn wanted(query: &StatisticsQuery) -> CountsWanted<'_> {
    let (from, to) = (at(0) - TimeDelta::days(1), at(0) + TimeDelta::days(60));
    CountsWanted { from, to, midnight: to, query, most_groups: 100 }
}

/// The counts, with which the number of open sessions alone must agree.
async fn counts(fixture: &Fixture) -> Counts {
    let counts = fixture.store.statistics(wanted(&HOURS)).await.unwrap();
    let open = fixture.store.open_sessions().await.unwrap();
    assert_eq!((open.number, open.counted_until), (sums(&counts).1, counts.counted_until));
    counts
}

/// Counts everything until `until`, and returns the number of batches.
async fn roll_up(fixture: &Fixture, until: DateTime<Utc>) -> u32 {
    let mut batches = 1;
    // A worker that stopped a moment ago may still hold the lock.
    while fixture.store.roll_up(until).await.unwrap() != BatchProgress::Done {
        batches += 1;
    }
    batches
}

async fn everybody(fixture: &Fixture, now: DateTime<Utc>) -> Vec<Session> {
    fixture.store.search_sessions(search_for(&Filter::default(), 10_000, now)).await.unwrap()
}

/// The number of events of each kind, and the number of open sessions.
fn sums(counts: &Counts) -> (BTreeMap<String, i64>, i64) {
    let mut sums = BTreeMap::new();
    for EventCount { event, count, .. } in &counts.events {
        *sums.entry(format!("{event:?}")).or_default() += count;
    }
    (sums, counts.groups.iter().map(|group| group.open).sum())
}

/// Pseudo-random numbers below `limit` (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let length = i64::try_from(all.len()).unwrap();
        (length > 0).then(|| &all[usize::try_from(self.below(length)).unwrap()])
    }
}

type Events = Vec<(DateTime<Utc>, CountedEvent)>;

/// The events of a session that is still stored, before `until`.
fn events_of(session: &Session, until: DateTime<Utc>) -> Events {
    let left = match session.ended {
        Some(Ended { at, reason }) if at < session.expires_at => (at, CountedEvent::Ended(reason)),
        _ => (session.expires_at, CountedEvent::Expired),
    };
    [(session.created_at, CountedEvent::Opened), left].into_iter().filter(|event| event.0 < until).collect()
}

/// The events of a session that was deleted when everything before `until` was counted: an idle session expires with
/// its deletion.
fn events_of_deleted(session: &Session, until: DateTime<Utc>) -> Events {
    let mut events = events_of(session, DateTime::<Utc>::MAX_UTC);
    if let (at, CountedEvent::Expired) = &mut events[1]
        && *at >= until
        && let Some(idle) = session.idle_timeout
    {
        *at = (*at).min(session.last_seen_at + idle);
    }
    events
}

/// All deleted sessions, with the events that must stay counted.
struct History {
    deleted: HashMap<SessionId, (Session, Events)>,
}

impl History {
    /// Compares the stored counts with a full count, by every break-down.
    async fn compare(&self, fixture: &Fixture, now: DateTime<Utc>) {
        let counted_until = counts(fixture).await.counted_until;
        let present = everybody(fixture, now).await;
        let present = present.iter().map(|session| (session, events_of(session, counted_until)));
        let deleted = self.deleted.values().map(|(session, events)| (session, events.clone()));
        let all: Vec<_> = present.chain(deleted).collect();
        for step in [Step::Hour, Step::Day] {
            for group_by in [None, Some(Grouping::ClientId), Some(Grouping::DeviceType)] {
                for (client_id, device_type) in [(None, None), (Some("web"), None), (None, Some(DeviceType::Mobile))] {
                    let client_id = client_id.map(str::to_owned);
                    let query = StatisticsQuery { step, group_by, client_id, device_type, ..HOURS };
                    let counts = fixture.store.statistics(wanted(&query)).await.unwrap();
                    assert_eq!(counted(&counts), full_count(&all, &query), "{query:?}");
                }
            }
        }
    }
}

type Counted = (BTreeMap<(DateTime<Utc>, String, String), i64>, BTreeMap<String, i64>);

fn counted(counts: &Counts) -> Counted {
    let mut events = BTreeMap::new();
    for EventCount { start, group: name, event, count } in &counts.events {
        assert!(events.insert((*start, name.clone(), format!("{event:?}")), *count).is_none());
    }
    (events, counts.groups.iter().map(|group| (group.name.clone(), group.open)).collect())
}

fn full_count(all: &[(&Session, Events)], query: &StatisticsQuery) -> Counted {
    let (mut counts, mut open) = (BTreeMap::new(), BTreeMap::new());
    for (session, events) in all {
        let other_client = query.client_id.is_some() && query.client_id != session.client_id;
        if other_client || query.device_type.is_some_and(|kind| kind != session.device.kind) {
            continue;
        }
        let name = match query.group_by {
            None => String::new(),
            Some(Grouping::ClientId) => session.client_id.clone().unwrap_or_default(),
            Some(Grouping::DeviceType) => session.device.kind.as_str().to_owned(),
        };
        for (at, event) in events {
            let length = query.step.length().num_seconds();
            let start = DateTime::from_timestamp(at.timestamp() / length * length, 0).unwrap();
            *counts.entry((start, name.clone(), format!("{event:?}"))).or_default() += 1;
            *open.entry(name.clone()).or_default() += if *event == CountedEvent::Opened { 1 } else { -1 };
        }
    }
    (counts, open)
}

async fn what_is_counted_is_what_a_full_count_of_all_there_ever_were_finds(fixture: &Fixture) {
    let (store, mut numbers, mut now) = (&fixture.store, Numbers(20_260_101), at(0));
    let mut history = History { deleted: HashMap::new() };
    let kinds = [DeviceType::Desktop, DeviceType::Mobile];
    let clients = [None, Some("web".to_owned()), Some("app".to_owned())];
    for round in 0..600 {
        now +=
            TimeDelta::seconds(numbers.below(400)) + MICROSECOND * i32::try_from(1 + numbers.below(999_999)).unwrap();
        let ann = user(&format!("user {}", numbers.below(6)));
        let present = everybody(fixture, now).await;
        let id = numbers.one_of(&present).map_or_else(super::fixture::new_id, |session| session.id);
        let owner = Owner::Anyone;
        match numbers.below(16) {
            0..=5 => {
                let mut session = session_at(ann.as_str(), 0);
                (session.created_at, session.last_seen_at) = (now, now);
                session.expires_at = now + TimeDelta::seconds(60 + numbers.below(7200));
                session.absolute_expires_at = now + TimeDelta::days(1);
                session.idle_timeout = (numbers.below(3) > 0).then(|| TimeDelta::seconds(60 + numbers.below(3600)));
                session.client_id = numbers.one_of(&clients).unwrap().clone();
                session.device.kind = *numbers.one_of(&kinds).unwrap();
                fixture.open(session).await;
            }
            6 | 7 => {
                let reason = *numbers.one_of(&EndReason::ALL).unwrap();
                store.end_session(id, owner, reason, now, None).await.unwrap();
            }
            8 => drop(store.extend_session(id, owner, TimeDelta::seconds(3600), now, None).await.unwrap()),
            9 => store.touch_sessions(&[Touch { id, seen_at: now, counter: 0, seen_from: None }]).await.unwrap(),
            10 => {
                let client_id = numbers.one_of(&clients).unwrap().clone();
                let filter = Filter { user_id: Some(ann), client_id, ..Filter::default() };
                let ended = Ended { at: now, reason: EndReason::RevokedByAdmin };
                store.end_in_bulk(&BulkEnding { filter, except: None, ended }, None).await.unwrap();
            }
            11 => drop(store.apply_bulk_ending(now).await.unwrap()),
            12 => {
                // Open bulk endings are applied first: an ending of a deleted session could not be counted any more.
                while store.apply_bulk_ending(now).await.unwrap() != BatchProgress::Idle {}
                let before = everybody(fixture, now).await;
                let instant = now - TimeDelta::seconds(*numbers.one_of(&[0, 60, 3600]).unwrap());
                for stale in [
                    Stale::Expired(instant),
                    Stale::Ended(instant),
                    Stale::ExpiredOf { user: &ann, at: now, idle_at: now - TimeDelta::minutes(1) },
                ] {
                    store.delete_stale(stale, false, None).await.unwrap();
                }
                let counted_until = counts(fixture).await.counted_until;
                let after = everybody(fixture, now).await;
                for session in before.into_iter().filter(|session| !after.iter().any(|left| left.id == session.id)) {
                    let events = events_of_deleted(&session, counted_until);
                    history.deleted.insert(session.id, (session, events));
                }
            }
            _ => drop(store.roll_up(now - COUNTED_AFTER).await.unwrap()),
        }
        if round % 60 == 59 {
            history.compare(fixture, now).await;
        }
    }
    while store.apply_bulk_ending(now).await.unwrap() != BatchProgress::Idle {}
    now += TimeDelta::days(3);
    roll_up(fixture, now - COUNTED_AFTER).await;
    history.compare(fixture, now).await;
    assert!(history.deleted.len() > 20, "{}", history.deleted.len());
    assert!(counts(fixture).await.groups.iter().all(|group| group.open == 0), "all of them have left");
}

async fn several_at_once_count_nothing_twice(fixture: &Fixture) {
    for number in 0..40 {
        fixture.open(session_at("ann", number)).await;
    }
    let until = at(0) + TimeDelta::days(2);
    fixture
        .race(8, move |_, store| async move { while store.roll_up(until).await.unwrap() == BatchProgress::More {} })
        .await;
    roll_up(fixture, until).await;
    assert_eq!(sums(&counts(fixture).await), (BTreeMap::from([("Opened".into(), 40), ("Expired".into(), 40)]), 0));
}

async fn what_fails_half_way_is_counted_later_and_once(fixture: &Fixture) {
    fixture.open(session_at("ann", 0)).await;
    fixture.open(session_at("bob", 3600)).await;
    roll_up(fixture, at(10)).await;
    // The next increment overflows the column, so that the batch fails.
    let full = |count: &str| format!("UPDATE statistics SET count = {count} WHERE step = 'ever'");
    fixture.raw.run(&full("9223372036854775807")).await.unwrap();
    fixture.store.roll_up(at(7200)).await.unwrap_err();
    fixture.raw.run(&full("1")).await.unwrap();
    assert_eq!(counts(fixture).await.counted_until, at(10));
    assert_eq!(sums(&counts(fixture).await).0, BTreeMap::from([("Opened".into(), 1)]));
    roll_up(fixture, at(7200)).await;
    assert_eq!(sums(&counts(fixture).await), (BTreeMap::from([("Opened".into(), 2)]), 2));
}

async fn so_many_that_ended_at_one_instant_are_counted_little_by_little(fixture: &Fixture) {
    let many = if matches!(fixture.raw, Raw::Postgres(_)) { 12_000 } else { 2_500 };
    let one = fixture.open(session_at("ann", 0)).await;
    fixture.database.copy_session(one.id.as_uuid(), many).await;
    let left = fixture.open(session_at("bob", 11)).await;
    let ended = Ended { at: at(10), reason: EndReason::RevokedByAdmin };
    let filter = Filter { user_id: Some(user("ann")), ..Filter::default() };
    fixture.store.end_in_bulk(&BulkEnding { filter, except: None, ended }, None).await.unwrap();
    while fixture.store.apply_bulk_ending(at(20)).await.unwrap() != BatchProgress::Idle {}

    // Counting stops in the middle of one instant: deletions must tell counted sessions from the others.
    while fixture.raw.number("SELECT count(*) FROM statistics_progress WHERE opened_until IS NOT NULL").await == 0 {
        assert_eq!(fixture.store.roll_up(at(100)).await.unwrap(), BatchProgress::More);
    }
    assert_eq!(counts(fixture).await.counted_until, at(10));
    let every_other = match fixture.raw {
        Raw::Postgres(_) => "DELETE FROM sessions WHERE user_id = 'ann' AND id::text < '8'",
        Raw::Sqlite(_) => "DELETE FROM sessions WHERE user_id = 'ann' AND rowid % 2 = 0",
    };
    assert!(fixture.raw.run(every_other).await.unwrap() > 1000);
    assert!(roll_up(fixture, at(100)).await > 1);
    let happened = BTreeMap::from([("Opened".into(), many + 2), ("Ended(RevokedByAdmin)".into(), many + 1)]);
    assert_eq!(sums(&counts(fixture).await), (happened, 1));
    assert_eq!(counts(fixture).await.counted_until, at(100));
    assert_eq!(fixture.stored(left.id).await.ended, None);
}

async fn a_bulk_ending_is_waited_for(fixture: &Fixture) {
    fixture.open(session_at("ann", 0)).await;
    let ended = Ended { at: at(10), reason: EndReason::RevokedByAdmin };
    fixture.store.end_in_bulk(&BulkEnding { filter: Filter::default(), except: None, ended }, None).await.unwrap();
    roll_up(fixture, at(100)).await;
    assert_eq!(counts(fixture).await.counted_until, at(10));
    while fixture.store.apply_bulk_ending(at(20)).await.unwrap() != BatchProgress::Idle {}
    roll_up(fixture, at(100)).await;
    assert_eq!(sums(&counts(fixture).await).1, 0);
    assert_eq!(fixture.store.roll_up(at(50)).await.unwrap(), BatchProgress::Done, "and never goes back");
    assert_eq!(counts(fixture).await.counted_until, at(100));
}

async fn too_many_groups_are_not_read(fixture: &Fixture) {
    for client in ["app", "kiosk", "web"] {
        fixture.open(Session { client_id: Some(client.to_owned()), ..session_at("ann", 0) }).await;
    }
    roll_up(fixture, at(100)).await;
    let by_client = StatisticsQuery { group_by: Some(Grouping::ClientId), ..HOURS };
    let read =
        async |most_groups| fixture.store.statistics(CountsWanted { most_groups, ..wanted(&by_client) }).await.unwrap();
    assert_eq!((read(3).await.groups.len(), read(3).await.events.len()), (3, 3));
    assert_eq!((read(2).await.groups.len(), read(2).await.events.len()), (3, 0));
}
