//! Every refusal is in the family's own words.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

const PATH: &str = "/api/v1/users/me/sessions";

on_both_databases! {
    async fn a_caller_that_is_no_user_in_a_session_is_told_to_authenticate(database) {
        let server = Server::start(database).await;
        let ended = server.open("1001").await;
        server.send("DELETE", PATH, &ended.access).await.expect(200);
        let one = format!("{PATH}/{}", ended.id);
        for (method, path) in [("GET", PATH), ("DELETE", PATH), ("DELETE", one.as_str())] {
            let none = answer(server.request(method, path)).await;
            let bare = answer(server.request(method, path).header("authorization", &ended.access)).await;
            let service = server.send(method, path, BOOTSTRAP_KEY).await;
            let garbage = server.send(method, path, "garbage").await;
            let gone = server.send(method, path, &ended.access).await;
            for refused in [none, bare, service, garbage, gone] {
                let refused = refused.expect(401);
                let words = json!({ "error": { "code": "UNAUTHORIZED", "message": "Authentication required" } });
                assert_eq!(refused.json(), words);
                assert!(refused.header("www-authenticate").starts_with("Bearer"));
            }
        }
    }

    async fn paths_and_methods_that_are_not_there_are_refused_in_the_same_shape(database) {
        let server = Server::start(database).await;
        let rows = [
            ("GET", "/api/v1/users", 404, "NOT_FOUND"),
            ("GET", "/api/v1/users/me/nothing", 404, "NOT_FOUND"),
            ("GET", "/api/v1/users/me/sessions/", 404, "NOT_FOUND"),
            ("DELETE", "/api/v1/users/me/sessions/%00", 401, "UNAUTHORIZED"),
            ("POST", PATH, 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/api/v1/users/me/sessions/01890000-0000-7000-8000-000000000000", 405, "METHOD_NOT_ALLOWED"),
        ];
        for (method, path, status, code) in rows {
            let refused = answer(server.request(method, path)).await.expect(status);
            assert_eq!(refused.json()["error"]["code"], code, "{method} {path}");
            assert_eq!(refused.header("content-type"), "application/json");
            assert_eq!(refused.header("cache-control"), "no-store");
        }
    }

    async fn a_strange_id_is_an_unknown_one(database) {
        let server = Server::start(database).await;
        let mine = server.open("1001").await;
        let long = "a".repeat(10_000);
        for id in ["%27", "..%2f..", "%00", "1;select%20pg_sleep(5)", "'%20OR%20'1'='1", long.as_str()] {
            server.send("DELETE", &format!("{PATH}/{id}"), &mine.access).await.expect(404);
        }
        server.send("DELETE", &format!("{PATH}/%C0%AF"), &mine.access).await.expect(400);
    }
}
