//! `DELETE …/session/sid/{sid}` and `DELETE …/session/user/{userDn}`.

use chrono::TimeDelta;
use serde_json::json;

use super::{PATH, REMOVER};
use crate::support::on_both_databases;
use crate::support::server::Server;

on_both_databases! {
    async fn a_session_is_ended_once(database) {
        let server = Server::start(database).await;
        let expired = server.open_with(&json!({ "user_id": "1001", "expires_in": 60 })).await;
        server.wait(TimeDelta::minutes(2));
        let [one, other] = [server.open("1001").await, server.open("1001").await];
        let key = server.key(REMOVER).await;
        for session in [&one, &expired] {
            let path = format!("{PATH}/sid/{}", session.id);
            assert_eq!(server.send("DELETE", &path, &key).await.expect(204).text, "");
            let again = server.send("DELETE", &path, &key).await.expect(404).json();
            let message = format!("No authenticated session exists for sid '{}'!!!", session.id);
            assert_eq!(again, json!({ "code": "404", "message": message }));
        }
        assert!(!server.stands(&one.access).await && server.stands(&other.access).await);
        server.send("DELETE", &format!("{PATH}/sid/nothing"), &key).await.expect(404);
    }

    async fn all_of_a_user_are_ended_by_its_distinguished_name_or_its_id(database) {
        let server = Server::start(database).await;
        let key = server.key(REMOVER).await;
        for name in ["inum=1001,ou=people,o=jans", "inum%3D1001%2Cou%3Dpeople%2Co%3Djans", "1001"] {
            let [one, two, foreign] =
                [server.open("1001").await, server.open("1001").await, server.open("1002").await];
            server.send("DELETE", &format!("{PATH}/user/{name}"), &key).await.expect(204);
            assert!(!server.stands(&one.access).await && !server.stands(&two.access).await);
            assert!(server.stands(&foreign.access).await);
        }
        let again = server.send("DELETE", &format!("{PATH}/user/inum=1001,ou=people,o=jans"), &key).await.expect(404);
        let message = "No authenticated session exists for user 'inum=1001,ou=people,o=jans'!!!";
        assert_eq!(again.json(), json!({ "code": "404", "message": message }));
        for name in ["nobody", "%00", "inum=,ou=people,o=jans"] {
            server.send("DELETE", &format!("{PATH}/user/{name}"), &key).await.expect(404);
        }
    }
}
