//! Service keys and signing keys.

use chrono::{DateTime, TimeDelta, Utc};
use sojourn::model::{Algorithm, EndReason, Ended, Scope, ServiceKeyId, UserId};
use sojourn::store::{EndedAtOnce, Error};
use sojourn::tokens::{SealedSigningKey, StoredServiceKey};
use uuid::Uuid;

use super::fixture::{Fixture, MICROSECOND, at, session_of};

on_both_stores!(
    a_service_key_comes_back_as_it_was,
    service_keys_are_listed_newest_first,
    a_revoked_service_key_keeps_when,
    a_revoked_service_key_takes_the_sessions_of_its_staff_with_it,
    a_service_key_id_that_is_taken_is_refused,
    signing_keys_come_back_oldest_first,
    of_ten_signing_keys_with_one_sequence_one_is_kept,
    a_forgotten_signing_key_is_gone_and_the_others_stay,
    an_algorithm_is_noted_as_wanted_and_never_earlier,
);

pub(super) fn service_key(id: u128, seconds: i64) -> StoredServiceKey {
    StoredServiceKey {
        id: ServiceKeyId(Uuid::from_u128(id)),
        name: format!("web '{id}' ü"),
        scope: Scope::parse("sessions:read sessions:write").unwrap(),
        secret_hash: [u8::try_from(id).unwrap(); 32],
        created_at: at(seconds) + MICROSECOND,
        expires_at: None,
        revoked_at: None,
        application: None,
    }
}

async fn a_service_key_comes_back_as_it_was(fixture: &Fixture) {
    let plain = service_key(1, 0);
    let full = StoredServiceKey {
        expires_at: Some(at(9) + MICROSECOND),
        revoked_at: Some(at(8) + MICROSECOND),
        scope: Scope::default(),
        application: Some("shop ü".to_owned()),
        ..service_key(2, 0)
    };
    for key in [&plain, &full] {
        fixture.store.add_service_key(key, None).await.unwrap();
    }
    assert_eq!(fixture.store.service_key(plain.id).await.unwrap(), Some(plain));
    assert_eq!(fixture.store.service_key(full.id).await.unwrap(), Some(full));
    assert_eq!(fixture.store.service_key(ServiceKeyId(Uuid::from_u128(3))).await.unwrap(), None);
}

async fn service_keys_are_listed_newest_first(fixture: &Fixture) {
    assert_eq!(fixture.store.service_keys().await.unwrap(), []);
    let (old, new, same) = (service_key(9, 0), service_key(1, 5), service_key(2, 5));
    for key in [&new, &old, &same] {
        fixture.store.add_service_key(key, None).await.unwrap();
    }
    assert_eq!(fixture.store.service_keys().await.unwrap(), [same, new, old]);
}

async fn a_revoked_service_key_keeps_when(fixture: &Fixture) {
    let (key, other) = (service_key(1, 0), service_key(2, 0));
    for key in [&key, &other] {
        fixture.store.add_service_key(key, None).await.unwrap();
    }
    for now in [at(5), at(6)] {
        assert_eq!(revoke(fixture, key.id, now).await, Some(EndedAtOnce::Ended(Vec::new())));
    }
    assert_eq!(fixture.store.service_key(key.id).await.unwrap().unwrap().revoked_at, Some(at(5)));
    assert_eq!(fixture.store.service_key(other.id).await.unwrap(), Some(other));
    assert_eq!(revoke(fixture, ServiceKeyId(Uuid::from_u128(3)), at(5)).await, None);
}

async fn a_revoked_service_key_takes_the_sessions_of_its_staff_with_it(fixture: &Fixture) {
    let key = service_key(1, 0);
    fixture.store.add_service_key(&key, None).await.unwrap();
    let of_staff = fixture.open(session_of("staff")).await;
    let other = fixture.open(session_of("other")).await;
    assert_eq!(revoke(fixture, ServiceKeyId(Uuid::from_u128(3)), at(4)).await, None, "an unknown key");
    assert!(fixture.stored(of_staff.id).await.ended.is_none(), "an unknown key takes nothing with it");
    assert_eq!(revoke(fixture, key.id, at(5)).await, Some(EndedAtOnce::Ended(vec![of_staff.id])));
    let ended = fixture.stored(of_staff.id).await.ended;
    assert_eq!(ended, Some(Ended { at: at(5), reason: EndReason::RevokedByAdmin }));
    assert!(fixture.stored(other.id).await.ended.is_none());
}

