//! `POST /oauth2/introspect`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

on_both_databases! {
    async fn a_valid_token_is_described_in_full(database) {
        let server = Server::start(database).await;
        let user = json!({ "name": "Alice", "email": "alice@example.org" });
        let body = json!({ "user_id": "alice", "user": user, "client_id": "web", "scope": "profile", "acr": "aal1", "amr": ["pwd"] });
        let opened = server.open_with(&body).await;
        let reader = server.key("sessions:read").await;
        let introspect = async |token: &str| server.send_form("/oauth2/introspect", Some(&reader), &[("token", token)]).await.expect(200).json();
        let access = introspect(&opened.access).await;
        assert_eq!(access, json!({
            "active": true, "sub": "alice", "sid": opened.id, "scope": "profile", "client_id": "web", "username": "alice",
            "name": "Alice", "email": "alice@example.org",
            "token_type": "Bearer", "exp": access["exp"], "iat": access["iat"], "auth_time": access["auth_time"], "iss": "http://localhost:8080",
            "aud": "sojourn", "acr": "aal1", "amr": ["pwd"],
        }));
        assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 300);
        assert!((access["auth_time"].as_i64().unwrap() - server.now().timestamp()).abs() < 10);
        let refresh = introspect(&opened.refresh).await;
        assert_eq!((&refresh["active"], &refresh["token_type"]), (&json!(true), &json!("refresh_token")));
    }

    async fn users_of_one_name_are_told_apart_by_the_user_name(database) {
        let server = Server::start(database).await;
        let mut told = Vec::new();
        for user in ["1001", "1002", "1003"] {
            let name = if user == "1003" { json!({}) } else { json!({ "name": "admin" }) };
            let opened = server.open_with(&json!({ "user_id": user, "user": name })).await;
            let form = [("token", opened.access.as_str())];
            let answer = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &form).await.expect(200).json();
            told.push((answer["username"].clone(), answer["name"].clone(), answer.get("email").is_some()));
        }
        let expected = [("1001", json!("admin")), ("1002", json!("admin")), ("1003", json!(null))];
        assert_eq!(told, expected.map(|(username, name)| (json!(username), name, false)));
    }

    async fn everything_else_gets_the_same_answer_to_the_byte(database) {
        let server = Server::start(database).await;
        let ended = server.open("alice").await;
        server.end(&ended.id).await;
        let spent = server.open("alice").await;
        server.refresh(&spent.refresh).await.expect(200);
        let expired = server.open_with(&json!({ "user_id": "alice", "expires_in": 60 })).await;
        server.wait(chrono::TimeDelta::seconds(61));
        let other = Server::start_on_sqlite().await;
        let foreign = other.open("alice").await;
        let key = server.key("sessions:read").await;
        for token in [
            "garbage", "a.b.c", "a\u{0}b", &ended.access, &ended.refresh, &spent.refresh, &expired.access, &expired.refresh,
            &foreign.access, &foreign.refresh, &key, BOOTSTRAP_KEY, &ended.id,
        ] {
            let answer = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", token)]).await.expect(200);
            assert_eq!(answer.text, "{\"active\":false}", "{token}");
        }
    }

    async fn callers_need_the_scope_to_ask(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let form = [("token", opened.access.as_str())];
        let nobody = server.send_form("/oauth2/introspect", None, &form).await.expect(401);
        assert_eq!(nobody.json()["error"], "invalid_token");
        let challenges: Vec<_> = nobody.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges, ["Bearer realm=\"sojourn\"", "Basic realm=\"sojourn\""]);
        let writer = server.key("sessions:write").await;
        let writer = server.send_form("/oauth2/introspect", Some(&writer), &form).await.expect(403);
        assert_eq!(writer.json()["error"], "insufficient_scope");
        server.send_form("/oauth2/introspect", Some(&opened.access), &form).await.expect(403);
        let without = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("x", "y")]).await.expect(400);
        assert_eq!(without.json()["error"], "invalid_request");
        let in_query = server.request("POST", &format!("/oauth2/introspect?access_token={BOOTSTRAP_KEY}")).form(&form);
        answer(in_query).await.expect(401);
    }
}
