//! New authentications in running sessions, and the sessions that new ones replace.

use chrono::{DateTime, TimeDelta, Utc};
use sojourn::model::{EndReason, LimitPolicy, Opener, Owner, Session, SessionId, SessionLimit};
use sojourn::store::{Idempotency, NewSession, Opening, Reauthenticated, Reauthentication, Refreshing, Replaced};

use super::fixture::{Fixture, MICROSECOND, at, attempt, keyed, limited, new, session_at, session_of, user};

on_both_stores!(
    an_authentication_raises_the_session_and_spends_its_tokens,
    neither_the_time_of_authentication_nor_an_end_moves_the_wrong_way,
    only_an_active_session_of_that_user_and_counter_is_written,
    a_use_that_is_not_written_yet_keeps_a_session_from_being_idle,
    a_token_from_before_gives_no_pair_and_ends_nothing,
    a_token_from_after_is_refreshed_as_ever,
    of_twenty_authentications_at_once_one_is_written,
    a_repeat_with_its_key_writes_once_and_another_request_is_refused,
    ten_requests_at_once_with_one_key_are_one_authentication,
    replicas_learn_of_it,
    a_row_from_before_was_authenticated_when_it_was_opened,
    a_replaced_session_ends_with_the_opening,
    what_is_not_the_users_or_the_applications_is_not_replaced_and_nothing_is_opened,
    a_replaced_session_does_not_count_under_the_limit,
    of_ten_openings_that_replace_one_session_all_open,
);

pub(super) fn authentication(session: &Session, now: DateTime<Utc>) -> Reauthentication {
    Reauthentication {
        id: session.id,
        user: session.user_id.clone(),
        seen_least_counter: session.least_counter,
        seen_at: None,
        acr: Some("aal2".to_owned()),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        authenticated_at: now,
        ends_at: now + TimeDelta::days(365),
        idle_timeout: None,
        opened_by: Opener::CommandLine,
        idempotency: None,
        now,
    }
}

fn with_key(authentication: Reauthentication, fingerprint: &[u8]) -> Reauthentication {
    let now = authentication.now;
    let idempotency = Idempotency {
        service: "web".to_owned(),
        key: "key".to_owned(),
        fingerprint: fingerprint.to_vec(),
        forget_before: now - TimeDelta::hours(24),
    };
    Reauthentication { idempotency: Some(idempotency), ..authentication }
}

async fn written(fixture: &Fixture, authentication: &Reauthentication) -> Session {
    match fixture.store.reauthenticate_session(authentication).await.unwrap() {
        Reauthenticated::Now(session) => *session,
        other => panic!("{other:?}"),
    }
}

async fn an_authentication_raises_the_session_and_spends_its_tokens(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    fixture.store.refresh_session(attempt(opened.id, 0, at(10))).await.unwrap();
    let before = fixture.stored(opened.id).await;
    let expected = Session {
        acr: Some("aal2".to_owned()),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        authenticated_at: at(60),
        last_seen_at: at(60),
        refresh_counter: 2,
        least_counter: 2,
        opened_by: Some(Opener::CommandLine),
        ..before.clone()
    };
    assert_eq!(written(fixture, &authentication(&before, at(60))).await, expected);
    assert_eq!(fixture.stored(opened.id).await, expected);
    let again = Reauthentication { acr: None, amr: Vec::new(), ..authentication(&expected, at(90)) };
    let second = written(fixture, &again).await;
    assert_eq!((second.refresh_counter, second.least_counter, second.acr), (3, 3, None));
}

