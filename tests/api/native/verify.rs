//! `/v1/verify`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

on_both_databases! {
    async fn a_valid_token_is_described_in_headers_and_body(database) {
        let server = Server::start(database).await;
        let body = json!({
            "user_id": "Renée", "user": { "email": "r@example.org" }, "scope": "profile", "client_id": "web", "acr": "aal2",
            "amr": ["pwd", "my own%", "otp"],
        });
        let opened = server.open_with(&body).await;
        let verified = server.send("GET", "/v1/verify", &opened.access).await.expect(200);
        assert_eq!(verified.headers["x-user-id"].as_bytes(), "Renée".as_bytes());
        assert_eq!(verified.header("x-session-id"), opened.id);
        assert_eq!(verified.header("x-session-scope"), "profile");
        assert_eq!(verified.header("x-session-client"), "web");
        assert_eq!(verified.header("x-session-acr"), "aal2");
        assert_eq!(verified.header("x-session-amr"), "pwd my%20own%25 otp");
        assert_eq!(verified.header("x-user-email"), "r@example.org");
        for name in ["x-user-name", "x-user-name-encoded"] {
            assert_eq!(verified.headers[name], "", "always there, so that nobody else's gets through");
        }
        assert_eq!(verified.json(), json!({
            "user_id": "Renée", "session_id": opened.id, "scope": "profile",
            "expires_at": opened.body["session"]["expires_at"],
        }));
    }

    async fn a_name_is_told_in_utf_8_and_in_ascii(database) {
        let server = Server::start(database).await;
        for (name, encoded) in [
            ("Ann-Marie_O.K~1", "Ann-Marie_O.K~1"),
            ("Renée", "Ren%C3%A9e"),
            ("名前", "%E5%90%8D%E5%89%8D"),
            ("100% a+b, \"c\" <d>", "100%25%20a%2Bb%2C%20%22c%22%20%3Cd%3E"),
        ] {
            let opened = server.open_with(&json!({ "user_id": "alice", "user": { "name": name } })).await;
            let verified = server.send("GET", "/v1/verify", &opened.access).await.expect(200);
            assert_eq!(verified.headers["x-user-name"].as_bytes(), name.as_bytes());
            assert_eq!(verified.header("x-user-name-encoded"), encoded);
        }
    }

    async fn no_header_becomes_another_client_s_or_class_s_when_its_outer_space_is_removed(database) {
        let server = Server::start(database).await;
        for text in [" web", "web ", "\u{3000}web", " "] {
            let opened = server.open_with(&json!({ "user_id": "alice", "client_id": text, "acr": text, "amr": [text] })).await;
            let verified = server.send("GET", "/v1/verify", &opened.access).await.expect(200);
            assert_eq!(verified.headers["x-session-client"], "");
            assert_eq!(verified.headers["x-session-acr"], "");
            assert_eq!(verified.headers["x-session-amr"].as_bytes(), text.replace(' ', "%20").as_bytes());
        }
        let opened = server.open_with(&json!({ "user_id": "alice", "client_id": "my web", "acr": "a b" })).await;
        let verified = server.send("GET", "/v1/verify", &opened.access).await.expect(200);
        assert_eq!((verified.header("x-session-client"), verified.header("x-session-acr")), ("my web", "a b"));
    }

    async fn when_the_user_signed_in_is_told_and_stays_the_same(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let created = opened.body["session"]["created_at"].as_str().unwrap();
        let at = created.parse::<DateTime<Utc>>().unwrap().timestamp();
        server.wait(TimeDelta::seconds(100));
        let pair = server.refresh(&opened.refresh).await.expect(200).json();
        let access = pair["access_token"].as_str().unwrap();
        assert_eq!(server.send("GET", "/v1/verify", access).await.expect(200).header("x-session-auth-time"), at.to_string());
        let required = server.send("GET", "/v1/require/max_age=600", access).await.expect(200);
        assert_eq!(required.header("x-session-auth-time"), at.to_string());
        for token in [access, pair["refresh_token"].as_str().unwrap()] {
            let said = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", token)]).await.expect(200);
            assert_eq!(said.json()["auth_time"], at);
        }
    }

    async fn a_gateway_may_ask_with_the_method_and_path_of_the_request_it_guards(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        for (method, path) in [("POST", "/v1/verify/"), ("POST", "/v1/verify/orders/7"), ("DELETE", "/v1/verify/x"), ("GET", "/v1/verify/a/b?c=d"), ("PATCH", "/v1/verify/%00")] {
            server.send(method, path, &opened.access).await.expect(200);
            server.send(method, path, "nonsense").await.expect_problem(401, "unauthenticated");
        }
    }

    async fn every_method_is_a_check(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let verified = server.send(method, "/v1/verify", &opened.access).await.expect(200);
            assert_eq!(verified.header("x-user-id"), "alice", "{method}");
            let refused = server.send(method, "/v1/verify", "nonsense").await.expect(401);
            assert!(refused.headers.get("x-user-id").is_none(), "{method}");
        }
        // A session that is checked with the method of an ending goes on.
        assert!(server.stands(&opened.access).await);
    }

    async fn what_is_no_user_s_token_does_not_pass(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        for token in [BOOTSTRAP_KEY, &server.key("sessions:admin").await, &opened.refresh, &opened.id] {
            server.send("GET", "/v1/verify", token).await.expect_problem(401, "unauthenticated");
        }
        let none = answer(server.request("GET", "/v1/verify")).await.expect_problem(401, "unauthenticated");
        assert_eq!(none.header("www-authenticate"), "Bearer realm=\"sojourn\"");
    }
}
