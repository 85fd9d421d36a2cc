//! `POST /api/v0/sessions/{session_id}/extend`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{Server, answer};

const PATH: &str = "/api/v0/sessions";

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

on_both_databases! {
    async fn the_end_moves_by_the_hours_but_never_past_the_absolute_end(database) {
        let server = Server::start(database).await;
        let mine = server.open_with(&json!({ "user_id": "1001", "expires_in": 3600 })).await;
        let path = format!("{PATH}/{}/extend", mine.id);
        let by = |hours: i64| json!({ "extension_hours": hours });
        let extended = server.send_json("POST", &path, &mine.access, &by(2)).await.expect(200).json();
        let before = &mine.body["session"];
        assert_eq!(time(&extended["data"]["expires_at"]), time(&before["expires_at"]) + TimeDelta::hours(2));
        assert_eq!((&extended["success"], &extended["data"]["id"]), (&json!(true), &json!(mine.id)));
        let clamped = server.send_json("POST", &path, &mine.access, &by(720)).await.expect(200).json();
        assert_eq!(clamped["data"]["expires_at"], before["absolute_expires_at"]);
    }

    async fn hours_that_make_no_sense_change_nothing(database) {
        let server = Server::start(database).await;
        let mine = server.open_with(&json!({ "user_id": "1001", "expires_in": 3600 })).await;
        let path = format!("{PATH}/{}/extend", mine.id);
        let refused = server.send_json("POST", &path, &mine.access, &json!({ "extension_hours": 861_018 })).await;
        assert_eq!(
            refused.expect(400).json(),
            json!({ "success": false, "message": "extension_hours must be from 1 to 720" })
        );
        let values = [
            "0", "-1", "721", "2147483647", "2147483648", "1e9", "9.2e18", "1e400", "1.5", "1e2", "\"1\"", "null", "[]",
        ];
        let members = values.iter().map(|value| format!(r#"{{"extension_hours":{value}}}"#));
        for body in members.chain(["{}".to_owned(), "nonsense".to_owned()]) {
            let request = server.request("POST", &path).bearer_auth(&mine.access);
            let refused = answer(request.header("content-type", "application/json").body(body.clone())).await;
            assert_eq!(refused.expect(400).json()["success"], json!(false), "{body}");
        }
        for path in [PATH.to_owned(), format!("{PATH}/{}", mine.id), format!("{PATH}/stats")] {
            server.send("GET", &path, &mine.access).await.expect(200);
        }
        let now = server.send("GET", &format!("{PATH}/{}", mine.id), &mine.access).await.expect(200).json();
        assert_eq!(now["data"]["expires_at"], mine.body["session"]["expires_at"]);
    }

    async fn an_inactive_session_does_not_come_back(database) {
        let server = Server::start(database).await;
        let [expired, idle] = server.open_expired_and_idle("1001").await;
        let mine = server.open("1001").await;
        for id in [&expired.id, &idle.id] {
            let path = format!("{PATH}/{id}/extend");
            let refused = server.send_json("POST", &path, &mine.access, &json!({ "extension_hours": 1 })).await;
            assert_eq!(refused.expect(404).text, r#"{"success":false,"message":"There is no such session"}"#);
        }
        let total = server.send("GET", PATH, &mine.access).await.expect(200).json();
        assert_eq!(total["data"]["total"], json!(1));
    }
}
