//! `/v1/verify`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

on_both_databases! {
    async fn a_valid_token_is_described_in_headers_and_body(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "Renée", "user": { "email": "r@example.org" }, "scope": "profile" });
        let opened = server.open_with(&body).await;
        let verified = server.send("GET", "/v1/verify", &opened.access).await.expect(200);
        assert_eq!(verified.headers["x-user-id"].as_bytes(), "Renée".as_bytes());
        assert_eq!(verified.header("x-session-id"), opened.id);
        assert_eq!(verified.header("x-session-scope"), "profile");
        assert_eq!(verified.header("x-user-email"), "r@example.org");
        assert_eq!(verified.headers["x-user-name"], "", "always there, so that nobody else's gets through");
        assert_eq!(verified.json(), json!({
            "user_id": "Renée", "session_id": opened.id, "scope": "profile",
            "expires_at": opened.body["session"]["expires_at"],
        }));
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
