//! The session token in a cookie, where the operator has named one.

use serde_json::json;
use sojourn::config::HttpConfig;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Options, Server, answer};

fn with_cookie() -> Options {
    let http = HttpConfig { cookie: Some("__Host-session".to_owned()), ..HttpConfig::default() };
    Options { http, ..Options::default() }
}

on_both_databases! {
    async fn a_browser_reads_by_cookie(database) {
        let server = Server::start_with(database, with_cookie()).await;
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
        let server = Server::start_with(database, with_cookie()).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("__Host-session={}", opened.access);
        let delete = || server.request("DELETE", "/v1/me/sessions").header("cookie", &cookie);
        answer(delete()).await.expect_problem(403, "cross_site_request");
        answer(delete().header("origin", "https://evil.example")).await.expect_problem(403, "cross_site_request");
        answer(delete().header("sec-fetch-site", "cross-site")).await.expect_problem(403, "cross_site_request");
        answer(delete().header("sec-fetch-site", "same-site")).await.expect_problem(403, "cross_site_request");
        assert!(server.stands(&opened.access).await);
        // Browsers without Sec-Fetch-Site: the issuer's origin counts, with its scheme, whatever the Host says.
        for origin in ["https://localhost:8080", "http://localhost", server.base.as_str()] {
            answer(delete().header("origin", origin)).await.expect_problem(403, "cross_site_request");
        }
        let other = server.request("DELETE", "/v1/me/sessions?keep_current=true").header("cookie", &cookie);
        answer(other.header("origin", "http://localhost:8080")).await.expect(200);
        answer(delete().header("sec-fetch-site", "same-origin")).await.expect(200);
        assert!(!server.stands(&opened.access).await);
    }

    async fn nothing_but_a_session_token_counts_in_a_cookie(database) {
        let server = Server::start_with(database, with_cookie()).await;
        let opened = server.open("alice").await;
        for credential in [opened.access.as_str(), &opened.refresh, BOOTSTRAP_KEY, &server.key("sessions:admin").await] {
            let cookie = format!("__Host-session={credential}");
            answer(server.request("GET", "/v1/me").header("cookie", cookie)).await.expect_problem(401, "unauthenticated");
        }
    }

    async fn two_cookies_of_the_name_are_refused(database) {
        let server = Server::start_with(database, with_cookie()).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        for cookie in [
            format!("__Host-session={}; __Host-session=other", opened.access),
            format!("__Host-session=other; __Host-session={}", opened.access),
        ] {
            answer(server.request("GET", "/v1/me").header("cookie", &cookie)).await.expect_problem(401, "unauthenticated");
        }
    }

    async fn without_the_setting_a_cookie_is_nothing(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("__Host-session={}; session={}", opened.access, opened.access);
        answer(server.request("GET", "/v1/me").header("cookie", cookie)).await.expect_problem(401, "unauthenticated");
    }
}
