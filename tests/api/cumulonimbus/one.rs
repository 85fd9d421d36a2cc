//! `GET` and `DELETE /api/user/:id/session/:sid`.

use chrono::TimeDelta;
use serde_json::json;

use super::{iat, shown, staff, twins};
use crate::support::on_both_databases;
use crate::support::server::Server;

const NO_SESSION: &str = r#"{"code":"INVALID_SESSION_ERROR","message":"Invalid Session"}"#;

on_both_databases! {
    async fn a_session_is_found_and_ended_by_its_id_and_by_its_second(database) {
        let server = Server::start(database).await;
        let staff = staff(&server).await;
        let first = server.open("1001").await;
        server.wait(TimeDelta::seconds(5));
        let second = server.open("1001").await;
        for handle in [first.id.clone(), iat(&first)] {
            let path = format!("/api/user/1001/session/{handle}");
            let found = server.send("GET", &path, &staff.access).await.expect(200).json();
            assert_eq!(found, shown(&first, "Unknown Device"));
        }
        let by_second = format!("/user/1001/session/{}", iat(&first));
        let deleted = server.send("DELETE", &by_second, &staff.access).await.expect(200).json();
        assert_eq!(deleted, shown(&first, "Unknown Device"));
        assert!(!server.stands(&first.access).await && server.stands(&second.access).await);
        assert_eq!(server.send("DELETE", &by_second, &staff.access).await.expect(404).text, NO_SESSION);
        let by_id = format!("/api/user/1001/session/{}", second.id);
        server.send("DELETE", &by_id, &second.access).await.expect(200);
        assert!(!server.stands(&second.access).await);
    }

    async fn of_two_sessions_in_one_second_none_is_ended_by_mistake(database) {
        let server = Server::start(database).await;
        let [first, second] = twins(&server, "1001").await;
        let path = format!("/api/user/1001/session/{}", iat(&first));
        for method in ["GET", "DELETE"] {
            let refused = server.send(method, &path, &first.access).await.expect(409).json();
            assert_eq!(
                refused,
                json!({
                    "code": "AMBIGUOUS_SESSION_ERROR", "message": "Ambiguous Session",
                    "sessions": [second.id, first.id],
                })
            );
        }
        assert!(server.stands(&first.access).await && server.stands(&second.access).await);
        server.send("DELETE", &format!("/api/user/1001/session/{}", second.id), &first.access).await.expect(200);
        assert!(server.stands(&first.access).await && !server.stands(&second.access).await);
        server.send("GET", &path, &first.access).await.expect(200);
    }

    async fn what_is_not_the_users_active_session_is_not_there(database) {
        let server = Server::start(database).await;
        let [expired, idle] = server.open_expired_and_idle("1001").await;
        let staff = staff(&server).await;
        let mine = server.open("1001").await;
        let ended = server.open("1001").await;
        server.send("DELETE", &format!("/api/user/1001/session/{}", ended.id), &mine.access).await.expect(200);
        server.wait(TimeDelta::seconds(2));
        let foreign = server.open("1002").await;
        let texts = [
            foreign.id.clone(), iat(&foreign), expired.id.clone(), iat(&expired), idle.id.clone(), ended.id.clone(),
            "01".to_owned(), "1.0".to_owned(), "1e9".to_owned(), "NaN".to_owned(), "-0".to_owned(),
            "Infinity".to_owned(), "%D9%A3".to_owned(), "9".repeat(40), "9".repeat(18), "%00".to_owned(),
            "8210298412799".to_owned(), "0".to_owned(),
        ];
        for text in texts {
            for token in [&staff.access, &mine.access] {
                for method in ["GET", "DELETE"] {
                    let path = format!("/api/user/1001/session/{text}");
                    let refused = server.send(method, &path, token).await.expect(404);
                    assert_eq!(refused.text, NO_SESSION, "{method} {text}");
                }
            }
        }
        assert!(server.stands(&foreign.access).await);
    }
}
