//! `PATCH /v1/sessions/{id}`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

on_both_databases! {
    async fn a_user_names_its_device_and_takes_the_name_away(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}", alice.id);
        let change = async |body| server.send_json("PATCH", &path, &alice.access, &body).await.expect(200).json();
        assert_eq!(change(json!({ "device_name": "Kitchen tablet" })).await["device"]["name"], "Kitchen tablet");
        assert_eq!(change(json!({ "device_name": null })).await["device"]["name"], json!(null));
        let stored = server.send("GET", &path, &alice.access).await.json();
        assert_eq!(stored["device"]["name"], json!(null));
    }

    async fn metadata_is_replaced_by_services_only(database) {
        let server = Server::start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "metadata": { "old": 1 } })).await;
        let path = format!("/v1/sessions/{}", alice.id);
        let body = json!({ "metadata": { "new": [2] } });
        server.send_json("PATCH", &path, &alice.access, &body).await.expect_problem(403, "insufficient_scope");
        let writer = server.key("sessions:write").await;
        let changed = server.send_json("PATCH", &path, &writer, &body).await.expect(200).json();
        assert_eq!(changed["metadata"], json!({ "new": [2] }));
        let both = json!({ "metadata": {}, "device_name": "x" });
        server.send_json("PATCH", &path, &writer, &both).await.expect_problem(403, "insufficient_scope");
    }

    async fn nobody_changes_another_user_s(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open("alice").await, server.open("bob").await);
        let body = json!({ "device_name": "mine now" });
        let path = format!("/v1/sessions/{}", alice.id);
        server.send_json("PATCH", &path, &bob.access, &body).await.expect_problem(404, "session_not_found");
        let untouched = server.send("GET", &path, &alice.access).await.json();
        assert_eq!(untouched["device"]["name"], json!(null));
    }

    async fn an_inactive_session_cannot_be_changed(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}", alice.id);
        server.send("DELETE", &path, BOOTSTRAP_KEY).await.expect(204);
        let body = json!({ "device_name": "x" });
        server.send_json("PATCH", &path, BOOTSTRAP_KEY, &body).await.expect_problem(409, "session_not_active");
    }

    async fn a_change_of_nothing_is_refused_and_shows_nothing(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let writer = server.key("sessions:write").await;
        for token in [&alice.access, &writer] {
            let answer = server.send_json("PATCH", &format!("/v1/sessions/{}", alice.id), token, &json!({})).await;
            answer.expect_problem(422, "invalid_request");
        }
    }

    async fn a_service_that_writes_metadata_learns_that_a_session_is_inactive_or_unknown(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let writer = server.key("sessions:write").await;
        let body = json!({ "metadata": {} });
        server.end(&alice.id).await;
        let over = server.send_json("PATCH", &format!("/v1/sessions/{}", alice.id), &writer, &body).await;
        over.expect_problem(409, "session_not_active");
        let unknown = server.send_json("PATCH", "/v1/sessions/01a20114-3d06-7355-88c5-d5965a7f8762", &writer, &body).await;
        unknown.expect_problem(404, "session_not_found");
    }

    async fn nothing_else_can_be_changed(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}", alice.id);
        for body in [
            json!({ "user_id": "bob" }),
            json!({ "expires_at": "2099-01-01T00:00:00Z" }),
            json!({ "ended_at": null }),
            json!({ "scope": "sessions:admin" }),
            json!({ "device_name": 7 }),
        ] {
            server.send_json("PATCH", &path, &alice.access, &body).await.expect_problem(400, "malformed_request");
        }
        let body = json!({ "device_name": "x\u{0}" });
        server.send_json("PATCH", &path, &alice.access, &body).await.expect_problem(422, "invalid_request");
    }
}