async fn neither_the_time_of_authentication_nor_an_end_moves_the_wrong_way(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    let early = Reauthentication { authenticated_at: at(-60), ..authentication(&opened, at(60)) };
    let first = written(fixture, &early).await;
    assert_eq!(first.authenticated_at, opened.authenticated_at);
    let ends = |session: &Session| (session.expires_at, session.absolute_expires_at, session.idle_timeout);
    assert_eq!(ends(&first), ends(&opened), "no limit is tighter");
    let hour = TimeDelta::hours(1);
    let tight = Reauthentication {
        ends_at: at(120) + hour,
        idle_timeout: Some(TimeDelta::minutes(15)),
        ..authentication(&first, at(120))
    };
    let second = written(fixture, &tight).await;
    assert_eq!(ends(&second), (at(120) + hour, at(120) + hour, Some(TimeDelta::minutes(15))));
    let third = written(fixture, &authentication(&second, at(180))).await;
    assert_eq!(ends(&third), ends(&second), "nothing brings them back");
    let endless = fixture.open(Session { idle_timeout: None, ..session_of("ann") }).await;
    let limited =
        written(fixture, &Reauthentication { idle_timeout: Some(hour), ..authentication(&endless, at(1)) }).await;
    assert_eq!(limited.idle_timeout, Some(hour));
    let unlimited = fixture.open(Session { idle_timeout: None, ..session_of("ann") }).await;
    assert_eq!(written(fixture, &authentication(&unlimited, at(1))).await.idle_timeout, None);
}

async fn only_an_active_session_of_that_user_and_counter_is_written(fixture: &Fixture) {
    let store = &fixture.store;
    let active = fixture.open(session_of("ann")).await;
    let ended = fixture.open(session_of("ann")).await;
    store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let expired = fixture.open(Session { expires_at: at(60), ..session_of("ann") }).await;
    let idle = fixture.open(Session { idle_timeout: Some(TimeDelta::seconds(60)), ..session_of("ann") }).await;
    let unknown = session_of("ann");
    let others = Session { user_id: user("bob"), ..active.clone() };
    let late = Session { least_counter: 1, ..active.clone() };
    for session in [&ended, &expired, &idle, &unknown, &others, &late] {
        let found = store.reauthenticate_session(&authentication(session, at(60))).await.unwrap();
        assert_eq!(found, Reauthenticated::NotWritten, "{session:?}");
        let found = store.reauthenticate_session(&with_key(authentication(session, at(60)), b"1")).await.unwrap();
        assert_eq!(found, Reauthenticated::NotWritten, "{session:?}");
    }
    assert_eq!(fixture.stored(active.id).await, active);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys").await, 0, "the key is free");
    let before = Session { expires_at: at(60) + MICROSECOND, ..session_of("ann") };
    written(fixture, &authentication(&fixture.open(before).await, at(60))).await;
}

async fn a_use_that_is_not_written_yet_keeps_a_session_from_being_idle(fixture: &Fixture) {
    let session = fixture.open(Session { idle_timeout: Some(TimeDelta::seconds(60)), ..session_of("ann") }).await;
    let used = Reauthentication { seen_at: Some(at(50)), ..authentication(&session, at(80)) };
    assert_eq!(written(fixture, &used).await.last_seen_at, at(80));
}

async fn a_token_from_before_gives_no_pair_and_ends_nothing(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    for (presented, second) in [(0, 10), (1, 20)] {
        fixture.store.refresh_session(attempt(opened.id, presented, at(second))).await.unwrap();
    }
    let raised = written(fixture, &authentication(&fixture.stored(opened.id).await, at(21))).await;
    for presented in [0, 1, 2] {
        for second in [21, 22, 600] {
            let refused = fixture.store.refresh_session(attempt(opened.id, presented, at(second))).await.unwrap();
            assert_eq!(refused, Refreshing::NotActive, "{presented} at {second}");
        }
    }
    assert_eq!(fixture.stored(opened.id).await, raised);
}

async fn a_token_from_after_is_refreshed_as_ever(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    let raised = written(fixture, &authentication(&opened, at(10))).await;
    let refresh = |presented, second| fixture.store.refresh_session(attempt(raised.id, presented, at(second)));
    assert!(matches!(refresh(1, 20).await.unwrap(), Refreshing::Rotated(_)));
    assert!(matches!(refresh(1, 21).await.unwrap(), Refreshing::Concurrent(_)), "its predecessor has its grace");
    assert!(matches!(refresh(2, 22).await.unwrap(), Refreshing::Rotated(_)));
    assert!(matches!(refresh(1, 23).await.unwrap(), Refreshing::Reused(_)), "and theft is noticed");
}

