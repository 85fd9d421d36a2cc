//! Applications, and the keys that are bound to them.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::model::{LimitPolicy, SessionLimit};
use sojourn::sessions::Policy;

use crate::api::access::{Body, TABLE};
use crate::support::database::TestDatabase;
use crate::support::jwt::claims;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Opened, Server, answer};

async fn create(server: &Server, body: &Value) -> Value {
    server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, body).await.expect(201).json()
}

/// A key with every right that can be bound, for one application.
async fn bound_key(server: &Server, application: &str) -> String {
    let scope = "sessions:read sessions:write sessions:admin";
    let body = json!({ "name": application, "scope": scope, "client_id": application });
    let made = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &body).await.expect(201).json();
    assert_eq!(made["key"]["client_id"], application);
    made["secret"].as_str().unwrap().to_owned()
}

async fn open_for(server: &Server, user: &str, application: &str) -> Opened {
    server.open_with(&json!({ "user_id": user, "client_id": application })).await
}

/// Opens sessions by a bound key beyond the limit, which sessions of another application have reached already.
async fn at_the_limit(database: TestDatabase, policy: LimitPolicy) {
    let session_limit = Some(SessionLimit { most: 2, policy });
    let server = Server::builder().policy(Policy { session_limit, ..Policy::default() }).start(database).await;
    let others = [open_for(&server, "alice", "bank").await, open_for(&server, "alice", "bank").await];
    let key = bound_key(&server, "shop").await;
    let body = json!({ "user_id": "alice", "client_id": "shop" });
    let open = async || server.send_json("POST", "/v1/sessions", &key, &body).await;
    let first = open().await.expect(201).json();
    open().await.expect(201);
    let third = open().await;
    match policy {
        LimitPolicy::Reject => assert_eq!(third.status.as_u16(), 409, "{}", third.text),
        _ => assert_eq!(third.expect(201).json()["evicted"], json!([first["session"]["id"]])),
    }
    assert!(server.stands(&others[0].access).await && server.stands(&others[1].access).await);
}

