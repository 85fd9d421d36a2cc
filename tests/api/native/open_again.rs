//! `Idempotency-Key`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

async fn open(server: &Server, key: &str, token: &str, body: &Value) -> Answer {
    answer(server.request("POST", "/v1/sessions").bearer_auth(token).header("idempotency-key", key).json(body)).await
}

on_both_databases! {
    async fn the_same_request_again_answers_the_same_session_with_tokens_that_work(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "1001", "client_id": "web" });
        let first = open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json();
        let second = open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json();
        assert_eq!(first["session"], second["session"]);
        for answer in [&first, &second] {
            assert!(server.stands(answer["access_token"].as_str().unwrap()).await);
        }
        let refresh = second["refresh_token"].as_str().unwrap();
        let refreshed = server.refresh(refresh).await.expect(200).json();
        let third = open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json();
        assert_eq!(third["session"]["id"], first["session"]["id"]);
        assert_eq!(third["refresh_token"], refreshed["refresh_token"], "the one that is current");
        let all = server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.json();
        assert_eq!(all["sessions"].as_array().unwrap().len(), 1);
    }

    async fn the_same_key_with_another_request_is_refused(database) {
        let server = Server::start(database).await;
        open(&server, "key-1", BOOTSTRAP_KEY, &json!({ "user_id": "1001" })).await.expect(201);
        let other = json!({ "user_id": "1002" });
        open(&server, "key-1", BOOTSTRAP_KEY, &other).await.expect_problem(422, "idempotency_key_reused");
        assert_eq!(server.send("GET", "/v1/users/1002", BOOTSTRAP_KEY).await.status, 404);
    }

    async fn another_service_s_key_is_another_key(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "1001" });
        let (one, two) = (server.key("sessions:write").await, server.key("sessions:write").await);
        let first = open(&server, "key-1", &one, &body).await.expect(201).json();
        let second = open(&server, "key-1", &two, &body).await.expect(201).json();
        assert_ne!(first["session"]["id"], second["session"]["id"]);
    }

    async fn after_a_day_a_key_is_free_again(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "1001" });
        let first = open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json();
        server.wait(TimeDelta::hours(23));
        let second = open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json();
        assert_eq!(first["session"]["id"], second["session"]["id"]);
        server.wait(TimeDelta::hours(2));
        let third = open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json();
        assert_ne!(first["session"]["id"], third["session"]["id"]);
    }

    async fn a_key_of_an_inactive_session_opens_nothing(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "1001" });
        let first = open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json();
        server.send("DELETE", &format!("/v1/sessions/{}", first["session"]["id"].as_str().unwrap()), BOOTSTRAP_KEY).await.expect(204);
        open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect_problem(409, "session_not_active");
    }

    async fn twenty_at_once_open_one_session(database) {
        let server = std::sync::Arc::new(Server::start(database).await);
        let requests = (0..20).map(|_| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move {
                let body = json!({ "user_id": "1001" });
                open(&server, "key-1", BOOTSTRAP_KEY, &body).await.expect(201).json()["session"]["id"].clone()
            })
        });
        let requests: Vec<_> = requests.collect();
        let mut ids = std::collections::HashSet::new();
        for request in requests {
            ids.insert(request.await.unwrap().to_string());
        }
        assert_eq!(ids.len(), 1, "{ids:?}");
    }

    async fn a_key_that_cannot_be_one_is_refused(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "1001" });
        for key in ["", &"k".repeat(256)] {
            open(&server, key, BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
        }
        let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).json(&body);
        let twice = request.header("idempotency-key", "one").header("idempotency-key", "two");
        answer(twice).await.expect_problem(422, "invalid_request");
    }
}
