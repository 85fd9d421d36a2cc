//! `GET /v1/sessions/{id}`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

on_both_databases! {
    async fn a_user_sees_its_own_sessions_and_which_one_it_is_in(database) {
        let server = Server::start(database).await;
        let (here, there) = (server.open("alice").await, server.open("alice").await);
        let get = async |id: &str| server.send("GET", &format!("/v1/sessions/{id}"), &here.access).await.expect(200).json();
        assert_eq!(get(&here.id).await["current"], true);
        assert_eq!(get(&there.id).await["current"], false);
    }

    async fn another_user_s_session_is_as_unknown_as_one_that_never_was(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open("alice").await, server.open("bob").await);
        let foreign = server.send("GET", &format!("/v1/sessions/{}", alice.id), &bob.access).await;
        let unknown = server.send("GET", "/v1/sessions/01a20114-3d06-7355-88c5-d5965a7f8762", &bob.access).await;
        assert_eq!((foreign.status.as_u16(), &foreign.text), (404, &unknown.text));
        unknown.expect_problem(404, "session_not_found");
    }

    async fn a_malformed_id_is_unknown(database) {
        let server = Server::start(database).await;
        let long = "a".repeat(10_000);
        for id in ["1", "%27%20OR%20%271%27%3D%271", "1;select%20pg_sleep(5)", "..%2f..", "%00", &long, "null"] {
            let answer = server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await;
            answer.expect_problem(404, "session_not_found");
        }
        let not_utf8 = server.send("GET", "/v1/sessions/%C0%AF", BOOTSTRAP_KEY).await;
        not_utf8.expect_problem(400, "malformed_request");
    }

    async fn a_service_needs_the_scope_to_read(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}", alice.id);
        let writer = server.key("sessions:write").await;
        server.send("GET", &path, &writer).await.expect_problem(403, "insufficient_scope");
        let reader = server.key("sessions:read").await;
        assert_eq!(server.send("GET", &path, &reader).await.expect(200).json()["user_id"], "alice");
    }

    async fn a_user_with_the_scope_reads_everybody_s(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await;
        server.send("GET", &format!("/v1/sessions/{}", alice.id), &staff.access).await.expect(200);
    }
}
