//! Opening of sessions: stored fields, new users, bans.

use sojourn::model::User;
use sojourn::model::{EndReason, Owner, Session};
use sojourn::store::{Error, NewSession, Opening};

use super::fixture::{Fixture, at, details, full_session, new, session_at, session_of, user};

on_both_stores!(
    a_session_comes_back_with_every_field_set_to_the_microsecond,
    a_session_comes_back_with_every_optional_field_unset,
    a_session_that_may_stay_unused_for_ever_stays_so,
    the_user_is_created_and_told_details_replace_the_stored_ones,
    details_that_are_told_again_change_nothing,
    a_banned_user_gets_no_session_and_nothing_is_written,
    an_id_that_is_taken_is_refused_and_nothing_is_written,
    a_ban_that_races_twenty_opens_leaves_no_active_session,
    a_deletion_that_races_twenty_opens_leaves_only_sessions_of_a_known_user,
);

async fn a_session_comes_back_with_every_field_set_to_the_microsecond(at: &Fixture) {
    let session = at.open(full_session("ann")).await;
    assert_eq!(at.stored(session.id).await, session);
    assert_eq!(at.store.sessions_of_tokens(&[session.id]).await.unwrap().pop().unwrap().session, session);
}

async fn a_session_comes_back_with_every_optional_field_unset(at: &Fixture) {
    let session = at.open(Session { idle_timeout: None, ..session_of("ann") }).await;
    assert_eq!(at.stored(session.id).await, session);
    assert_eq!(at.store.active_sessions_of(&session.user_id, session.created_at).await.unwrap(), [session]);
}

async fn a_session_that_may_stay_unused_for_ever_stays_so(fixture: &Fixture) {
    let mut session = session_of("ann");
    session.idle_timeout = None;
    let session = fixture.open(session).await;
    let last = session.expires_at - super::fixture::MICROSECOND;
    assert_eq!(fixture.active_ids(&session.user_id, last).await, [session.id]);
}

async fn the_user_is_created_and_told_details_replace_the_stored_ones(fixture: &Fixture) {
    let open = async |seconds, name, email| {
        let session = session_at("ann", seconds);
        let told = NewSession { user: details(name, email), ..new(&session) };
        match fixture.store.open_session(&told).await.unwrap() {
            Opening::Opened { user, evicted, .. } => {
                assert_eq!(evicted, []);
                user
            }
            other => panic!("{other:?}"),
        }
    };
    let first = open(0, Some("Ann"), None).await;
    let expected = User {
        id: user("ann"),
        name: Some("Ann".to_owned()),
        email: None,
        banned_at: None,
        ban_reason: None,
        created_at: at(0),
        updated_at: at(0),
    };
    assert_eq!(first, expected);
    let second = open(1, None, Some("ann@example.org")).await;
    assert_eq!(second, User { email: Some("ann@example.org".to_owned()), updated_at: at(1), ..first });
    let third = open(2, Some("Ann B."), None).await;
    assert_eq!(third, User { name: Some("Ann B.".to_owned()), updated_at: at(2), ..second });
    assert_eq!(fixture.store.user(&user("ann")).await.unwrap(), Some(third));
}

async fn details_that_are_told_again_change_nothing(fixture: &Fixture) {
    let told = |seconds| NewSession { user: details(Some("Ann"), Some("a@b")), ..new(&session_at("ann", seconds)) };
    fixture.store.open_session(&told(0)).await.unwrap();
    let before = fixture.store.user(&user("ann")).await.unwrap();
    fixture.store.open_session(&told(5)).await.unwrap();
    fixture.open(session_at("ann", 6)).await;
    assert_eq!(fixture.store.user(&user("ann")).await.unwrap(), before);
}

async fn a_banned_user_gets_no_session_and_nothing_is_written(fixture: &Fixture) {
    let (banned, _) = fixture.store.ban_user(&user("eve"), None, at(0), None).await.unwrap();
    let session = session_at("eve", 1);
    let plain = NewSession { user: details(Some("Eve"), Some("eve@example.org")), ..new(&session) };
    let with_key = NewSession { user: plain.user.clone(), ..super::fixture::keyed(&session, "key", b"1") };
    for refused in [plain, with_key] {
        assert_eq!(fixture.store.open_session(&refused).await.unwrap(), Opening::UserBanned);
        assert_eq!(fixture.store.session(session.id, Owner::Anyone).await.unwrap(), None);
        assert_eq!(fixture.store.user(&user("eve")).await.unwrap(), Some(banned.clone()));
    }
    assert_eq!(fixture.raw.number("SELECT count(*) FROM idempotency_keys").await, 0);
}

async fn an_id_that_is_taken_is_refused_and_nothing_is_written(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let copy = Session { id: session.id, ..full_session("bob") };
    assert!(matches!(fixture.store.open_session(&new(&copy)).await, Err(Error::Internal(_))));
    assert_eq!(fixture.stored(session.id).await, session);
    assert_eq!(fixture.store.user(&user("bob")).await.unwrap(), None);
}

async fn a_ban_that_races_twenty_opens_leaves_no_active_session(fixture: &Fixture) {
    for round in 0..5 {
        let eve = user(&format!("eve{round}"));
        let racer = eve.clone();
        let opened = fixture
            .race(21, |task, store| {
                let eve = racer.clone();
                async move {
                    if task == 10 {
                        store.ban_user(&eve, None, at(1), None).await.unwrap();
                        return false;
                    }
                    let opening = store.open_session(&new(&session_of(eve.as_str()))).await.unwrap();
                    assert!(matches!(opening, Opening::Opened { .. } | Opening::UserBanned), "{opening:?}");
                    matches!(opening, Opening::Opened { .. })
                }
            })
            .await;
        assert_eq!(fixture.active_ids(&eve, at(2)).await, []);
        let kept = fixture.raw.number(&format!("SELECT count(*) FROM sessions WHERE user_id = '{eve}'")).await;
        let opened = opened.into_iter().filter(|opened| *opened).count();
        assert_eq!(usize::try_from(kept).unwrap(), opened);
        assert_eq!(ended_with(fixture, &eve, EndReason::UserBanned).await, opened);
    }
}

async fn a_deletion_that_races_twenty_opens_leaves_only_sessions_of_a_known_user(fixture: &Fixture) {
    for round in 0..5 {
        let ann = user(&format!("ann{round}"));
        fixture.open(session_of(ann.as_str())).await;
        let racer = ann.clone();
        fixture
            .race(21, |task, store| {
                let ann = racer.clone();
                async move {
                    if task == 10 {
                        assert!(store.delete_user(&ann, at(1), None).await.unwrap().is_some());
                    } else {
                        store.open_session(&new(&session_of(ann.as_str()))).await.unwrap();
                    }
                }
            })
            .await;
        let active = fixture.active_ids(&ann, at(2)).await;
        assert_eq!(fixture.store.user(&ann).await.unwrap().is_some(), !active.is_empty());
        assert_eq!(ended_with(fixture, &ann, EndReason::UserDeleted).await, 21 - active.len());
    }
}

async fn ended_with(fixture: &Fixture, user: &sojourn::model::UserId, reason: EndReason) -> usize {
    let reason = reason.as_str();
    let count = format!("SELECT count(*) FROM sessions WHERE user_id = '{user}' AND end_reason = '{reason}'");
    fixture.raw.number(&count).await.try_into().unwrap()
}
