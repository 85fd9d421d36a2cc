//! Writing last-seen times.

use sojourn::model::{EndReason, Owner, Session, SessionId, Touch, Whereabouts};

use super::fixture::{Fixture, MICROSECOND, at, new_id, place, session_of};

on_both_stores!(
    a_touch_moves_last_seen_and_the_confirmed_counter,
    a_touch_never_moves_either_back,
    many_touches_are_written_together,
    no_touches_are_no_trouble,
    unknown_sessions_are_passed_over,
    an_ended_session_is_not_touched,
    an_address_goes_with_the_latest_use,
    a_counter_larger_than_any_is_no_trouble,
    touches_of_the_same_sessions_at_once_keep_the_latest,
);

fn touch(id: SessionId, seconds: i64, counter: u32) -> Touch {
    Touch { id, seen_at: at(seconds) + MICROSECOND, counter, seen_from: None }
}

async fn a_touch_moves_last_seen_and_the_confirmed_counter(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    fixture.store.touch_sessions(&[touch(session.id, 60, 3)]).await.unwrap();
    let expected = Session { last_seen_at: at(60) + MICROSECOND, confirmed_counter: 3, ..session };
    assert_eq!(fixture.stored(expected.id).await, expected);
}

async fn a_touch_never_moves_either_back(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    let seen = async || {
        let session = fixture.stored(id).await;
        (session.last_seen_at - MICROSECOND, session.confirmed_counter)
    };
    for (seconds, counter, expected) in [(60, 3, (60, 3)), (30, 5, (60, 5)), (90, 2, (90, 5)), (10, 1, (90, 5))] {
        fixture.store.touch_sessions(&[touch(id, seconds, counter)]).await.unwrap();
        assert_eq!(seen().await, (at(expected.0), expected.1));
    }
}

async fn many_touches_are_written_together(fixture: &Fixture) {
    let mut touches = Vec::new();
    for number in 1..=100 {
        let id = fixture.open(session_of("ann")).await.id;
        touches.push(touch(id, i64::from(number), number));
    }
    let untouched = fixture.open(session_of("ann")).await;
    fixture.store.touch_sessions(&touches).await.unwrap();
    for touch in touches {
        let stored = fixture.stored(touch.id).await;
        assert_eq!((stored.last_seen_at, stored.confirmed_counter), (touch.seen_at, touch.counter));
    }
    assert_eq!(fixture.stored(untouched.id).await, untouched);
}

async fn no_touches_are_no_trouble(fixture: &Fixture) {
    fixture.store.touch_sessions(&[]).await.unwrap();
}

async fn unknown_sessions_are_passed_over(fixture: &Fixture) {
    let (before, known, after) = (new_id(), fixture.open(session_of("ann")).await.id, new_id());
    fixture.store.touch_sessions(&[touch(before, 9, 0), touch(known, 9, 0), touch(after, 9, 0)]).await.unwrap();
    assert_eq!(fixture.stored(known).await.last_seen_at, at(9) + MICROSECOND);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM sessions").await, 1);
}

async fn an_address_goes_with_the_latest_use(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    let from = |address: &str, place| Some(Whereabouts { ip_address: address.parse().unwrap(), place });
    let (berlin, unplaced) = (from("203.0.113.9", Some(place(1))), from("2001:db8::9", None));
    let touches = [
        (60, berlin.clone(), berlin.clone()),
        (90, None, berlin.clone()),
        (80, unplaced.clone(), berlin),
        (90, unplaced.clone(), unplaced),
    ];
    for (seconds, seen_from, expected) in touches {
        fixture.store.touch_sessions(&[Touch { seen_from, ..touch(id, seconds, 0) }]).await.unwrap();
        assert_eq!(fixture.stored(id).await.last_seen_from, expected, "{seconds}");
    }
}

async fn an_ended_session_is_not_touched(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    fixture.store.end_session(id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let ended = fixture.stored(id).await;
    fixture.store.touch_sessions(&[touch(id, 60, 3)]).await.unwrap();
    assert_eq!(fixture.stored(id).await, ended);
}

async fn a_counter_larger_than_any_is_no_trouble(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    fixture.store.touch_sessions(&[touch(id, 60, u32::MAX)]).await.unwrap();
    assert_eq!(fixture.stored(id).await.last_seen_at, at(60) + MICROSECOND);
}

async fn touches_of_the_same_sessions_at_once_keep_the_latest(fixture: &Fixture) {
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(fixture.open(session_of("ann")).await.id);
    }
    fixture
        .race(8, |task, store| {
            let seconds = i64::try_from(task).unwrap();
            let touches: Vec<Touch> = ids.iter().map(|id| touch(*id, seconds, 0)).collect();
            async move { store.touch_sessions(&touches).await.unwrap() }
        })
        .await;
    for id in ids {
        assert_eq!(fixture.stored(id).await.last_seen_at, at(7) + MICROSECOND);
    }
}
