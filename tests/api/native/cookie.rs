//! The session token in a cookie, where the operator has named one.

use reqwest::header::HeaderValue;
use serde_json::json;
use sojourn::config::HttpConfig;

use crate::support::builder::Builder;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

fn with_cookie() -> Builder {
    let http = HttpConfig { cookie: Some("__Host-session".to_owned()), ..HttpConfig::default() };
    Server::builder().http(http)
}

on_both_databases! {
    async fn a_browser_reads_by_cookie(database) {
        let server = with_cookie().start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("theme=dark; __Host-session={}; x=y", opened.access);
        for path in ["/v1/me", "/v1/me/sessions", "/v1/verify"] {
            answer(server.request("GET", path).header("cookie", &cookie)).await.expect(200);
        }
        let guarded = server.request("POST", "/v1/verify/orders").header("cookie", &cookie);
        answer(guarded).await.expect(200);
        answer(server.request("GET", "/auth/sessions").header("cookie", &cookie)).await.expect(401);
    }

    async fn another_site_cannot_make_a_browser_change_anything(database) {
        let server = with_cookie().start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("__Host-session={}", opened.access);
        let delete = || server.request("DELETE", "/v1/me/sessions").header("cookie", &cookie);
        answer(delete().header("origin", "https://evil.example")).await.expect_problem(403, "cross_site_request");
        answer(delete().header("sec-fetch-site", "cross-site")).await.expect_problem(403, "cross_site_request");
        answer(delete().header("sec-fetch-site", "same-site")).await.expect_problem(403, "cross_site_request");
        assert!(server.stands(&opened.access).await);
        // Without Sec-Fetch-Site (older browsers) the issuer's origin counts, with its scheme, whatever the Host says.
        for origin in ["https://localhost:8080", "http://localhost", server.base.as_str()] {
            answer(delete().header("origin", origin)).await.expect_problem(403, "cross_site_request");
        }
        let other = server.request("DELETE", "/v1/me/sessions?keep_current=true").header("cookie", &cookie);
        answer(other.header("origin", "http://localhost:8080")).await.expect(200);
        answer(delete().header("sec-fetch-site", "same-origin")).await.expect(200);
        assert!(!server.stands(&opened.access).await);
    }

    async fn a_backend_that_forwards_a_cookie_alone_is_told_what_is_missing(database) {
        let server = with_cookie().start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let delete = || server.request("DELETE", "/v1/me/sessions").header("cookie", format!("__Host-session={}", opened.access));
        let refused = answer(delete()).await.expect_problem(403, "missing_origin").json();
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("Authorization: Bearer") && detail.contains("Origin"), "{detail}");
        assert!(server.stands(&opened.access).await);
        // Of a service key beside the cookie the key's rights count, and nobody's browser adds a key by itself.
        let (reader, admin) = (server.key("sessions:read").await, server.key("sessions:admin").await);
        answer(delete().bearer_auth(&reader)).await.expect_problem(401, "unauthenticated");
        let user = || server.request("DELETE", "/v1/users/alice/sessions").header("cookie", format!("__Host-session={}", opened.access));
        answer(user().bearer_auth(&reader)).await.expect_problem(403, "insufficient_scope");
        assert!(server.stands(&opened.access).await);
        answer(user().bearer_auth(&admin)).await.expect(200);
        assert!(!server.stands(&opened.access).await);
    }

    async fn a_page_at_a_listed_origin_lists_and_signs_out(database) {
        let listed = vec!["https://app.example".parse().unwrap()];
        let http = HttpConfig { cookie: Some("__Host-session".to_owned()), cors_origins: listed, ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        for site in ["same-site", "cross-site", ""] {
            let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
            let from = |origin: &str, method: &str, path: &str| {
                let request = server.request(method, path).header("cookie", format!("__Host-session={}", opened.access));
                let request = request.header("origin", origin);
                if site.is_empty() { request } else { request.header("sec-fetch-site", site) }
            };
            for stranger in ["http://app.example", "https://app.example:8443", "https://evil.example", "null"] {
                let refused = answer(from(stranger, "DELETE", "/v1/me/sessions")).await;
                let refused = refused.expect_problem(403, "cross_site_request");
                assert_eq!(refused.header("access-control-allow-origin"), "", "{stranger}");
            }
            assert!(server.stands(&opened.access).await);
            for (method, path) in [("GET", "/v1/me/sessions"), ("DELETE", "/v1/me/sessions")] {
                let answered = answer(from("https://app.example", method, path)).await.expect(200);
                assert_eq!(answered.header("access-control-allow-origin"), "https://app.example");
                assert_eq!(answered.header("access-control-allow-credentials"), "true");
            }
            assert!(!server.stands(&opened.access).await);
        }
    }

    async fn nothing_but_a_session_token_counts_in_a_cookie(database) {
        let server = with_cookie().start(database).await;
        let opened = server.open("alice").await;
        for credential in [opened.access.as_str(), &opened.refresh, BOOTSTRAP_KEY, &server.key("sessions:admin").await] {
            let cookie = format!("__Host-session={credential}");
            answer(server.request("GET", "/v1/me").header("cookie", cookie)).await.expect_problem(401, "unauthenticated");
        }
    }

    async fn a_neighbour_s_cookie_signs_nobody_out(database) {
        let server = with_cookie().start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let own = format!("__Host-session={}", opened.access);
        for cookie in [
            [b"n=\xc3\xb6; ", own.as_bytes()].concat(),
            [own.as_bytes(), b"; n=\xe9"].concat(),
            [b"=; ;x; n=\"; ", own.as_bytes(), b";"].concat(),
        ] {
            for path in ["/v1/me", "/v1/verify", "/api/user/alice/sessions"] {
                let cookie = HeaderValue::from_bytes(&cookie).unwrap();
                answer(server.request("GET", path).header("cookie", cookie)).await.expect(200);
            }
        }
    }

    async fn of_two_cookies_of_the_name_the_valid_one_counts(database) {
        let server = with_cookie().start(database).await;
        let open = async |user: &str| {
            let opened = server.open_with(&json!({ "user_id": user, "tokens": "session" })).await;
            (opened.access, opened.id)
        };
        let (good, good_id) = open("alice").await;
        let (same, _) = open("alice").await;
        let (bob, _) = open("bob").await;
        let (stale, stale_id) = open("bob").await;
        server.end(&stale_id).await;
        let ask = async |values: &[&str]| {
            let cookie = values.iter().map(|value| format!("__Host-session={value}")).collect::<Vec<_>>().join("; ");
            answer(server.request("GET", "/v1/verify").header("cookie", cookie)).await
        };
        for values in [
            [stale.as_str(), &good],
            [&good, &stale],
            [&good, &good],
            [&good, "other"],
            ["other", &good],
            ["", &good],
            [&good, BOOTSTRAP_KEY],
            [&good, &same],
        ] {
            let verified = ask(&values).await.expect(200);
            assert_eq!((verified.header("x-user-id"), verified.header("x-session-id")), ("alice", good_id.as_str()));
        }
        for values in [[good.as_str(), &bob], [&bob, &good], [&stale, "other"], [&stale, &stale]] {
            ask(&values).await.expect_problem(401, "unauthenticated");
        }
        let many = ["a", "b", "c", "d", "e", "f", "g", "h", &good];
        ask(&many).await.expect_problem(401, "unauthenticated");
        let two_lines = server.request("GET", "/v1/me").header("cookie", format!("__Host-session={stale}"));
        answer(two_lines.header("cookie", format!("__Host-session={good}"))).await.expect(200);
    }

    async fn another_scheme_s_credential_hides_no_cookie(database) {
        let server = with_cookie().start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("__Host-session={}", opened.access);
        let ask = async |authorization: &[u8]| {
            let authorization = HeaderValue::from_bytes(authorization).unwrap();
            let request = server.request("GET", "/v1/me").header("cookie", &cookie);
            answer(request.header("authorization", authorization)).await
        };
        for authorization in [
            &b"Basic YWxpY2U6cGFzc3dvcmQ="[..],
            b"Basic",
            b"",
            b" ",
            b"Bearer",
            b"Bearer ",
            b"Negotiate abc",
            b"Digest username=\"\xe9\", realm=\"x\"",
        ] {
            ask(authorization).await.expect(200);
        }
        for authorization in ["Bearer nonsense", "Bearer a b", "bearer \u{e9}"] {
            ask(authorization.as_bytes()).await.expect_problem(401, "unauthenticated");
        }
        let delete = server.request("DELETE", "/v1/me/sessions").header("cookie", &cookie);
        answer(delete.header("authorization", "Basic eA==")).await.expect_problem(403, "missing_origin");
    }

    async fn without_the_setting_a_cookie_is_nothing(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("__Host-session={}; session={}", opened.access, opened.access);
        answer(server.request("GET", "/v1/me").header("cookie", cookie)).await.expect_problem(401, "unauthenticated");
    }
}
