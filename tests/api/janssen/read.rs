//! `GET …/session` and `GET …/session/sid/{sid}`.

use serde_json::json;

use super::{PATH, READER, ids, sorted};
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

on_both_databases! {
    async fn the_deployed_servers_path_leads_to_the_same(database) {
        let server = Server::start(database).await;
        let opened = server.open("1001").await;
        for path in [PATH.to_owned(), format!("{PATH}/search?fieldValuePair=userDn=1001"), format!("{PATH}/sid/{}", opened.id)] {
            let here = server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200).json();
            let there = server.send("GET", &format!("/jans-config-api{path}"), BOOTSTRAP_KEY).await.expect(200).json();
            // A second may have passed.
            let without_ttl = |mut answer: serde_json::Value| {
                if let Some(entry) = answer.pointer_mut("/entries/0") {
                    entry["ttl"].take();
                } else {
                    answer["ttl"].take();
                }
                answer
            };
            assert_eq!(without_ttl(here), without_ttl(there), "{path}");
        }
        let other = server.open("1002").await;
        let rows = [("sid", other.id.as_str(), &other), ("user", "inum=1001,ou=people,o=jans", &opened)];
        for (kind, name, session) in rows {
            let path = format!("/jans-config-api{PATH}/{kind}/{name}");
            assert_eq!(server.send("DELETE", &path, BOOTSTRAP_KEY).await.expect(204).text, "");
            assert!(!server.stands(&session.access).await, "{path}");
        }
    }

    async fn a_session_is_shown_with_all_that_is_known_of_it(database) {
        let server = Server::start(database).await;
        let opened = server
            .open_with(&json!({
                "user_id": "1001", "ip_address": "203.0.113.7", "client_id": "web", "acr": "basic", "scope": "openid",
            }))
            .await;
        let key = server.key(READER).await;
        let session = &opened.body["session"];
        let mut shown = server.send("GET", &format!("{PATH}/sid/{}", opened.id), &key).await.expect(200).json();
        let ttl = shown["ttl"].take().as_i64().unwrap();
        assert!((2_591_900..=2_592_000).contains(&ttl), "{ttl}");
        assert_eq!(
            shown,
            json!({
                "outsideSid": opened.id, "userDn": "inum=1001,ou=people,o=jans",
                "lastUsedAt": session["last_seen_at"], "authenticationTime": session["created_at"],
                "creationDate": session["created_at"], "expirationDate": session["expires_at"],
                "state": "authenticated", "permissionGranted": true,
                "permissionGrantedMap": { "permissionGranted": { "web": true } },
                "sessionAttributes": {
                    "auth_user": "1001", "remote_ip": "203.0.113.7", "client_id": "web", "acr_values": "basic",
                    "acr": "basic", "scope": "openid", "sid": opened.id,
                },
                "deletable": true, "ttl": null, "persisted": true,
            })
        );
        let bare = server.open("1002").await;
        let shown = server.send("GET", &format!("{PATH}/sid/{}", bare.id), &key).await.expect(200).json();
        assert_eq!(shown["sessionAttributes"], json!({ "auth_user": "1002", "sid": bare.id }));
        assert!(shown.get("permissionGrantedMap").is_none());
    }

    async fn the_list_holds_everybodys_sessions_that_nobody_ended(database) {
        let server = Server::start(database).await;
        let [expired, idle] = server.open_expired_and_idle("1001").await;
        let active = server.open("1002").await;
        let ended = server.open("1002").await;
        server.end(&ended.id).await;
        let list = server.send("GET", PATH, BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!((&list["start"], &list["totalEntriesCount"]), (&json!(0), &json!(3)));
        assert_eq!(ids(&list), sorted([&expired, &idle, &active]));
        assert_eq!(list["entries"][0]["ttl"], json!(0));
        server.send("GET", &format!("{PATH}/sid/{}", expired.id), BOOTSTRAP_KEY).await.expect(200);
        for sid in [ended.id.as_str(), "01890000-0000-7000-8000-000000000000", "nothing", "%27", "%00"] {
            let refused = server.send("GET", &format!("{PATH}/sid/{sid}"), BOOTSTRAP_KEY).await.expect(404);
            assert_eq!(refused.json(), json!({ "code": "404", "message": "The requested sid doesn't exist" }));
        }
    }
}
