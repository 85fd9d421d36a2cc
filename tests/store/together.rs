//! Concurrent requests share a batch, and each gets the answer that it would have got alone.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use sojourn::model::UserDetails;
use sojourn::model::{EndReason, Owner, Session, SessionId, Slide};
use sojourn::store::{EndOutcome, Error, NewSession, Opening, RefreshAttempt, Refreshing};
use sqlx::PgPool;

use super::fixture::{Fixture, at, attempt, details, full_session, ids, new, new_id, session_at, session_of, user};

on_both_stores!(
    batched_extensions_are_answered_as_if_alone,
    batched_ends_are_answered_as_if_alone,
    batched_refreshes_are_answered_as_if_alone,
    batched_openings_are_answered_as_if_alone,
    batched_openings_are_stored_whole,
    one_that_cannot_be_read_spoils_no_other,
    one_that_cannot_be_written_spoils_no_other,
);

/// Many sessions of as many users, so that most requests for them are batched.
async fn many(fixture: &Fixture) -> Vec<Session> {
    let mut sessions = Vec::new();
    for number in 0..30 {
        sessions.push(fixture.open(session_of(&format!("user {number}"))).await);
    }
    sessions
}

async fn batched_extensions_are_answered_as_if_alone(fixture: &Fixture) {
    let sessions = many(fixture).await;
    let (ended, stranger, by) = (sessions[0].id, user("stranger"), TimeDelta::seconds(9));
    fixture.store.end_session(ended, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap().unwrap();
    let extend = |id: SessionId, owner| fixture.store.extend_session(id, owner, by, at(2), None);
    let own = join_all(sessions.iter().map(|session| extend(session.id, Owner::User(&session.user_id))));
    let again = join_all(sessions.iter().map(|session| extend(session.id, Owner::Anyone)));
    let strange = join_all(sessions.iter().map(|session| extend(session.id, Owner::User(&stranger))));
    let unknown = join_all((0..3).map(|_| extend(new_id(), Owner::Anyone)));
    let (own, again, strange, unknown) = tokio::join!(own, again, strange, unknown);
    for refused in strange.into_iter().chain(unknown) {
        assert_eq!(refused.unwrap(), None);
    }
    for ((session, own), again) in sessions.iter().zip(own).zip(again) {
        let mut ends = [own.unwrap(), again.unwrap()].map(|extended| extended.map(|session| session.expires_at));
        ends.sort_unstable();
        let expected = [by, by * 2].map(|by| (session.id != ended).then_some(session.expires_at + by));
        assert_eq!(ends, expected);
    }
}

async fn batched_ends_are_answered_as_if_alone(fixture: &Fixture) {
    let sessions = many(fixture).await;
    let stranger = user("stranger");
    let end = |id: SessionId, owner, reason| fixture.store.end_session(id, owner, reason, at(5), None);
    let first = join_all(sessions.iter().map(|session| end(session.id, Owner::Anyone, EndReason::RevokedByAdmin)));
    let second =
        join_all(sessions.iter().map(|session| end(session.id, Owner::User(&session.user_id), EndReason::Logout)));
    let strange = join_all(sessions.iter().map(|session| end(session.id, Owner::User(&stranger), EndReason::Logout)));
    let unknown = join_all((0..3).map(|_| end(new_id(), Owner::Anyone, EndReason::Logout)));
    let (first, second, strange, unknown) = tokio::join!(first, second, strange, unknown);
    for refused in strange.into_iter().chain(unknown) {
        assert_eq!(refused.unwrap(), None);
    }
    for (first, second) in first.into_iter().zip(second) {
        let ended = match (first.unwrap().unwrap(), second.unwrap().unwrap()) {
            (EndOutcome::Ended(by_this), EndOutcome::AlreadyEnded(before))
            | (EndOutcome::AlreadyEnded(before), EndOutcome::Ended(by_this)) => {
                assert_eq!(by_this, before);
                by_this
            }
            both => panic!("{both:?}"),
        };
        assert_eq!(fixture.stored(ended.id).await, *ended);
    }
}

async fn batched_refreshes_are_answered_as_if_alone(fixture: &Fixture) {
    let sessions = many(fixture).await;
    let refresh = |id: SessionId, presented| {
        let slide = Some(Slide::by(TimeDelta::days(2), at(60)));
        fixture.store.refresh_session(RefreshAttempt { slide, ..attempt(id, presented, at(60)) })
    };
    let first = join_all(sessions.iter().map(|session| refresh(session.id, 0)));
    let second = join_all(sessions.iter().map(|session| refresh(session.id, 0)));
    let unknown = join_all((0..3).map(|_| refresh(new_id(), 0)));
    let (first, second, unknown) = tokio::join!(first, second, unknown);
    for refused in unknown {
        assert_eq!(refused.unwrap(), Refreshing::NotActive);
    }
    for (first, second) in first.into_iter().zip(second) {
        match (first.unwrap(), second.unwrap()) {
            (Refreshing::Rotated(rotated), Refreshing::Concurrent(same))
            | (Refreshing::Concurrent(same), Refreshing::Rotated(rotated)) => {
                assert_eq!(rotated, same);
                assert_eq!((rotated.refresh_counter, rotated.expires_at), (1, at(60) + TimeDelta::days(2)));
            }
            both => panic!("{both:?}"),
        }
    }
    // The first tokens are two rotations old by then, and `u32::MAX` is a counter without a successor.
    let next = |id| async move { drop(refresh(id, 1).await.unwrap()) };
    join_all(sessions.iter().map(|session| next(session.id))).await;
    let spent = join_all(sessions.iter().map(|session| refresh(session.id, 0)));
    let (spent, last) = tokio::join!(spent, refresh(sessions[0].id, u32::MAX));
    assert_eq!(last.unwrap(), Refreshing::NotActive);
    for reused in spent {
        let Refreshing::Reused(session) = reused.unwrap() else { panic!("it was spent") };
        assert_eq!(session.ended.unwrap().reason, EndReason::ReuseDetected);
    }
}

async fn batched_openings_are_answered_as_if_alone(fixture: &Fixture) {
    let known = many(fixture).await;
    let banned = user("banned");
    fixture.store.ban_user(&banned, None, at(0), None).await.unwrap();
    let told = |session: Session, user: UserDetails| NewSession { user, ..new(&session) };
    let mut asked = Vec::new();
    for (number, session) in known.iter().enumerate() {
        let (known, fresh) = (session.user_id.as_str(), format!("new {number}"));
        asked.push(new(&session_at(known, 1)));
        asked.push(told(session_at(known, 2), details(Some("Ann"), None)));
        asked.push(told(session_at(&fresh, 3), details(None, Some("a@b"))));
        asked.push(told(session_at(&fresh, 4), details(None, Some("a@b"))));
        asked.push(new(&session_at(banned.as_str(), 5)));
    }
    let answers = join_all(asked.iter().map(|new| fixture.store.open_session(new))).await;
    let mut opened: BTreeMap<_, Vec<SessionId>> = BTreeMap::new();
    for (new, answer) in asked.iter().zip(answers) {
        let (id, of) = (new.session.id, &new.session.user_id);
        match answer.unwrap() {
            Opening::UserBanned => assert_eq!(*of, banned),
            Opening::Opened { user, evicted, .. } => {
                assert_eq!((&user.id, evicted), (of, vec![]));
                assert!(new.user.name.is_none() || user.name == new.user.name);
                assert!(new.user.email.is_none() || user.email == new.user.email);
                opened.entry(of.clone()).or_default().push(id);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(opened.len(), 60);
    for (of, opened) in opened {
        let mut listed = fixture.active_ids(&of, at(6)).await;
        listed.retain(|id| !ids(&known).contains(id));
        listed.reverse();
        assert_eq!(listed, opened);
    }
    assert_eq!(fixture.active_ids(&banned, at(6)).await, []);
}

async fn batched_openings_are_stored_whole(fixture: &Fixture) {
    let sessions: Vec<Session> = (0..30)
        .map(|number| {
            let of = format!("user {number}");
            // Each row differs from the others in one field.
            if number % 2 == 0 { full_session(&of) } else { session_at(&of, number) }
        })
        .collect();
    let asked: Vec<NewSession> = sessions.iter().map(new).collect();
    for opened in join_all(asked.iter().map(|new| fixture.store.open_session(new))).await {
        assert!(matches!(opened.unwrap(), Opening::Opened { .. }));
    }
    for session in sessions {
        assert_eq!(fixture.stored(session.id).await, session);
    }
}

#[tokio::test]
async fn nobody_waits_for_a_lock_but_who_wants_that_row_postgres() {
    let fixture = Fixture::postgres().await;
    let sessions = many(&fixture).await;
    let pool = PgPool::connect(fixture.database.url()).await.unwrap();
    let given_up = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let before = fixture.raw.number(given_up).await;
    let mut holder = pool.begin().await.unwrap();
    let (held, free) = (&sessions[7], || sessions.iter().filter(|session| session.id != sessions[7].id));
    sqlx::query("SELECT FROM sessions WHERE id = $1 FOR UPDATE")
        .bind(held.id.as_uuid())
        .execute(&mut *holder)
        .await
        .unwrap();
    let extend =
        |session: &Session| fixture.store.extend_session(session.id, Owner::Anyone, TimeDelta::hours(1), at(1), None);
    // One thread: all requests are queued before the first batch runs, so they share a batch.
    let mut waiting = Box::pin(extend(held));
    let others = async {
        for extended in join_all(free().map(extend)).await {
            extended.unwrap().unwrap();
        }
    };
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("it is locked"),
        () = others => {}
    }
    holder.commit().await.unwrap();
    let extended = waiting.await.unwrap().unwrap();
    assert_eq!(extended.expires_at, held.expires_at + TimeDelta::hours(1));
    // If they had waited for the lock, they would have timed out and been rolled back.
    fixture.store.close().await;
    pool.close().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(fixture.raw.number(given_up).await, before);
}

async fn one_that_cannot_be_read_spoils_no_other(fixture: &Fixture) {
    let sessions = many(fixture).await;
    let (spoilt, by) = (sessions[4].id, TimeDelta::seconds(9));
    let spoil = format!("UPDATE sessions SET device_type = 'toaster' WHERE id = {}", fixture.raw.id(spoilt));
    fixture.raw.run(&spoil).await.unwrap();
    let extend = |session: &Session| fixture.store.extend_session(session.id, Owner::Anyone, by, at(1), None);
    for (session, extended) in sessions.iter().zip(join_all(sessions.iter().map(extend)).await) {
        match extended {
            Err(Error::Internal(_)) => assert_eq!(session.id, spoilt),
            other => assert_eq!(other.unwrap().unwrap().expires_at, session.expires_at + by, "once"),
        }
    }
    for session in sessions.iter().filter(|session| session.id != spoilt) {
        assert_eq!(fixture.stored(session.id).await.expires_at, session.expires_at + by, "once");
    }
}

async fn one_that_cannot_be_written_spoils_no_other(fixture: &Fixture) {
    let known = fixture.open(session_of("known")).await;
    let mut asked: Vec<NewSession> = (0..30).map(|number| new(&session_of(&format!("user {number}")))).collect();
    asked[4].session.id = known.id;
    let answers = join_all(asked.iter().map(|new| fixture.store.open_session(new))).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Err(Error::Internal(_)) => assert_eq!(number, 4),
            other => assert!(matches!(other.unwrap(), Opening::Opened { .. })),
        }
    }
    for (number, new) in asked.iter().enumerate().filter(|(number, _)| *number != 4) {
        assert_eq!(fixture.stored(new.session.id).await, new.session, "{number}");
    }
    assert_eq!(fixture.stored(known.id).await, known);
}

#[tokio::test]
async fn what_sqlite_takes_back_by_itself_does_not_stop_the_next() {
    let fixture = Fixture::sqlite().await;
    let session = fixture.open(session_of("ann")).await;
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF expires_at ON sessions
                  BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END";
    fixture.raw.run(refuse).await.unwrap();
    let extend = || fixture.store.extend_session(session.id, Owner::Anyone, TimeDelta::hours(1), at(1), None);
    extend().await.unwrap_err();
    fixture.raw.run("DROP TRIGGER refuse").await.unwrap();
    for _ in 0..3 {
        extend().await.unwrap().unwrap();
    }
    fixture.open(session_of("bob")).await;
}
