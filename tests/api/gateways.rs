//! Requests and answers as gateways, proxies and libraries on the way change them.

use std::fs;
use std::path::Path;

use reqwest::header::CONTENT_ENCODING;
use serde_json::{Value, json};
use sojourn::config::TokenConfig;

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

/// The largest head that nginx takes of an answer with the buffers of its recipe.
const HEAD_OF_ANSWER: usize = 8192;
/// The longest line of a request's head that nginx takes with its default buffers.
const LINE_OF_REQUEST: usize = 8192;

/// The size of a head on the wire.
fn head_bytes(answer: &Answer) -> usize {
    let lines = answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    "HTTP/1.1 200 OK\r\n\r\n".len() + lines.sum::<usize>()
}

fn said(answer: &Answer, pointer: &str) -> Value {
    answer.json().pointer(pointer).unwrap_or_else(|| panic!("{}", answer.text)).clone()
}

on_both_databases! {
    async fn a_compressed_body_is_refused_in_every_family_s_words(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let gzip = || (CONTENT_ENCODING, "gzip");
        let (name, value) = gzip();
        let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).header(name, value);
        let refused = answer(request.json(&json!({ "user_id": "x" }))).await.expect_problem(415, "unsupported_encoding");
        assert_eq!(refused.header("accept-encoding"), "identity");
        for (method, path, pointer, word) in [
            ("POST", "/api/v0/sessions/revoke-all", "/success", json!(false)),
            ("DELETE", "/api/user/alice/sessions", "/code", json!("UNSUPPORTED_MEDIA_TYPE_ERROR")),
        ] {
            let (name, value) = gzip();
            let request = server.request(method, path).bearer_auth(&opened.access).header(name, value);
            let refused = answer(request.json(&json!({ "sessions": [] }))).await.expect(415);
            assert_eq!(said(&refused, pointer), word);
        }
        let form = [("grant_type", "refresh_token"), ("refresh_token", opened.refresh.as_str())];
        let request = server.request("POST", "/oauth2/token").form(&form);
        let refused = answer(request.header(CONTENT_ENCODING, "br")).await.expect(415);
        assert_eq!(said(&refused, "/error"), "invalid_request");
        let request = server.request("POST", "/oauth2/token").form(&form);
        answer(request.header(CONTENT_ENCODING, "identity")).await.expect(200);
    }

    async fn a_needless_slash_is_told_with_the_right_path_in_every_family_s_words(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let get = async |path: &str| server.send("GET", path, &opened.access).await.expect(404);
        for path in ["/v1/me/", "//v1/me", "/v1//me", "/v1/me//"] {
            let told = get(path).await.expect_problem(404, "not_found");
            assert!(said(&told, "/detail").as_str().unwrap().ends_with(" did you mean /v1/me?"), "{}", told.text);
        }
        for (path, pointer, right) in [
            ("/auth/sessions/", "/message", Some("/auth/sessions")),
            ("/api/v0//sessions", "/message", Some("/api/v0/sessions")),
            ("/api/v1/jans-auth-server/session/", "/message", Some("/api/v1/jans-auth-server/session")),
            ("/oauth2//token", "/error_description", Some("/oauth2/token")),
            // Messages of these families are fixed.
            ("/api/v1/users/me/sessions/", "/error/code", None),
            ("//api/user/alice/sessions", "/code", None),
        ] {
            let told = get(path).await;
            let told = said(&told, pointer);
            assert!(right.is_none_or(|right| told.as_str().unwrap().ends_with(&format!(" did you mean {right}?"))), "{told}");
        }
        assert_eq!(said(&get("/v1/nothing").await, "/detail"), "There is nothing at this path");
        let long = format!("/v1/{}/", "x".repeat(300));
        assert_eq!(said(&get(&long).await, "/detail"), "There is nothing at this path");
    }

    async fn the_largest_answer_to_a_gateway_and_the_longest_token_fit_into_its_buffers(database) {
        let server = Server::start(database).await;
        let wide = |count: usize| "\u{1f511}".repeat(count);
        let largest = json!({
            "user_id": wide(255), "scope": "s".repeat(1024), "client_id": wide(255), "acr": wide(2), "amr": vec!["%".repeat(64); 16],
            "user": { "name": "A", "email": wide(255) },
        });
        let opened = server.open_with(&largest).await;
        assert!("authorization: Bearer ".len() + opened.access.len() < LINE_OF_REQUEST, "{}", opened.access.len());
        let verify = async |token: &str| {
            let request = server.request("GET", "/v1/verify").bearer_auth(token).header("x-request-id", "i".repeat(128));
            answer(request).await.expect(200)
        };
        let verified = verify(&opened.access).await;
        assert!((6500..HEAD_OF_ANSWER).contains(&head_bytes(&verified)), "{}", head_bytes(&verified));
        // Nothing that decides something is left out, and what describes the user is.
        assert_eq!(verified.headers["x-user-id"].as_bytes(), wide(255).as_bytes());
        assert_eq!(verified.headers["x-session-client"].as_bytes(), wide(255).as_bytes());
        assert_eq!(verified.headers["x-session-acr"].as_bytes(), wide(2).as_bytes());
        assert_eq!(verified.header("x-session-amr"), vec!["%25".repeat(64); 16].join(" "));
        for name in ["x-user-name", "x-user-name-encoded", "x-user-email"] {
            assert!(verified.headers[name].is_empty(), "there is no room for {name}");
        }

        let mut too_large = largest;
        too_large["acr"] = json!(wide(5));
        let refused = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &too_large).await;
        refused.expect_problem(422, "invalid_request");

        let usual = json!({
            "user_id": "01a2186e-8b13-731e-ab07-64937bb5adb8", "scope": "openid profile email reports:read reports:write",
            "client_id": "web-portal", "acr": "aal2", "amr": ["pwd", "otp"],
            "user": { "name": "Renée Öztürk-Müller", "email": "renee.oeztuerk-mueller@example.org" },
        });
        let head = head_bytes(&verify(&server.open_with(&usual).await.access).await);
        assert!(head < 1024, "{head}");
    }

    async fn what_describes_a_user_is_in_the_headers_in_this_order_as_far_as_there_is_room(database) {
        let server = Server::start(database).await;
        let wide = |count: usize| "\u{1f511}".repeat(count);
        let filled = (wide(255), "s".repeat(1024));
        for ((user_id, scope), name, email, present) in [
            (("a".to_owned(), String::new()), "\u{e9}".repeat(255), "e".repeat(255), [true, true, true]),
            (("a".to_owned(), String::new()), "\u{e9}".repeat(255), wide(255), [true, true, false]),
            (filled.clone(), "\u{e9}".repeat(255), wide(255), [true, false, false]),
            (filled, "n".repeat(255), wide(255), [true, false, true]),
        ] {
            let body = json!({ "user_id": user_id, "scope": scope, "user": { "name": name, "email": email } });
            let verified = server.send("GET", "/v1/verify", &server.open_with(&body).await.access).await.expect(200);
            let names = ["x-user-name", "x-user-email", "x-user-name-encoded"];
            assert_eq!(names.map(|name| !verified.headers[name].is_empty()), present);
        }
    }
}

