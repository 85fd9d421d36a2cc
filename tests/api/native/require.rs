//! `/v1/require`, and requests that reach `/v1/verify` through gateways.

use chrono::TimeDelta;
use serde_json::json;
use sojourn::config::HttpConfig;
use sojourn::sessions::{Freshness, Policy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

on_both_databases! {
    async fn a_session_that_meets_what_a_route_requires_passes(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "alice", "scope": "reports:read reports:write", "acr": "aal2", "client_id": "web" });
        let opened = server.open_with(&body).await;
        for path in [
            "scope=reports:read",
            "scope=reports:read%20reports:write",
            "scope=reports%3Aread",
            "acr=aal2",
            "acr=aal1",
            "acr=phr%20aal2",
            "max_age=600",
            "client=web",
            "client=app%20web",
            "freshness=strict",
            "scope=reports:read;acr=aal2;max_age=600;client=web;freshness=strict",
            "freshness=strict;client=web;scope=reports:write",
        ] {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
                let verified = server.send(method, &format!("/v1/require/{path}"), &opened.access).await.expect(200);
                assert_eq!(verified.header("x-user-id"), "alice", "{method} {path}");
            }
        }
    }

    async fn no_check_is_passed_by_a_preflight_whatever_origins_are_allowed(database) {
        let http = HttpConfig { cors_origins: vec!["https://app.example".parse().unwrap()], ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        for path in ["/v1/verify", "/v1/verify/orders/7", "/v1/require/scope=reports:read/orders/7"] {
            let bare = server.request("OPTIONS", path);
            let preflight = server
                .request("OPTIONS", path)
                .header("origin", "https://app.example")
                .header("access-control-request-method", "DELETE");
            for request in [bare, preflight] {
                answer(request).await.expect_problem(401, "unauthenticated");
            }
        }
        let elsewhere = server.request("OPTIONS", "/v1/me").header("origin", "https://app.example");
        let elsewhere = answer(elsewhere.header("access-control-request-method", "GET")).await.expect(200);
        assert_eq!(elsewhere.header("access-control-allow-origin"), "https://app.example");
    }

    async fn what_is_not_met_is_refused_with_the_standards_challenges(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "alice", "scope": "reports:read", "acr": "aal1", "client_id": "web" });
        let opened = server.open_with(&body).await;
        server.wait(TimeDelta::seconds(61));
        let access = server.refresh(&opened.refresh).await.expect(200).json()["access_token"].as_str().unwrap().to_owned();
        let step_up = "insufficient_user_authentication";
        for (path, status, code, challenge) in [
            ("scope=reports", 403, "insufficient_scope", "error=\"insufficient_scope\", scope=\"reports\""),
            ("scope=reports:read%20admin", 403, "insufficient_scope", "error=\"insufficient_scope\", scope=\"reports:read admin\""),
            ("client=app", 403, "insufficient_scope", "error=\"insufficient_scope\""),
            ("acr=aal2", 403, step_up, "error=\"insufficient_user_authentication\", acr_values=\"aal2\""),
            ("acr=phr%20aal3", 403, step_up, "error=\"insufficient_user_authentication\", acr_values=\"phr aal3\""),
            ("max_age=60", 403, step_up, "error=\"insufficient_user_authentication\", max_age=\"60\""),
            ("max_age=60;acr=aal1", 403, step_up, "error=\"insufficient_user_authentication\", acr_values=\"aal1\", max_age=\"60\""),
            ("max_age=60;scope=admin", 403, "insufficient_scope", "error=\"insufficient_scope\", scope=\"admin\""),
        ] {
            let refused = server.send("GET", &format!("/v1/require/{path}"), &access).await.expect_problem(status, code);
            assert_eq!(refused.header("www-authenticate"), format!("Bearer realm=\"sojourn\", {challenge}"));
            assert!(refused.headers.get("x-user-id").is_none());
        }
        server.send("GET", "/v1/require/max_age=62", &access).await.expect(200);
        let none = answer(server.request("GET", "/v1/require/scope=a")).await.expect_problem(401, "unauthenticated");
        assert_eq!(none.header("www-authenticate"), "Bearer realm=\"sojourn\"");
        for token in [BOOTSTRAP_KEY, &opened.refresh, "nonsense"] {
            server.send("GET", "/v1/require/max_age=600", token).await.expect_problem(401, "unauthenticated");
        }
        let admin = server.open_with(&json!({ "user_id": "root", "scope": "sessions:admin" })).await;
        server.send("GET", "/v1/require/scope=sessions:read", &admin.access).await.expect(200);
        server.send("GET", "/v1/require/scope=reports:read", &admin.access).await.expect_problem(403, "insufficient_scope");
        let bare = server.open("bob").await;
        server.send("GET", "/v1/require/client=web", &bare.access).await.expect_problem(403, "insufficient_scope");
    }

    async fn a_requirement_that_is_not_known_opens_no_door(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "scope": "a", "client_id": "web" })).await;
        for path in [
            "scopes=a", "Scope=a", "s%63ope=a", "scope", "scope=", "scope=%20", "=a", ";", "scope=a;", ";scope=a", "scope=a;;client=web",
            "scope=a;scope=a", "max_age=1;max_age=600", "max_age=", "max_age=0", "max_age=-1", "max_age=1e3", "max_age=%2B5", "max_age=10m",
            "freshness=fresh", "freshness=", "scope=%zz", "scope=%2", "scope=%ff", "scope=a%00", "scope=%22", "acr=%C3%A9", "client=",
            "scope=a&client=web", "scope=a,client=web", "scope=a=b", "scope=a+b", "scope=a*", "none",
        ] {
            let path = format!("/v1/require/{path}");
            server.send("GET", &path, &opened.access).await.expect_problem(400, "malformed_request");
            server.send("POST", &format!("{path}/orders"), &opened.access).await.expect_problem(400, "malformed_request");
            answer(server.request("GET", &path)).await.expect_problem(400, "malformed_request");
        }
        for path in ["/v1/require", "/v1/require/", "/v1/require//scope=a"] {
            assert!(server.send("GET", path, &opened.access).await.status.is_client_error(), "{path}");
        }
    }

    async fn nothing_that_a_client_wrote_changes_what_is_required(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "scope": "a" })).await;
        for rest in [
            "", "/", "/orders/7", "/scope=b", "/;scope=b", "/..;/x", "//", "/%00", "?scope=b", "?max_age=1",
            "/x?freshness=fresh", "?q=%E9", "?freshness=strict", "/a;max_age=1",
        ] {
            server.send("GET", &format!("/v1/require/scope=a{rest}"), &opened.access).await.expect(200);
            server.send("DELETE", &format!("/v1/require/scope=a{rest}"), &opened.access).await.expect(200);
            let other = server.send("GET", &format!("/v1/require/scope=b{rest}"), &opened.access).await;
            other.expect_problem(403, "insufficient_scope");
        }
        for query in ["freshness=fresh", "freshness=today", "freshness=a&freshness=b", "q=%E9", "q=%", "&&=", "freshness", "scope=admin", "freshness=strict"] {
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                server.send(method, &format!("/v1/verify?{query}"), &opened.access).await.expect(200);
                server.send(method, &format!("/v1/verify/x?{query}"), &opened.access).await.expect(200);
            }
        }
    }

    /// Paths are sent byte by byte, because client libraries resolve dots themselves.
    async fn dots_lead_out_of_no_requirement(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "scope": "a" })).await;
        let address = server.base.trim_start_matches("http://").to_owned();
        for (rest, required, expected) in [
            ("/../../verify", "b", "HTTP/1.1 403 "),
            ("/../scope=a", "b", "HTTP/1.1 403 "),
            ("/%2e%2e/scope=a", "b", "HTTP/1.1 403 "),
            ("/..", "b", "HTTP/1.1 403 "),
            ("/../../verify", "a", "HTTP/1.1 200 "),
        ] {
            let path = format!("/v1/require/scope={required}{rest}");
            let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n", opened.access);
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(expected), "{path}: {answer}");
        }
    }

    async fn asking_can_only_make_an_answer_fresher(database) {
        let one = Server::start(database).await;
        let policy = Policy { freshness: Freshness::Strict, ..Policy::default() };
        let strict = one.replica_with(|with| with.policy(policy)).await;
        let fresh = one.replica().await;
        let ended = async |at: &Server, path: &str| {
            let opened = one.open("alice").await;
            assert!(at.stands(&opened.access).await, "now it has a copy");
            one.end(&opened.id).await;
            at.send("GET", path, &opened.access).await.expect_problem(401, "unauthenticated");
        };
        for _ in 0..5 {
            for path in ["/v1/verify?freshness=fresh", "/v1/verify/x?freshness=fresh", "/v1/require/max_age=600?freshness=fresh"] {
                ended(&strict, path).await;
            }
            for path in [
                "/v1/verify?freshness=strict",
                "/v1/verify?freshness=fresh&freshness=strict",
                "/v1/verify/x?a=%E9&freshness=strict",
                "/v1/require/max_age=600?freshness=strict",
                "/v1/require/freshness=strict",
                "/v1/require/freshness=strict/x?freshness=fresh",
            ] {
                ended(&fresh, path).await;
            }
            let opened = one.open("alice").await;
            assert!(strict.stands(&opened.access).await);
            one.end(&opened.id).await;
            let form = [("token", opened.access.as_str()), ("freshness", "fresh")];
            let said = strict.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &form).await.expect(200).json();
            assert_eq!(said, json!({ "active": false }));
        }
    }
}
