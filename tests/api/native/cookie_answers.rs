//! Cookies in answers: set at the sign-in, cleared at the sign-out. And the cookies of applications.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sojourn::config::{HttpConfig, SameSite};

use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

/// The attributes of every cookie, by default.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

async fn with_cookie(database: TestDatabase) -> Server {
    let http = HttpConfig { cookie: Some("__Host-session".to_owned()), ..HttpConfig::default() };
    Server::builder().http(http).start(database).await
}

async fn open(server: &Server, body: &Value) -> Answer {
    answer(server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).json(body)).await
}

/// The cookies that an answer sets, whole.
fn set(answer: &Answer) -> Vec<String> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// The name and the value of the one cookie that an answer sets.
fn pair(answer: &Answer) -> String {
    let [cookie] = &set(answer)[..] else { panic!("not one cookie: {:?}", answer.headers) };
    cookie.split(';').next().unwrap().to_owned()
}

fn cleared(name: &str) -> String {
    format!("{name}=; {ATTRIBUTES}; Max-Age=0")
}

/// A request as a page of our own makes it.
fn by_page(server: &Server, method: &str, path: &str, cookies: &str) -> RequestBuilder {
    server.request(method, path).header("cookie", cookies).header("sec-fetch-site", "same-origin")
}

async fn application(server: &Server, client_id: &str, cookie_name: &str) {
    let body = json!({ "client_id": client_id, "cookie_name": cookie_name });
    answer(server.request("POST", "/v1/applications").bearer_auth(BOOTSTRAP_KEY).json(&body)).await.expect(201);
}

#[tokio::test]
async fn same_site_is_as_set() {
    for (same_site, expected) in [(SameSite::Lax, "Lax"), (SameSite::Strict, "Strict"), (SameSite::None, "None")] {
        let http = HttpConfig { cookie: Some("s".to_owned()), cookie_same_site: same_site, ..HttpConfig::default() };
        let server = Server::builder().http(http).start_on_sqlite().await;
        let opened = open(&server, &json!({ "user_id": "alice", "tokens": "cookie" })).await.expect(201);
        assert!(set(&opened)[0].ends_with(&format!("; Path=/; Secure; HttpOnly; SameSite={expected}")));
        let ended = answer(by_page(&server, "DELETE", "/v1/me/sessions", &pair(&opened))).await.expect(200);
        assert_eq!(set(&ended), [format!("s=; Path=/; Secure; HttpOnly; SameSite={expected}; Max-Age=0")]);
    }
}

