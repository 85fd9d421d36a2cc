//! The console's sign-in, its cookie, and its page.

use chrono::TimeDelta;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sojourn::config::{ConsoleAddress, HttpConfig};
use sojourn::model::{Caller, Service};

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};
use crate::support::stream::Stream;

const OWN_PAGE: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn try_to_sign_in(server: &Server, body: &Value) -> Answer {
    let request = server.request("POST", "/admin/sign-in").header(OWN_PAGE.0, OWN_PAGE.1);
    answer(request.header("content-type", "application/json").body(body.to_string())).await
}

/// The pair of a cookie that an answer sets.
fn cookie_of(headers: &HeaderMap) -> String {
    headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn sign_in(server: &Server, key: &str) -> String {
    cookie_of(&try_to_sign_in(server, &json!({ "key": key })).await.expect(204).headers)
}

/// A request of the console's page.
async fn send(server: &Server, method: &str, path: &str, cookie: &str, body: Option<&Value>) -> Answer {
    let request = server.request(method, path).header("cookie", cookie).header(OWN_PAGE.0, OWN_PAGE.1);
    answer(match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    })
    .await
}

on_both_databases! {
    async fn a_key_is_exchanged_for_a_session_that_is_listed_and_ended_like_any_other(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:admin sessions:write").await;
        let signed_in = try_to_sign_in(&server, &json!({ "key": key })).await.expect(204);
        let set = signed_in.header("set-cookie");
        assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict") && set.starts_with("sojourn-console=sjs_"), "{set}");
        let cookie = cookie_of(&signed_in.headers);
        let me = send(&server, "GET", "/admin/me", &cookie, None).await.expect(200).json();
        assert_eq!((&me["role"], &me["bootstrap"]), (&json!("admin"), &json!(false)));
        let found = send(&server, "GET", "/v1/sessions?client_id=sojourn-console", &cookie, None).await.expect(200).json();
        let session = &found["sessions"][0];
        assert!(session["user_id"].as_str().unwrap().starts_with("console:"));
        assert_eq!(session["scope"], "sessions:read sessions:admin", "the right of a login service is left behind");
        assert_eq!(session["idle_timeout"], 1800);
        server.end(session["id"].as_str().unwrap()).await;
        send(&server, "GET", "/v1/sessions", &cookie, None).await.expect_problem(401, "unauthenticated");
    }

    async fn whatever_is_wrong_with_a_credential_the_answer_is_the_same(database) {
        let server = Server::start(database).await;
        let (powerless, revoked) = (server.key("sessions:write").await, server.key("sessions:admin").await);
        let id = sojourn::tokens::ServiceKey::parse(&revoked).unwrap().id;
        server.sessions.revoke_service_key(&Caller::Service(Service::command_line()).into(), id).await.unwrap();
        let user = server.open("1001").await;
        let bodies = [&powerless, &revoked, &user.access, &user.refresh, "sjk_none", ""].map(|key| json!({ "key": key }));
        let mut texts = Vec::new();
        for body in bodies.iter().chain([&json!({ "link": "none" })]) {
            let refused = try_to_sign_in(&server, body).await.expect_problem(401, "unauthenticated");
            assert!(!refused.headers.contains_key("set-cookie"));
            texts.push(refused.text);
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
        for _ in 0..3 {
            try_to_sign_in(&server, &json!({ "key": "none" })).await.expect(401);
        }
        try_to_sign_in(&server, &json!({ "key": "none" })).await.expect_problem(429, "too_many_requests");
        try_to_sign_in(&server, &json!({ "key": BOOTSTRAP_KEY })).await.expect(204);
        let failed = server.send("GET", "/v1/audit?action=console.sign_in_failed", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(failed["entries"].as_array().unwrap().len(), 10, "what is one too many is not in the audit trail");
        server.wait(TimeDelta::minutes(1));
        try_to_sign_in(&server, &json!({ "key": "none" })).await.expect(401);
    }

    async fn a_sign_in_names_one_credential_and_comes_from_a_page_of_the_server(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:read").await;
        for body in [json!({}), json!({ "key": key, "link": "x" }), json!({ "key": key, "more": 1 })] {
            try_to_sign_in(&server, &body).await.expect_problem(400, "malformed_request");
        }
        for header in [None, Some(("sec-fetch-site", "cross-site")), Some(("origin", "https://evil.example"))] {
            let request = server.request("POST", "/admin/sign-in").header("content-type", "application/json");
            let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            answer(request.body(json!({ "key": key }).to_string())).await.expect(403);
        }
    }

    async fn the_cookie_is_a_credential_of_the_console_s_own_pages_alone(database) {
        let http = HttpConfig { cookie: Some("s".to_owned()), ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let cookie = sign_in(&server, &server.key("sessions:admin").await).await;
        let token = cookie.split_once('=').unwrap().1;
        let id = server.open("1001").await.id;
        let (session, foreign) = (format!("/v1/sessions/{id}"), ("origin", "https://evil.example"));
        for (method, path) in [("GET", "/v1/me"), ("GET", session.as_str()), ("DELETE", session.as_str())] {
            for header in [("accept", "*/*"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "none"), foreign] {
                let request = server.request(method, path).header("cookie", &cookie).header(header.0, header.1);
                answer(request).await.expect(403);
            }
            server.send(method, path, token).await.expect_problem(401, "unauthenticated");
            let other = server.request(method, path).header("cookie", format!("s={token}")).header(OWN_PAGE.0, OWN_PAGE.1);
            answer(other).await.expect_problem(401, "unauthenticated");
        }
        for path in ["/v1/verify", "/auth/sessions", "/api/v0/sessions"] {
            send(&server, "GET", path, &cookie, None).await.expect(401);
        }
        let introspected = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", token)]).await;
        assert_eq!(introspected.expect(200).json(), json!({ "active": false }));
        let user = server.open_with(&json!({ "user_id": "1001", "tokens": "session", "scope": "sessions:admin" })).await;
        let as_console = format!("sojourn-console={}", user.access);
        send(&server, "GET", "/v1/me", &as_console, None).await.expect_problem(401, "unauthenticated");
        send(&server, "GET", &session, &cookie, None).await.expect(200);
    }

    async fn an_application_s_cookie_in_the_same_browser_stays_its_pages_credential(database) {
        let http = HttpConfig { cookie: Some("s".to_owned()), ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let console = sign_in(&server, &server.key("sessions:admin").await).await;
        let user = server.open_with(&json!({ "user_id": "1001", "tokens": "session" })).await;
        let both = format!("{console}; s={}", user.access);
        let me = send(&server, "GET", "/v1/me", &both, None).await.expect(200).json();
        assert_eq!(me["user"]["id"], "1001");
        let marked = server.request("GET", "/v1/me").header("cookie", &both).header(OWN_PAGE.0, OWN_PAGE.1);
        let me = answer(marked.header("x-sojourn-console", "1")).await.expect(200).json();
        assert!(me["user"]["id"].as_str().unwrap().starts_with("console:"), "{me}");
        send(&server, "GET", "/admin/me", &both, None).await.expect(200);
    }

    async fn a_viewer_sees_and_changes_nothing(database) {
        let server = Server::start(database).await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:read" })).await;
        let request = server.request("POST", "/admin/sign-in").header(OWN_PAGE.0, OWN_PAGE.1).bearer_auth(&staff.access);
        let cookie = cookie_of(&answer(request).await.expect(204).headers);
        let me = send(&server, "GET", "/admin/me", &cookie, None).await.expect(200).json();
        assert_eq!((&me["role"], &me["name"]), (&json!("viewer"), &json!("staff")));
        let id = server.open("1001").await.id;
        send(&server, "GET", &format!("/v1/sessions/{id}"), &cookie, None).await.expect(200);
        for (method, path) in [
            ("DELETE", format!("/v1/sessions/{id}")), ("POST", "/v1/users/1001/ban".to_owned()),
            ("DELETE", "/v1/users/1001/sessions".to_owned()), ("DELETE", "/v1/users/1001".to_owned()),
            ("GET", "/v1/keys".to_owned()), ("POST", "/v1/signing-keys/rotate".to_owned()),
        ] {
            let refused = send(&server, method, &path, &cookie, None).await;
            refused.expect(if method == "DELETE" && path.contains("/v1/sessions/") { 404 } else { 403 });
        }
        let everybody = json!({ "all": true });
        send(&server, "POST", "/v1/sessions/revoke", &cookie, Some(&everybody)).await.expect(403);
    }

    async fn a_console_session_dies_with_the_credential_that_it_came_from(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:admin").await;
        let [first, second] = [sign_in(&server, &key).await, sign_in(&server, &key).await];
        let other = sign_in(&server, &server.key("sessions:admin").await).await;
        let id = sojourn::tokens::ServiceKey::parse(&key).unwrap().id;
        send(&server, "DELETE", &format!("/v1/keys/{id}"), &other, None).await.expect(200);
        for cookie in [&first, &second] {
            send(&server, "GET", "/admin/me", cookie, None).await.expect_problem(401, "unauthenticated");
        }
        let ended = send(&server, "GET", &format!("/v1/sessions?user_id=console:{id}"), &other, None).await.expect(200).json();
        let states: Vec<&Value> = ended["sessions"].as_array().unwrap().iter().map(|session| &session["state"]).collect();
        assert_eq!(states, ["ended", "ended"]);

        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await;
        let request = server.request("POST", "/admin/sign-in").header(OWN_PAGE.0, OWN_PAGE.1).bearer_auth(&staff.access);
        let cookie = cookie_of(&answer(request).await.expect(204).headers);
        send(&server, "GET", "/admin/me", &cookie, None).await.expect(200);
        server.end(&staff.id).await;
        send(&server, "GET", "/admin/me", &cookie, None).await.expect_problem(401, "unauthenticated");
    }

    async fn a_console_session_ends_when_it_is_left_alone_and_at_the_latest_with_its_key(database) {
        let server = Server::start(database).await;
        let short = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &json!({ "name": "short", "scope": "sessions:admin", "expires_in": 3600 })).await;
        let short = short.expect(201).json();
        let cookie = sign_in(&server, short["secret"].as_str().unwrap()).await;
        let me = send(&server, "GET", "/admin/me", &cookie, None).await.expect(200).json();
        let (from, to) = (me["signed_in_at"].as_str().unwrap(), me["expires_at"].as_str().unwrap());
        let lasts = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
        assert!(lasts(to) - lasts(from) <= TimeDelta::hours(1), "{me}");
        let long = sign_in(&server, BOOTSTRAP_KEY).await;
        let me = send(&server, "GET", "/admin/me", &long, None).await.expect(200).json();
        assert_eq!(me["bootstrap"], true);
        for _ in 0..20 {
            server.wait(TimeDelta::minutes(25));
            server.catch_up().await;
            let state = send(&server, "GET", "/admin/me", &long, None).await;
            if state.status == 401 {
                break;
            }
            state.expect(200);
        }
        send(&server, "GET", "/admin/me", &long, None).await.expect(401);
        let idle = sign_in(&server, BOOTSTRAP_KEY).await;
        server.wait(TimeDelta::minutes(31));
        send(&server, "GET", "/admin/me", &idle, None).await.expect(401);
    }

    async fn what_cannot_be_undone_wants_a_recent_sign_in(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:admin").await;
        let cookie = sign_in(&server, &key).await;
        server.wait(TimeDelta::minutes(16));
        let new = json!({ "name": "new", "scope": "sessions:read" });
        let copied = server.open("1001").await;
        server.copy_session(&copied.id, 1001).await;
        let many = json!({ "filter": { "user_id": "1001" } });
        let risky = [("/v1/keys", Some(&new), 201), ("/v1/signing-keys/rotate", None, 201), ("/v1/sessions/revoke", Some(&many), 200)];
        for (path, body, _) in risky {
            let refused = send(&server, "POST", path, &cookie, body).await;
            refused.expect_problem(403, "insufficient_user_authentication");
        }
        let few = json!({ "filter": { "user_id": "nobody" } });
        send(&server, "POST", "/v1/sessions/revoke", &cookie, Some(&few)).await.expect(200);
        let anew = server.request("POST", "/admin/sign-in").header(OWN_PAGE.0, OWN_PAGE.1).header("cookie", &cookie);
        let anew = answer(anew.header("content-type", "application/json").body(json!({ "key": key }).to_string())).await;
        let fresh = cookie_of(&anew.expect(204).headers);
        send(&server, "GET", "/admin/me", &cookie, None).await.expect(401);
        for (path, body, status) in risky {
            send(&server, "POST", path, &fresh, body).await.expect(status);
        }
    }

    async fn signing_out_ends_the_session_and_empties_the_browser(database) {
        let server = Server::start(database).await;
        let cookie = sign_in(&server, BOOTSTRAP_KEY).await;
        let stranger = server.request("POST", "/admin/sign-out").header("cookie", &cookie);
        answer(stranger.header("sec-fetch-site", "cross-site")).await.expect(403);
        let out = send(&server, "POST", "/admin/sign-out", &cookie, None).await.expect(204);
        assert_eq!(out.header("clear-site-data"), "\"cache\", \"storage\"");
        assert_eq!(out.header("set-cookie"), "sojourn-console=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
        send(&server, "GET", "/admin/me", &cookie, None).await.expect(401);
    }

    async fn the_audit_trail_says_who_came_and_went_and_who_was_refused(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:admin").await;
        let id = sojourn::tokens::ServiceKey::parse(&key).unwrap().id.to_string();
        try_to_sign_in(&server, &json!({ "key": "none" })).await.expect(401);
        let cookie = sign_in(&server, &key).await;
        send(&server, "POST", "/admin/sign-out", &cookie, None).await.expect(204);
        let trail = server.send("GET", "/v1/audit", BOOTSTRAP_KEY).await.expect(200).json();
        let entries = trail["entries"].as_array().unwrap();
        let told: Vec<(&str, &str)> =
            entries.iter().map(|entry| (entry["action"].as_str().unwrap(), entry["actor"]["type"].as_str().unwrap())).collect();
        let expected = [("console.signed_out", "session"), ("console.signed_in", "key"), ("console.sign_in_failed", "unknown")];
        assert_eq!(told, expected);
        assert_eq!(entries[1]["actor"]["id"], id);
        assert!(entries.iter().all(|entry| entry["request_id"].is_string() && entry["address"] == "127.0.0.1"), "{trail}");
        assert!(!trail.to_string().contains(&key) && !trail.to_string().contains("sjs_"));
    }

    async fn an_administrator_gets_no_tokens_at_the_console(database) {
        let server = Server::start(database).await;
        let cookie = sign_in(&server, &server.key("sessions:admin sessions:write").await).await;
        let found = send(&server, "GET", "/v1/sessions?client_id=sojourn-console", &cookie, None).await.expect(200).json();
        let own = found["sessions"][0]["id"].as_str().unwrap().to_owned();
        let other = server.open("1001").await.id;
        let draft = json!({ "user_id": "1001", "scope": "sessions:admin", "tokens": "session" });
        send(&server, "POST", "/v1/sessions", &cookie, Some(&draft)).await.expect_problem(403, "insufficient_scope");
        for id in [&own, &other] {
            let path = format!("/v1/sessions/{id}/authenticate");
            send(&server, "POST", &path, &cookie, Some(&json!({}))).await.expect_problem(403, "insufficient_scope");
        }
        let link = send(&server, "POST", "/v1/users/1001/account-link", &cookie, None).await;
        link.expect_problem(403, "insufficient_scope");
        let put = send(&server, "PUT", "/v1/users/1001", &cookie, Some(&json!({ "name": "x" }))).await;
        put.expect_problem(403, "insufficient_scope");
        let by_key = server
            .send_json("POST", &format!("/v1/sessions/{own}/authenticate"), BOOTSTRAP_KEY, &json!({}))
            .await;
        by_key.expect_problem(404, "session_not_found");
        send(&server, "GET", "/admin/me", &cookie, None).await.expect(200);
    }

    async fn another_bootstrap_key_ends_what_the_former_one_signed_in(database) {
        let server = Server::start(database).await;
        let cookie = sign_in(&server, BOOTSTRAP_KEY).await;
        send(&server, "GET", "/admin/me", &cookie, None).await.expect(200);
        let successor = server.replica_with(|builder| builder.bootstrap_key("another-bootstrap-key-of-the-next-start")).await;
        send(&successor, "GET", "/admin/me", &cookie, None).await.expect(401);
        send(&successor, "GET", "/v1/keys", &cookie, None).await.expect(401);
    }

    async fn a_new_authentication_ends_what_an_earlier_token_signed_in(database) {
        let server = Server::start(database).await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await;
        let request = server.request("POST", "/admin/sign-in").header(OWN_PAGE.0, OWN_PAGE.1).bearer_auth(&staff.access);
        let cookie = cookie_of(&answer(request).await.expect(204).headers);
        send(&server, "GET", "/admin/me", &cookie, None).await.expect(200);
        server.wait(TimeDelta::seconds(1));
        let path = format!("/v1/sessions/{}/authenticate", staff.id);
        server.send_json("POST", &path, BOOTSTRAP_KEY, &json!({})).await.expect(200);
        send(&server, "GET", "/admin/me", &cookie, None).await.expect(401);
    }

    async fn a_stream_of_events_closes_with_the_session_that_the_console_s_came_from(database) {
        let server = Server::start(database).await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await;
        let request = server.request("POST", "/admin/sign-in").header(OWN_PAGE.0, OWN_PAGE.1).bearer_auth(&staff.access);
        let cookie = cookie_of(&answer(request).await.expect(204).headers);
        server.follows().await;
        let request = server.request("GET", "/v1/events?user_id=nobody").header("cookie", &cookie).header(OWN_PAGE.0, OWN_PAGE.1);
        let stream = Stream::open(request).await;
        server.end(&staff.id).await;
        stream.expect_end().await;
    }

    async fn a_cookie_that_a_neighbour_can_set_does_not_hide_the_one_of_this_host(database) {
        let server = Server::start(database).await;
        let token = sign_in(&server, BOOTSTRAP_KEY).await.split_once('=').unwrap().1.to_owned();
        let other = sign_in(&server, &server.key("sessions:read").await).await;
        let both = format!("{other}; __Host-sojourn-console={token}");
        let me = send(&server, "GET", "/admin/me", &both, None).await.expect(200).json();
        assert_eq!(me["bootstrap"], true);
    }

    async fn no_user_is_taken_for_a_service_at_the_console(database) {
        let server = Server::start(database).await;
        let draft = json!({ "user_id": "console:bootstrap" });
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &draft).await.expect_problem(422, "invalid_request");
        let put = server.send_json("PUT", "/v1/users/console:command-line", BOOTSTRAP_KEY, &json!({ "name": "x" })).await;
        put.expect_problem(422, "invalid_request");
        for name in ["sojourn-console", "__Host-sojourn-console", "__Host-sojourn-account"] {
            let application = json!({ "client_id": "web", "cookie_name": name });
            server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &application).await.expect_problem(422, "invalid_request");
        }
    }

    async fn nobody_else_opens_sessions_or_makes_an_application_of_the_console_s_name(database) {
        let server = Server::start(database).await;
        let draft = json!({ "user_id": "1001", "client_id": "sojourn-console" });
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &draft).await.expect_problem(422, "invalid_request");
        let application = json!({ "client_id": "sojourn-console" });
        server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &application).await.expect_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn the_page_is_served_below_admin_with_its_policy_and_its_files_for_ever() {
    let server = Server::start_on_sqlite().await;
    for path in ["/admin", "/admin/", "/admin/sessions", "/admin/sign-in", "/admin/users/a%2Fb"] {
        let page = answer(server.request("GET", path)).await.expect(200);
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("trusted-types 'none'"), "{path}");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert!(!page.text.contains("{assets}") && page.text.contains("assets/"), "{path}");
    }
    let page = answer(server.request("GET", "/admin/")).await.text;
    let start = page.find("assets/").unwrap();
    let assets = &page[start..start + "assets/0123456789abcdef".len()];
    let file = |path: &str| server.request("GET", &format!("/admin/{path}"));
    let script = answer(file(&format!("{assets}/app.js"))).await.expect(200);
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    let packed = file(&format!("{assets}/app.js")).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(packed.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
    let of_another_release = answer(file("assets/0000000000000000/app.js")).await.expect(200);
    assert_eq!(of_another_release.header("cache-control"), "no-store");
    for path in ["none.js", "index.html", "..%2findex.html", "vendor"] {
        answer(file(&format!("{assets}/{path}"))).await.expect(404);
    }
}

#[tokio::test]
async fn a_console_that_is_off_is_nowhere_and_its_cookie_no_credential() {
    let server = Server::start_on_sqlite().await;
    let cookie = sign_in(&server, BOOTSTRAP_KEY).await;
    let http = HttpConfig { console: ConsoleAddress::None, ..HttpConfig::default() };
    let off = server.replica_with(|builder| builder.http(http)).await;
    for path in ["/admin", "/admin/", "/admin/sessions", "/admin/me"] {
        answer(off.request("GET", path)).await.expect(404);
    }
    answer(off.request("POST", "/admin/sign-in")).await.expect(404);
    send(&off, "GET", "/v1/me", &cookie, None).await.expect(401);
}
