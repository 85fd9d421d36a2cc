//! Idempotency keys: one key, one session.

use chrono::TimeDelta;
use sojourn::model::{EndReason, LimitPolicy, Owner, Session, SessionId, SessionLimit};
use sojourn::store::{EndOutcome, NewSession, Opening};

use super::fixture::{Fixture, MICROSECOND, at, details, keyed, session_at, session_of, user};

on_both_stores!(
    a_repeat_answers_the_first_session_and_writes_nothing,
    a_repeat_answers_an_ended_session_too_and_one_of_a_banned_user,
    the_same_key_with_another_request_is_refused_and_nothing_is_written,
    another_service_has_keys_of_its_own,
    a_key_is_forgotten_after_its_time_and_not_before,
    a_key_whose_session_was_cleaned_up_is_free_again,
    a_repeat_does_not_count_against_the_limit,
    a_refused_open_leaves_its_key_free,
    ten_requests_at_once_with_one_key_open_one_session,
    ten_different_requests_at_once_with_one_key_open_one_session,
);

fn repeated(opening: Opening) -> Session {
    match opening {
        Opening::Repeated(signed_in) => signed_in.session,
        other => panic!("{other:?}"),
    }
}

async fn opened(fixture: &Fixture, new: &NewSession) -> Session {
    match fixture.store.open_session(new).await.unwrap() {
        Opening::Opened { .. } => new.session.clone(),
        other => panic!("{other:?}"),
    }
}

async fn number_of_sessions(fixture: &Fixture) -> i64 {
    fixture.raw.number("SELECT count(*) FROM sessions").await
}

async fn a_repeat_answers_the_first_session_and_writes_nothing(fixture: &Fixture) {
    let first = opened(fixture, &keyed(&session_of("ann"), "key", b"1")).await;
    let ann = fixture.store.user(&first.user_id).await.unwrap().unwrap();
    let repeat = NewSession { user: details(Some("Ann"), None), ..keyed(&session_at("ann", 60), "key", b"1") };
    match fixture.store.open_session(&repeat).await.unwrap() {
        Opening::Repeated(signed_in) => {
            assert_eq!(signed_in.session, first);
            assert_eq!(signed_in.user, ann);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(number_of_sessions(fixture).await, 1);
    assert_eq!(fixture.store.user(&first.user_id).await.unwrap(), Some(ann));
}

async fn a_repeat_answers_an_ended_session_too_and_one_of_a_banned_user(fixture: &Fixture) {
    let first = opened(fixture, &keyed(&session_of("ann"), "key", b"1")).await;
    let ending = fixture.store.end_session(first.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let Some(EndOutcome::Ended(ended)) = ending else { panic!("{ending:?}") };
    fixture.store.ban_user(&first.user_id, None, at(2), None).await.unwrap();
    let repeat = keyed(&session_at("ann", 60), "key", b"1");
    assert_eq!(repeated(fixture.store.open_session(&repeat).await.unwrap()), *ended);
}

async fn the_same_key_with_another_request_is_refused_and_nothing_is_written(fixture: &Fixture) {
    opened(fixture, &keyed(&session_of("ann"), "key", b"1")).await;
    let other = keyed(&session_at("bob", 60), "key", b"2");
    assert_eq!(fixture.store.open_session(&other).await.unwrap(), Opening::KeyReused);
    assert_eq!(number_of_sessions(fixture).await, 1);
    assert_eq!(fixture.store.user(&user("bob")).await.unwrap(), None);
}

async fn another_service_has_keys_of_its_own(fixture: &Fixture) {
    opened(fixture, &keyed(&session_of("ann"), "key", b"1")).await;
    let mut other = keyed(&session_of("ann"), "key", b"2");
    "Web".clone_into(&mut other.idempotency.as_mut().unwrap().service);
    opened(fixture, &other).await;
    assert_eq!(number_of_sessions(fixture).await, 2);
}

async fn a_key_is_forgotten_after_its_time_and_not_before(fixture: &Fixture) {
    let first = opened(fixture, &keyed(&session_of("ann"), "key", b"1")).await;
    let day = TimeDelta::hours(24).num_seconds();
    let mut late = keyed(&session_at("ann", day), "key", b"1");
    let forget_before = &mut late.idempotency.as_mut().unwrap().forget_before;
    *forget_before = at(0) - MICROSECOND;
    assert_eq!(repeated(fixture.store.open_session(&late).await.unwrap()).id, first.id);

    let second = opened(fixture, &keyed(&session_at("ann", day), "key", b"2")).await;
    let repeat = keyed(&session_at("ann", day + 1), "key", b"2");
    assert_eq!(repeated(fixture.store.open_session(&repeat).await.unwrap()).id, second.id);
}

async fn a_key_whose_session_was_cleaned_up_is_free_again(fixture: &Fixture) {
    opened(fixture, &keyed(&session_of("ann"), "key", b"1")).await;
    fixture.raw.run("DELETE FROM sessions").await.unwrap();
    let second = opened(fixture, &keyed(&session_of("ann"), "key", b"1")).await;
    let repeat = keyed(&session_of("ann"), "key", b"1");
    assert_eq!(repeated(fixture.store.open_session(&repeat).await.unwrap()).id, second.id);
}

async fn a_repeat_does_not_count_against_the_limit(fixture: &Fixture) {
    let with_limit = |policy| {
        let limit = Some(SessionLimit { most: 1, policy });
        NewSession { limit, ..keyed(&session_of("ann"), "key", b"1") }
    };
    let first = opened(fixture, &with_limit(LimitPolicy::Reject)).await;
    for policy in [LimitPolicy::Reject, LimitPolicy::EvictOldest] {
        let repeat = fixture.store.open_session(&with_limit(policy)).await.unwrap();
        assert_eq!(repeated(repeat), first);
    }
}

async fn a_refused_open_leaves_its_key_free(fixture: &Fixture) {
    let first = fixture.open(session_of("ann")).await;
    let limit = Some(SessionLimit { most: 1, policy: LimitPolicy::Reject });
    let refused = NewSession { limit, ..keyed(&session_of("ann"), "key", b"1") };
    assert_eq!(fixture.store.open_session(&refused).await.unwrap(), Opening::LimitReached);
    fixture.store.end_session(first.id, Owner::Anyone, EndReason::Logout, at(0), None).await.unwrap();
    opened(fixture, &refused).await;
}

async fn ten_requests_at_once_with_one_key_open_one_session(fixture: &Fixture) {
    let answers = fixture
        .race(10, |_, store| async move {
            let new = keyed(&session_of("ann"), "key", b"1");
            match store.open_session(&new).await.unwrap() {
                Opening::Opened { .. } => (true, new.session.id),
                other => (false, repeated(other).id),
            }
        })
        .await;
    let ids: std::collections::HashSet<SessionId> = answers.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|(opened, _)| *opened).count(), 1);
    assert_eq!(number_of_sessions(fixture).await, 1);
}

async fn ten_different_requests_at_once_with_one_key_open_one_session(fixture: &Fixture) {
    let answers = fixture
        .race(10, |task, store| async move {
            let fingerprint = [u8::try_from(task).unwrap()];
            store.open_session(&keyed(&session_of(&format!("user{task}")), "key", &fingerprint)).await.unwrap()
        })
        .await;
    assert_eq!(answers.iter().filter(|answer| **answer == Opening::KeyReused).count(), 9);
    assert_eq!(number_of_sessions(fixture).await, 1);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM users").await, 1);
}
