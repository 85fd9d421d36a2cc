//! Rate limits of a caller, in every family's words.

use serde_json::Value;
use sojourn::config::HttpConfig;
use sojourn::sessions::Credential;

use crate::support::builder::Builder;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

fn limits(rate_limit: u32, trusted_proxies: &[&str]) -> HttpConfig {
    let trusted_proxies = trusted_proxies.iter().map(|network| network.parse().unwrap()).collect();
    HttpConfig { rate_limit, trusted_proxies, ..HttpConfig::default() }
}

fn limited(rate_limit: u32) -> Builder {
    Server::builder().http(limits(rate_limit, &[]))
}

on_both_databases! {
    async fn a_caller_that_asks_too_often_is_told_so_in_the_family_s_words(database) {
        let server = limited(4).start(database).await;
        for (user, path, look) in [
            ("a", "/v1/me", "/code=too_many_requests"),
            ("b", "/auth/sessions", "/status=429 TOO_MANY_REQUESTS"),
            ("c", "/api/v1/users/me/sessions", "/error/code=TOO_MANY_REQUESTS"),
            ("d", "/api/v0/sessions", "/success=false"),
            ("e", "/api/user/e/sessions", "/code=RATELIMITED_ERROR"),
            ("f", "/api/user/sessions", "/code=RATELIMITED_ERROR"),
            ("g", "/user/session", "/code=RATELIMITED_ERROR"),
        ] {
            let token = one_session(&server, user).await;
            for left in (0..4).rev() {
                let fine = server.send("GET", path, &token).await.expect(200);
                assert_eq!(remaining(&fine), left, "{path}");
            }
            let refused = server.send("GET", path, &token).await.expect(429);
            assert_eq!(remaining(&refused), 0);
            let wait: u64 = refused.header("retry-after").parse().unwrap();
            assert!((1..=76).contains(&wait), "{wait}");
            let (pointer, expected) = look.split_once('=').unwrap();
            let body = refused.json();
            let said = body.pointer(pointer).unwrap();
            assert_eq!(said.as_str().map_or_else(|| said.to_string(), str::to_owned), expected, "{body}");
        }
    }
}

/// The access token of a session that is opened past the rate limit, because the limit counts the service too.
async fn one_session(server: &Server, user: &str) -> String {
    one_pair(server, user).await.0
}

/// The tokens of a session that is opened past the rate limit.
async fn one_pair(server: &Server, user: &str) -> (String, String) {
    use sojourn::model::{Caller, Scope, Service};
    use sojourn::sessions::{IssuedTokens, SessionDraft};
    let caller = Caller::Service(Service {
        id: "t".to_owned(),
        name: "t".to_owned(),
        scope: Scope::everything(),
        application: None,
    });
    let draft = SessionDraft { user_id: user.to_owned(), ..SessionDraft::default() };
    match server.sessions.open(&caller, draft, None).await.unwrap().tokens {
        IssuedTokens::Pair { access, refresh, .. } => (access.expose().to_owned(), refresh.expose().to_owned()),
        IssuedTokens::Session { .. } => panic!("a pair is the default"),
    }
}

fn remaining(answer: &crate::support::server::Answer) -> u32 {
    let standard = answer.header("ratelimit");
    if standard.is_empty() {
        assert_eq!(answer.header("x-ratelimit-limit"), "4");
        assert!(answer.header("x-ratelimit-reset").parse::<i64>().unwrap() > 1_700_000_000);
        return answer.header("x-ratelimit-remaining").parse().unwrap();
    }
    assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=4;w=300");
    let remaining = standard.strip_prefix("\"default\";r=").unwrap().split(';').next().unwrap();
    remaining.parse().unwrap()
}

#[tokio::test]
async fn every_caller_has_a_budget_of_its_own() {
    let server = limited(2).start_on_sqlite().await;
    let (alice, bob) = (one_session(&server, "alice").await, one_session(&server, "bob").await);
    for _ in 0..2 {
        server.send("GET", "/v1/me", &alice).await.expect(200);
    }
    server.send("GET", "/v1/me", &alice).await.expect_problem(429, "too_many_requests");
    server.send("GET", "/v1/me", &bob).await.expect(200);
    server.send("GET", "/v1/me", BOOTSTRAP_KEY).await.expect(200);
}

#[tokio::test]
async fn anonymous_callers_are_limited_by_address_as_far_as_proxies_are_trusted() {
    let server = Server::builder().http(limits(3, &["127.0.0.1/32"])).start_on_sqlite().await;
    let from = async |address: &str| {
        let request = server.request("GET", "/v1/me").bearer_auth("nonsense").header("x-forwarded-for", address);
        answer(request).await.status.as_u16()
    };
    for _ in 0..3 {
        assert_eq!(from("203.0.113.7").await, 401);
    }
    assert_eq!(from("203.0.113.7").await, 429);
    assert_eq!(from("203.0.113.8").await, 401, "somebody else");
    let made_up = "203.0.113.8, 203.0.113.7";
    assert_eq!(from(made_up).await, 429, "what a client writes before its own address does not count");

    let refresh = async || {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "sjr_x")];
        let request = server.request("POST", "/oauth2/token").form(&form).header("x-forwarded-for", "198.51.100.1");
        answer(request).await
    };
    for _ in 0..3 {
        refresh().await.expect(400);
    }
    assert_eq!(refresh().await.expect(429).json()["error"], Value::from("too_many_requests"));
}

