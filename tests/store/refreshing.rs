//! Rotation of refresh tokens, without logging anybody out by accident.

use chrono::TimeDelta;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sojourn::model::{EndReason, Ended, Owner, Session, Slide, Touch};
use sojourn::store::{RefreshAttempt, Refreshing, Store};

use super::fixture::{Fixture, GRACE, MICROSECOND, at, attempt, new, new_id, session_of, user};

on_both_stores!(
    the_current_token_rotates,
    every_row_of_the_table_is_as_the_contract_says,
    the_grace_ends_to_the_microsecond,
    a_rotation_and_its_repeat_in_the_same_instant_are_told_apart,
    a_chain_of_rotations_ends_when_an_old_token_comes_back,
    reuse_ends_the_session_for_good,
    two_holders_of_one_token_are_noticed_in_the_third_generation_though_no_access_token_is_seen,
    a_client_that_lost_answers_and_goes_on_from_there_keeps_its_session,
    ten_thousand_lost_answers_and_contested_refreshes_end_no_session,
    an_attempt_made_before_the_last_rotation_ends_nothing,
    a_counter_without_a_successor_is_of_no_session,
    an_inactive_session_is_not_refreshed,
    a_use_that_is_not_written_yet_keeps_a_session_from_being_idle,
    sliding_moves_the_end_when_it_is_due_but_never_back_and_never_past_the_absolute_end,
    the_end_slides_in_steps_and_reaches_the_absolute_end_and_none_is_in_the_log,
    last_seen_never_moves_back,
    fifty_refreshes_of_one_token_at_once_give_one_successor,
    a_refresh_that_races_an_end_never_rotates_after_it,
);

fn kind(refreshing: &Refreshing) -> &'static str {
    match refreshing {
        Refreshing::Rotated(_) => "rotated",
        Refreshing::Concurrent(_) => "concurrent",
        Refreshing::NotSaved(_) => "not saved",
        Refreshing::Reused(_) => "reused",
        Refreshing::NotActive => "not active",
    }
}

fn session(refreshing: Refreshing) -> Session {
    match refreshing {
        Refreshing::Rotated(session)
        | Refreshing::Concurrent(session)
        | Refreshing::NotSaved(session)
        | Refreshing::Reused(session) => *session,
        Refreshing::NotActive => panic!("not active"),
    }
}

/// The attempt hung on its way to the database, and arrives after the client has rotated elsewhere.
async fn an_attempt_made_before_the_last_rotation_ends_nothing(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    fixture.store.refresh_session(attempt(id, 0, at(60))).await.unwrap();
    fixture.store.refresh_session(attempt(id, 1, at(62))).await.unwrap();
    let late = fixture.store.refresh_session(attempt(id, 0, at(61))).await.unwrap();
    assert_eq!(kind(&late), "not active");
    assert_eq!(fixture.stored(id).await.ended, None);
    let theft = fixture.store.refresh_session(attempt(id, 0, at(62))).await.unwrap();
    assert_eq!(kind(&theft), "reused");
}

async fn the_current_token_rotates(fixture: &Fixture) {
    let before = fixture.open(session_of("ann")).await;
    let refreshing = fixture.store.refresh_session(attempt(before.id, 0, at(60))).await.unwrap();
    let expected = Session { refresh_counter: 1, last_seen_at: at(60), ..before };
    assert_eq!(refreshing, Refreshing::Rotated(Box::new(expected.clone())));
    assert_eq!(fixture.stored(expected.id).await, expected);
}

