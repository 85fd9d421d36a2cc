//! How many requests a caller may make, in every family's words.

use serde_json::Value;
use sojourn::config::HttpConfig;

use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Options, Server, answer};

fn limited(rate_limit: u32, trusted_proxies: &[&str]) -> Options {
    let trusted_proxies = trusted_proxies.iter().map(|network| network.parse().unwrap()).collect();
    Options { http: HttpConfig { rate_limit, trusted_proxies, ..HttpConfig::default() }, ..Options::default() }
}

on_both_databases! {
    async fn a_caller_that_asks_too_often_is_told_so_in_the_family_s_words(database) {
        let server = Server::start_with(database, limited(4, &[])).await;
        for (user, path, look) in [
            ("a", "/v1/me", "/code=too_many_requests"),
            ("b", "/auth/sessions", "/status=429 TOO_MANY_REQUESTS"),
            ("c", "/api/v1/users/me/sessions", "/error/code=TOO_MANY_REQUESTS"),
            ("d", "/api/v0/sessions", "/success=false"),
            ("e", "/api/user/e/sessions", "/code=RATELIMITED_ERROR"),
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

/// Opened past the limit, which counts the service too.
async fn one_session(server: &Server, user: &str) -> String {
    use sojourn::sessions::{Caller, IssuedTokens, Scope, Service, SessionDraft};
    let caller = Caller::Service(Service { id: "t".to_owned(), name: "t".to_owned(), scope: Scope::everything() });
    let draft = SessionDraft { user_id: user.to_owned(), ..SessionDraft::default() };
    match server.sessions.open(&caller, draft, None).await.unwrap().tokens {
        IssuedTokens::Pair { access, .. } => access.expose().to_owned(),
        IssuedTokens::Session(token) => token.expose().to_owned(),
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
    let server = Server::start_with(TestDatabase::sqlite().await, limited(2, &[])).await;
    let (alice, bob) = (one_session(&server, "alice").await, one_session(&server, "bob").await);
    for _ in 0..2 {
        server.send("GET", "/v1/me", &alice).await.expect(200);
    }
    server.send("GET", "/v1/me", &alice).await.expect_problem(429, "too_many_requests");
    server.send("GET", "/v1/me", &bob).await.expect(200);
    server.send("GET", "/v1/me", BOOTSTRAP_KEY).await.expect(200);
}

#[tokio::test]
async fn who_cannot_be_told_counts_by_address_as_far_as_proxies_are_trusted() {
    let server = Server::start_with(TestDatabase::sqlite().await, limited(3, &["127.0.0.1/32"])).await;
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
    let server = Server::start(TestDatabase::sqlite().await).await;
    let token = one_session(&server, "alice").await;
    let fine = server.send("GET", "/v1/me", &token).await.expect(200);
    assert!(fine.header("ratelimit").is_empty() && fine.header("x-ratelimit-limit").is_empty());
}

#[tokio::test]
async fn only_the_named_header_counts_whatever_else_a_client_makes_up() {
    for (named, other) in
        [(None, "forwarded"), (Some("x-real-ip"), "x-forwarded-for"), (Some("forwarded"), "x-forwarded-for")]
    {
        let mut options = limited(3, &["127.0.0.1/32"]);
        options.http.forwarding_header = named.map(|name| name.parse().unwrap());
        let server = Server::start_with(TestDatabase::sqlite().await, options).await;
        let written = if named == Some("forwarded") { "for=203.0.113.7" } else { "203.0.113.7" };
        for (number, expected) in [401, 401, 401, 429, 429].into_iter().enumerate() {
            let made_up =
                if other == "forwarded" { format!("for=198.51.100.{number}") } else { format!("198.51.100.{number}") };
            let request = server.request("GET", "/v1/me").header(named.unwrap_or("x-forwarded-for"), written);
            answer(request.header(other, made_up)).await.expect(expected);
        }
    }
}
