//! `POST /v1/sessions/{id}/extend`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

fn end(session: &Value) -> DateTime<Utc> {
    session["expires_at"].as_str().unwrap().parse().unwrap()
}

on_both_databases! {
    async fn the_end_moves_by_what_was_asked_for_and_never_past_the_absolute_end(database) {
        let server = Server::start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "expires_in": 3600 })).await;
        let before = &alice.body["session"];
        let path = format!("/v1/sessions/{}/extend", alice.id);
        let hour = server.send_json("POST", &path, &alice.access, &json!({ "extend_by": 3600 })).await.expect(200).json();
        assert_eq!(end(&hour), end(before) + TimeDelta::hours(1));
        let most = json!({ "extend_by": 720 * 3600 });
        for _ in 0..2 {
            let far = server.send_json("POST", &path, &alice.access, &most).await.expect(200).json();
            assert_eq!(far["expires_at"], before["absolute_expires_at"]);
            assert_eq!(far["absolute_expires_at"], before["absolute_expires_at"]);
        }
    }

    async fn an_extended_session_lives_on(database) {
        let server = Server::start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "expires_in": 3600, "tokens": "session" })).await;
        let path = format!("/v1/sessions/{}/extend", alice.id);
        server.send_json("POST", &path, &alice.access, &json!({ "extend_by": 3600 })).await.expect(200);
        server.wait(TimeDelta::minutes(90));
        assert!(server.stands(&alice.access).await);
        server.wait(TimeDelta::minutes(31));
        assert!(!server.stands(&alice.access).await);
    }

    async fn an_extension_that_makes_no_sense_is_refused_and_harms_nothing(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}/extend", alice.id);
        for by in [0, -1, i64::MIN, 720 * 3600 + 1, 2_147_483_648, i64::MAX] {
            let body = json!({ "extend_by": by });
            server.send_json("POST", &path, &alice.access, &body).await.expect_problem(422, "invalid_request");
        }
        for body in [json!({}), json!({ "extend_by": 1.5 }), json!({ "extend_by": "1" }), json!({ "extend_by": null }), json!({ "extend_by": 9.2e18 })] {
            server.send_json("POST", &path, &alice.access, &body).await.expect_problem(400, "malformed_request");
        }
        server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.expect(200);
        let after = server.send("GET", &format!("/v1/sessions/{}", alice.id), &alice.access).await.expect(200).json();
        let before = &alice.body["session"];
        for field in ["expires_at", "absolute_expires_at", "idle_timeout", "state"] {
            assert_eq!(after[field], before[field], "{field}");
        }
    }

    async fn what_is_over_or_another_s_is_not_extended(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open_with(&json!({ "user_id": "alice", "expires_in": 60 })).await, server.open("bob").await);
        let path = format!("/v1/sessions/{}/extend", alice.id);
        let body = json!({ "extend_by": 3600 });
        server.send_json("POST", &path, &bob.access, &body).await.expect_problem(404, "session_not_found");
        server.wait(TimeDelta::seconds(60));
        server.send_json("POST", &path, BOOTSTRAP_KEY, &body).await.expect_problem(409, "session_not_active");
        let ended = server.open("alice").await;
        server.send("DELETE", &format!("/v1/sessions/{}", ended.id), BOOTSTRAP_KEY).await.expect(204);
        let path = format!("/v1/sessions/{}/extend", ended.id);
        server.send_json("POST", &path, BOOTSTRAP_KEY, &body).await.expect_problem(409, "session_not_active");
        assert!(!server.stands(&ended.access).await);
    }
}
