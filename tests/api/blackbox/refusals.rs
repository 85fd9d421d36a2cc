//! Every refusal is in the family's own words.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

const PATH: &str = "/api/v0/sessions";
const OPERATIONS: [(&str, &str); 7] = [
    ("GET", ""),
    ("POST", "/cleanup"),
    ("POST", "/revoke-all"),
    ("GET", "/stats"),
    ("GET", "/01890000-0000-7000-8000-000000000000"),
    ("DELETE", "/01890000-0000-7000-8000-000000000000"),
    ("POST", "/01890000-0000-7000-8000-000000000000/extend"),
];

on_both_databases! {
    async fn a_caller_that_is_no_user_in_a_session_is_refused_everywhere(database) {
        let server = Server::start(database).await;
        let ended = server.open("1001").await;
        server.send("DELETE", &format!("{PATH}/{}", ended.id), &ended.access).await.expect(200);
        for (method, path) in OPERATIONS {
            let path = format!("{PATH}{path}");
            let none = answer(server.request(method, &path).header("cookie", "")).await.expect(401);
            assert_eq!(none.json(), json!({ "success": false, "message": "A credential is needed" }));
            for token in [BOOTSTRAP_KEY, "garbage", &ended.access] {
                let refused = server.send(method, &path, token).await.expect(401);
                assert_eq!(refused.json(), json!({ "success": false, "message": "The credential is not valid" }));
            }
        }
    }

    async fn paths_and_methods_that_are_not_there_are_refused_in_the_same_shape(database) {
        let server = Server::start(database).await;
        let rows = [
            ("GET", "/api/v0", 404),
            ("GET", "/api/v0/nothing", 404),
            ("GET", "/api/v0/sessions/", 404),
            ("PUT", PATH, 405),
            ("PATCH", "/api/v0/sessions/01890000-0000-7000-8000-000000000000", 405),
            ("PUT", "/api/v0/sessions/stats", 405),
        ];
        for (method, path, status) in rows {
            let refused = answer(server.request(method, path)).await.expect(status);
            assert_eq!(refused.json()["success"], json!(false), "{method} {path}");
        }
        let huge = server.request("POST", "/api/v0/sessions/revoke-all").body("x".repeat(70_000));
        assert_eq!(answer(huge).await.expect(413).json()["success"], json!(false));
    }

    async fn an_empty_cookie_header_is_no_obstacle(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let request = server.request("GET", PATH).bearer_auth(&mine.access).header("cookie", "");
        answer(request).await.expect(200);
    }
}