async fn of_twenty_authentications_at_once_one_is_written(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    let (id, asked) = (opened.id, authentication(&opened, at(60)));
    let answers = fixture
        .race(20, |_, store| {
            let asked = asked.clone();
            async move { store.reauthenticate_session(&asked).await.unwrap() }
        })
        .await;
    let written = answers.iter().filter(|answer| matches!(answer, Reauthenticated::Now(_))).count();
    assert_eq!(written, 1);
    assert!(answers.iter().all(|answer| matches!(answer, Reauthenticated::Now(_) | Reauthenticated::NotWritten)));
    assert_eq!(fixture.stored(id).await.refresh_counter, 1);
}

async fn a_repeat_with_its_key_writes_once_and_another_request_is_refused(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    let first = written(fixture, &with_key(authentication(&opened, at(60)), b"1")).await;
    let repeat = with_key(authentication(&first, at(90)), b"1");
    let repeated = fixture.store.reauthenticate_session(&repeat).await.unwrap();
    assert_eq!(repeated, Reauthenticated::Repeated(Box::new(first.clone())));
    let other = with_key(authentication(&first, at(90)), b"2");
    assert_eq!(fixture.store.reauthenticate_session(&other).await.unwrap(), Reauthenticated::KeyReused);
    assert_eq!(fixture.stored(first.id).await, first);
    let opening = keyed(&session_of("ann"), "key", b"2");
    assert_eq!(
        fixture.store.open_session(&opening).await.unwrap(),
        Opening::KeyReused,
        "its keys are those of openings"
    );
    let session = Session { idle_timeout: None, expires_at: at(0) + TimeDelta::days(9), ..session_of("ann") };
    let session = fixture.open(session).await;
    let next_day = at(60) + TimeDelta::hours(24);
    let later = written(fixture, &with_key(authentication(&session, next_day), b"2")).await;
    assert_eq!(later.least_counter, 1, "a key is forgotten after a day");
}

async fn ten_requests_at_once_with_one_key_are_one_authentication(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    let asked = with_key(authentication(&opened, at(60)), b"1");
    let answers = fixture
        .race(10, |_, store| {
            let asked = asked.clone();
            async move { store.reauthenticate_session(&asked).await.unwrap() }
        })
        .await;
    let stored = fixture.stored(opened.id).await;
    assert_eq!(stored.refresh_counter, 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Reauthenticated::Now(_))).count(), 1);
    for answer in answers {
        match answer {
            Reauthenticated::Now(session) | Reauthenticated::Repeated(session) => assert_eq!(*session, stored),
            other => panic!("{other:?}"),
        }
    }
}

async fn replicas_learn_of_it(fixture: &Fixture) {
    let opened = fixture.open(session_of("ann")).await;
    let changes = || fixture.raw.number("SELECT count(*) FROM changes WHERE kind = 'session_changed'");
    assert_eq!(changes().await, 0);
    written(fixture, &authentication(&opened, at(60))).await;
    assert_eq!(changes().await, 1);
}

async fn a_row_from_before_was_authenticated_when_it_was_opened(fixture: &Fixture) {
    let opened = fixture.open(Session { authenticated_at: at(-60), ..session_of("ann") }).await;
    assert_eq!(fixture.stored(opened.id).await.authenticated_at, at(-60));
    fixture.raw.run("UPDATE sessions SET authenticated_at = NULL").await.unwrap();
    assert_eq!(fixture.stored(opened.id).await.authenticated_at, opened.created_at);
    let early = Reauthentication { authenticated_at: at(-1), ..authentication(&opened, at(60)) };
    assert_eq!(written(fixture, &early).await.authenticated_at, opened.created_at);
}

fn replacing(new: NewSession, id: SessionId) -> NewSession {
    NewSession { replaces: Some(Replaced { id, application: None }), ..new }
}

