//! `POST /v1/sessions`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sojourn::model::{LimitPolicy, SessionLimit};
use sojourn::sessions::{IpStorage, Policy};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

on_both_databases! {
    async fn a_session_is_opened_with_everything_that_was_told(database) {
        let server = Server::start(database).await;
        let request = json!({
            "user_id": "1001", "user": { "name": "Alice", "email": "alice@example.org" }, "client_id": "web",
            "ip_address": "203.0.113.7", "location": "Lisbon, PT", "user_agent": FIREFOX, "device_name": "Alice's laptop",
            "scope": "profile sessions:admin", "acr": "aal1", "amr": ["pwd", "otp"], "expires_in": 86400,
            "idle_timeout": 3600, "metadata": { "cart": [1, 2, { "deep": null }], "ok": true },
        });
        let answer = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &request).await.expect(201);
        let body = answer.json();
        let session = &body["session"];
        let id = session["id"].as_str().unwrap();
        assert_eq!(answer.header("location"), format!("/v1/sessions/{id}"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");

        let created = instant(&session["created_at"]);
        assert!((server.now() - created).num_seconds().abs() < 60);
        assert_eq!(instant(&session["expires_at"]), created + TimeDelta::days(1));
        assert_eq!(instant(&session["absolute_expires_at"]), created + TimeDelta::days(30));
        assert_eq!(*session, json!({
            "id": id, "user_id": "1001", "state": "active", "created_at": session["created_at"],
            "last_seen_at": session["created_at"], "expires_at": session["expires_at"],
            "absolute_expires_at": session["absolute_expires_at"], "idle_timeout": 3600, "client_id": "web",
            "ip_address": "203.0.113.7", "location": "Lisbon, PT", "last_ip_address": "203.0.113.7",
            "last_location": "Lisbon, PT", "user_agent": FIREFOX,
            "device": {
                "type": "desktop", "name": "Alice's laptop", "model": null, "os": "Linux", "os_version": null,
                "browser": "Firefox", "browser_version": "145",
            },
            "acr": "aal1", "amr": ["pwd", "otp"], "auth_time": session["created_at"], "scope": "profile sessions:admin",
            "metadata": { "cart": [1, 2, { "deep": null }], "ok": true }, "opened_by": "bootstrap", "current": false,
        }));
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 300);
        assert!(body["refresh_token"].as_str().unwrap().starts_with("sjr_"));
        assert!(body.get("session_token").is_none() && body.get("evicted").is_none());

        let again = server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(again, *session, "what is stored is what was answered");
    }

    async fn a_user_id_alone_is_enough(database) {
        let server = Server::start(database).await;
        let opened = server.open("1001").await;
        let session = &opened.body["session"];
        assert_eq!(session["idle_timeout"], 7 * 24 * 3600);
        assert_eq!(session["device"], json!({
            "type": "unknown", "name": null, "model": null, "os": null, "os_version": null, "browser": null,
            "browser_version": null,
        }));
        assert_eq!((&session["amr"], &session["scope"], &session["metadata"]), (&json!([]), &json!(""), &json!({})));
        for unknown in ["client_id", "ip_address", "location", "user_agent", "acr", "ended_at", "end_reason"] {
            assert!(session.get(unknown).is_none(), "{unknown}");
        }
        assert!(server.stands(&opened.access).await);
    }

    async fn one_session_token_is_handed_out_when_asked_for(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "1001", "tokens": "session", "expires_in": 7200 })).await;
        assert!(opened.access.starts_with("sjs_"));
        assert!(opened.body.get("access_token").is_none() && opened.body.get("refresh_token").is_none());
        assert_eq!(opened.body["expires_in"], 7200);
        let usual = server.open_with(&json!({ "user_id": "1001", "tokens": "session" })).await;
        assert_eq!(usual.body["expires_in"], 30 * 86_400);
        assert!(server.stands(&opened.access).await);
        server.wait(TimeDelta::minutes(6));
        assert!(server.stands(&opened.access).await, "it lives as long as the session");
    }

    async fn two_sessions_never_share_an_id_or_a_token(database) {
        let server = Server::start(database).await;
        let (one, two) = (server.open("1001").await, server.open("1001").await);
        assert_ne!(one.id, two.id);
        assert_ne!(one.access, two.access);
        assert_ne!(one.refresh, two.refresh);
    }

    async fn opening_needs_the_scope_for_it(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "1001" });
        for scope in ["", "sessions:read", "profile", "sessions:writ", "sessions:writer"] {
            let key = server.key(scope).await;
            let answer = server.send_json("POST", "/v1/sessions", &key, &body).await.expect_problem(403, "insufficient_scope");
            assert!(answer.header("www-authenticate").contains("insufficient_scope"));
        }
        for scope in ["sessions:write", "sessions:read sessions:write", "sessions:admin"] {
            let key = server.key(scope).await;
            server.send_json("POST", "/v1/sessions", &key, &body).await.expect(201);
        }
        let user = server.open("1001").await;
        server.send_json("POST", "/v1/sessions", &user.access, &body).await.expect_problem(403, "insufficient_scope");
    }

    async fn what_cannot_be_taken_is_named_field_by_field(database) {
        let server = Server::start(database).await;
        let rows = [
            (json!({ "user_id": "" }), "user_id"),
            (json!({ "user_id": "x".repeat(256) }), "user_id"),
            (json!({ "user_id": "a\u{0}b" }), "user_id"),
            (json!({ "user_id": "a\nb" }), "user_id"),
            (json!({ "user_id": "alice " }), "user_id"),
            (json!({ "user_id": " " }), "user_id"),
            (json!({ "user_id": "1", "client_id": "a\u{0}b" }), "client_id"),
            (json!({ "user_id": "1", "scope": "a\"b" }), "scope"),
            (json!({ "user_id": "1", "scope": "a\u{0}b" }), "scope"),
            (json!({ "user_id": "1", "acr": "a\tb" }), "acr"),
            (json!({ "user_id": "1", "amr": [""] }), "amr"),
            (json!({ "user_id": "1", "amr": vec!["pwd"; 17] }), "amr"),
            (json!({ "user_id": "1", "expires_in": 0 }), "expires_in"),
            (json!({ "user_id": "1", "expires_in": -1 }), "expires_in"),
            (json!({ "user_id": "1", "expires_in": i64::MAX }), "expires_in"),
            (json!({ "user_id": "1", "expires_in": 30 * 86400 + 1 }), "expires_in"),
            (json!({ "user_id": "1", "absolute_expires_in": 59 }), "absolute_expires_in"),
            (json!({ "user_id": "1", "absolute_expires_in": 30 * 86400 + 1 }), "absolute_expires_in"),
            (json!({ "user_id": "1", "acr": "aal3", "absolute_expires_in": 43_201 }), "absolute_expires_in"),
            (json!({ "user_id": "1", "absolute_expires_in": 600, "expires_in": 601 }), "expires_in"),
            (json!({ "user_id": "1", "idle_timeout": 59 }), "idle_timeout"),
            (json!({ "user_id": "1", "idle_timeout": i64::MIN }), "idle_timeout"),
            (json!({ "user_id": "1", "acr": "aal2", "expires_in": 86401 }), "expires_in"),
            (json!({ "user_id": "1", "acr": "aal3", "idle_timeout": 901 }), "idle_timeout"),
            (json!({ "user_id": "1", "metadata": { "a": "b\u{0}c" } }), "metadata"),
            (json!({ "user_id": "1", "metadata": { "a\u{0}b": 1 } }), "metadata"),
            (json!({ "user_id": "1", "metadata": { "a": "x".repeat(8 * 1024) } }), "metadata"),
        ];
        for (body, field) in rows {
            let answer = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
            assert_eq!(answer.json()["errors"][0]["field"], field, "{body}");
        }
        let two = json!({ "user_id": "", "client_id": "a\u{0}b" });
        let answer = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &two).await.expect(422);
        assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 2, "all at once");
    }

    async fn what_is_not_asked_for_is_refused_and_not_guessed(database) {
        let server = Server::start(database).await;
        let bodies = [
            json!({}),
            json!([]),
            json!("1001"),
            json!({ "user_id": 1001 }),
            json!({ "user_id": null }),
            json!({ "user_id": "1", "user_id2": "2" }),
            json!({ "user_id": "1", "is_admin": true }),
            json!({ "user_id": "1", "id": "01a20114-3d06-7355-88c5-d5965a7f8762" }),
            json!({ "user_id": "1", "expires_at": "2099-01-01T00:00:00Z" }),
            json!({ "user_id": "1", "ended_at": null }),
            json!({ "user_id": "1", "expires_in": "86400" }),
            json!({ "user_id": "1", "expires_in": 1.5 }),
            json!({ "user_id": "1", "amr": "pwd" }),
            json!({ "user_id": "1", "tokens": "all" }),
            json!({ "user_id": "1", "metadata": [1] }),
            json!({ "user_id": "1", "metadata": "{}" }),
        ];
        for body in bodies {
            server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(400, "malformed_request");
        }
    }

    async fn text_is_kept_as_it_came(database) {
        let server = Server::start(database).await;
        let composed = "Ren\u{e9}";
        let decomposed = "Rene\u{301}";
        for user in [composed, decomposed, "ADMIN", "admin", "ad\u{200b}min", "\u{202e}nimda", "用户🙂", "a/b c%2F?#"] {
            let name = format!("name of {user}");
            let opened = server.open_with(&json!({ "user_id": user, "user": { "name": name } })).await;
            assert_eq!(opened.body["session"]["user_id"], user);
            let me = server.send("GET", "/v1/me", &opened.access).await.expect(200).json();
            assert_eq!(me["user"]["id"], user);
            assert_eq!(me["user"]["name"], name, "no two of these are the same user");
            let own = server.send("GET", "/v1/me/sessions", &opened.access).await.expect(200).json();
            assert_eq!(own["total"], 1);
        }
        let longest = "🙂".repeat(255);
        assert_eq!(server.open(&longest).await.body["session"]["user_id"], longest);
    }

    async fn no_login_fails_for_what_a_browser_calls_itself(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "1", "user_agent": "é".repeat(10_000) })).await;
        assert_eq!(opened.body["session"]["user_agent"], "é".repeat(512));
        let opened = server.open_with(&json!({ "user_id": "1", "user_agent": "a\tb\u{0}c\r\nd" })).await;
        assert_eq!(opened.body["session"]["user_agent"], "a b c  d");
    }

    async fn no_login_fails_for_what_only_describes(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({
            "user_id": "1", "user": { "name": format!(" A\u{7}{} ", "x".repeat(300)), "email": "x".repeat(256) },
            "ip_address": "localhost", "location": "a\u{0}b", "device_name": "é".repeat(256), "tokens": "session",
        })).await;
        let session = &opened.body["session"];
        assert_eq!((&session["location"], &session["device"]["name"]), (&json!("a b"), &json!("é".repeat(255))));
        assert!(session.get("ip_address").is_none());
        let user = &server.send("GET", "/v1/me", &opened.access).await.expect(200).json()["user"];
        assert_eq!(user["name"], format!("A {}", "x".repeat(253)));
        assert!(user.get("email").is_none(), "half an address is somebody else's");
        for (told, kept) in [
            ("203.0.113.7:1234", "203.0.113.7"), (" 203.0.113.7 ", "203.0.113.7"), ("[2001:db8::1]:443", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
        ] {
            let opened = server.open_with(&json!({ "user_id": "1", "ip_address": told })).await;
            assert_eq!(opened.body["session"]["ip_address"], kept, "{told}");
        }
        let user = &server.send("GET", "/v1/users/1", BOOTSTRAP_KEY).await.expect(200).json();
        assert!(user["name"].is_string(), "what is not told stays");
    }

    /// Client libraries send null for members that are not set, and some do not tell an empty map from an empty list.
    async fn an_optional_member_that_is_null_or_empty_counts_as_absent(database) {
        let server = Server::start(database).await;
        let mut all = json!({ "user_id": "1" });
        let optional = [
            "user", "client_id", "ip_address", "location", "user_agent", "client_hints", "device_name", "scope", "acr", "amr",
            "auth_time", "expires_in", "absolute_expires_in", "idle_timeout", "replaces", "tokens", "metadata",
        ];
        let plain = server.open_with(&all).await.body;
        for member in optional {
            all[member] = Value::Null;
            let body = json!({ "user_id": "1", member: null });
            server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect(201);
        }
        let filled = server.open_with(&all).await.body;
        let empty = json!({ "user_id": "1", "user": [], "client_hints": [], "amr": {}, "metadata": [], "scope": "", "acr": "", "client_id": "", "location": "" });
        let emptied = server.open_with(&empty).await.body;
        for opened in [&filled, &emptied] {
            for (name, value) in plain["session"].as_object().unwrap() {
                let is_a_time = name.ends_with("_at") || ["id", "auth_time"].contains(&name.as_str());
                assert!(is_a_time || opened["session"][name] == *value, "{name}: {}", opened["session"][name]);
            }
            assert_eq!(opened["session"].as_object().unwrap().len(), plain["session"].as_object().unwrap().len());
        }
        for body in [json!({ "user_id": "1", "user": "" }), json!({ "user_id": "1", "tokens": "" }), json!({ "user_id": "1", "expires_in": [] })] {
            server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(400, "malformed_request");
        }
    }

    async fn metadata_is_given_back_as_it_came(database) {
        let server = Server::start(database).await;
        let metadata = r#"{"z":1e2,"a":12345678901234567890123,"m":"\u00e9"}"#;
        let body = format!(r#"{{"user_id":"1","metadata":{metadata}}}"#);
        let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY);
        let opened = answer(request.header("content-type", "application/json").body(body)).await.expect(201);
        assert!(opened.text.contains(metadata), "{}", opened.text);
        let listed = server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.expect(200);
        assert!(listed.text.contains(metadata), "{}", listed.text);
    }

    async fn a_level_named_by_acr_tightens_both_clocks(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "1", "acr": "aal3" })).await;
        let session = &opened.body["session"];
        assert_eq!(instant(&session["absolute_expires_at"]) - instant(&session["created_at"]), TimeDelta::hours(12));
        assert_eq!(session["idle_timeout"], 900);
    }

    async fn both_clocks_end_a_session_by_themselves(database) {
        let server = Server::start(database).await;
        let idle = server.open_with(&json!({ "user_id": "1", "tokens": "session", "idle_timeout": 600, "expires_in": 86400 })).await;
        let short = server.open_with(&json!({ "user_id": "1", "tokens": "session", "expires_in": 3600 })).await;
        for _ in 0..5 {
            server.wait(TimeDelta::seconds(500));
            assert!(server.stands(&idle.access).await, "use keeps it alive");
        }
        server.wait(TimeDelta::seconds(601));
        assert!(!server.stands(&idle.access).await);
        let state = async |id: &str| {
            server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.json()["state"].clone()
        };
        assert_eq!(state(&idle.id).await, "idle_expired");
        server.wait(TimeDelta::seconds(600));
        assert!(!server.stands(&short.access).await);
        assert_eq!(state(&short.id).await, "expired");
        assert_eq!(server.refresh(&short.refresh).await.status, 400);
    }

    async fn addresses_are_kept_only_as_far_as_the_operator_wants(database) {
        let policy = Policy { ip_storage: IpStorage::Truncated, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let opened = server.open_with(&json!({ "user_id": "1", "ip_address": "203.0.113.77" })).await;
        assert_eq!(opened.body["session"]["ip_address"], "203.0.113.0");
    }

    async fn at_the_limit_the_oldest_makes_place_and_the_answer_says_so(database) {
        let session_limit = Some(SessionLimit { most: 2, policy: LimitPolicy::EvictOldest });
        let policy = Policy { session_limit, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let (first, second, third) = (server.open("1").await, server.open("1").await, server.open("1").await);
        assert_eq!(third.body["evicted"], json!([first.id]));
        assert!(!server.stands(&first.access).await);
        assert!(server.stands(&second.access).await && server.stands(&third.access).await);
        let gone = server.send("GET", &format!("/v1/sessions/{}", first.id), BOOTSTRAP_KEY).await.json();
        assert_eq!((&gone["state"], &gone["end_reason"]), (&json!("ended"), &json!("replaced")));
        server.open("2").await;
        assert!(server.stands(&second.access).await, "another user's sessions do not count");
    }

    async fn at_the_limit_a_new_session_is_refused_where_policy_says_so(database) {
        let session_limit = Some(SessionLimit { most: 1, policy: LimitPolicy::Reject });
        let policy = Policy { session_limit, ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let first = server.open("1").await;
        let body = json!({ "user_id": "1" });
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(409, "session_limit_reached");
        server.end(&first.id).await;
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect(201);
    }

    async fn nothing_is_opened_by_asking(database) {
        let server = Server::start(database).await;
        let opened = server.open("1").await;
        for path in ["/v1/me", "/v1/me/sessions", "/v1/verify", "/auth/sessions", "/auth/sessions/count"] {
            server.send("GET", path, &opened.access).await.expect(200);
        }
        server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", &opened.access)]).await.expect(200);
        let all = server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.json();
        assert_eq!(all["sessions"].as_array().unwrap().len(), 1);
    }

    async fn a_body_must_be_json_and_say_so(database) {
        let server = Server::start(database).await;
        let request = |content_type: &str, body: &str| {
            let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).body(body.to_owned());
            if content_type.is_empty() { request } else { request.header("content-type", content_type) }
        };
        let good = "{\"user_id\":\"1\"}";
        for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
            answer(request(content_type, good)).await.expect(201);
        }
        for content_type in ["", "text/plain", "application/xml", "application/json; charset=utf-16", "application/jsonx"] {
            answer(request(content_type, good)).await.expect_problem(415, "unsupported_media_type");
        }
    }
}
