//! The signature algorithm of an application: its own line of keys beside the server's.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};
use sojourn::config::TokenConfig;
use sojourn::model::Algorithm;

use crate::support::jwt::header;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Opened, Server, answer};

async fn open_for(server: &Server, client: &str) -> Opened {
    server.open_with(&json!({ "user_id": "alice", "client_id": client })).await
}

async fn create(server: &Server, client: &str, algorithm: &str) {
    let body = json!({ "client_id": client, "signing_algorithm": algorithm });
    let made = server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &body).await.expect(201).json();
    assert_eq!(made["signing_algorithm"], algorithm);
}

/// Reads the keys again and keeps them up to date, as a server does every ten seconds.
async fn keep(server: &Server) {
    server.sessions.access_tokens().replace_keys(server.signing_keys().load().await.unwrap());
}

async fn key_set(server: &Server) -> JwkSet {
    let answer = answer(server.request("GET", "/.well-known/jwks.json")).await.expect(200);
    serde_json::from_str(&answer.text).unwrap()
}

/// The name of the algorithm of a token that a library verifies with the published keys.
async fn verified(server: &Server, token: &str) -> String {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let keys = key_set(server).await;
    let key = keys.find(header.kid.as_deref().unwrap()).expect("its key is published");
    let mut validation = jsonwebtoken::Validation::new(header.alg);
    validation.set_audience(&["sojourn"]);
    validation.validate_exp = false;
    let decoding = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
    jsonwebtoken::decode::<Value>(token, &decoding, &validation).unwrap();
    let named = serde_json::to_value(key.common.key_algorithm).unwrap();
    let used = serde_json::to_value(header.alg).unwrap();
    assert_eq!(named, used, "the key says which algorithm it is for");
    used.as_str().unwrap().to_owned()
}