#[tokio::test]
async fn without_the_setting_nobody_is_counted() {
    let server = Server::start_on_sqlite().await;
    let token = one_session(&server, "alice").await;
    let fine = server.send("GET", "/v1/me", &token).await.expect(200);
    assert!(fine.header("ratelimit").is_empty() && fine.header("x-ratelimit-limit").is_empty());
}

on_both_databases! {
    async fn a_flood_with_a_stolen_token_does_not_stop_its_owner_from_ending_sessions_in_any_family(database) {
        let server = limited(5).start(database).await;
        let stolen = one_session(&server, "alice").await;
        let own = one_session(&server, "alice").await;
        while server.send("GET", "/v1/me", &stolen).await.status == 200 {}
        server.send("GET", "/v1/me", &own).await.expect_problem(429, "too_many_requests");
        while server.send("DELETE", "/v1/sessions/none", &stolen).await.status == 404 {}
        for (method, path) in [
            ("DELETE", "/v1/me/sessions?keep_current=true"),
            ("DELETE", "/auth/sessions"),
            ("POST", "/api/v0/sessions/revoke-all"),
            ("DELETE", "/user/sessions/all?allButSelf=true"),
            ("DELETE", "/api/v1/users/me/sessions"),
        ] {
            let request = server.request(method, path).bearer_auth(&own);
            let request = if method == "POST" { request.json(&serde_json::json!({ "keep_current": true })) } else { request };
            answer(request).await.expect(200);
        }
        assert_eq!(server.send("GET", "/v1/me", &stolen).await.expect(401).json()["code"], "unauthenticated");
    }

    async fn whoever_floods_with_a_sessions_token_cannot_keep_that_session_from_being_ended(database) {
        let server = limited(4).start(database).await;
        for (method, path) in [
            ("DELETE", "/v1/sessions/{own}"),
            ("DELETE", "/v1/me/sessions"),
            ("DELETE", "/auth/sessions/{own}"),
            ("DELETE", "/auth/sessions/all"),
            ("DELETE", "/api/v0/sessions/{own}"),
            ("DELETE", "/api/v1/users/me/sessions"),
            ("DELETE", "/user/session/{own}"),
            ("DELETE", "/api/user/session/{own}"),
            ("DELETE", "/user/sessions/all"),
            ("DELETE", "/api/user/sessions/all?allButSelf=false"),
            ("POST", "/oauth2/revoke"),
        ] {
            let token = one_session(&server, path).await;
            let own = server.send("GET", "/v1/me", &token).await.expect(200).json()["session"]["id"].clone();
            while server.send("DELETE", "/v1/sessions/none", &token).await.status == 404 {}
            while server.send("DELETE", "/v1/me/sessions?keep_current=true", &token).await.status == 200 {}
            let own_path = format!("/{}", own.as_str().unwrap());
            for flood in [
                "/user/sessions/all?allButSelf=true".to_owned(),
                format!("/user/sessions/all?allButSelf={own_path}"),
                format!("/user/sessions?x={own_path}"),
            ] {
                for _ in 0..5 {
                    let status = server.send("DELETE", &flood, &token).await.status.as_u16();
                    assert!(matches!(status, 200 | 400 | 429), "{flood}: {status}");
                }
            }
            let path = path.replace("{own}", own.as_str().unwrap());
            let request = server.request(method, &path);
            let request = if method == "POST" {
                request.form(&[("token", &token)])
            } else {
                request.bearer_auth(&token)
            };
            assert!(answer(request).await.status.is_success(), "{path}");
            assert!(server.sessions.authenticate(&[Credential::in_header(token.as_str())], None, None).await.is_err(), "{path}");
        }
    }

    async fn a_service_key_that_asked_too_often_still_ends_sessions_in_every_family_for_administrators(database) {
        let server = limited(4).start(database).await;
        let mut tokens = Vec::new();
        for user in ["a", "b", "c", "d"] {
            tokens.push(one_session(&server, user).await);
        }
        let id = server.send("GET", "/v1/me", &tokens[0]).await.expect(200).json()["session"]["id"].clone();
        while server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.status == 200 {}
        server.send("GET", "/v1/me", BOOTSTRAP_KEY).await.expect_problem(429, "too_many_requests");
        for (path, status) in [
            (format!("/v1/sessions/{}", id.as_str().unwrap()), 204),
            ("/v1/users/b/sessions".to_owned(), 200),
            ("/api/user/c/sessions/all".to_owned(), 200),
            ("/jans-config-api/api/v1/jans-auth-server/session/user/d".to_owned(), 204),
        ] {
            server.send("DELETE", &path, BOOTSTRAP_KEY).await.expect(status);
        }
        for token in &tokens {
            assert!(server.sessions.authenticate(&[Credential::in_header(token.as_str())], None, None).await.is_err());
        }
        let fifth = server.send("DELETE", "/v1/users/d/sessions", BOOTSTRAP_KEY).await;
        assert_eq!(fifth.status, 429, "the budget of endings has its bound too");
    }

    /// D-16.
    async fn wrong_tokens_from_an_address_do_not_stop_right_ones_from_there(database) {
        let server = limited(3).start(database).await;
        let (first, second) = (one_pair(&server, "alice").await, one_pair(&server, "bob").await);
        while server.refresh("sjr_wrong").await.status == 400 {}
        server.refresh("sjr_wrong").await.expect(429);
        let mut token = first.1.clone();
        for _ in 0..3 {
            let pair = server.refresh(&token).await.expect(200).json();
            pair["refresh_token"].as_str().unwrap().clone_into(&mut token);
        }
        server.refresh(&token).await.expect(429);
        assert_eq!(server.refresh(&second.1).await.expect(200).json()["token_type"], "Bearer");
        server.send_form("/oauth2/revoke", None, &[("token", "sjr_wrong")]).await.expect(429);
        server.send_form("/oauth2/revoke", None, &[("token", &token)]).await.expect(200);
        server.send_form("/oauth2/revoke", None, &[("token", &second.0)]).await.expect(200);
        for (access, _) in [first, second] {
            assert!(server.sessions.authenticate(&[Credential::in_header(access.as_str())], None, None).await.is_err());
        }
    }

    async fn a_banned_user_is_limited_over_all_sessions_and_does_not_use_up_the_address(database) {
        let server = limited(4).start(database).await;
        let (one, other) = (one_session(&server, "mallory").await, one_session(&server, "mallory").await);
        server.send("POST", "/v1/users/mallory/ban", BOOTSTRAP_KEY).await.expect(200);
        for token in [&one, &other, &one, &other] {
            server.send("GET", "/v1/me", token).await.expect_problem(401, "unauthenticated");
        }
        for token in [&one, &other] {
            server.send("GET", "/v1/me", token).await.expect_problem(429, "too_many_requests");
        }
        server.send("GET", "/v1/me", "nonsense").await.expect_problem(401, "unauthenticated");
    }
}