async fn a_replaced_session_ends_with_the_opening(fixture: &Fixture) {
    let old = fixture.open(session_of("ann")).await;
    let opening = fixture.store.open_session(&replacing(new(&session_at("ann", 60)), old.id)).await.unwrap();
    assert!(
        matches!(&opening, Opening::Opened { replaced: Some(id), evicted, .. } if *id == old.id && evicted.is_empty())
    );
    let ended = fixture.stored(old.id).await.ended.unwrap();
    assert_eq!((ended.at, ended.reason), (at(60), EndReason::Replaced));
    let again = fixture.store.open_session(&replacing(new(&session_at("ann", 90)), old.id)).await.unwrap();
    assert!(matches!(again, Opening::Opened { replaced: None, .. }), "it has ended before: {again:?}");
    assert_eq!(fixture.stored(old.id).await.ended, Some(ended));
    let expired = fixture.open(Session { expires_at: at(60), ..session_of("ann") }).await;
    let opening = fixture.store.open_session(&replacing(new(&session_at("ann", 90)), expired.id)).await.unwrap();
    assert!(matches!(opening, Opening::Opened { replaced: None, .. }), "it was not active: {opening:?}");
}

async fn what_is_not_the_users_or_the_applications_is_not_replaced_and_nothing_is_opened(fixture: &Fixture) {
    let of_bob = fixture.open(session_of("bob")).await;
    let of_web = fixture.open(Session { client_id: Some("web".to_owned()), ..session_of("ann") }).await;
    let of_none = fixture.open(session_of("ann")).await;
    let unknown = session_of("ann");
    let of_shop = |id| Some(Replaced { id, application: Some("shop".to_owned()) });
    let sessions = fixture.raw.number("SELECT count(*) FROM sessions").await;
    for replaces in [
        Some(Replaced { id: of_bob.id, application: None }),
        Some(Replaced { id: unknown.id, application: None }),
        of_shop(of_web.id),
        of_shop(of_none.id),
    ] {
        for plain in [new(&session_of("ann")), keyed(&session_of("ann"), "key", b"1")] {
            let asked = NewSession { replaces: replaces.clone(), ..plain };
            assert_eq!(fixture.store.open_session(&asked).await.unwrap(), Opening::NothingToReplace);
        }
    }
    assert_eq!(fixture.raw.number("SELECT count(*) FROM sessions").await, sessions);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL").await, 0);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys").await, 0);
    let within = Some(Replaced { id: of_web.id, application: Some("web".to_owned()) });
    let opening =
        fixture.store.open_session(&NewSession { replaces: within, ..new(&session_of("ann")) }).await.unwrap();
    assert!(matches!(opening, Opening::Opened { replaced: Some(id), .. } if id == of_web.id));
}

async fn a_replaced_session_does_not_count_under_the_limit(fixture: &Fixture) {
    let limit = |policy| SessionLimit { most: 2, policy };
    let old = fixture.open(session_of("ann")).await;
    let other = fixture.open(session_at("ann", 1)).await;
    for policy in [LimitPolicy::EvictOldest, LimitPolicy::EvictLeastRecent] {
        let asked = replacing(limited(&session_at("ann", 60), limit(policy)), other.id);
        let opening = fixture.store.open_session(&asked).await.unwrap();
        assert!(matches!(&opening, Opening::Opened { evicted, .. } if evicted.is_empty()), "{opening:?}");
        fixture
            .raw
            .run(&format!("DELETE FROM sessions WHERE id = {}", fixture.raw.id(asked.session.id)))
            .await
            .unwrap();
    }
    fixture.open(session_at("ann", 2)).await;
    let full = limited(&session_at("ann", 60), limit(LimitPolicy::Reject));
    assert_eq!(fixture.store.open_session(&full).await.unwrap(), Opening::LimitReached);
    let opening = fixture.store.open_session(&replacing(full, old.id)).await.unwrap();
    assert!(matches!(opening, Opening::Opened { replaced: Some(id), .. } if id == old.id), "{opening:?}");
}

async fn of_ten_openings_that_replace_one_session_all_open(fixture: &Fixture) {
    let old = fixture.open(session_of("ann")).await;
    let answers = fixture
        .race(10, |_, store| async move {
            store.open_session(&replacing(new(&session_at("ann", 60)), old.id)).await.unwrap()
        })
        .await;
    let replaced = |opening: &&Opening| matches!(opening, Opening::Opened { replaced: Some(_), .. });
    assert_eq!(answers.iter().filter(replaced).count(), 1);
    assert!(answers.iter().all(|opening| matches!(opening, Opening::Opened { .. })));
}
