//! Every refusal is in the family's own words, and checks come in a fixed order.

use serde_json::{Value, json};

use super::staff;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

const OPERATIONS: [(&str, &str); 5] = [
    ("GET", "/sessions"),
    ("DELETE", "/sessions"),
    ("DELETE", "/sessions/all"),
    ("GET", "/session/1760000000"),
    ("DELETE", "/session/1760000000"),
];

fn words(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

on_both_databases! {
    async fn a_caller_without_a_session_is_refused_before_anything_else(database) {
        let server = Server::start(database).await;
        for (method, path) in OPERATIONS {
            for prefix in ["/api/user", "/user"] {
                let path = format!("{prefix}/nobody{path}");
                let none = answer(server.request(method, &path)).await.expect(401);
                assert_eq!(none.json(), words("INVALID_SESSION_ERROR", "Invalid Session"));
                for value in ["garbage", "Basic abc", "Bearer", "Bearer garbage"] {
                    let request = server.request(method, &path).header("authorization", value);
                    let refused = answer(request).await.expect(401);
                    assert_eq!(refused.json(), words("INVALID_SESSION_ERROR", "Invalid Session"), "{value}");
                }
            }
        }
    }

    async fn callers_other_than_staff_and_that_user_are_refused_whether_the_user_exists_or_not(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        server.open("1002").await;
        let reader = server.key("sessions:read sessions:write").await;
        for (method, path) in OPERATIONS {
            for user in ["1002", "nobody", "%00"] {
                for token in [&mine.access, &reader] {
                    let refused = server.send(method, &format!("/api/user/{user}{path}"), token).await.expect(403);
                    let expected = words("INSUFFICIENT_PERMISSIONS_ERROR", "Missing Permissions");
                    assert_eq!(refused.json(), expected, "{method} {user}");
                }
            }
        }
    }

    async fn a_user_that_is_not_there_is_told_to_staff_before_the_session(database) {
        let server = Server::start(database).await;
        let staff = staff(&server).await;
        let long = "x".repeat(300);
        for user in ["nobody", "%00", long.as_str()] {
            for (method, path) in OPERATIONS {
                let body = json!({ "sessions": ["1760000000"] });
                let path = format!("/api/user/{user}{path}");
                let request = server.request(method, &path).bearer_auth(&staff.access);
                let takes_body = method == "DELETE" && path.ends_with("/sessions");
                let refused = answer(if takes_body { request.json(&body) } else { request }).await.expect(404);
                assert_eq!(refused.json(), words("INVALID_USER_ERROR", "Invalid User"), "{method} {path}");
            }
            let path = format!("/api/user/{user}/session/1e9");
            let refused = server.send("GET", &path, &staff.access).await.expect(404);
            assert_eq!(refused.json(), words("INVALID_USER_ERROR", "Invalid User"));
        }
    }

    async fn a_banned_caller_is_told_so_until_the_ban_is_lifted(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        server.send("POST", "/v1/users/1001/ban", BOOTSTRAP_KEY).await.expect(200);
        for (method, path) in OPERATIONS {
            let refused = server.send(method, &format!("/api/user/1001{path}"), &mine.access).await.expect(403);
            assert_eq!(refused.json(), words("BANNED_ERROR", "Banned"), "{method} {path}");
        }
        let list = server.send("GET", "/api/user/1001/sessions", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(list, json!({ "count": 0, "items": [] }));
        server.send("POST", "/v1/users/1001/unban", BOOTSTRAP_KEY).await.expect(200);
        server.send("GET", "/api/user/1001/sessions", &mine.access).await.expect(401);
    }

    async fn paths_and_methods_that_are_not_there_are_invalid_endpoints(database) {
        let server = Server::start(database).await;
        let rows = [
            ("GET", "/api/user", 404),
            ("GET", "/user/1001", 404),
            ("GET", "/api/user/1001/sessions/", 404),
            ("GET", "/user/1001/session", 404),
            ("POST", "/api/user/1001/sessions", 405),
            ("GET", "/user/1001/sessions/all", 405),
            ("PUT", "/user/1001/session/1", 405),
        ];
        for (method, path, status) in rows {
            let refused = answer(server.request(method, path)).await.expect(status);
            assert_eq!(refused.json(), words("INVALID_ENDPOINT_ERROR", "Invalid Endpoint"), "{method} {path}");
        }
        let huge = server.request("DELETE", "/user/1001/sessions").body("x".repeat(70_000));
        assert_eq!(answer(huge).await.expect(413).json()["code"], "BODY_TOO_LARGE_ERROR");
    }
}