/// Revokes a service key whose staff is the user `staff`.
async fn revoke(fixture: &Fixture, id: ServiceKeyId, now: DateTime<Utc>) -> Option<EndedAtOnce> {
    let staff = UserId::parse("staff").unwrap();
    fixture
        .store
        .revoke_service_key(id, &staff, Ended { at: now, reason: EndReason::RevokedByAdmin }, None)
        .await
        .unwrap()
}

async fn a_service_key_id_that_is_taken_is_refused(fixture: &Fixture) {
    let key = service_key(1, 0);
    fixture.store.add_service_key(&key, None).await.unwrap();
    let copy = StoredServiceKey { name: "copy".to_owned(), ..key.clone() };
    assert!(matches!(fixture.store.add_service_key(&copy, None).await, Err(Error::Internal(_))));
    assert_eq!(fixture.store.service_keys().await.unwrap(), [key]);
}

pub(super) fn signing_key(sequence: i64, kid: &str, algorithm: Algorithm) -> SealedSigningKey {
    SealedSigningKey {
        sequence,
        kid: kid.to_owned(),
        algorithm,
        sealed: vec![0, 255, 7],
        created_at: at(sequence) + MICROSECOND,
        active_from: at(sequence) + TimeDelta::minutes(10),
        wanted_at: None,
    }
}

async fn signing_keys_come_back_oldest_first(fixture: &Fixture) {
    assert_eq!(fixture.store.signing_keys().await.unwrap(), []);
    let keys = [
        signing_key(1, "c", Algorithm::EdDsa),
        signing_key(2, "a", Algorithm::Es256),
        signing_key(10, "b", Algorithm::Rs256),
    ];
    for key in keys.iter().rev() {
        assert!(fixture.store.add_signing_key(key, None).await.unwrap());
    }
    assert_eq!(fixture.store.signing_keys().await.unwrap(), keys);
}

async fn of_ten_signing_keys_with_one_sequence_one_is_kept(fixture: &Fixture) {
    let answers = fixture
        .race(10, |task, store| async move {
            let key = signing_key(1, &format!("key {task}"), Algorithm::EdDsa);
            (store.add_signing_key(&key, None).await.unwrap(), key)
        })
        .await;
    let added: Vec<SealedSigningKey> = answers.into_iter().filter(|(added, _)| *added).map(|(_, key)| key).collect();
    assert_eq!(added.len(), 1);
    assert_eq!(fixture.store.signing_keys().await.unwrap(), added);
}

async fn a_forgotten_signing_key_is_gone_and_the_others_stay(fixture: &Fixture) {
    for sequence in 1..=3 {
        let key = signing_key(sequence, &format!("key {sequence}"), Algorithm::EdDsa);
        fixture.store.add_signing_key(&key, None).await.unwrap();
    }
    for _ in 0..2 {
        fixture.store.remove_signing_key(2).await.unwrap();
        let kept: Vec<i64> = fixture.store.signing_keys().await.unwrap().iter().map(|key| key.sequence).collect();
        assert_eq!(kept, [1, 3]);
    }
}

async fn an_algorithm_is_noted_as_wanted_and_never_earlier(fixture: &Fixture) {
    let one = signing_key(1, "a", Algorithm::EdDsa);
    let noted = SealedSigningKey { wanted_at: Some(at(3) + MICROSECOND), ..signing_key(2, "b", Algorithm::EdDsa) };
    let other = signing_key(3, "c", Algorithm::Es256);
    for key in [&one, &noted, &other] {
        assert!(fixture.store.add_signing_key(key, None).await.unwrap());
    }
    assert_eq!(fixture.store.signing_keys().await.unwrap(), [one.clone(), noted.clone(), other.clone()]);
    for (now, expected) in [(at(1), [at(1), at(3) + MICROSECOND]), (at(9), [at(9), at(9)]), (at(5), [at(9), at(9)])] {
        fixture.store.note_wanted_algorithm(Algorithm::EdDsa, now).await.unwrap();
        let wanted = expected.map(Some);
        let keys = [
            SealedSigningKey { wanted_at: wanted[0], ..one.clone() },
            SealedSigningKey { wanted_at: wanted[1], ..noted.clone() },
            other.clone(),
        ];
        assert_eq!(fixture.store.signing_keys().await.unwrap(), keys);
    }
}
