//! Records about master secrets.

use chrono::TimeDelta;
use sojourn::clock::SystemEntropy;
use sojourn::model::Algorithm;
use sojourn::model::{EndReason, Owner, Session};
use sojourn::store::{SessionsOpened, UsedSecret};
use sojourn::tokens::{Keyring, MasterSecret, SealedSigningKey, SecretId};

use super::fixture::{Fixture, MICROSECOND, at, session_at};
use super::keys::signing_key;

on_both_stores!(
    the_latest_use_of_each_secret_is_kept,
    a_seal_is_replaced_by_the_first_who_knows_it,
    the_active_sessions_opened_until_an_instant_are_counted,
);

fn secret_id() -> SecretId {
    Keyring::new(&MasterSecret::generate(&SystemEntropy).unwrap()).current_id()
}

async fn the_latest_use_of_each_secret_is_kept(fixture: &Fixture) {
    assert_eq!(fixture.store.used_secrets().await.unwrap(), []);
    let mut ids = [secret_id(), secret_id()];
    ids.sort();
    let [one, two] = ids;
    let uses = [(two, at(5)), (one, at(1)), (one, at(9) + MICROSECOND), (one, at(3)), (two, at(5))];
    for (id, now) in uses {
        fixture.store.note_use_of_secret(id, now).await.unwrap();
    }
    let expected =
        [UsedSecret { id: one, last_used_at: at(9) + MICROSECOND }, UsedSecret { id: two, last_used_at: at(5) }];
    assert_eq!(fixture.store.used_secrets().await.unwrap(), expected);
}

async fn a_seal_is_replaced_by_the_first_who_knows_it(fixture: &Fixture) {
    let (key, other) = (signing_key(1, "a", Algorithm::EdDsa), signing_key(2, "b", Algorithm::EdDsa));
    for key in [&key, &other] {
        assert!(fixture.store.add_signing_key(key, None).await.unwrap());
    }
    let unknown = SealedSigningKey { sealed: vec![1], ..key.clone() };
    assert!(!fixture.store.replace_seal(&unknown, &[9]).await.unwrap());
    let stale = key.clone();
    let answers = fixture
        .race(8, move |task, store| {
            let key = stale.clone();
            async move { store.replace_seal(&key, &[100 + u8::try_from(task).unwrap()]).await.unwrap() }
        })
        .await;
    let winner = answers.iter().position(|replaced| *replaced).unwrap();
    assert_eq!(answers.iter().filter(|replaced| **replaced).count(), 1);
    let replaced = SealedSigningKey { sealed: vec![100 + u8::try_from(winner).unwrap()], ..key };
    assert_eq!(fixture.store.signing_keys().await.unwrap(), [replaced, other]);
}

async fn the_active_sessions_opened_until_an_instant_are_counted(fixture: &Fixture) {
    let nobody = SessionsOpened { count: 0, last_end: None };
    assert_eq!(fixture.store.sessions_opened_until(at(9), at(9)).await.unwrap(), nobody);
    let first = fixture.open(session_at("ann", 0)).await;
    let last = Session { absolute_expires_at: at(0) + TimeDelta::days(60), ..session_at("bob", 5) };
    let last = fixture.open(last).await;
    fixture.open(session_at("cid", 6)).await;
    let ended = fixture.open(session_at("dot", 1)).await;
    fixture.store.end_session(ended.id, Owner::Anyone, EndReason::Logout, at(7), None).await.unwrap();

    let counted = async |until, now| fixture.store.sessions_opened_until(until, now).await.unwrap();
    let both = SessionsOpened { count: 2, last_end: Some(last.absolute_expires_at) };
    assert_eq!(counted(at(5), at(8)).await, both);
    let one = SessionsOpened { count: 1, last_end: Some(first.absolute_expires_at) };
    assert_eq!(counted(at(5) - MICROSECOND, at(8)).await, one);
    assert_eq!(counted(at(5), at(0) + TimeDelta::hours(2)).await, nobody, "idle for too long");
}
