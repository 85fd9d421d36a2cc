//! Clients of the OAuth endpoints, which authenticate by a service key as their `client_secret` (RFC 6749 section 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde_json::json;
use sojourn::config::HttpConfig;
use sojourn::model::{Caller, Service};

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Opened, Server, answer};

const ENDPOINTS: [&str; 3] = ["/oauth2/introspect", "/oauth2/token", "/oauth2/revoke"];

type Form<'a> = Vec<(&'static str, &'a str)>;

/// The form that each endpoint takes for a session's token.
fn form<'a>(path: &str, opened: &'a Opened) -> Form<'a> {
    match path {
        "/oauth2/token" => vec![("grant_type", "refresh_token"), ("refresh_token", &opened.refresh)],
        _ => vec![("token", &opened.access)],
    }
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// Every character but letters and digits as `%XX`, as a client may send it.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn send(server: &Server, path: &str, authorization: &[&str], form: &[(&str, &str)]) -> Answer {
    let request = server.request("POST", path).form(form);
    answer(authorization.iter().fold(request, |request, value| request.header("authorization", *value))).await
}

fn assert_invalid_client(refused: &Answer, case: &str) {
    assert_eq!((refused.status.as_u16(), refused.json()["error"].as_str()), (401, Some("invalid_client")), "{case}");
    let challenges: Vec<_> = refused.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["Basic realm=\"sojourn\""], "{case}");
    assert_eq!(refused.header("cache-control"), "no-store", "{case}");
}

