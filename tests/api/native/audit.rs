//! `/v1/audit`: who of the staff did what, when and from where.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::model::Origin;
use sojourn::sessions::Policy;
use sojourn::tokens::ServiceKey;

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

/// The entries that a search finds, newest first.
async fn entries(server: &Server, query: &str) -> Vec<Value> {
    let page = server.send("GET", &format!("/v1/audit?limit=200&{query}"), BOOTSTRAP_KEY).await.expect(200).json();
    page["entries"].as_array().unwrap().clone()
}

/// The actions of all entries, oldest first.
async fn actions(server: &Server) -> Vec<String> {
    entries(server, "").await.iter().rev().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

async fn send(server: &Server, request: &str, token: &str, request_id: &str, body: &Value) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let request = server.request(method, path).bearer_auth(token).header("x-request-id", request_id);
    answer(if body.is_null() { request } else { request.json(body) }).await
}

fn key_id(key: &str) -> String {
    ServiceKey::parse(key).unwrap().id.to_string()
}

on_both_databases! {
    async fn each_action_of_staff_leaves_one_entry(database) {
        let server = Server::start(database).await;
        let (admin, other) = (server.key("sessions:read sessions:admin").await, server.key("sessions:read").await);
        let mut ids = Vec::new();
        for user in ["alice", "alice", "bob", "bob", "carol", "dave"] {
            ids.push(server.open(user).await.id);
        }
        server.end(&ids[5]).await;
        server.wait(TimeDelta::days(31));
        // What was ended above is past its retention.
        let fresh = server.open("alice").await.id;
        let named = server.open("erin").await.id;
        let before = actions(&server).await.len();
        let session = |id: &str| json!({ "type": "session", "id": id });
        let user = |id: &str| json!({ "type": "user", "id": id });
        let app = json!({ "type": "application", "id": "web" });
        let key = json!({ "type": "key", "id": key_id(&other) });
        let rows = [
            (format!("PATCH /v1/sessions/{fresh}"), json!({ "device_name": "x", "metadata": {} }), "session.changed", session(&fresh), json!({ "fields": ["device_name", "metadata"] })),
            (format!("POST /v1/sessions/{fresh}/extend"), json!({ "extend_by": 60 }), "session.extended", session(&fresh), json!({ "seconds": 60 })),
            (format!("DELETE /v1/sessions/{fresh}"), Value::Null, "session.ended", session(&fresh), json!({})),
            ("POST /v1/sessions/revoke".to_owned(), json!({ "ids": [named, fresh] }), "sessions.ended_in_bulk", Value::Null, json!({ "ids": [named, fresh], "sessions": 1 })),
            ("POST /v1/sessions/revoke".to_owned(), json!({ "filter": { "client_id": "web", "ip_address": "203.0.113.0/24" } }), "sessions.ended_in_bulk", Value::Null, json!({ "client_id": "web", "ip_address": "203.0.113.0/24", "sessions": 0 })),
            ("POST /v1/sessions/revoke".to_owned(), json!({ "filter": { "user_id": "bob" } }), "sessions.ended_in_bulk", user("bob"), json!({ "sessions": 0 })),
            ("PUT /v1/users/alice".to_owned(), json!({ "name": "Alice" }), "user.changed", user("alice"), json!({ "fields": ["name"] })),
            ("POST /v1/users/mallory/ban".to_owned(), json!({ "reason": "Fraud" }), "user.banned", user("mallory"), json!({ "reason": "Fraud", "sessions": 0 })),
            ("POST /v1/users/mallory/unban".to_owned(), Value::Null, "user.unbanned", user("mallory"), json!({})),
            ("DELETE /v1/users/mallory".to_owned(), Value::Null, "user.deleted", user("mallory"), json!({ "sessions": 0 })),
            (format!("DELETE /v1/keys/{}", key_id(&other)), Value::Null, "key.revoked", key, json!({})),
            ("POST /v1/signing-keys/rotate".to_owned(), Value::Null, "signing_keys.rotated", Value::Null, json!({ "compromised": false })),
            ("POST /v1/applications".to_owned(), json!({ "client_id": "web", "name": "Web" }), "application.created", app.clone(), json!({ "name": "Web" })),
            ("PATCH /v1/applications/web".to_owned(), json!({ "scope": "profile" }), "application.changed", app.clone(), json!({ "fields": ["scope"] })),
            ("DELETE /v1/applications/web".to_owned(), Value::Null, "application.deleted", app, json!({})),
        ];
        for (number, (request, body, action, target, detail)) in rows.iter().enumerate() {
            let request_id = format!("request-{number}");
            let sent = send(&server, request, &admin, &request_id, body).await;
            assert!(sent.status.is_success(), "{request}: {} {}", sent.status, sent.text);
            let found = entries(&server, "").await;
            assert_eq!(found.len(), before + number + 1, "{request}");
            let mut newest = found[0].clone();
            let members = newest.as_object_mut().unwrap();
            assert!(members.remove("id").is_some() && members.remove("at").is_some());
            let mut expected = json!({
                "actor": { "type": "key", "id": key_id(&admin), "name": "test" },
                "action": action, "target": target, "detail": detail, "request_id": request_id, "address": "127.0.0.1",
            });
            if target.is_null() {
                expected.as_object_mut().unwrap().remove("target");
            }
            assert_eq!(newest, expected, "{request}");
        }
        let cleaned = server.send("POST", "/v1/cleanup", &admin).await.expect(200).json();
        let entry = &entries(&server, "").await[0];
        assert!(cleaned["deleted"].as_u64().unwrap() > 0 && entry["detail"]["over_before"].is_string());
        assert_eq!((entry["action"].as_str(), actions(&server).await.len()), (Some("cleanup.ran"), before + rows.len() + 1));
        server.send_json("POST", "/v1/cleanup", &admin, &json!({ "dry_run": true })).await.expect(200);
        assert_eq!(actions(&server).await.len(), before + rows.len() + 1, "a dry run changes nothing");
    }

    async fn ending_all_of_a_user_is_one_entry_however_many_there_are(database) {
        let server = Server::start(database).await;
        server.open("alice").await;
        server.open("alice").await;
        server.send("DELETE", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200);
        let first_entry = entries(&server, "").await.remove(0);
        assert_eq!(first_entry["detail"], json!({ "sessions": 2 }));
        assert_eq!(first_entry["actor"], json!({ "type": "bootstrap_key" }));
        server.send("DELETE", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200);
        assert_eq!(actions(&server).await.len(), 1, "nothing was ended");

        let many = server.open("alice").await;
        server.copy_session(&many.id, 5001).await;
        server.send("DELETE", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200);
        let found = entries(&server, "target=alice").await;
        assert_eq!((found.len(), &found[0]["action"], &found[0]["detail"]), (2, &json!("user.sessions_ended"), &json!({ "sessions": 5002 })));
    }

    async fn what_users_and_login_services_do_leaves_no_entry(database) {
        let server = Server::start(database).await;
        let login = server.key("sessions:write").await;
        let opened = server.send_json("POST", "/v1/sessions", &login, &json!({ "user_id": "alice" })).await.expect(201).json();
        let (id, token) = (opened["session"]["id"].as_str().unwrap(), opened["access_token"].as_str().unwrap());
        server.refresh(opened["refresh_token"].as_str().unwrap()).await.expect(200);
        server.send_json("PATCH", &format!("/v1/sessions/{id}"), &login, &json!({ "metadata": { "a": 1 } })).await.expect(200);
        server.send_json("PUT", "/v1/users/alice", &login, &json!({ "name": "Alice" })).await.expect(200);
        server.send_json("PATCH", &format!("/v1/sessions/{id}"), token, &json!({ "device_name": "x" })).await.expect(200);
        server.send_json("POST", &format!("/v1/sessions/{id}/extend"), token, &json!({ "extend_by": 60 })).await.expect(200);
        let second = server.open("alice").await;
        server.send("DELETE", &format!("/v1/sessions/{}", second.id), token).await.expect(204);
        server.open("alice").await;
        server.send("DELETE", "/v1/me/sessions?keep_current=true", token).await.expect(200);
        server.send("DELETE", &format!("/user/alice/session/{id}"), token).await.expect(200);
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await;
        server.send_json("PATCH", &format!("/v1/sessions/{}", staff.id), &staff.access, &json!({ "device_name": "x" })).await.expect(200);
        server.send("DELETE", &format!("/v1/sessions/{}", staff.id), &staff.access).await.expect(204);
        assert_eq!(actions(&server).await, [] as [&str; 0]);
    }

    async fn a_refused_change_leaves_no_entry(database) {
        let server = Server::start(database).await;
        let (reader, admin) = (server.key("sessions:read").await, server.key("sessions:admin").await);
        let session = server.open("alice").await;
        let nobody = "01a20114-3d06-7355-88c5-d5965a7f8762";
        for (request, body, status) in [
            (format!("DELETE /v1/sessions/{nobody}"), Value::Null, 404),
            (format!("POST /v1/sessions/{nobody}/extend"), json!({ "extend_by": 60 }), 404),
            (format!("POST /v1/sessions/{}/extend", session.id), json!({ "extend_by": 0 }), 422),
            (format!("PATCH /v1/sessions/{nobody}"), json!({ "device_name": "x" }), 404),
            ("POST /v1/users/alice/ban".to_owned(), json!({ "reason": "\u{0}" }), 422),
            ("POST /v1/users/nobody/unban".to_owned(), Value::Null, 404),
            ("DELETE /v1/users/nobody?erase=true".to_owned(), Value::Null, 404),
            (format!("DELETE /v1/keys/{nobody}"), Value::Null, 404),
            ("POST /v1/keys".to_owned(), json!({ "name": "x", "scope": "sessions:grant" }), 403),
            ("DELETE /v1/applications/web".to_owned(), Value::Null, 404),
            ("POST /v1/signing-keys/rotate".to_owned(), json!({ "algorithm": "ES256" }), 422),
        ] {
            send(&server, &request, &admin, "x", &body).await.expect(status);
            send(&server, &request, &reader, "x", &body).await.expect(403);
        }
        assert_eq!(actions(&server).await, [] as [&str; 0]);
    }

    async fn the_dialects_leave_entries_of_what_staff_do_there(database) {
        let server = Server::start(database).await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin revoke_session" })).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(server.open("alice").await.id);
        }
        send(&server, &format!("DELETE /user/alice/session/{}", ids[0]), &staff.access, "one", &Value::Null).await.expect(200);
        let janssen = format!("DELETE /api/v1/jans-auth-server/session/sid/{}", ids[1]);
        send(&server, &janssen, BOOTSTRAP_KEY, "two", &Value::Null).await.expect(204);
        send(&server, "DELETE /user/alice/sessions/all", &staff.access, "three", &Value::Null).await.expect(200);
        let found = entries(&server, "").await;
        let told: Vec<_> = found.iter().map(|entry| (entry["request_id"].as_str().unwrap(), entry["action"].as_str().unwrap(), &entry["actor"])).collect();
        let by_staff = json!({ "type": "session", "id": staff.id, "name": "staff" });
        let by_key = json!({ "type": "bootstrap_key" });
        assert_eq!(told, [("three", "user.sessions_ended", &by_staff), ("two", "session.ended", &by_key), ("one", "session.ended", &by_staff)]);
    }

    async fn entries_are_found_page_by_page_by_administrators_alone(database) {
        let server = Server::start(database).await;
        let admin = server.key("sessions:admin").await;
        for number in 0..5 {
            server.wait(TimeDelta::seconds(1));
            let by = if number % 2 == 0 { admin.as_str() } else { BOOTSTRAP_KEY };
            server.send("POST", &format!("/v1/users/user{number}/ban"), by).await.expect(200);
        }
        server.send("POST", "/v1/users/user0/unban", &admin).await.expect(200);
        let targets = async |query: &str| {
            entries(&server, query).await.iter().map(|entry| entry["target"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(targets(&format!("actor={}", key_id(&admin))).await, ["user0", "user4", "user2", "user0"]);
        assert_eq!(targets("target=user0&action=user.banned").await, ["user0"]);
        let at = entries(&server, "target=user2").await[0]["at"].as_str().unwrap().to_owned();
        assert_eq!(targets(&format!("from={at}&action=user.banned")).await, ["user4", "user3", "user2"]);
        assert_eq!(targets(&format!("to={at}")).await, ["user1", "user0"]);

        let page = async |query: &str| server.send("GET", &format!("/v1/audit?{query}"), BOOTSTRAP_KEY).await;
        let first = page("limit=4&action=user.banned").await.expect(200).json();
        assert_eq!(first["entries"].as_array().unwrap().len(), 4);
        let cursor = first["next_cursor"].as_str().unwrap();
        let last = page(&format!("limit=4&action=user.banned&cursor={cursor}")).await.expect(200).json();
        assert_eq!((&last["entries"][0]["target"]["id"], last.get("next_cursor")), (&json!("user0"), None));
        for query in [&format!("cursor={cursor}"), "action=user.ban", "action=unknown", "limit=0", "limit=201", "actor=", "from=0000-01-01T00:00:00Z"] {
            page(query).await.expect_problem(422, "invalid_request");
        }
        for query in ["before=x", "from=yesterday"] {
            page(query).await.expect_problem(400, "malformed_request");
        }
        let bound = json!({ "name": "bound", "scope": "sessions:admin", "client_id": "web" });
        let bound = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &bound).await.expect(201).json();
        let bound = bound["secret"].as_str().unwrap();
        server.send("GET", "/v1/audit", bound).await.expect(403);
        let reader = server.key("sessions:read").await;
        server.send("GET", "/v1/audit", &reader).await.expect(403);
    }

    async fn an_erased_user_is_a_code_in_the_trail(database) {
        let server = Server::start(database).await;
        let staff = server.open_with(&json!({ "user_id": "alice-1001", "scope": "sessions:admin" })).await;
        server.send("POST", "/v1/users/bob/ban", &staff.access).await.expect(200);
        server.send_json("POST", "/v1/users/alice-1001/ban", BOOTSTRAP_KEY, &json!({ "reason": "Alice took money" })).await.expect(200);
        server.send("DELETE", "/v1/users/alice-1001?erase=true", BOOTSTRAP_KEY).await.expect(200);
        let found = entries(&server, "").await;
        assert_eq!(actions(&server).await, ["user.banned", "user.banned", "user.deleted", "user.erased"]);
        let text = serde_json::to_string(&found).unwrap();
        assert!(!text.contains("alice-1001") && !text.contains("money"), "{text}");
        let code = found[0]["target"]["id"].as_str().unwrap();
        assert!(code.starts_with("erased:"));
        assert_eq!((&found[2]["target"]["id"], &found[3]["actor"]["name"]), (&json!(code), &json!(code)));
        assert_eq!((&found[3]["target"]["id"], found[3].get("address")), (&json!("bob"), None));
        assert_eq!(entries(&server, &format!("target={code}")).await.len(), 3);
    }

    async fn entries_are_deleted_after_their_own_retention(database) {
        let server = Server::builder().policy(Policy { audit_retention: TimeDelta::days(100), ..Policy::default() }).start(database).await;
        server.send("POST", "/v1/users/old/ban", BOOTSTRAP_KEY).await.expect(200);
        server.wait(TimeDelta::days(60));
        server.send("POST", "/v1/users/new/ban", BOOTSTRAP_KEY).await.expect(200);
        server.sessions.delete_expired_rows().await.unwrap();
        assert_eq!(actions(&server).await.len(), 2);
        server.wait(TimeDelta::days(41));
        server.sessions.delete_expired_rows().await.unwrap();
        let found = entries(&server, "").await;
        assert_eq!((found.len(), &found[0]["target"]["id"]), (1, &json!("new")));
    }

    async fn no_credential_is_in_the_trail(database) {
        let server = Server::start(database).await;
        let made = json!({ "name": "made", "scope": "sessions:read", "expires_in": 3600 });
        let made = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &made).await.expect(201).json();
        let created = entries(&server, "").await.remove(0);
        assert_eq!((&created["target"]["id"], &created["detail"]["name"]), (&made["key"]["id"], &json!("made")));
        assert!(created["detail"]["expires_at"].is_string());
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await;
        server.send("POST", "/v1/users/bob/ban", &staff.access).await.expect(200);
        server.send("POST", "/v1/signing-keys/rotate", &staff.access).await.expect(201);
        let failed = Origin { request_id: Some("7".to_owned()), address: Some("198.51.100.7".parse().unwrap()) };
        server.sessions.record_failed_sign_in(failed).await.unwrap();
        let found = entries(&server, "").await;
        let newest = &found[0];
        assert_eq!((newest["action"].as_str(), newest["actor"]["type"].as_str()), (Some("console.sign_in_failed"), Some("unknown")));
        assert_eq!((&newest["request_id"], &newest["address"]), (&json!("7"), &json!("198.51.100.7")));
        let text = serde_json::to_string(&found).unwrap();
        let secret = made["secret"].as_str().unwrap();
        for credential in [secret, &secret[40..], BOOTSTRAP_KEY, &staff.access, &staff.refresh, "sjk_", "eyJ"] {
            assert!(!text.contains(credential), "{credential} is in {text}");
        }
    }
}
