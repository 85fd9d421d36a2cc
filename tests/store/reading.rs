//! Look-ups of sessions.

use chrono::TimeDelta;
use sojourn::model::User;
use sojourn::model::{BulkEnding, Device, DeviceType, EndReason, Ended, Filter, Owner, Session, SessionStatus};
use sojourn::store::MAX_LISTED;

use super::fixture::{Fixture, MICROSECOND, Raw, at, details, full_session, ids, new_id, session_at, session_of, user};

on_both_stores!(
    a_token_brings_its_session_with_its_user,
    a_deleted_user_appears_with_its_id_alone,
    an_unknown_session_is_not_there,
    a_foreign_users_session_is_not_there,
    a_user_sees_their_active_sessions_newest_first,
    sessions_opened_in_the_same_instant_are_listed_by_id,
    a_session_ends_at_its_end_to_the_microsecond,
    a_session_is_idle_after_its_timeout_to_the_microsecond,
    users_are_told_apart_byte_by_byte,
    a_user_with_more_sessions_than_are_listed_sees_the_newest,
    several_users_lists_are_each_as_if_asked_for_alone,
    a_status_read_alone_equals_that_of_the_whole_session,
    a_kind_of_device_that_only_a_newer_server_knows_makes_nothing_unreadable,
);

async fn a_kind_of_device_that_only_a_newer_server_knows_makes_nothing_unreadable(fixture: &Fixture) {
    let session = fixture.open(full_session("ann")).await;
    let filter = Filter { device_type: Some(DeviceType::Tablet), ..Filter::default() };
    let ended = Ended { at: at(2), reason: EndReason::RevokedByAdmin };
    fixture.store.end_in_bulk(&BulkEnding { filter, except: None, ended }, None).await.unwrap();
    for table in ["sessions", "bulk_endings"] {
        fixture.raw.run(&format!("UPDATE {table} SET device_type = 'toaster'")).await.unwrap();
    }
    let stored = fixture.stored(session.id).await;
    assert_eq!(stored.device, Device { kind: DeviceType::Unknown, ..session.device });
    assert!(stored.ended.is_some(), "the database compares the words");
    let endings = fixture.store.bulk_endings(at(0)).await.unwrap();
    assert!(endings[0].filter.device_type.is_some(), "a condition that is not known is still a condition");
}

async fn a_status_read_alone_equals_that_of_the_whole_session(fixture: &Fixture) {
    let active = fixture.open(full_session("ann")).await;
    let ended = fixture.open(session_of("bob")).await;
    fixture.store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(5), None).await.unwrap().unwrap();
    let mut session_statuses = fixture.store.session_statuses(&[ended.id, new_id(), active.id]).await.unwrap();
    session_statuses.sort_unstable_by_key(|standing| standing.id);
    let mut expected = [fixture.stored(active.id).await, fixture.stored(ended.id).await].map(|session| SessionStatus {
        id: session.id,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        ended: session.ended,
        refresh_counter: session.refresh_counter,
        confirmed_counter: session.confirmed_counter,
        least_counter: session.least_counter,
    });
    expected.sort_unstable_by_key(|standing| standing.id);
    assert_eq!(session_statuses, expected);
}

async fn a_token_brings_its_session_with_its_user(fixture: &Fixture) {
    let ann = fixture.store.put_user(&user("ann"), &details(Some("Ann"), Some("a@b")), at(0), None).await.unwrap();
    let session = fixture.open(session_at("ann", 1)).await;
    let signed_in = fixture.store.sessions_of_tokens(&[session.id]).await.unwrap().pop().unwrap();
    assert_eq!((signed_in.session, signed_in.user), (session, ann));
}

async fn a_deleted_user_appears_with_its_id_alone(fixture: &Fixture) {
    let session = fixture.open(session_at("ann", 7)).await;
    fixture.store.delete_user(&session.user_id, at(8), None).await.unwrap();
    let signed_in = fixture.store.sessions_of_tokens(&[session.id]).await.unwrap().pop().unwrap();
    let expected = User {
        id: user("ann"),
        name: None,
        email: None,
        banned_at: None,
        ban_reason: None,
        created_at: at(7),
        updated_at: at(7),
    };
    assert_eq!(signed_in.user, expected);
    assert_eq!(signed_in.session.ended.unwrap().reason, EndReason::UserDeleted);
}

async fn an_unknown_session_is_not_there(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let unknown = new_id();
    assert_eq!(fixture.store.sessions_of_tokens(&[unknown]).await.unwrap().pop(), None);
    assert_eq!(fixture.store.session(unknown, Owner::Anyone).await.unwrap(), None);
    assert_eq!(fixture.store.session(unknown, Owner::User(&session.user_id)).await.unwrap(), None);
    assert_eq!(fixture.store.active_sessions_of(&user("bob"), at(0)).await.unwrap(), []);
    assert_eq!(fixture.store.count_active_sessions_of(&user("bob"), at(0)).await.unwrap(), 0);
}

async fn a_foreign_users_session_is_not_there(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    assert_eq!(fixture.store.session(session.id, Owner::User(&user("bob"))).await.unwrap(), None);
    assert_eq!(fixture.store.session(session.id, Owner::User(&user("ann"))).await.unwrap(), Some(session.clone()));
    assert_eq!(fixture.store.session(session.id, Owner::Anyone).await.unwrap(), Some(session));
}