on_both_databases! {
    async fn a_service_key_is_the_secret_of_any_client_by_basic_and_in_the_form(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:read").await;
        for (number, client) in ["app", "another", "a b:c+d%é"].into_iter().enumerate() {
            let ways = [
                (vec![basic(&format!("{}:{}", encoded(client), encoded(&key)))], vec![]),
                (vec![basic(&format!("{}:{key}", encoded(client))).replacen("Basic ", "bASIC   ", 1)], vec![]),
                (vec![], vec![("client_id", client), ("client_secret", key.as_str())]),
            ];
            for (way, (header, secret)) in ways.into_iter().enumerate() {
                let header: Vec<_> = header.iter().map(String::as_str).collect();
                for path in ENDPOINTS {
                    let opened = server.open(&format!("user-{number}-{way}")).await;
                    let form = [form(path, &opened), secret.clone()].concat();
                    let done = send(&server, path, &header, &form).await.expect(200).json();
                    match path {
                        "/oauth2/introspect" => assert_eq!(done["sub"], format!("user-{number}-{way}")),
                        "/oauth2/token" => assert!(server.stands(done["access_token"].as_str().unwrap()).await),
                        _ => assert!(done == json!({}) && !server.stands(&opened.access).await),
                    }
                }
            }
        }
    }

    async fn a_wrong_secret_is_an_invalid_client_everywhere_and_nothing_is_done(database) {
        let server = Server::start(database).await;
        let user = server.open_with(&json!({ "user_id": "alice", "scope": "sessions:admin" })).await;
        let bearer = server.open_with(&json!({ "user_id": "alice", "scope": "sessions:admin", "tokens": "session" })).await;
        let foreign = Server::start_on_sqlite().await.key("sessions:admin").await;
        let key = server.key("sessions:admin").await;
        let cut = &key[..key.len() - 1];
        // Tokens are no client's secrets, whatever their session may do.
        let wrong = ["nonsense", "sjk_", cut, &foreign, &user.access, &user.refresh, &bearer.access, "\u{e9}", "%zz", "  "];
        for path in ENDPOINTS {
            let opened = server.open("bob").await;
            for secret in wrong {
                let header = basic(&format!("app:{}", encoded(secret)));
                let refused = send(&server, path, &[&header], &form(path, &opened)).await;
                assert_invalid_client(&refused, &format!("{path} by Basic {secret}"));
                let form = [form(path, &opened), vec![("client_id", "app"), ("client_secret", secret)]].concat();
                assert_invalid_client(&send(&server, path, &[], &form).await, &format!("{path} with {secret}"));
                assert!(!refused.text.contains(secret.trim_matches(' ')) || secret == "  ", "{}", refused.text);
            }
            let unreadable = ["Basic eA==".to_owned(), basic("app").replace('=', "-"), basic("app:%ff"), format!("Basic {key}")];
            for header in unreadable {
                assert_invalid_client(&send(&server, path, &[&header], &form(path, &opened)).await, &header);
            }
            let assertion = [form(path, &opened), vec![("client_id", "app"), ("client_assertion", "a.b.c")]].concat();
            assert_invalid_client(&send(&server, path, &[], &assertion).await, path);
            assert!(server.stands(&opened.access).await);
            server.refresh(&opened.refresh).await.expect(200);
        }
    }

    async fn a_revoked_or_expired_key_is_an_invalid_client(database) {
        let server = Server::builder().without_change_log().start(database).await;
        let key = server.key("sessions:read").await;
        let opened = server.open("alice").await;
        let header = basic(&format!("app:{key}"));
        send(&server, ENDPOINTS[0], &[&header], &form(ENDPOINTS[0], &opened)).await.expect(200);
        let id = sojourn::tokens::ServiceKey::parse(&key).unwrap().id;
        server.sessions.revoke_service_key(&Caller::Service(Service::command_line()).into(), id).await.unwrap();
        for path in ENDPOINTS {
            assert_invalid_client(&send(&server, path, &[&header], &form(path, &opened)).await, path);
        }
        let server = Server::builder().bootstrap_key_until(server.now() + TimeDelta::hours(1)).start_on_sqlite().await;
        let opened = server.open("alice").await;
        let header = basic(&format!("app:{BOOTSTRAP_KEY}"));
        send(&server, ENDPOINTS[0], &[&header], &form(ENDPOINTS[0], &opened)).await.expect(200);
        server.wait(TimeDelta::hours(2));
        for path in ENDPOINTS {
            assert_invalid_client(&send(&server, path, &[&header], &form(path, &opened)).await, path);
        }
    }

    /// RFC 6749 section 2.3.1 wants both encoded, which not every client does.
    async fn a_bootstrap_key_of_any_characters_is_a_secret_encoded_or_not(database) {
        let key = "k+kk%2Bk:k/k=&~".repeat(3);
        let server = Server::builder().bootstrap_key(&key).start(database).await;
        let body = json!({ "user_id": "alice" });
        let opened = server.send_json("POST", "/v1/sessions", &key, &body).await.expect(201).json();
        let form = [("token", opened["access_token"].as_str().unwrap())];
        for secret in [key.clone(), encoded(&key)] {
            send(&server, "/oauth2/introspect", &[&basic(&format!("app:{secret}"))], &form).await.expect(200);
        }
        let secret = key.replace('+', " ");
        assert_invalid_client(&send(&server, "/oauth2/introspect", &[&basic(&format!("app:{secret}"))], &form).await, &secret);
    }

    /// RFC 6749 section 2.3: not more than one way in each request.
    async fn two_credentials_are_refused_rather_than_one_of_them_chosen(database) {
        let server = Server::start(database).await;
        let (key, other) = (server.key("sessions:read").await, server.key("sessions:read").await);
        let header = basic(&format!("app:{key}"));
        let bearer = format!("Bearer {key}");
        let in_form = |secret| vec![("client_id", "app"), ("client_secret", secret)];
        for path in ENDPOINTS {
            let opened = server.open("alice").await;
            let cases: [(&[&str], Form<'_>); 8] = [
                (&[&header], in_form(&key)),
                (&[&header], in_form(&other)),
                (&[&header], vec![("client_assertion", "a.b.c")]),
                (&[&bearer], in_form(&key)),
                (&[&bearer], vec![("client_assertion", "a.b.c")]),
                (&[&header, &bearer], vec![]),
                (&[&header, &header], vec![]),
                (&[], [in_form(&key), in_form(&key)].concat()),
            ];
            for (headers, more) in cases {
                let refused = send(&server, path, headers, &[form(path, &opened), more.clone()].concat()).await.expect(400);
                assert_eq!(refused.json()["error"], "invalid_request", "{path} {headers:?} {more:?}");
            }
            assert!(server.stands(&opened.access).await);
            // A name alone is no credential.
            let named = [form(path, &opened), vec![("client_id", "app"), ("client_secret", "")]].concat();
            send(&server, path, &[&header], &named).await.expect(200);
        }
    }

    async fn introspection_needs_a_secret_and_the_key_needs_the_scope(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let ask = async |authorization: &[&str], more: &[(&str, &str)]| {
            send(&server, "/oauth2/introspect", authorization, &[&form("/oauth2/introspect", &opened), more].concat()).await
        };
        for (authorization, more) in [
            (vec![basic("app:")], vec![]),
            (vec![basic(":")], vec![]),
            (vec![], vec![("client_id", "app")]),
            (vec![], vec![("client_id", "app"), ("client_secret", "")]),
        ] {
            let authorization: Vec<_> = authorization.iter().map(String::as_str).collect();
            let refused = ask(&authorization, &more).await;
            assert_invalid_client(&refused, &format!("{authorization:?} {more:?}"));
            assert_eq!(refused.json()["error_description"], "A client_secret is needed");
        }
        for authorization in [vec![], vec!["Basic"], vec!["Basic "], vec!["Negotiate abc"]] {
            assert_eq!(ask(&authorization, &[]).await.expect(401).json()["error"], "invalid_token");
        }
        let writer = server.key("sessions:write").await;
        for (authorization, more) in [
            (vec![basic(&format!("app:{writer}"))], vec![]),
            (vec![], vec![("client_id", "app"), ("client_secret", writer.as_str())]),
        ] {
            let authorization: Vec<_> = authorization.iter().map(String::as_str).collect();
            assert_eq!(ask(&authorization, &more).await.expect(403).json()["error"], "insufficient_scope");
        }
        let in_query = format!("/oauth2/introspect?client_id=app&client_secret={BOOTSTRAP_KEY}");
        send(&server, &in_query, &[], &form("/oauth2/introspect", &opened)).await.expect(401);
    }

    async fn a_public_client_refreshes_and_signs_out_without_a_secret(database) {
        let server = Server::start(database).await;
        let expired = server.open("alice").await;
        server.end(&expired.id).await;
        let bearer = format!("Bearer {}", expired.access);
        for (authorization, more) in [
            (vec![], vec![]),
            (vec![], vec![("client_id", "app"), ("client_secret", "")]),
            (vec![basic("app:")], vec![]),
            (vec![bearer], vec![]),
            (vec!["Bearer a b".to_owned()], vec![]),
            (vec!["Digest username=\"a\"".to_owned()], vec![]),
        ] {
            let authorization: Vec<_> = authorization.iter().map(String::as_str).collect();
            let opened = server.open("alice").await;
            for path in ["/oauth2/token", "/oauth2/revoke"] {
                let form = [form(path, &opened), more.clone()].concat();
                send(&server, path, &authorization, &form).await.expect(200);
            }
            assert!(!server.stands(&opened.access).await);
        }
    }

    /// RFC 6749 section 6. A service key is any client's; a name without a secret is all that is known of its client.
    async fn a_refresh_in_another_client_s_name_needs_a_service_key(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "client_id": "web" })).await;
        let refresh = form("/oauth2/token", &opened);
        let named = |id| [&refresh[..], &[("client_id", id)]].concat();
        for (authorization, form) in [
            (vec![], named("other")),
            (vec![basic("other:")], refresh.clone()),
            (vec![basic("web:")], named("other")),
        ] {
            let authorization: Vec<_> = authorization.iter().map(String::as_str).collect();
            let refused = send(&server, "/oauth2/token", &authorization, &form).await.expect(400);
            assert_eq!(refused.json()["error"], "invalid_grant", "{authorization:?}");
        }
        let other = basic(&format!("other:{BOOTSTRAP_KEY}"));
        let in_form = [named("other"), vec![("client_secret", BOOTSTRAP_KEY)]].concat();
        send(&server, "/oauth2/token", &[&basic("web:")], &refresh).await.expect(200);
        send(&server, "/oauth2/token", &[&other], &refresh).await.expect(200);
        send(&server, "/oauth2/token", &[&other], &named("web")).await.expect(200);
        let pair = send(&server, "/oauth2/token", &[], &in_form).await.expect(200).json();
        let introspect = [("token", pair["access_token"].as_str().unwrap())];
        let told = send(&server, "/oauth2/introspect", &[&other], &introspect).await.expect(200).json();
        assert_eq!(told["client_id"], "web", "the session stays its own client's");
        send(&server, "/oauth2/revoke", &[], &[("token", &opened.access), ("client_id", "other")]).await.expect(200);
        assert!(!server.stands(&opened.access).await, "whoever holds a token may give it back");
    }
}

