//! `POST /v1/sessions/{id}/extend`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sojourn::sessions::Policy;

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

    async fn a_session_opened_for_a_short_time_stays_short(database) {
        let policy = Policy { sliding: Some(TimeDelta::hours(2)), ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "absolute_expires_in": 600, "expires_in": 300 })).await;
        let opened = &alice.body["session"];
        let created: DateTime<Utc> = opened["created_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(end(opened), created + TimeDelta::minutes(5));
        let native = format!("/v1/sessions/{}/extend", alice.id);
        let blackbox = format!("/api/v0/sessions/{}/extend", alice.id);
        for (path, token, body) in [
            (&native, alice.access.as_str(), json!({ "extend_by": 2_592_000 })),
            (&native, BOOTSTRAP_KEY, json!({ "extend_by": 2_592_000 })),
            (&blackbox, &alice.access, json!({ "extension_hours": 720 })),
        ] {
            server.send_json("POST", path, token, &body).await.expect(200);
        }
        server.refresh(&alice.refresh).await.expect(200);
        let now = server.send("GET", &format!("/v1/sessions/{}", alice.id), BOOTSTRAP_KEY).await.json();
        assert_eq!((end(&now), &now["absolute_expires_at"]), (created + TimeDelta::minutes(10), &opened["absolute_expires_at"]));
        server.wait(TimeDelta::minutes(10));
        assert!(!server.stands(&alice.access).await);
    }

    async fn where_users_may_not_extend_administrators_still_may(database) {
        let policy = Policy { longest_extension: TimeDelta::zero(), ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "expires_in": 3600 })).await;
        let before = end(&alice.body["session"]);
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin", "expires_in": 3600 })).await;
        let native = format!("/v1/sessions/{}/extend", alice.id);
        let hour = json!({ "extend_by": 3600 });
        let refused = server.send_json("POST", &native, &alice.access, &hour).await.expect_problem(403, "insufficient_scope");
        assert!(refused.header("www-authenticate").contains("sessions:admin"));
        let blackbox = format!("/api/v0/sessions/{}/extend", alice.id);
        let refused = server.send_json("POST", &blackbox, &alice.access, &json!({ "extension_hours": 1 })).await.expect(400);
        let message = "extension_hours is not allowed: on this server, only administrators can extend sessions";
        assert_eq!(refused.json(), json!({ "success": false, "message": message }));
        let same = server.send("GET", &format!("/v1/sessions/{}", alice.id), BOOTSTRAP_KEY).await.json();
        assert_eq!(end(&same), before);
        for (hours, by) in [(1, BOOTSTRAP_KEY), (2, &staff.access)] {
            let extended = server.send_json("POST", &native, by, &hour).await.expect(200).json();
            assert_eq!(end(&extended), before + TimeDelta::hours(hours));
        }
        let own = format!("/api/v0/sessions/{}/extend", staff.id);
        server.send_json("POST", &own, &staff.access, &json!({ "extension_hours": 1 })).await.expect(200);
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

    /// I-14.
    async fn extensions_at_once_add_up_and_none_is_lost(database) {
        let server = Server::start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "expires_in": 3600 })).await;
        let path = format!("/v1/sessions/{}/extend", alice.id);
        let minute = json!({ "extend_by": 60 });
        let all = (0..8).map(|_| server.send_json("POST", &path, &alice.access, &minute));
        for answer in futures_util::future::join_all(all).await {
            answer.expect(200);
        }
        let now = server.send("GET", &format!("/v1/sessions/{}", alice.id), BOOTSTRAP_KEY).await.json();
        assert_eq!(end(&now), end(&alice.body["session"]) + TimeDelta::minutes(8));
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

    async fn an_inactive_or_foreign_session_is_not_extended(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open_with(&json!({ "user_id": "alice", "expires_in": 60 })).await, server.open("bob").await);
        let path = format!("/v1/sessions/{}/extend", alice.id);
        let body = json!({ "extend_by": 3600 });
        server.send_json("POST", &path, &bob.access, &body).await.expect_problem(404, "session_not_found");
        server.wait(TimeDelta::seconds(60));
        server.send_json("POST", &path, BOOTSTRAP_KEY, &body).await.expect_problem(409, "session_not_active");
        let ended = server.open("alice").await;
        server.end(&ended.id).await;
        let path = format!("/v1/sessions/{}/extend", ended.id);
        server.send_json("POST", &path, BOOTSTRAP_KEY, &body).await.expect_problem(409, "session_not_active");
        assert!(!server.stands(&ended.access).await);
    }
}
