//! `DELETE /auth/sessions`, `DELETE /auth/sessions/all` and `DELETE /auth/sessions/{sessionId}`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

on_both_databases! {
    async fn revoking_the_others_keeps_the_current_one(database) {
        let server = Server::start(database).await;
        let (one, two, three) = (server.open("alice").await, server.open("alice").await, server.open("alice").await);
        let bob = server.open("bob").await;
        let revoked = server.send("DELETE", "/auth/sessions", &two.access).await.expect(200);
        assert_eq!((revoked.text.as_str(), revoked.header("content-length")), ("", "0"));
        assert!(server.stands(&two.access).await && server.stands(&bob.access).await);
        assert!(!server.stands(&one.access).await && !server.stands(&three.access).await);
        let count = server.send("GET", "/auth/sessions/count", &two.access).await.json();
        assert_eq!(count, json!({ "activeSessions": 1 }));
    }

    async fn revoking_the_others_takes_the_token_with_and_without_bearer_and_nothing_else_does(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let session = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        for value in [alice.access.clone(), format!("Bearer {}", alice.access), format!("bearer {}", alice.access)] {
            answer(server.request("DELETE", "/auth/sessions").header("authorization", value)).await.expect(200);
        }
        assert!(!server.stands(&session.access).await);
        for (method, path) in [("GET", "/auth/sessions"), ("GET", "/auth/sessions/active"), ("GET", "/auth/sessions/count"), ("DELETE", "/auth/sessions/all"), ("DELETE", "/auth/sessions/x")] {
            let bare = answer(server.request(method, path).header("authorization", &alice.access)).await.expect(401);
            assert_eq!(bare.json()["status"], "401 UNAUTHORIZED", "{method} {path}");
        }
        for value in [format!("Basic {}", alice.access), "Bearer".to_owned(), "nonsense".to_owned(), format!("{} x", alice.access)] {
            answer(server.request("DELETE", "/auth/sessions").header("authorization", value)).await.expect(401);
        }
    }

    async fn revoking_all_ends_the_current_one_too(database) {
        let server = Server::start(database).await;
        let (one, two) = (server.open("alice").await, server.open("alice").await);
        let bob = server.open("bob").await;
        let revoked = server.send("DELETE", "/auth/sessions/all", &one.access).await.expect(200);
        assert_eq!(revoked.text, "");
        assert!(!server.stands(&one.access).await && !server.stands(&two.access).await && server.stands(&bob.access).await);
        server.send("DELETE", "/auth/sessions/all", &one.access).await.expect(401);
    }

    async fn one_session_is_revoked_the_current_one_too(database) {
        let server = Server::start(database).await;
        let (one, two) = (server.open("alice").await, server.open("alice").await);
        let revoked = server.send("DELETE", &format!("/auth/sessions/{}", two.id), &one.access).await.expect(200);
        assert_eq!(revoked.text, "");
        assert!(!server.stands(&two.access).await && server.stands(&one.access).await);
        server.send("DELETE", &format!("/auth/sessions/{}", one.id), &one.access).await.expect(200);
        assert!(!server.stands(&one.access).await);
    }

    async fn what_is_not_the_user_s_active_session_is_not_found_whatever_it_is(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open("alice").await, server.open("bob").await);
        let ended = server.open("alice").await;
        server.send("DELETE", &format!("/auth/sessions/{}", ended.id), &alice.access).await.expect(200);
        let expired = server.open_with(&json!({ "user_id": "alice", "expires_in": 60 })).await;
        server.wait(chrono::TimeDelta::seconds(60));
        let long = "a".repeat(5000);
        let mut answers = Vec::new();
        for id in [&bob.id, &ended.id, &expired.id, "01a20114-3d06-7355-88c5-d5965a7f8762", "nonsense", "%27%20or%201=1", "all%2F", "%00", &long, "ALL", "count", "active"] {
            let missing = server.send("DELETE", &format!("/auth/sessions/{id}"), &alice.access).await;
            if matches!(id, "count" | "active") {
                assert_eq!(missing.status.as_u16(), 405, "{id} is a path, never an id");
            } else {
                answers.push(missing.expect(404).text);
            }
        }
        assert!(answers.iter().all(|text| *text == answers[0]), "{answers:?}");
        assert_eq!(answers[0], "{\"message\":\"Session not found or does not belong to the user\",\"status\":\"404 NOT_FOUND\"}");
        assert!(server.stands(&bob.access).await);
        let kept = server.send("GET", &format!("/v1/sessions/{}", expired.id), BOOTSTRAP_KEY).await.json();
        assert_eq!(kept["state"], "expired", "and nothing was written");
    }
}