#[tokio::test]
async fn a_client_at_introspection_has_its_key_s_budget_and_a_wrong_secret_its_address_s() {
    let http = HttpConfig { rate_limit: 6, ..HttpConfig::default() };
    let server = Server::builder().http(http).start_on_sqlite().await;
    let (key, other) = (server.key("sessions:read").await, server.key("sessions:read").await);
    let opened = server.open("alice").await;
    let by_basic =
        async |path, secret: &str| send(&server, path, &[&basic(&format!("app:{secret}"))], &form(path, &opened)).await;
    let in_form = async |path, secret: &str| {
        let form = [form(path, &opened), vec![("client_id", "app"), ("client_secret", secret)]].concat();
        send(&server, path, &[], &form).await
    };
    let as_bearer =
        async |key: &str| server.send_form("/oauth2/introspect", Some(key), &form("/oauth2/introspect", &opened)).await;
    let [introspect, token, revoke] = ENDPOINTS;
    for _ in 0..2 {
        by_basic(introspect, &key).await.expect(200);
        in_form(introspect, &key).await.expect(200);
        as_bearer(&key).await.expect(200);
    }
    for refused in [by_basic(introspect, &key).await, in_form(introspect, &key).await, as_bearer(&key).await] {
        assert_eq!(refused.expect(429).json()["error"], "too_many_requests");
    }
    by_basic(introspect, &other).await.expect(200);

    for wrong in [
        by_basic(introspect, "wrong").await,
        in_form(introspect, "wrong").await,
        in_form(introspect, "").await,
        by_basic(token, "wrong").await,
        in_form(token, "wrong").await,
        send(&server, token, &["Basic eA=="], &form(token, &opened)).await,
    ] {
        assert_invalid_client(&wrong, "the address has six");
    }
    for path in [introspect, token] {
        by_basic(path, "wrong").await.expect(429);
        in_form(path, "wrong").await.expect(429);
        send(&server, path, &["Basic eA=="], &form(path, &opened)).await.expect(429);
        let two = [form(path, &opened), vec![("client_secret", key.as_str())]].concat();
        send(&server, path, &[&basic("app:wrong")], &two).await.expect(429);
    }
    by_basic(revoke, "wrong").await.expect(429);
    in_form(introspect, &other).await.expect(200);
    by_basic(token, &key).await.expect(200);
    by_basic(revoke, &key).await.expect(200);
}

#[tokio::test]
async fn a_client_that_cannot_be_checked_is_told_to_come_back_and_not_that_it_is_wrong() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    let key = server.key("sessions:read").await;
    let opened = server.open("alice").await;
    proxy.cut();
    let header = basic(&format!("app:{key}"));
    for path in ENDPOINTS {
        let unknown = send(&server, path, &[&header], &form(path, &opened)).await.expect(503);
        assert_eq!(unknown.json()["error"], "temporarily_unavailable", "{path}");
        let wrong = send(&server, path, &[&basic("app:nonsense")], &form(path, &opened)).await;
        assert_invalid_client(&wrong, "it is not looked up");
    }
}