/// A session before a refresh, the token presented, and the outcome. The grace is 30 seconds.
struct Row {
    counter: u32,
    confirmed: u32,
    /// Seconds since the last rotation.
    rotated: Option<i64>,
    /// Two for each generation in a row that was repeated late and then left, one for the present one.
    late: i64,
    presented: u32,
    seen: u32,
    expected: (&'static str, u32, i64),
}

const fn row(
    (counter, confirmed, rotated, late): (u32, u32, Option<i64>, i64),
    (presented, seen): (u32, u32),
    expected: (&'static str, u32, i64),
) -> Row {
    Row { counter, confirmed, rotated, late, presented, seen, expected }
}

async fn every_row_of_the_table_is_as_the_contract_says(fixture: &Fixture) {
    let rows = [
        row((0, 0, None, 0), (0, 0), ("rotated", 1, 0)),
        row((5, 0, None, 0), (5, 0), ("rotated", 6, 0)),
        row((5, 5, Some(1), 0), (5, 5), ("rotated", 6, 0)),
        row((5, 9, Some(1), 0), (5, 9), ("rotated", 6, 0)),
        // The database was restored from a backup.
        row((5, 5, Some(99), 0), (6, 6), ("rotated", 7, 0)),
        row((5, 0, None, 0), (900, 0), ("rotated", 901, 0)),
        row((0, 0, None, 0), (2_147_483_646, 0), ("rotated", 2_147_483_647, 0)),
        row((5, 0, Some(99), 3), (6, 0), ("rotated", 7, 0)),
        // The predecessor, within the grace.
        row((5, 0, Some(0), 0), (4, 0), ("concurrent", 5, 0)),
        row((5, 5, Some(29), 0), (4, 5), ("concurrent", 5, 0)),
        row((1, 1, Some(29), 0), (0, 0), ("concurrent", 1, 0)),
        row((5, 0, Some(29), 2), (4, 0), ("concurrent", 5, 2)),
        row((5, 0, Some(29), 4), (4, 0), ("concurrent", 5, 4)),
        // The predecessor, after the grace, its successor never seen.
        row((5, 4, Some(30), 0), (4, 4), ("not saved", 5, 1)),
        row((5, 0, Some(80_000), 0), (4, 0), ("not saved", 5, 1)),
        row((5, 0, None, 0), (4, 0), ("not saved", 5, 1)),
        row((5, 0, Some(30), 1), (4, 0), ("not saved", 5, 1)),
        row((5, 0, Some(30), 2), (4, 0), ("not saved", 5, 3)),
        row((5, 0, Some(30), 3), (4, 0), ("not saved", 5, 3)),
        // The third generation in a row to be repeated after the grace.
        row((5, 0, Some(30), 4), (4, 0), ("reused", 5, 5)),
        row((5, 0, None, 4), (4, 0), ("reused", 5, 5)),
        // The next generation after a late repeat: the repeat counts unless an access token was seen.
        row((5, 0, Some(30), 1), (5, 0), ("rotated", 6, 2)),
        row((5, 4, Some(0), 3), (5, 4), ("rotated", 6, 4)),
        row((5, 5, Some(30), 1), (5, 0), ("rotated", 6, 0)),
        row((5, 0, Some(30), 3), (5, 5), ("rotated", 6, 0)),
        // The next generation without a late repeat.
        row((5, 0, Some(30), 2), (5, 0), ("rotated", 6, 0)),
        row((5, 0, Some(30), 4), (5, 0), ("rotated", 6, 0)),
        // The predecessor, after the grace, its successor seen: written, in this process only, or both.
        row((5, 5, Some(30), 0), (4, 0), ("reused", 5, 1)),
        row((5, 4, Some(30), 0), (4, 5), ("reused", 5, 1)),
        row((5, 6, Some(31), 0), (4, 6), ("reused", 5, 1)),
        row((5, 0, Some(31), 0), (4, u32::MAX), ("reused", 5, 1)),
        row((5, 5, None, 0), (4, 0), ("reused", 5, 1)),
        // Older tokens, in any state.
        row((5, 0, Some(0), 0), (3, 0), ("reused", 5, 0)),
        row((5, 0, Some(0), 0), (0, 0), ("reused", 5, 0)),
        row((2, 0, None, 0), (0, 0), ("reused", 2, 0)),
        row((2_147_483_647, 0, Some(0), 0), (0, 0), ("reused", 2_147_483_647, 0)),
        row((2_147_483_647, 0, Some(0), 0), (2_147_483_646, 0), ("concurrent", 2_147_483_647, 0)),
    ];
    for (number, row) in rows.into_iter().enumerate() {
        is_as_expected(fixture, number, row).await;
    }
}

async fn is_as_expected(fixture: &Fixture, number: usize, row: Row) {
    let now = at(1000);
    let Row { counter, confirmed, rotated, late, presented, seen, expected: (expected, counter_then, late_then) } = row;
    let stored = Session { refresh_counter: counter, confirmed_counter: confirmed, ..session_of("ann") };
    let stored = Session { idle_timeout: None, ..stored };
    let session_id = fixture.open(stored.clone()).await.id;
    let id = fixture.raw.id(session_id);
    let rotated_at = rotated.map(|ago| fixture.raw.time(now - TimeDelta::seconds(ago)));
    let rotated_at = rotated_at.unwrap_or_else(|| "NULL".to_owned());
    let update = format!("UPDATE sessions SET rotated_at = {rotated_at}, late_repeats = {late} WHERE id = {id}");
    assert_eq!(fixture.raw.run(&update).await.unwrap(), 1);

    let attempt = RefreshAttempt { seen_counter: seen, ..attempt(session_id, presented, now) };
    let refreshing = fixture.store.refresh_session(attempt).await.unwrap();
    assert_eq!(kind(&refreshing), expected, "row {number}");
    let reused = expected == "reused";
    let expected = Session {
        refresh_counter: counter_then,
        last_seen_at: if reused { stored.last_seen_at } else { now },
        ended: reused.then_some(Ended { at: now, reason: EndReason::ReuseDetected }),
        ..stored
    };
    assert_eq!(session(refreshing), expected, "row {number}");
    assert_eq!(fixture.stored(session_id).await, expected, "row {number}");
    let late = fixture.raw.number(&format!("SELECT CAST(late_repeats AS bigint) FROM sessions WHERE id = {id}")).await;
    assert_eq!(late, late_then, "row {number}");
}

async fn the_grace_ends_to_the_microsecond(fixture: &Fixture) {
    for (later, expected) in [(GRACE - MICROSECOND, "concurrent"), (GRACE, "not saved")] {
        let id = fixture.open(session_of("ann")).await.id;
        fixture.store.refresh_session(attempt(id, 0, at(1))).await.unwrap();
        let refreshing = fixture.store.refresh_session(attempt(id, 0, at(1) + later)).await.unwrap();
        assert_eq!(kind(&refreshing), expected);
    }
}

/// T-25.
async fn a_rotation_and_its_repeat_in_the_same_instant_are_told_apart(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    let mut kinds = Vec::new();
    for presented in [0, 0, 0, 1, 1] {
        kinds.push(kind(&fixture.store.refresh_session(attempt(id, presented, at(1))).await.unwrap()));
    }
    assert_eq!(kinds, ["rotated", "concurrent", "concurrent", "rotated", "concurrent"]);
}

async fn a_chain_of_rotations_ends_when_an_old_token_comes_back(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    for counter in 0..5 {
        let now = at(60 * i64::from(counter));
        assert_eq!(kind(&fixture.store.refresh_session(attempt(id, counter, now)).await.unwrap()), "rotated");
    }
    assert_eq!(kind(&fixture.store.refresh_session(attempt(id, 4, at(241))).await.unwrap()), "concurrent");
    assert_eq!(kind(&fixture.store.refresh_session(attempt(id, 3, at(242))).await.unwrap()), "reused");
    assert_eq!(kind(&fixture.store.refresh_session(attempt(id, 5, at(243))).await.unwrap()), "not active");
}

async fn reuse_ends_the_session_for_good(fixture: &Fixture) {
    let before = fixture.open(Session { refresh_counter: 2, ..session_of("ann") }).await;
    let refreshing = fixture.store.refresh_session(attempt(before.id, 0, at(1))).await.unwrap();
    assert_eq!(kind(&refreshing), "reused");
    let ended = Some(Ended { at: at(1), reason: EndReason::ReuseDetected });
    assert_eq!(fixture.stored(before.id).await, Session { ended, ..before.clone() });
    assert_eq!(fixture.active_ids(&before.user_id, at(1)).await, []);
}

/// A thief and its victim refresh in turn, in either order, and their access tokens are verified offline only.
async fn two_holders_of_one_token_are_noticed_in_the_third_generation_though_no_access_token_is_seen(
    fixture: &Fixture,
) {
    let id = fixture.open(session_of("ann")).await.id;
    for (generation, expected) in (0..).zip(["not saved", "not saved", "reused"]) {
        let now = at(100 * i64::from(generation));
        assert_eq!(kind(&fixture.store.refresh_session(attempt(id, generation, now)).await.unwrap()), "rotated");
        let other = fixture.store.refresh_session(attempt(id, generation, now + GRACE)).await.unwrap();
        assert_eq!(kind(&other), expected, "generation {generation}");
    }
    assert_eq!(fixture.stored(id).await.ended.unwrap().reason, EndReason::ReuseDetected);
}

async fn a_client_that_lost_answers_and_goes_on_from_there_keeps_its_session(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    let mut now = at(0);
    let mut presented = 0;
    // The number of lost answers in each generation.
    for lost in [1, 0, 1, 1, 0, 9, 9, 0, 1, 1, 0, 0, 5] {
        for answer in 0..=lost {
            let expected = if answer == 0 { "rotated" } else { "not saved" };
            let refreshing = fixture.store.refresh_session(attempt(id, presented, now)).await.unwrap();
            assert_eq!(kind(&refreshing), expected, "answer {answer} to {presented}");
            now += GRACE;
        }
        presented += 1;
    }
    // A generation whose access token was seen proves its holder, and resets the count of late repeats.
    for _ in 0..4 {
        assert_eq!(kind(&fixture.store.refresh_session(attempt(id, presented, now)).await.unwrap()), "rotated");
        now += GRACE;
        assert_eq!(kind(&fixture.store.refresh_session(attempt(id, presented, now)).await.unwrap()), "not saved");
        let used = Touch { id, seen_at: now, counter: presented + 1, seen_from: None };
        fixture.store.touch_sessions(&[used]).await.unwrap();
        presented += 1;
    }
}

/// Clients with bad connections and several tabs, whose access tokens are never seen by the server. At most two answers
/// in a row are lost for longer than the grace.
async fn ten_thousand_lost_answers_and_contested_refreshes_end_no_session(fixture: &Fixture) {
    const CLIENTS: usize = 100;
    let counted =
        fixture.race(CLIENTS, |client, store| async move { on_bad_lines(store.as_ref(), client).await }).await;
    let lost: u32 = counted.iter().map(|(lost, _)| lost).sum();
    let contested: u32 = counted.iter().map(|(_, contested)| contested).sum();
    assert!(lost >= 10_000 && contested > 5_000, "only {lost} and {contested}");
    assert_eq!(fixture.raw.number("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL").await, 0);
}

/// Refreshes one session repeatedly, and counts the lost answers and the refreshes that met another.
async fn on_bad_lines(store: &dyn Store, client: usize) -> (u32, u32) {
    const GENERATIONS: u32 = 60;
    let mut random = SmallRng::seed_from_u64(client as u64);
    let user = format!("client-{client}");
    let session = Session { idle_timeout: None, expires_at: at(2_500_000), ..session_of(&user) };
    let id = session.id;
    store.open_session(&new(&session)).await.unwrap();
    let (mut now, mut late_in_a_row, mut lost, mut contested) = (at(0), 0, 0, 0);
    for presented in 0..GENERATIONS {
        let mut is_late = false;
        let tabs = random.random_range(1..=4_u32);
        for tab in 0..tabs {
            let moment = now + TimeDelta::milliseconds(i64::from(tab));
            let refreshing = store.refresh_session(attempt(id, presented, moment)).await.unwrap();
            assert_eq!(kind(&refreshing), if tab == 0 { "rotated" } else { "concurrent" });
        }
        contested += tabs - 1;
        for _ in 0..random.random_range(0..=4) {
            let wait = TimeDelta::milliseconds(random.random_range(100..=60_000));
            if late_in_a_row == 2 && wait >= GRACE {
                continue;
            }
            let asked = now + wait;
            let refreshing = store.refresh_session(attempt(id, presented, asked)).await.unwrap();
            assert!(["concurrent", "not saved"].contains(&kind(&refreshing)), "{}", kind(&refreshing));
            is_late |= kind(&refreshing) == "not saved";
            lost += 1;
        }
        late_in_a_row = if is_late { late_in_a_row + 1 } else { 0 };
        now += TimeDelta::minutes(random.random_range(2..=300));
    }
    (lost, contested)
}

async fn a_counter_without_a_successor_is_of_no_session(fixture: &Fixture) {
    let before = fixture.open(Session { refresh_counter: 5, ..session_of("ann") }).await;
    for presented in [i32::MAX.unsigned_abs(), i32::MAX.unsigned_abs() + 1, u32::MAX] {
        let refreshing = fixture.store.refresh_session(attempt(before.id, presented, at(1))).await.unwrap();
        assert_eq!(refreshing, Refreshing::NotActive, "{presented}");
    }
    assert_eq!(fixture.stored(before.id).await, before);
}

async fn an_inactive_session_is_not_refreshed(fixture: &Fixture) {
    let before = fixture.open(session_of("ann")).await;
    let idle = before.last_seen_at + before.idle_timeout.unwrap();
    for (id, now) in [(before.id, idle), (before.id, before.expires_at), (new_id(), at(1))] {
        // A spent token does not end a session that has already ended.
        let spent = RefreshAttempt { slide: Some(Slide::by(TimeDelta::days(1), now)), ..attempt(id, 0, now) };
        assert_eq!(fixture.store.refresh_session(spent).await.unwrap(), Refreshing::NotActive);
    }
    assert_eq!(fixture.stored(before.id).await, before);
    fixture.store.end_session(before.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    assert_eq!(fixture.store.refresh_session(attempt(before.id, 0, at(1))).await.unwrap(), Refreshing::NotActive);
}

async fn a_use_that_is_not_written_yet_keeps_a_session_from_being_idle(fixture: &Fixture) {
    let before = fixture.open(session_of("ann")).await;
    let idle = before.last_seen_at + before.idle_timeout.unwrap();
    let unwritten = |seen_at| RefreshAttempt { seen_at: Some(seen_at), ..attempt(before.id, 0, idle) };
    let refreshing = fixture.store.refresh_session(unwritten(before.last_seen_at)).await.unwrap();
    assert_eq!(refreshing, Refreshing::NotActive);
    let refreshing = fixture.store.refresh_session(unwritten(before.last_seen_at + MICROSECOND)).await.unwrap();
    assert_eq!(kind(&refreshing), "rotated");
    // A use postpones idleness, and not the expiry, which is another clock.
    let late = RefreshAttempt { seen_at: Some(before.expires_at), ..attempt(before.id, 1, before.expires_at) };
    assert_eq!(fixture.store.refresh_session(late).await.unwrap(), Refreshing::NotActive);
}

async fn sliding_moves_the_end_when_it_is_due_but_never_back_and_never_past_the_absolute_end(fixture: &Fixture) {
    let before = fixture.open(session_of("ann")).await;
    let (end, absolute, hour) = (before.expires_at, before.absolute_expires_at, TimeDelta::hours(1));
    let slides = [
        (Slide { to: end - hour, due: end - hour * 2 }, end),
        (Slide { to: end + hour, due: end - MICROSECOND }, end),
        (Slide { to: end + hour, due: end }, end + hour),
        (Slide { to: end + hour * 9, due: end + hour * 2 }, end + hour * 9),
        (Slide { to: absolute - MICROSECOND, due: end }, end + hour * 9),
        (Slide { to: absolute, due: end }, absolute),
        (Slide { to: absolute + hour, due: absolute }, absolute),
    ];
    for ((slide, expected), presented) in slides.into_iter().zip(0..) {
        let sliding = RefreshAttempt { slide: Some(slide), ..attempt(before.id, presented, at(1)) };
        let refreshed = session(fixture.store.refresh_session(sliding).await.unwrap());
        assert_eq!(refreshed.expires_at, expected, "{slide:?}");
        assert_eq!(refreshed.absolute_expires_at, absolute);
    }
}

async fn the_end_slides_in_steps_and_reaches_the_absolute_end_and_none_is_in_the_log(fixture: &Fixture) {
    let (opened, by) = (session_of("ann"), TimeDelta::days(1));
    let absolute = opened.created_at + TimeDelta::days(2);
    let opened = fixture.open(Session { absolute_expires_at: absolute, ..opened }).await;
    let (mut end, mut moves) = (opened.expires_at, 0);
    for presented in 0..100 {
        let now = at(900 * (i64::from(presented) + 1));
        let sliding = RefreshAttempt { slide: Some(Slide::by(by, now)), ..attempt(opened.id, presented, now) };
        let refreshing = fixture.store.refresh_session(sliding).await.unwrap();
        assert_eq!(kind(&refreshing), "rotated");
        let refreshed = session(refreshing);
        assert!(refreshed.expires_at >= (now + by * 9 / 10).min(absolute), "less than nine tenths remain at {now}");
        moves += i32::from(refreshed.expires_at != end);
        end = refreshed.expires_at;
    }
    assert_eq!(end, absolute);
    assert_eq!(moves, 10, "nine steps of ten refreshes each, and the one to the absolute end");
    assert_eq!(fixture.raw.number("SELECT count(*) FROM changes").await, 0);
}

async fn last_seen_never_moves_back(fixture: &Fixture) {
    let id = fixture.open(Session { last_seen_at: at(100), ..session_of("ann") }).await.id;
    let refreshed = session(fixture.store.refresh_session(attempt(id, 0, at(50))).await.unwrap());
    assert_eq!(refreshed.last_seen_at, at(100));
}

/// T-21, FT-23: 160 of the 200 rounds; the others go through HTTP.
async fn fifty_refreshes_of_one_token_at_once_give_one_successor(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    for round in 0..80 {
        let answers = fixture
            .race(50, |_, store| async move { store.refresh_session(attempt(id, round, at(1))).await.unwrap() })
            .await;
        assert_eq!(answers.iter().filter(|answer| kind(answer) == "rotated").count(), 1);
        assert_eq!(answers.iter().filter(|answer| kind(answer) == "concurrent").count(), 49);
        assert!(answers.into_iter().all(|answer| session(answer).refresh_counter == round + 1));
        assert_eq!(fixture.stored(id).await.refresh_counter, round + 1);
    }
}

/// T-28, FT-24: 300 of the 500 rounds; the others go through HTTP.
async fn a_refresh_that_races_an_end_never_rotates_after_it(fixture: &Fixture) {
    for round in 0..150 {
        let id = fixture.open(session_of("ann")).await.id;
        fixture
            .race(2, |task, store| async move {
                if task == round % 2 {
                    let refreshing = store.refresh_session(attempt(id, 0, at(1))).await.unwrap();
                    assert!(["rotated", "not active"].contains(&kind(&refreshing)));
                } else {
                    store.end_session(id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
                    let after = store.refresh_session(attempt(id, 0, at(1))).await.unwrap();
                    assert_eq!(after, Refreshing::NotActive);
                    assert_eq!(store.active_sessions_of(&user("ann"), at(1)).await.unwrap(), []);
                }
            })
            .await;
        assert_eq!(fixture.stored(id).await.ended.unwrap().reason, EndReason::Logout);
    }
}
