//! `replaces` at `POST /v1/sessions`: a new sign-in ends the session before it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::model::{LimitPolicy, SessionLimit};
use sojourn::sessions::Policy;

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

async fn open(server: &Server, key: &str, body: &Value) -> Answer {
    server.send_json("POST", "/v1/sessions", key, body).await
}

async fn session(server: &Server, id: &str) -> Value {
    server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.expect(200).json()
}

on_both_databases! {
    async fn a_new_sign_in_ends_the_session_that_it_replaces_and_no_other(database) {
        let server = Server::start(database).await;
        let other = server.replica().await;
        let (old, kept) = (server.open("alice").await, server.open("alice").await);
        assert!(other.stands(&old.access).await);
        let new = server.open_with(&json!({ "user_id": "alice", "replaces": old.id })).await;
        assert!(new.body.get("evicted").is_none(), "no limit was reached: {}", new.body);
        assert!(!server.stands(&old.access).await, "from the answer on");
        server.refresh(&old.refresh).await.expect(400);
        let ended = session(&server, &old.id).await;
        assert_eq!((&ended["state"], &ended["end_reason"]), (&json!("ended"), &json!("replaced")));
        assert!(server.stands(&new.access).await && server.stands(&kept.access).await);
        other.catch_up().await;
        assert!(!other.stands(&old.access).await);

        let again = server.open_with(&json!({ "user_id": "alice", "replaces": old.id })).await;
        assert!(server.stands(&again.access).await, "one that has ended is no error");
        assert_eq!(session(&server, &old.id).await["ended_at"], ended["ended_at"]);
    }

    async fn another_user_s_session_is_refused_like_one_that_does_not_exist(database) {
        let server = Server::start(database).await;
        let bob = server.open("bob").await;
        let count = |body: Value| body["sessions"].as_array().unwrap().len();
        let mut answers = Vec::new();
        for id in [&*bob.id, "01a20114-3d06-7355-88c5-d5965a7f8762", "", "x", &bob.access] {
            let body = json!({ "user_id": "alice", "replaces": id });
            let refused = open(&server, BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
            assert_eq!(refused.json()["errors"][0]["field"], "replaces", "{id}");
            answers.push(refused.json());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert!(server.stands(&bob.access).await);
        let alice = server.send("GET", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(count(alice), 0, "and nothing was opened");
    }

    async fn a_bound_key_replaces_only_sessions_of_its_application(database) {
        let server = Server::start(database).await;
        let asked = json!({ "name": "shop", "scope": "sessions:write", "client_id": "shop" });
        let made = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &asked).await.expect(201).json();
        let bound = made["secret"].as_str().unwrap();
        let web = server.open_with(&json!({ "user_id": "alice", "client_id": "web" })).await;
        let shop = server.open_with(&json!({ "user_id": "alice", "client_id": "shop" })).await;
        let body = |id: &str| json!({ "user_id": "alice", "replaces": id });
        open(&server, bound, &body(&web.id)).await.expect_problem(422, "invalid_request");
        open(&server, bound, &body(&shop.id)).await.expect(201);
        assert!(server.stands(&web.access).await && !server.stands(&shop.access).await);
    }

    async fn the_replaced_session_does_not_count_under_the_limit(database) {
        let session_limit = Some(SessionLimit { most: 1, policy: LimitPolicy::Reject });
        let server = Server::builder().policy(Policy { session_limit, ..Policy::default() }).start(database).await;
        let old = server.open("alice").await;
        open(&server, BOOTSTRAP_KEY, &json!({ "user_id": "alice" })).await.expect_problem(409, "session_limit_reached");
        let new = server.open_with(&json!({ "user_id": "alice", "replaces": old.id })).await;
        assert!(server.stands(&new.access).await && !server.stands(&old.access).await);
        open(&server, BOOTSTRAP_KEY, &json!({ "user_id": "alice", "replaces": old.id })).await
            .expect_problem(409, "session_limit_reached");
        assert!(server.stands(&new.access).await);
    }

    async fn a_repeat_with_its_idempotency_key_is_the_same_sign_in(database) {
        let server = Server::start(database).await;
        let old = server.open("alice").await;
        let send = async || {
            let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).header("idempotency-key", "1");
            answer(request.json(&json!({ "user_id": "alice", "replaces": old.id }))).await.expect(201).json()
        };
        let first = send().await;
        let again = send().await;
        assert_eq!(again["session"]["id"], first["session"]["id"]);
        assert!(server.stands(first["access_token"].as_str().unwrap()).await);
    }

    async fn the_opener_may_tell_of_an_earlier_authentication(database) {
        let server = Server::start(database).await;
        let ago = |by: TimeDelta| (server.now() - by).to_rfc3339();
        let opened = server.open_with(&json!({ "user_id": "alice", "acr": "aal2", "auth_time": ago(TimeDelta::hours(4)) })).await;
        let shown = &opened.body["session"];
        let time = |value: &Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        let age = time(&shown["created_at"]) - time(&shown["auth_time"]);
        assert!((age - TimeDelta::hours(4)).abs() < TimeDelta::seconds(10));
        let lifetime = time(&shown["absolute_expires_at"]) - time(&shown["auth_time"]);
        assert_eq!(lifetime.num_seconds(), 24 * 3600, "the level's limit counts from the authentication");
        server.send("GET", "/v1/require/max_age=3600", &opened.access).await
            .expect_problem(403, "insufficient_user_authentication");
        for (auth_time, acr) in [
            (ago(TimeDelta::minutes(-2)), "aal2"),
            (ago(TimeDelta::hours(24)), "aal2"),
            (ago(TimeDelta::days(30)), "other"),
            ("9999-12-31T23:59:59Z".to_owned(), "other"),
        ] {
            let body = json!({ "user_id": "alice", "acr": acr, "auth_time": auth_time });
            let refused = open(&server, BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
            assert_eq!(refused.json()["errors"][0]["field"], "auth_time", "{auth_time}");
        }
        for auth_time in [json!("yesterday"), json!(1_800_000_000), json!("2026-01-31")] {
            let body = json!({ "user_id": "alice", "auth_time": auth_time });
            open(&server, BOOTSTRAP_KEY, &body).await.expect_problem(400, "malformed_request");
        }
    }
}
