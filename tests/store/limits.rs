//! Limits on a user's sessions.

use sojourn::model::{EndReason, LimitPolicy, Session, SessionId, SessionLimit, Touch};
use sojourn::store::Opening;

use super::fixture::{Fixture, MICROSECOND, at, details, limited, session_at, sorted, user};

on_both_stores!(
    the_oldest_makes_place,
    the_least_recently_used_makes_place,
    a_full_user_is_refused_and_nothing_is_written,
    a_lowered_limit_evicts_as_many_as_needed,
    among_equals_the_smaller_id_makes_place,
    only_active_sessions_of_the_user_count,
    of_twenty_opens_at_once_five_stay_when_the_rest_is_refused,
    of_twenty_opens_at_once_five_stay_when_the_oldest_makes_place,
    of_twenty_opens_at_once_five_stay_when_the_least_recent_makes_place,
);

fn limit(most: u32, policy: LimitPolicy) -> SessionLimit {
    SessionLimit { most, policy }
}

async fn open(fixture: &Fixture, session: &Session, limit: SessionLimit) -> Vec<SessionId> {
    match fixture.store.open_session(&limited(session, limit)).await.unwrap() {
        Opening::Opened { evicted, .. } => evicted,
        other => panic!("{other:?}"),
    }
}

/// Three sessions of Ann; the first was used last, the second was not used.
async fn three(fixture: &Fixture) -> [Session; 3] {
    let sessions = [session_at("ann", 0), session_at("ann", 1), session_at("ann", 2)];
    for session in &sessions {
        fixture.open(session.clone()).await;
    }
    let touch = Touch { id: sessions[0].id, seen_at: at(100), counter: 0, seen_from: None };
    fixture.store.touch_sessions(&[touch]).await.unwrap();
    sessions
}

async fn the_oldest_makes_place(fixture: &Fixture) {
    let [first, second, third] = three(fixture).await;
    let new = session_at("ann", 200);
    assert_eq!(open(fixture, &new, limit(3, LimitPolicy::EvictOldest)).await, [first.id]);
    assert_eq!(fixture.active_ids(&new.user_id, at(200)).await, [new.id, third.id, second.id]);
    let ended = fixture.stored(first.id).await.ended.unwrap();
    assert_eq!((ended.at, ended.reason), (at(200), EndReason::Replaced));
}

async fn the_least_recently_used_makes_place(fixture: &Fixture) {
    let [first, second, third] = three(fixture).await;
    let new = session_at("ann", 200);
    assert_eq!(open(fixture, &new, limit(3, LimitPolicy::EvictLeastRecent)).await, [second.id]);
    assert_eq!(fixture.active_ids(&new.user_id, at(200)).await, [new.id, third.id, first.id]);
}

async fn a_full_user_is_refused_and_nothing_is_written(fixture: &Fixture) {
    let [first, second, third] = three(fixture).await;
    let new = session_at("ann", 200);
    let mut refused = limited(&new, limit(3, LimitPolicy::Reject));
    refused.user = details(Some("Ann"), None);
    let before = fixture.store.user(&new.user_id).await.unwrap();
    assert_eq!(fixture.store.open_session(&refused).await.unwrap(), Opening::LimitReached);
    assert_eq!(fixture.active_ids(&new.user_id, at(200)).await, [third.id, second.id, first.id]);
    assert_eq!(fixture.store.user(&new.user_id).await.unwrap(), before);
    assert_eq!(open(fixture, &new, limit(4, LimitPolicy::Reject)).await, []);
}

async fn a_lowered_limit_evicts_as_many_as_needed(fixture: &Fixture) {
    let [first, second, third] = three(fixture).await;
    let new = session_at("ann", 200);
    let evicted = open(fixture, &new, limit(1, LimitPolicy::EvictLeastRecent)).await;
    assert_eq!(evicted, sorted(vec![first.id, second.id, third.id]));
    assert_eq!(fixture.active_ids(&new.user_id, at(200)).await, [new.id]);
}

async fn among_equals_the_smaller_id_makes_place(fixture: &Fixture) {
    for policy in [LimitPolicy::EvictOldest, LimitPolicy::EvictLeastRecent] {
        let name = format!("{policy:?}");
        let (one, two) = (fixture.open(session_at(&name, 0)).await, fixture.open(session_at(&name, 0)).await);
        assert!(one.id < two.id);
        assert_eq!(open(fixture, &session_at(&name, 0), limit(2, policy)).await, [one.id]);
    }
}

async fn only_active_sessions_of_the_user_count(fixture: &Fixture) {
    fixture.open(session_at("bob", 0)).await;
    let ended = fixture.open(session_at("ann", 0)).await;
    fixture.store.end_active_session(ended.id, &ended.user_id, EndReason::Logout, at(0), None).await.unwrap();
    let mut expired = session_at("ann", 0);
    expired.expires_at = at(10) + MICROSECOND;
    let expired = fixture.open(expired).await;
    // The third session is active at this instant and expires one microsecond later.
    let new = session_at("ann", 10);
    let refused = limited(&new, limit(1, LimitPolicy::Reject));
    assert_eq!(fixture.store.open_session(&refused).await.unwrap(), Opening::LimitReached);
    let mut new = session_at("ann", 10);
    new.created_at += MICROSECOND;
    assert_eq!(open(fixture, &new, limit(1, LimitPolicy::Reject)).await, []);
    assert_eq!(fixture.stored(expired.id).await.ended, None);
}

async fn of_twenty_opens_at_once_five_stay_when_the_rest_is_refused(fixture: &Fixture) {
    assert_eq!(opened_at_once(fixture, LimitPolicy::Reject).await, (5, 0));
}

async fn of_twenty_opens_at_once_five_stay_when_the_oldest_makes_place(fixture: &Fixture) {
    assert_eq!(opened_at_once(fixture, LimitPolicy::EvictOldest).await, (20, 15));
}

async fn of_twenty_opens_at_once_five_stay_when_the_least_recent_makes_place(fixture: &Fixture) {
    assert_eq!(opened_at_once(fixture, LimitPolicy::EvictLeastRecent).await, (20, 15));
}

/// The number of sessions opened and evicted by twenty openings at once.
async fn opened_at_once(fixture: &Fixture, policy: LimitPolicy) -> (usize, usize) {
    let answers = fixture
        .race(20, |task, store| async move {
            let session = session_at("ann", i64::try_from(task).unwrap());
            match store.open_session(&limited(&session, limit(5, policy))).await.unwrap() {
                Opening::Opened { evicted, .. } => Some(evicted.len()),
                Opening::LimitReached => None,
                other => panic!("{other:?}"),
            }
        })
        .await;
    assert_eq!(fixture.store.count_active_sessions_of(&user("ann"), at(20)).await.unwrap(), 5);
    (answers.iter().flatten().count(), answers.iter().flatten().sum())
}