on_both_databases! {
    async fn an_application_is_created_shown_changed_and_deleted(database) {
        let server = Server::start(database).await;
        let made = server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &json!({ "client_id": "web/ü 1" })).await.expect(201);
        assert!(made.header("location").ends_with("/v1/applications/web%2F%C3%BC%201"));
        assert_eq!((made.json()["name"].clone(), made.json()["audiences"].clone()), (json!("web/ü 1"), json!([])));
        let path = "/v1/applications/web%2F%C3%BC%201";
        assert_eq!(server.send("GET", path, BOOTSTRAP_KEY).await.expect(200).json(), made.json());
        server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &json!({ "client_id": "web/ü 1" })).await
            .expect_problem(409, "application_exists");

        let change = json!({ "name": "Shop", "audiences": ["https://a.example", "https://a.example"], "scope": "profile", "idle_timeout": 900 });
        let changed = server.send_json("PATCH", path, BOOTSTRAP_KEY, &change).await.expect(200).json();
        assert_eq!(changed["audiences"], json!(["https://a.example"]), "an audience is named once");
        let back = json!({ "scope": null, "idle_timeout": null });
        let changed = server.send_json("PATCH", path, BOOTSTRAP_KEY, &back).await.expect(200).json();
        assert!(changed.get("scope").is_none() && changed.get("idle_timeout").is_none(), "{changed}");
        assert_eq!(changed["name"], "Shop", "what is left out stays");
        create(&server, &json!({ "client_id": "android" })).await;
        let list = server.send("GET", "/v1/applications", BOOTSTRAP_KEY).await.expect(200).json();
        let ids: Vec<&Value> = list["applications"].as_array().unwrap().iter().map(|shown| &shown["client_id"]).collect();
        assert_eq!(ids, ["android", "web/ü 1"]);

        server.send("DELETE", path, BOOTSTRAP_KEY).await.expect(204);
        for method in ["GET", "DELETE"] {
            server.send(method, path, BOOTSTRAP_KEY).await.expect_problem(404, "application_not_found");
        }
        server.send_json("PATCH", path, BOOTSTRAP_KEY, &back).await.expect_problem(404, "application_not_found");
    }

    async fn settings_that_cannot_be_are_named(database) {
        let server = Server::start(database).await;
        let long = "x".repeat(256);
        for (change, field) in [
            (json!({ "client_id": "" }), "client_id"),
            (json!({ "client_id": long }), "client_id"),
            (json!({ "name": "a\u{1}" }), "name"),
            (json!({ "audiences": [""] }), "audiences"),
            (json!({ "audiences": ["a b"] }), "audiences"),
            (json!({ "audiences": ["1", "2", "3", "4", "5", "6", "7", "8", "9"] }), "audiences"),
            (json!({ "scope": "a\"b" }), "scope"),
            (json!({ "access_token_lifetime": 9 }), "access_token_lifetime"),
            (json!({ "access_token_lifetime": 3601 }), "access_token_lifetime"),
            (json!({ "absolute_lifetime": 59 }), "absolute_lifetime"),
            (json!({ "idle_timeout": i64::MAX }), "idle_timeout"),
        ] {
            let mut body = json!({ "client_id": "web" });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let refused = server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
            assert_eq!(refused.json()["errors"][0]["field"], field, "{}", refused.text);
        }
        let unknown = json!({ "client_id": "web", "redirect_uris": [] });
        server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &unknown).await.expect_problem(400, "malformed_request");
    }

    /// ASVS 9.2.4.
    async fn an_application_s_tokens_have_its_audience_and_lifetime_and_count_here(database) {
        let server = Server::start(database).await;
        let settings = json!({
            "client_id": "shop", "audiences": ["https://shop.example"], "access_token_lifetime": 60, "absolute_lifetime": 7200,
            "idle_timeout": 600, "scope": "profile orders",
        });
        create(&server, &settings).await;
        create(&server, &json!({ "client_id": "both", "audiences": ["https://one.example", "https://two.example"] })).await;
        let shop = server.open_with(&json!({ "user_id": "alice", "client_id": "shop", "scope": "orders" })).await;
        let both = open_for(&server, "alice", "both").await;
        let other = open_for(&server, "alice", "elsewhere").await;
        let audience = |opened: &Opened| claims(&opened.access)["aud"].clone();
        assert_eq!(audience(&shop), "https://shop.example");
        assert_eq!(audience(&both), json!(["https://one.example", "https://two.example"]));
        assert_eq!(audience(&other), "sojourn", "a client_id without a record works as before");
        assert_eq!(shop.body["expires_in"], 60);
        assert_eq!(shop.body["session"]["idle_timeout"], 600);
        let introspected = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", &shop.access)]).await.json();
        assert_eq!(introspected["aud"], "https://shop.example");
        for opened in [&shop, &both, &other] {
            assert!(server.stands(&opened.access).await, "{}", opened.body);
        }
        server.send("GET", "/v1/require/client=both", &shop.access).await.expect(403);
        let refreshed = server.refresh(&shop.refresh).await.expect(200).json();
        assert_eq!(claims(refreshed["access_token"].as_str().unwrap())["aud"], "https://shop.example");

        for (body, field) in [
            (json!({ "scope": "profile staff" }), "scope"),
            (json!({ "absolute_expires_in": 7201 }), "absolute_expires_in"),
            (json!({ "idle_timeout": 601 }), "idle_timeout"),
        ] {
            let mut body = body;
            body["user_id"] = json!("alice");
            body["client_id"] = json!("shop");
            let refused = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
            assert_eq!(refused.json()["errors"][0]["field"], field, "{}", refused.text);
        }

        let change = json!({ "audiences": ["https://new.example"] });
        server.send_json("PATCH", "/v1/applications/shop", BOOTSTRAP_KEY, &change).await.expect(200);
        let refreshed = server.refresh(refreshed["refresh_token"].as_str().unwrap()).await.expect(200).json();
        assert_eq!(claims(refreshed["access_token"].as_str().unwrap())["aud"], "https://new.example");
        server.send("DELETE", "/v1/applications/shop", BOOTSTRAP_KEY).await.expect(204);
        let refreshed = server.refresh(refreshed["refresh_token"].as_str().unwrap()).await.expect(200).json();
        assert_eq!(claims(refreshed["access_token"].as_str().unwrap())["aud"], "sojourn", "its sessions go on");
    }

    async fn a_change_on_one_replica_counts_on_another(database) {
        let server = Server::start(database).await;
        let other = server.replica().await;
        create(&server, &json!({ "client_id": "shop", "audiences": ["https://shop.example"] })).await;
        other.sessions.reload_applications().await.unwrap();
        let opened = open_for(&other, "alice", "shop").await;
        assert_eq!(claims(&opened.access)["aud"], "https://shop.example");
        assert!(server.stands(&opened.access).await && other.stands(&opened.access).await);
    }

    async fn with_a_setting_sessions_are_opened_for_known_applications_only(database) {
        let policy = sojourn::sessions::Policy { known_applications_only: true, ..Default::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let open = async |body: &Value| server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, body).await;
        for body in [json!({ "user_id": "alice" }), json!({ "user_id": "alice", "client_id": "shop" })] {
            let refused = open(&body).await.expect_problem(422, "invalid_request").json();
            assert_eq!(refused["errors"][0]["field"], "client_id");
        }
        let maker = server.replica().await;
        create(&maker, &json!({ "client_id": "shop" })).await;
        open(&json!({ "user_id": "alice", "client_id": "shop" })).await.expect(201);
    }

    async fn two_products_share_a_server_without_seeing_each_other(database) {
        let server = Server::start(database).await;
        let (shop, _bank) = (bound_key(&server, "shop").await, bound_key(&server, "bank").await);
        let (own, foreign) = (open_for(&server, "alice", "shop").await, open_for(&server, "alice", "bank").await);
        let plain = server.open("alice").await;
        let opened = server.send_json("POST", "/v1/sessions", &shop, &json!({ "user_id": "bob" })).await.expect(201).json();
        assert_eq!(opened["session"]["client_id"], "shop", "a bound key opens sessions of its application");
        let elsewhere = json!({ "user_id": "bob", "client_id": "bank" });
        server.send_json("POST", "/v1/sessions", &shop, &elsewhere).await.expect_problem(422, "invalid_request");

        let found = async |path: &str| {
            let page = server.send("GET", path, &shop).await.expect(200).json();
            let sessions = page["sessions"].as_array().unwrap().clone();
            sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("/v1/sessions").await.len(), 2);
        assert_eq!(found("/v1/sessions?user_id=alice").await, std::slice::from_ref(&own.id));
        assert_eq!(found("/v1/sessions?client_id=bank").await, Vec::<String>::new());
        assert_eq!(found("/v1/users/alice/sessions").await, std::slice::from_ref(&own.id));
        for id in [&foreign.id, &plain.id] {
            for (method, below) in [("GET", ""), ("DELETE", ""), ("GET", "/watch")] {
                server.send(method, &format!("/v1/sessions/{id}{below}"), &shop).await.expect_problem(404, "session_not_found");
            }
            let extend = server.send_json("POST", &format!("/v1/sessions/{id}/extend"), &shop, &json!({ "extend_by": 60 })).await;
            extend.expect_problem(404, "session_not_found");
            for change in [json!({ "device_name": "x" }), json!({ "metadata": {} })] {
                let changed = server.send_json("PATCH", &format!("/v1/sessions/{id}"), &shop, &change).await;
                changed.expect_problem(404, "session_not_found");
            }
        }
        let introspect = async |token: &str| server.send_form("/oauth2/introspect", Some(&shop), &[("token", token)]).await.json();
        for token in [&foreign.access, &foreign.refresh, &plain.access] {
            assert_eq!(introspect(token).await, json!({ "active": false }));
        }
        assert_eq!(introspect(&own.access).await["active"], true);

        let revoke = async |body: Value| server.send_json("POST", "/v1/sessions/revoke", &shop, &body).await.expect(200).json();
        let dry = revoke(json!({ "ids": [own.id, foreign.id, plain.id], "dry_run": true })).await;
        assert_eq!((dry["revoked"].clone(), dry["sample"][0]["id"].clone()), (json!(1), json!(own.id)));
        assert_eq!(revoke(json!({ "ids": [foreign.id, plain.id] })).await["revoked"], 0);
        assert_eq!(revoke(json!({ "filter": { "client_id": "bank" } })).await["revoked"], 0);
        assert_eq!(revoke(json!({ "filter": { "user_id": "alice" } })).await["revoked"], 1);
        assert_eq!(revoke(json!({ "all": true })).await["revoked"], 1);
        let again = open_for(&server, "alice", "shop").await;
        let ended = server.send("DELETE", "/v1/users/alice/sessions", &shop).await.expect(200).json();
        assert_eq!(ended["ended"], 1);
        assert!(!server.stands(&again.access).await && !server.stands(&own.access).await);
        assert!(server.stands(&foreign.access).await && server.stands(&plain.access).await);
        server.wait(TimeDelta::seconds(1));
    }

    /// Such a session would reach every application.
    async fn a_session_that_a_bound_key_opens_takes_the_place_of_none_of_another_application(database) {
        at_the_limit(database, LimitPolicy::EvictOldest).await;
    }

    async fn the_least_recent_session_that_makes_place_for_a_bound_key_is_of_its_application(database) {
        at_the_limit(database, LimitPolicy::EvictLeastRecent).await;
    }

    async fn sessions_of_other_applications_are_not_counted_where_a_bound_key_is_refused(database) {
        at_the_limit(database, LimitPolicy::Reject).await;
    }

    async fn a_bound_key_opens_no_session_with_rights_and_is_never_made_with_the_right_to_grant_them(database) {
        let server = Server::start(database).await;
        let shop = bound_key(&server, "shop").await;
        for right in ["sessions:admin", "sessions:read", "https://jans.io/oauth/jans-auth-server/session.readonly", "revoke_session"] {
            let body = json!({ "user_id": "mallory", "scope": format!("profile {right}") });
            server.send_json("POST", "/v1/sessions", &shop, &body).await.expect_problem(403, "bound_key");
        }
        let body = json!({ "user_id": "alice", "scope": "profile" });
        server.send_json("POST", "/v1/sessions", &shop, &body).await.expect(201);
        let body = json!({ "name": "shop", "scope": "sessions:write sessions:grant", "client_id": "shop" });
        let refused = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request").json();
        assert_eq!(refused["errors"][0]["field"], "scope");
    }

    /// An operation that was forgotten would show or end what is not the key's.
    async fn every_operation_observes_a_key_s_application_or_refuses_the_key(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let shop = bound_key(&server, "shop").await;
        let mut wrong = Vec::new();
        for (number, (id, method, path, body, _)) in TABLE.iter().enumerate() {
            // Tokens are their own credential, and need no key.
            if ["refreshToken", "revokeToken"].contains(id) {
                continue;
            }
            let user = format!("user-{number}");
            let target = open_for(&server, &user, "bank").await;
            let request = server.request(method, &path.replace("{user}", &user).replace("{session}", &target.id)).bearer_auth(&shop);
            let answer = answer(match body {
                Body::Nothing => request,
                Body::Json(text) => request.header("content-type", "application/json").body(*text),
                Body::Token => request.form(&[("token", &target.access)]),
                Body::RefreshToken => request.form(&[("token", &target.refresh)]),
            })
            .await;
            let shown = answer.text.contains(&target.id) || answer.text.contains(&user);
            if shown && answer.status.is_success() || !server.stands(&target.access).await {
                wrong.push(format!("{id}: {} {}", answer.status, answer.text));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
