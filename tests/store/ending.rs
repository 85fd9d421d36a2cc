//! Ends of sessions, which is final.

use chrono::TimeDelta;
use sojourn::model::{EndReason, Ended, Owner, Session, Touch};
use sojourn::store::{EndOutcome, EndedAtOnce, SessionChange};

use super::fixture::{Fixture, all, at, ids, new_id, session_at, session_of, sorted, user};

on_both_stores!(
    an_ended_session_keeps_when_and_why,
    every_reason_comes_back,
    an_expired_session_can_be_ended,
    a_foreign_users_session_cannot_be_ended,
    of_twenty_ends_at_once_one_wins_and_all_see_it,
    an_ended_session_cannot_be_changed_by_anything,
    an_active_session_is_ended_by_its_user_only,
    an_inactive_session_is_not_found_by_its_user,
    all_sessions_of_a_user_are_ended_but_one,
    ending_all_sessions_of_nobody_ends_nothing,
    ending_all_does_not_list_inactive_sessions,
    a_use_that_is_written_late_does_not_bring_back_what_was_ended,
    ends_of_all_and_touches_and_ends_of_one_at_once_do_not_block_each_other,
    an_end_that_races_extensions_and_changes_stays,
);

async fn an_ended_session_keeps_when_and_why(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let owner = Owner::User(&session.user_id);
    let first = fixture.store.end_session(session.id, owner, EndReason::Logout, at(1), None).await.unwrap();
    let ended = Session { ended: Some(Ended { at: at(1), reason: EndReason::Logout }), ..session.clone() };
    assert_eq!(first, Some(EndOutcome::Ended(Box::new(ended.clone()))));
    assert_eq!(fixture.stored(session.id).await, ended);

    let second =
        fixture.store.end_session(session.id, Owner::Anyone, EndReason::RevokedByAdmin, at(2), None).await.unwrap();
    assert_eq!(second, Some(EndOutcome::AlreadyEnded(Box::new(ended.clone()))));
    assert_eq!(fixture.stored(session.id).await, ended);
}

async fn every_reason_comes_back(fixture: &Fixture) {
    for reason in EndReason::ALL {
        let session = fixture.open(session_of("ann")).await;
        fixture.store.end_session(session.id, Owner::Anyone, reason, at(1), None).await.unwrap();
        assert_eq!(fixture.stored(session.id).await.ended.unwrap().reason, reason);
    }
}

async fn an_expired_session_can_be_ended(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let late = session.expires_at + TimeDelta::days(1);
    let ending = fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, late, None).await.unwrap();
    assert!(matches!(ending, Some(EndOutcome::Ended(_))));
}

async fn a_foreign_users_session_cannot_be_ended(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let (bob, now) = (user("bob"), at(1));
    for id in [session.id, new_id()] {
        let ending =
            fixture.store.end_session(id, Owner::User(&bob), EndReason::RevokedByUser, now, None).await.unwrap();
        assert_eq!(ending, None);
        assert!(!fixture.store.end_active_session(id, &bob, EndReason::RevokedByUser, now, None).await.unwrap());
    }
    assert_eq!(fixture.store.end_session(new_id(), Owner::Anyone, EndReason::Logout, now, None).await.unwrap(), None);
    assert_eq!(fixture.stored(session.id).await, session);

    // An ended session is hidden from other users like an active one.
    fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, now, None).await.unwrap();
    let ending = fixture.store.end_session(session.id, Owner::User(&bob), EndReason::RevokedByUser, now, None).await;
    assert_eq!(ending.unwrap(), None);
}

async fn of_twenty_ends_at_once_one_wins_and_all_see_it(fixture: &Fixture) {
    for _ in 0..5 {
        let id = fixture.open(session_of("ann")).await.id;
        let answers = fixture
            .race(20, |task, store| async move {
                let now = at(i64::try_from(task).unwrap());
                let reason = EndReason::ALL[task % EndReason::ALL.len()];
                store.end_session(id, Owner::Anyone, reason, now, None).await.unwrap().unwrap()
            })
            .await;
        let stored = fixture.stored(id).await;
        let winners = answers.iter().filter(|answer| matches!(answer, EndOutcome::Ended(_))).count();
        assert_eq!(winners, 1);
        for answer in answers {
            let (EndOutcome::Ended(session) | EndOutcome::AlreadyEnded(session)) = answer;
            assert_eq!(*session, stored);
        }
    }
}

