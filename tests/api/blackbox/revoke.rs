//! `DELETE /api/v0/sessions/{session_id}` and `POST /api/v0/sessions/revoke-all`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{Server, answer};

const PATH: &str = "/api/v0/sessions";

on_both_databases! {
    async fn one_session_is_ended(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let other = server.open("1001").await;
        let answer = server.send("DELETE", &format!("{PATH}/{}", other.id), &mine.access).await.expect(200);
        assert_eq!(answer.json(), json!({ "success": true, "message": "Session revoked" }));
        assert!(!server.stands(&other.access).await && server.stands(&mine.access).await);
    }

    async fn all_are_ended_and_the_current_one_only_stays_when_asked_for(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let other = server.open("1001").await;
        let stranger = server.open("1002").await;
        let path = format!("{PATH}/revoke-all");
        let kept = server.send_json("POST", &path, &mine.access, &json!({ "keep_current": true })).await.expect(200);
        assert_eq!(kept.json(), json!({ "success": true, "message": "Revoked 1 sessions" }));
        assert!(server.stands(&mine.access).await && !server.stands(&other.access).await);
        server.send_json("POST", &path, &mine.access, &json!({ "keep_current": false })).await.expect(200);
        assert!(!server.stands(&mine.access).await && server.stands(&stranger.access).await);
    }

    async fn keep_current_must_be_a_real_boolean(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let path = format!("{PATH}/revoke-all");
        let post = |body: &'static str| {
            let request = server.request("POST", &path).bearer_auth(&mine.access);
            answer(request.header("content-type", "application/json").body(body))
        };
        let bodies = [
            "", "{}", "[]", "null", r#"{"keep_current":"true"}"#, r#"{"keep_current":1}"#, r#"{"keep_current":null}"#,
            r#"{"keep_current":true"#, r#"{"keep_current":true}x"#, r#"{"keep_current":true,"keep_current":false}"#,
            "\u{feff}{\"keep_current\":true}",
        ];
        for body in bodies {
            let refused = post(body).await.expect(400).json();
            assert_eq!(refused["success"], json!(false), "{body}");
            assert!(refused["message"].is_string() && refused.get("data").is_none());
        }
        let text = server.request("POST", &path).bearer_auth(&mine.access).body("keep_current=true");
        assert_eq!(answer(text).await.expect(415).json()["success"], json!(false));
        assert!(server.stands(&mine.access).await);
    }
}
