//! `GET /api/v1/users/me/sessions`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::Server;

const PATH: &str = "/api/v1/users/me/sessions";
const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn a_session_is_shown_with_all_that_is_known_of_it(database) {
        let server = Server::start(database).await;
        let opened = server
            .open_with(&json!({
                "user_id": "1001", "ip_address": "203.0.113.7", "user_agent": CHROME, "amr": ["pwd", "otp"],
            }))
            .await;
        let list = server.send("GET", PATH, &opened.access).await.expect(200).json();
        let session = &opened.body["session"];
        assert_eq!(
            list,
            json!([{
                "id": opened.id,
                "ipAddress": "203.0.113.7",
                "userAgent": CHROME,
                "deviceInfo": { "deviceType": "desktop", "os": "Windows", "browser": "Chrome", "isMobile": false },
                "mfaVerified": true,
                "createdAt": session["created_at"],
                "lastActivityAt": list[0]["lastActivityAt"],
                "expiresAt": session["expires_at"],
                "current": true,
            }])
        );
        let seen: chrono::DateTime<chrono::Utc> = list[0]["lastActivityAt"].as_str().unwrap().parse().unwrap();
        let created: chrono::DateTime<chrono::Utc> = session["created_at"].as_str().unwrap().parse().unwrap();
        assert!(seen > created, "this very request is an activity");
    }

    async fn what_is_not_known_is_null(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "1001", "amr": ["pwd"] })).await;
        let list = server.send("GET", PATH, &opened.access).await.expect(200).json();
        assert_eq!(
            (&list[0]["ipAddress"], &list[0]["userAgent"], &list[0]["deviceInfo"], &list[0]["mfaVerified"]),
            (&Value::Null, &Value::Null, &Value::Null, &json!(false))
        );
    }

    async fn the_newest_comes_first_and_only_active_ones_of_the_caller_appear(database) {
        let server = Server::start(database).await;
        let idle = server.open_with(&json!({ "user_id": "1001", "idle_timeout": 600 })).await;
        let expired = server.open_with(&json!({ "user_id": "1001", "expires_in": 600 })).await;
        let ended = server.open("1001").await;
        server.send("DELETE", &format!("{PATH}/{}", ended.id), &ended.access).await.expect(200);
        server.wait(TimeDelta::minutes(11));
        let first = server.open("1001").await;
        let second = server.open("1001").await;
        server.open("1002").await;
        let list = server.send("GET", PATH, &first.access).await.expect(200).json();
        assert_eq!(ids(&list), [&second.id, &first.id]);
        assert_eq!((&list[0]["current"], &list[1]["current"]), (&json!(false), &json!(true)));
        for gone in [&idle, &expired, &ended] {
            server.send("GET", PATH, &gone.access).await.expect(401);
        }
    }
}
