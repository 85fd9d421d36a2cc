//! `GET /api/v0/sessions` and `GET /api/v0/sessions/{session_id}`.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::Server;

const PATH: &str = "/api/v0/sessions";
const NOT_FOUND: &str = r#"{"success":false,"message":"There is no such session"}"#;

on_both_databases! {
    async fn the_list_has_the_callers_active_sessions_newest_first_with_nothing_null(database) {
        let server = Server::start(database).await;
        let first = server
            .open_with(&json!({ "user_id": "1001", "ip_address": "203.0.113.7", "user_agent": "okhttp/4.12.0" }))
            .await;
        let ended = server.open("1001").await;
        server.send("DELETE", &format!("{PATH}/{}", ended.id), &first.access).await.expect(200);
        let second = server.open("1001").await;
        server.open("1002").await;
        let masked = |id: &str| format!("sjs_****{}", &id[32..]);
        let list = server.send("GET", PATH, &first.access).await.expect(200).json();
        assert_eq!(
            list,
            json!({
                "success": true,
                "data": {
                    "sessions": [{
                        "id": second.id, "user_id": "1001", "token": masked(&second.id),
                        "created_at": second.body["session"]["created_at"],
                        "expires_at": second.body["session"]["expires_at"],
                        "user_agent": "", "ip_address": "", "is_current": false,
                    }, {
                        "id": first.id, "user_id": "1001", "token": masked(&first.id),
                        "created_at": first.body["session"]["created_at"],
                        "expires_at": first.body["session"]["expires_at"],
                        "user_agent": "okhttp/4.12.0", "ip_address": "203.0.113.7", "is_current": true,
                    }],
                    "total": 2,
                },
            })
        );
        let shown = list["data"]["sessions"][0]["token"].as_str().unwrap();
        server.send("GET", PATH, shown).await.expect(401);
    }

    async fn one_session_is_shown_also_when_it_has_expired(database) {
        let server = Server::start(database).await;
        let short = server.open_with(&json!({ "user_id": "1001", "expires_in": 60 })).await;
        server.wait(TimeDelta::minutes(2));
        let mine = server.open("1001").await;
        let path = format!("{PATH}/{}", short.id);
        let answer = server.send("GET", &path, &mine.access).await.expect(200).json();
        assert_eq!(answer["data"]["id"], json!(short.id));
        assert_eq!(answer["data"]["is_current"], json!(false));
        let own = server.send("GET", &format!("{PATH}/{}", mine.id), &mine.access).await.expect(200).json();
        assert_eq!((&own["success"], &own["data"]["is_current"]), (&json!(true), &json!(true)));
    }

    async fn a_foreign_an_ended_and_an_unknown_session_are_not_told_apart(database) {
        let server = Server::start(database).await;
        let mine = server.open_with(&json!({ "user_id": "1001", "scope": "sessions:admin" })).await;
        let ended = server.open("1001").await;
        server.send("DELETE", &format!("{PATH}/{}", ended.id), &mine.access).await.expect(200);
        let foreign = server.open("1002").await;
        let extension = json!({ "extension_hours": 1 });
        for id in [&foreign.id, &ended.id, "01890000-0000-7000-8000-000000000000", "nothing", "%27", "%00"] {
            for method in ["GET", "DELETE"] {
                let answer = server.send(method, &format!("{PATH}/{id}"), &mine.access).await.expect(404);
                assert_eq!(answer.text, NOT_FOUND, "{method} {id}");
            }
            let path = format!("{PATH}/{id}/extend");
            let answer = server.send_json("POST", &path, &mine.access, &extension).await.expect(404);
            assert_eq!(answer.text, NOT_FOUND, "{id}");
        }
        assert!(server.stands(&foreign.access).await);
    }
}
