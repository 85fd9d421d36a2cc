//! `DELETE /api/v1/users/me/sessions` and `DELETE /api/v1/users/me/sessions/{sessionId}`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::Server;

const PATH: &str = "/api/v1/users/me/sessions";

on_both_databases! {
    async fn one_session_is_ended_with_a_message_and_the_others_stay(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let other = server.open("1001").await;
        let answer = server.send("DELETE", &format!("{PATH}/{}", other.id), &mine.access).await.expect(200);
        assert_eq!(answer.json(), json!({ "message": "Session revoked" }));
        assert!(!server.stands(&other.access).await);
        assert!(server.stands(&mine.access).await);
    }

    async fn all_sessions_are_ended_the_callers_own_too(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let other = server.open("1001").await;
        let stranger = server.open("1002").await;
        let answer = server.send("DELETE", PATH, &mine.access).await.expect(200);
        assert_eq!(answer.json(), json!({ "message": "Revoked 2 sessions" }));
        assert!(!server.stands(&mine.access).await && !server.stands(&other.access).await);
        assert!(server.stands(&stranger.access).await);
    }

    async fn a_foreign_an_ended_an_expired_and_an_unknown_session_are_not_told_apart(database) {
        let server = Server::start(database).await;
        let [expired, idle] = server.open_expired_and_idle("1001").await;
        let mine = server.open("1001").await;
        let ended = server.open("1001").await;
        server.send("DELETE", &format!("{PATH}/{}", ended.id), &mine.access).await.expect(200);
        let foreign = server.open("1002").await;
        let unknown = "01890000-0000-7000-8000-000000000000".to_owned();
        let no_id = "me".to_owned();
        for id in [foreign.id.clone(), ended.id, expired.id, idle.id, unknown, no_id] {
            let answer = server.send("DELETE", &format!("{PATH}/{id}"), &mine.access).await.expect(404);
            assert_eq!(answer.text, r#"{"error":{"code":"NOT_FOUND","message":"Resource not found"}}"#, "{id}");
        }
        assert!(server.stands(&foreign.access).await);
    }
}