async fn a_user_sees_their_active_sessions_newest_first(fixture: &Fixture) {
    let first = fixture.open(session_at("ann", 0)).await;
    let third = fixture.open(session_at("ann", 2)).await;
    let second = fixture.open(session_at("ann", 1)).await;
    let ended = fixture.open(session_at("ann", 3)).await;
    fixture.open(session_at("bob", 4)).await;
    fixture.store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(4), None).await.unwrap();
    let listed = fixture.store.active_sessions_of(&user("ann"), at(5)).await.unwrap();
    assert_eq!(listed, [third, second, first]);
    assert_eq!(fixture.store.count_active_sessions_of(&user("ann"), at(5)).await.unwrap(), 3);
}

async fn sessions_opened_in_the_same_instant_are_listed_by_id(fixture: &Fixture) {
    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(fixture.open(session_of("ann")).await.id);
    }
    opened.reverse();
    assert_eq!(fixture.active_ids(&user("ann"), at(0)).await, opened);
}

async fn a_session_ends_at_its_end_to_the_microsecond(fixture: &Fixture) {
    let end = at(100) + TimeDelta::microseconds(3);
    let session = fixture.open(Session { expires_at: end, idle_timeout: None, ..session_of("ann") }).await;
    assert_same_state(fixture, &session, end).await;
}

async fn a_session_is_idle_after_its_timeout_to_the_microsecond(fixture: &Fixture) {
    let last_seen_at = at(5) + TimeDelta::microseconds(7);
    let idle_timeout = Some(TimeDelta::seconds(60));
    let session = fixture.open(Session { last_seen_at, idle_timeout, ..session_of("ann") }).await;
    assert_same_state(fixture, &session, last_seen_at + TimeDelta::seconds(60)).await;
}

/// Fails unless store and core agree that the session is active until `end`, exclusive.
async fn assert_same_state(fixture: &Fixture, session: &Session, end: chrono::DateTime<chrono::Utc>) {
    let ann = &session.user_id;
    let last = end - MICROSECOND;
    assert!(session.is_active(last));
    assert_eq!(fixture.active_ids(ann, last).await, [session.id]);
    assert_eq!(fixture.store.count_active_sessions_of(ann, last).await.unwrap(), 1);
    assert!(!session.is_active(end));
    assert_eq!(fixture.active_ids(ann, end).await, []);
    assert_eq!(fixture.store.count_active_sessions_of(ann, end).await.unwrap(), 0);
    let owner = Owner::User(ann);
    assert_eq!(fixture.store.extend_session(session.id, owner, TimeDelta::days(1), end, None).await.unwrap(), None);
}

async fn users_are_told_apart_byte_by_byte(fixture: &Fixture) {
    let names = ["ann", "Ann", "a nn", "\u{e9}", "e\u{301}", "ß", "ss", "%", "_", "'", "\"", "\\", "ａｎｎ"];
    let mut opened = Vec::new();
    for name in names {
        opened.push(fixture.open(session_of(name)).await);
    }
    for session in opened {
        let listed = fixture.store.active_sessions_of(&session.user_id, at(0)).await.unwrap();
        assert_eq!(ids(&listed), [session.id], "{:?}", session.user_id);
        assert_eq!(fixture.store.user(&session.user_id).await.unwrap().unwrap().id, session.user_id);
    }
}

async fn several_users_lists_are_each_as_if_asked_for_alone(fixture: &Fixture) {
    let mut expected = Vec::new();
    for name in ["ann", "bob", "eve"] {
        for seconds in [0, 7, 3] {
            fixture.open(session_at(name, seconds)).await;
        }
        let ended = fixture.open(session_at(name, 5)).await;
        fixture.store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(8), None).await.unwrap();
        if name != "bob" {
            expected.push(fixture.store.active_sessions_of(&user(name), at(9)).await.unwrap());
        }
    }
    let asked = [user("ann"), user("nobody"), user("eve")];
    let together = fixture.store.active_sessions_of_users(&asked, at(9)).await.unwrap();
    assert_eq!(expected.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
    for own in expected {
        let listed: Vec<_> = together.iter().filter(|session| session.user_id == own[0].user_id).cloned().collect();
        assert_eq!(listed, own);
    }
    assert_eq!(together.len(), 6);
    assert_eq!(fixture.store.active_sessions_of_users(&[], at(9)).await.unwrap(), []);
}

async fn a_user_with_more_sessions_than_are_listed_sees_the_newest(fixture: &Fixture) {
    let most = usize::try_from(MAX_LISTED).unwrap();
    let one = fixture.open(session_of("ann")).await;
    // Sessions later than the first, one an hour, which never go idle.
    let (id, created_at) = match fixture.raw {
        Raw::Postgres(_) => ("md5(n::text)::uuid", "created_at + n * interval '1 hour'"),
        Raw::Sqlite(_) => ("randomblob(16)", "created_at + n * 3600000000"),
    };
    let more = format!(
        "INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, device_type,
            scope, amr, metadata)
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MAX_LISTED})
         SELECT {id}, user_id, {created_at}, last_seen_at, expires_at, absolute_expires_at, device_type, scope, amr,
            metadata
         FROM sessions, numbers"
    );
    fixture.raw.run(&more).await.unwrap();
    let listed = fixture.store.active_sessions_of(&one.user_id, at(1)).await.unwrap();
    assert_eq!(listed.len(), most);
    assert!(listed.is_sorted_by(|newer, older| newer.created_at > older.created_at));
    assert!(!ids(&listed).contains(&one.id));
    let count = fixture.store.count_active_sessions_of(&one.user_id, at(1)).await.unwrap();
    assert_eq!(count, u64::from(MAX_LISTED) + 1);
}