async fn an_ended_session_cannot_be_changed_by_anything(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let ended = fixture.stored(session.id).await;
    let (store, id, now) = (&fixture.store, session.id, at(2));
    assert_eq!(store.extend_session(id, Owner::Anyone, TimeDelta::days(1), now, None).await.unwrap(), None);
    let change = SessionChange { device_name: Some(None), ..SessionChange::default() };
    assert_eq!(store.change_session(id, Owner::Anyone, &change, now, None).await.unwrap(), None);
    store.touch_sessions(&[Touch { id, seen_at: now, counter: 9, seen_from: None }]).await.unwrap();
    assert!(!store.end_active_session(id, &session.user_id, EndReason::RevokedByUser, now, None).await.unwrap());
    assert_eq!(
        store.end_sessions_of(&session.user_id, None, EndReason::RevokedByUser, now, None).await.unwrap(),
        EndedAtOnce::Ended(vec![])
    );
    assert_eq!(store.ban_user(&session.user_id, None, now, None).await.unwrap().1, EndedAtOnce::Ended(vec![]));
    assert_eq!(store.delete_user(&session.user_id, now, None).await.unwrap(), Some(EndedAtOnce::Ended(vec![])));
    assert_eq!(fixture.stored(id).await, ended);
}

async fn an_active_session_is_ended_by_its_user_only(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let (store, ann) = (&fixture.store, &session.user_id);
    assert!(!store.end_active_session(session.id, &user("Ann"), EndReason::RevokedByUser, at(1), None).await.unwrap());
    assert!(store.end_active_session(session.id, ann, EndReason::RevokedByUser, at(2), None).await.unwrap());
    assert!(!store.end_active_session(session.id, ann, EndReason::Logout, at(3), None).await.unwrap());
    let ended = fixture.stored(session.id).await.ended;
    assert_eq!(ended, Some(Ended { at: at(2), reason: EndReason::RevokedByUser }));
}

async fn an_inactive_session_is_not_found_by_its_user(fixture: &Fixture) {
    let session = fixture.open(Session { idle_timeout: None, ..session_of("ann") }).await;
    let end = session.expires_at;
    let ended =
        fixture.store.end_active_session(session.id, &session.user_id, EndReason::Logout, end, None).await.unwrap();
    assert!(!ended);
    assert_eq!(fixture.stored(session.id).await.ended, None);
}

async fn all_sessions_of_a_user_are_ended_but_one(fixture: &Fixture) {
    let mut sessions = Vec::new();
    for second in [3, 1, 2, 0] {
        sessions.push(fixture.open(session_at("ann", second)).await.id);
    }
    let other = fixture.open(session_of("bob")).await;
    let kept = sessions.remove(2);
    let (ann, reason) = (user("ann"), EndReason::RevokedByUser);
    let ended = all(fixture.store.end_sessions_of(&ann, Some(kept), reason, at(5), None).await.unwrap());
    assert_eq!(ended, sorted(sessions.clone()));
    assert_eq!(fixture.active_ids(&ann, at(5)).await, [kept]);
    assert_eq!(fixture.stored(sessions[0]).await.ended, Some(Ended { at: at(5), reason }));
    assert_eq!(fixture.stored(other.id).await.ended, None);

    let except_nothing_known = Some(new_id());
    assert_eq!(
        fixture.store.end_sessions_of(&ann, except_nothing_known, reason, at(6), None).await.unwrap(),
        EndedAtOnce::Ended(vec![kept])
    );
    assert_eq!(
        fixture.store.end_sessions_of(&ann, None, reason, at(7), None).await.unwrap(),
        EndedAtOnce::Ended(vec![])
    );
}

async fn ending_all_sessions_of_nobody_ends_nothing(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let ended =
        all(fixture.store.end_sessions_of(&user("bob"), None, EndReason::RevokedByAdmin, at(1), None).await.unwrap());
    assert_eq!(ended, []);
    assert_eq!(fixture.stored(session.id).await.ended, None);
}

