//! Errors, in Quiika's words.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

on_both_databases! {
    async fn without_a_user_s_token_it_is_401_everywhere(database) {
        let server = Server::start(database).await;
        let ended = server.open("alice").await;
        server.end(&ended.id).await;
        let key = server.key("sessions:admin").await;
        for (method, path) in [
            ("GET", "/auth/sessions"), ("GET", "/auth/sessions/active"), ("GET", "/auth/sessions/count"), ("DELETE", "/auth/sessions"),
            ("DELETE", "/auth/sessions/all"), ("DELETE", "/auth/sessions/01a20114-3d06-7355-88c5-d5965a7f8762"),
        ] {
            let nobody = answer(server.request(method, path)).await.expect(401);
            assert_eq!(nobody.json(), json!({ "message": "A credential is needed", "status": "401 UNAUTHORIZED" }), "{method} {path}");
            assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"sojourn\"");
            for token in [ended.access.as_str(), &ended.refresh, &ended.id, &key, BOOTSTRAP_KEY, "x"] {
                let refused = server.send(method, path, token).await.expect(401);
                assert_eq!(refused.json(), json!({ "message": "The credential is not valid", "status": "401 UNAUTHORIZED" }));
            }
        }
    }

    async fn unknown_paths_and_methods_are_answered_in_the_family_s_words(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let slashes = |right: &str| format!("There is nothing at this path; did you mean {right}?");
        for (path, message) in [
            ("/auth", "There is nothing at this path".to_owned()),
            ("/auth/", slashes("/auth")),
            ("/auth/nothing", "There is nothing at this path".to_owned()),
            ("/auth/sessions/", slashes("/auth/sessions")),
            ("/auth/sessions/a/b", "There is nothing at this path".to_owned()),
            ("/auth//sessions", slashes("/auth/sessions")),
        ] {
            let unknown = server.send("GET", path, &alice.access).await.expect(404).json();
            assert_eq!(unknown, json!({ "message": message, "status": "404 NOT_FOUND" }), "{path}");
        }
        for (method, path) in [("POST", "/auth/sessions"), ("PUT", "/auth/sessions/count"), ("GET", "/auth/sessions/all"), ("TRACE", "/auth/sessions")] {
            let refused = server.send(method, path, &alice.access).await.expect(405);
            assert_eq!(refused.json()["status"], "405 METHOD_NOT_ALLOWED");
            assert!(!refused.header("allow").is_empty(), "{method} {path}");
        }
        assert_eq!(server.send("GET", "/authors", &alice.access).await.expect(404).json()["code"], "not_found", "not below the prefix");
    }

    async fn a_body_that_nobody_asked_for_may_not_be_enormous(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let request = server.request("DELETE", "/auth/sessions").bearer_auth(&alice.access).body("x".repeat(70_000));
        assert_eq!(answer(request).await.expect(413).json()["status"], "413 PAYLOAD_TOO_LARGE");
    }

    async fn a_path_that_is_no_utf_8_is_refused_in_the_family_s_words(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let refused = server.send("DELETE", "/auth/sessions/%C0%AF", &alice.access).await.expect(400);
        assert_eq!(refused.json()["status"], "400 BAD_REQUEST");
    }
}