on_both_databases! {
    async fn a_session_is_opened_into_a_cookie_and_its_token_is_nowhere_else(database) {
        let server = with_cookie(database).await;
        let opened = open(&server, &json!({ "user_id": "alice", "tokens": "cookie" })).await.expect(201);
        let pair = pair(&opened);
        assert!(pair.starts_with("__Host-session=sjs_"), "{pair}");
        assert_eq!(set(&opened), [format!("{pair}; {ATTRIBUTES}")], "nothing outlives the browser");
        assert!(!opened.text.contains("sjs_") && opened.json().get("session_token").is_none(), "{}", opened.text);
        let me = answer(server.request("GET", "/v1/me").header("cookie", &pair)).await.expect(200).json();
        assert_eq!(me["session"]["id"], opened.json()["session"]["id"]);
        for tokens in ["session", "access_and_refresh"] {
            assert!(set(&open(&server, &json!({ "user_id": "alice", "tokens": tokens })).await.expect(201)).is_empty());
        }
    }

    async fn an_opening_that_is_repeated_sets_the_same_cookie(database) {
        let server = with_cookie(database).await;
        let again = || {
            let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).header("idempotency-key", "k");
            request.json(&json!({ "user_id": "alice", "tokens": "cookie" }))
        };
        let (first, second) = (answer(again()).await.expect(201), answer(again()).await.expect(201));
        assert_eq!((pair(&first), first.json()["session"]["id"].clone()), (pair(&second), second.json()["session"]["id"].clone()));
    }

    async fn a_new_authentication_replaces_the_cookie_and_clears_none(database) {
        let server = with_cookie(database).await;
        let user = json!({ "user_id": "alice", "tokens": "cookie", "scope": "sessions:write" });
        let opened = open(&server, &user).await.expect(201);
        let path = format!("/v1/sessions/{}/authenticate", opened.json()["session"]["id"].as_str().unwrap());
        let by_cookie = by_page(&server, "POST", &path, &pair(&opened)).json(&json!({ "acr": "aal2", "tokens": "cookie" }));
        let raised = answer(by_cookie).await.expect(200);
        assert_eq!(set(&raised), [format!("{}; {ATTRIBUTES}", pair(&raised))]);
        assert!(pair(&raised) != pair(&opened) && !raised.text.contains("sjs_"), "{}", raised.text);
        answer(server.request("GET", "/v1/me").header("cookie", pair(&raised))).await.expect(200);
        answer(server.request("GET", "/v1/me").header("cookie", pair(&opened))).await.expect(401);
        let by_key = server.request("POST", &path).bearer_auth(BOOTSTRAP_KEY).json(&json!({ "acr": "aal2", "tokens": "cookie" }));
        let again = answer(by_key).await.expect(200);
        assert!(set(&again).len() == 1 && pair(&again) != pair(&raised));
    }

    async fn a_new_authentication_gives_no_cookie_that_has_no_name(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let path = format!("/v1/sessions/{}/authenticate", opened.id);
        let refused = server.send_json("POST", &path, BOOTSTRAP_KEY, &json!({ "tokens": "cookie" })).await;
        assert_eq!(refused.expect_problem(422, "invalid_request").json()["errors"][0]["field"], "tokens");
        assert!(server.stands(&opened.access).await, "nothing has changed");
    }

    async fn without_a_name_for_the_cookie_nothing_is_opened(database) {
        let server = Server::start(database).await;
        let refused = open(&server, &json!({ "user_id": "alice", "tokens": "cookie" })).await;
        let refused = refused.expect_problem(422, "invalid_request").json();
        assert_eq!(refused["errors"][0]["field"], "tokens");
        let listed = server.send("GET", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await;
        assert!(!listed.text.contains("alice"), "{}", listed.text);
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        server.send("POST", "/v1/session/cookie", &opened.access).await.expect_problem(422, "invalid_request");
    }

    async fn a_session_token_is_put_into_a_cookie_and_nothing_else_is(database) {
        let server = with_cookie(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let put = server.send("POST", "/v1/session/cookie", &opened.access).await.expect(204);
        assert_eq!(set(&put), [format!("__Host-session={}; {ATTRIBUTES}", opened.access)]);
        let pair_of_tokens = server.open("alice").await;
        let mut refused = vec![server.send("POST", "/v1/session/cookie", &pair_of_tokens.access).await.expect_problem(422, "invalid_request")];
        for credential in [pair_of_tokens.refresh.as_str(), BOOTSTRAP_KEY, "sjs_forged"] {
            refused.push(server.send("POST", "/v1/session/cookie", credential).await.expect_problem(401, "unauthenticated"));
        }
        // A cookie alone is turned into none, and a page of a stranger gets no further than the check of its origin.
        let cookie = format!("__Host-session={}", opened.access);
        refused.push(answer(by_page(&server, "POST", "/v1/session/cookie", &cookie)).await.expect_problem(422, "invalid_request"));
        let stranger = server.request("POST", "/v1/session/cookie").header("cookie", &cookie);
        refused.push(answer(stranger.header("sec-fetch-site", "cross-site")).await.expect_problem(403, "cross_site_request"));
        server.end(&opened.id).await;
        refused.push(server.send("POST", "/v1/session/cookie", &opened.access).await.expect_problem(401, "unauthenticated"));
        assert!(refused.iter().all(|answer| set(answer).is_empty()));
    }

    async fn a_sign_out_needs_no_id_and_forgets_a_dead_cookie_too(database) {
        let server = with_cookie(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let other = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("__Host-session={}", opened.access);
        let stranger = server.request("DELETE", "/v1/session/cookie").header("cookie", &cookie);
        answer(stranger.header("origin", "https://evil.example")).await.expect_problem(403, "cross_site_request");
        assert!(server.stands(&opened.access).await);
        let none = by_page(&server, "DELETE", "/v1/session/cookie", "theme=dark").bearer_auth(&opened.access);
        answer(none).await.expect_problem(401, "unauthenticated");
        assert!(server.stands(&opened.access).await);
        for _ in 0..2 {
            let ended = answer(by_page(&server, "DELETE", "/v1/session/cookie", &cookie)).await.expect(204);
            assert_eq!(set(&ended), [cleared("__Host-session")]);
            assert!(!server.stands(&opened.access).await);
        }
        assert!(server.stands(&other.access).await);
        let session = server.send("GET", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(session["end_reason"], "logout", "{session}");
    }

    async fn only_the_end_of_the_own_session_clears_the_cookie(database) {
        let server = with_cookie(database).await;
        let body = json!({ "user_id": "alice", "tokens": "session", "scope": "sessions:admin" });
        let (mine, other) = (server.open_with(&body).await, server.open_with(&body).await);
        let cookie = format!("__Host-session={}", mine.access);
        let ask = async |method: &str, path: &str, body: Value| {
            let request = by_page(&server, method, path, &cookie);
            answer(if body.is_null() { request } else { request.json(&body) }).await
        };
        let kept = [
            ask("GET", "/v1/me", Value::Null).await.expect(200),
            ask("PATCH", &format!("/v1/sessions/{}", mine.id), json!({ "device_name": "x" })).await.expect(200),
            ask("DELETE", &format!("/v1/sessions/{}", other.id), Value::Null).await.expect(204),
            ask("DELETE", "/v1/me/sessions?keep_current=true", Value::Null).await.expect(200),
            ask("DELETE", "/v1/sessions/none", Value::Null).await.expect(404),
        ];
        assert!(kept.iter().all(|answer| set(answer).is_empty()));
        for (method, path, body) in [
            ("DELETE", "/v1/sessions/{id}", Value::Null),
            ("DELETE", "/v1/me/sessions", Value::Null),
            ("DELETE", "/v1/users/alice/sessions", Value::Null),
            ("POST", "/v1/users/alice/ban", Value::Null),
            ("POST", "/v1/sessions/revoke", json!({ "filter": { "user_id": "alice" } })),
            ("POST", "/v1/sessions/revoke", json!({ "all": true })),
        ] {
            answer(server.request("POST", "/v1/users/alice/unban").bearer_auth(BOOTSTRAP_KEY)).await;
            let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session", "scope": "sessions:admin" })).await;
            let cookie = format!("theme=dark; __Host-session={}", opened.access);
            let request = by_page(&server, method, &path.replace("{id}", &opened.id), &cookie);
            let ended = answer(if body.is_null() { request } else { request.json(&body) }).await;
            assert!(ended.status.is_success(), "{path}: {}", ended.text);
            assert_eq!(set(&ended), [cleared("__Host-session")], "{path}");
            // Later refusals clear nothing: the browser may have signed in meanwhile.
            let refused = answer(by_page(&server, "DELETE", "/v1/me/sessions", &cookie)).await.expect(401);
            assert!(set(&refused).is_empty());
        }
        let bearer = server.open_with(&json!({ "user_id": "bob", "tokens": "session" })).await;
        assert!(set(&server.send("DELETE", "/v1/me/sessions", &bearer.access).await.expect(200)).is_empty());
    }

    async fn the_cookie_of_an_application_is_good_for_its_sessions_alone(database) {
        let server = with_cookie(database).await;
        application(&server, "shop", "__host-shop").await;
        application(&server, "bank", "bank").await;
        let opened = open(&server, &json!({ "user_id": "alice", "client_id": "shop", "tokens": "cookie" })).await.expect(201);
        let pair = pair(&opened);
        let token = pair.strip_prefix("__host-shop=").unwrap();
        assert_eq!(set(&opened), [format!("{pair}; {ATTRIBUTES}")]);
        let put = server.send("POST", "/v1/session/cookie", token).await.expect(204);
        assert_eq!(set(&put), [format!("{pair}; {ATTRIBUTES}")]);
        for path in ["/v1/me", "/v1/verify", "/v1/require/client=shop", "/api/user/alice/sessions"] {
            answer(server.request("GET", path).header("cookie", &pair)).await.expect(200);
            for other in [format!("bank={token}"), format!("__Host-shop={token}"), format!("shop={token}")] {
                answer(server.request("GET", path).header("cookie", other)).await.expect(401);
            }
        }
        let of_nobody = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let smuggled = format!("bank={}", of_nobody.access);
        answer(server.request("GET", "/v1/me").header("cookie", smuggled)).await.expect_problem(401, "unauthenticated");
        // The server's own cookie is good for all.
        answer(server.request("GET", "/v1/me").header("cookie", format!("__Host-session={token}"))).await.expect(200);
        let ended = answer(by_page(&server, "DELETE", "/v1/me/sessions", &format!("{pair}; __Host-session=sjs_x"))).await;
        assert_eq!(set(&ended.expect(200)), [cleared("__host-shop")]);
    }

    async fn an_application_needs_no_cookie_of_the_server(database) {
        let server = Server::start(database).await;
        application(&server, "shop", "shop").await;
        let opened = open(&server, &json!({ "user_id": "alice", "client_id": "shop", "tokens": "cookie" })).await.expect(201);
        let pair = pair(&opened);
        answer(server.request("GET", "/v1/me").header("cookie", &pair)).await.expect(200);
        open(&server, &json!({ "user_id": "alice", "tokens": "cookie" })).await.expect_problem(422, "invalid_request");
        let change = |name: Value| {
            let request = server.request("PATCH", "/v1/applications/shop").bearer_auth(BOOTSTRAP_KEY);
            request.json(&json!({ "cookie_name": name }))
        };
        for bad in ["", "a b", "a=b", "a;b", "é", &"a".repeat(256)] {
            let refused = answer(change(json!(bad))).await.expect_problem(422, "invalid_request").json();
            assert_eq!(refused["errors"][0]["field"], "cookie_name", "{bad}");
        }
        let changed = answer(change(json!("__Secure-shop"))).await.expect(200).json();
        assert_eq!(changed["cookie_name"], "__Secure-shop");
        answer(server.request("GET", "/v1/me").header("cookie", &pair)).await.expect_problem(401, "unauthenticated");
        let renamed = pair.replace("shop=", "__Secure-shop=");
        answer(server.request("GET", "/v1/me").header("cookie", &renamed)).await.expect(200);
        assert!(answer(change(Value::Null)).await.expect(200).json().get("cookie_name").is_none());
        answer(server.request("GET", "/v1/me").header("cookie", renamed)).await.expect_problem(401, "unauthenticated");
    }
}