async fn ending_all_does_not_list_inactive_sessions(fixture: &Fixture) {
    let now = at(100);
    let long_expired = fixture.open(Session { expires_at: at(40), ..session_of("ann") }).await;
    let just_expired = fixture.open(Session { expires_at: at(41), ..session_of("ann") }).await;
    fixture.open(Session { idle_timeout: Some(TimeDelta::seconds(10)), ..session_of("ann") }).await;
    let active = fixture.open(session_of("ann")).await;
    let ended = all(fixture.store.end_sessions_of(&user("ann"), None, EndReason::Logout, now, None).await.unwrap());
    assert_eq!(ended, [active.id]);
    assert_eq!(fixture.stored(long_expired.id).await.ended, None);
    assert!(fixture.stored(just_expired.id).await.ended.is_some(), "by a slower clock it still stands");
}

/// A process has not written the last use of a session before the session is ended as idle.
async fn a_use_that_is_written_late_does_not_bring_back_what_was_ended(fixture: &Fixture) {
    let idle = |name| Session { idle_timeout: Some(TimeDelta::seconds(60)), ..session_of(name) };
    let now = at(65);
    let mut touches = Vec::new();
    for name in ["one", "all", "banned", "deleted"] {
        let session = fixture.open(idle(name)).await;
        let (store, id, user) = (&fixture.store, session.id, &session.user_id);
        match name {
            "one" => assert!(!store.end_active_session(id, user, EndReason::RevokedByUser, now, None).await.unwrap()),
            "all" => assert_eq!(
                store.end_sessions_of(user, None, EndReason::Logout, now, None).await.unwrap(),
                EndedAtOnce::Ended(vec![])
            ),
            "banned" => assert_eq!(store.ban_user(user, None, now, None).await.unwrap().1, EndedAtOnce::Ended(vec![])),
            _ => assert_eq!(store.delete_user(user, now, None).await.unwrap(), Some(EndedAtOnce::Ended(vec![]))),
        }
        touches.push(Touch { id, seen_at: at(50), counter: 0, seen_from: None });
    }
    fixture.store.touch_sessions(&touches).await.unwrap();
    for touch in touches {
        assert!(!fixture.stored(touch.id).await.is_active(now));
    }
}

async fn ends_of_all_and_touches_and_ends_of_one_at_once_do_not_block_each_other(fixture: &Fixture) {
    for round in 0..4 {
        let now = at(round);
        let mut sessions: Vec<Session> = (0..100).map(|_| session_at("ann", round)).collect();
        // Sessions are inserted in one order and touched in the reverse, so that statements that lock in reading order
        // would deadlock.
        sessions.sort_by_key(|session| std::cmp::Reverse(session.id));
        for session in &sessions {
            fixture.open(session.clone()).await;
        }
        let ids = sorted(ids(&sessions));
        fixture
            .race(8, |task, store| {
                let ids = ids.clone();
                async move {
                    if task % 4 == 0 {
                        store.end_sessions_of(&user("ann"), None, EndReason::Logout, now, None).await.unwrap();
                    } else if task == 7 {
                        for id in ids {
                            store.end_session(id, Owner::Anyone, EndReason::Logout, now, None).await.unwrap();
                        }
                    } else {
                        for second in 1..5 {
                            let seen_at = now + TimeDelta::seconds(second);
                            let touches: Vec<Touch> =
                                ids.iter().map(|id| Touch { id: *id, seen_at, counter: 0, seen_from: None }).collect();
                            store.touch_sessions(&touches).await.unwrap();
                        }
                    }
                }
            })
            .await;
        assert_eq!(fixture.active_ids(&user("ann"), now).await, []);
    }
}

async fn an_end_that_races_extensions_and_changes_stays(fixture: &Fixture) {
    for _ in 0..10 {
        let id = fixture.open(session_of("ann")).await.id;
        fixture
            .race(9, |task, store| async move {
                if task == 4 {
                    store.end_session(id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
                    // The end is acknowledged, so from here on every change must fail.
                    let extended =
                        store.extend_session(id, Owner::Anyone, TimeDelta::hours(1), at(1), None).await.unwrap();
                    assert_eq!(extended, None);
                } else {
                    store.extend_session(id, Owner::Anyone, TimeDelta::hours(1), at(1), None).await.unwrap();
                    let change = SessionChange { device_name: Some(Some("x".to_owned())), ..SessionChange::default() };
                    store.change_session(id, Owner::Anyone, &change, at(1), None).await.unwrap();
                }
            })
            .await;
        assert!(fixture.stored(id).await.ended.is_some());
    }
}
