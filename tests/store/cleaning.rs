//! Counting and deleting of rows past their retention.

use chrono::TimeDelta;
use sojourn::model::{EndReason, Owner, Session, SessionStats, Stale};

use super::fixture::{Fixture, MICROSECOND, at, keyed, session_at, session_of, user};

on_both_stores!(
    the_numbers_are_of_one_user_and_without_what_was_ended,
    what_expired_by_an_instant_is_deleted_and_what_expires_later_stays,
    what_was_ended_by_an_instant_is_deleted_whenever_it_would_have_expired,
    a_user_loses_expired_and_idle_sessions_of_its_own_only,
    old_idempotency_keys_are_forgotten,
    several_at_once_delete_each_session_once,
);

async fn ended_at(fixture: &Fixture, session: &Session, seconds: i64) {
    fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, at(seconds), None).await.unwrap().unwrap();
}

async fn is_there(fixture: &Fixture, session: &Session) -> bool {
    fixture.store.session(session.id, Owner::Anyone).await.unwrap().is_some()
}

async fn delete(fixture: &Fixture, stale: Stale<'_>) -> u64 {
    fixture.store.delete_stale(stale, false, None).await.unwrap().unwrap()
}

async fn the_numbers_are_of_one_user_and_without_what_was_ended(fixture: &Fixture) {
    let now = at(3600);
    fixture.open(session_at("ann", 1)).await;
    fixture.open(session_at("ann", 0)).await;
    fixture.open(Session { expires_at: now, ..session_at("ann", 2) }).await;
    ended_at(fixture, &fixture.open(session_at("ann", 3)).await, 4).await;
    fixture.open(session_at("bob", 5)).await;
    let stats = fixture.store.session_stats(&user("ann"), now).await.unwrap();
    assert_eq!(stats, SessionStats { active: 1, expired: 2 });
    assert_eq!(fixture.store.count_active_sessions_of(&user("ann"), now).await.unwrap(), 1);
    assert_eq!(fixture.store.session_stats(&user("nobody"), now).await.unwrap(), SessionStats::default());
}

async fn what_expired_by_an_instant_is_deleted_and_what_expires_later_stays(fixture: &Fixture) {
    let instant = at(1000);
    let expired = fixture.open(Session { expires_at: instant, ..session_of("ann") }).await;
    let later = fixture.open(Session { expires_at: instant + MICROSECOND, ..session_of("bob") }).await;
    assert_eq!(fixture.store.count_ended_before(instant).await.unwrap(), 1);
    assert_eq!(delete(fixture, Stale::Expired(instant)).await, 1);
    assert!(!is_there(fixture, &expired).await && is_there(fixture, &later).await);
    assert_eq!(delete(fixture, Stale::Expired(instant)).await, 0);
}

async fn what_was_ended_by_an_instant_is_deleted_whenever_it_would_have_expired(fixture: &Fixture) {
    let [before, after, standing] = [session_of("ann"), session_of("ann"), session_of("ann")];
    for session in [&before, &after, &standing] {
        fixture.open(session.clone()).await;
    }
    ended_at(fixture, &before, 1000).await;
    ended_at(fixture, &after, 1001).await;
    assert_eq!(fixture.store.count_ended_before(at(1000)).await.unwrap(), 1);
    assert_eq!(fixture.store.delete_stale(Stale::Ended(at(1000)), true, None).await.unwrap(), Some(1));
    assert!(!is_there(fixture, &before).await);
    assert!(is_there(fixture, &after).await && is_there(fixture, &standing).await);
}

async fn a_user_loses_expired_and_idle_sessions_of_its_own_only(fixture: &Fixture) {
    let now = at(7200);
    let expired = fixture.open(Session { expires_at: now, ..session_at("ann", 7000) }).await;
    let idle = fixture.open(session_at("ann", 0)).await;
    // Idle at `now`, but not yet at `idle_at`, which decides.
    let hardly_idle = fixture.open(session_at("ann", 3590)).await;
    let standing = fixture.open(session_at("ann", 7100)).await;
    let ended = fixture.open(session_at("ann", 10)).await;
    ended_at(fixture, &ended, 20).await;
    let foreign = fixture.open(session_at("bob", 0)).await;
    let ann = user("ann");
    let stale = Stale::ExpiredOf { user: &ann, at: now, idle_at: now - TimeDelta::minutes(1) };
    assert_eq!(delete(fixture, stale).await, 2);
    for session in [&expired, &idle] {
        assert!(!is_there(fixture, session).await);
    }
    for session in [&hardly_idle, &standing, &ended, &foreign] {
        assert!(is_there(fixture, session).await);
    }
}

async fn old_idempotency_keys_are_forgotten(fixture: &Fixture) {
    for (key, seconds) in [("old", 0), ("new", 1)] {
        fixture.store.open_session(&keyed(&session_at("ann", seconds), key, b"1")).await.unwrap();
    }
    assert_eq!(delete(fixture, Stale::IdempotencyKeys(at(0))).await, 1);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys WHERE key = 'new'").await, 1);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys").await, 1);
}

async fn several_at_once_delete_each_session_once(fixture: &Fixture) {
    for number in 0..60 {
        fixture.open(session_at("ann", number)).await;
    }
    let stale = Stale::Expired(at(0) + TimeDelta::days(2));
    let deleted = fixture
        .race(8, move |_, store| async move { store.delete_stale(stale, false, None).await.unwrap().unwrap() })
        .await;
    assert_eq!(deleted.iter().sum::<u64>() + delete(fixture, stale).await, 60);
}
