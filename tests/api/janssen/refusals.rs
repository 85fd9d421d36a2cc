//! Every refusal is in the family's own words, and too small a scope is 401.

use super::{PATH, READER, REMOVER};
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

const SID: &str = "/sid/01890000-0000-7000-8000-000000000000";

on_both_databases! {
    async fn a_missing_credential_and_too_small_a_scope_are_one_status(database) {
        let server = Server::start(database).await;
        let plain = server.open("1001").await;
        let readers = [server.key(READER).await, server.key("https://jans.io/oauth/config/read-all").await];
        let removers = [server.key(REMOVER).await, server.key("https://jans.io/oauth/config/delete-all").await];
        let others = [
            plain.access, server.key("sessions:read sessions:write").await, server.key("revoke_session").await,
            server.key("https://jans.io/oauth/jans-auth-server/session.delete").await, "garbage".to_owned(),
        ];
        let user = "/user/nobody";
        let operations =
            [("GET", "", true), ("GET", "/search", true), ("GET", SID, true), ("DELETE", SID, false), ("DELETE", user, false)];
        for (method, path, reads) in operations {
            let path = format!("{PATH}{path}");
            let none = answer(server.request(method, &path)).await.expect(401);
            assert!(none.header("www-authenticate").starts_with("Bearer"));
            assert_eq!(none.json()["code"], "401");
            let (allowed, refused) = if reads { (&readers, &removers) } else { (&removers, &readers) };
            for token in refused.iter().chain(&others) {
                let refused = server.send(method, &path, token).await.expect(401);
                assert!(refused.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
                assert_eq!(refused.json()["code"], "401");
            }
            for token in allowed.iter().map(String::as_str).chain([BOOTSTRAP_KEY]) {
                let status = server.send(method, &path, token).await.status.as_u16();
                assert!([200, 404].contains(&status), "{method} {path}: {status}");
            }
        }
        let lower = server.request("GET", PATH).header("authorization", format!("bEARER {BOOTSTRAP_KEY}"));
        answer(lower).await.expect(200);
    }

    async fn paths_and_methods_that_are_not_there_are_refused_in_the_same_shape(database) {
        let server = Server::start(database).await;
        let rows = [
            ("GET", "/api/v1/jans-auth-server", 404),
            ("GET", "/api/v1/jans-auth-server/session/", 404),
            ("GET", "/api/v1/jans-auth-server/session/sid", 404),
            ("POST", PATH, 405),
            ("GET", "/api/v1/jans-auth-server/session/user/1001", 405),
            ("GET", "/jans-config-api", 404),
            ("GET", "/jans-config-api/api/v1/users/me/sessions", 404),
            ("GET", "/jans-config-api/api/v1/jans-auth-server/session/", 404),
            ("POST", "/jans-config-api/api/v1/jans-auth-server/session", 405),
        ];
        for (method, path, status) in rows {
            let refused = answer(server.request(method, path)).await.expect(status).json();
            assert_eq!(refused["code"], status.to_string(), "{method} {path}");
            assert!(refused["message"].is_string());
        }
    }
}
