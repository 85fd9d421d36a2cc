//! Rotation of the master secret.

use chrono::TimeDelta;
use serde_json::json;
use sojourn::clock::SystemEntropy;
use sojourn::tokens::{Keyring, MasterSecret, SecretId};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

fn secret() -> MasterSecret {
    MasterSecret::generate(&SystemEntropy).unwrap()
}

fn id_of(secret: &MasterSecret) -> SecretId {
    Keyring::new(secret).current_id()
}

/// The next replica of a server, with another secret, and with the server's own as a previous one.
async fn rotated(server: &Server, new: &MasterSecret) -> Server {
    let (secret, previous) = (new.clone(), server.secret().clone());
    server.replica_with(|with| with.secret(secret).previous_secrets(vec![previous])).await
}

/// The secrets that seal the stored signing keys, as this server sees them.
async fn seals(server: &Server) -> Vec<SecretId> {
    let secrets = server.signing_keys().secrets().await.unwrap();
    secrets.iter().filter(|secret| secret.seals > 0).map(|secret| secret.id).collect()
}

on_both_databases! {
    async fn tokens_of_a_former_secret_stay_valid_and_renewed_ones_no_longer_need_it(database) {
        let before = Server::start(database).await;
        let pair = before.open("alice").await;
        let bearer = before.open_with(&json!({ "user_id": "bob", "tokens": "session" })).await;
        let page = before.send("GET", "/v1/sessions?limit=1", BOOTSTRAP_KEY).await.expect(200).json();
        let next = format!("/v1/sessions?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());

        let new = secret();
        let both = rotated(&before, &new).await;
        assert!(both.stands(&pair.access).await && both.stands(&bearer.access).await);
        both.send("GET", &next, BOOTSTRAP_KEY).await.expect(200);
        let refreshed = both.refresh(&pair.refresh).await.expect(200).json();
        both.signing_keys().load().await.unwrap();
        both.wait(TimeDelta::minutes(3));
        both.signing_keys().load().await.unwrap();

        let after = before.replica_with(|with| with.secret(new)).await;
        let renewed = refreshed["refresh_token"].as_str().unwrap();
        assert!(after.stands(refreshed["access_token"].as_str().unwrap()).await, "the signing key is the same");
        assert!(!after.stands(&bearer.access).await, "derived from a secret that is gone");
        after.refresh(&pair.refresh).await.expect(400);
        after.refresh(renewed).await.expect(200);
        after.send("GET", &next, BOOTSTRAP_KEY).await.expect(422);
    }

    async fn signing_keys_are_sealed_anew_when_nobody_uses_the_former_secret_any_more(database) {
        let old = Server::start(database).await;
        old.signing_keys().note_use_of_secrets().await;
        let (was, new) = (old.secret().clone(), secret());
        let both = rotated(&old, &new).await;
        for _ in 0..5 {
            old.signing_keys().load().await.unwrap();
            both.signing_keys().load().await.unwrap();
            both.wait(TimeDelta::minutes(1));
        }
        assert_eq!(seals(&both).await, [id_of(&was)], "a replica with the former one alone can be started again");
        drop(old.replica().await);

        // From here on no replica has the former secret alone.
        both.wait(TimeDelta::minutes(3));
        let another = rotated(&old, &new).await;
        let (one, two) = tokio::join!(both.signing_keys().load(), another.signing_keys().load());
        one.and(two).unwrap();
        assert_eq!(seals(&both).await, [id_of(&new)]);
        assert!(old.signing_keys().load().await.is_err());
        let opened = old.open("alice").await;
        assert!(old.stands(&opened.access).await, "one that was forgotten goes on with the keys that it knows");
        let after = old.replica_with(|with| with.secret(new)).await;
        assert!(after.stands(&opened.access).await, "it signs with the same key");
    }

    async fn replicas_before_and_after_the_turn_never_seal_against_each_other(database) {
        let one = Server::start(database).await;
        one.signing_keys().note_use_of_secrets().await;
        let (was, new) = (one.secret().clone(), secret());
        let knowing = new.clone();
        let before = one.replica_with(|with| with.previous_secrets(vec![knowing])).await;
        let after = rotated(&one, &new).await;
        let sealed = async || one.store.signing_keys().await.unwrap().into_iter().map(|key| key.sealed).collect::<Vec<_>>();
        let before_all = sealed().await;
        for _ in 0..5 {
            for server in [&before, &after, &before] {
                server.signing_keys().load().await.unwrap();
            }
            assert_eq!(sealed().await, before_all);
            one.wait(TimeDelta::minutes(1));
        }
        // A key that one replica makes can be used by the other.
        after.signing_keys().rotate(None, true, None).await.unwrap();
        before.sessions.access_tokens().replace_keys(before.signing_keys().load().await.unwrap());
        after.sessions.access_tokens().replace_keys(after.signing_keys().load().await.unwrap());
        assert!(after.stands(&before.open("alice").await.access).await);
        assert!(before.stands(&after.open("alice").await.access).await);
        assert_eq!(seals(&before).await, [id_of(&new)]);

        // Going back to the former secret follows the same rule.
        one.wait(TimeDelta::minutes(3));
        before.signing_keys().load().await.unwrap();
        assert_eq!(seals(&before).await, [id_of(&was)]);
    }

    async fn a_former_secret_may_go_when_nothing_needs_it(database) {
        let old = Server::start(database).await;
        old.signing_keys().note_use_of_secrets().await;
        let (was, new) = (old.secret().clone(), secret());
        let opened = old.open("alice").await;
        let both = rotated(&old, &new).await;
        let status = async |secret: &MasterSecret| {
            let secrets = both.signing_keys().secrets().await.unwrap();
            secrets.into_iter().find(|status| status.id == id_of(secret)).unwrap()
        };
        both.signing_keys().load().await.unwrap();
        let (former, current) = (status(&was).await, status(&new).await);
        assert!(former.set && !former.current && former.in_use && former.seals == 1 && !former.may_go());
        assert!(current.set && current.current && current.in_use && current.seals == 0 && !current.may_go());

        both.wait(TimeDelta::minutes(3));
        both.open("bob").await;
        both.signing_keys().load().await.unwrap();
        let former = status(&was).await;
        assert!(!former.in_use && former.seals == 0 && !former.may_go());
        let sessions = former.sessions.unwrap();
        let body = both.send("GET", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY).await.expect(200).json();
        let end: chrono::DateTime<chrono::Utc> = body["absolute_expires_at"].as_str().unwrap().parse().unwrap();
        assert_eq!((sessions.count, sessions.last_end), (1, Some(end)), "bob's tokens are of the current one");

        both.end(&opened.id).await;
        assert!(status(&was).await.may_go());
        let others = old.replica_with(|with| with.secret(new.clone())).await;
        let secrets = others.signing_keys().secrets().await.unwrap();
        assert!(secrets.iter().any(|status| status.id == id_of(&was) && !status.set), "what others use is told too");
    }
}