async fn published(server: &Server) -> BTreeSet<String> {
    let metadata = answer(server.request("GET", "/.well-known/oauth-authorization-server")).await.expect(200).json();
    let of_metadata: BTreeSet<String> =
        serde_json::from_value(metadata["id_token_signing_alg_values_supported"].clone()).unwrap();
    let keys = key_set(server).await.keys;
    let algorithms = keys.iter().map(|key| serde_json::to_value(key.common.key_algorithm).unwrap());
    let of_keys: BTreeSet<String> = algorithms.map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(of_metadata, of_keys);
    of_keys
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

on_both_databases! {
    async fn an_application_s_tokens_have_its_algorithm_once_verifiers_know_the_key(database) {
        let server = Server::start(database).await;
        create(&server, "shop", "ES256").await;
        create(&server, "old", "RS256").await;
        create(&server, "same", "EdDSA").await;
        assert_eq!(published(&server).await, names(["EdDSA", "ES256", "RS256"]), "a key is published before it signs");
        for client in ["shop", "old", "same", "none"] {
            assert_eq!(verified(&server, &open_for(&server, client).await.access).await, "EdDSA");
        }
        server.wait(TimeDelta::minutes(10));
        let mut tokens = Vec::new();
        for (client, algorithm) in [("shop", "ES256"), ("old", "RS256"), ("same", "EdDSA"), ("none", "EdDSA")] {
            let opened = open_for(&server, client).await;
            let refreshed = server.refresh(&opened.refresh).await.expect(200).json();
            for token in [&opened.access, refreshed["access_token"].as_str().unwrap()] {
                assert_eq!(verified(&server, token).await, algorithm, "{client}");
                assert!(server.stands(token).await);
            }
            tokens.push(opened.access);
        }
        // Another replica signs and takes the same.
        let other = server.replica().await;
        assert_eq!(verified(&server, &open_for(&other, "shop").await.access).await, "ES256");
        for token in &tokens {
            assert!(other.stands(token).await);
        }
        let change = json!({ "signing_algorithm": null });
        let changed = server.send_json("PATCH", "/v1/applications/shop", BOOTSTRAP_KEY, &change).await.expect(200).json();
        assert_eq!(changed.get("signing_algorithm"), None);
        assert_eq!(verified(&server, &open_for(&server, "shop").await.access).await, "EdDSA", "at once: its key is known");
        assert!(server.stands(&tokens[0]).await);
        for wrong in ["none", "HS256", "es256", "", "EdDSA "] {
            let change = json!({ "signing_algorithm": wrong });
            let refused = server.send_json("PATCH", "/v1/applications/shop", BOOTSTRAP_KEY, &change).await;
            assert_eq!(refused.expect_problem(422, "invalid_request").json()["errors"][0]["field"], "signing_algorithm");
        }
    }

    /// RFC 8725 section 3.1.
    async fn a_token_is_taken_with_the_algorithm_of_its_key_alone(database) {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let server = Server::start(database).await;
        create(&server, "shop", "ES256").await;
        server.wait(TimeDelta::minutes(10));
        let (own, shop) = (open_for(&server, "none").await.access, open_for(&server, "shop").await.access);
        let part = |token: &str, at: usize| token.split('.').nth(at).unwrap().to_owned();
        for (token, other) in [(&own, &shop), (&shop, &own)] {
            assert!(server.stands(token).await);
            let change = |change: &dyn Fn(&mut Value)| {
                let mut changed = header(token);
                change(&mut changed);
                format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(changed.to_string()), part(token, 1), part(token, 2))
            };
            for forged in [
                change(&|header_of| header_of["alg"] = header(other)["alg"].clone()),
                change(&|header_of| header_of["kid"] = header(other)["kid"].clone()),
                change(&|header_of| *header_of = header(other)),
                change(&|header_of| header_of["alg"] = json!("none")),
                change(&|header_of| header_of["alg"] = json!("HS256")),
                format!("{}.{}.{}", part(token, 0), part(other, 1), part(token, 2)),
            ] {
                assert!(!server.stands(&forged).await, "{forged}");
            }
        }
    }

    async fn each_line_of_keys_rotates_by_itself_and_for_all_replicas(database) {
        let server = Server::start(database).await;
        create(&server, "shop", "ES256").await;
        server.wait(TimeDelta::minutes(10));
        keep(&server).await;
        let other = server.replica().await;
        let before = [open_for(&server, "shop").await, open_for(&server, "none").await];
        let rotate = async |body: &Value| server.send_json("POST", "/v1/signing-keys/rotate", BOOTSTRAP_KEY, body).await;
        let made = rotate(&json!({ "algorithm": "ES256" })).await.expect(201).json();
        assert_eq!((made["algorithm"].as_str(), made.get("others")), (Some("ES256"), None));
        let all = rotate(&json!({})).await.expect(201).json();
        assert_eq!((all["algorithm"].as_str(), all["others"][0]["algorithm"].as_str()), (Some("EdDSA"), Some("ES256")));
        for wrong in ["RS256", "none"] {
            let refused = rotate(&json!({ "algorithm": wrong })).await.expect_problem(422, "invalid_request").json();
            assert_eq!(refused["errors"][0]["field"], "algorithm");
        }
        keep(&other).await;
        assert_eq!(key_set(&other).await.keys.len(), 5, "two of one, three of the other");
        for replica in [&server, &other] {
            for opened in &before {
                assert!(replica.stands(&opened.access).await);
            }
        }
        server.wait(TimeDelta::minutes(11));
        let kid = |opened: &Opened| jsonwebtoken::decode_header(&opened.access).unwrap().kid.unwrap();
        assert_eq!(kid(&open_for(&other, "none").await), all["kid"].as_str().unwrap());
        assert_eq!(kid(&open_for(&other, "shop").await), all["others"][0]["kid"].as_str().unwrap());
        server.wait(TimeDelta::hours(2));
        for replica in [&server, &other] {
            keep(replica).await;
        }
        assert_eq!(key_set(&other).await.keys.len(), 2, "one of each: the predecessors' tokens are dead");

        let (shop, none) = (open_for(&server, "shop").await, open_for(&server, "none").await);
        rotate(&json!({ "algorithm": "ES256", "compromised": true })).await.expect(201);
        assert!(!server.stands(&shop.access).await && server.stands(&none.access).await, "the named line alone");
        let (shop, none) = (open_for(&server, "shop").await, open_for(&server, "none").await);
        assert_eq!(verified(&server, &shop.access).await, "ES256", "at once");
        rotate(&json!({ "compromised": true })).await.expect(201);
        assert!(!server.stands(&shop.access).await && !server.stands(&none.access).await);
        assert_eq!(key_set(&server).await.keys.len(), 2);

        server.wait(TimeDelta::days(91));
        keep(&server).await;
        keep(&other).await;
        assert_eq!(server.store.signing_keys().await.unwrap().len(), 4, "both lines get a successor, each one");
    }

    async fn a_key_that_no_application_wants_is_published_until_its_last_token_is_dead(database) {
        let server = Server::start(database).await;
        create(&server, "shop", "ES256").await;
        server.wait(TimeDelta::minutes(10));
        keep(&server).await;
        let last = open_for(&server, "shop").await;
        server.send("DELETE", "/v1/applications/shop", BOOTSTRAP_KEY).await.expect(204);
        keep(&server).await;
        assert!(server.stands(&last.access).await);
        assert_eq!(published(&server).await, names(["EdDSA", "ES256"]));
        server.wait(TimeDelta::minutes(60));
        keep(&server).await;
        assert_eq!(published(&server).await, names(["EdDSA", "ES256"]), "a token may live for an hour");
        server.wait(TimeDelta::minutes(5));
        keep(&server).await;
        assert_eq!(published(&server).await, names(["EdDSA"]));
        assert_eq!(server.store.signing_keys().await.unwrap().len(), 1);

        create(&server, "shop", "ES256").await;
        let again = open_for(&server, "shop").await;
        assert_eq!(verified(&server, &again.access).await, "EdDSA", "a new key, which verifiers do not know yet");
    }

    async fn replicas_with_different_algorithms_publish_both_and_fill_no_table(database) {
        let server = Server::start(database).await;
        let es256 = TokenConfig { algorithm: Algorithm::Es256, ..TokenConfig::default() };
        let other = server.replica_with(|with| with.tokens(es256)).await;
        for _ in 0..20 {
            keep(&other).await;
            keep(&server).await;
            server.wait(TimeDelta::minutes(5));
        }
        keep(&other).await;
        keep(&server).await;
        let tokens = [open_for(&server, "none").await.access, open_for(&other, "none").await.access];
        assert_eq!([verified(&other, &tokens[0]).await, verified(&server, &tokens[1]).await], ["EdDSA", "ES256"]);
        for token in &tokens {
            assert!(server.stands(token).await && other.stands(token).await);
        }
        assert_eq!(server.store.signing_keys().await.unwrap().len(), 2);
    }

    async fn a_new_algorithm_of_the_server_signs_once_it_is_known_even_after_a_long_stop(database) {
        let server = Server::start(database).await;
        keep(&server).await;
        let before = open_for(&server, "none").await;
        let rs256 = json!({ "client_id": "old", "signing_algorithm": "RS256" });
        server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &rs256).await.expect(201);
        server.wait(TimeDelta::hours(3));
        let es256 = TokenConfig { algorithm: Algorithm::Es256, ..TokenConfig::default() };
        let after = server.replica_with(|with| with.tokens(es256)).await;
        let first = open_for(&after, "none").await;
        assert_eq!(verified(&after, &first.access).await, "EdDSA", "the former one stands in, and not an application's");
        keep(&after).await;
        assert!(after.stands(&first.access).await);
        after.wait(TimeDelta::minutes(10));
        keep(&after).await;
        assert_eq!(verified(&after, &open_for(&after, "none").await.access).await, "ES256");
        after.refresh(&before.refresh).await.expect(200);
        after.wait(TimeDelta::minutes(64));
        keep(&after).await;
        assert_eq!(published(&after).await, names(["ES256", "RS256"]));
    }

    async fn ten_applications_at_once_make_one_key_of_each_algorithm(database) {
        let server = Server::start(database).await;
        let other = server.replica().await;
        let each = (0..10).map(|number| {
            let (replica, algorithm) = (if number % 2 == 0 { &server } else { &other }, ["ES256", "RS256"][number / 2 % 2]);
            async move { create(replica, &format!("app-{number}"), algorithm).await }
        });
        futures_util::future::join_all(each).await;
        let stored = server.store.signing_keys().await.unwrap();
        let algorithms: BTreeSet<&str> = stored.iter().map(|key| key.algorithm.as_str()).collect();
        assert_eq!((stored.len(), algorithms.len()), (3, 3), "one key of each");
        keep(&server).await;
        keep(&other).await;
        assert_eq!(key_set(&server).await.keys.len(), key_set(&other).await.keys.len());
    }
}
