//! Changes of an active session.

use chrono::TimeDelta;
use sojourn::model::{ExtraClaims, Metadata, Owner, Session};
use sojourn::store::SessionChange;

use super::fixture::{Fixture, MICROSECOND, full_session, new_id, session_of, user};

on_both_stores!(
    an_extension_moves_the_end_and_nothing_else,
    an_extension_stops_at_the_absolute_end,
    extensions_at_once_all_count,
    a_foreign_users_session_cannot_be_extended_or_changed,
    a_change_leaves_what_it_does_not_name,
    a_name_can_be_given_and_taken_away,
    an_inactive_session_cannot_be_changed,
);

async fn an_extension_moves_the_end_and_nothing_else(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let (by, now) = (TimeDelta::seconds(90), session.created_at);
    let extended =
        fixture.store.extend_session(session.id, Owner::User(&session.user_id), by, now, None).await.unwrap();
    let expected = Session { expires_at: session.expires_at + by, ..session };
    assert_eq!(extended, Some(expected.clone()));
    assert_eq!(fixture.stored(expected.id).await, expected);
}

async fn an_extension_stops_at_the_absolute_end(fixture: &Fixture) {
    let session = fixture.open(full_session("ann")).await;
    for by in [MICROSECOND * 2, TimeDelta::days(365)] {
        let extended = fixture
            .store
            .extend_session(session.id, Owner::Anyone, by, session.created_at, None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(extended.expires_at, session.absolute_expires_at);
    }
}

async fn extensions_at_once_all_count(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let (id, now) = (session.id, session.created_at);
    let by = TimeDelta::seconds(10);
    fixture
        .race(10, |_, store| async move {
            store.extend_session(id, Owner::Anyone, by, now, None).await.unwrap().unwrap();
        })
        .await;
    assert_eq!(fixture.stored(id).await.expires_at, session.expires_at + by * 10);
}

async fn a_foreign_users_session_cannot_be_extended_or_changed(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let (bob, now) = (user("bob"), session.created_at);
    let change = SessionChange { device_name: Some(Some("mine".to_owned())), ..SessionChange::default() };
    for (id, owner) in [(session.id, Owner::User(&bob)), (new_id(), Owner::Anyone)] {
        assert_eq!(fixture.store.extend_session(id, owner, TimeDelta::days(1), now, None).await.unwrap(), None);
        assert_eq!(fixture.store.change_session(id, owner, &change, now, None).await.unwrap(), None);
    }
    assert_eq!(fixture.stored(session.id).await, session);
}

async fn a_change_leaves_what_it_does_not_name(fixture: &Fixture) {
    let session = fixture.open(full_session("ann")).await;
    let (id, now) = (session.id, session.created_at);
    let nothing = SessionChange::default();
    let unchanged = fixture.store.change_session(id, Owner::Anyone, &nothing, now, None).await.unwrap();
    assert_eq!(unchanged, Some(session.clone()));

    let metadata = Metadata::from_json(r#"{"n":  1}"#.to_owned()).unwrap();
    let change = SessionChange { metadata: Some(metadata.clone()), ..SessionChange::default() };
    let changed = fixture.store.change_session(id, Owner::User(&session.user_id), &change, now, None).await.unwrap();
    let expected = Session { metadata, ..session };
    assert_eq!(changed, Some(expected.clone()));
    assert_eq!(fixture.stored(id).await, expected);

    for claims in [Some(ExtraClaims::from_json(r#"{"a":"ü"}"#.to_owned())), None] {
        let change = SessionChange { claims: Some(claims.clone()), ..SessionChange::default() };
        let changed = fixture.store.change_session(id, Owner::Anyone, &change, now, None).await.unwrap();
        assert_eq!(changed, Some(Session { claims, ..expected.clone() }));
    }
}

async fn a_name_can_be_given_and_taken_away(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    for name in [Some("Ann's laptop 💻"), Some("it's \"so\" %_\\"), None] {
        let name = name.map(str::to_owned);
        let change = SessionChange { device_name: Some(name.clone()), ..SessionChange::default() };
        let changed =
            fixture.store.change_session(session.id, Owner::Anyone, &change, session.created_at, None).await.unwrap();
        assert_eq!(changed.unwrap().device.name, name);
        assert_eq!(fixture.stored(session.id).await.device.name, name);
    }
}

async fn an_inactive_session_cannot_be_changed(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let change = SessionChange { device_name: Some(Some("late".to_owned())), ..SessionChange::default() };
    let idle = session.last_seen_at + session.idle_timeout.unwrap();
    for now in [idle, session.expires_at] {
        assert_eq!(fixture.store.change_session(session.id, Owner::Anyone, &change, now, None).await.unwrap(), None);
        let by = TimeDelta::days(1);
        assert_eq!(fixture.store.extend_session(session.id, Owner::Anyone, by, now, None).await.unwrap(), None);
    }
    assert_eq!(fixture.stored(session.id).await, session);
}