#[tokio::test]
async fn below_the_path_of_a_reverse_proxy_addresses_are_right() {
    let issuer = "https://id.example/sessions/".to_owned();
    let tokens = TokenConfig { issuer: issuer.clone(), ..TokenConfig::default() };
    let server = Server::builder().tokens(tokens).start_on_sqlite().await;
    let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY);
    let opened = answer(request.json(&json!({ "user_id": "alice" }))).await.expect(201);
    let id = said(&opened, "/session/id");
    assert_eq!(opened.header("location"), format!("/sessions/v1/sessions/{}", id.as_str().unwrap()));
    // RFC 8414 section 3.1.
    let metadata = "/.well-known/oauth-authorization-server";
    for path in [metadata.to_owned(), format!("{metadata}/sessions")] {
        let told = answer(server.request("GET", &path)).await.expect(200);
        assert_eq!(said(&told, "/issuer"), issuer);
        assert_eq!(said(&told, "/token_endpoint"), "https://id.example/sessions/oauth2/token");
    }
    answer(server.request("GET", &format!("{metadata}/other"))).await.expect(404);
    let script = answer(server.request("GET", "/docs/swagger-initializer.js")).await.expect(200);
    assert!(script.text.contains("\"../openapi.yaml\"") && !script.text.contains("\"/openapi"), "{}", script.text);
}

/// The text of the recipe for a gateway, in small letters.
fn recipe(gateway: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gateways").join(gateway);
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    files.collect::<String>().to_lowercase()
}

#[tokio::test]
async fn every_recipe_names_every_header_of_an_identity() {
    let server = Server::builder().start_on_sqlite().await;
    let opened = server.open("alice").await;
    let verified = server.send("GET", "/v1/verify", &opened.access).await.expect(200);
    let names: Vec<&str> = verified.headers.keys().map(reqwest::header::HeaderName::as_str).collect();
    let names: Vec<&str> =
        names.into_iter().filter(|name| name.starts_with("x-user-") || name.starts_with("x-session-")).collect();
    assert_eq!(names.len(), 10, "a user without a name and an email address has all headers too: {names:?}");
    let guide = include_str!("../../docs/gateways.md").to_lowercase();
    for name in names {
        assert!(guide.contains(&format!("\n| `{name}` |")), "the guide has no {name}");
        // Traefik's recipe has a pattern for them all.
        for gateway in ["nginx", "haproxy", "apache", "caddy", "envoy"] {
            let text = recipe(gateway);
            let is_whole =
                |at: usize| !text[at + name.len()..].starts_with(|next: char| next == '-' || next.is_alphanumeric());
            assert!(text.match_indices(name).any(|(at, _)| is_whole(at)), "{gateway}: {name}");
        }
    }
}