/// D-14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_malformed_reaches_the_database() {
    let (server, proxy) = limited(60).start_behind_proxy().await;
    let opened = one_pair(&server, "alice").await;
    let key = server.key("sessions:read").await;
    proxy.cut();
    let cut = |token: &str| token[..token.len() - 1].to_owned();
    let wrong = ["nonsense".to_owned(), cut(&opened.0), cut(&opened.1), cut(&key), opened.1.replace("sjr_", "sjs_")];
    for token in &wrong {
        // A request that reached the database would be answered 503.
        server.send("GET", "/v1/me", token).await.expect_problem(401, "unauthenticated");
        server.refresh(token).await.expect(400);
        server.send_form("/oauth2/revoke", None, &[("token", token)]).await.expect(200);
    }
    let mut refused = 0;
    for number in 0..100 {
        refused += u32::from(server.send("GET", "/v1/me", &format!("random{number}")).await.status == 429);
    }
    assert!((50..=56).contains(&refused), "{refused}: the address has 60 in all");
}

on_both_databases! {
    async fn invented_service_keys_are_refused_and_new_ones_are_good_at_once(database) {
        let server = Server::start(database).await;
        let other = Server::start_on_sqlite().await;
        let mut invented = Vec::new();
        for _ in 0..20 {
            invented.push(other.key("sessions:admin").await);
        }
        let flood = futures_util::future::join_all(invented.iter().map(|key| server.send("GET", "/v1/sessions", key)));
        let (refused, new) = tokio::join!(flood, async {
            let key = server.key("sessions:read").await;
            server.send("GET", "/v1/sessions", &key).await
        });
        for refused in refused {
            refused.expect_problem(401, "unauthenticated");
        }
        new.expect(200);
    }
}

#[tokio::test]
async fn only_the_named_header_counts_whatever_else_a_client_makes_up() {
    for (named, other) in
        [(None, "forwarded"), (Some("x-real-ip"), "x-forwarded-for"), (Some("forwarded"), "x-forwarded-for")]
    {
        let forwarding_header = named.map(|name| name.parse().unwrap());
        let http = HttpConfig { forwarding_header, ..limits(3, &["127.0.0.1/32"]) };
        let server = Server::builder().http(http).start_on_sqlite().await;
        let written = if named == Some("forwarded") { "for=203.0.113.7" } else { "203.0.113.7" };
        for (number, expected) in [401, 401, 401, 429, 429].into_iter().enumerate() {
            let made_up =
                if other == "forwarded" { format!("for=198.51.100.{number}") } else { format!("198.51.100.{number}") };
            let request = server.request("GET", "/v1/me").header(named.unwrap_or("x-forwarded-for"), written);
            answer(request.header(other, made_up)).await.expect(expected);
        }
    }
}
