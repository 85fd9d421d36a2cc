//! Service keys and signing keys over HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::server::{BOOTSTRAP_KEY, Server};
use crate::support::{jwt, on_both_databases};

/// The `kid` in an access token's header.
fn kid(token: &str) -> String {
    jwt::header(token)["kid"].as_str().unwrap().to_owned()
}

on_both_databases! {
    async fn a_key_made_over_http_works_until_it_is_revoked_and_is_shown_once(database) {
        let server = Server::start(database).await;
        let body = json!({ "name": "web login", "scope": "sessions:write" });
        let made = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &body).await.expect(201);
        assert_eq!(made.header("cache-control"), "no-store");
        let created = made.json();
        let (id, secret) = (created["key"]["id"].as_str().unwrap(), created["secret"].as_str().unwrap());
        assert!(secret.starts_with("sjk_"));
        let path = format!("/v1/keys/{id}");
        assert!(made.header("location").ends_with(&path));
        let shown = server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200);
        let time = |shown: &Value, member: &str| shown[member].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        assert_eq!(time(&shown.json(), "expires_at") - time(&shown.json(), "created_at"), TimeDelta::days(365));
        let list = server.send("GET", "/v1/keys", BOOTSTRAP_KEY).await.expect(200);
        assert_eq!(list.json()["keys"].as_array().unwrap(), &[shown.json()]);
        assert!(!list.text.contains(secret) && !shown.text.contains(secret));

        let opened = server.send_json("POST", "/v1/sessions", secret, &json!({ "user_id": "alice" })).await.expect(201).json();
        let kept = server.open("alice").await;
        let revoked = server.send("DELETE", &path, BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(revoked, json!({}));
        server.send_json("POST", "/v1/sessions", secret, &json!({ "user_id": "alice" })).await.expect(401);
        assert!(server.stands(opened["access_token"].as_str().unwrap()).await, "its sessions go on unless they are to end");
        let shown = server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(shown["active"], false);
        assert!(time(&shown, "revoked_at") >= time(&shown, "created_at"));

        let ended = server.send("DELETE", &format!("{path}?end_sessions=true"), BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(ended, json!({ "ended": 1 }));
        assert!(!server.stands(opened["access_token"].as_str().unwrap()).await);
        assert!(server.stands(&kept.access).await);
        for unknown in ["/v1/keys/01a20114-3d06-7355-88c5-d5965a7f8762", "/v1/keys/nonsense"] {
            for method in ["GET", "DELETE"] {
                server.send(method, unknown, BOOTSTRAP_KEY).await.expect_problem(404, "key_not_found");
            }
        }
    }

    async fn nobody_makes_a_key_that_may_do_more_than_its_maker(database) {
        let server = Server::start(database).await;
        let admin = server.key("sessions:admin").await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await;
        let reader = server.key("sessions:read sessions:write sessions:grant").await;
        let make = async |credential: &str, scope: &str| {
            server.send_json("POST", "/v1/keys", credential, &json!({ "name": "new", "scope": scope })).await
        };
        for maker in [&admin, &staff.access] {
            make(maker, "sessions:read sessions:write sessions:admin").await.expect(201);
            let refused = make(maker, "sessions:write sessions:grant").await.expect_problem(403, "insufficient_scope");
            assert!(refused.text.contains("sessions:grant"), "{}", refused.text);
        }
        make(BOOTSTRAP_KEY, "sessions:admin sessions:grant").await.expect(201);
        make(&reader, "sessions:read").await.expect_problem(403, "insufficient_scope");
    }

    async fn a_key_is_refused_with_a_right_that_is_none_and_with_a_lifetime_that_is_none(database) {
        let server = Server::start(database).await;
        let make = async |changes: Value| {
            let mut body = json!({ "name": "new", "scope": "sessions:read" });
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &body).await
        };
        for (changes, field) in [
            (json!({ "scope": "sessions:everything" }), "scope"),
            (json!({ "scope": "profile" }), "scope"),
            (json!({ "name": "" }), "name"),
            (json!({ "name": "a\u{0}b" }), "name"),
            (json!({ "expires_in": 0 }), "expires_in"),
            (json!({ "expires_in": -1 }), "expires_in"),
            (json!({ "expires_in": i64::MAX }), "expires_in"),
        ] {
            let refused = make(changes).await.expect_problem(422, "invalid_request").json();
            assert_eq!(refused["errors"][0]["field"], field, "{refused}");
        }
        make(json!({ "unknown": 1 })).await.expect_problem(400, "malformed_request");
        let brief = make(json!({ "expires_in": 60 })).await.expect(201).json();
        let endless = make(json!({ "expires_in": null })).await.expect(201).json();
        assert!(endless["key"].get("expires_at").is_none());
        server.wait(TimeDelta::seconds(61));
        server.send("GET", "/v1/sessions", brief["secret"].as_str().unwrap()).await.expect(401);
        server.send("GET", "/v1/sessions", endless["secret"].as_str().unwrap()).await.expect(200);
    }

    async fn signing_keys_are_listed_and_rotate_over_http(database) {
        let server = Server::start(database).await;
        let before = server.open("alice").await;
        let list = async || server.send("GET", "/v1/signing-keys", BOOTSTRAP_KEY).await.expect(200).json()["keys"].clone();
        let first = list().await;
        assert_eq!((first.as_array().unwrap().len(), first[0]["kid"].as_str().unwrap()), (1, kid(&before.access).as_str()));
        let next = server.send("POST", "/v1/signing-keys/rotate", BOOTSTRAP_KEY).await.expect(201).json();
        assert_eq!(list().await, json!([first[0], next]));
        let published = server.send("GET", "/.well-known/jwks.json", "").await.json();
        assert_eq!(published["keys"].as_array().unwrap().len(), 2, "a key is published before it signs");
        assert_eq!(kid(&server.open("alice").await.access), kid(&before.access));
        server.wait(TimeDelta::minutes(11));
        assert_eq!(kid(&server.open("alice").await.access), next["kid"].as_str().unwrap());

        let body = json!({ "compromised": true });
        let signed = server.open("alice").await;
        let newest = server.send_json("POST", "/v1/signing-keys/rotate", BOOTSTRAP_KEY, &body).await.expect(201).json();
        assert_eq!(list().await, json!([newest]));
        assert!(!server.stands(&signed.access).await, "a compromised key's tokens are refused at once");
        assert_eq!(kid(&server.open("alice").await.access), newest["kid"].as_str().unwrap());
    }
}
