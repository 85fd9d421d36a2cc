//! Requests that are refused before their content is looked at.

use chrono::TimeDelta;
use serde_json::json;
use sojourn::model::{Caller, Owner, Service, Session, SessionId, UserId};
use sojourn::sessions::Policy;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

on_both_databases! {
    async fn every_route_asks_who_is_calling(database) {
        let server = Server::start(database).await;
        let id = server.open("alice").await.id;
        let routes = [
            ("POST", "/v1/sessions".to_owned()), ("GET", "/v1/sessions".to_owned()), ("GET", format!("/v1/sessions/{id}")),
            ("PATCH", format!("/v1/sessions/{id}")), ("DELETE", format!("/v1/sessions/{id}")),
            ("POST", format!("/v1/sessions/{id}/extend")), ("GET", "/v1/me".to_owned()), ("GET", "/v1/me/sessions".to_owned()),
            ("DELETE", "/v1/me/sessions".to_owned()), ("GET", "/v1/users/alice".to_owned()), ("PUT", "/v1/users/alice".to_owned()),
            ("DELETE", "/v1/users/alice".to_owned()), ("POST", "/v1/users/alice/ban".to_owned()),
            ("POST", "/v1/users/alice/unban".to_owned()), ("GET", "/v1/users/alice/sessions".to_owned()),
            ("DELETE", "/v1/users/alice/sessions".to_owned()), ("GET", "/v1/verify".to_owned()),
        ];
        for (method, path) in routes {
            let nobody = answer(server.request(method, &path)).await.expect_problem(401, "unauthenticated");
            assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"sojourn\"", "{method} {path}");
            assert_eq!(nobody.header("cache-control"), "no-store");
            let liar = server.send(method, &path, "sjs_nonsense").await.expect_problem(401, "unauthenticated");
            assert!(liar.header("www-authenticate").contains("error=\"invalid_token\""));
        }
    }

    /// A-14 and B-14: the signature is good, and both the user and the session exist.
    async fn a_token_whose_user_does_not_own_its_session_is_no_credential(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open("alice").await, server.open("bob").await);
        let id = SessionId::parse(&alice.id).unwrap();
        let session = server.store.session(id, Owner::Anyone).await.unwrap().unwrap();
        let (jti, now) = (id.as_uuid(), server.now());
        let mint = |user: &str| {
            let session = Session { user_id: UserId::parse(user).unwrap(), ..session.clone() };
            server.sessions.access_tokens().mint(&session, jti, TimeDelta::minutes(5), now).unwrap().0.expose().to_owned()
        };
        let (own, forged) = (mint("alice"), mint("bob"));
        for warmed in [false, true] {
            server.send("GET", "/v1/me", &forged).await.expect_problem(401, "unauthenticated");
            assert!(!server.stands(&forged).await, "{warmed}");
            server.send("GET", "/auth/sessions", &forged).await.expect(401);
            server.send("GET", "/v1/verify?freshness=strict", &forged).await.expect(401);
            let told = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", &forged)]).await.expect(200).json();
            assert_eq!(told, json!({ "active": false }), "{warmed}");
            server.send_form("/oauth2/revoke", None, &[("token", &forged)]).await.expect(200);
            // A valid token of the same id puts the session into the cache.
            assert!(server.stands(&own).await && server.stands(&alice.access).await && server.stands(&bob.access).await);
        }
        server.send_form("/oauth2/revoke", None, &[("token", &own)]).await.expect(200);
        assert!(!server.stands(&alice.access).await && server.stands(&bob.access).await);
    }

    async fn a_credential_has_one_place_and_one_form(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let token = &opened.access;
        for value in [format!("bearer {token}"), format!("BEARER {token}"), format!("Bearer   {token}")] {
            answer(server.request("GET", "/v1/me").header("authorization", value)).await.expect(200);
        }
        for value in [
            token.clone(), "Bearer".to_owned(), "Bearer ".to_owned(), format!("Basic {token}"), format!("Digest {token}"),
            format!("DPoP {token}"), format!("Bearer\t{token}"), format!("Bearer {token} {token}"), format!("Bearer {token},x"),
        ] {
            let refused = answer(server.request("GET", "/v1/me").header("authorization", &value)).await;
            refused.expect_problem(401, "unauthenticated");
        }
        let good = format!("Bearer {token}");
        for (first, second) in [(good.as_str(), "Bearer x"), ("Bearer x", good.as_str()), (good.as_str(), good.as_str())] {
            let request = server.request("GET", "/v1/me").header("authorization", first).header("authorization", second);
            answer(request).await.expect_problem(401, "unauthenticated");
        }
        let in_query = server.request("GET", &format!("/v1/me?access_token={token}"));
        answer(in_query).await.expect_problem(400, "malformed_request");
        let in_form = server.request("DELETE", "/v1/me/sessions").form(&[("access_token", token)]);
        answer(in_form).await.expect_problem(400, "malformed_request");
    }

    async fn a_token_of_another_kind_or_server_is_no_credential(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let other = Server::start_on_sqlite().await;
        let foreign = other.open("alice").await;
        let foreign_bearer = other.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let foreign_key = other.key("sessions:admin").await;
        for token in [&opened.refresh, &opened.id, &foreign.access, &foreign.refresh, &foreign_bearer.access, &foreign_key] {
            server.send("GET", "/v1/me", token).await.expect_problem(401, "unauthenticated");
        }
        let huge = "a".repeat(20_000);
        server.send("GET", "/v1/me", &huge).await.expect_problem(401, "unauthenticated");
    }

    async fn a_revoked_or_expired_key_is_no_credential(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:read").await;
        server.send("GET", "/v1/sessions", &key).await.expect(200);
        let id = server.store.service_keys().await.unwrap()[0].id;
        server.sessions.revoke_service_key(&Caller::Service(Service::command_line()).into(), id).await.unwrap();
        server.catch_up().await;
        server.send("GET", "/v1/sessions", &key).await.expect_problem(401, "unauthenticated");
    }

    async fn an_unknown_path_or_method_is_answered_in_the_same_words(database) {
        let server = Server::start(database).await;
        for path in ["/v1", "/v1/", "/v1/nothing", "/v1/sessions/", "/v1//sessions", "/V1/me", "/nothing", "/v1/me;x=1", "/index.html"] {
            answer(server.request("GET", path)).await.expect_problem(404, "not_found");
        }
        for (method, path, allow) in [("POST", "/v1/me", "GET,HEAD"), ("PUT", "/v1/sessions", "POST,GET,HEAD"), ("TRACE", "/v1/me", "GET,HEAD"), ("BREW", "/v1/me", "GET,HEAD"), ("POST", "/healthz", "GET,HEAD")] {
            let request = server.request(method, path).header("x-http-method-override", "GET");
            assert_eq!(answer(request).await.expect_problem(405, "method_not_allowed").header("allow"), allow);
        }
    }

    async fn a_body_that_is_no_json_is_told_so(database) {
        let server = Server::start(database).await;
        let post = |body: Vec<u8>| {
            server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).header("content-type", "application/json").body(body)
        };
        let nested = format!("{{\"user_id\":\"1\",\"metadata\":{}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        let bodies: [&[u8]; 14] = [
            b"", b"{", b"{\"user_id\":\"1\",}", b"{\"user_id\":\"1\"}garbage", b"\xef\xbb\xbf{\"user_id\":\"1\"}",
            b"{\"user_id\":\"1\",\"user_id\":\"2\"}", b"{\"user_id\":\"\\ud800\"}", b"{\"user_id\":\"\\udc00x\"}",
            b"{\"user_id\":\"\xff\"}", b"{\"user_id\":\"\xc0\xaf\"}", b"{\"user_id\":\"1\",\"metadata\":{\"a\":1e400}}",
            b"{\"user_id\":\"1\",\"expires_in\":1e400}", nested.as_bytes(), b"{\"user_id\":'1'}",
        ];
        for body in bodies {
            let answer = answer(post(body.to_vec())).await;
            assert_eq!(answer.status.as_u16(), 400, "{} {}", String::from_utf8_lossy(&body[..body.len().min(80)]), answer.text);
            answer.expect_problem(400, "malformed_request");
        }
        let raw_nul = answer(post(b"{\"user_id\":\"a\x00b\"}".to_vec())).await;
        raw_nul.expect_problem(400, "malformed_request");
        let escaped_nul = answer(post(b"{\"user_id\":\"a\\u0000b\"}".to_vec())).await;
        escaped_nul.expect_problem(422, "invalid_request");
    }

    async fn a_body_over_64_kib_is_too_large(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let large = json!({ "user_id": "1", "device_name": "x".repeat(70_000) }).to_string();
        let post = |path: &str| server.request("POST", path).bearer_auth(BOOTSTRAP_KEY).header("content-type", "application/json");
        answer(post("/v1/sessions").body(large.clone())).await.expect_problem(413, "body_too_large");
        let chunks = futures_of(&large);
        answer(post("/v1/sessions").body(chunks)).await.expect_problem(413, "body_too_large");
        let extend = format!("/v1/sessions/{}/extend", opened.id);
        answer(post(&extend).body(large.clone())).await.expect_problem(413, "body_too_large");
        let form = server.request("POST", "/oauth2/token").form(&[("grant_type", "refresh_token"), ("refresh_token", &large)]);
        answer(form).await.expect(413);
        let just_fits = json!({ "user_id": "1", "user_agent": "x".repeat(65_000) }).to_string();
        assert!(just_fits.len() < 64 * 1024);
        answer(post("/v1/sessions").body(just_fits)).await.expect(201);
    }

    /// the holder of an old signing key, or of a token of a deleted session, has a good signature and no session.
    async fn an_access_token_of_a_session_that_is_not_there_is_refused(database) {
        let policy = Policy { retention: TimeDelta::zero(), ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let (gone, kept) = (server.open("alice").await, server.open("bob").await);
        server.end(&gone.id).await;
        server.wait(TimeDelta::seconds(1));
        server.send_json("POST", "/v1/cleanup", BOOTSTRAP_KEY, &json!({})).await.expect(200);
        server.send("GET", &format!("/v1/sessions/{}", gone.id), BOOTSTRAP_KEY).await.expect(404);
        let cold = server.replica().await;
        for server in [&server, &cold] {
            assert!(server.stands(&kept.access).await, "the signature is good");
            server.send("GET", "/v1/me", &gone.access).await.expect_problem(401, "unauthenticated");
            assert!(!server.stands(&gone.access).await);
        }
        let metrics = cold.send("GET", "/metrics", "").await.expect(200).text;
        assert!(metrics.contains("sojourn_authentication_refusals_total{reason=\"unknown_session\"}"), "{metrics}");
    }

    async fn every_answer_carries_the_request_s_id(database) {
        let server = Server::start(database).await;
        let given = answer(server.request("GET", "/v1/me").header("x-request-id", "abc-123")).await;
        assert_eq!(given.header("x-request-id"), "abc-123");
        let long = "a".repeat(129);
        let opened = server.open("alice").await;
        let within = format!("trace-{}", &opened.refresh[..40]);
        for harmful in ["{\"forged\": true}", "a b", &long, &opened.refresh, &within, BOOTSTRAP_KEY, "eyJhbGciOiJFZERTQSJ9"] {
            let made = answer(server.request("GET", "/v1/me").header("x-request-id", harmful)).await;
            assert_ne!(made.header("x-request-id"), harmful);
            assert_eq!(made.header("x-request-id").len(), 36);
        }
    }

    async fn health_is_told_to_anybody(database) {
        let server = Server::start(database).await;
        assert_eq!(answer(server.request("GET", "/healthz")).await.expect(200).text, "ok\n");
        assert_eq!(answer(server.request("GET", "/readyz")).await.expect(200).text, "ready\n");
    }

    async fn the_documents_and_the_reference_are_served(database) {
        let server = Server::start(database).await;
        let merged = answer(server.request("GET", "/openapi.yaml")).await.expect(200);
        assert_eq!(merged.header("content-type"), "application/yaml");
        assert_eq!(merged.text, sojourn::api::document().unwrap());
        for family in sojourn::api::FAMILIES {
            answer(server.request("GET", &format!("/openapi/{}.yaml", family.name))).await.expect(200);
        }
        answer(server.request("GET", "/openapi/nobody.yaml")).await.expect_problem(404, "not_found");
        let page = answer(server.request("GET", "/docs/")).await.expect(200);
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        let parts = page.text.split(['"', '\'']).filter_map(|part| part.strip_prefix("./"));
        let parts: Vec<&str> = parts.collect();
        assert!(parts.len() > 3 && !page.text.contains("http"), "everything is from here: {}", page.text);
        for part in parts {
            answer(server.request("GET", &format!("/docs/{part}"))).await.expect(200);
        }
    }
}

/// The text as a body of unknown length.
fn futures_of(text: &str) -> reqwest::Body {
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
        text.as_bytes().chunks(1000).map(|piece| Ok(piece.to_vec())).collect();
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}
