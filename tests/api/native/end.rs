//! `DELETE /v1/sessions/{id}`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

on_both_databases! {
    async fn tokens_of_an_ended_session_are_refused_everywhere_once_the_end_is_acknowledged(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let bearer = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        for session in [&alice, &bearer] {
            server.send("DELETE", &format!("/v1/sessions/{}", session.id), BOOTSTRAP_KEY).await.expect(204);
            let routes = [
                ("GET", "/v1/me"), ("GET", "/v1/me/sessions"), ("DELETE", "/v1/me/sessions"), ("GET", "/v1/verify"),
                ("GET", "/v1/sessions"), ("GET", "/v1/users/alice"), ("GET", "/auth/sessions"),
                ("GET", "/auth/sessions/active"), ("GET", "/auth/sessions/count"), ("DELETE", "/auth/sessions"),
                ("DELETE", "/auth/sessions/all"),
            ];
            for (method, path) in routes {
                let answer = server.send(method, path, &session.access).await;
                assert_eq!(answer.status.as_u16(), 401, "{method} {path}");
                assert!(answer.header("www-authenticate").contains("invalid_token"));
            }
            let introspected = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", &session.access)]).await;
            assert_eq!(introspected.text, "{\"active\":false}");
        }
        assert_eq!(server.refresh(&alice.refresh).await.expect(400).json()["error"], "invalid_grant");
    }

    async fn the_reason_tells_who_ended_it(database) {
        let server = Server::start(database).await;
        let reason = async |id: &str| {
            server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.json()["end_reason"].clone()
        };
        let (one, two, three) = (server.open("alice").await, server.open("alice").await, server.open("alice").await);
        server.send("DELETE", &format!("/v1/sessions/{}", two.id), &one.access).await.expect(204);
        server.send("DELETE", &format!("/v1/sessions/{}", one.id), &one.access).await.expect(204);
        server.send("DELETE", &format!("/v1/sessions/{}", three.id), BOOTSTRAP_KEY).await.expect(204);
        assert_eq!(reason(&two.id).await, "revoked_by_user");
        assert_eq!(reason(&one.id).await, "logout");
        assert_eq!(reason(&three.id).await, "revoked_by_admin");
    }

    async fn ending_it_again_succeeds_and_changes_nothing(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}", alice.id);
        server.send("DELETE", &path, &alice.access).await.expect(204);
        let first = server.send("GET", &path, BOOTSTRAP_KEY).await.json();
        server.wait(chrono::TimeDelta::seconds(5));
        server.send("DELETE", &path, BOOTSTRAP_KEY).await.expect(204);
        assert_eq!(server.send("GET", &path, BOOTSTRAP_KEY).await.json(), first);
    }

    async fn fifty_at_once_all_succeed_and_one_of_them_ends_it(database) {
        let server = std::sync::Arc::new(Server::start(database).await);
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}", alice.id);
        let requests: Vec<_> = (0..50).map(|_| {
            let (server, path) = (std::sync::Arc::clone(&server), path.clone());
            tokio::spawn(async move { server.send("DELETE", &path, BOOTSTRAP_KEY).await.status.as_u16() })
        }).collect();
        for request in requests {
            assert_eq!(request.await.unwrap(), 204);
        }
        assert!(!server.stands(&alice.access).await);
    }

    async fn another_user_s_session_cannot_be_ended(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open("alice").await, server.open("bob").await);
        let foreign = server.send("DELETE", &format!("/v1/sessions/{}", alice.id), &bob.access).await;
        let unknown = server.send("DELETE", "/v1/sessions/01a20114-3d06-7355-88c5-d5965a7f8762", &bob.access).await;
        assert_eq!((foreign.status.as_u16(), &foreign.text), (404, &unknown.text));
        assert!(server.stands(&alice.access).await);
        let reader = server.key("sessions:read sessions:write").await;
        server.send("DELETE", &format!("/v1/sessions/{}", alice.id), &reader).await.expect_problem(403, "insufficient_scope");
        assert!(server.stands(&alice.access).await);
    }
}
