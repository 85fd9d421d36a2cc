//! One user, seen through all six families.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Opened, Server};

/// The active sessions of user 1001 as each family shows them to the user (or, for Janssen, to an administrator).
async fn views(server: &Server, token: &str) -> Vec<(&'static str, Vec<String>)> {
    let get = async |path: &'static str, token: &str| server.send("GET", path, token).await.expect(200).json();
    let ids = |list: &Value, member: &str| {
        let list = list.as_array().unwrap();
        let mut ids: Vec<String> = list.iter().map(|session| session[member].as_str().unwrap().to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    let native = get("/v1/me/sessions", token).await;
    let blackbox = get("/api/v0/sessions", token).await;
    let cumulonimbus = get("/api/user/1001/sessions", token).await;
    let janssen = get("/api/v1/jans-auth-server/session/search?fieldValuePair=userDn=1001", BOOTSTRAP_KEY).await;
    let count = get("/auth/sessions/count", token).await["activeSessions"].clone();
    let stats = get("/api/v0/sessions/stats", token).await["data"]["active_sessions"].clone();
    for total in [&native["total"], &blackbox["data"]["total"], &cumulonimbus["count"], &stats] {
        assert_eq!(*total, count);
    }
    vec![
        ("native", ids(&native["sessions"], "id")),
        ("quiika", ids(&get("/auth/sessions", token).await, "sessionId")),
        ("vault", ids(&get("/api/v1/users/me/sessions", token).await, "id")),
        ("blackbox", ids(&blackbox["data"]["sessions"], "id")),
        ("cumulonimbus", ids(&cumulonimbus["items"], "id")),
        ("janssen", ids(&janssen["entries"], "outsideSid")),
    ]
}

async fn assert_seen(server: &Server, token: &str, expected: &[&Opened]) {
    let mut expected: Vec<String> = expected.iter().map(|session| session.id.clone()).collect();
    expected.sort_unstable();
    for (family, seen) in views(server, token).await {
        assert_eq!(seen, expected, "{family}");
    }
}

on_both_databases! {
    async fn what_is_opened_is_seen_everywhere_and_what_one_family_ends_is_gone_from_all(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        server.open("1002").await;
        assert_seen(&server, &mine.access, &[&mine]).await;
        let ends = [
            ("/v1/sessions/", &mine.access as &str),
            ("/auth/sessions/", &mine.access),
            ("/api/v1/users/me/sessions/", &mine.access),
            ("/api/v0/sessions/", &mine.access),
            ("/user/1001/session/", &mine.access),
            ("/api/user/session/", &mine.access),
            ("/api/v1/jans-auth-server/session/sid/", BOOTSTRAP_KEY),
        ];
        for (path, token) in ends {
            let other = server.open("1001").await;
            assert_seen(&server, &mine.access, &[&mine, &other]).await;
            let ended = server.send("DELETE", &format!("{path}{}", other.id), token).await;
            assert!(ended.status.is_success(), "{path}: {}", ended.text);
            assert!(!server.stands(&other.access).await, "{path}");
            assert_seen(&server, &mine.access, &[&mine]).await;
        }
    }

    async fn a_user_with_more_sessions_than_a_list_shows_is_told_how_many_and_always_sees_its_own(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        server.copy_session(&mine.id, 1020).await;
        let get = async |path: &str, token: &str| server.send("GET", path, token).await.expect(200).json();
        let native = get("/v1/me/sessions", &mine.access).await;
        let blackbox = get("/api/v0/sessions", &mine.access).await;
        let of_staff = get("/v1/users/1001/sessions", BOOTSTRAP_KEY).await;
        let page = get("/api/user/1001/sessions", &mine.access).await;
        for total in [&native["total"], &blackbox["data"]["total"], &of_staff["total"], &page["count"]] {
            assert_eq!(*total, 1021);
        }
        assert_eq!(get("/auth/sessions/count", &mine.access).await["activeSessions"], 1021);
        assert_eq!(get("/api/v0/sessions/stats", &mine.access).await["data"]["active_sessions"], 1021);
        let lists = [
            (native["sessions"].clone(), "id"),
            (blackbox["data"]["sessions"].clone(), "id"),
            (get("/auth/sessions", &mine.access).await, "sessionId"),
            (get("/api/v1/users/me/sessions", &mine.access).await, "id"),
        ];
        for (list, id) in lists {
            let list = list.as_array().unwrap();
            assert_eq!(list.len(), 1000);
            assert_eq!(list.iter().filter(|session| session[id] == mine.id).count(), 1);
        }

        let mut seen = BTreeSet::new();
        for offset in (0..1050).step_by(50) {
            let page = get(&format!("/api/user/1001/sessions?offset={offset}"), &mine.access).await;
            assert_eq!(page["count"], 1021);
            let items = page["items"].as_array().unwrap();
            assert_eq!(items.len(), 50.min(1021_usize.saturating_sub(offset)), "{offset}");
            seen.extend(items.iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        }
        assert_eq!(seen.len(), 1021);
        assert!(seen.contains(&mine.id));
        let oldest = json!({ "sessions": [mine.id] });
        let removed = server.send_json("DELETE", "/api/user/1001/sessions", BOOTSTRAP_KEY, &oldest).await;
        assert_eq!(removed.expect(200).json()["count"], 1);
        assert!(!server.stands(&mine.access).await);
    }

    async fn an_inactive_session_opens_no_door(database) {
        let server = Server::start(database).await;
        let expired = server.open_with(&json!({ "user_id": "1001", "expires_in": 60 })).await;
        let idle = server.open_with(&json!({ "user_id": "1001", "idle_timeout": 60 })).await;
        let banned = server.open("1003").await;
        server.wait(TimeDelta::minutes(2));
        server.send("POST", "/v1/users/1003/ban", BOOTSTRAP_KEY).await.expect(200);
        let paths = [
            "/v1/me/sessions", "/auth/sessions", "/api/v1/users/me/sessions", "/api/v0/sessions",
            "/api/user/1001/sessions", "/api/user/sessions", "/api/v1/jans-auth-server/session",
        ];
        for path in paths {
            for session in [&expired, &idle] {
                server.send("GET", path, &session.access).await.expect(401);
            }
            let status = if path.starts_with("/api/user") { 403 } else { 401 };
            server.send("GET", path, &banned.access).await.expect(status);
        }
        let mine = server.open("1001").await;
        let list = server.send("GET", "/api/v0/sessions", &mine.access).await.expect(200).json();
        assert_eq!(list["data"]["total"], json!(1));
    }

    async fn another_users_session_is_nowhere_to_be_ended(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let foreign = server.open("1002").await;
        let paths = [
            "/v1/sessions/", "/auth/sessions/", "/api/v1/users/me/sessions/", "/api/v0/sessions/", "/user/1001/session/",
            "/user/session/",
        ];
        for path in paths {
            let refused = server.send("DELETE", &format!("{path}{}", foreign.id), &mine.access).await.expect(404);
            let unknown = format!("{path}01890000-0000-7000-8000-000000000000");
            assert_eq!(refused.text, server.send("DELETE", &unknown, &mine.access).await.expect(404).text, "{path}");
        }
        assert!(server.stands(&foreign.access).await);
    }
}
