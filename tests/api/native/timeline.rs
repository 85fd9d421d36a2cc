//! `/v1/sessions/{id}/timeline`: what happened to a session, and who did it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::tokens::ServiceKey;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

async fn timeline(server: &Server, id: &str) -> Vec<Value> {
    let timeline = server.send("GET", &format!("/v1/sessions/{id}/timeline"), BOOTSTRAP_KEY).await.expect(200).json();
    timeline["items"].as_array().unwrap().clone()
}

fn events(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["event"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn a_timeline_is_the_events_of_one_session_oldest_first(database) {
        let server = Server::start(database).await;
        let (login, admin) = (server.key("sessions:write").await, server.key("sessions:admin").await);
        let [login_id, admin_id] = [&login, &admin].map(|key| ServiceKey::parse(key).unwrap().id.to_string());
        let body = json!({ "user_id": "alice", "client_id": "web", "ip_address": "203.0.113.7" });
        let opened = server.send_json("POST", "/v1/sessions", &login, &body).await.expect(201).json();
        let id = opened["session"]["id"].as_str().unwrap();
        server.open("alice").await;
        let by_login = json!({ "type": "key", "id": login_id });
        let items = timeline(&server, id).await;
        assert_eq!(events(&items), ["opened", "expires"]);
        assert_eq!((&items[0]["by"], &items[0]["at"]), (&by_login, &opened["session"]["created_at"]));
        assert_eq!(items[0]["detail"], json!({ "client_id": "web", "ip_address": "203.0.113.7" }));
        assert_eq!(items[1].get("by"), None);

        let path = format!("/v1/sessions/{id}");
        server.wait(TimeDelta::hours(1));
        server.send_json("PATCH", &path, &admin, &json!({ "device_name": "x" })).await.expect(200);
        server.wait(TimeDelta::hours(1));
        server.send_json("POST", &format!("{path}/extend"), &admin, &json!({ "extend_by": 60 })).await.expect(200);
        server.wait(TimeDelta::hours(1));
        server.send("GET", "/v1/me", opened["access_token"].as_str().unwrap()).await;
        server.send("DELETE", &path, &admin).await.expect(204);
        let items = timeline(&server, id).await;
        let told = events(&items);
        assert_eq!(told.iter().copied().filter(|event| *event != "seen").collect::<Vec<_>>(), ["opened", "changed", "extended", "ended"]);
        let by_admin = json!({ "type": "key", "id": admin_id, "name": "test" });
        for item in items.iter().filter(|item| ["changed", "extended", "ended"].contains(&item["event"].as_str().unwrap())) {
            assert_eq!(item["by"], by_admin, "{item}");
        }
        assert_eq!(items.last().unwrap()["reason"], "revoked_by_admin");
        let unknown = "/v1/sessions/01a20114-3d06-7355-88c5-d5965a7f8762/timeline";
        server.send("GET", unknown, BOOTSTRAP_KEY).await.expect_problem(404, "session_not_found");
    }

    async fn a_later_authentication_has_its_own_credential(database) {
        let server = Server::start(database).await;
        let login = server.key("sessions:write").await;
        let session = server.open("alice").await;
        server.wait(TimeDelta::minutes(10));
        let path = format!("/v1/sessions/{}/authenticate", session.id);
        server.send_json("POST", &path, &login, &json!({})).await.expect(200);
        let items = timeline(&server, &session.id).await;
        let authenticated = items.iter().find(|item| item["event"] == "authenticated").unwrap();
        assert_eq!(authenticated["by"]["id"], ServiceKey::parse(&login).unwrap().id.to_string());
        assert_eq!(items[0].get("by"), None, "who opened the session is not known any more");
    }

    async fn who_ended_a_session_among_many_is_known_by_the_time(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:admin").await;
        let mut ids = Vec::new();
        for user in ["alice", "bob", "carol", "erin"] {
            ids.push(server.open(user).await.id);
        }
        let own = server.open("dave").await;
        server.send("POST", "/v1/users/alice/ban", &key).await.expect(200);
        server.send_json("POST", "/v1/sessions/revoke", &key, &json!({ "ids": [ids[1]] })).await.expect(200);
        server.send_json("POST", "/v1/sessions/revoke", &key, &json!({ "filter": { "user_id": "carol" } })).await.expect(200);
        server.send("DELETE", "/v1/users/erin/sessions", &key).await.expect(200);
        server.send("DELETE", &format!("/v1/sessions/{}", own.id), &own.access).await.expect(204);
        let by = ServiceKey::parse(&key).unwrap().id.to_string();
        for (id, reason) in [(&ids[0], "user_banned"), (&ids[1], "revoked_by_admin"), (&ids[2], "revoked_by_admin"), (&ids[3], "revoked_by_admin")] {
            let ended = timeline(&server, id).await.pop().unwrap();
            assert_eq!((&ended["event"], &ended["reason"], &ended["by"]["id"]), (&json!("ended"), &json!(reason), &json!(by)), "{id}");
        }
        let ended = timeline(&server, &own.id).await.pop().unwrap();
        assert_eq!((&ended["reason"], ended.get("by")), (&json!("logout"), None));
    }

    async fn a_key_of_one_application_sees_no_timeline(database) {
        let server = Server::start(database).await;
        let bound = json!({ "name": "bound", "scope": "sessions:read", "client_id": "web" });
        let bound = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &bound).await.expect(201).json();
        let session = server.open_with(&json!({ "user_id": "alice", "client_id": "web" })).await;
        for (path, status) in [("", 200), ("/timeline", 403)] {
            let path = format!("/v1/sessions/{}{path}", session.id);
            server.send("GET", &path, bound["secret"].as_str().unwrap()).await.expect(status);
        }
    }
}
