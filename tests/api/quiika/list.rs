//! `GET /auth/sessions`, `GET /auth/sessions/active` and `GET /auth/sessions/count`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::Server;

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|session| session["sessionId"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn a_session_shows_everything_that_is_known(database) {
        let server = Server::start(database).await;
        let alice = server.open_with(&json!({
            "user_id": "alice", "user": { "email": "alice@example.org" }, "ip_address": "203.0.113.7", "user_agent": CHROME,
            "location": "Lisbon, PT",
        })).await;
        server.wait(TimeDelta::seconds(90));
        let list = server.send("GET", "/auth/sessions", &alice.access).await.expect(200);
        assert_eq!(list.header("content-type"), "application/json");
        assert_eq!(list.header("cache-control"), "no-store");
        let list = list.json();
        let created: DateTime<Utc> = alice.body["session"]["created_at"].as_str().unwrap().parse().unwrap();
        let shown = &list[0];
        assert_eq!(*shown, json!({
            "sessionId": alice.id, "ipAddress": "203.0.113.7", "userAgent": CHROME, "loginTime": created.timestamp_millis(),
            "lastAccessed": shown["lastAccessed"], "email": "alice@example.org", "location": "Lisbon, PT",
            "deviceType": "DESKTOP", "sessionDuration": shown["sessionDuration"],
            "inactivityDuration": shown["inactivityDuration"], "deviceName": "Chrome 142 on Windows", "current": true,
        }));
        let milliseconds = |name: &str| shown[name].as_i64().unwrap();
        assert!((90_000..100_000).contains(&milliseconds("sessionDuration")));
        assert!((0..10_000).contains(&milliseconds("inactivityDuration")), "this very request is an access");
        assert!((90_000..100_000).contains(&(milliseconds("lastAccessed") - milliseconds("loginTime"))));
    }

    async fn what_is_not_known_is_left_out_and_nothing_is_null(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let list = server.send("GET", "/auth/sessions", &alice.access).await.expect(200);
        assert!(!list.text.contains("null"));
        let mut names: Vec<String> = list.json()[0].as_object().unwrap().keys().cloned().collect();
        names.sort();
        assert_eq!(names, ["current", "inactivityDuration", "lastAccessed", "loginTime", "sessionDuration", "sessionId"]);
    }

    async fn both_lists_are_the_same_and_count_is_their_length(database) {
        let server = Server::start(database).await;
        let (one, two, gone) = (server.open("alice").await, server.open("alice").await, server.open("alice").await);
        let idle = server.open_with(&json!({ "user_id": "alice", "idle_timeout": 60 })).await;
        let short = server.open_with(&json!({ "user_id": "alice", "expires_in": 60 })).await;
        let bob = server.open("bob").await;
        server.end(&gone.id).await;
        let count = async || server.send("GET", "/auth/sessions/count", &one.access).await.expect(200).json();
        assert_eq!(count().await, json!({ "activeSessions": 4 }));
        server.wait(TimeDelta::seconds(61));
        assert_eq!(count().await, json!({ "activeSessions": 2 }));
        let all = server.send("GET", "/auth/sessions", &one.access).await.expect(200).json();
        let active = server.send("GET", "/auth/sessions/active", &one.access).await.expect(200).json();
        assert_eq!(ids(&all), ids(&active));
        assert_eq!(ids(&all), [&one.id, &two.id], "the one used last first");
        for hidden in [&gone.id, &idle.id, &short.id, &bob.id] {
            assert!(!all.to_string().contains(hidden.as_str()));
        }
    }

    async fn the_session_used_last_comes_first(database) {
        let server = Server::start(database).await;
        let (old, new) = (server.open("alice").await, server.open("alice").await);
        server.wait(TimeDelta::minutes(2));
        assert!(server.stands(&old.access).await);
        server.wait(TimeDelta::seconds(1));
        let list = async || server.send("GET", "/auth/sessions", &new.access).await.expect(200).json();
        assert_eq!(ids(&list().await), [&new.id, &old.id]);
        server.wait(TimeDelta::minutes(2));
        let seen_by_other = server.send("GET", "/auth/sessions", &old.access).await.expect(200).json();
        assert_eq!(ids(&seen_by_other), [&old.id, &new.id]);
        assert_eq!((&seen_by_other[0]["current"], &seen_by_other[1]["current"]), (&json!(true), &json!(false)));
    }

    async fn devices_have_the_three_names_that_the_client_knows(database) {
        let server = Server::start(database).await;
        let rows = [
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", json!("MOBILE")),
            ("Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", json!("TABLET")),
            (CHROME, json!("DESKTOP")),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Value::Null),
            ("curl/8.5.0", Value::Null),
        ];
        for (user_agent, device) in rows {
            let opened = server.open_with(&json!({ "user_id": user_agent.len().to_string(), "user_agent": user_agent })).await;
            let list = server.send("GET", "/auth/sessions", &opened.access).await.expect(200).json();
            assert_eq!(list[0].get("deviceType").cloned().unwrap_or_default(), device, "{user_agent}");
        }
    }
}
